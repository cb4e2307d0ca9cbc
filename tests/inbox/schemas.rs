//! The schema in PostgreSQL: whose it is, who may use it, and what is told when it cannot be.

use tencent_desk_webhook::{
    Deliver as _,
    inbox::Inbox,
    testing::{Behaviour, Recorder},
};
use tokio::task::JoinSet;

use crate::{
    places::{accept, deliver, idle, message, numbers, unique},
    process::free_port,
    server,
};

#[tokio::test]
async fn many_may_make_it_at_once_and_two_of_them_have_nothing_in_common() {
    let Some(server) = server::shared() else { return };
    let (one, two) = (format!("one_{}", unique()), format!("two_{}", unique()));
    let mut starting = JoinSet::new();
    for schema in [&one, &two].into_iter().cycle().take(16) {
        let (url, schema) = (server.url(), schema.clone());
        starting.spawn(async move { Inbox::connect_in(&url, &schema).await.unwrap() });
    }
    starting.join_all().await;
    let (one, two) = (
        Inbox::connect_in(&server.url(), &one).await.unwrap(),
        Inbox::connect_in(&server.url(), &two).await.unwrap(),
    );
    accept(&one, &message("s", 1)).await;
    accept(&two, &message("s", 1)).await;
    assert_eq!((one.stats().await.unwrap().waiting, two.stats().await.unwrap().waiting), (1, 1));
}

#[tokio::test]
async fn who_may_make_no_schema_may_use_one_that_is_there() {
    let Some(server) = server::shared() else { return };
    let name = format!("modest_{}", unique());
    server.sql(&format!("CREATE ROLE {name} LOGIN"));
    let url = format!("postgres://{name}@127.0.0.1:{}/postgres", server.port);
    let error = Inbox::connect_in(&url, &name).await.unwrap_err().to_string();
    assert!(error.contains("permission denied"), "{error}");
    server.sql(&format!("CREATE SCHEMA {name} AUTHORIZATION {name}"));
    let inbox = Inbox::connect_in(&url, &name).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    let recorder = Recorder::default();
    drop(deliver(&inbox, &recorder));
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [1]);
}

#[tokio::test]
async fn a_schema_of_a_later_release_is_left_alone() {
    let Some(server) = server::shared() else { return };
    let schema = format!("later_{}", unique());
    drop(Inbox::connect_in(&server.url(), &schema).await.unwrap());
    server.sql(&format!("UPDATE {schema}.inbox_version SET version = 99"));
    let error = Inbox::connect_in(&server.url(), &schema).await.unwrap_err().to_string();
    assert!(error.contains("version 99") && error.contains(&schema), "{error}");
}

#[tokio::test]
async fn an_acknowledgement_is_synced_even_where_that_is_off_by_default() {
    let Some(server) = server::Server::start("synchronous_commit = off") else { return };
    let inbox = Inbox::connect(&server.url()).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    // What was flushed survives at once, without the background writer's next round.
    let mut server = server;
    server.kill();
    server.up();
    assert_eq!(server.sql("SELECT count(*) FROM desk_inbox.event"), "1");
}

#[tokio::test]
async fn what_cannot_be_used_is_told_without_the_password() {
    let closed = free_port();
    for (url, schema, says) in [
        ("mysql://u:hunter2@127.0.0.1/db".to_owned(), "desk", "postgres://"),
        ("postgres://u:hunter2@127.0.0.1/db?sslmode=sometimes".to_owned(), "desk", "sometimes"),
        ("postgres://u:hunter2@127.0.0.1/db?colour=blue".to_owned(), "desk", "colour"),
        ("postgres://u:hunter2@127.0.0.1:port/db".to_owned(), "desk", "port"),
        (format!("postgres://u:hunter2@127.0.0.1:{closed}/db"), "desk", "refused"),
        ("postgres://u:hunter2@127.0.0.1/db".to_owned(), "Desk", "lower-case"),
        ("postgres://u:hunter2@127.0.0.1/db".to_owned(), "desk; DROP TABLE x", "lower-case"),
        ("postgres://u:hunter2@127.0.0.1/db".to_owned(), "", "lower-case"),
        (
            "postgres://u:hunter2@127.0.0.1/db?sslrootcert=/no/such/file&sslmode=verify-ca".to_owned(),
            "desk",
            "/no/such/file",
        ),
        (
            "postgres://u:hunter2@127.0.0.1/db?sslrootcert=system&sslmode=require".to_owned(),
            "desk",
            "verify-full",
        ),
        (
            "postgres://u:hunter2@127.0.0.1/db?sslmode=disable&sslrootcert=system".to_owned(),
            "desk",
            "verify-full",
        ),
    ] {
        let error = Inbox::connect_in(&url, schema).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(says), "{url}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

/// Lanes and events that come after the planner has looked at empty tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_that_were_made_for_empty_tables_do_no_harm() {
    let Some(server) = server::shared() else { return };
    let schema = format!("plans_{}", unique());
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    accept(&inbox, &message("first", 1)).await;
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).sessions(8).start();
    idle(&inbox).await;
    server.sql(&format!("VACUUM ANALYZE {schema}.lane, {schema}.event, {schema}.seen"));
    // So often that each statement has its plan for good.
    for number in 0..8 {
        accept(&inbox, &message("again", number)).await;
        idle(&inbox).await;
    }
    recorder.will(Behaviour::Stall);
    let mut senders = JoinSet::new();
    for number in 0..1000 {
        let inbox = inbox.clone();
        senders.spawn(async move { accept(&inbox, &message(&format!("s{number}"), 1)).await });
    }
    senders.join_all().await;
    recorder.called(9 + 8).await;
    assert_eq!(inbox.stats().await.unwrap().running, 8, "no more than may run");
    recorder.will(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    assert_eq!(recorder.calls().len(), 9 + 1000);
    let _ = workers.drain().await;
}

#[tokio::test]
async fn a_statement_that_fails_fails_alone() {
    let Some(server) = server::shared() else { return };
    let schema = format!("fails_{}", unique());
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    let constraint = format!("ALTER TABLE {schema}.event ADD CONSTRAINT small CHECK (length(json) < 5000)");
    server.sql(&constraint);
    for number in 0..3 {
        let mut large = message("s", 100 + number);
        large.cloud_custom_data = Some("x".repeat(5000));
        let error = inbox.deliver(&large).await.unwrap_err();
        assert!(error.is_unavailable() && error.to_string().contains("small"), "{error}");
        accept(&inbox, &message("s", number)).await;
    }
    let recorder = Recorder::default();
    drop(deliver(&inbox, &recorder));
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [0, 1, 2]);
}
