//! Receivers and workers as processes of their own, on one PostgreSQL, while all of them are killed, frozen and cut off, the
//! server crashes, and some events abort their process.
//!
//! `DESK_TEST_SECONDS`, `DESK_TEST_KILLS` and `DESK_TEST_ABORTING` make the same test longer.

use std::{
    collections::BTreeSet,
    env,
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    process,
    time::{Duration, Instant},
};

use axum::{Router, routing::any};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait,
    inbox::{DeadLetter, Inbox},
};
use tokio::{net::TcpListener, process::Command, time::sleep};

use crate::{
    outages::Line,
    places::Folder,
    process::{Process, Senders, check, deliveries, errors, free_port, send},
    server::Server,
};

const ROLE: &str = "INBOX_ENDURANCE_ROLE";

/// Does nothing as a test: it is what the processes run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member() {
    let Ok(role) = env::var(ROLE) else { return };
    let variable = |name: &str| env::var(format!("INBOX_ENDURANCE_{name}")).unwrap();
    let inbox = loop {
        match Inbox::connect(&variable("URL")).await {
            Ok(inbox) => break inbox,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    let webhook = Webhook::new(Verifier::dangerous_unsigned(1_400_000_000), inbox.clone());
    let listener = TcpListener::bind(format!("127.0.0.1:{}", variable("PORT"))).await.unwrap();
    let _workers = (role == "worker").then(|| {
        let log = OpenOptions::new().create(true).append(true).open(variable("LOG")).unwrap();
        inbox.deliver_to(Member(log)).lease(Duration::from_secs(1)).start()
    });
    println!("\nlistening on {}", variable("PORT"));
    axum::serve(listener, Router::new().route("/desk/callback", any(webhook))).await.unwrap();
}

struct Member(File);

#[async_trait]
impl EventHandler for Member {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        sleep(Duration::from_millis(fastrand::u64(..5))).await;
        if aborts(event) {
            process::abort();
        }
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        (&self.0).write_all(&line)?;
        Ok(())
    }
}

fn aborts(event: &Event) -> bool {
    event.session_id.starts_with("aborting")
}

struct Fleet {
    members: Vec<(Command, Process)>,
    aborts: usize,
}

impl Fleet {
    async fn start(urls: &[(&str, String, u16)], log: &Path) -> Self {
        let mut members = Vec::new();
        for (role, url, port) in urls {
            let mut command = Command::new(env::current_exe().unwrap());
            command
                .args(["--exact", "endurance::member", "--nocapture", "--test-threads=1"])
                .env(ROLE, role)
                .env("INBOX_ENDURANCE_URL", url)
                .env("INBOX_ENDURANCE_PORT", port.to_string())
                .env("INBOX_ENDURANCE_LOG", log)
                .stderr(File::options().create(true).append(true).open(errors(log)).unwrap());
            let process = Process::start_again(&mut command).await;
            members.push((command, process));
        }
        Self { members, aborts: 0 }
    }

    fn any(&mut self) -> &mut (Command, Process) {
        let number = fastrand::usize(..self.members.len());
        &mut self.members[number]
    }

    async fn kill_one(&mut self) {
        let (command, process) = self.any();
        process.kill_now().await;
        *process = Process::start_again(command).await;
    }

    async fn freeze_one(&mut self) {
        let (_, process) = self.any();
        if !process.has_ended() {
            process.signal("-STOP");
            sleep(Duration::from_millis(fastrand::u64(200..2500))).await;
            process.signal("-CONT");
        }
    }

    async fn start_those_that_aborted(&mut self) {
        for (command, process) in &mut self.members {
            if process.has_ended() {
                self.aborts += 1;
                *process = Process::start_again(command).await;
            }
        }
    }
}

/// Returns how many connections it has cut.
fn cut_connections(server: &Server) -> usize {
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < 0.5";
    server.sql(cut).parse().unwrap()
}

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_loses_nothing_and_buries_no_innocent_event_whatever_happens() {
    let Some(mut server) = Server::start("max_connections = 300") else { return };
    let seconds = number("DESK_TEST_SECONDS", 20);
    let (kills, aborting) = (number("DESK_TEST_KILLS", 10), number("DESK_TEST_ABORTING", 3));
    let folder = Folder::new();
    let log = folder.join("log");
    let line = Line::to(server.port).await;
    // Half of them have a line that can be cut.
    let url = |number: usize| server.url_at(if number.is_multiple_of(2) { server.port } else { line.port });
    let receivers = (0..2).map(|number| ("receiver", url(number), free_port()));
    let workers = (0..4).map(|number| ("worker", url(number), free_port()));
    let members: Vec<_> = receivers.chain(workers).collect();
    let ports: Vec<u16> = members.iter().map(|(.., port)| *port).collect();
    let mut fleet = Fleet::start(&members, &log).await;
    let senders = Senders::start(8, &ports);

    let begun = Instant::now();
    let (mut killed, mut frozen, mut cut, mut crashed) = (0, 0, 0, 0);
    let (mut sent, mut client) = (0, None);
    let pause = (seconds * 1000 / kills.max(1)) as u64;
    while killed < kills || sent < aborting || begun.elapsed() < Duration::from_secs(seconds as u64) {
        sleep(Duration::from_millis(fastrand::u64(..pause.max(1)))).await;
        fleet.start_those_that_aborted().await;
        let is_time = begun.elapsed().as_secs() as usize * aborting >= sent * seconds;
        if sent < aborting && is_time {
            let port = ports[fastrand::usize(..ports.len())];
            sent += usize::from(send(&mut client, port, &format!("aborting{sent}"), 0).await);
        }
        fleet.kill_one().await;
        killed += 1;
        if fastrand::u8(..3) == 0 {
            fleet.freeze_one().await;
            frozen += 1;
        }
        match fastrand::u8(..30) {
            0..5 => cut += cut_connections(&server),
            5..10 => cut += line.cut(),
            10..12 => {
                server.crash();
                server.up();
                crashed += 1;
            }
            _ => {}
        }
    }
    let acknowledged = senders.stop().await;

    // Nothing happens any more, except that the last events abort their processes.
    let inbox = Inbox::connect(&server.url()).await.unwrap();
    let calm = Instant::now();
    while inbox.stats().await.unwrap().oldest.is_some() {
        fleet.start_those_that_aborted().await;
        assert!(calm.elapsed() < Duration::from_secs(300), "{:?}", inbox.stats().await);
        sleep(Duration::from_millis(100)).await;
    }
    check(&acknowledged, &deliveries(&log));
    let dead = inbox.dead_letters(0, 100_000).await.unwrap();
    let innocent = |letter: &&DeadLetter| letter.event.as_ref().is_none_or(|event| !aborts(event));
    let innocent: Vec<_> = dead.iter().filter(innocent).collect();
    assert!(innocent.is_empty(), "{innocent:?}");
    let dead: BTreeSet<_> =
        dead.iter().flat_map(|letter| &letter.event).map(|event| &event.session_id).collect();
    for number in 0..sent {
        assert!(dead.contains(&format!("aborting{number}")), "{number} of {sent}: {dead:?}");
    }
    let events: usize = acknowledged.values().sum();
    eprintln!(
        "{} s: {events} events and {sent} aborting ones; {killed} kills, {} aborts, {frozen} freezes, {cut} connections cut, \
         {crashed} crashes of PostgreSQL",
        begun.elapsed().as_secs(),
        fleet.aborts,
    );
    assert!(events > 100, "only {events} were acknowledged");
    for (_, process) in fleet.members {
        process.kill().await;
    }
}
