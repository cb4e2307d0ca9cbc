//! What the tests share: a signed query at a pinned second, and a handler that records.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait,
    event::{Message, Satisfaction, SessionBegin, SessionEnd, Transfer},
};

pub(crate) const APP: u64 = 1_400_000_000;
pub(crate) const TOKEN: &str = "xxxxyyyy";
pub(crate) const NOW: u64 = 1_669_872_112;
/// The documented signature of `TOKEN` at `NOW`.
pub(crate) const SIGN: &str = "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061";
pub(crate) const COMMAND: &str = "Desk.SessionEventNotify";
pub(crate) const OK: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

/// The query that the sender would append at `NOW`.
pub(crate) fn signed() -> String {
    format!("SdkAppid={APP}&CallbackCommand={COMMAND}&Sign={SIGN}&RequestTime={NOW}")
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn verifier() -> Verifier {
    Verifier::signed(APP, TOKEN).clock(|| at(NOW))
}

/// The least that is an event.
pub(crate) fn event_json(name: &str) -> Value {
    json!({"CallbackCommand": COMMAND, "SessionId": "s-1", "Event": name, "EventTime": 1_725_540_020_017_i64})
}

pub(crate) fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the sender is told, in short.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        self.status == 200 && self.body == OK
    }
}

pub(crate) async fn answer(response: Response<Full<Bytes>>) -> Answer {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.into()).unwrap();
    let json: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 3, "{body}");
    assert_eq!(json["ActionStatus"], if json["ErrorCode"] == 0 { "OK" } else { "FAIL" }, "{body}");
    assert_eq!(json["ErrorInfo"] == "", json["ErrorCode"] == 0, "{body}");
    Answer { status, code: json["ErrorCode"].as_i64().unwrap(), body }
}

pub(crate) async fn send<H: EventHandler, B: Body>(webhook: &Webhook<H>, request: Request<B>) -> Answer {
    answer(webhook.handle(request).await).await
}

pub(crate) fn post(query: &str, body: impl Into<String>) -> Request<String> {
    Request::post(format!("/desk/callback?{query}")).body(body.into()).unwrap()
}

/// Sends one body with a good query and gives the event that came out, and the method that got it.
pub(crate) async fn deliver(body: impl ToString) -> (&'static str, Event) {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone());
    let body = body.to_string();
    let answer = send(&webhook, post(&signed(), body.clone())).await;
    assert!(answer.is_ok(), "{answer:?} for {body}");
    let mut got = recorder.got();
    assert_eq!(got.len(), 1, "{body}");
    got.remove(0)
}

/// Sends one body with a good query, for its answer alone.
pub(crate) async fn refusal_of(body: impl ToString) -> Answer {
    let recorder = Recorder::default();
    let answer = send(&Webhook::new(verifier(), recorder.clone()), post(&signed(), body.to_string())).await;
    assert_eq!(recorder.got().len(), 0, "{}", body.to_string());
    answer
}

/// Remembers what it got, and through which method.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<(&'static str, Event)>>>);

impl Recorder {
    pub(crate) fn got(&self) -> Vec<(&'static str, Event)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn record(&self, method: &'static str, event: &Event) -> HandlerResult {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((method, event.clone()));
        Ok(())
    }
}

#[async_trait]
impl EventHandler for Recorder {
    async fn on_session_begin(&self, event: &Event, _: &SessionBegin) -> HandlerResult {
        self.record("on_session_begin", event)
    }

    async fn on_message(&self, event: &Event, _: &Message) -> HandlerResult {
        self.record("on_message", event)
    }

    async fn on_transfer(&self, event: &Event, _: &Transfer) -> HandlerResult {
        self.record("on_transfer", event)
    }

    async fn on_satisfaction(&self, event: &Event, _: &Satisfaction) -> HandlerResult {
        self.record("on_satisfaction", event)
    }

    async fn on_session_end(&self, event: &Event, _: &SessionEnd) -> HandlerResult {
        self.record("on_session_end", event)
    }

    async fn on_unknown(&self, event: &Event) -> HandlerResult {
        self.record("on_unknown", event)
    }
}
