//! The deliveries that are measured, and the references they are compared with.

#![allow(missing_docs, missing_debug_implementations, dead_code, clippy::unwrap_used)]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tencent_desk_webhook::{EventHandler, Verifier, Webhook};

pub mod sessions;

pub mod shapes;

/// The documented sample in one line, with its fields in the documented order.
pub fn sample() -> Bytes {
    let sample = include_str!("../../../tests/fixtures/desk_session_event_cn_doc.json");
    sample.lines().map(str::trim).collect::<String>().replace("\": ", "\":").into()
}

/// A body of the maximum size: one text of a megabyte.
pub fn largest() -> Bytes {
    let rest = 1024 * 1024 - message([String::new()]).len();
    message(["x".repeat(rest)])
}

pub fn hundred_elements() -> Bytes {
    message((0..100).map(|number| format!("请问如何申请退费? {number}")))
}

/// The sample with these texts as its elements.
fn message(texts: impl IntoIterator<Item = String>) -> Bytes {
    const TEXT: &str = "请问如何申请退费?";
    let sample = String::from_utf8(sample().to_vec()).unwrap();
    let (before, rest) = sample.split_once('[').unwrap();
    let (element, after) = rest.split_once(']').unwrap();
    assert!(element.contains(TEXT));
    let elements: Vec<_> = texts.into_iter().map(|text| element.replace(TEXT, &text)).collect();
    format!("{before}[{}]{after}", elements.join(",")).into()
}

/// The URL's path and query as documented, with the documented signature.
pub const SIGNED: &str = "/desk/callback?SdkAppid=1400000000&CallbackCommand=Desk.SessionEventNotify&contenttype=json\
     &ClientIP=127.0.0.1&OptPlatform=RESTAPI\
     &Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061&RequestTime=1669872112";

const TOKEN: &str = "xxxxyyyy";
const NOW: u64 = 1_669_872_112;

/// A handler that does nothing.
pub struct Nothing;

impl EventHandler for Nothing {}

pub fn webhook() -> Webhook<Nothing> {
    let clock = || UNIX_EPOCH + Duration::from_secs(NOW);
    Webhook::new(Verifier::signed(1_400_000_000, TOKEN).clock(clock), Nothing)
}

/// A delivery that can be made repeatedly.
pub struct Delivery {
    pub webhook: Webhook<Nothing>,
    pub uri: Uri,
    pub body: Bytes,
}

impl Delivery {
    pub fn of(body: Bytes) -> Self {
        Self { webhook: webhook(), uri: SIGNED.parse().unwrap(), body }
    }

    /// The sample with a change in its URL.
    pub fn refused(from: &str, to: &str) -> Self {
        assert!(SIGNED.contains(from));
        let delivery = Self { uri: SIGNED.replace(from, to).parse().unwrap(), ..Self::of(sample()) };
        assert!(delivery.handle(delivery.request()).status().is_client_error());
        delivery
    }

    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request
    }

    pub fn handle(&self, request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
        ready(self.webhook.handle(request))
    }
}

/// The input of each stage, made by the stages before it.
pub mod inputs {
    use std::sync::Arc;

    use tencent_desk_webhook::{
        Event,
        webhook::stages::{self, Believed, Claims},
    };

    use super::{Delivery, Full, SIGNED, ready};

    pub fn query() -> &'static str {
        SIGNED.split_once('?').unwrap().1
    }

    pub fn claims() -> Claims<'static> {
        stages::query(query()).unwrap()
    }

    pub fn believed(delivery: &Delivery) -> Believed<'static> {
        stages::verify(&delivery.webhook, claims()).unwrap()
    }

    pub fn text(delivery: &Delivery) -> String {
        let body = Full::new(delivery.body.clone());
        ready(stages::body(&delivery.webhook, body)).unwrap()
    }

    pub fn event(delivery: &Delivery) -> Arc<Event> {
        stages::parse(text(delivery), believed(delivery)).unwrap().unwrap()
    }
}

/// The output of a future that is ready immediately, as all futures here are.
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("it waits for something"),
    }
}

/// The reference: the sample's fields as owned values.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Plain {
    callback_command: String,
    session_id: String,
    event: String,
    event_time: i64,
    channel_type: String,
    client_user_id: String,
    customer_service_id: String,
    agent_id: String,
    msg_key: String,
    msg_body: Vec<PlainElement>,
    cloud_custom_data: String,
    is_contact_user: bool,
    satisfaction_selected: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlainElement {
    msg_type: String,
    msg_content: PlainContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlainContent {
    text: String,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct PlainQuery {
    SdkAppid: u64,
    CallbackCommand: String,
    contenttype: String,
    ClientIP: String,
    OptPlatform: String,
    Sign: String,
    RequestTime: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PlainAnswer {
    action_status: &'static str,
    error_info: &'static str,
    error_code: i64,
}

/// The code that one would write without a library.
pub fn by_hand(uri: &Uri, body: &[u8]) -> Response<Full<Bytes>> {
    let query: PlainQuery = serde_urlencoded::from_str(uri.query().unwrap()).unwrap();
    assert!(query.SdkAppid == 1_400_000_000 && NOW.abs_diff(query.RequestTime) <= 60);
    let digest = Sha256::digest(format!("{TOKEN}{}", query.RequestTime));
    assert_eq!(hex(&digest), query.Sign);
    let event: Plain = serde_json::from_slice(body).unwrap();
    assert_eq!(event.callback_command, "Desk.SessionEventNotify");
    let answer = PlainAnswer { action_status: "OK", error_info: "", error_code: 0 };
    let answer = serde_json::to_vec(&answer).unwrap();
    let mut response = Response::new(Full::new(answer.into()));
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}
