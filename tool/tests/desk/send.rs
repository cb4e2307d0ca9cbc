//! `desk send`.

use std::{net::TcpListener, process::Command, thread, time::Duration};

use serde_json::{Value, json};
use tencent_desk_webhook::{event::EventName, testing::ELEMENT_TYPES};

use crate::support::{Ran, Server, TOKEN, desk, place, run, run_with};

fn send<'a>(server: &Server, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    let to = server.url();
    let arguments: Vec<&str> = arguments.into_iter().collect();
    run(["send", "--to", &to, "--token", TOKEN].into_iter().chain(arguments))
}

fn event(server: &Server) -> Value {
    serde_json::from_str(&server.line()).unwrap()
}

#[test]
fn every_event_reaches_every_example_server() {
    for name in ["axum", "actix_web", "hyper", "inbox"] {
        let server = Server::example(name);
        for known in EventName::documented() {
            let ran = send(&server, [known.as_str()]);
            assert_eq!(ran.code, 0, "{ran:?}");
            assert!(ran.stdout.starts_with("accepted status 200, ErrorCode 0"), "{ran:?}");
            assert_eq!(event(&server)["Event"], known.as_str());
        }
        let ran = send(&server, ["New.Event"]);
        assert_eq!(ran.code, 0);
        assert!(ran.stderr.contains("New.Event is no event that this version knows"));
        assert_eq!(event(&server)["Event"], "New.Event");
    }
}

/// The commands beside that of session events. An unsigned request for a decision is refused.
#[test]
fn every_command_is_answered_by_every_example_server() {
    for name in ["axum", "actix_web", "hyper", "inbox"] {
        let server = Server::example(name);
        for command in [
            "ChatBot.OnAssignHuman",
            "ChatBot.OnAssignAgent",
            "Chatbot.InterfaceInvocation",
            "Chatbot.TaskFlowEventNotify",
            "Desk.CallbackBeforeIMContactUser",
            "Member.EventNotify",
        ] {
            let ran = send(&server, [command, "--json"]);
            assert_eq!((ran.code, ran.json()["answer"]["ActionStatus"].as_str()), (0, Some("OK")), "{ran:?}");
        }
    }
}

