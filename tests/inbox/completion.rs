//! Handlers that record their event as done in a transaction of their own, in the inbox's SQLite file.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use rusqlite::{Connection, params_from_iter, types::Value};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, async_trait,
    inbox::{Delivery, Filter, Inbox, Receipt, ReceiptValue},
};
use tokio::time::sleep;

use crate::{
    places::{Folder, accept, idle, message, until},
    process::{Process, Senders, example_named, free_port},
};

const KILLS: usize = 50;

/// Each kill falls somewhere between the handler's transaction and the dispatcher's record of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_has_its_effect_exactly_once_whatever_is_killed() {
    let folder = Folder::new();
    let (path, port) = (folder.join("desk.db"), free_port());
    let start = async || {
        let mut command =
            example_named("exactly_once", &path.display().to_string(), port, &folder.join("log"));
        command.env("DESK_HANDLER_MS", "5").env("DESK_CRASHES", "1000");
        Process::start(command).await
    };
    let senders = Senders::start(16, &[port]);
    for _ in 0..KILLS {
        let process = start().await;
        sleep(Duration::from_millis(fastrand::u64(20..150))).await;
        process.kill().await;
    }
    let process = start().await;
    sleep(Duration::from_millis(200)).await;
    let acknowledged = senders.stop().await;
    let operator = Inbox::operate(&path.display().to_string()).await.unwrap();
    idle(&operator).await;
    process.stop().await;

    let database = Connection::open(&path).unwrap();
    let mut effects: HashMap<String, Vec<usize>> = HashMap::new();
    let mut rows = database.prepare("SELECT session, event FROM ticket ORDER BY id").unwrap();
    let mut rows = rows.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let event: serde_json::Value = serde_json::from_str(&row.get::<_, String>(1).unwrap()).unwrap();
        let number = event["MsgKey"].as_str().unwrap().rsplit_once('-').unwrap().1.parse().unwrap();
        effects.entry(row.get(0).unwrap()).or_default().push(number);
    }
    assert!(effects.values().all(|numbers| numbers.is_sorted()), "in order: {effects:?}");
    let given_up = operator.dead_letters(0, 100).await.unwrap();
    assert!(given_up.is_empty(), "{given_up:?}");
    for (session, count) in &acknowledged {
        let effects = &effects[session];
        assert!(effects.len() >= *count, "session {session}: {count} acknowledged, {effects:?}");
        assert_eq!(*effects, (0..effects.len()).collect::<Vec<_>>(), "session {session}");
    }
    assert!(acknowledged.values().sum::<usize>() > KILLS);
    let left: i64 = database.query_row("SELECT count(*) FROM desk_done", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

/// Keeps its receipts, and fails after it has used the first.
#[derive(Clone)]
struct Careless {
    database: Arc<Mutex<Connection>>,
    receipts: Arc<Mutex<Vec<Receipt>>>,
}

fn execute(database: &Connection, receipt: &Receipt) -> rusqlite::Result<usize> {
    let parameters = receipt.params.iter().map(|value| match value {
        ReceiptValue::Int(int) => Value::from(*int),
        ReceiptValue::Bytes(bytes) => Value::from(bytes.clone()),
    });
    database.execute(&receipt.sql, params_from_iter(parameters))
}

#[async_trait]
impl EventHandler for Careless {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        let receipt = Delivery::current().unwrap().receipt().unwrap();
        execute(&self.database.lock().unwrap(), &receipt)?;
        self.receipts.lock().unwrap().push(receipt);
        Err("it has forgotten to return Ok".into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_recorded_as_done_is_not_tried_again_and_counts_once() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let inbox = Inbox::open(&path).await.unwrap().archive(Duration::from_secs(3600));
    let database = Arc::new(Mutex::new(Connection::open(&path).unwrap()));
    let handler = Careless { database: Arc::clone(&database), receipts: Arc::default() };
    accept(&inbox, &message("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    let workers = inbox.deliver_to(handler.clone()).start();
    idle(&inbox).await;
    let receipts = handler.receipts.lock().unwrap().clone();
    assert_eq!(receipts.len(), 2, "once each");
    until("they are archived", async || inbox.archived(&Filter::all().page(0, 9)).await.unwrap().len() == 2)
        .await;
    assert_eq!(inbox.stats().await.unwrap(), Default::default());

    // A handler that comes late with its receipt cannot change anything.
    let database = database.lock().unwrap();
    database
        .execute_batch("CREATE TABLE effect (x); BEGIN IMMEDIATE; INSERT INTO effect VALUES (1)")
        .unwrap();
    let error = execute(&database, &receipts[0]).unwrap_err().to_string();
    assert!(error.contains("not held"), "{error}");
    assert!(database.is_autocommit(), "its transaction was rolled back");
    let effects: i64 = database.query_row("SELECT count(*) FROM effect", [], |row| row.get(0)).unwrap();
    assert_eq!(effects, 0);
    drop(workers);
}

/// Keeps its receipts, and is too slow at first.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Vec<Receipt>>>);

#[async_trait]
impl EventHandler for Slow {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        let attempt = {
            let mut receipts = self.0.lock().unwrap();
            receipts.push(Delivery::current().unwrap().receipt().unwrap());
            receipts.len()
        };
        if attempt <= 2 {
            sleep(Duration::from_secs(3600)).await;
        }
        Ok(())
    }
}

/// Work that a handler has begun elsewhere goes on when the handler is cancelled: its receipt fails once the event is another
/// attempt's, in this process or the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_of_an_earlier_attempt_fails() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let handler = Slow::default();
    let inbox = Inbox::open(&path).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    let short = Duration::from_millis(1);
    let workers = inbox.deliver_to(handler.clone()).timeout(short).backoff(short, short).grace(short).start();
    until("it is tried again", async || handler.0.lock().unwrap().len() == 2).await;
    let database = Connection::open(&path).unwrap();
    let receipts = || handler.0.lock().unwrap().clone();
    assert!(execute(&database, &receipts()[0]).unwrap_err().to_string().contains("not held"));
    let _ = workers.drain().await;
    drop(inbox);

    let inbox = Inbox::open(&path).await.unwrap();
    inbox.pause().await.unwrap();
    assert_eq!(inbox.pending(&Filter::all()).await.unwrap().len(), 1);
    assert!(execute(&database, &receipts()[1]).unwrap_err().to_string().contains("not held"));
    inbox.resume().await.unwrap();
    let workers = inbox.deliver_to(handler.clone()).start();
    idle(&inbox).await;
    assert_eq!(receipts().len(), 3);
    let _ = workers.drain().await;
}
