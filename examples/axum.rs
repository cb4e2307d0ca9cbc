//! The webhook in an axum application. `cargo run --example axum --features axum`

mod common;

use std::error::Error;

use axum::{Router, routing::any, serve::ListenerExt as _};
use tencent_desk_webhook::Webhook;
use tokio::{net::TcpListener, time::sleep};

use crate::common::{DRAIN, GRACE, Settings, cannot_listen, stop_signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let webhook = Webhook::new(settings.verifier, settings.handler);
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
    Ok(())
}
