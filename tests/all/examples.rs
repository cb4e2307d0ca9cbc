//! The example servers as processes: settings, one line per event, and a graceful shutdown.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;
use tencent_desk_webhook::testing::event;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    doors::Client,
    support::{OK, event_json, fixture},
};

pub(crate) const EXAMPLES: &[&str] = &[
    #[cfg(feature = "axum")]
    "axum",
    #[cfg(feature = "actix-web")]
    "actix_web",
    #[cfg(feature = "hyper")]
    "hyper",
];

/// Its handlers run after the response.
const INBOX: &[&str] = &[
    #[cfg(all(feature = "axum", feature = "sqlite", feature = "postgres"))]
    "inbox",
];

/// Far longer than an example should need.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --examples --all-features`", path.display());
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars().filter(|(variable, _)| variable.starts_with("DESK_")) {
        command.env_remove(variable);
    }
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let inbox = format!("inbox-{}-{}.db", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    command
        .env("DESK_LISTEN", "127.0.0.1:0")
        .env("DESK_INBOX", Path::new(env!("CARGO_TARGET_TMPDIR")).join(inbox))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) struct Server {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Server {
    pub(crate) async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = timeout(PATIENCE, stdout.next_line())
                .await
                .unwrap()
                .unwrap()
                .expect("it ended before it listened");
            if let Some((_, url)) = line.split_once("listening on http://") {
                break url.strip_suffix("/desk/callback").unwrap().to_owned();
            }
        };
        Self { child, stdout, address }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address.parse().unwrap()).await
    }

    async fn event(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    async fn line(&mut self) -> String {
        timeout(PATIENCE, self.stdout.next_line()).await.unwrap().unwrap().unwrap()
    }

    /// Its resident memory in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
    }

    pub(crate) fn terminate(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Returns its exit status, the rest of stdout, and all of stderr.
    pub(crate) async fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap();
        let mut lines = Vec::new();
        while let Some(line) = self.stdout.next_line().await.unwrap() {
            lines.push(line);
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        (status, lines, stderr)
    }
}

fn post(query: &str, body: &str) -> String {
    format!(
        "POST /desk/callback?{query} HTTP/1.1\r\nHost: desk.test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_unsigned_server_prints_events_and_warns() {
    for name in EXAMPLES.iter().chain(INBOX) {
        let mut server = Server::start(example(name)).await;
        let mut client = server.client().await;
        let body = fixture("desk_session_event_cn_doc");
        client.write(post("SdkAppid=1400000000&RequestID=r-1", &body)).await;
        assert_eq!(client.read(true).await.body, OK, "{name}");
        let event = server.event().await;
        assert_eq!(event["Method"], "on_message", "{name}");
        assert_eq!(event["RequestID"], "r-1", "{name}");
        assert_eq!(event["Raw"], body, "{name}");
        assert_eq!(event["MsgBody"][0]["MsgContent"]["Text"], "请问如何申请退费?", "{name}");

        client.write("GET /elsewhere HTTP/1.1\r\nHost: desk.test\r\n\r\n").await;
        assert_eq!(client.read(true).await.status, 404, "{name}");
        server.terminate("-TERM");
        let (status, left, stderr) = server.end().await;
        assert!(status.success() && left.is_empty(), "{name}: {status} {left:?}");
        assert!(stderr.contains("signature"), "{name}: {stderr}");
    }
}

#[tokio::test]
async fn without_a_token_only_loopback_addresses_are_served_unless_configured_otherwise() {
    for name in EXAMPLES.iter().chain(INBOX) {
        for listen in ["0.0.0.0:0", "[::]:0"] {
            let mut command = example(name);
            command.env("DESK_LISTEN", listen);
            let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name} {listen}: {stderr}");
            assert!(stderr.contains("DESK_TOKEN") && stderr.contains("DESK_UNSIGNED=1"), "{name}: {stderr}");
        }
        for (listen, variable, value) in [
            ("0.0.0.0:0", "DESK_UNSIGNED", "1"),
            ("0.0.0.0:0", "DESK_TOKEN", "token"),
            ("localhost:0", "X", ""),
        ] {
            let mut command = example(name);
            command.env("DESK_LISTEN", listen).env(variable, value);
            let server = Server::start(command).await;
            server.terminate("-TERM");
            assert!(server.end().await.0.success(), "{name} {listen} {variable}={value}");
        }
    }
}

