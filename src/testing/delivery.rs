//! A request as the sender would make it, or wrong in one way.

use std::{
    fmt::Write as _,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{Verifier, event::Command};

/// The app that deliveries are for by default.
pub const APP: u64 = 1_400_000_000;

/// The token that signs deliveries, by default: the one of the vendor's documented signature.
pub const TOKEN: &str = "xxxxyyyy";

/// The second at which deliveries are signed, by default: the one of the vendor's documented signature.
pub const NOW: u64 = 1_669_872_112;

/// Lets in what [`Delivery`] makes: for [`APP`] and signed with [`TOKEN`], by a clock that always says [`NOW`].
#[must_use]
pub fn verifier() -> Verifier {
    Verifier::signed(APP, TOKEN).clock(|| UNIX_EPOCH + Duration::from_secs(NOW))
}

/// The `ErrorCode` of a response, also after middleware has put another body type around it: 0 is accepted.
///
/// # Panics
///
/// When `response` did not come from a [`Webhook`](crate::Webhook), and when its body is not there yet: collect what comes over a
/// network first.
#[must_use]
#[allow(clippy::expect_used)]
pub fn error_code<B: Body>(response: Response<B>) -> i64 {
    let body = collect(response.into_body());
    let body: Value = serde_json::from_slice(&body).expect("every answer of a webhook is JSON");
    body["ErrorCode"].as_i64().expect("every answer of a webhook has an ErrorCode")
}

/// Collects a body that does not have to wait.
fn collect(body: impl Body) -> Vec<u8> {
    let mut body = pin!(body);
    let mut collected = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match body.as_mut().poll_frame(&mut context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(mut data) = frame.into_data() {
                    collected.extend_from_slice(&data.copy_to_bytes(data.remaining()));
                }
            }
            Poll::Ready(Some(Err(_))) => panic!("the response's body broke off"),
            Poll::Ready(None) => return collected,
            Poll::Pending => panic!("the response's body is not there yet: collect it first"),
        }
    }
}

/// One delivery: correct, until a setter makes it wrong. Clones are repetitions of it, with its `RequestID`.
///
/// ```
/// use tencent_desk_webhook::{Webhook, testing::{self, Delivery, Recorder}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let webhook = Webhook::new(testing::verifier(), Recorder::default());
/// let delivery = Delivery::of(r#"{"SessionId":"s","Event":"SessionBegin","EventTime":1}"#);
/// assert_eq!(webhook.handle(delivery.clone().request()).await.status(), 200);
/// assert_eq!(webhook.handle(delivery.clone().stale().request()).await.status(), 401);
/// assert_eq!(webhook.handle(delivery.foreign_app().request()).await.status(), 403);
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Delivery {
    body: Bytes,
    path: String,
    method: Method,
    headers: HeaderMap,
    app: Option<u64>,
    command: Option<String>,
    request_id: Option<String>,
    token: Option<String>,
    time: u64,
    alter_signature: bool,
    extra: Vec<(String, String)>,
}

impl Delivery {
    /// Delivers `body`, which need not be an event: text, bytes, or what a fixture makes.
    pub fn of(body: impl Into<Bytes>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        Self {
            body: body.into(),
            path: "/desk/callback".to_owned(),
            method: Method::POST,
            headers: HeaderMap::new(),
            app: Some(APP),
            command: Some(Command::SessionEvent.to_string()),
            request_id: Some(format!("request-{}", COUNT.fetch_add(1, Ordering::Relaxed))),
            token: Some(TOKEN.to_owned()),
            time: NOW,
            alter_signature: false,
            extra: Vec::new(),
        }
    }

    /// For another app.
    pub fn app(mut self, sdk_app_id: u64) -> Self {
        self.app = Some(sdk_app_id);
        self
    }

