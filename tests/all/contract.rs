//! One list of requests and expected responses, for the core and each door, so that the doors cannot differ.

use std::fmt::Write as _;

use http::Request;
use http_body_util::StreamBody;
use serde_json::json;
use tencent_desk_webhook::Webhook;

use crate::{
    doors::{Client, DOORS},
    support::{APP, COMMAND, NOW, OK, Recorder, SIGN, answer, event_json, fixture, signed, verifier},
};

/// A request and the expected response.
struct Case {
    name: &'static str,
    method: &'static str,
    query: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Body,
    code: i64,
    delivered: usize,
}

enum Body {
    None,
    Sized(Vec<u8>),
    Chunked(Vec<Vec<u8>>),
}

fn case(name: &'static str, query: String, body: impl ToString, code: i64, delivered: usize) -> Case {
    let body = Body::Sized(body.to_string().into_bytes());
    Case { name, method: "POST", query, headers: vec![], body, code, delivered }
}

fn signed_for(command: &str) -> String {
    signed().replace(COMMAND, command)
}

fn cases() -> Vec<Case> {
    let event = || event_json("Human.UserSendMsg");
    let large = |length: usize| format!("{}{}", event(), " ".repeat(length - event().to_string().len()));
    let pieces = |body: String, length: usize| {
        Body::Chunked(body.into_bytes().chunks(length).map(Vec::from).collect())
    };
    let mut cases = vec![
        case("the documented sample", signed(), fixture("desk_session_event_cn_doc"), 0, 1),
        case("an unknown event", signed(), event_json("New.Event"), 0, 1),
        case("an agent's status", signed_for("Member.EventNotify"), fixture("member_status_change"), 0, 1),
        case(
            "a task flow's step",
            signed_for("chatbot.taskfloweventnotify"),
            fixture("task_flow_begin"),
            0,
            1,
        ),
        case("an encoded query", format!("{}&RequestID=%E4%BC%9A+1", signed()), event(), 0, 1),
        case(
            "a foreign command",
            format!("SdkAppid={APP}&CallbackCommand=X&Sign={SIGN}&RequestTime={NOW}"),
            "{}",
            0,
            0,
        ),
        case("the largest body", signed(), large(1 << 20), 0, 1),
        Case { body: pieces(event().to_string(), 7), ..case("a chunked body", signed(), "", 0, 1) },
        Case { body: pieces(large(1 << 20), 65_536), ..case("the largest chunked body", signed(), "", 0, 1) },
        Case {
            headers: vec![("Content-Type", "text/plain")],
            ..case("another type", signed(), event(), 0, 1)
        },
        Case {
            headers: vec![("X-Twice", "a"), ("X-Twice", "b"), ("X-Odd", "\u{e4}")],
            ..case("odd headers", signed(), event(), 0, 1)
        },
        Case {
            headers: vec![("Content-Encoding", "gzip")],
            ..case("a coded body", signed(), event(), 40004, 0)
        },
        Case {
            body: Body::None,
            ..case("the console's check", format!("Sign={SIGN}&RequestTime={NOW}"), "", 0, 0)
        },
        Case { body: Body::None, ..case("a check with the command and no body", signed(), "", 0, 0) },
        case("a check with an empty object", signed(), "{}", 0, 0),
        case("no JSON", signed(), "{", 40008, 0),
        case("no session", signed(), json!({"Event": "SessionBegin", "EventTime": 1}), 40011, 0),
        case("another command", signed(), json!({"CallbackCommand": "X"}), 40010, 0),
        Case { body: Body::Sized(vec![b'"', 0xFF, b'"']), ..case("no UTF-8", signed(), "", 40006, 0) },
        case("no query", String::new(), event(), 40301, 0),
        case("a foreign app", signed().replace("1400000000", "7"), event(), 40301, 0),
        case("no app's number", signed().replace("1400000000", "x"), event(), 40003, 0),
        case("unsigned", format!("SdkAppid={APP}&CallbackCommand={COMMAND}"), event(), 40101, 0),
        case("a malformed time", signed().replace(&NOW.to_string(), "soon"), event(), 40102, 0),
        case("stale", signed().replace(&NOW.to_string(), "1669872051"), event(), 40103, 0),
        case("a wrong signature", signed().replace("Sign=1", "Sign=2"), event(), 40104, 0),
        case("two signatures", format!("{}&Sign=2", signed()), event(), 40002, 0),
        case("a long query", format!("{}&x={}", signed(), "y".repeat(8192)), event(), 40001, 0),
        case("too large", signed(), large((1 << 20) + 1), 41301, 0),
        Case {
            body: pieces(large((1 << 20) + 1), 65_536),
            ..case("too large in chunks", signed(), "", 41301, 0)
        },
        Case {
            body: pieces(large(1 << 20), 65_536),
            ..case("a stranger's chunks", String::new(), "", 40301, 0)
        },
        case("a stranger's large body", String::new(), large(1 << 20), 40301, 0),
    ];
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"] {
        cases.push(Case { method, body: Body::None, ..case("another method", signed(), "", 40501, 0) });
        if !matches!(method, "HEAD" | "TRACE") {
            cases.push(Case { method, ..case("another method with a body", signed(), event(), 40501, 0) });
        }
    }
    cases
}

