//! The schema in PostgreSQL: its owner, who may use it, and the errors if it cannot be used.

use tencent_desk_webhook::{
    Deliver as _,
    inbox::{Filter, Inbox, Stats},
    testing::{Behaviour, Recorder},
};
use tokio::task::JoinSet;

use crate::{
    places::{accept, deliver, idle, message, numbers, unique, until},
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

/// The grants that are documented for a role that uses the inbox and does not own it.
#[tokio::test]
async fn a_role_with_the_documented_grants_may_use_the_inbox_of_another() {
    let Some(server) = server::shared() else { return };
    let (schema, owner, user) =
        (format!("granted_{}", unique()), format!("owner_{}", unique()), format!("user_{}", unique()));
    let database = format!("granted_{}", unique());
    server.sql(&format!("CREATE ROLE {owner} LOGIN; CREATE ROLE {user} LOGIN"));
    server.sql(&format!("CREATE DATABASE {database} OWNER {owner}"));
    let url = |role: &str| format!("postgres://{role}@127.0.0.1:{}/{database}", server.port);
    drop(Inbox::connect_in(&url(&owner), &schema).await.unwrap());
    server.sql_in(
        &database,
        &format!(
            "GRANT USAGE ON SCHEMA {schema} TO {user};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {user}"
        ),
    );
    let inbox = Inbox::connect_in(&url(&user), &schema).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    let recorder = Recorder::default();
    drop(deliver(&inbox, &recorder));
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [1]);
}

#[tokio::test]
async fn a_schema_that_another_role_has_prepared_is_refused() {
    let Some(server) = server::shared() else { return };
    let database = format!("prepared_{}", unique());
    let (mallory, desk) = (format!("mallory_{}", unique()), format!("desk_{}", unique()));
    server.sql(&format!("CREATE ROLE {mallory} LOGIN; CREATE ROLE {desk} LOGIN"));
    server.sql(&format!("CREATE DATABASE {database}"));
    server.sql_in(&database, &format!("GRANT CREATE ON DATABASE {database} TO {mallory}, {desk}"));
    let url = |role: &str| format!("postgres://{role}@127.0.0.1:{}/{database}", server.port);
    let refused = async |schema: &str, says: &str| {
        for role in [&desk[..], "postgres"] {
            let error = Inbox::connect_in(&url(role), schema).await.unwrap_err().to_string();
            assert!(error.contains(&mallory) && error.contains(says), "{role}: {error}");
        }
    };

    // The whole schema, with everything in it that the inbox needs, for all to use.
    drop(Inbox::connect_in(&url(&mallory), "whole").await.unwrap());
    server.sql_in(
        &database,
        "GRANT ALL ON SCHEMA whole TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA whole TO PUBLIC",
    );
    refused("whole", "belongs to").await;

    // A table, a function that a statement could call, or a trigger on a table of ours.
    drop(Inbox::connect_in(&url("postgres"), "part").await.unwrap());
    server.sql_in(&database, &format!("ALTER TABLE part.event OWNER TO {mallory}"));
    refused("part", "event belongs to").await;
    server.sql_in(&database, "ALTER TABLE part.event OWNER TO postgres");
    server.sql_in(&database, &format!("GRANT CREATE ON SCHEMA part TO {mallory}"));
    refused("part", "may create").await;
    server.sql_in(
        &database,
        &format!(
            "REVOKE CREATE ON SCHEMA part FROM {mallory}; CREATE SCHEMA elsewhere;
             CREATE FUNCTION elsewhere.copy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER copy BEFORE INSERT ON part.event FOR EACH ROW EXECUTE FUNCTION elsewhere.copy();
             ALTER FUNCTION elsewhere.copy OWNER TO {mallory}"
        ),
    );
    refused("part", "trigger copy").await;
    server.sql_in(&database, "DROP TRIGGER copy ON part.event");
    accept(&Inbox::connect_in(&url("postgres"), "part").await.unwrap(), &message("s", 1)).await;
}

