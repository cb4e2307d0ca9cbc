//! The SQLite file: whose it is, what it may be, and how large it gets.

use std::{fs, path::Path, time::Duration};

use rusqlite::Connection;
use tencent_desk_webhook::{
    inbox::Inbox,
    testing::{APP, Behaviour, Recorder},
};

use crate::places::{Folder, accept, deliver, idle, message, numbers};

#[tokio::test]
async fn it_belongs_to_one_at_a_time_however_it_is_called() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let inbox = Inbox::open(&path).await.unwrap();
    std::os::unix::fs::symlink(&path, folder.join("link")).unwrap();
    for name in ["desk.db", "./desk.db", "link"] {
        let error = Inbox::open(folder.join(name)).await.unwrap_err().to_string();
        assert!(error.contains("open already") && error.contains(name), "{error}");
        assert!(Inbox::open(folder.join(name)).await.unwrap_err().is_locked());
    }
    accept(&inbox, &message("s", 1)).await;

    // Others may read it meanwhile.
    let reader = Connection::open(&path).unwrap();
    let json: String = reader.query_row("SELECT json FROM event", [], |row| row.get(0)).unwrap();
    assert!(json.contains(r#""SessionId":"s""#), "{json}");

    // The next one may have it as soon as this one lets go.
    drop(inbox);
    assert_eq!(Inbox::open(&path).await.unwrap().stats().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn what_is_no_inbox_is_left_alone_and_told() {
    let folder = Folder::new();
    let text = folder.join("text");
    fs::write(&text, "no database at all, but long enough to be looked at".repeat(20)).unwrap();
    let foreign = folder.join("foreign");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    let later = folder.join("later");
    drop(Inbox::open(&later).await.unwrap());
    let later_one = Connection::open(&later).unwrap();
    later_one.pragma_update(None, "user_version", 99).unwrap();
    for (path, says) in [
        (text.clone(), "not even an SQLite file"),
        (foreign.clone(), "another program's"),
        (later, "version 99"),
        (folder.join("no/such/folder/desk.db"), "cannot open"),
    ] {
        let error = Inbox::open(&path).await.unwrap_err();
        assert_eq!(error.is_newer_schema(), says == "version 99");
        let error = error.to_string();
        assert!(error.contains(says) && error.contains(&*path.to_string_lossy()), "{error}");
    }
    assert!(fs::read_to_string(&text).unwrap().starts_with("no database"));
    let tables = "SELECT count(*) FROM sqlite_master";
    let count: i64 = Connection::open(&foreign).unwrap().query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

/// `tests/fixtures/inbox-v1.db` was written by the first release: a done event, a dead letter, one that has failed twice,
/// and one behind it. Every later release has to open it.
#[tokio::test]
async fn a_file_of_the_first_release_opens() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/inbox-v1.db"), &path).unwrap();
    let inbox = Inbox::open(&path).await.unwrap().duplicate_horizon(Duration::MAX);
    let stats = inbox.stats().await.unwrap();
    assert_eq!((stats.retrying, stats.waiting, stats.dead), (1, 1, 1));
    let letter = inbox.dead_letters(0, 10).await.unwrap().remove(0);
    assert_eq!(letter.event, Some(message("dead", 1)));
    // The recorder of that release has set this text.
    assert_eq!((letter.attempts, &*letter.error), (1, "told to fail permanently"));
    accept(&inbox, &message("done", 1)).await;
    assert_eq!(inbox.stats().await.unwrap().waiting, 1, "a repeat of what was done");
    assert!(inbox.requeue(letter.id).await.unwrap());
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "failing"), [1, 2]);
    assert_eq!(numbers(&recorder, "dead"), [1]);
    let _ = workers.drain().await;
}

/// Its rows do not say whose they are.
#[tokio::test]
async fn everything_of_a_session_is_deleted_from_a_file_of_the_first_release() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/inbox-v1.db"), &path).unwrap();
    let inbox = Inbox::open(&path).await.unwrap();
    assert_eq!(inbox.forget_session(APP, "failing").await.unwrap(), 2);
    assert_eq!(inbox.forget_session(APP, "dead").await.unwrap(), 1);
    assert_eq!(inbox.stats().await.unwrap(), Default::default());
}

/// How the fixture was made, in a form that goes on compiling.
#[allow(unused)]
async fn write_the_fixture(path: &Path) {
    let inbox = Inbox::open(path).await.unwrap();
    let recorder = Recorder::default();
    accept(&inbox, &message("done", 1)).await;
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    recorder.set_behaviour(Behaviour::FailPermanently);
    accept(&inbox, &message("dead", 1)).await;
    idle(&inbox).await;
    let _ = workers.drain().await;
    recorder.set_behaviour(Behaviour::Fail);
    accept(&inbox, &message("failing", 1)).await;
    let long = Duration::from_secs(1);
    let workers = inbox.deliver_to(recorder.clone()).backoff(long, long).start();
    recorder.called(4).await;
    accept(&inbox, &message("failing", 2)).await;
    let _ = workers.drain().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_becomes_a_dead_letter() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let inbox = Inbox::open(&path).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    let other = Connection::open(&path).unwrap();
    other.execute("UPDATE event SET json = '{' WHERE id = 1", []).unwrap();
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    assert_eq!(idle(&inbox).await.dead, 1);
    let letter = inbox.dead_letters(0, 1).await.unwrap().remove(0);
    assert_eq!((letter.event, &*letter.json), (None, "{"));
    assert!(letter.error.contains("cannot be read"), "{}", letter.error);
    assert_eq!(numbers(&recorder, "s"), [2]);
    let _ = workers.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_done_costs_at_most_250_bytes() {
    const EVENTS: usize = 20_000;
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let inbox = Inbox::open(&path).await.unwrap();
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..64 {
        let inbox = inbox.clone();
        senders.spawn(async move {
            let mut event = message(&format!("session-{sender}"), sender);
            for number in (sender..EVENTS).step_by(64) {
                event.time += Duration::from_millis(number as u64);
                // As random as a sender's ids are.
                event.request_id = Some(format!("{:x}", event.time.elapsed().unwrap_or_default().as_nanos()));
                accept(&inbox, &event).await;
            }
        });
    }
    senders.join_all().await;
    idle(&inbox).await;
    recorder.forget();
    let _ = workers.drain().await;
    drop(inbox);
    // The last connection carries the log over when it closes.
    drop(Inbox::open(&path).await.unwrap());
    let _reopened = Inbox::open(&path).await.unwrap();
    let bytes = fs::metadata(&path).unwrap().len() as usize / EVENTS;
    assert!((50..=250).contains(&bytes), "{bytes} bytes an event");
}
