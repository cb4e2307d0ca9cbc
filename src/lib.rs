//! `async fn(http::Request<impl http_body::Body>) -> http::Response<Full<Bytes>>`
//!
//! Receives the session events of Tencent Cloud Desk (智能客服, callback `Desk.SessionEventNotify`) and hands them, verified
//! and typed, to a handler.
//!
//! ```
//! use tencent_desk_webhook::{Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait, event::Message};
//!
//! struct Support;
//!
//! #[async_trait]
//! impl EventHandler for Support {
//!     async fn on_message(&self, event: &Event, message: &Message) -> HandlerResult {
//!         println!("{}: {}", event.session_id, message.text());
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let webhook = Webhook::new(Verifier::signed(1_400_000_000, "the IM console's token"), Support);
//! let response = webhook.handle(http::Request::new(String::new())).await;
//! assert_eq!(response.status(), 405); // that was a GET
//! # }
//! ```
//!
//! # How a delivery is processed
//!
//! 1. **query**: what the request claims, before any of it is verified.
//! 2. **verify**: [`Verifier`] checks the app, the time and the signature.
//! 3. **body**: read only now, within a size and a time, and **parsed** into an [`Event`].
//! 4. **dispatch**: calls the [`EventHandler`]'s method for the event's category, isolated from panics and up to a deadline.
//! 5. **response**: the acknowledgement, or a [`Refusal`].
//!
//! [`Webhook::handle`] runs these five stages. The adapters only translate: with feature `axum` or `actix-web` the [`Webhook`]
//! value is that framework's handler (`any(webhook)`, `web::route().to(webhook)`), with `hyper` or `tower` a service.
//!
//! # Events that are acknowledged and then lost
//!
//! Tencent documents a time-out of 2 seconds for IM callbacks, and no retries by default; for Desk neither is documented. With a
//! handler of your own, a crash loses the events that were acknowledged and not yet handled. The [`inbox`] stores them first.
//!
//! # What the signature does not protect
//!
//! It covers the token and the time, and neither the body nor any other parameter: anyone who sees one signed URL can send
//! any event while the window lasts. Serve the webhook over HTTPS and keep query strings out of logs.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | `axum` | [`Webhook`] is an `axum::handler::Handler`; includes `tower` | no |
//! | `actix-web` | [`Webhook`] is an `actix_web::Handler` | no |
//! | `hyper` | [`Webhook`] is a `hyper::service::Service` | no |
//! | `tower` | [`Webhook`] is a `tower::Service` | no |
//! | `sqlite` | the durable [inbox] in a file | no |
//! | `postgres` | the durable [inbox] in a PostgreSQL | no |
//! | `inbox` | the durable [inbox] for an engine of your own | no |
//! | `page` | a live [page]: sessions in a browser while they happen | no |
//! | `tracing` | a span for each delivery; log lines become its events | no |
//! | `metrics` | counters, gauges and histograms of everything | no |
//! | `testing` | deliveries, events and a recording handler for your tests | no |
//!
//! The guide (`docs/` in the repository, the module `guide` on docs.rs) covers the vendor's console, proxies, production,
//! monitoring, and troubleshooting by `ErrorCode`.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod webhook;

pub mod handler;

pub mod decision;

pub mod event;

pub mod session;

#[cfg(feature = "inbox")]
pub mod inbox;

mod telemetry;

mod isolate;

#[cfg(feature = "page")]
pub mod page;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "axum")]
#[path = "../adapters/axum.rs"]
mod axum;

#[cfg(feature = "actix-web")]
#[path = "../adapters/actix_web.rs"]
mod actix_web;

#[cfg(feature = "hyper")]
#[path = "../adapters/hyper.rs"]
mod hyper;

#[cfg(feature = "tower")]
#[path = "../adapters/tower.rs"]
mod tower;

/// For implementing [`EventHandler`].
pub use async_trait::async_trait;

pub use self::{
    event::Event,
    handler::{Deliver, EventHandler, HandlerError, HandlerResult, Middleware, Next},
    webhook::{Refusal, Refused, Verifier, Webhook},
};

// The code on its pages uses every adapter.
#[cfg(all(
    any(doc, doctest),
    feature = "axum",
    feature = "actix-web",
    feature = "hyper",
    feature = "page",
    feature = "sqlite",
    feature = "testing"
))]
pub mod guide;

/// Compiles the README's code with the tests.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "actix-web",
    feature = "hyper",
    feature = "sqlite",
    feature = "testing"
))]
#[doc = include_str!("../README.md")]
struct Readme;
