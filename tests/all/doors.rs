//! The four doors, each on a real socket, and a client that sends the bytes it is given.

use std::{net::SocketAddr, time::Duration};

use tencent_desk_webhook::{EventHandler, Webhook};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    #[cfg(feature = "axum")]
    Axum,
    #[cfg(feature = "actix-web")]
    ActixWeb,
    #[cfg(feature = "hyper")]
    Hyper,
    #[cfg(feature = "tower")]
    Tower,
}

pub(crate) const DOORS: &[Door] = &[
    #[cfg(feature = "axum")]
    Door::Axum,
    #[cfg(feature = "actix-web")]
    Door::ActixWeb,
    #[cfg(feature = "hyper")]
    Door::Hyper,
    #[cfg(feature = "tower")]
    Door::Tower,
];

impl Door {
    /// Serves `webhook` for every method, as in the README.
    pub(crate) async fn open<H: EventHandler>(self, webhook: Webhook<H>) -> SocketAddr {
        match self {
            #[cfg(feature = "axum")]
            Self::Axum => {
                use axum::serve::ListenerExt as _;

                let app = axum::Router::new().route("/desk/callback", axum::routing::any(webhook));
                let (listener, address) = listen().await;
                let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
                tokio::spawn(async move { axum::serve(listener, app).await });
                address
            }
            #[cfg(feature = "actix-web")]
            Self::ActixWeb => {
                use actix_web::{App, HttpServer, web};

                let app = move || App::new().route("/desk/callback", web::route().to(webhook.clone()));
                let server = HttpServer::new(app)
                    .workers(1)
                    .tcp_nodelay(true)
                    .disable_signals()
                    .bind("127.0.0.1:0")
                    .unwrap();
                let address = server.addrs()[0];
                tokio::spawn(server.run());
                address
            }
            #[cfg(feature = "hyper")]
            Self::Hyper => serve(webhook).await,
            #[cfg(feature = "tower")]
            Self::Tower => serve(hyper_util::service::TowerToHyperService::new(webhook)).await,
        }
    }
}

/// Serves each connection with hyper.
#[cfg(any(feature = "hyper", feature = "tower"))]
async fn serve<S>(service: S) -> SocketAddr
where
    S: hyper::service::HttpService<
            hyper::body::Incoming,
            ResBody = http_body_util::Full<bytes::Bytes>,
            Error = std::convert::Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let stream = listener.accept().await.unwrap().0;
            stream.set_nodelay(true).unwrap();
            let io = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service.clone()));
        }
    });
    address
}

#[cfg(any(feature = "axum", feature = "hyper", feature = "tower"))]
async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Returns whether the server accepts the bytes.
    pub(crate) async fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Writes until the server stops reading.
    pub(crate) async fn write_until_refused(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Returns the next response. The time-out is far above any limit of the library.
    pub(crate) async fn read(&mut self, has_body: bool) -> Reply {
        tokio::time::timeout(Duration::from_secs(30), self.read_reply(has_body))
            .await
            .expect("no response in 30 s")
    }

    async fn read_reply(&mut self, has_body: bool) -> Reply {
        let end = loop {
            match self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => {
                    assert!(self.receive().await, "closed: {:?}", String::from_utf8_lossy(&self.received))
                }
            }
        };
        let head = String::from_utf8(self.received.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: String::new() };
        if has_body && status >= 200 {
            let length: usize = reply.header("content-length").unwrap().parse().unwrap();
            while self.received.len() < length {
                assert!(self.receive().await, "closed in mid-body");
            }
            reply.body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        }
        reply
    }

    /// Returns whether the server closes the connection without another byte.
    pub(crate) async fn sees_close(&mut self) -> bool {
        let end = tokio::time::timeout(Duration::from_secs(30), self.receive())
            .await
            .expect("still open after 30 s");
        !end && self.received.is_empty()
    }

    /// Returns whether the server closes the connection, with or without a response.
    pub(crate) async fn is_closed(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(60), async { while self.receive().await {} }).await.is_ok()
    }

    async fn receive(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.received.extend_from_slice(&buffer[..count]);
        count > 0
    }
}
