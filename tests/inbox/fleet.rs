//! Receivers and workers as processes of their own, on one PostgreSQL.
//!
//! Each is this test program again, with its role in an environment variable.

use std::{
    collections::HashMap,
    env,
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    process::Stdio,
    time::Duration,
};

use axum::{Router, routing::any};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, Verifier, Webhook, async_trait,
    inbox::{DeadLetter, Inbox},
};
use tokio::{net::TcpListener, process::Command, time::sleep};

use crate::{
    places::{Folder, number, unique, until},
    process::{Process, Senders, check, deliveries, first_deliveries, free_port},
    server,
};

const ROLE: &str = "INBOX_TEST_ROLE";

fn member(role: &str, url: &str, port: u16, log: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "fleet::member_of_a_fleet", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env("INBOX_TEST_URL", url)
        .env("INBOX_TEST_PORT", port.to_string())
        .env("INBOX_TEST_LOG", log)
        .stderr(Stdio::null());
    command
}

/// Does nothing as a test: it is what the processes run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member_of_a_fleet() {
    let Ok(role) = env::var(ROLE) else { return };
    let inbox = Inbox::connect(&env::var("INBOX_TEST_URL").unwrap()).await.unwrap();
    let port = env::var("INBOX_TEST_PORT").unwrap();
    let webhook = Webhook::new(Verifier::dangerous_unsigned(1_400_000_000), inbox.clone());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    let _workers = (role == "worker").then(|| {
        let log =
            OpenOptions::new().create(true).append(true).open(env::var("INBOX_TEST_LOG").unwrap()).unwrap();
        let short = Duration::from_millis(5);
        inbox.deliver_to(Member(log)).lease(Duration::from_secs(1)).backoff(short, short * 8).start()
    });
    println!("\nlistening on {port}");
    axum::serve(listener, Router::new().route("/desk/callback", any(webhook))).await.unwrap();
}

struct Member(File);

#[async_trait]
impl EventHandler for Member {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        sleep(Duration::from_millis(fastrand::u64(..5))).await;
        if is_poison(event) {
            return Err(HandlerError::permanent("poison"));
        }
        if fastrand::u32(..100) < 10 {
            return Err("one in ten".into());
        }
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        (&self.0).write_all(&line)?;
        Ok(())
    }
}

fn is_poison(event: &Event) -> bool {
    event.session_id.ends_with('7') && number(event) == 2
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_receivers_and_four_workers_do_each_event_once_and_in_order() {
    let Some(server) = server::shared() else { return };
    let folder = Folder::new();
    let (log, url) = (folder.join("log"), server.database(&format!("fleet_{}", unique())));
    let mut receivers = Vec::new();
    let mut workers = Vec::new();
    let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
    for port in &ports {
        receivers.push(Process::start(member("receiver", &url, *port, &log)).await);
        workers.push(Process::start(member("worker", &url, free_port(), &log)).await);
    }
    let senders = Senders::start(24, &ports);
    until("there is some work", async || senders.count() > 500).await;
    // One freezes for longer than its lease, and then goes on with lanes that it does not hold any more.
    workers[0].signal("-STOP");
    sleep(Duration::from_secs(3)).await;
    workers[0].signal("-CONT");
    until("there is more work", async || senders.count() > 3000).await;
    let acknowledged = senders.stop().await;

    let inbox = Inbox::connect(&url).await.unwrap();
    until("all is done or dead", async || {
        let stats = inbox.stats().await.unwrap();
        stats.waiting + stats.running + stats.retrying == 0
    })
    .await;
    let dead = inbox.dead_letters(0, 100_000).await.unwrap();
    let mut buried: HashMap<String, Vec<usize>> = HashMap::new();
    for DeadLetter { event, error, .. } in &dead {
        let event = event.as_ref().unwrap();
        assert!(is_poison(event) && error == "poison", "{error}");
        buried.entry(event.session_id.clone()).or_default().push(number(event));
    }
    assert!(!dead.is_empty() && buried.values().all(|numbers| *numbers == [2]), "{buried:?}");

    // With the dead ones put where they belong, every session is complete and in order.
    let mut delivered_or_dead = deliveries(&log);
    for (session, delivered) in &mut delivered_or_dead {
        if buried.contains_key(session) {
            assert!(!delivered.contains(&2), "session {session}: done and dead");
            let mut first = first_deliveries(delivered);
            let place = first.iter().position(|number| *number > 2).unwrap_or(first.len());
            first.insert(place, 2);
            *delivered = first;
        }
    }
    check(&acknowledged, &delivered_or_dead);
    for process in receivers.into_iter().chain(workers) {
        process.kill().await;
    }
}
