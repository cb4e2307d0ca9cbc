//! A process that is killed while it receives and delivers.

use std::{fs, path::Path, time::Duration};

use tencent_desk_webhook::testing::Recorder;
use tokio::{process::Command, time::sleep};

use crate::{
    places::{Folder, Place, deliver, idle, on_each_engine, open},
    process::{Process, Senders, check, delivered, deliveries, example, free_port, send},
};

const KILLS: usize = 100;

async fn a_hundred_kills_lose_nothing_that_was_acknowledged(place: Place) {
    let folder = Folder::new();
    let (log, port) = (folder.join("log"), free_port());
    // As a kill may leave it.
    fs::write(&log, "{\"SessionId\":\"问").unwrap();
    let address = place.address();
    let start = async || {
        let mut command = example(&address, port, &log);
        // Kills this close can meet one event again and again: that is no poison.
        command.env("DESK_HANDLER_MS", "1").env("DESK_CRASHES", "1000");
        Process::start(command).await
    };
    let senders = Senders::start(16, &[port]);
    for _ in 0..KILLS {
        let process = start().await;
        sleep(Duration::from_millis(fastrand::u64(1..120))).await;
        process.kill().await;
    }
    let process = start().await;
    sleep(Duration::from_millis(200)).await;
    let acknowledged = senders.stop().await;
    delivered(&acknowledged, &log).await;
    process.stop().await;
    check(&acknowledged, &deliveries(&log));
    let count: usize = acknowledged.values().sum();
    assert!(count > KILLS, "only {count} were acknowledged");

    // What was stored and not acknowledged may be left; nothing of it is dead, and nothing stays.
    let inbox = open(&address).await;
    let workers = deliver(&inbox, &Recorder::default());
    assert_eq!(idle(&inbox).await.dead, 0);
    let _ = workers.drain().await;
}

/// A synced write comes before each acknowledgement: with one sender there are at least as many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledgement_has_had_its_sync() {
    let folder = Folder::new();
    let (port, trace) = (free_port(), folder.join("trace"));
    let mut command = Command::new("strace");
    // -D: what is started, and killed, is the example itself.
    command.args(["-D", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"]).arg(&trace);
    let example = example(&folder.join("desk.db").display().to_string(), port, &folder.join("log"));
    command.arg(example.as_std().get_program());
    for (variable, value) in example.as_std().get_envs() {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    let process = Process::start(command).await;
    let before = syncs(&trace);
    let mut client = None;
    for number in 0..200 {
        assert!(send(&mut client, port, "s", number).await);
    }
    let synced = syncs(&trace) - before;
    process.kill().await;
    assert!(synced >= 200, "{synced} syncs for 200 acknowledgements");
}

fn syncs(trace: &Path) -> usize {
    let trace = fs::read_to_string(trace).unwrap();
    trace.lines().filter(|line| line.contains("sync(") && line.contains("= 0")).count()
}

on_each_engine! {
    a_hundred_kills_lose_nothing_that_was_acknowledged,
}
