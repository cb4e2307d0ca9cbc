//! `desk play`.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    listen::{listen, recorded},
    support::{Ran, Server, TOKEN, desk, place, run, signal_to, until},
};

fn play<'a>(server: &Server, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    let to = server.url();
    let arguments: Vec<&str> = arguments.into_iter().collect();
    run(["play", "--json", "--to", &to, "--token", TOKEN].into_iter().chain(arguments))
}

#[test]
fn whole_sessions_reach_every_example_server() {
    for name in ["axum", "actix_web", "hyper", "inbox"] {
        let server = Server::example(name);
        let report = play(&server, ["--sessions", "6"]).json();
        assert_eq!(report["accepted"], report["sent"]);
        let count = report["sent"].as_u64().unwrap();
        let events: Vec<Value> = (0..count).map(|_| serde_json::from_str(&server.line()).unwrap()).collect();
        let sessions: HashSet<&str> =
            events.iter().map(|event| event["SessionId"].as_str().unwrap()).collect();
        assert_eq!(sessions.len(), 6);
        for name in ["AgentForward", "NoAgentOnline", "SatisfactionSelected", "SessionPendingAutoFinishEnd"] {
            assert!(events.iter().any(|event| event["Event"] == name), "{name}");
        }
    }
}

#[test]
fn repeats_are_the_same_delivery_and_a_seed_the_same_order() {
    let order = |seed: &str| {
        let path = place("played.jsonl");
        let server = listen(["--record", path.to_str().unwrap()]);
        let report = play(&server, ["--repeat", "2", "--shuffle", "--seed", seed]).json();
        assert_eq!(report["sent"], 26);
        let events = recorded(&path);
        let keys: HashSet<_> =
            events.iter().map(|event| (event.request_id.clone(), event.dedup_key())).collect();
        assert_eq!(keys.len(), 13);
        events.iter().map(|event| event.request_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(order("7"), order("7"));
    assert_ne!(order("7"), order("8"));
}

#[test]
fn one_kind_of_session_can_be_chosen() {
    let server = Server::example("hyper");
    let report = play(&server, ["--scenario", "left-queue", "--sessions", "3"]).json();
    let last = (0..report["sent"].as_u64().unwrap()).map(|_| server.line());
    assert_eq!(last.filter(|line| line.contains("SessionPendingAutoFinishEnd")).count(), 3);
    assert_eq!(play(&server, ["--scenario", "none"]).code, 2);
}

#[test]
fn refusals_and_lost_connections_are_counted() {
    let server = Server::example("axum");
    let to = server.url();
    let ran = run(["play", "--json", "--to", &to, "--token", "another"]);
    assert_eq!((ran.code, ran.json()["refused"].clone()), (1, json!({"40104": 13})));
    let ran = run(["play", "--to", &to, "--token", "another"]);
    assert!(ran.stdout.contains("13 with 40104 wrong_signature: compare the token"), "{ran:?}");
    drop(server);
    let ran = run(["play", "--json", "--to", &to]);
    assert_eq!((ran.code, ran.json()["lost"].clone()), (1, json!(13)), "{ran:?}");
}

/// Answers every request after a time, on one connection after the other.
fn slow(delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream, delay));
        }
    });
    url
}

fn serve(mut stream: TcpStream, delay: Duration) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if line.is_empty() {
            return;
        }
        std::io::Read::read_exact(&mut lines, &mut vec![0; length]).unwrap();
        thread::sleep(delay);
        let body = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    }
}

/// 13 events are due within 0.12 s, and each takes 0.1 s: the last one is answered after 1.3 s.
#[test]
fn latencies_count_from_when_an_event_was_due() {
    let to = slow(Duration::from_millis(100));
    let ran = run(["play", "--json", "--to", &to, "--rate", "100", "--concurrency", "1"]);
    let report = ran.json();
    assert_eq!(report["accepted"], 13);
    assert!(report["milliseconds"]["max"].as_f64().unwrap() > 1100.0, "{report}");
    let unhurried = run(["play", "--json", "--to", &to, "--concurrency", "1"]).json();
    let p50 = |report: &Value| report["milliseconds"]["p50"].as_f64().unwrap();
    assert!(p50(&unhurried) < p50(&report), "{unhurried}");
}

#[test]
fn answers_after_two_seconds_are_late() {
    let to = slow(Duration::from_millis(2050));
    let ran = run(["play", "--json", "--to", &to, "--duration", "100ms"]);
    let report = ran.json();
    assert!(report["late"].as_u64().unwrap() > 0, "{ran:?}");
    assert_eq!(report["late"], report["accepted"]);
}

#[test]
fn a_duration_ends_it_and_a_rate_is_kept() {
    let server = Server::example("hyper");
    let report = play(&server, ["--duration", "1s", "--rate", "100"]).json();
    let sent = report["sent"].as_u64().unwrap();
    assert!((1..=100).contains(&sent), "{report}");
    assert_eq!(report["accepted"], sent);
}

#[test]
fn ctrl_c_prints_what_there_is() {
    let server = Server::example("axum");
    let to = server.url();
    let mut command =
        desk(["play", "--json", "--to", &to, "--token", TOKEN, "--duration", "1h", "--rate", "50"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it plays", || !server.printed().is_empty());
    signal_to(child.id(), "-INT");
    let ran: Ran = child.wait_with_output().unwrap().into();
    let report = ran.json();
    assert_eq!((ran.code, &report["interrupted"]), (0, &json!(true)));
    assert!(report["accepted"].as_u64().unwrap() > 0);
}

/// Under a terminal that util-linux's `script` makes.
#[test]
fn a_terminal_shows_a_bar() {
    let server = Server::example("axum");
    let play = format!(
        "{} play --to {} --token '{TOKEN}' --sessions 30 --scenario rated",
        env!("CARGO_BIN_EXE_desk"),
        server.url()
    );
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &play, "/dev/null"]).env("TERM", "xterm");
    let shown = String::from_utf8(command.output().expect("util-linux's `script` is needed").stdout).unwrap();
    assert!(shown.contains("/390 sent"), "{shown}");
    assert!(shown.contains("accepted") && shown.contains("p99"), "{shown}");
}