/// The commands in README and guide send a signed and new event each time.
#[cfg(feature = "axum")]
#[tokio::test]
async fn the_documented_curl_sends_signed_and_different_events() {
    let blocks = [include_str!("../../README.md"), include_str!("../../docs/testing.md")].map(|page| {
        let block = page.split("```sh\n").find(|block| block.starts_with("token=")).unwrap();
        block.split("```").next().unwrap()
    });
    assert_eq!(blocks[0], blocks[1]);
    if !["jq", "curl", "sha256sum"].iter().all(|program| has_program(program)) {
        assert!(std::env::var_os("CI").is_none(), "jq, curl and sha256sum are needed");
        eprintln!("NOT TESTED: jq, curl or sha256sum is missing");
        return;
    }
    let mut command = example("axum");
    command.env("DESK_TOKEN", "your_token");
    let mut server = Server::start(command).await;
    let script = blocks[0].replace("127.0.0.1:8080", &server.address);
    let mut keys = std::collections::HashSet::new();
    for _ in 0..3 {
        let sent =
            timeout(PATIENCE, Command::new("bash").args(["-ec", &script]).output()).await.unwrap().unwrap();
        let answer = String::from_utf8(sent.stdout).unwrap();
        assert!(answer.contains("200 OK") && answer.contains(OK), "{answer}");
        let printed = server.event().await;
        assert_eq!(printed["MsgBody"][0]["MsgContent"]["Text"], "请问如何申请\"退费\"?");
        keys.insert(serde_json::from_value::<tencent_desk_webhook::Event>(printed).unwrap().dedup_key());
    }
    assert_eq!(keys.len(), 3);
    server.terminate("-TERM");
    server.end().await;
}

#[cfg(feature = "axum")]
fn has_program(name: &str) -> bool {
    std::process::Command::new(name).arg("--version").output().is_ok()
}

/// Customers' text cannot control the terminal.
#[tokio::test]
async fn characters_that_a_terminal_interprets_or_hides_are_escaped() {
    for name in EXAMPLES.iter().chain(INBOX) {
        let mut server = Server::start(example(name)).await;
        let mut client = server.client().await;
        let odd = "\u{9b}31m\u{2028}\u{202e}\u{200b}\u{2066}\u{1b}[31m";
        let body = event("Human.UserSendMsg").text(odd).field("SessionId", odd).to_string();
        client.write(post("SdkAppid=1400000000", &body)).await;
        assert_eq!(client.read(true).await.body, OK, "{name}");
        let line = server.line().await;
        assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{name}: {line:?}");
        let printed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(printed["SessionId"], odd, "{name}");
        assert_eq!(printed["MsgBody"][0]["MsgContent"]["Text"], odd, "{name}");
        server.terminate("-TERM");
        server.end().await;
    }
}

