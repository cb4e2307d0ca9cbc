//! Rows of an SQLite file that cannot be read.

use std::{fs, path::Path, time::Duration};

use rusqlite::Connection;
use tencent_desk_webhook::{
    inbox::{Filter, Inbox},
    testing::{APP, Behaviour, Recorder},
};

use crate::places::{Folder, accept, deliver, idle, message, numbers, until};

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
    damage(&path);
    check_that_the_first_is_dead(&path).await;
}

/// It is listed with what is left of it, and deleted by hand or by age.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_overflow_page_of_a_dead_letter_or_an_archived_event_is_in_the_way_of_nothing() {
    for by_hand in [true, false] {
        for behaviour in [Behaviour::FailPermanently, Behaviour::Succeed] {
            let folder = Folder::new();
            let path = folder.join("desk.db");
            let day = Duration::from_secs(24 * 3600);
            let open = async || Inbox::open(&path).await.unwrap().archive(day);
            stored(&path).await;
            let inbox = open().await;
            let recorder = Recorder::default();
            recorder.set_behaviour(behaviour);
            let workers = deliver(&inbox, &recorder);
            idle(&inbox).await;
            let _ = workers.drain().await;
            drop(inbox);
            drop(Inbox::open(&path).await.unwrap());
            damage(&path);

            let inbox = open().await;
            let letters = inbox.dead_letters(0, 9).await.unwrap();
            let archived = inbox.archived(&Filter::all()).await.unwrap();
            let texts: Vec<_> = letters.iter().map(|letter| &letter.json).collect();
            let texts: Vec<_> = texts.into_iter().chain(archived.iter().map(|event| &event.json)).collect();
            assert_eq!(texts.len(), 3, "{behaviour:?}");
            assert!(texts[0].contains("<s-1><s-1>") && texts[0].len() < 15_000, "{}", texts[0].len());
            if let Some(letter) = letters.first() {
                assert!(!inbox.requeue(letter.id).await.unwrap());
            }
            if by_hand && !letters.is_empty() {
                assert!(inbox.discard(letters[0].id).await.unwrap());
                assert!(!inbox.discard(letters[0].id).await.unwrap());
                assert_eq!(inbox.dead_letters(0, 9).await.unwrap().len(), 2);
                assert_eq!(inbox.purge(Duration::ZERO).await.unwrap(), 2);
            } else if by_hand {
                assert_eq!(inbox.forget_session(APP, "s").await.unwrap(), 2);
            } else if !letters.is_empty() {
                assert_eq!(inbox.purge(Duration::ZERO).await.unwrap(), 3);
            } else {
                drop(inbox);
                let inbox = Inbox::open(&path).await.unwrap().archive(Duration::ZERO);
                until("they are old", async || inbox.archived(&Filter::all()).await.unwrap().is_empty())
                    .await;
                continue;
            }
            assert!(inbox.dead_letters(0, 9).await.unwrap().is_empty());
            assert_eq!(inbox.stats().await.unwrap(), Default::default());
            drop(inbox);
            assert_eq!(open().await.stats().await.unwrap(), Default::default(), "after a restart");
        }
    }
}

/// Breaks the chain of the pages of the first event.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    // An overflow page has the number of the next one, and then nothing but content.
    let is_overflow = |page: &[u8]| {
        let (next, content) = page.split_at(4);
        next != [0; 4]
            && content.chunks(5).take(700).all(|chunk| chunk.iter().all(|byte| b"<s-1>".contains(byte)))
    };
    let page = bytes.chunks(4096).position(is_overflow).expect("there is no such page");
    bytes[page * 4096..page * 4096 + 4].fill(0xEE);
    fs::write(path, bytes).unwrap();
}
