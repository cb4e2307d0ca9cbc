//! `desk replay`, with what `desk play` plays and `desk listen` records.

use std::{collections::HashMap, fs, path::Path, time::Instant};

use serde_json::json;
use tencent_desk_webhook::Event;

use crate::{
    listen::{listen, recorded},
    support::{Ran, Server, TOKEN, place, run},
};

fn replay<'a>(file: &Path, server: &Server, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    let (file, to) = (file.to_str().unwrap().to_owned(), server.url());
    let arguments: Vec<&str> = arguments.into_iter().collect();
    run(["replay", &file, "--to", &to, "--token", TOKEN].into_iter().chain(arguments))
}

fn by_session(events: Vec<Event>) -> HashMap<String, Vec<Event>> {
    let mut sessions: HashMap<_, Vec<_>> = HashMap::new();
    for event in events {
        sessions.entry(event.session_id.clone()).or_default().push(event);
    }
    sessions
}

#[test]
fn ten_thousand_events_come_back_equal_and_in_order() {
    let (first, second) = (place("first.jsonl"), place("second.jsonl"));
    let server = listen(["--record", first.to_str().unwrap()]);
    let ran = run([
        "play",
        "--to",
        &server.url(),
        "--token",
        TOKEN,
        "--sessions",
        "1000",
        "--concurrency",
        "16",
        "--json",
    ]);
    let played = ran.json()["accepted"].as_u64().unwrap();
    assert!(ran.code == 0 && played > 10_000, "{ran:?}");
    server.signal("-INT");
    assert!(server.end().0.success());

    let server = listen(["--record", second.to_str().unwrap()]);
    let ran = replay(&first, &server, ["--json"]);
    assert_eq!((ran.code, ran.json()["accepted"].as_u64()), (0, Some(played)), "{ran:?}");
    assert!(by_session(recorded(&first)) == by_session(recorded(&second)));
}

fn write(events: &[serde_json::Value]) -> std::path::PathBuf {
    let path = place("written.jsonl");
    fs::write(&path, events.iter().map(|event| format!("{event}\n")).collect::<String>()).unwrap();
    path
}

fn record(session: &str, name: &str, millis: u64) -> serde_json::Value {
    json!({"SdkAppid": 1_400_000_000, "SessionId": session, "Event": name, "EventTime": millis,
        "ClientIP": "10.1.2.3", "OptPlatform": "Android"})
}

/// Written by hand, without the body as it came.
#[test]
fn only_what_is_asked_for_is_sent() {
    let path = write(&[
        record("s-1", "SessionBegin", 1),
        record("s-2", "SessionBegin", 2),
        record("s-1", "SessionEnd", 3),
        record("s-3", "SessionEnd", 4),
    ]);
    for (only, count) in [
        (&["--only", "session=s-1"][..], 2),
        (&["--only", "session=s-1", "--only", "session=s-3"], 3),
        (&["--only", "event=SessionEnd"], 2),
        (&["--only", "event=SessionEnd", "--only", "session=s-1"], 1),
        (&["--only", "session=none"], 0),
        (&[], 4),
    ] {
        let server = listen(["--json"]);
        let ran = replay(&path, &server, only.iter().copied().chain(["--json"]));
        assert_eq!((ran.code, ran.json()["accepted"].as_u64()), (0, Some(count)), "{only:?}: {ran:?}");
        for _ in 0..count {
            let event: Event = serde_json::from_str(&server.line()).unwrap();
            assert_eq!(
                (event.client_ip.as_deref(), event.platform.as_deref()),
                (Some("10.1.2.3"), Some("Android"))
            );
        }
    }
}

#[test]
fn the_speed_is_that_of_the_event_times() {
    let path = write(&[record("s-1", "SessionBegin", 1_000), record("s-2", "SessionEnd", 9_000)]);
    let server = listen([]);
    let took = |speed: &str| {
        let began = Instant::now();
        assert_eq!(replay(&path, &server, ["--speed", speed]).code, 0);
        began.elapsed().as_secs_f64()
    };
    assert!(took("10") >= 0.8);
    assert!(took("max") < took("10"));
    assert_eq!(replay(&path, &server, ["--speed", "0"]).code, 2);
}

#[test]
fn a_broken_recording_sends_nothing_unless_asked_to() {
    let path =
        write(&[record("s-1", "SessionBegin", 1), json!({"no": "event"}), record("s-1", "SessionEnd", 3)]);
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(r#"{"SdkAppid":14"#);
    fs::write(&path, text).unwrap();
    let server = listen([]);
    let ran = replay(&path, &server, []);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("line 2 of"), "{ran:?}");
    assert!(ran.stderr.contains("Nothing was sent"), "{ran:?}");
    let ran = replay(&path, &server, ["--skip-broken", "--json"]);
    assert_eq!((ran.code, ran.json()["accepted"].as_u64()), (0, Some(2)), "{ran:?}");
    assert_eq!(replay(Path::new("/does/not/exist"), &server, []).code, 1);
    fs::write(&path, b"\xff\x00\n").unwrap();
    assert_eq!(replay(&path, &server, []).code, 1);
}

#[test]
fn refusals_are_counted_and_fail() {
    let path = write(&[record("s-1", "SessionBegin", 1)]);
    let server = listen([]);
    let to = server.url();
    let ran = run(["replay", path.to_str().unwrap(), "--to", &to, "--token", "another", "--json"]);
    assert_eq!((ran.code, ran.json()["refused"].clone()), (1, json!({"40104": 1})));
    let ran = run(["replay", path.to_str().unwrap(), "--to", &to, "--token", TOKEN, "--app", "7", "--json"]);
    assert_eq!((ran.code, ran.json()["refused"].clone()), (1, json!({"40301": 1})));
}
