//! `desk listen`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tencent_desk_webhook::Event;

use crate::support::{Ran, Server, TOKEN, desk, place, run, until};

pub(crate) fn listen<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Server {
    let fixed = ["listen", "--port", "0", "--token", TOKEN];
    Server::start(desk(fixed.into_iter().chain(arguments)))
}

fn send<'a>(server: &Server, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    let to = server.url();
    let arguments: Vec<&str> = arguments.into_iter().collect();
    run(["send", "--to", &to, "--token", TOKEN].into_iter().chain(arguments))
}

pub(crate) fn recorded(path: &Path) -> Vec<Event> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_event_is_one_line_and_each_refusal_says_why() {
    let server = listen([]);
    for (arguments, line) in [
        (&["SessionBegin", "--session", "s-1", "--user", "u"][..], "s-1 session begins: u"),
        (&["ChatBot.UserSendMsg", "--text", "退费?"], "user to bot: 退费?"),
        (&["ChatBot.RobotSendMsg", "--text", "a\nb"], "bot to user: a⏎b"),
        (&["Human.UserSendMsg", "--element", "TIMImageElem"], "user to agent: [Image]"),
        (&["Human.AgentSendMsg", "--text", "\x1b[2J\u{202e}x"], "agent to user: \\u{1b}[2J\\u{202e}x"),
        (&["TransferringToHuman"], "asks for an agent"),
        (&["TransferringToHumanWait"], "waits for an agent"),
        (&["TransferToHumanSuccess", "--agent", "a@b"], "reached agent a@b"),
        (&["NoAgentOnline"], "no agent is online"),
        (&["AgentForward", "--agent", "b", "--set", "ForwardFromAgentId=a"], "forwarded from a to b"),
        (&["SatisfactionSelected", "--stars", "4"], "rated with 4"),
        (&["SessionUserEnd"], "ended by the user"),
        (&["SessionAgentTimeoutEnd"], "ended: the agent did not answer"),
        (&["SessionEnd"], "session ends"),
        (&["New.Event"], "New.Event: an event that this version does not know"),
    ] {
        assert_eq!(send(&server, arguments.iter().copied()).code, 0);
        let printed = server.line();
        assert!(printed.ends_with(line), "{printed:?} {line:?}");
        assert!(!printed.contains('\x1b'));
    }
    assert_eq!(send(&server, ["SessionBegin", "--wrong-signature"]).code, 1);
    let printed = server.line();
    assert!(printed.starts_with("refused with 40104 wrong_signature: "), "{printed}");
    assert!(printed.contains("compare the token"), "{printed}");
    assert_eq!(
        run(["send", "SessionBegin", "--to", &format!("http://{}/", server.address)]).json_status(),
        404
    );

    server.signal("-INT");
    let (status, _, remarks) = server.end();
    assert!(status.success());
    assert_eq!(remarks.last().unwrap(), "15 events, 1 requests refused");
}

impl Ran {
    fn json_status(&self) -> u64 {
        let text = self.stdout.split("status ").nth(1).unwrap();
        text[..3].parse().unwrap()
    }
}

#[test]
fn json_is_the_event_as_serde_gives_it() {
    let server = listen(["--json"]);
    send(&server, ["Human.UserSendMsg", "--text", "谢谢", "--session", "s-1"]);
    let event: Event = serde_json::from_str(&server.line()).unwrap();
    assert_eq!((event.session_id.as_str(), event.name.as_str()), ("s-1", "Human.UserSendMsg"));
    send(&server, ["Human.UserSendMsg", "--stale"]);
    let refused: Value = serde_json::from_str(&server.line()).unwrap();
    assert_eq!(refused["refused"]["ErrorCode"], 40103);
    assert_eq!(refused["refused"]["skew"], -3600);
}

