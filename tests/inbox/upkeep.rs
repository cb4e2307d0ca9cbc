//! What an SQLite file keeps, and what can be read in it, while it is used.

use std::{fs, path::Path, time::Duration};

use rusqlite::Connection;
use tencent_desk_webhook::{
    Deliver as _,
    inbox::Inbox,
    testing::{Behaviour, Recorder},
};
use tokio::time::timeout;

use crate::{
    outages::SmallDisk,
    places::{Folder, accept, deliver, idle, message, until},
};

const MARK: &str = "a customer's words";

/// Stores 18 MB.
async fn fill(inbox: &Inbox) {
    for number in 0..1000 {
        let mut event = message(&format!("s-{}", number % 50), number);
        event.cloud_custom_data = Some(MARK.repeat(1000));
        accept(inbox, &event).await;
    }
}

fn bytes(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// Whether a file of the folder has the mark in it.
fn is_readable(folder: &Path) -> bool {
    let has = |bytes: Vec<u8>| bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
    fs::read_dir(folder).unwrap().any(|entry| fs::read(entry.unwrap().path()).is_ok_and(has))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivered_payloads_are_gone_and_the_file_shrinks() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let inbox = Inbox::open(&path).await.unwrap();
    fill(&inbox).await;
    assert!(is_readable(path.parent().unwrap()) && bytes(path.parent().unwrap()) > 15 << 20);
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    until("the payloads are gone", async || !is_readable(path.parent().unwrap())).await;
    // The reserve is one of them.
    until("the pages are given back", async || bytes(path.parent().unwrap()) < 4 << 20).await;
    let _ = workers.drain().await;
}

/// Where the file is not mostly empty, its free pages are overwritten, at the latest when it is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_is_gone_also_among_many_that_wait() {
    for at_once in [false, true] {
        let folder = Folder::new();
        let path = folder.join("desk.db");
        let directory = path.parent().unwrap();
        let inbox = Inbox::open(&path).await.unwrap();
        let recorder = Recorder::default();
        let mut event = message("s", 0);
        event.cloud_custom_data = Some(MARK.repeat(1000));
        accept(&inbox, &event).await;
        assert!(is_readable(directory));
        let workers = deliver(&inbox, &recorder);
        idle(&inbox).await;
        let _ = workers.drain().await;
        for number in 1..20 {
            let mut event = message("waiting", number);
            event.cloud_custom_data = Some("x".repeat(10_000));
            accept(&inbox, &event).await;
        }
        if at_once {
            drop(inbox);
        }
        until("the payload is gone", async || !is_readable(directory)).await;
    }
}

/// The first release neither overwrote what it deleted nor gave its room back.
#[tokio::test]
async fn a_file_of_the_first_release_is_cleaned_when_it_is_opened() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../src/inbox/sqlite/schema.sql")).unwrap();
    old.pragma_update(None, "application_id", i32::from_be_bytes(*b"desk")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    for id in 0..100 {
        old.execute(
            "INSERT INTO event (id, lane, stored, json) VALUES (?, zeroblob(16), 0, ?)",
            (id, MARK.repeat(1000)),
        )
        .unwrap();
    }
    old.execute("DELETE FROM event", []).unwrap();
    drop(old);
    assert!(is_readable(path.parent().unwrap()));
    let inbox = Inbox::open(&path).await.unwrap();
    until("it is clean", async || !is_readable(path.parent().unwrap())).await;
    assert_eq!(inbox.stats().await.unwrap().waiting, 0);
    assert!(fs::metadata(&path).unwrap().len() < 200 << 10);
}

/// Longer than any sender waits is five seconds, for which SQLite used to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_reads_delays_no_append() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    drop(Inbox::open(&path).await.unwrap());
    let reader = Connection::open(&path).unwrap();
    let inbox = Inbox::open(&path).await.unwrap();
    accept(&inbox, &message("s", 0)).await;
    reader.execute_batch("BEGIN; SELECT count(*) FROM event").unwrap();
    drop(inbox);
    // The first append of a process empties the log, and each 200th page is a checkpoint.
    let inbox = Inbox::open(&path).await.unwrap();
    for number in 1..200 {
        let appended = timeout(Duration::from_secs(3), accept(&inbox, &message("s", number))).await;
        assert!(appended.is_ok(), "append {number} has waited for the reader");
    }
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(inbox.stats().await.unwrap().waiting, 200);
}

