//! Rows of an SQLite file that cannot be read.

use std::{fs, path::Path};

use rusqlite::Connection;
use tencent_desk_webhook::{inbox::Inbox, testing::Recorder};

use crate::places::{Folder, accept, deliver, idle, message, numbers};

/// Stores two events of a session and one of another, each on several pages, and closes the file.
async fn stored(path: &Path) {
    let inbox = Inbox::open(path).await.unwrap();
    for (session, number) in [("s", 1), ("s", 2), ("other", 1)] {
        let mut event = message(session, number);
        event.cloud_custom_data = Some(format!("<{session}-{number}>").repeat(3000));
        accept(&inbox, &event).await;
    }
    drop(inbox);
    // The last connection empties the log into the file.
    drop(Inbox::open(path).await.unwrap());
}

/// The first event is a dead letter with what is left of it, all others are delivered, and so it stays after a restart.
async fn check_that_the_first_is_dead(path: &Path) {
    let left = "CallbackCommand";
    for start in 1..=2 {
        let inbox = Inbox::open(path).await.unwrap();
        let recorder = Recorder::default();
        let workers = deliver(&inbox, &recorder);
        let stats = idle(&inbox).await;
        let expected = if start == 1 { vec![2] } else { vec![] };
        assert_eq!(numbers(&recorder, "s"), expected);
        assert_eq!(recorder.events().len(), if start == 1 { 2 } else { 0 });
        assert_eq!((stats.dead, stats.waiting), (1, 0));
        let letter = inbox.dead_letters(0, 9).await.unwrap().remove(0);
        assert!(letter.event.is_none() && letter.error.contains("cannot be read"), "{}", letter.error);
        assert!(letter.json.contains(left) && letter.json.contains("<s-1><s-1>"), "{}", letter.json.len());
        let _ = workers.drain().await;
        if start == 2 {
            assert!(inbox.discard(letter.id).await.unwrap());
            assert_eq!(inbox.stats().await.unwrap(), Default::default());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_no_utf_8_becomes_a_dead_letter_and_stops_nothing() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    stored(&path).await;
    // Within a string: what is left of it would still be JSON.
    let damage = "UPDATE event SET json = CAST(substr(CAST(json AS BLOB), 1, 5000) || X'FF' \
                     || substr(CAST(json AS BLOB), 5002) AS TEXT) WHERE id = 1";
    assert_eq!(Connection::open(&path).unwrap().execute(damage, []).unwrap(), 1);
    check_that_the_first_is_dead(&path).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_overflow_page_becomes_a_dead_letter_and_stops_nothing() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    stored(&path).await;
    let mut bytes = fs::read(&path).unwrap();
    // An overflow page has the number of the next one, and then nothing but content.
    let is_overflow = |page: &[u8]| {
        let (next, content) = page.split_at(4);
        next != [0; 4]
            && content.chunks(5).take(700).all(|chunk| chunk.iter().all(|byte| b"<s-1>".contains(byte)))
    };
    let page = bytes.chunks(4096).position(is_overflow).expect("there is no such page");
    bytes[page * 4096..page * 4096 + 4].fill(0xEE);
    fs::write(&path, bytes).unwrap();
    check_that_the_first_is_dead(&path).await;
}