#[test]
fn without_a_token_it_serves_this_machine_alone() {
    let server = Server::start(desk(["listen", "--port", "0"]));
    assert_eq!(run(["send", "SessionBegin", "--to", &server.url()]).code, 0);
    assert!(server.address.starts_with("127.0.0.1:"));
    assert_eq!(run(["listen", "--port", "0", "--host", "0.0.0.0"]).code, 2);
    let taken = server.address.rsplit(':').next().unwrap();
    let ran = run(["listen", "--port", taken]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cannot listen on 127.0.0.1"), "{ran:?}");
}

#[test]
fn what_is_acknowledged_is_in_the_recording() {
    let path = place("recording.jsonl");
    fs::write(&path, r#"{"cut":"#).unwrap(); // by a crash
    let server = listen(["--record", path.to_str().unwrap()]);
    assert_eq!(send(&server, ["Human.UserSendMsg", "--text", "line\nbreak", "--session", "s-1"]).code, 0);
    server.signal("-KILL");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    let event: Event = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(event.session_id, "s-1");
    assert_eq!(run(["listen", "--port", "0", "--record", "/does/not/exist/file"]).code, 1);
}

/// It makes a disk of 64 KiB, which only root can.
#[test]
fn a_full_disk_refuses_events_and_leaves_whole_lines() {
    let Some(disk) = Disk::mount() else { return };
    let path = disk.0.join("recording.jsonl");
    let server = listen(["--record", path.to_str().unwrap()]);
    let text = "x".repeat(20_000);
    let mut accepted = 0;
    let refused = loop {
        let ran = send(&server, ["Human.UserSendMsg", "--text", &text, "--json"]);
        if ran.code != 0 {
            break ran.json();
        }
        accepted += 1;
    };
    assert_eq!(refused["ErrorCode"], 50302);
    assert!(accepted > 0);
    assert_eq!(recorded(&path).len(), accepted);
    until("it says so", || {
        server.remark().contains("an event was not recorded, and is refused: No space left")
    });
    server.signal("-TERM");
    let (status, ..) = server.end();
    assert_eq!(status.code(), Some(1));
}

struct Disk(PathBuf);

impl Disk {
    fn mount() -> Option<Self> {
        let path = place("disk");
        fs::create_dir(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&path).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        assert!(std::env::var_os("CI").is_none(), "a small disk cannot be mounted");
        eprintln!("not tested: a small disk cannot be mounted here");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn deliveries_are_passed_on_signed_again() {
    let target = Server::example("axum");
    let server = listen(["--forward", &target.url()]);
    let header = ["--parameter", "x=y"];
    assert_eq!(
        send(
            &server,
            ["Human.UserSendMsg", "--session", "s-1", "--request-id", "r-1"].into_iter().chain(header)
        )
        .code,
        0
    );
    let event: Value = serde_json::from_str(&target.line()).unwrap();
    assert_eq!((&event["SessionId"], &event["RequestID"]), (&"s-1".into(), &"r-1".into()));
    server.line();
    let report = server.line();
    assert!(report.starts_with("  Human.UserSendMsg of s-1 forwarded to http://127.0.0.1:"), "{report}");
    assert!(report.ends_with(": accepted"), "{report}");

    // The sender's answer does not depend on it.
    drop(target);
    assert_eq!(send(&server, ["SessionEnd"]).code, 0);
    server.line();
    let report = server.line();
    assert!(report.contains("not answered: "), "{report}");
}

#[test]
fn requests_for_a_decision_are_printed_and_passed_on() {
    let target = listen(["--json"]);
    let server = listen(["--forward", &target.url()]);
    let ran = send(&server, ["ChatBot.OnAssignHuman", "--session", "s-1", "--json"]);
    assert_eq!((ran.code, ran.json()["answer"]["ActionStatus"].as_str()), (0, Some("OK")));
    assert_eq!(server.line(), "asked s-1 ChatBot.OnAssignHuman: no decision");
    assert!(server.line().ends_with(": accepted"));
    let asked: Value = serde_json::from_str(&target.line()).unwrap();
    assert_eq!(asked["asked"]["CallbackCommand"], "ChatBot.OnAssignHuman");
    assert_eq!(asked["asked"]["SessionId"], "s-1");
    for command in
        ["Chatbot.InterfaceInvocation", "Desk.CallbackBeforeIMContactUser", "C2C.CallbackAfterSendMsg"]
    {
        assert_eq!(
            send(&server, [command, "--command", command, "--set", &format!("CallbackCommand={command}")])
                .code,
            0
        );
        assert!(server.line().ends_with(&format!("{command}: no decision")));
        server.line();
    }
}

#[test]
fn answers_of_what_events_are_passed_on_to_are_reported() {
    let mut other = crate::support::example("axum");
    other.env("DESK_TOKEN", "another token");
    let target = Server::start(other);
    let server = listen(["--forward", &target.url(), "--json"]);
    send(&server, ["SessionEnd"]);
    server.line();
    let report: Value = serde_json::from_str(&server.line()).unwrap();
    assert_eq!(report["forwarded"]["ErrorCode"], 40104);
    assert_eq!(report["forwarded"]["status"], 401);
}

/// Another site's name that leads here would let that site's scripts read what customers write. The browser's tests have the rest.
#[test]
fn the_live_page_is_for_this_machine_alone() {
    let ask = |server: &Server, host: &str| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        write!(stream, "GET /desk/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer[9..12].parse::<u16>().unwrap()
    };
    let server = listen(["--page"]);
    let port = server.address.rsplit(':').next().unwrap();
    for (host, status) in [
        (server.address.as_str(), 200),
        (&format!("localhost:{port}"), 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:80", 421),
        ("", 421),
    ] {
        assert_eq!(ask(&server, host), status, "{host}");
    }
    assert_eq!(ask(&listen([]), "localhost"), 404);
}
