//! What the example `watched` serves, and what the guide's page says it does.

use std::{fs, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use crate::{
    places::{Folder, until},
    process::{Process, errors, example_named, free_port, send},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_of_the_guide_is_served_and_no_other() {
    let folder = Folder::new();
    let (port, metrics_port, log) = (free_port(), free_port(), folder.join("log"));
    let inbox = folder.join("desk.db").display().to_string();
    let mut command = example_named("watched", &inbox, port, &log);
    command.env("DESK_METRICS_LISTEN", format!("127.0.0.1:{metrics_port}"));
    command.env("RUST_LOG", "tencent_desk_webhook=debug");
    let process = Process::start(command).await;

    let mut client = None;
    for session in ["a", "b", "a"] {
        assert!(send(&mut client, port, session, 0).await);
    }
    assert!(get(port, "/desk/callback").await.starts_with("HTTP/1.1 405"));

    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/watching.md")).unwrap();
    let documented: Vec<_> = page.lines().filter_map(Documented::of).collect();
    assert!(documented.len() > 10, "the page's table is read");
    let mut text = String::new();
    until("all metrics are served", async || {
        text = get(metrics_port, "/metrics").await;
        documented.iter().all(|metric| metric.is_in(&text))
    })
    .await;
    for line in ["desk_inbox_stored_total 2", "desk_inbox_duplicates_total 1", "desk_inbox_dead 0"] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(documented.iter().any(|metric| metric.name == name), "{line} is not in the guide");
    }

    process.stop().await;
    until("the spans are written", async || {
        sleep(Duration::from_millis(10)).await;
        let told = fs::read_to_string(errors(&log)).unwrap();
        let line = |parts: &[&str]| told.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        line(&["desk_delivery{", "close"])
            && line(&["desk_attempt{", "close"])
            && line(&["WARN", "desk_delivery{", "refused with 40501 (method)"])
            && line(&["DEBUG", "desk_delivery{", "a repeat"])
    })
    .await;
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

async fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: desk.test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
