//! What the example `dashboard` serves, and the files for Prometheus and Grafana that use it.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

use serde_json::Value;
use tencent_desk_webhook::testing::{self, EventFixture, Scenario};
use tokio::time::sleep;

use crate::{
    places::{Folder, until},
    process::{Process, example_named, free_port},
    sessions::{exchange, get, send},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The rows of the guide's table: name and kind.
fn documented() -> Vec<(String, String)> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/watching.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `desk_")?.split('|').map(str::trim);
        let name = format!("desk_{}", cells.next()?.trim_end_matches('`'));
        Some((name, cells.next()?.to_owned()))
    };
    page.lines().filter_map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_serves_what_the_guide_lists() {
    let folder = Folder::new();
    let (port, admin, log) = (free_port(), free_port(), folder.join("log"));
    let address = folder.join("desk.db").display().to_string();
    let start = || {
        let mut command = example_named("dashboard", &address, port, &log);
        command.env("DESK_ADMIN_LISTEN", format!("127.0.0.1:{admin}"));
        Process::start(command)
    };
    let process = start().await;
    let now = std::time::SystemTime::now();
    // The sessions end now, so that the last hour has them.
    let scenarios = [Scenario::new("rated"), Scenario::no_agent_online("none"), Scenario::left_queue("left")];
    let mut events: Vec<EventFixture> = scenarios.into_iter().flatten().collect();
    events.push(testing::event("TransferringToHuman").session("waits"));
    events.push(testing::event("TransferToHumanSuccess").session("served"));
    let latest = events.iter().map(|event| event.json()["EventTime"].as_u64().unwrap()).max().unwrap();
    let shift = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64 - latest;
    for (number, event) in events.iter().enumerate() {
        let time = event.json()["EventTime"].as_u64().unwrap() + shift;
        let event = event.clone().field("EventTime", time).build();
        assert!(send(port, &event, number).await);
    }
    assert!(
        exchange(port, "GET /desk/callback HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").await.is_some()
    );
    until("all sessions are kept", async || {
        get(admin, "/api/sessions").await.1.as_array().is_some_and(|sessions| sessions.len() == 5)
    })
    .await;
    until("the board has seen all events", async || get(admin, "/api/board").await.1["open"] == 2).await;
    let (_, board) = get(admin, "/api/board").await;
    assert_eq!(board["waiting"][0]["session_id"], "waits");
    assert_eq!(board["served"][0]["session_id"], "served");
    assert_eq!(board["last_hour"]["ratings"], serde_json::json!({"5": 1}));
    assert_eq!(board["last_hour"]["abandoned"], 1, "{board}");

    let text = metrics(admin).await;
    let documented = documented();
    for (name, kind) in &documented {
        let declared = text.contains(&format!("# TYPE {name} {kind}\n"));
        assert!(declared || !name.starts_with("desk_sessions_"), "{name} is not in\n{text}");
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(documented.contains(&(name.to_owned(), kind.to_owned())), "{line} is not in the guide");
    }
    for line in [
        "desk_sessions_open 2",
        "desk_sessions_waiting 1",
        "desk_sessions_served 1",
        "desk_sessions_agents 1",
        "desk_sessions_begun_total 5",
        "desk_sessions_ended_total{end=\"left_queue\"} 1",
        "desk_sessions_abandoned_total 1",
        "desk_sessions_no_agent_online_total 1",
        "desk_sessions_rated_total{stars=\"5\"} 1",
        "desk_sessions_queue_seconds_count 1",
        "desk_sessions_first_answer_seconds_count 1",
        "desk_sessions_handling_seconds_count 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    promtool(&["check", "metrics"], Some(&text));

    // After a restart the board is what it was, and nothing is counted again.
    process.stop().await;
    let process = start().await;
    let (_, restored) = get(admin, "/api/board").await;
    for part in ["open", "served", "agents", "last_hour"] {
        assert_eq!(restored[part], board[part], "{part}");
    }
    sleep(Duration::from_millis(200)).await;
    assert!(!metrics(admin).await.contains("desk_sessions_begun_total 1"));
    process.stop().await;
}

async fn metrics(admin: u16) -> String {
    let answer =
        exchange(admin, "GET /metrics HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Debian has it in the package `prometheus`.
fn promtool(arguments: &[&str], input: Option<&str>) {
    use std::{io::Write as _, process::Stdio};
    let mut command = Command::new("promtool");
    command
        .args(arguments)
        .current_dir(ROOT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        assert!(std::env::var("CI").is_err(), "promtool is missing (Debian: prometheus)");
        eprintln!("not checked: promtool is missing");
        return;
    };
    child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "promtool {arguments:?}: {output:?}");
}

#[test]
fn alerts_fire_when_they_should() {
    promtool(&["check", "rules", "docs/prometheus/alerts.yml"], None);
    promtool(&["test", "rules", "docs/prometheus/alerts.test.yml"], None);
}

/// Every name in a text that looks like a metric of ours.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'));
    let suffixes = ["_bucket", "_count", "_sum"];
    let base = |word: &str| {
        let base = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word);
        base.to_owned()
    };
    words
        .filter(|word| {
            ["desk_webhook_", "desk_inbox_", "desk_sessions_"].iter().any(|ours| word.starts_with(ours))
        })
        .map(base)
        .collect()
}

#[test]
fn rules_and_dashboard_use_metrics_that_are_served() {
    let documented: BTreeSet<String> = documented().into_iter().map(|(name, _)| name).collect();
    let read = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let (rules, dashboard) =
        (names(&read("docs/prometheus/alerts.yml")), names(&read("docs/grafana/desk.json")));
    assert!(rules.len() > 5 && rules.is_subset(&documented), "{:?}", rules.difference(&documented));
    assert_eq!(dashboard, documented, "the dashboard shows every metric");
    let json: Value = serde_json::from_str(&read("docs/grafana/desk.json")).unwrap();
    let mut ids = BTreeSet::new();
    for panel in json["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
        assert!(panel["type"] == "row" || !panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
}
