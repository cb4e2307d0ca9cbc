//! The inbox with logs and metrics: `tracing` writes to standard error, and a separate port serves Prometheus' format.
//! `cargo run -p watched`. The example is a separate package, `examples/watched`, because the exporter needs many crates.

#[allow(unused)] // the other examples use the rest
mod common;

use std::error::Error;

use axum::{
    Router,
    routing::{any, get},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tencent_desk_webhook::{Webhook, inbox::Inbox};
use tokio::{net::TcpListener, time::sleep};
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

use crate::common::{DRAIN, GRACE, Settings, cannot_listen, stop_signal, variable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Install both before creating the webhook.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(std::io::stderr)
        .init();
    let recorder = PrometheusBuilder::new()
        // Without buckets it exports summaries, which cannot be aggregated over machines.
        .set_buckets(&[
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 10.0, 60.0,
        ])?
        .install_recorder()?;

    let settings = Settings::from_env()?;
    let place = variable("DESK_INBOX")?.unwrap_or_else(|| "desk.db".to_owned());
    let inbox = Inbox::open(&place).await.map_err(|error| format!("DESK_INBOX: {error}"))?;
    let workers = inbox.deliver_to(settings.handler).start();
    let webhook = Webhook::new(settings.verifier, inbox.clone());
    let app = Router::new().route("/desk/callback", any(webhook.clone()));

    // A separate port, so that the sender cannot reach the metrics.
    let metrics_listen = variable("DESK_METRICS_LISTEN")?.unwrap_or_else(|| "127.0.0.1:9464".to_owned());
    let scraped = TcpListener::bind(&metrics_listen)
        .await
        .map_err(|error| format!("cannot listen on DESK_METRICS_LISTEN ({metrics_listen:?}): {error}"))?;
    println!("metrics on http://{}/metrics", scraped.local_addr()?);
    let text = async move || {
        recorder.run_upkeep();
        recorder.render()
    };
    tokio::spawn(axum::serve(scraped, Router::new().route("/metrics", get(text))).into_future());

    let (stop, last_call) = (stop_signal()?, stop_signal()?);
    let listener =
        TcpListener::bind(&settings.listen).await.map_err(|error| cannot_listen(&settings.listen, error))?;
    println!("listening on http://{}/desk/callback", listener.local_addr()?);
    tokio::select! {
        ended = axum::serve(listener, app).with_graceful_shutdown(stop).into_future() => ended?,
        // Without this limit, the server would wait indefinitely for a client that stalls in a request.
        () = async { last_call.await; sleep(GRACE).await } => {}
    }
    if !webhook.drained(DRAIN).await {
        eprintln!("{} handlers were still running", webhook.in_flight());
    }
    tracing::info!("{:?}", workers.drain().await);
    Ok(())
}
