//! A million events in and out.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tencent_desk_webhook::Deliver as _;
use tokio::task::JoinSet;

use crate::{
    load::SENDERS,
    place::{Folder, Nothing, Place, events},
    run,
    server::Server,
};

pub(crate) fn measure(folder: &Folder, server: Option<&Server>) {
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
                inbox.deliver(&event).await.unwrap();
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
