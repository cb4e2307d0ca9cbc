//! The webhook in an actix-web application. `cargo run --example actix_web --features actix-web`

mod common;

use std::{error::Error, time::Duration};

use actix_web::{App, HttpServer, web};
use tencent_desk_webhook::Webhook;

use crate::common::{GRACE, Settings, cannot_listen, stop_signal};

// With `#[tokio::main]` handlers go on on all of tokio's threads; with `#[actix_web::main]` all would share the main one.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    // Made here and not in the factory below: a worker takes its runtime with it when it shuts down.
    let webhook = Webhook::new(settings.verifier, settings.handler);
    let mounted = webhook.clone();

    let stop = stop_signal()?;
    let server =
        HttpServer::new(move || App::new().route("/desk/callback", web::route().to(mounted.clone())))
            .bind(&settings.listen)
            .map_err(|error| cannot_listen(&settings.listen, error))?
            .tcp_nodelay(true)
            .client_disconnect_timeout(Duration::ZERO) // or it would read on for a second after a refusal
            .disable_signals() // actix-web's own take Ctrl-C as an order to drop everything
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
    webhook.drained(GRACE).await;
    Ok(())
}
