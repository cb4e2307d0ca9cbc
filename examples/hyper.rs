//! The webhook on bare hyper. `cargo run --example hyper --features hyper`

mod common;

use std::{convert::Infallible, error::Error, pin::pin, time::Duration};

use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tencent_desk_webhook::Webhook;
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::common::{DRAIN, GRACE, Settings, cannot_listen, stop_signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let webhook = Webhook::new(settings.verifier, settings.handler);
    let mounted = webhook.clone();
    let router = service_fn(move |request: Request<Incoming>| {
        let webhook = mounted.clone();
        async move {
            Ok::<_, Infallible>(match request.uri().path() {
                "/desk/callback" => webhook.handle(request).await,
                _ => {
                    let mut response = Response::default();
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    response
                }
            })
        }
    });

    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5));
    let connections = GracefulShutdown::new();

    let mut stop = pin!(stop_signal()?);
    let listener =
        TcpListener::bind(&settings.listen).await.map_err(|error| cannot_listen(&settings.listen, error))?;
    println!("listening on http://{}/desk/callback", listener.local_addr()?);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Perhaps out of file descriptors: wait until others are closed.
                    eprintln!("cannot accept: {error}");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let connection = connections.watch(server.serve_connection(TokioIo::new(stream), router.clone()));
        tokio::spawn(async move {
            // An error here means that a client disconnected.
            let _ = connection.await;
        });
    }

    drop(listener);
    let _ = timeout(GRACE, connections.shutdown()).await;
    if !webhook.drained(DRAIN).await {
        eprintln!("{} handlers were still running", webhook.in_flight());
    }
    Ok(())
}
