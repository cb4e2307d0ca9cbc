//! A fixed number of events, accepted and delivered once: to compare two builds by turns, and for `perf` and `callgrind`.

use std::{
    fs,
    time::{Duration, Instant},
};

use tencent_desk_webhook::Deliver as _;
use tokio::task::JoinSet;

use crate::{
    load::SENDERS,
    place::{Folder, Nothing, Place, events},
    run,
};

pub(crate) fn measure(folder: &Folder, count: u64, url: Option<&str>) {
    let schema = format!("work_{}", std::process::id());
    let place = || match url {
        Some(url) => Place::Schema(url.to_owned(), schema.clone()),
        None => Place::File(folder.0.join("work.db")),
    };
    run(accept(place(), count));
    run(deliver(place(), count));
}

async fn accept(place: Place, count: u64) {
    let (inbox, event) = (place.open().await, events());
    let begun = (Instant::now(), cpu_seconds());
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (inbox, event) = (inbox.clone(), event.clone());
        senders.spawn(async move {
            for number in (sender..count).step_by(SENDERS as usize) {
                inbox.deliver(&event(number)).await.unwrap();
            }
        });
    }
    senders.join_all().await;
    print("accepted", count, begun);
}

async fn deliver(place: Place, count: u64) {
    let inbox = place.open().await;
    let begun = (Instant::now(), cpu_seconds());
    let workers = inbox.deliver_to(Nothing::default()).start();
    while inbox.stats().await.unwrap().oldest.is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    print("delivered", count, begun);
    let _ = workers.drain().await;
}

fn print(what: &str, count: u64, (begun, cpu): (Instant, f64)) {
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let micros = (cpu_seconds() - cpu) * 1e6 / count as f64;
    println!("{what} {rate:.0} events/s, {micros:.2} µs of CPU time an event");
}

/// Of this process, in user and system mode.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}