impl Case {
    fn status(&self) -> u16 {
        if self.code == 0 { 200 } else { u16::try_from(self.code / 100).unwrap() }
    }

    /// Checks the parts that all responses share, and returns whether the response closes the connection.
    fn check(&self, through: &str, status: u16, headers: [Option<&str>; 3], body: Option<&str>) {
        let context = format!("{} {} through {through}", self.method, self.name);
        assert_eq!(status, self.status(), "{context}: {body:?}");
        let [content_type, allow, connection] = headers;
        assert_eq!(content_type, Some("application/json"), "{context}");
        assert_eq!(allow, (status == 405).then_some("POST"), "{context}");
        assert!(matches!(connection, None | Some("close")), "{context}: {connection:?}");
        match body {
            Some(body) if self.code == 0 => assert_eq!(body, OK, "{context}"),
            Some(body) => {
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(body["ErrorCode"], self.code, "{context}: {body}");
                assert_eq!(body["ActionStatus"], "FAIL", "{context}");
            }
            None => {}
        }
    }

    fn as_bytes(&self) -> Vec<u8> {
        let mut head =
            format!("{} /desk/callback?{} HTTP/1.1\r\nHost: desk.test\r\n", self.method, self.query);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        let mut body = Vec::new();
        match &self.body {
            Body::None => {}
            Body::Sized(bytes) => {
                write!(head, "Content-Length: {}\r\n", bytes.len()).unwrap();
                body.extend_from_slice(bytes);
            }
            Body::Chunked(chunks) => {
                head.push_str("Transfer-Encoding: chunked\r\n");
                for chunk in chunks {
                    body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    body.extend_from_slice(chunk);
                    body.extend_from_slice(b"\r\n");
                }
                body.extend_from_slice(b"0\r\n\r\n");
            }
        }
        head.push_str("\r\n");
        [head.into_bytes(), body].concat()
    }
}

/// The pieces of a body, as a stream.
struct Pieces(std::vec::IntoIter<Vec<u8>>);

impl futures_core::Stream for Pieces {
    type Item = Result<http_body::Frame<bytes::Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(|piece| Ok(http_body::Frame::data(piece.into()))))
    }
}

#[tokio::test]
async fn the_core() {
    for case in cases() {
        let recorder = Recorder::default();
        let pieces = match &case.body {
            Body::None => vec![],
            Body::Sized(bytes) => vec![bytes.clone()],
            Body::Chunked(chunks) => chunks.clone(),
        };
        let mut request =
            Request::builder().method(case.method).uri(format!("/desk/callback?{}", case.query));
        for (name, value) in &case.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(StreamBody::new(Pieces(pieces.into_iter()))).unwrap();
        let response = Webhook::new(verifier(), recorder.clone()).handle(request).await;
        let headers = response.headers().clone();
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        let answer = answer(response).await;
        let seen = [header("content-type"), header("allow"), header("connection")];
        case.check("the core", answer.status, seen, Some(&answer.body));
        assert_eq!(recorder.calls().len(), case.delivered, "{}", case.name);
    }
}

/// Sends each case on a new connection, and then a valid request on the same connection unless the response has closed it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door() {
    for door in DOORS {
        let recorder = Recorder::default();
        let address = door.open(Webhook::new(verifier(), recorder.clone())).await;
        let good = case("a good one", signed(), event_json("SessionEnd"), 0, 1);
        for case in cases() {
            let through = format!("{door:?}");
            let mut client = Client::connect(address).await;
            client.write_until_refused(case.as_bytes()).await;
            let reply = client.read(case.method != "HEAD").await;
            let seen = [reply.header("content-type"), reply.header("allow"), reply.header("connection")];
            let body = (case.method != "HEAD").then_some(reply.body.as_str());
            case.check(&through, reply.status, seen, body);
            assert_eq!(recorder.calls().len(), case.delivered, "{} through {door:?}", case.name);

            if reply.closes() {
                assert_ne!(case.code, 0, "{} through {door:?}", case.name);
                assert!(client.sees_close().await, "{} through {door:?}", case.name);
                client = Client::connect(address).await;
            }
            client.write(good.as_bytes()).await;
            assert_eq!(client.read(true).await.body, OK, "after {} through {door:?}", case.name);
            assert_eq!(recorder.calls().len(), case.delivered + 1, "after {} through {door:?}", case.name);
            recorder.forget();
        }
    }
}
