//! A backup of an SQLite inbox that is being written to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use tencent_desk_webhook::{inbox::Inbox, testing::Recorder};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::timeout,
};

use crate::places::{Folder, PATIENCE, accept, deliver, idle, message};

/// `.backup` begins again whenever the inbox has written, which a busy one does all the time. `VACUUM INTO` reads in one
/// transaction, beside which the inbox goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_busy_inbox_ends_and_has_all_that_was_acknowledged_before() {
    let folder = Folder::new();
    let (path, copy) = (folder.join("desk.db"), folder.join("copy.db"));
    let inbox = Inbox::open(&path).await.unwrap();
    let filling = 300;
    for number in 0..filling {
        let mut event = message("s", number);
        event.cloud_custom_data = Some("x".repeat(100_000));
        accept(&inbox, &event).await;
    }
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        let (inbox, stop, count) = (inbox.clone(), Arc::clone(&stop), Arc::clone(&count));
        senders.spawn(async move {
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let event = message(&format!("sender-{sender}"), number);
                let stored = timeout(Duration::from_secs(3), accept(&inbox, &event));
                stored.await.expect("an append has waited for the backup");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (source, target) = (path.clone(), copy.display().to_string());
    let backup =
        spawn_blocking(move || Connection::open(source).unwrap().execute("VACUUM INTO ?1", [target]));
    let before = count.load(Ordering::Relaxed);
    timeout(PATIENCE, backup).await.expect("it does not end").unwrap().unwrap();
    stop.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    drop(inbox);

    let check: String =
        Connection::open(&copy).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let inbox = Inbox::open(&copy).await.unwrap();
    let waiting = inbox.stats().await.unwrap().waiting as usize;
    assert!(waiting >= filling + before, "{waiting} of {filling} + {before}");
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), waiting);
    let _ = workers.drain().await;
}
