//! How fast events are accepted and delivered, beside what the disk allows, and how much room they take.
//!
//! * `cargo bench --bench inbox --all-features`: rates and waits. Ratios of one run count; absolute figures are this
//!   machine's, and its mood's.
//! * `… -- grown`: the same acceptance with an empty store and with one of 500,000 events.
//! * `… -- busy`: how long an acknowledgement takes beside 1,000 handlers that sleep, and beside ones that do nothing.
//! * `… -- soak`: a million events of one millisecond go in and out, with a duplicate horizon of 30 s.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/inbox/server.rs"]
#[allow(dead_code)]
mod server;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait, inbox::Inbox,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

const SENDERS: u64 = 64;
const TIME: Duration = Duration::from_secs(4);

fn main() {
    let folder = Folder::new();
    let server = server::Server::start("max_connections = 300");
    match std::env::args().find(|argument| !argument.starts_with('-') && !argument.contains('/')).as_deref() {
        Some("grown") => grown(&folder, server.as_ref()),
        Some("busy") => busy(&folder, server.as_ref()),
        Some("soak") => soak(&folder, server.as_ref()),
        _ => rates(&folder, server.as_ref()),
    }
}

fn rates(folder: &Folder, server: Option<&server::Server>) {
    let mut table = Table::default();
    for round in 0..ROUNDS {
        let sync = fdatasync(&folder.0);
        table.note("disk: fdatasync p50, µs", sync);
        let raw = run(raw(folder.0.join("raw"))).rate();
        table.note("disk: append + fdatasync in groups, events/s", raw);

        let path = folder.0.join(format!("{round}.db"));
        let accepted = run(accept(Place::File(path.clone())));
        table.note("sqlite: accepted/s", accepted.rate());
        table.note("sqlite: share of the disk's", accepted.rate() / raw);
        table.note("sqlite: acceptance p50, µs", accepted.at(0.5));
        table.note("sqlite: acceptance p99, µs", accepted.at(0.99));
        table.note("sqlite: acceptance p99.9, µs", accepted.at(0.999));
        table.note("sqlite: acceptance p99, of fdatasync p50", accepted.at(0.99) / sync);
        table.note("sqlite: backlog delivered, events/s", run(deliver(Place::File(path))));

        let Some(server) = server else { continue };
        let schema = |name: &str| Place::Schema(server.url(), format!("{name}_{round}"));
        let single = run(one_each(server.url(), format!("single_{round}"))).rate();
        table.note("postgres: one transaction an event, events/s", single);
        let accepted = run(accept(schema("inbox")));
        table.note("postgres: accepted/s", accepted.rate());
        table.note("postgres: times one transaction an event", accepted.rate() / single);
        table.note("postgres: acceptance p50, µs", accepted.at(0.5));
        table.note("postgres: acceptance p99, µs", accepted.at(0.99));
        table.note("postgres: backlog delivered, events/s", run(deliver(schema("inbox"))));
    }
    table.print();
}

fn grown(folder: &Folder, server: Option<&server::Server>) {
    let mut table = Table::default();
    // The empty one before and after, because the disk's mood changes meanwhile.
    let share = |place: &dyn Fn(&str) -> Place| {
        let rate = |name: &str| run(accept(place(name))).rate();
        let before = rate("before");
        run(fill(place("grown")));
        settle(server);
        let grown = rate("grown");
        settle(server);
        grown / ((before + rate("after")) / 2.0)
    };
    for round in 0..ROUNDS {
        let share_of_file = share(&|name| Place::File(folder.0.join(format!("{name}_{round}.db"))));
        table.note("sqlite: accepted/s with 500,000 events, of those with none", share_of_file);
        let Some(server) = server else { continue };
        let share_of_schema = share(&|name| Place::Schema(server.url(), format!("{name}_{round}")));
        table.note("postgres: accepted/s with 500,000 events, of those with none", share_of_schema);
    }
    table.print();
}

