//! Serves on a free local port and prints the address.

use std::{convert::Infallible, net::SocketAddr};

use actix_web::{App, HttpServer, web::ServiceConfig};
use axum::{Router, serve::ListenerExt as _};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Result;

/// hyper with its defaults: without a timer, so that header time-outs are off.
pub(super) async fn serve_hyper<S>(service: S) -> Result<()>
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let listener = listen().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
    }
}

pub(super) async fn serve_axum(app: Router) -> Result<()> {
    let listener = listen().await?.tap_io(|stream| {
        // Otherwise responses would wait for TCP acknowledgements.
        stream.set_nodelay(true).expect("a fresh connection takes its options");
    });
    Ok(axum::serve(listener, app).await?)
}

pub(super) async fn serve_actix(routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> Result<()> {
    let server = HttpServer::new(move || App::new().configure(routes.clone()));
    let server = server.workers(1).bind(ANY_PORT)?.tcp_nodelay(true);
    server.addrs().into_iter().for_each(announce);
    Ok(server.run().await?)
}

async fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind(ANY_PORT).await?;
    announce(listener.local_addr()?);
    Ok(listener)
}

fn announce(address: SocketAddr) {
    println!("{address}");
}

const ANY_PORT: &str = "127.0.0.1:0";
