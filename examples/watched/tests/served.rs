//! What the example serves and logs is what `docs/watching.md` lists.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{net::TcpListener, process::Stdio, time::Duration};

use tencent_desk_webhook::testing::event;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// Far above whatever the example should need.
const PATIENCE: Duration = Duration::from_secs(60);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts the example and waits until it listens.
async fn start(port: u16, metrics_port: u16) -> Child {
    let inbox = format!("{}/watched-{}.db", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let mut child = Command::new(env!("CARGO_BIN_EXE_watched"))
        .env_remove("DESK_TOKEN")
        .env_remove("DESK_SDK_APP_ID")
        .env("DESK_LISTEN", format!("127.0.0.1:{port}"))
        .env("DESK_METRICS_LISTEN", format!("127.0.0.1:{metrics_port}"))
        .env("DESK_INBOX", inbox)
        .env("RUST_LOG", "tencent_desk_webhook=debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let listening = async {
        while !lines
            .next_line()
            .await
            .unwrap()
            .expect("it ended before it listened")
            .contains("/desk/callback")
        {}
    };
    timeout(PATIENCE, listening).await.unwrap();
    child
}

async fn request(port: u16, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nHost: desk.test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn every_metric_of_the_guide_is_served_and_no_other() {
    let (port, metrics_port) = (free_port(), free_port());
    let example = start(port, metrics_port).await;
    for session in ["a", "b", "a"] {
        let body = event("SessionBegin").session(session).to_string();
        let answer = request(port, "POST /desk/callback?SdkAppid=1400000000", &body).await;
        assert!(answer.contains(r#""ErrorCode":0"#), "{answer}");
    }
    assert!(request(port, "GET /desk/callback", "").await.starts_with("HTTP/1.1 405"));

    let page = include_str!("../../../docs/watching.md");
    let mut documented: Vec<_> = page.lines().filter_map(Documented::of).collect();
    // The example has neither a board nor a responder: `tests/inbox/dashboard.rs` and `tests/all/watched.rs` check these.
    documented.retain(|metric| {
        !metric.name.starts_with("desk_sessions_") && metric.name != "desk_webhook_decisions_total"
    });
    assert!(documented.len() > 10, "the page's table is read");
    let mut text = String::new();
    let all_served = async {
        while !documented.iter().all(|metric| metric.is_in(&text)) {
            sleep(Duration::from_millis(50)).await;
            text = request(metrics_port, "GET /metrics", "").await;
        }
    };
    let all_served = timeout(PATIENCE, all_served).await;
    for metric in &documented {
        assert!(metric.is_in(&text), "{} is not in\n{text}", metric.name);
    }
    all_served.unwrap();
    for line in ["desk_inbox_stored_total 2", "desk_inbox_duplicates_total 1", "desk_inbox_dead 0"] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(documented.iter().any(|metric| metric.name == name), "{line} is not in the guide");
    }

    let id = example.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let output = timeout(PATIENCE, example.wait_with_output()).await.expect("it does not end").unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    for parts in [
        &["desk_delivery{", "close"][..],
        &["desk_attempt{", "close"],
        &["WARN", "desk_delivery{", "refused with 40501 (method)"],
        &["DEBUG", "desk_delivery{", "a repeat"],
    ] {
        let line = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
        assert!(line.is_some(), "{parts:?} is not in\n{log}");
    }
}

/// A row of the guide's table.
struct Documented {
    name: String,
    kind: String,
    labels: Vec<String>,
}

impl Documented {
    fn of(row: &str) -> Option<Self> {
        let cells: Vec<_> = row.strip_prefix("| `desk_")?.split('|').collect();
        let [name, kind, _unit, labels, ..] = cells[..] else { panic!("{row}") };
        let name = format!("desk_{}", name.trim().trim_end_matches('`'));
        // A label's name stands before a colon, or before "as above".
        let labels = labels.split("; ").filter_map(|label| label.trim().strip_prefix('`')?.split('`').next());
        Some(Self { name, kind: kind.trim().to_owned(), labels: labels.map(str::to_owned).collect() })
    }

    fn is_in(&self, text: &str) -> bool {
        let value = |line: &&str| {
            let rest = line.strip_prefix(&self.name)?;
            ["{", " ", "_bucket", "_count"].iter().any(|end| rest.starts_with(end)).then_some(rest.to_owned())
        };
        let declared = text.contains(&format!("# TYPE {} {}\n", self.name, self.kind));
        let values: Vec<_> = text.lines().filter_map(|line| value(&line)).collect();
        declared
            && !values.is_empty()
            && values
                .iter()
                .all(|value| self.labels.iter().all(|label| value.contains(&format!("{label}=\""))))
    }
}