fn busy(folder: &Folder, server: Option<&server::Server>) {
    let mut table = Table::default();
    for round in 0..ROUNDS {
        let file = |name: &str| Place::File(folder.0.join(format!("{name}_{round}.db")));
        let idle = run(acknowledge(file("idle"), Duration::ZERO)).at(0.99);
        let busy = run(acknowledge(file("busy"), Duration::from_secs(10))).at(0.99);
        table.note("sqlite: acknowledgement p99, handlers do nothing, µs", idle);
        table.note("sqlite: acknowledgement p99, 1,000 handlers sleep, µs", busy);
        table.note("sqlite: of that beside handlers that do nothing", busy / idle);
        let Some(server) = server else { continue };
        let schema = |name: &str| Place::Schema(server.url(), format!("{name}_{round}"));
        let idle = run(acknowledge(schema("idle"), Duration::ZERO)).at(0.99);
        let busy = run(acknowledge(schema("busy"), Duration::from_secs(10))).at(0.99);
        table.note("postgres: acknowledgement p99, handlers do nothing, µs", idle);
        table.note("postgres: acknowledgement p99, 1,000 handlers sleep, µs", busy);
        table.note("postgres: of that beside handlers that do nothing", busy / idle);
    }
    table.print();
}

fn soak(folder: &Folder, server: Option<&server::Server>) {
    let path = folder.0.join("soak.db");
    let size = || {
        ["", "-wal"]
            .map(|end| fs::metadata(format!("{}{end}", path.display())).map_or(0, |file| file.len()))
            .iter()
            .sum()
    };
    println!("sqlite");
    run(million(Place::File(path.clone()), size));
    let Some(server) = server else { return };
    println!("postgres");
    let size = || server.sql("SELECT pg_database_size('postgres')").parse().unwrap();
    run(million(Place::Schema(server.url(), "soak".to_owned()), size));
}

const ROUNDS: usize = 5;

