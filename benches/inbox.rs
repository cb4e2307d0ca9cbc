//! How fast events are accepted and delivered, beside what the disk allows. `cargo bench --bench inbox --all-features`
//!
//! Ratios of one run count; absolute figures are this machine's, and its mood's.

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

use tencent_desk_webhook::{Event, EventHandler, HandlerResult, async_trait, inbox::Inbox};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

const SENDERS: u64 = 64;
const TIME: Duration = Duration::from_secs(4);

fn main() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let folder = Folder::new();
    let server = server::Server::start("max_connections = 300");
    let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
    for round in 0..rounds {
        let mut note =
            |name: &'static str, value: f64| match rows.iter_mut().find(|(other, _)| *other == name) {
                Some((_, values)) => values.push(value),
                None => rows.push((name, vec![value])),
            };
        let sync = fdatasync(&folder.0);
        note("disk: fdatasync p50, µs", sync);
        let raw = run(raw(folder.0.join("raw"))).rate();
        note("disk: append + fdatasync in groups, events/s", raw);

        let path = folder.0.join(format!("{round}.db"));
        let accepted = run(accept(Place::File(path.clone())));
        note("sqlite: accepted/s", accepted.rate());
        note("sqlite: share of the disk's", accepted.rate() / raw);
        note("sqlite: acceptance p50, µs", accepted.at(0.5));
        note("sqlite: acceptance p99, µs", accepted.at(0.99));
        note("sqlite: acceptance p99.9, µs", accepted.at(0.999));
        note("sqlite: acceptance p99, of fdatasync p50", accepted.at(0.99) / sync);
        note("sqlite: delivered/s of the backlog", run(deliver(Place::File(path))));

        let Some(server) = &server else { continue };
        let schema = |name: &str| Place::Schema(server.url(), format!("{name}_{round}"));
        let single = run(one_each(server.url(), format!("single_{round}"))).rate();
        note("postgres: one transaction an event, events/s", single);
        let accepted = run(accept(schema("inbox")));
        note("postgres: accepted/s", accepted.rate());
        note("postgres: times one transaction an event", accepted.rate() / single);
        note("postgres: acceptance p50, µs", accepted.at(0.5));
        note("postgres: acceptance p99, µs", accepted.at(0.99));
        note("postgres: delivered/s of the backlog", run(deliver(schema("inbox"))));
    }
    for (name, mut values) in rows {
        values.sort_by(f64::total_cmp);
        let (first, last) = (values[0], values[values.len() - 1]);
        println!("{name:<50} {:>12.2} [{first:.2} - {last:.2}]", values[values.len() / 2]);
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
        event.time += Duration::from_millis(number);
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