    /// Signed with another token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Signed at another time, to the second.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.time = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self
    }

    /// Signed by the system's clock: for a verifier that goes by it, too.
    pub fn now(self) -> Self {
        self.at(SystemTime::now())
    }

    /// With this `RequestID`.
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// As the international edition of the vendor's page has it: without `RequestID`.
    pub fn without_request_id(mut self) -> Self {
        self.request_id = None;
        self
    }

    /// With another `CallbackCommand` in the query.
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// Without `CallbackCommand` in the query, as in the console's URL check.
    pub fn without_command(mut self) -> Self {
        self.command = None;
        self
    }

    /// Without `SdkAppid`.
    pub fn without_app(mut self) -> Self {
        self.app = None;
        self
    }

    /// One bit of the signature is wrong.
    pub fn wrong_signature(mut self) -> Self {
        self.alter_signature = true;
        self
    }

    /// Without `Sign` and `RequestTime`.
    pub fn unsigned(mut self) -> Self {
        self.token = None;
        self
    }

    /// Signed an hour earlier.
    pub fn stale(mut self) -> Self {
        self.time = self.time.saturating_sub(3600);
        self
    }

    /// For an app that is not [`APP`].
    pub fn foreign_app(self) -> Self {
        self.app(APP + 1)
    }

    /// With one more parameter, encoded as needed; one that is there already is then there twice.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }

    /// To another path than `/desk/callback`, or to a whole URL without a query.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// With another method than POST.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// With one more header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The query that the sender appends.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut append = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        };
        append("SdkAppid", self.app.map(|app| app.to_string()).as_deref());
        append("CallbackCommand", self.command.as_deref());
        append("contenttype", Some("json"));
        append("ClientIP", Some("127.0.0.1"));
        append("OptPlatform", Some("RESTAPI"));
        append("RequestID", self.request_id.as_deref());
        if let Some(token) = &self.token {
            append("Sign", Some(&self.sign(token)));
            append("RequestTime", Some(&self.time.to_string()));
        }
        for (name, value) in &self.extra {
            append(name, Some(value));
        }
        query.finish()
    }

    fn sign(&self, token: &str) -> String {
        let mut digest = Sha256::new().chain_update(token).chain_update(self.time.to_string()).finalize();
        digest[31] ^= u8::from(self.alter_signature);
        digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The path with the query, or the whole URL if the [path](Self::path) is one.
    ///
    /// # Panics
    ///
    /// When the path that was set is no path.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn uri(&self) -> Uri {
        Uri::try_from(format!("{}?{}", self.path, self.query())).expect("the path is a path")
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The request, for [`Webhook::handle`](crate::Webhook::handle).
    ///
    /// # Panics
    ///
    /// When the path that was set is no path.
    #[must_use]
    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// A command for a shell that sends this delivery with curl, to `http://127.0.0.1:8080` unless the [path](Self::path) is a whole
    /// URL. A running server expects its own app and token, and the time of [now](Self::now).
    ///
    /// ```
    /// use tencent_desk_webhook::testing;
    ///
    /// let delivery = testing::event("SessionBegin").delivery().app(7).token("secret").now();
    /// assert!(delivery.to_curl().starts_with("curl -i 'http://127.0.0.1:8080/desk/callback?SdkAppid=7&"));
    /// ```
    ///
    /// # Panics
    ///
    /// When the path that was set is no path.
    #[must_use]
    pub fn to_curl(&self) -> String {
        let uri = self.uri();
        let server = if uri.host().is_none() { "http://127.0.0.1:8080" } else { "" };
        let mut command = format!("curl -i {}", quoted(&format!("{server}{uri}")));
        if self.method != Method::POST {
            let _ = write!(command, " -X {}", quoted(self.method.as_str()));
        }
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let _ = write!(command, " -H {}", quoted(&format!("{name}: {value}")));
        }
        match str::from_utf8(&self.body) {
            Ok(body) if !body.contains('\0') => command + " --data-raw " + &quoted(body),
            _ => {
                let octal: String = self.body.iter().map(|byte| format!("\\{byte:03o}")).collect();
                format!("printf {} | {command} --data-binary @-", quoted(&octal))
            }
        }
    }
}

/// As one word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