#[test]
fn every_field_can_be_chosen() {
    let server = Server::example("axum");
    let ran = send(
        &server,
        [
            "human.usersendmsg",
            "--text",
            "谢谢 'x' \"y\"",
            "--session",
            "s-1",
            "--user",
            "u",
            "--agent",
            "a",
            "--element",
            "TIMImageElem",
            "--stars",
            "3",
            "--set",
            "New=[1,2]",
            "--set",
            "ChannelType=7",
            "--set",
            "/MsgBody/1/MsgContent/UUID=x",
            "--unset",
            "CustomerServiceId",
            "--request-id",
            "r-1",
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let event = event(&server);
    let raw: Value = serde_json::from_str(event["Raw"].as_str().unwrap()).unwrap();
    for (name, value) in [
        ("Event", json!("Human.UserSendMsg")),
        ("SessionId", json!("s-1")),
        ("ClientUserId", json!("u")),
        ("AgentId", json!("a")),
        ("SatisfactionSelected", json!(3)),
        ("New", json!([1, 2])),
        ("ChannelType", json!("7")),
        ("CustomerServiceId", Value::Null),
        ("CallbackCommand", json!("Desk.SessionEventNotify")),
    ] {
        assert_eq!(raw[name], value, "{name}");
    }
    assert_eq!(raw["MsgBody"][0]["MsgContent"]["Text"], "谢谢 'x' \"y\"");
    assert_eq!(raw["MsgBody"][1]["MsgContent"]["UUID"], "x");
    assert_eq!(event["RequestID"], "r-1");

    for &element in ELEMENT_TYPES {
        assert_eq!(send(&server, ["Human.UserSendMsg", "--element", element]).code, 0);
        let raw: Value = serde_json::from_str(self::event(&server)["Raw"].as_str().unwrap()).unwrap();
        assert_eq!(raw["MsgBody"][0]["MsgType"], element);
    }
}

/// An inbox would drop a repeat.
#[test]
fn each_call_is_a_new_event() {
    let server = Server::example("inbox");
    for _ in 0..2 {
        assert_eq!(send(&server, ["Human.UserSendMsg"]).code, 0);
    }
    assert_ne!(event(&server)["EventTime"], event(&server)["EventTime"]);
}

#[test]
fn a_body_comes_from_a_file_or_from_standard_input() {
    let server = Server::example("axum");
    let (path, to) = (place("body.json"), server.url());
    let body = br#"{"SessionId":"s","Event":"SessionEnd", "EventTime":7}"#;
    std::fs::write(&path, body).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(send(&server, ["--body", path]).code, 0);
    assert_eq!(event(&server)["Raw"].as_str().unwrap().as_bytes(), body);
    let piped =
        run_with(desk(["send", "--to", &to, "--token", TOKEN, "--body", "-", "--set", "SessionId=t"]), body);
    assert_eq!(piped.code, 0, "{piped:?}");
    assert_eq!(event(&server)["SessionId"], "t");

    std::fs::write(path, b"\xff\xfe").unwrap();
    let ran = send(&server, ["--body", path, "--json"]);
    assert_eq!((ran.code, ran.json()["ErrorCode"].as_i64()), (1, Some(40006)));
    assert_eq!(send(&server, ["--body", path, "--session", "s"]).code, 2);
    assert_eq!(send(&server, ["--body", "/does/not/exist"]).code, 1);
}

#[test]
fn every_fault_is_refused_with_its_code_and_its_remedy() {
    let server = Server::example("hyper");
    for (fault, status, code, remedy) in [
        (&["--wrong-signature"][..], 401, 40104, "compare the token"),
        (&["--unsigned"], 401, 40101, "switch callback authentication on"),
        (&["--stale"], 401, 40103, "set the clocks"),
        (&["--time", "5"], 401, 40103, "set the clocks"),
        (&["--foreign-app"], 403, 40301, "compare the SDKAppID"),
        (&["--without-app"], 403, 40301, "compare the SDKAppID"),
        (&["--without-command", "--unset", "CallbackCommand"], 400, 40009, "name the `CallbackCommand`"),
        (&["--command", "Other"], 400, 40010, "the same `CallbackCommand`"),
        (&["--parameter", "Sign=x"], 400, 40002, "once each"),
        (&["--header", "Content-Encoding: gzip"], 400, 40004, "uncompressed"),
        (&["--method", "PUT"], 405, 40501, "use POST"),
        (&["--unset", "SessionId"], 400, 40011, "send `SessionId`"),
    ] {
        let ran = send(&server, ["SessionBegin", "--json"].into_iter().chain(fault.iter().copied()));
        let json = ran.json();
        assert_eq!(
            (ran.code, &json["status"], &json["ErrorCode"]),
            (1, &json!(status), &json!(code)),
            "{fault:?}"
        );
        let ran = send(&server, ["SessionBegin"].into_iter().chain(fault.iter().copied()));
        assert!(ran.stdout.starts_with(&format!("refused status {status}, ErrorCode {code}")), "{ran:?}");
        assert!(ran.stdout.contains(&format!("remedy: {remedy}")) || ran.stdout.contains(remedy), "{ran:?}");
    }
    for harmless in ["--without-request-id", "--without-command"] {
        assert_eq!(send(&server, ["SessionBegin", harmless]).code, 0);
    }
}

#[test]
fn the_curl_command_does_the_same() {
    let server = Server::example("axum");
    let text = "it's @ \"quoted\" $HOME `x` 谢谢";
    let ran = send(&server, ["Human.UserSendMsg", "--text", text, "--curl"]);
    assert_eq!(ran.code, 0);
    assert!(server.printed().is_empty(), "it was sent");
    let answer = Command::new("sh").args(["-c", &ran.stdout]).output().expect("sh and curl are needed");
    let answer = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.contains("200 OK") && answer.contains("\"ErrorCode\":0"), "{answer}");
    let raw: Value = serde_json::from_str(event(&server)["Raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw["MsgBody"][0]["MsgContent"]["Text"], text);
}

#[test]
fn a_slow_answer_is_worth_a_warning() {
    // A server that accepts, waits and answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        thread::sleep(Duration::from_millis(1600));
        let body = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let ran = run(["send", "SessionBegin", "--to", &to]);
    server.join().unwrap();
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("the answer took 1.6 s"), "{ran:?}");
}

#[test]
fn what_does_not_answer_is_a_failure() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for to in
        [format!("http://{closed}/"), "http://no-such-host.invalid/".to_owned(), format!("https://{closed}/")]
    {
        let ran = run(["send", "SessionBegin", "--to", &to, "--json"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.starts_with("error: http"), "{ran:?}");
        assert!(ran.json()["error"].as_str().unwrap().contains("did not answer"), "{ran:?}");
    }
    // Not a webhook of this library.
    let server = Server::example("axum");
    let ran = run(["send", "SessionBegin", "--to", &format!("http://{}/elsewhere", server.address)]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.starts_with("refused status 404"), "{ran:?}");
}
