//! Receives events into an inbox and forwards them to NATS JetStream, each session's in order. An event is done only when the
//! server has confirmed it, so an outage of the server loses nothing: the inbox tries again.
//! `cargo run -p forward_nats`
//!
//! Each message is a CloudEvent. Its id is the event's dedup key, by which the server recognises a repeat within the stream's
//! duplicate window. A server confirms before it syncs its disk unless it is configured otherwise, so several replicas or
//! `sync_interval: always` protect against a loss of power.

#[allow(unused)] // some of it is for the other servers
#[path = "../../common/mod.rs"]
mod common;

use std::{error::Error, time::Duration};

use async_nats::{
    ConnectOptions, HeaderMap,
    jetstream::{self, stream},
};
use axum::{Router, routing::any};
use tencent_desk_webhook::{Event, EventHandler, HandlerResult, Webhook, async_trait, inbox::Inbox};
use tokio::{net::TcpListener, sync::OnceCell};

use crate::common::{DRAIN, Settings, cannot_listen, stop_signal, variable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let place = variable("DESK_INBOX")?.unwrap_or_else(|| "desk.db".to_owned());
    let inbox = Inbox::open(&place).await.map_err(|error| format!("DESK_INBOX: {error}"))?;
    let workers = inbox.deliver_to(Forward::from_env().await?).start();
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

/// Publishes each event, and waits for its confirmation.
struct Forward {
    jetstream: jetstream::Context,
    stream: String,
    /// Set once the stream is there.
    made: OnceCell<()>,
}

/// For how long the server recognises repeats.
const DUPLICATES: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a confirmation may take.
const CONFIRMED: Duration = Duration::from_secs(5);

impl Forward {
    async fn from_env() -> Result<Self, Box<dyn Error>> {
        let url = variable("DESK_NATS")?.unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned());
        let stream = variable("DESK_NATS_STREAM")?.unwrap_or_else(|| "DESK".to_owned());
        // The server may come later than this program.
        let client = ConnectOptions::new().retry_on_initial_connect().connect(url).await?;
        let mut jetstream = jetstream::new(client);
        jetstream.set_timeout(CONFIRMED);
        Ok(Self { jetstream, stream, made: OnceCell::new() })
    }

    async fn make_stream(&self) -> Result<(), jetstream::context::CreateStreamError> {
        let config = stream::Config {
            name: self.stream.clone(),
            subjects: vec!["desk.events.>".to_owned()],
            storage: stream::StorageType::File,
            duplicate_window: DUPLICATES,
            ..stream::Config::default()
        };
        self.jetstream.get_or_create_stream(config).await.map(drop)
    }
}

#[async_trait]
impl EventHandler for Forward {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        self.made.get_or_try_init(|| self.make_stream()).await?;
        let subject = format!("desk.events.{}.{}", event.sdk_app_id, token(&event.session_id));
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", event.dedup_key().to_string());
        headers.insert("Content-Type", "application/cloudevents+json");
        let payload = event.to_cloudevent().to_string();
        let confirmed = self.jetstream.publish_with_headers(subject, headers, payload.into()).await?;
        confirmed.await?;
        Ok(())
    }
}

/// A part of a subject has neither white space nor dots and wildcards.
fn token(session: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !session.is_empty() && session.len() <= 64 && session.bytes().all(is_plain) {
        return session.to_owned();
    }
    // No plain token begins with a tilde.
    let hex: String = session.bytes().take(100).map(|byte| format!("{byte:02x}")).collect();
    format!("~{hex}")
}
