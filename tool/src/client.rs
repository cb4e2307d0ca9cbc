//! Sends requests and measures the answers.

use std::{
    error::Error,
    fmt, iter,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pooled, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::Value;

use crate::{failure::Failure, target::Target};

/// The sender of IM callbacks gives up after 2 s (the vendor's webhook overview, trtc.io document 34354); what comes later is
/// still of interest here.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// When the sender of IM callbacks gives up.
pub(crate) const SENDERS_TIMEOUT: Duration = Duration::from_secs(2);

/// No receiver answers with more.
const ANSWER_LIMIT: usize = 1024 * 1024;

#[derive(Clone)]
pub(crate) enum Client {
    Plain(Pooled<HttpConnector, Full<Bytes>>),
    Tls(Pooled<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    pub(crate) fn new(target: &Target) -> Result<Self, Failure> {
        let mut builder = Pooled::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new());
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        if !target.is_tls() {
            return Ok(Self::Plain(builder.build(connector)));
        }
        connector.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_native_roots().map_err(|error| {
            Failure::Failed(format!("this machine's certificates cannot be read: {error}"))
        })?;
        Ok(Self::Tls(builder.build(tls.https_or_http().enable_http1().wrap_connector(connector))))
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        let sent = Instant::now();
        let answer = async {
            let response = match self {
                Self::Plain(client) => client.request(request).await,
                Self::Tls(client) => client.request(request).await,
            };
            let (parts, body) = response.map_err(|error| Lost::Broken(with_sources(&error)))?.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            let body =
                body.map_err(|error| Lost::Broken(format!("the answer broke off: {error}")))?.to_bytes();
            Ok(Answer { status: parts.status, body, took: sent.elapsed() })
        };
        tokio::time::timeout(TIMEOUT, answer).await.unwrap_or(Err(Lost::Late))
    }
}

/// Why there was no answer.
#[derive(Clone, Debug)]
pub(crate) enum Lost {
    Late,
    Broken(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => write!(f, "no answer in {} s", TIMEOUT.as_secs()),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

fn with_sources(error: &(dyn Error + 'static)) -> String {
    let texts = iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn error_code(&self) -> Option<i64> {
        self.json()["ErrorCode"].as_i64()
    }

    /// Whether the sender counts it as success: status 200 with JSON (the vendor's webhook overview, trtc.io document 34354),
    /// and nothing in it that says otherwise. An answer with a decision alone has no `ErrorCode`.
    pub(crate) fn is_accepted(&self) -> bool {
        let json = self.json();
        self.status == StatusCode::OK
            && json.is_object()
            && matches!(json["ErrorCode"].as_i64(), None | Some(0))
    }
}
