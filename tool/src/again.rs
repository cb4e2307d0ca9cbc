//! A delivery that arrived, as a request that is signed anew.

use bytes::Bytes;
use http::Request as HttpRequest;
use http_body_util::Full;
use serde_json::Value;
use tencent_desk_webhook::{Event, decision::Request, testing::Delivery};

use crate::{failure::Failure, target::Target};

/// What arrived.
pub(crate) struct Original<'o> {
    pub(crate) app: u64,
    pub(crate) command: String,
    request_id: Option<&'o str>,
    client_ip: Option<&'o str>,
    platform: Option<&'o str>,
    body: String,
}

impl<'o> From<&'o Event> for Original<'o> {
    fn from(event: &'o Event) -> Self {
        let record = serde_json::to_value(event).unwrap_or_default();
        Self {
            app: event.sdk_app_id,
            command: record["CallbackCommand"].as_str().unwrap_or_default().to_owned(),
            request_id: event.request_id.as_deref(),
            client_ip: event.client_ip.as_deref(),
            platform: event.platform.as_deref(),
            body: body(event, record),
        }
    }
}

impl<'o> From<&'o Request> for Original<'o> {
    fn from(request: &'o Request) -> Self {
        Self {
            app: request.sdk_app_id,
            command: request.command.clone(),
            request_id: request.request_id.as_deref(),
            client_ip: request.client_ip.as_deref(),
            platform: request.platform.as_deref(),
            body: request.raw().to_owned(),
        }
    }
}

/// The body as it came. A record that was written by hand may lack it.
fn body(event: &Event, mut record: Value) -> String {
    if !event.raw().is_empty() {
        return event.raw().to_owned();
    }
    if let Some(fields) = record.as_object_mut() {
        for name in ["SdkAppid", "RequestID", "ClientIP", "OptPlatform", "Raw"] {
            fields.remove(name);
        }
    }
    record.to_string()
}

impl Original<'_> {
    /// The same to `target`, for another app if one is named.
    pub(crate) fn to(
        &self,
        target: &Target,
        app: Option<u64>,
        token: Option<&str>,
    ) -> Result<HttpRequest<Full<Bytes>>, Failure> {
        let mut delivery =
            Delivery::of(self.body.clone()).app(app.unwrap_or(self.app)).command(&self.command).now();
        delivery = match token {
            Some(token) => delivery.token(token),
            None => delivery.unsigned(),
        };
        delivery = match self.request_id {
            Some(id) => delivery.request_id(id),
            None => delivery.without_request_id(),
        };
        let mut request = delivery.request();
        *request.uri_mut() = target.with_query(&self.query(&delivery)).map_err(Failure::Failed)?;
        Ok(request)
    }

    /// With its own `ClientIP` and `OptPlatform`.
    fn query(&self, delivery: &Delivery) -> String {
        let query = delivery.query();
        let mut again = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = match &*name {
                "ClientIP" => self.client_ip,
                "OptPlatform" => self.platform,
                _ => Some(&*value),
            };
            if let Some(value) = value {
                again.append_pair(&name, value);
            }
        }
        again.finish()
    }
}
