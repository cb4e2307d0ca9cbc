//! Receives events into an inbox, keeps the figures of sessions, and serves them: who waits, who serves, how sessions went.
//! `cargo run --example dashboard --features axum,sqlite,metrics`

#[allow(unused)] // some of it is for the other servers
mod common;

#[path = "common/prometheus.rs"]
mod prometheus;

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
    serve::ListenerExt as _,
};
use serde::Serialize;
use tencent_desk_webhook::{
    Middleware as _, Webhook,
    inbox::{Inbox, InboxError, KeptSession, SessionFilter},
    session::{Board, Session},
};
use tokio::{net::TcpListener, time::sleep};

use crate::{
    common::{DRAIN, GRACE, Settings, cannot_listen, number, stop_signal, variable},
    prometheus::Prometheus,
};

/// For how long sessions are kept.
const KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let metrics = Prometheus::default();
    metrics::set_global_recorder(metrics.clone()).map_err(|_| "there is a recorder of metrics already")?;

    let place = variable("DESK_INBOX")?.unwrap_or_else(|| "desk.db".to_owned());
    let inbox = open(&place).await.map_err(|error| format!("DESK_INBOX: {error}"))?.keep_sessions(KEPT);
    let board = Arc::new(Board::new());
    restore(&board, &inbox).await?;
    #[cfg(feature = "page")]
    let page = tencent_desk_webhook::page::Page::new();
    #[cfg(feature = "page")]
    let handler = page.clone().around(settings.handler);
    #[cfg(not(feature = "page"))]
    let handler = settings.handler;
    let crashes = u32::try_from(number("DESK_CRASHES", 3)?).unwrap_or(u32::MAX);
    let workers = inbox.deliver_to(Arc::clone(&board).around(handler)).crashes(crashes).start();
    let webhook = Webhook::new(settings.verifier, inbox.clone());

    let (stop, last_call, admin_stop) = (stop_signal()?, stop_signal()?, stop_signal()?);
    let admin = variable("DESK_ADMIN_LISTEN")?.unwrap_or_else(|| "127.0.0.1:9464".to_owned());
    let cannot = |error| format!("cannot listen on DESK_ADMIN_LISTEN ({admin:?}): {error}");
    let admin_listener = TcpListener::bind(&admin).await.map_err(cannot)?;
    println!("admin on http://{}", admin_listener.local_addr()?);
    let desk = Desk { inbox: inbox.clone(), board, metrics };
    let pages = pages(desk);
    // It shows what customers write.
    #[cfg(feature = "page")]
    let pages = pages.route_service("/desk/live", page);
    tokio::spawn(axum::serve(admin_listener, pages).with_graceful_shutdown(admin_stop).into_future());

    let app = Router::new().route("/desk/callback", any(webhook.clone()));
    let listener =
        TcpListener::bind(&settings.listen).await.map_err(|error| cannot_listen(&settings.listen, error))?;
    println!("listening on http://{}/desk/callback", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::select! {
        ended = axum::serve(listener, app).with_graceful_shutdown(stop).into_future() => ended?,
        // A client that stalls in mid-request would keep the server waiting for ever.
        () = async { last_call.await; sleep(GRACE).await } => {}
    }
    webhook.drained(DRAIN).await;
    let drained = workers.drain().await;
    eprintln!("{} finished, {} interrupted, {:?} left", drained.finished, drained.interrupted, drained.left);
    Ok(())
}

/// A file, or with feature `postgres` also the URL of a PostgreSQL.
async fn open(place: &str) -> Result<Inbox, InboxError> {
    #[cfg(feature = "postgres")]
    if place.contains("://") {
        return Inbox::connect(place).await;
    }
    Inbox::open(place).await
}

/// Puts the sessions of the last day on the board. The board drops those that it would not keep.
async fn restore(board: &Board, inbox: &Inbox) -> Result<(), InboxError> {
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    for session in all(inbox, SessionFilter::all().changed_since(yesterday)).await? {
        board.restore(session.log);
    }
    Ok(())
}

/// Every page of the sessions that match.
async fn all(inbox: &Inbox, filter: SessionFilter) -> Result<Vec<KeptSession>, InboxError> {
    const PAGE: usize = 1000;
    let mut all: Vec<KeptSession> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.id);
        let page = inbox.sessions(&filter.clone().page(after, PAGE)).await?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// What the pages are made of.
#[derive(Clone)]
struct Desk {
    inbox: Inbox,
    board: Arc<Board>,
    metrics: Prometheus,
}

fn pages(desk: Desk) -> Router {
    Router::new()
        .route("/api/sessions", get(sessions))
        .route("/api/sessions/{id}", get(session))
        .route("/api/board", get(board))
        .route("/metrics", get(metrics_text))
        .with_state(desk)
}

async fn sessions(State(desk): State<Desk>) -> Response {
    match all(&desk.inbox, SessionFilter::all()).await {
        Ok(kept) => json(&kept.iter().map(|kept| kept.log.session()).collect::<Vec<Session>>()),
        Err(error) => failed(&error),
    }
}

async fn session(State(desk): State<Desk>, Path(id): Path<String>) -> Response {
    match desk.inbox.sessions(&SessionFilter::all().named(id).page(0, 1)).await {
        Ok(kept) => match kept.first() {
            Some(kept) => json(&kept.log.session()),
            None => (StatusCode::NOT_FOUND, "there is no such session\n").into_response(),
        },
        Err(error) => failed(&error),
    }
}

async fn board(State(desk): State<Desk>) -> Response {
    json(&desk.board.view())
}

async fn metrics_text(State(desk): State<Desk>) -> Response {
    // It sets the board's gauges.
    let _ = desk.board.view();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], desk.metrics.render()).into_response()
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn Error) -> Response {
    eprintln!("a page failed: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, "see the log\n").into_response()
}