/// Medians, with the least and the most.
#[derive(Default)]
struct Table(Vec<(&'static str, Vec<f64>)>);

impl Table {
    fn note(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    fn print(self) {
        for (name, mut values) in self.0 {
            values.sort_by(f64::total_cmp);
            let (first, last) = (values[0], values[values.len() - 1]);
            println!("{name:<62} {:>12.2} [{first:.2} - {last:.2}]", values[values.len() / 2]);
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("inbox-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Measured {
    took: Duration,
    micros: Vec<f64>,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.took.as_secs_f64()
    }

    fn at(&self, share: f64) -> f64 {
        self.micros[((self.micros.len() - 1) as f64 * share) as usize]
    }
}

/// Each sender sends one event after another, for a time.
async fn load<F, S>(send: F) -> Measured
where
    F: Fn(u64) -> S + Clone + Send + 'static,
    S: Future<Output = ()> + Send,
{
    let begun = Instant::now();
    let count = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (send, count) = (send.clone(), Arc::clone(&count));
        senders.spawn(async move {
            let mut micros = Vec::new();
            while begun.elapsed() < TIME {
                let sent = Instant::now();
                send(count.fetch_add(1, Ordering::Relaxed)).await;
                micros.push(sent.elapsed().as_secs_f64() * 1e6);
            }
            micros
        });
    }
    let mut micros = Vec::new();
    while let Some(some) = senders.join_next().await {
        micros.extend(some.unwrap());
    }
    micros.sort_by(f64::total_cmp);
    Measured { took: begun.elapsed(), micros }
}

fn fdatasync(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("sync")).unwrap();
    let mut micros: Vec<f64> = (0..500)
        .map(|_| {
            file.write_all(&[7; 4096]).unwrap();
            let begun = Instant::now();
            file.sync_data().unwrap();
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    micros[micros.len() / 2]
}

/// What the disk allows: records of an event's size, written and synced as many at a time as wait.
async fn raw(path: PathBuf) -> Measured {
    let (queue, mut waiting) = mpsc::channel::<oneshot::Sender<()>>(512);
    let writer = std::thread::spawn(move || {
        let mut file = File::create(path).unwrap();
        let mut batch = Vec::new();
        while let Some(first) = waiting.blocking_recv() {
            batch.push(first);
            while let Ok(next) = waiting.try_recv() {
                batch.push(next);
            }
            file.write_all(&vec![7; batch.len() * SAMPLE.len()]).unwrap();
            file.sync_data().unwrap();
            for reply in batch.drain(..) {
                let _ = reply.send(());
            }
        }
    });
    let measured = load(move |_| {
        let queue = queue.clone();
        async move {
            let (reply, done) = oneshot::channel();
            queue.send(reply).await.unwrap();
            done.await.unwrap();
        }
    })
    .await;
    writer.join().unwrap();
    measured
}

enum Place {
    File(PathBuf),
    Schema(String, String),
}

impl Place {
    async fn open(self) -> Inbox {
        match self {
            Self::File(path) => Inbox::open(path).await.unwrap(),
            Self::Schema(url, schema) => Inbox::connect_in(&url, &schema).await.unwrap(),
        }
    }
}

fn events() -> impl Fn(u64) -> Event + Clone {
    let body: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
    let mut record = body;
    record["SdkAppid"] = 7.into();
    record["Raw"] = SAMPLE.into();
    let template: Event = serde_json::from_value(record).unwrap();
    move |number| {
        let mut event = template.clone();
        event.session_id = format!("2baf4d84-beb4-4607-a1ea-{:012}", number % 1000);
        event.request_id = Some(format!(
            "{:032x}",
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        ));
        event.time += Duration::from_millis(number % 1_000_000_000_000);
        event
    }
}

async fn accept(place: Place) -> Measured {
    let (inbox, event) = (place.open().await, events());
    load(move |number| {
        let (inbox, event) = (inbox.clone(), event(number));
        async move { inbox.on_event(&event).await.unwrap() }
    })
    .await
}

/// What was written in a rush is on the disk before the next is measured.
fn settle(server: Option<&server::Server>) {
    if let Some(server) = server {
        server.sql("CHECKPOINT");
    }
    assert!(std::process::Command::new("sync").status().unwrap().success());
}

/// 500,000 events that nobody delivers, unlike those of [`accept`].
async fn fill(place: Place) {
    let (inbox, event) = (place.open().await, events());
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (inbox, event) = (inbox.clone(), event.clone());
        senders.spawn(async move {
            for number in (sender..500_000).step_by(SENDERS as usize) {
                inbox.on_event(&event(u64::MAX / 2 + number)).await.unwrap();
            }
        });
    }
    senders.join_all().await;
}

/// They go in at a pace, and out at the same time.
async fn million(place: Place, size: impl Fn() -> u64) {
    const EVENTS: u64 = 1_000_000;
    const A_SECOND: u64 = 10_000;
    let inbox = place.open().await.duplicate_horizon(Duration::from_secs(30));
    let handler = Nothing::default();
    let workers = inbox.deliver_to(handler.clone()).start();
    let begun = Instant::now();
    let (count, event) = (Arc::new(AtomicU64::new(0)), events());
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (inbox, count, event) = (inbox.clone(), Arc::clone(&count), event.clone());
        senders.spawn(async move {
            let time = event(0).time;
            loop {
                let number = count.fetch_add(1, Ordering::Relaxed);
                if number >= EVENTS {
                    return;
                }
                tokio::time::sleep_until(
                    (begun + Duration::from_secs(1) * (number / 100) as u32 / (A_SECOND / 100) as u32).into(),
                )
                .await;
                let mut event = event(number);
                event.time = time;
                event.client_user_id = None;
                event.session_id = format!("{}-{number}", event.session_id);
                inbox.on_event(&event).await.unwrap();
            }
        });
    }
    println!("  seconds    accepted   delivered    resident MiB    store MiB");
    loop {
        let accepted = count.load(Ordering::Relaxed).min(EVENTS);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap_or("0")
            .trim()
            .trim_end_matches(" kB");
        println!(
            "{:>9} {accepted:>11} {:>11} {:>15} {:>12.1}",
            begun.elapsed().as_secs(),
            handler.0.load(Ordering::Relaxed),
            resident.parse::<u64>().unwrap_or(0) / 1024,
            size() as f64 / f64::from(1 << 20),
        );
        if accepted == EVENTS && inbox.stats().await.unwrap().oldest.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    senders.join_all().await;
    let _ = workers.drain().await;
    assert_eq!(handler.0.load(Ordering::Relaxed), EVENTS, "each once");
}

/// Deliveries at a pace that leaves the machine time, each for the next of 1,000 sessions, whose handlers run meanwhile.
async fn acknowledge(place: Place, sleep: Duration) -> Measured {
    const A_SECOND: u32 = 2000;
    const SECONDS: u32 = 20;
    let inbox = place.open().await;
    let sleeper = Sleeper { sleep, running: Arc::default(), most: Arc::default() };
    let most = Arc::clone(&sleeper.most);
    let workers = inbox.deliver_to(sleeper).sessions(1000).start();
    let webhook = Webhook::new(Verifier::dangerous_unsigned(7), inbox);
    let begun = Instant::now();
    let mut deliveries = JoinSet::new();
    for number in 0..A_SECOND * SECONDS {
        tokio::time::sleep_until((begun + Duration::from_secs(1) * number / A_SECOND).into()).await;
        let webhook = webhook.clone();
        let body = SAMPLE
            .replace("2baf4d84", &(number % 1000).to_string())
            .replace("1725540020017", &(1_725_540_020_017 + u64::from(number)).to_string());
        let request = http::Request::post("/?SdkAppid=7").body(body).unwrap();
        deliveries.spawn(async move {
            let sent = Instant::now();
            assert_eq!(webhook.handle(request).await.status(), 200);
            sent.elapsed().as_secs_f64() * 1e6
        });
    }
    let mut micros = deliveries.join_all().await;
    assert!(sleep.is_zero() || most.load(Ordering::Relaxed) == 1000, "1,000 sessions are active");
    let took = begun.elapsed();
    drop(workers);
    micros.sort_by(f64::total_cmp);
    Measured { took, micros }
}

struct Sleeper {
    sleep: Duration,
    running: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

#[async_trait]
impl EventHandler for Sleeper {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        if !self.sleep.is_zero() {
            let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(running, Ordering::Relaxed);
            tokio::time::sleep(self.sleep).await;
            self.running.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Nothing(Arc<AtomicU64>);

#[async_trait]
impl EventHandler for Nothing {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Events a second, until nothing is left.
async fn deliver(place: Place) -> f64 {
    let inbox = place.open().await;
    let begun = Instant::now();
    let handler = Nothing::default();
    let workers = inbox.deliver_to(handler.clone()).start();
    while inbox.stats().await.unwrap().oldest.is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let rate = handler.0.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    let _ = workers.drain().await;
    rate
}

/// The same senders, each with an inbox of its own, so that every event has its own transaction.
async fn one_each(url: String, schema: String) -> Measured {
    let mut inboxes = Vec::new();
    for _ in 0..SENDERS {
        inboxes.push(Inbox::connect_in(&url, &schema).await.unwrap());
    }
    let (inboxes, event) = (Arc::new(inboxes), events());
    load(move |number| {
        let (inboxes, event) = (Arc::clone(&inboxes), event(number));
        async move { inboxes[number as usize % inboxes.len()].on_event(&event).await.unwrap() }
    })
    .await
}

/// The documented sample.
const SAMPLE: &str = include_str!("../tests/fixtures/desk_session_event_cn_doc.json");
