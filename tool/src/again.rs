//! An event as the delivery that brought it, signed anew.

use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tencent_desk_webhook::{Event, testing::Delivery};

use crate::{failure::Failure, target::Target};

pub(crate) fn request(
    event: &Event,
    app: Option<u64>,
    token: Option<&str>,
    target: &Target,
) -> Result<Request<Full<bytes::Bytes>>, Failure> {
    let record = serde_json::to_value(event).unwrap_or_default();
    let mut delivery = Delivery::of(body(event, &record)).app(app.unwrap_or(event.sdk_app_id)).now();
    delivery = match token {
        Some(token) => delivery.token(token),
        None => delivery.unsigned(),
    };
    if let Some(command) = record["CallbackCommand"].as_str() {
        delivery = delivery.command(command);
    }
    delivery = match &event.request_id {
        Some(id) => delivery.request_id(id),
        None => delivery.without_request_id(),
    };
    let mut request = delivery.request();
    *request.uri_mut() = target.with_query(&query(&delivery, event)).map_err(Failure::Failed)?;
    Ok(request)
}

/// The body as it came. A record that was written by hand may lack it.
fn body(event: &Event, record: &Value) -> String {
    if !event.raw().is_empty() {
        return event.raw().to_owned();
    }
    let mut body = record.clone();
    if let Some(fields) = body.as_object_mut() {
        for name in ["SdkAppid", "RequestID", "ClientIP", "OptPlatform", "Raw"] {
            fields.remove(name);
        }
    }
    body.to_string()
}

/// With the event's own `ClientIP` and `OptPlatform`.
fn query(delivery: &Delivery, event: &Event) -> String {
    let query = delivery.query();
    let mut again = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "ClientIP" => event.client_ip.as_deref(),
            "OptPlatform" => event.platform.as_deref(),
            _ => Some(&*value),
        };
        if let Some(value) = value {
            again.append_pair(&name, value);
        }
    }
    again.finish()
}
