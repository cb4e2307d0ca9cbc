//! The webhook in an actix-web application. `cargo run --example actix_web --features actix-web`

mod common;

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    body::{BodySize, MessageBody},
    web::{self, Bytes, Payload},
};
use tencent_desk_webhook::Webhook;

use crate::common::{DRAIN, GRACE, Settings, cannot_listen, stop_signal};

// Under `#[tokio::main]`, handlers run on all of tokio's threads. Under `#[actix_web::main]`, all would share the main thread.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    // Outside the factory below: a worker's runtime ends when the worker shuts down.
    let webhook = Webhook::new(settings.verifier, settings.handler);
    let mounted = webhook.clone();

    let stop = stop_signal()?;
    let server = HttpServer::new(move || {
        App::new()
            .route("/desk/callback", web::route().to(mounted.clone()))
            .default_service(web::to(not_found))
    })
    .bind(&settings.listen)
    .map_err(|error| cannot_listen(&settings.listen, error))?
    .tcp_nodelay(true)
    .client_disconnect_timeout(Duration::ZERO) // otherwise it would read for another second after a refusal
    .disable_signals() // actix-web's own handler drops all requests at Ctrl-C
    .shutdown_timeout(GRACE.as_secs());
    for address in server.addrs() {
        println!("listening on http://{address}/desk/callback");
    }

    let server = server.run();
    let running = server.handle();
    tokio::spawn(async move {
        stop.await;
        running.stop(true).await;
    });
    server.await?;
    if !webhook.drained(DRAIN).await {
        eprintln!("{} handlers were still running", webhook.in_flight());
    }
    Ok(())
}

/// Responds with 404 to all other paths. It keeps the payload until the response is sent: if it were dropped earlier, actix-web
/// would read all of it, however long it is.
async fn not_found(payload: Payload) -> HttpResponse {
    let unread = Unread { text: Some(Bytes::from_static(b"not found")), _payload: payload };
    HttpResponse::NotFound().force_close().body(unread)
}

struct Unread {
    text: Option<Bytes>,
    _payload: Payload,
}

impl MessageBody for Unread {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.text.take().map(Ok))
    }
}
