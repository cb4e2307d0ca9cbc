//! When and how far a body is read, and what it must contain.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use serde_json::json;
use tencent_desk_webhook::{Verifier, Webhook};

use crate::support::{
    APP, Answer, Recorder, answer, event_json, fixture, post, refusal_of, send, signed, verifier,
};

/// A body that counts how often it is polled, and ends, fails or stalls after its chunks.
struct Watched {
    chunks: VecDeque<Bytes>,
    end: End,
    announced: Option<u64>,
    polls: Arc<AtomicUsize>,
}

enum End {
    /// Endless empty frames.
    Endless,
    Proper,
    Broken,
    Never,
}

impl Watched {
    fn new(chunks: &[&str], end: End) -> Self {
        let chunks = chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk.as_bytes())).collect();
        Self { chunks, end, announced: None, polls: Arc::default() }
    }

    fn announcing(mut self, length: u64) -> Self {
        self.announced = Some(length);
        self
    }
}

impl Body for Watched {
    type Data = Bytes;
    /// Does not implement `Error`: the core does not require it.
    type Error = ();

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        match self.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None => match self.end {
                End::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::new())))),
                End::Proper => Poll::Ready(None),
                End::Broken => Poll::Ready(Some(Err(()))),
                End::Never => Poll::Pending,
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn request<B>(query: &str, body: B) -> Request<B> {
    Request::post(format!("/?{query}")).body(body).unwrap()
}

async fn ask(body: Watched) -> Answer {
    send(&Webhook::new(verifier(), Recorder::default()), request(&signed(), body)).await
}

#[tokio::test]
async fn nothing_is_polled_before_the_query_is_verified() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let forged = signed().replace("Sign=1", "Sign=0");
    for query in
        ["", "SdkAppid=7", "SdkAppid=x", "SdkAppid=1400000000", "RequestTime=1&RequestTime=2", &forged]
    {
        let body = Watched::new(&["{}"], End::Proper).announcing(1 << 30);
        let polls = Arc::clone(&body.polls);
        let response = webhook.handle(request(query, body)).await;
        assert!(response.status().is_client_error(), "{query}");
        assert_eq!(response.headers()["connection"], "close", "{query}");
        assert_eq!(polls.load(Ordering::SeqCst), 0, "{query}");
    }
}

