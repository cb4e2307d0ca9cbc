//! Handlers that record their event as done in a transaction of their own, in the inbox's PostgreSQL.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, async_trait,
    inbox::{Delivery, Inbox, ReceiptValue},
};
use tokio::time::sleep;
use tokio_postgres::{NoTls, types::ToSql};

use crate::{
    places::{Folder, Place, accept, idle, message, open, postgres, until},
    process::{Process, example_named, free_port},
};

const SESSIONS: usize = 100;
const EVENTS: usize = 20;
const KILLS: usize = 25;

/// The keys of the ledger's rows by session, in the order in which they were written.
fn ledger(place: &Place, address: &str) -> HashMap<String, Vec<String>> {
    let Place::Schema(server, _) = place else { unreachable!() };
    let database = address.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let rows = server.sql_in(database, "SELECT session || ' ' || key FROM ledger ORDER BY id");
    let mut ledger: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows.lines() {
        let (session, key) = row.split_once(' ').unwrap();
        ledger.entry(session.to_owned()).or_default().push(key.to_owned());
    }
    ledger
}

/// Each kill falls somewhere between the handler's transaction and the dispatcher's record of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_has_its_effect_exactly_once_whatever_is_killed() {
    let Some(place) = postgres() else { return };
    let (folder, address) = (Folder::new(), place.address());
    let inbox = open(&address).await;
    let mut expected: HashMap<String, Vec<String>> = HashMap::new();
    for number in 0..EVENTS {
        for session in 0..SESSIONS {
            let event = message(&format!("s{session}"), number);
            accept(&inbox, &event).await;
            expected.entry(event.session_id.clone()).or_default().push(event.dedup_key().to_string());
        }
    }
    drop(inbox);
    let (port, log) = (free_port(), folder.join("log"));
    let start = || Process::start(example_named("exactly_once_postgres", &address, port, &log));
    for _ in 0..KILLS {
        let process = start().await;
        sleep(Duration::from_millis(fastrand::u64(20..200))).await;
        process.kill().await;
    }
    let killed: usize = ledger(&place, &address).values().map(Vec::len).sum();
    let process = start().await;
    let operator = Inbox::operate(&address).await.unwrap();
    until("all is done", async || operator.stats().await.unwrap().oldest.is_none()).await;
    process.stop().await;
    assert_eq!(ledger(&place, &address), expected, "each once, in order");
    assert!((1..SESSIONS * EVENTS).contains(&killed), "{killed} before the last start");
    assert_eq!(operator.stats().await.unwrap().dead, 0);
}

/// Keeps its deliveries, and does not use their receipts.
struct Keeping(Arc<Mutex<Vec<Delivery>>>);

#[async_trait]
impl EventHandler for Keeping {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        self.0.lock().unwrap().push(Delivery::current().unwrap());
        Ok(())
    }
}

/// Leaves its transaction open, with the receipt in it, where the first event of a session is concerned.
struct Leaving(String, Arc<Mutex<Option<tokio_postgres::Client>>>);

#[async_trait]
impl EventHandler for Leaving {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        if event.session_id != "open" {
            return Ok(());
        }
        let receipt = Delivery::current().unwrap().receipt().unwrap();
        let (client, connection) = tokio_postgres::connect(&self.0, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute("BEGIN").await?;
        let parameters = receipt.params.iter().map(|value| match value {
            ReceiptValue::Int(int) => int as &(dyn ToSql + Sync),
            ReceiptValue::Bytes(bytes) => bytes,
        });
        client.query(&receipt.sql, &parameters.collect::<Vec<_>>()).await?;
        *self.1.lock().unwrap() = Some(client);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_with_a_receipt_that_stays_open_holds_up_its_own_session_alone() {
    let Some(place) = postgres() else { return };
    let address = place.address();
    let inbox = open(&address).await;
    accept(&inbox, &message("open", 1)).await;
    let client = Arc::default();
    let workers = inbox.deliver_to(Leaving(address.clone(), Arc::clone(&client))).start();
    until("the handler has ended", async || client.lock().unwrap().is_some()).await;
    for number in 2..5 {
        accept(&inbox, &message("open", number)).await;
        accept(&inbox, &message("other", number)).await;
    }
    until("all others are done", async || {
        let stats = inbox.stats().await.unwrap();
        stats.waiting + stats.running + stats.retrying == 4
    })
    .await;
    let client: tokio_postgres::Client = client.lock().unwrap().take().unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    drop(client);
    let _ = workers.drain().await;
    let recorder = tencent_desk_webhook::testing::Recorder::default();
    let workers = crate::places::deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(crate::places::numbers(&recorder, "open").last(), Some(&4));
    assert!(!crate::places::numbers(&recorder, "open").contains(&1), "its transaction has recorded it");
    let _ = workers.drain().await;
}

/// As of a worker that stood still, and has lost its event meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_comes_late_fails_and_its_transaction_with_it() {
    let Some(place) = postgres() else { return };
    let address = place.address();
    let inbox = open(&address).await;
    accept(&inbox, &message("s", 1)).await;
    let kept = Arc::default();
    let workers = inbox.deliver_to(Keeping(Arc::clone(&kept))).start();
    idle(&inbox).await;
    let receipt = kept.lock().unwrap()[0].receipt().unwrap();
    let (mut client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE effect (x integer)").await.unwrap();
    let change = client.transaction().await.unwrap();
    change.execute("INSERT INTO effect VALUES (1)", &[]).await.unwrap();
    let parameters = receipt.params.iter().map(|value| match value {
        ReceiptValue::Int(int) => int as &(dyn ToSql + Sync),
        ReceiptValue::Bytes(bytes) => bytes,
    });
    let error = change.query(&receipt.sql, &parameters.collect::<Vec<_>>()).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("not held by this delivery any more"), "{error}");
    let _ = change.commit().await;
    let effects: i64 = client.query_one("SELECT count(*) FROM effect", &[]).await.unwrap().get(0);
    assert_eq!(effects, 0);
    let _ = workers.drain().await;
}