/// Framework and example must not continue to read for an unverified sender.
#[tokio::test]
async fn an_endless_body_to_an_unknown_path_closes_the_connection() {
    for name in EXAMPLES {
        let server = Server::start(example(name)).await;
        let mut client = server.client().await;
        client.write("POST /elsewhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(16);
        let mut sent = 0;
        while client.try_write(&chunk).await {
            sent += chunk.len();
            assert!(sent < 64 << 20, "{name} continues to read");
        }
        server.terminate("-TERM");
        server.end().await;
    }
}

#[tokio::test]
async fn a_signed_server_refuses_wrong_signatures_and_does_not_print_its_token() {
    for name in EXAMPLES.iter().chain(INBOX) {
        let mut command = example(name);
        command.env("DESK_TOKEN", "a-very-secret-token").env("DESK_SDK_APP_ID", "7");
        let server = Server::start(command).await;
        let mut client = server.client().await;
        client.write(post("SdkAppid=7&Sign=00&RequestTime=1", "")).await;
        let reply = client.read(true).await;
        assert_eq!(reply.status, 401, "{name}");
        server.terminate("-INT");
        let (status, left, stderr) = server.end().await;
        assert!(status.success() && left.is_empty(), "{name}: {status} {left:?}");
        assert!(!stderr.contains("secret") && !reply.body.contains("secret"), "{name}: {stderr}");
    }
}

/// One handler whose caller waits, one whose caller has disconnected, one past its deadline, and clients that stall.
#[tokio::test]
async fn a_shutdown_finishes_every_handler_that_has_started() {
    let mut servers = tokio::task::JoinSet::new();
    for name in EXAMPLES {
        servers.spawn(async move {
            let mut command = example(name);
            command.env("DESK_HANDLER_MS", "3000");
            let server = Server::start(command).await;
            let query = "SdkAppid=1400000000";
            let mut past_deadline = server.client().await;
            past_deadline.write(post(query, &event_json("SessionBegin").to_string())).await;
            assert_eq!(past_deadline.read(true).await.body, OK, "{name}");

            let mut stalled_head = server.client().await;
            stalled_head.write("POST /desk/callback?").await;
            let mut stalled_body = server.client().await;
            stalled_body
                .write(format!(
                    "POST /desk/callback?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{"
                ))
                .await;
            let mut gone = server.client().await;
            gone.write(post(query, &event_json("SessionEnd").to_string())).await;
            // Its response shows that the handler before it has started as well.
            let mut waiting = server.client().await;
            waiting.write(post(query, &event_json("AgentForward").to_string())).await;
            assert_eq!(waiting.read(true).await.body, OK, "{name}");
            drop(gone);
            server.terminate("-TERM");
            let (status, left, stderr) = server.end().await;
            let mut methods: Vec<String> = left
                .iter()
                .map(|line| {
                    serde_json::from_str::<Value>(line).unwrap()["Method"].as_str().unwrap().to_owned()
                })
                .collect();
            methods.sort();
            assert!(status.success(), "{name}: {status} {stderr}");
            assert_eq!(methods, ["on_session_begin", "on_session_end", "on_transfer"], "{name}: {stderr}");
        });
    }
    while let Some(server) = servers.join_next().await {
        server.unwrap();
    }
}

#[tokio::test]
async fn an_invalid_setting_is_an_error_that_names_it() {
    for name in EXAMPLES.iter().chain(INBOX) {
        for (variable, value) in [
            ("DESK_TOKEN", ""),
            ("DESK_TOKEN", " "),
            ("DESK_SDK_APP_ID", "desk"),
            ("DESK_HANDLER_MS", "-1"),
            ("DESK_LISTEN", "nowhere"),
        ] {
            let output =
                timeout(PATIENCE, example(name).env(variable, value).output()).await.unwrap().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name} {variable}={value}: {stderr}");
            assert!(stderr.contains(variable), "{name} {variable}={value}: {stderr}");
        }
    }
}

#[test]
fn the_example_without_a_framework_prints_its_response() {
    let output = example("no_framework").into_std().output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && stdout.contains("请问如何申请退费?") && stdout.contains(OK),
        "{stdout}"
    );
}

#[cfg(all(feature = "axum", feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn an_invalid_setting_of_the_inbox_is_an_error_that_names_it() {
    for (variable, value) in [
        ("DESK_INBOX", "/no/such/folder/desk.db"),
        ("DESK_INBOX", "postgres://127.0.0.1:1/desk?sslmode=never"),
        ("DESK_HANDLER_LOG", "/no/such/folder/log"),
        ("DESK_HANDLER_FAIL", "101"),
        ("DESK_HANDLER_FAIL", "some"),
    ] {
        let output =
            timeout(PATIENCE, example("inbox").env(variable, value).output()).await.unwrap().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains(variable), "{variable}={value}: {stderr}");
    }
}