#[tokio::test]
async fn a_body_may_arrive_in_pieces() {
    let event = event_json("SessionBegin").to_string();
    let (start, end) = event.split_at(20);
    assert!(ask(Watched::new(&[start, "", end], End::Proper)).await.is_ok());
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_as_soon_as_that_is_known() {
    let event = event_json("SessionBegin").to_string();
    let padded = |length: usize| event.clone() + &" ".repeat(length - event.len());
    let webhook = Webhook::new(verifier(), Recorder::default()).body_limit(1000);
    assert!(send(&webhook, post(&signed(), padded(1000))).await.is_ok());
    assert_eq!(send(&webhook, post(&signed(), padded(1001))).await.code, 41301);

    let announced = Watched::new(&["{"], End::Never).announcing(1001);
    let polls = Arc::clone(&announced.polls);
    assert_eq!(send(&webhook, request(&signed(), announced)).await.code, 41301);
    assert_eq!(polls.load(Ordering::SeqCst), 0);

    let unannounced = Watched::new(&[&" ".repeat(600), &" ".repeat(401)], End::Never);
    assert_eq!(send(&webhook, request(&signed(), unannounced)).await.code, 41301);

    let largest = Webhook::new(verifier(), Recorder::default());
    assert!(send(&largest, post(&signed(), padded(1 << 20))).await.is_ok());
    assert_eq!(send(&largest, post(&signed(), padded((1 << 20) + 1))).await.status, 413);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_refused_after_the_read_timeout() {
    let begin = tokio::time::Instant::now();
    let answer = ask(Watched::new(&["{"], End::Never)).await;
    assert_eq!((answer.status, answer.code), (408, 40801));
    assert_eq!(begin.elapsed().as_millis() / 10, 100);

    let webhook = Webhook::new(verifier(), Recorder::default())
        .read_timeout(Duration::from_secs(5))
        .deadline(Duration::from_secs(9));
    let begin = tokio::time::Instant::now();
    assert_eq!(send(&webhook, request(&signed(), Watched::new(&[], End::Never))).await.code, 40801);
    assert_eq!(begin.elapsed().as_millis() / 10, 500);
}

#[test]
fn a_stalled_body_is_refused_in_a_runtime_without_timers() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let waiting = send(&webhook, request(&signed(), Watched::new(&["{"], End::Never)));
    let no_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(no_timers.block_on(waiting).code, 40801);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_refused_before_the_deadline() {
    let begin = tokio::time::Instant::now();
    let webhook = Webhook::new(verifier(), Recorder::default()).deadline(Duration::from_millis(300));
    assert_eq!(send(&webhook, request(&signed(), Watched::new(&[], End::Never))).await.code, 40801);
    assert_eq!(begin.elapsed().as_millis() / 10, 30);
}

#[tokio::test]
async fn a_body_of_endless_empty_frames_is_refused() {
    let webhook = Webhook::new(verifier(), Recorder::default()).read_timeout(Duration::from_millis(10));
    assert_eq!(send(&webhook, request(&signed(), Watched::new(&[], End::Endless))).await.code, 40801);
}

#[test]
fn a_stalled_body_is_refused_after_the_webhooks_runtime_has_ended() {
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let webhook = own.block_on(async { Webhook::new(verifier(), Recorder::default()) });
    drop(own);
    let no_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = no_timers.block_on(send(&webhook, request(&signed(), Watched::new(&["{"], End::Never))));
    assert_eq!(answer.code, 40801);
}

#[tokio::test]
async fn a_broken_body_is_refused() {
    let answer = ask(Watched::new(&["{"], End::Broken)).await;
    assert_eq!((answer.status, answer.code), (400, 40005));
}

#[tokio::test]
async fn only_a_refusal_that_leaves_a_body_unread_closes_the_connection() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let closes = async |query: &str, version: Version, body: Watched| {
        let mut request = request(query, body);
        *request.version_mut() = version;
        webhook.handle(request).await.headers().contains_key("connection")
    };
    let unread = || Watched::new(&["{"], End::Never).announcing(1 << 30);
    let read = || Watched::new(&["{"], End::Proper);
    assert!(closes("", Version::HTTP_11, unread()).await);
    assert!(closes("", Version::HTTP_10, unread()).await);
    assert!(!closes("", Version::HTTP_2, unread()).await, "not permitted in HTTP/2");
    assert!(closes(&signed(), Version::HTTP_11, unread()).await);
    assert!(!closes(&signed(), Version::HTTP_11, read()).await);
    assert!(!webhook.handle(post("", "")).await.headers().contains_key("connection"), "there is no body");
}

#[tokio::test]
async fn a_body_that_is_not_an_event_is_refused_with_its_reason() {
    let session = |json: serde_json::Value| json.to_string();
    for (body, code) in [
        ("{".to_owned(), 40008),
        ("[]".to_owned(), 40008),
        ("null".to_owned(), 40008),
        ("\"text\"".to_owned(), 40008),
        ("{} x".to_owned(), 40008),
        ("[".repeat(100_000), 40008),
        ("{\"a\":".repeat(100_000), 40008),
        (session(json!({"More": 1})), 40011),
        (session(json!({"Event": "SessionBegin", "EventTime": 1})), 40011),
        (session(json!({"SessionId": "", "Event": "SessionBegin", "EventTime": 1})), 40011),
        (session(json!({"SessionId": 7.5, "Event": "SessionBegin", "EventTime": 1})), 40011),
        (session(json!({"SessionId": "s", "Event": null, "EventTime": 1})), 40011),
        (session(json!({"SessionId": "s", "Event": "", "EventTime": 1})), 40011),
        (session(json!({"SessionId": "s", "Event": "SessionBegin"})), 40011),
        (session(json!({"SessionId": "s", "Event": "SessionBegin", "EventTime": "soon"})), 40011),
        (session(json!({"SessionId": "s", "Event": "SessionBegin", "EventTime": 1.5})), 40011),
        (session(json!({"SessionId": "s", "Event": "SessionBegin", "EventTime": 1e300})), 40011),
    ] {
        let shown: String = body.chars().take(80).collect();
        let answer = refusal_of(body).await;
        assert_eq!((answer.status, answer.code), (400, code), "{shown}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_is_refused() {
    let mut body = event_json("SessionBegin").to_string().into_bytes();
    body[5] = 0xFF;
    let request = request(&signed(), http_body_util::Full::new(Bytes::from(body)));
    let answer = send(&Webhook::new(verifier(), Recorder::default()), request).await;
    assert_eq!((answer.status, answer.code), (400, 40006));
}

#[tokio::test]
async fn a_coded_body_is_refused() {
    for (coding, code) in [("gzip", 40004), ("identity, br", 40004), ("identity", 0), ("IDENTITY", 0)] {
        let mut request = post(&signed(), event_json("SessionBegin").to_string());
        request.headers_mut().insert("content-encoding", coding.parse().unwrap());
        let response = Webhook::new(verifier(), Recorder::default()).handle(request).await;
        assert_eq!(response.headers().contains_key("connection"), code != 0, "{coding}");
        assert_eq!(answer(response).await.code, code, "{coding}");
    }
}

#[tokio::test]
async fn the_command_is_in_the_query_the_body_or_both() {
    let recorder = Recorder::default();
    let webhook = Webhook::new(Verifier::dangerous_unsigned(APP), recorder.clone());
    const OURS: Option<&str> = Some("Desk.SessionEventNotify");
    const FOREIGN: Option<&str> = Some("C2C.CallbackAfterSendMsg");
    for (in_query, in_body, code, delivered) in [
        (OURS, OURS, 0, true),
        (OURS, None, 0, true),
        (OURS, Some(""), 0, true),
        (None, OURS, 0, true),
        (Some(""), OURS, 0, true),
        (FOREIGN, FOREIGN, 0, false),
        (FOREIGN, None, 0, false),
        (None, FOREIGN, 0, false),
        (OURS, FOREIGN, 40010, false),
        (FOREIGN, OURS, 40010, false),
        (None, None, 40009, false),
    ] {
        let query = in_query.map_or_else(String::new, |command| format!("&CallbackCommand={command}"));
        let mut body = event_json("SessionBegin");
        body["CallbackCommand"] = json!(in_body);
        let answer = send(&webhook, post(&format!("SdkAppid={APP}{query}"), body.to_string())).await;
        assert_eq!(answer.code, code, "{in_query:?} {in_body:?}: {answer:?}");
        assert_eq!(recorder.calls().len(), usize::from(delivered), "{in_query:?} {in_body:?}");
        recorder.forget();
    }
}

#[tokio::test]
async fn a_foreign_command_is_acknowledged_whatever_its_body() {
    let webhook = Webhook::new(Verifier::dangerous_unsigned(APP), Recorder::default());
    for (command, body) in [
        ("C2C.CallbackAfterSendMsg", fixture("im_c2c_after_send_doc")),
        ("C2C.CallbackAfterMsgWithDraw", fixture("im_c2c_withdraw_doc")),
        ("Group.CallbackAfterNewMemberJoin", fixture("im_group_webhook_doc")),
        ("Bot.OnC2CMessage", fixture("im_bot_c2c_message_observed")),
        ("ChatBot.OnAssignHuman", fixture("onassignhuman_request_cn")),
        ("ChatBot.OnAssignAgent", fixture("onassignagent_request_trtcio")),
        ("Chatbot.InterfaceInvocation", fixture("interfaceinvocation_request")),
        ("Some.Other", String::new()),
        ("Some.Other", "no JSON".to_owned()),
    ] {
        let query = format!("SdkAppid={APP}&CallbackCommand={command}");
        let body = Watched::new(&[&body], End::Proper);
        let rest = Arc::clone(&body.polls);
        assert!(send(&webhook, request(&query, body)).await.is_ok(), "{command}");
        assert_eq!(rest.load(Ordering::SeqCst), 2, "read to its end: {command}");
    }
}