#[tokio::test]
async fn a_key_that_was_stamped_in_the_future_does_not_stop_forgetting() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let inbox = Inbox::open(&path).await.unwrap().duplicate_horizon(Duration::ZERO);
    for number in 0..5 {
        accept(&inbox, &message("s", number)).await;
    }
    let other = Connection::open(&path).unwrap();
    // A clock that was wrong for a moment.
    let future = "UPDATE seen SET stored = 1 << 60 WHERE id IN (1, 2, 4)";
    assert_eq!(other.execute(future, []).unwrap(), 3);
    let workers = deliver(&inbox, &Recorder::default());
    idle(&inbox).await;
    until("the keys are forgotten", async || {
        other.query_row("SELECT count(*) = 0 FROM seen", [], |row| row.get(0)).unwrap()
    })
    .await;
    let _ = workers.drain().await;
}

/// Whatever is written to a deleted file is lost when the process ends.
#[tokio::test]
async fn nothing_is_acknowledged_after_the_file_was_deleted() {
    for name in ["desk.db", "desk.db-wal"] {
        let folder = Folder::new();
        let inbox = Inbox::open(folder.join("desk.db")).await.unwrap();
        accept(&inbox, &message("s", 1)).await;
        fs::rename(folder.join(name), folder.join("moved")).unwrap();
        let error = inbox.deliver(&message("s", 2)).await.unwrap_err();
        assert!(error.is_unavailable() && error.to_string().contains("deleted or replaced"), "{error}");
        fs::rename(folder.join("moved"), folder.join(name)).unwrap();
        accept(&inbox, &message("s", 2)).await;
        assert!(inbox.dead_letters(0, 1).await.unwrap().is_empty());
    }
}

/// As a health check: it fails when an event could not be stored.
#[tokio::test]
async fn the_check_fails_on_a_full_disk_and_for_a_deleted_file() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.0.join("desk.db");
    let inbox = Inbox::open(&path).await.unwrap();
    let operator = Inbox::operate(path.to_str().unwrap()).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    inbox.check().await.unwrap();
    operator.check().await.unwrap();

    let filler = disk.0.join("filler");
    let _ = fs::write(&filler, vec![7; 64 << 20]);
    let error = inbox.check().await.unwrap_err().to_string();
    assert!(error.contains("disk"), "{error}");
    assert!(operator.check().await.is_err());
    fs::remove_file(&filler).unwrap();
    inbox.check().await.unwrap();

    fs::rename(&path, disk.0.join("moved")).unwrap();
    let error = inbox.check().await.unwrap_err().to_string();
    assert!(error.contains("deleted"), "{error}");
    drop(inbox);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_events_are_counted_and_delivered_by_several_claims() {
    let folder = Folder::new();
    let inbox = Inbox::open(folder.join("desk.db")).await.unwrap();
    for session in 0..40 {
        for number in 0..2 {
            let mut event = message(&session.to_string(), number);
            event.cloud_custom_data = Some("x".repeat(900 << 10));
            accept(&inbox, &event).await;
        }
    }
    let bytes = inbox.stats().await.unwrap().bytes;
    assert!((73_728_000..74_000_000).contains(&bytes), "{bytes}");
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let workers = inbox.deliver_to(recorder.clone()).start();
    // Each lane brings one event at a time, and a claim eight lanes; the next one brings the next ones.
    recorder.called(40).await;
    assert_eq!(inbox.stats().await.unwrap().running, 40);
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    assert_eq!(inbox.stats().await.unwrap().bytes, 0);
    assert_eq!(recorder.events().len(), 80);
    let _ = workers.drain().await;
}