/// By the rules of `examples/decisions.rs`.
#[cfg(feature = "axum")]
#[tokio::test]
async fn the_decisions_example_decides_by_its_rules() {
    use tencent_desk_webhook::testing::{Delivery, TOKEN};

    let mut command = example("decisions");
    command.env("DESK_TOKEN", TOKEN);
    let mut server = Server::start(command).await;
    let mut client = server.client().await;
    let failed = r#"{"ActionStatus":"FAIL","ErrorInfo":"the call failed: its reason is in the receiver's log","ErrorCode":20001}"#;
    let ok = |fields: &str| format!("{},{fields}}}", OK.strip_suffix('}').unwrap());
    for (command, body, method, expected) in [
        (
            "ChatBot.OnAssignHuman",
            r#"{"ClientUserId":"u-1"}"#.to_owned(),
            "assign_agent",
            ok(r#""AgentGroupId":6521,"AgentIdList":["svc1@example.com","svc2@example.com"]"#),
        ),
        (
            "chatbot.onassignagent",
            r#"{"ClientUserId":"walk-in-7"}"#.to_owned(),
            "assign_agent",
            OK.to_owned(),
        ),
        ("ChatBot.OnAssignHuman", r#"{"ClientUserId":"panic-1"}"#.to_owned(), "assign_agent", OK.to_owned()),
        (
            "Chatbot.InterfaceInvocation",
            r#"{"Body":{"aKey":"xy","b":"c","Key":7}}"#.to_owned(),
            "invoke",
            ok(r#""Body":{"Key":"7","aKey":"XY"}"#),
        ),
        (
            "Chatbot.InterfaceInvocation",
            r#"{"Body":{"aKey":"x","fail":""}}"#.to_owned(),
            "invoke",
            r#"{"ActionStatus":"FAIL","ErrorInfo":"the variable `fail` is set","ErrorCode":7}"#.to_owned(),
        ),
        (
            "Chatbot.InterfaceInvocation",
            r#"{"Body":{"SystemClientUserID":"panic-2"}}"#.to_owned(),
            "invoke",
            failed.to_owned(),
        ),
        (
            "Desk.CallbackBeforeIMContactUser",
            r#"{"ClientUserId":"dnd-1"}"#.to_owned(),
            "contact_user",
            r#"{"ActionStatus":"FAIL","ErrorInfo":"do not disturb","ErrorCode":120001}"#.to_owned(),
        ),
        (
            "Desk.CallbackBeforeIMContactUser",
            r#"{"ClientUserId":"u-1"}"#.to_owned(),
            "contact_user",
            OK.to_owned(),
        ),
        ("Test.Echo", r#"{"Say":["a",1]}"#.to_owned(), "other", ok(r#""Echo":["a",1]"#)),
        ("Another.Command", r#"{"Say":1}"#.to_owned(), "other", OK.to_owned()),
        (
            "Desk.SessionEventNotify",
            event("ChatBot.UserSendMsg").text("#human please").to_string(),
            "answer_message",
            ok(r#""AIProvider":0"#),
        ),
        (
            "Desk.SessionEventNotify",
            event("ChatBot.UserSendMsg").text("hello").to_string(),
            "answer_message",
            ok(r#""AIProvider":1"#),
        ),
    ] {
        let delivery = Delivery::of(body.clone()).command(command).now();
        let uri = delivery.uri();
        client.write(post(uri.query().unwrap(), &body)).await;
        assert_eq!(client.read(true).await.body, expected, "{command} {body}");
        let mut lines = vec![server.event().await];
        if method == "answer_message" {
            lines.push(server.event().await);
            assert!(lines.iter().any(|line| line["Method"] == "on_message"), "{command} {body}");
        }
        let line = lines.iter().find(|line| line["Method"] == method).expect("each decision is printed");
        for (name, value) in serde_json::from_str::<Value>(&body).unwrap().as_object().unwrap() {
            assert!(method == "answer_message" || line[name] == *value, "{name} in {line}");
        }
    }
    server.terminate("-TERM");
    assert!(server.end().await.0.success());
}
