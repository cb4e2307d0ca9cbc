//! A handler that writes to the inbox's own PostgreSQL database. Each event takes effect exactly once, even after a crash.
//! `DESK_INBOX=postgres://… cargo run --example exactly_once_postgres --features axum,postgres`
//!
//! One transaction writes the row of the ledger and records the event as done.

#[allow(unused)] // the other examples use the rest
mod common;

use std::error::Error;

use axum::{Router, routing::any};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, Webhook, async_trait,
    inbox::{Delivery, Inbox, ReceiptValue},
};
use tokio::{net::TcpListener, sync::Mutex};
use tokio_postgres::{Client, NoTls, types::ToSql};

use crate::common::{DRAIN, Settings, cannot_listen, stop_signal, variable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let url = variable("DESK_INBOX")?.ok_or("DESK_INBOX must be the URL of a PostgreSQL database")?;
    let inbox = Inbox::connect(&url).await.map_err(|error| format!("DESK_INBOX: {error}"))?;
    let workers = inbox.deliver_to(Ledger::connect(&url).await?).start();
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

/// Writes a row for each event, one at a time. A real program would use a connection pool.
struct Ledger(Mutex<Client>);

impl Ledger {
    async fn connect(url: &str) -> Result<Self, tokio_postgres::Error> {
        // Over a network, use TLS here as well.
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS ledger (id bigserial PRIMARY KEY, session text NOT NULL, key text NOT NULL)",
            )
            .await?;
        Ok(Self(Mutex::new(client)))
    }
}

#[async_trait]
impl EventHandler for Ledger {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        let receipt = Delivery::current().and_then(|delivery| delivery.receipt());
        let receipt =
            receipt.ok_or_else(|| HandlerError::permanent("this handler needs a PostgreSQL inbox"))?;
        let mut client = self.0.lock().await;
        let change = client.transaction().await?;
        let key = event.dedup_key().to_string();
        change
            .execute("INSERT INTO ledger (session, key) VALUES ($1, $2)", &[&event.session_id, &key])
            .await?;
        let parameters = receipt.params.iter().map(|value| match value {
            ReceiptValue::Int(int) => int as &(dyn ToSql + Sync),
            ReceiptValue::Bytes(bytes) => bytes,
        });
        // This fails, and the transaction with it, if another worker has taken over the event.
        change.query(&receipt.sql, &parameters.collect::<Vec<_>>()).await?;
        change.commit().await?;
        Ok(())
    }
}
