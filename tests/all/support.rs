//! Shared by the tests, in addition to the test kit.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
pub(crate) use tencent_desk_webhook::testing::{APP, NOW, Recorder, TOKEN, verifier};
use tencent_desk_webhook::{Deliver, Event, Webhook};

pub(crate) use crate::checks::{COMMAND, SIGN};

pub(crate) const OK: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

/// Longer than any handler of these tests takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The query that the sender would append at `NOW`.
pub(crate) fn signed() -> String {
    format!("SdkAppid={APP}&CallbackCommand={COMMAND}&Sign={SIGN}&RequestTime={NOW}")
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A minimal event.
pub(crate) fn event_json(name: &str) -> Value {
    json!({"CallbackCommand": COMMAND, "SessionId": "s-1", "Event": name, "EventTime": 1_725_540_020_017_i64})
}

pub(crate) fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A response in short.
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
    let answer = any_answer(response).await;
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 3, "{answer:?}");
    assert_eq!(json["ActionStatus"], if answer.code == 0 { "OK" } else { "FAIL" }, "{answer:?}");
    assert_eq!(json["ErrorInfo"] == "", answer.code == 0, "{answer:?}");
    answer
}

/// A response that may have more fields than an acknowledgement.
pub(crate) async fn any_answer(response: Response<Full<Bytes>>) -> Answer {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.into()).unwrap();
    let json: Value = serde_json::from_str(&body).unwrap();
    Answer { status, code: json["ErrorCode"].as_i64().unwrap(), body }
}

pub(crate) async fn send<H: Deliver, B: Body>(webhook: &Webhook<H>, request: Request<B>) -> Answer {
    answer(webhook.handle(request).await).await
}

/// Polls once and drops the future, like a sender that disconnects after its request.
pub(crate) async fn hang_up(answer: impl Future) {
    let mut answer = pin!(answer);
    let waits = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "the response was ready");
}

pub(crate) fn post(query: &str, body: impl Into<String>) -> Request<String> {
    Request::post(format!("/desk/callback?{query}")).body(body.into()).unwrap()
}

/// Sends a body with a valid query, and returns the method that was called and the event.
pub(crate) async fn deliver(body: impl ToString) -> (&'static str, Event) {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone());
    let body = body.to_string();
    let answer = send(&webhook, post(&signed(), body.clone())).await;
    assert!(answer.is_ok(), "{answer:?} for {body}");
    let mut calls = recorder.calls();
    assert_eq!(calls.len(), 1, "{body}");
    let call = calls.remove(0);
    (call.method, call.event)
}

/// Sends a body with a valid query, and returns the response of a refusal.
pub(crate) async fn refusal_of(body: impl ToString) -> Answer {
    let recorder = Recorder::default();
    let answer = send(&Webhook::new(verifier(), recorder.clone()), post(&signed(), body.to_string())).await;
    assert_eq!(recorder.calls().len(), 0, "{}", body.to_string());
    answer
}
