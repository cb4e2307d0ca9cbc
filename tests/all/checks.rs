//! Properties of every input. The fuzz targets search for inputs that violate them, and the tests replay their corpora.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::Full;
use serde_json::Value;
use tencent_desk_webhook::{
    Event, EventHandler, Verifier, Webhook,
    decision::Responder,
    event::{Element, EventKind},
    testing::{self, APP, Recorder, TestResponder},
};

/// The documented signature, which `testing::verifier` accepts.
pub const SIGN: &str = "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061";
pub const COMMAND: &str = "Desk.SessionEventNotify";

/// Any query gets a response, and only one with the right signature is accepted.
pub fn query(data: &[u8]) {
    let Ok(uri) = Uri::try_from([b"/?", data].concat()) else { return };
    let ask = |verifier: Verifier| {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        check_answer(now(Webhook::new(verifier, Recorder::default()).handle(request)))
    };
    if ask(testing::verifier()) == 0 {
        let signed = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            name.eq_ignore_ascii_case("Sign") && value.eq_ignore_ascii_case(SIGN)
        };
        assert!(form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).any(signed), "{uri}");
    }
    ask(Verifier::dangerous_unsigned(APP));
}

/// The commands that bring events.
pub const EVENTS: [&str; 3] =
    ["Desk.SessionEventNotify", "Member.EventNotify", "Chatbot.TaskFlowEventNotify"];

/// Any body gets a response, and an event that is made of it survives a round trip through serde.
pub fn event(data: &[u8]) {
    EVENTS.into_iter().for_each(|command| event_of(command, data));
}

fn event_of(command: &str, data: &[u8]) {
    let recorder = Recorder::default();
    let webhook = Webhook::new(testing::verifier(), recorder.clone());
    let delivery = testing::Delivery::of(data.to_vec()).command(command);
    let code = check_answer(now(webhook.handle(delivery.request())));
    let events = recorder.events();
    assert!(events.len() <= usize::from(code == 0));
    for event in events {
        assert_eq!(event.raw().as_bytes(), data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data));
        let line = serde_json::to_string(&event).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        assert_eq!(serde_json::from_value::<Event>(serde_json::to_value(&event).unwrap()).unwrap(), event);
        assert_eq!(event.command.as_str(), command);
        let _ = event.dedup_key();
        let others = parts(&event.other_fields.elements);
        match &event.kind {
            EventKind::Message(message) => {
                assert!(others + parts(&message.elements) <= PARTS);
                let _ = message.text();
                message.elements.iter().for_each(look_at);
            }
            EventKind::AgentStatus(status) => assert!(others + status.clients.len() <= PARTS),
            _ => assert!(others <= PARTS),
        }
    }
}

/// The commands that ask for decisions, and one that is unknown.
pub const QUESTIONS: [&str; 4] =
    ["ChatBot.OnAssignHuman", "Chatbot.InterfaceInvocation", "Desk.CallbackBeforeIMContactUser", "Test.Echo"];

/// Any request for a decision gets a response, and the responder gets the fields that were sent.
pub fn decide(data: &[u8]) {
    for command in QUESTIONS {
        let responder = TestResponder::default();
        let webhook = Webhook::new(testing::verifier(), Nothing).responder(responder.clone());
        let delivery = testing::Delivery::of(data.to_vec()).command(command);
        let code = check_answer(now(webhook.handle(delivery.request())));
        let questions = responder.questions();
        assert!(questions.len() <= usize::from(code == 0), "{command}: {code}");
        if let [question] = &questions[..] {
            assert_eq!(question.fields["SdkAppid"], APP);
        }
    }
}

/// The README's limit.
const PARTS: usize = 1000;

/// Counts elements and the items in them.
fn parts(elements: &[Element]) -> usize {
    let of = |element: &Element| match element {
        Element::Image(image) => image.image_info_array.len(),
        Element::Stream(stream) => stream.chunks.len(),
        Element::Relay(relay) => {
            let messages = relay.msg_list.iter().map(|message| 1 + parts(&message.elements));
            relay.abstract_list.len() + messages.sum::<usize>()
        }
        _ => 0,
    };
    elements.iter().map(|element| 1 + of(element)).sum()
}

/// The maximum memory of a request with a body of `length` bytes, from its first byte to the handler.
pub fn room(length: usize) -> u64 {
    16 * (length + 1024) as u64
}

fn look_at(element: &Element) {
    if let Element::Custom(custom) = element
        && let Some(message) = custom.desk_message()
    {
        assert!(!message.is_control() || message.text().is_none());
    }
}

/// A delivery of `data` to a handler and a responder that do nothing, for measurements.
pub fn receive(command: &str, data: &[u8]) -> impl FnOnce() + use<> {
    let webhook = Webhook::new(testing::verifier(), Nothing).responder(Nothing);
    let request = testing::Delivery::of(data.to_vec()).command(command).request();
    move || drop(now(webhook.handle(request)))
}

struct Nothing;

impl EventHandler for Nothing {}

impl Responder for Nothing {}

/// Any request gets a response. The first byte selects method and limits. The query, lines of headers, an empty line and the body,
/// which arrives in pieces, follow.
pub fn handle(data: &[u8]) {
    let Some((&choices, rest)) = data.split_first() else { return };
    let mut lines = rest.splitn(16, |&byte| byte == b'\n');
    let Ok(uri) = Uri::try_from([b"/desk/callback?", lines.next().unwrap_or_default()].concat()) else {
        return;
    };
    let mut request = Request::new(Pieces { rest: Bytes::new(), size: usize::from(choices >> 4) + 1 });
    *request.method_mut() = if choices & 1 == 0 { Method::POST } else { Method::PUT };
    *request.version_mut() = if choices & 2 == 0 { http::Version::HTTP_11 } else { http::Version::HTTP_2 };
    *request.uri_mut() = uri;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let mut parts = line.splitn(2, |&byte| byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    request.body_mut().rest = lines.collect::<Vec<_>>().join(&b'\n').into();
    let verifier = if choices & 4 == 0 { Verifier::dangerous_unsigned(APP) } else { testing::verifier() };
    let limit = if choices & 8 == 0 { 1 << 20 } else { 64 };
    check_answer(now(Webhook::new(verifier, Nothing).body_limit(limit).handle(request)));
}

/// Checks that the response is a documented one, and returns its `ErrorCode`.
fn check_answer(response: Response<Full<Bytes>>) -> i64 {
    let status = i64::from(response.status().as_u16());
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers().contains_key("allow"), status == 405);
    let body: Value = serde_json::from_slice(&response.into_body().into_inner().unwrap()).unwrap();
    let code = body["ErrorCode"].as_i64().unwrap();
    assert_eq!(body["ActionStatus"], if code == 0 { "OK" } else { "FAIL" });
    assert_eq!(status, if code == 0 { 200 } else { code / 100 });
    code
}

/// The output of a future that must be ready immediately.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

struct Pieces {
    rest: Bytes,
    size: usize,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let size = self.size.min(self.rest.len());
        let piece = self.rest.split_to(size);
        Poll::Ready((!piece.is_empty()).then_some(Ok(Frame::data(piece))))
    }
}
