//! Rates and waits, beside what the disk allows.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tencent_desk_webhook::{Deliver as _, inbox::Inbox};
use tokio::sync::{mpsc, oneshot};

use crate::{
    load::{Measured, SENDERS, accept, load},
    place::{Folder, Nothing, Place, SAMPLE, events},
    run,
    server::Server,
    table::{ROUNDS, Table},
};

pub(crate) fn measure(folder: &Folder, server: Option<&Server>) {
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
        async move { inboxes[number as usize % inboxes.len()].deliver(&event).await.unwrap() }
    })
    .await
}
