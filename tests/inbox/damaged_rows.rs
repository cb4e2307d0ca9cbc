//! Rows of a PostgreSQL that cannot be read.

use std::{fs, time::Duration};

use tencent_desk_webhook::{
    Event,
    inbox::{Filter, Inbox},
    testing::{APP, Behaviour, Recorder},
};

use crate::{
    places::{accept, idle, message, numbers, unique},
    server::{self, Server},
};

/// So large that PostgreSQL keeps its JSON in pieces outside the row.
fn large(session: &str, number: usize) -> Event {
    let mut event = message(session, number);
    event.cloud_custom_data = Some((0..20_000).map(|_| fastrand::alphanumeric()).collect());
    event
}

/// Loses the pages with what the tables keep outside their rows, as `zero_damaged_pages` does.
fn damage(server: &mut Server, tables: &[String]) {
    let path = |table: &String| {
        let toast = format!(
            "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = '{table}'::regclass"
        );
        server.data().join(server.sql(&toast))
    };
    let paths: Vec<_> = tables.iter().map(path).collect();
    server.sql("CHECKPOINT");
    server.kill();
    for path in paths {
        let pages = fs::metadata(&path).unwrap().len();
        assert!(pages > 0);
        fs::write(path, vec![0; pages as usize]).unwrap();
    }
    server.up();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_read_becomes_a_dead_letter_and_stops_nothing() {
    let Some(mut server) = Server::start("") else { return };
    let inbox = Inbox::connect(&server.url()).await.unwrap();
    accept(&inbox, &large("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    accept(&inbox, &message("other", 1)).await;
    damage(&mut server, &["desk_inbox.event".to_owned()]);
    assert_eq!(inbox.pending(&Filter::session(APP, "other")).await.unwrap().len(), 1);
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    assert_eq!((numbers(&recorder, "s"), numbers(&recorder, "other")), (vec![2], vec![1]));
    let letter = inbox.dead_letters(0, 9).await.unwrap().remove(0);
    assert!(letter.event.is_none() && letter.error.contains("cannot be read"), "{}", letter.error);
    assert_eq!(inbox.stats().await.unwrap().bytes, 0);
    let _ = workers.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dead_or_archived_and_cannot_be_read_is_listed_and_deleted() {
    let Some(mut server) = Server::start("") else { return };
    let inbox = Inbox::connect(&server.url()).await.unwrap().archive(Duration::from_secs(3600));
    for (session, behaviour) in [("dead", Behaviour::FailPermanently), ("done", Behaviour::Succeed)] {
        accept(&inbox, &large(session, 1)).await;
        accept(&inbox, &message(session, 2)).await;
        let recorder = Recorder::default();
        recorder.set_behaviour(behaviour);
        let workers = inbox.deliver_to(recorder).start();
        idle(&inbox).await;
        let _ = workers.drain().await;
    }
    damage(&mut server, &["desk_inbox.dead_letter".to_owned(), "desk_inbox.archive".to_owned()]);
    // Others are still found by what they hold.
    assert_eq!(inbox.dead_letters_matching(&Filter::session(APP, "dead")).await.unwrap().len(), 1);
    assert_eq!(inbox.archived(&Filter::session(APP, "done")).await.unwrap().len(), 1);
    let letters = inbox.dead_letters(0, 9).await.unwrap();
    let archived = inbox.archived(&Filter::all()).await.unwrap();
    assert_eq!((letters.len(), archived.len()), (2, 2));
    assert!(letters[0].event.is_none() && archived[0].event.is_none());
    assert_eq!(inbox.forget_session(APP, "done").await.unwrap(), 1);
    assert_eq!(inbox.requeue_all(&Filter::all().error_contains("no such error")).await.unwrap(), 0);
    assert!(inbox.discard(letters[0].id).await.unwrap());
    assert_eq!(inbox.stats().await.unwrap().dead, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_event_are_listed_and_deleted() {
    let Some(server) = server::shared() else { return };
    let schema = format!("damage_{}", unique());
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap().archive(Duration::from_secs(3600));
    server.sql(&format!(
        r"INSERT INTO {schema}.dead_letter (id, lane, stored, died, attempts, error, json)
              VALUES (1, '\x', '-infinity', 'infinity', -1, '\xff', '\xff');
          INSERT INTO {schema}.archive (id, lane, stored, delivered, json)
              VALUES (2, '\x01', 'infinity', 'infinity', '\x00');
          INSERT INTO {schema}.event (id, lane, stored, attempts, failing, error, json)
              VALUES (3, '\x02', '-infinity', -5, '-infinity', '\xc3', '{{')"
    ));
    assert_eq!(inbox.dead_letters(0, 9).await.unwrap().len(), 1);
    assert_eq!(inbox.archived(&Filter::all()).await.unwrap().len(), 1);
    assert_eq!(inbox.pending(&Filter::all()).await.unwrap().len(), 1);
    for id in [1, 3] {
        assert!(inbox.discard(id).await.unwrap());
    }
    assert_eq!(inbox.purge(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(inbox.stats().await.unwrap().dead, 0);
}