#[tokio::test]
async fn a_role_that_may_only_connect_cannot_block_a_start() {
    let Some(server) = server::shared() else { return };
    let schema = format!("blocked_{}", unique());
    let lock = format!("SELECT pg_advisory_lock(hashtext('tencent-desk-webhook {schema}')), pg_sleep(60)");
    let mut holder = server.psql("postgres", &lock).spawn().unwrap();
    until("the lock is held", async || {
        server.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != "0"
    })
    .await;
    let inbox = Inbox::connect_in(&server.url(), &schema).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()");
    accept(&inbox.unwrap(), &message("s", 1)).await;
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
async fn errors_about_a_url_repeat_no_part_of_it() {
    let closed = free_port();
    for (url, schema, says) in [
        ("mysql://u:hunter2@127.0.0.1/db".to_owned(), "desk", "postgres://"),
        ("postgres://u:p@127.0.0.1/db?sslmode=hunter2".to_owned(), "desk", "sslmode"),
        ("postgres://u:p@127.0.0.1/db?hunter2=blue".to_owned(), "desk", "unknown parameter"),
        ("postgres://u:p@127.0.0.1/db?port=hunter2".to_owned(), "desk", "port"),
        ("postgres://u:hunter2@127.0.0.1:port/db".to_owned(), "desk", "cannot be read"),
        ("postgres://u:5432@127.0.0.1:hunter2/db".to_owned(), "desk", "cannot be read"),
        // A password that is not encoded.
        ("postgres://u:x?hunter2@h/db".to_owned(), "desk", "%3F"),
        ("postgres://u:1?hunter2=@h/db".to_owned(), "desk", "%3F"),
        ("postgres://u:1?sslmode=hunter2@h/db".to_owned(), "desk", "%3F"),
        ("postgres://u:1?hunter2".to_owned(), "desk", "%3F"),
        ("postgres://u:x@hunter2/y@h/db".to_owned(), "desk", "%40"),
        // The arguments in the wrong order.
        ("postgres://u:p@127.0.0.1/db".to_owned(), "postgres://u:hunter2@127.0.0.1/db", "lower-case"),
        ("host=127.0.0.1 password=hunter2".to_owned(), "desk", "postgres://"),
        (format!("postgres://u:hunter2@127.0.0.1:{closed}/db"), "desk", "refused"),
        (format!("Postgres://u:hunter2@127.0.0.1:{closed}/db"), "desk", "refused"),
        (format!("POSTGRESQL://u:hunter2@127.0.0.1:{closed}/db"), "desk", "refused"),
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
        (
            "postgres://u:hunter2@127.0.0.1/db?sslmode=prefer&sslrootcert=/no/such/file".to_owned(),
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
    recorder.set_behaviour(Behaviour::Stall);
    let mut senders = JoinSet::new();
    for number in 0..1000 {
        let inbox = inbox.clone();
        senders.spawn(async move { accept(&inbox, &message(&format!("s{number}"), 1)).await });
    }
    senders.join_all().await;
    recorder.called(9 + 8).await;
    assert_eq!(inbox.stats().await.unwrap().running, 8, "no more than may run");
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    assert_eq!(recorder.calls().len(), 9 + 1000);
    let _ = workers.drain().await;
}

/// With events that wait, have failed and are dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_the_first_release_is_upgraded_in_place_and_delivered() {
    let Some(server) = server::shared() else { return };
    let schema = format!("first_{}", unique());
    let json = |number| serde_json::to_string(&message("s", number)).unwrap().replace('\'', "''");
    let rows: Vec<String> = (1..=3)
        .map(|number| {
            let table = if number == 3 {
                "dead_letter (id, lane, json, stored, attempts, error)"
            } else {
                "event (id, lane, json)"
            };
            let rest = if number == 3 { ", now(), 1, 'no'" } else { "" };
            format!(
                "INSERT INTO seen (key) VALUES ('{number}');
                 INSERT INTO {table} VALUES ({number}, 'lane-of-16-bytes', convert_to('{}', 'UTF8'){rest});",
                json(number)
            )
        })
        .collect();
    server.sql(&format!(
        "CREATE SCHEMA {schema}; SET search_path TO {schema};
         CREATE TABLE inbox_version (version integer NOT NULL); INSERT INTO inbox_version VALUES (1);
         {} {} INSERT INTO lane (lane) VALUES ('lane-of-16-bytes');
         UPDATE event SET attempts = 2, error = 'not yet' WHERE id = 1;",
        include_str!("../../src/inbox/postgres/schema.sql"),
        rows.join("")
    ));
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    let stats = inbox.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.retrying, stats.dead), (1, 1, 1));
    assert_eq!(stats.bytes as usize, json(1).len() + json(2).len());
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [1, 2]);
    let _ = workers.drain().await;
    assert_eq!(server.sql(&format!("SELECT version FROM {schema}.inbox_version")), "4");
    assert_eq!(inbox.stats().await.unwrap().dead, 1);
}

#[tokio::test]
async fn a_server_that_is_read_only_fails_the_check() {
    let Some(server) = server::Server::start("") else { return };
    let inbox = Inbox::connect(&server.url()).await.unwrap();
    inbox.check().await.unwrap();
    assert_eq!(server.sql("SELECT count(*) FROM desk_inbox.event, desk_inbox.lane, desk_inbox.seen"), "0");
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.sql("SELECT pg_reload_conf()");
    until("the check fails", async || {
        inbox.check().await.is_err_and(|error| error.to_string().contains("read-only"))
    })
    .await;
    assert!(inbox.stats().await.is_ok());
    server.sql("ALTER SYSTEM RESET default_transaction_read_only");
    server.sql("SELECT pg_reload_conf()");
    until("it passes again", async || inbox.check().await.is_ok()).await;
}

/// After any operation, by receivers, workers and operators.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_those_of_the_tables() {
    let Some(server) = server::shared() else { return };
    let schema = format!("counts_{}", unique());
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    let recorder = Recorder::default();
    for number in 0..30 {
        accept(&inbox, &message(&format!("s{}", number % 7), number)).await;
    }
    recorder.set_behaviour(Behaviour::FailPermanently);
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(inbox.requeue_all(&Filter::session(1_400_000_000, "s3")).await.unwrap(), 4);
    recorder.set_behaviour(Behaviour::Fail);
    for number in 30..40 {
        accept(&inbox, &message("fails", number)).await;
    }
    let _ = workers.drain().await;
    inbox.discard(1).await.unwrap();
    let counted = |stats: Stats| (stats.waiting + stats.running + stats.retrying, stats.dead, stats.bytes);
    let real = format!(
        "SELECT (SELECT count(*) FROM {schema}.event), (SELECT count(*) FROM {schema}.dead_letter),
            (SELECT coalesce(sum(octet_length(json)), 0) FROM {schema}.event)"
    );
    let stats = counted(inbox.stats().await.unwrap());
    assert_eq!(format!("{}|{}|{}", stats.0, stats.1, stats.2), server.sql(&real));

    server.sql(&format!(
        "INSERT INTO {schema}.event (id, lane, json)
         SELECT 1000000 + number, 'many', '{{}}' FROM generate_series(1, 100000) AS number"
    ));
    let stats = counted(inbox.stats().await.unwrap());
    assert_eq!(format!("{}|{}|{}", stats.0, stats.1, stats.2), server.sql(&real));
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
