//! A handler that writes to the inbox's own SQLite file. Each event takes effect exactly once, even after a crash.
//! `cargo run --example exactly_once --features axum,sqlite`
//!
//! One transaction writes the row and records the event as done. It is short and IMMEDIATE, because the acceptance of events waits
//! for it.

#[allow(unused)] // the other examples use the rest
mod common;

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, routing::any};
use rusqlite::{Connection, TransactionBehavior, params, params_from_iter, types::Value};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, Webhook, async_trait,
    inbox::{Delivery, Inbox, Receipt, ReceiptValue},
};
use tokio::{net::TcpListener, task::spawn_blocking};

use crate::common::{DRAIN, Print, Settings, cannot_listen, number, stop_signal, variable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let path = variable("DESK_INBOX")?.unwrap_or_else(|| "desk.db".to_owned());
    // Open the inbox first: it refuses a file that it did not create.
    let inbox = Inbox::open(&path).await.map_err(|error| format!("DESK_INBOX: {error}"))?;
    let crashes = u32::try_from(number("DESK_CRASHES", 3)?).unwrap_or(u32::MAX);
    let workers = inbox.deliver_to(Tickets::open(&path, settings.handler)?).crashes(crashes).start();
    let webhook = Webhook::new(settings.verifier, inbox.clone());
    let app = Router::new().route("/desk/callback", any(webhook.clone()));

    let listener =
        TcpListener::bind(&settings.listen).await.map_err(|error| cannot_listen(&settings.listen, error))?;
    println!("listening on http://{}/desk/callback", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(stop_signal()?).await?;
    webhook.drained(DRAIN).await;
    println!("{:?}", workers.drain().await);
    Ok(())
}

/// Writes a row for each event.
struct Tickets {
    database: Arc<Mutex<Connection>>,
    print: Print,
}

impl Tickets {
    fn open(path: &str, print: Print) -> rusqlite::Result<Self> {
        let database = Connection::open(path)?;
        // The inbox runs the checkpoints.
        database.pragma_update(None, "wal_autocheckpoint", 0)?;
        database.execute_batch(
            "CREATE TABLE IF NOT EXISTS ticket (id INTEGER PRIMARY KEY, session TEXT NOT NULL, event TEXT NOT NULL)",
        )?;
        Ok(Self { database: Arc::new(Mutex::new(database)), print })
    }
}

#[async_trait]
impl EventHandler for Tickets {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        // Get the receipt here, because it is not available inside `spawn_blocking`.
        let receipt = Delivery::current().and_then(|delivery| delivery.receipt());
        let receipt = receipt.ok_or_else(|| HandlerError::permanent("this handler needs an SQLite inbox"))?;
        let (database, written) = (Arc::clone(&self.database), event.clone());
        spawn_blocking(move || {
            let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
            write(&mut database, &written, &receipt)
        })
        .await??;
        self.print.on_event(event).await
    }
}

fn write(database: &mut Connection, event: &Event, receipt: &Receipt) -> rusqlite::Result<()> {
    let change = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ticket = "INSERT INTO ticket (session, event) VALUES (?1, ?2)";
    change.execute(ticket, params![event.session_id, event.raw()])?;
    let parameters = receipt.params.iter().map(|value| match value {
        ReceiptValue::Int(int) => Value::from(*int),
        ReceiptValue::Bytes(bytes) => Value::from(bytes.clone()),
    });
    // This fails, and the transaction with it, if the event is already recorded as done.
    change.execute(&receipt.sql, params_from_iter(parameters))?;
    change.commit()
}
