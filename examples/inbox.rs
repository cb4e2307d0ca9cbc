//! The recommended production set-up: acknowledge an event once it is stored, then deliver it.
//! `cargo run --example inbox --features axum,sqlite`, with `postgres` as well for an inbox in PostgreSQL.

#[allow(unused)] // the other examples use the rest
mod common;

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
};

use axum::{Router, routing::any, serve::ListenerExt as _};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Webhook, async_trait,
    inbox::{Inbox, InboxError},
};
use tokio::{net::TcpListener, time::sleep};

use crate::common::{DRAIN, GRACE, Print, Settings, cannot_listen, number, stop_signal, variable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let handler = Deliver::from_env(settings.handler)?;
    let place = variable("DESK_INBOX")?.unwrap_or_else(|| "desk.db".to_owned());
    let inbox = open(&place).await.map_err(|error| format!("DESK_INBOX: {error}"))?;
    let crashes = u32::try_from(number("DESK_CRASHES", 3)?).unwrap_or(u32::MAX);
    let workers = inbox.deliver_to(handler).crashes(crashes).start();
    let webhook = Webhook::new(settings.verifier, inbox.clone());
    let app = Router::new().route("/desk/callback", any(webhook.clone()));

    let (stop, last_call) = (stop_signal()?, stop_signal()?);
    let listener =
        TcpListener::bind(&settings.listen).await.map_err(|error| cannot_listen(&settings.listen, error))?;
    println!("listening on http://{}/desk/callback", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });

    tokio::select! {
        ended = axum::serve(listener, app).with_graceful_shutdown(stop).into_future() => ended?,
        // Without this limit, the server would wait indefinitely for a client that stalls in a request.
        () = async { last_call.await; sleep(GRACE).await } => {}
    }
    if !webhook.drained(DRAIN).await {
        eprintln!("{} handlers were still running", webhook.in_flight());
    }
    let drained = workers.drain().await;
    eprintln!("{} finished, {} interrupted, {:?} left", drained.finished, drained.interrupted, drained.left);
    Ok(())
}

async fn open(place: &str) -> Result<Inbox, InboxError> {
    #[cfg(feature = "postgres")]
    if place.contains("://") {
        return Inbox::connect(place).await;
    }
    Inbox::open(place).await
}

/// Prints each event, as the other examples do, and appends it to a file. For tests it can fail or abort the process.
struct Deliver {
    print: Print,
    log: Option<File>,
    fail_percent: u64,
    /// Events whose `SessionId` starts with this abort the process.
    abort: Option<String>,
}

impl Deliver {
    fn from_env(print: Print) -> Result<Self, Box<dyn Error>> {
        let open = |path: String| {
            open_log(&path).map_err(|error| format!("DESK_HANDLER_LOG ({path:?}) cannot be opened: {error}"))
        };
        let log = variable("DESK_HANDLER_LOG")?.map(open).transpose()?;
        let fail_percent = number("DESK_HANDLER_FAIL", 0)?;
        if fail_percent > 100 {
            return Err(format!("DESK_HANDLER_FAIL is {fail_percent}, and must be a percentage").into());
        }
        let abort = variable("DESK_HANDLER_ABORT")?.filter(|text| !text.is_empty());
        Ok(Self { print, log, fail_percent, abort })
    }
}

/// Starts a new line if the last process was killed while writing one.
fn open_log(path: &str) -> io::Result<File> {
    let mut log = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    let mut last = [b'\n'];
    if log.metadata()?.len() > 0 {
        log.seek(SeekFrom::End(-1))?;
        log.read_exact(&mut last)?;
    }
    if last != *b"\n" {
        log.write_all(b"\n")?;
    }
    Ok(log)
}

#[async_trait]
impl EventHandler for Deliver {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        if self.abort.as_ref().is_some_and(|text| event.session_id.starts_with(text)) {
            std::process::abort();
        }
        if fastrand::u64(..100) < self.fail_percent {
            return Err("DESK_HANDLER_FAIL has chosen this attempt".into());
        }
        self.print.on_event(event).await?;
        if let Some(mut log) = self.log.as_ref() {
            let mut line = serde_json::to_vec(event)?;
            line.push(b'\n');
            // One write, so that lines of several processes do not mix.
            log.write_all(&line)?;
        }
        Ok(())
    }
}
