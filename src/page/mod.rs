//! A live page: sessions as conversations while they happen, in a browser, beside a webhook of yours.
//!
//! A [`Page`] watches what passes through a webhook, as middleware around its handler or inbox, and serves itself on one path:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # fn mount() {
//! use axum::{Router, routing::any};
//! use tencent_desk_webhook::{EventHandler, Middleware as _, Verifier, Webhook, page::Page};
//!
//! struct Support;
//! impl EventHandler for Support {}
//!
//! let page = Page::new();
//! let refusals = page.clone();
//! let webhook = Webhook::new(Verifier::signed(1_400_000_000, "the IM console's token"), page.clone().around(Support))
//!     .on_refusal(move |refused| refusals.record_refusal(refused));
//! let app: Router = Router::new()
//!     .route("/desk/callback", any(webhook))
//!     .route_service("/desk/live", page); // behind a login of yours
//! # }
//! ```
//!
//! **It shows personal data**: what customers write, and who they are. Serve it on localhost, as the command-line tool does, or
//! behind a login. Nothing can be changed through it.
//!
//! It is one HTML file without anything from the network. Texts are inserted as text, and a content security policy allows the
//! page's own script alone. The page keeps the [latest events](Page::events) in memory, at most 16 MiB of them, and each
//! browser reads from there at its own pace: one that is too slow misses events, and delays nothing.

mod feed;

mod policy;

mod stream;

#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "hyper")]
mod hyper;

#[cfg(feature = "actix-web")]
mod actix_web;

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Serialize;

use self::feed::Feed;
pub use self::stream::PageBody;
use crate::{
    event::Event,
    handler::{HandlerResult, Middleware, Next},
    webhook::Refused,
};

/// The file that browsers get.
const HTML: &str = include_str!("page.html");

/// Watches sessions and shows them to browsers. Clones share what they have seen.
#[derive(Clone)]
pub struct Page {
    feed: Arc<Feed>,
}

impl Page {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { feed: Arc::new(Feed::new(10_000)) }
    }

    /// How many events and refusals are kept, the latest ones. Default: 10,000. It forgets what it has seen.
    #[must_use]
    pub fn events(self, limit: usize) -> Self {
        Self { feed: Arc::new(Feed::new(limit)) }
    }

    /// Shows an event. As [middleware](Middleware::around) it does so with every event before it passes it on.
    pub fn record(&self, event: &Event) {
        let key = event.dedup_key().to_string();
        self.push(&Record { at: now(), key: Some(&key), event: Some(event), refused: None });
    }

    /// Shows a refused request: for [`Webhook::on_refusal`](crate::Webhook::on_refusal).
    pub fn record_refusal(&self, refused: &Refused) {
        let reason = refused.reason;
        let shown = RefusedRecord {
            status: reason.status().as_u16(),
            code: reason.code(),
            reason: reason.reason(),
            text: reason.to_string(),
            remedy: reason.remedy(),
            app: refused.app,
        };
        self.push(&Record { at: now(), key: None, event: None, refused: Some(shown) });
    }

    fn push(&self, record: &Record<'_>) {
        // It cannot fail: every key is a text, and no number is beyond JSON.
        if let Ok(json) = serde_json::to_string(record) {
            self.feed.push(&json);
        }
    }

    /// Answers a request for the page or for its events, whatever its path and its body. Browsers ask for both on the same path,
    /// and say by `Accept` which of them they want.
    pub fn handle<B>(&self, request: &Request<B>) -> Response<PageBody> {
        self.answer(request.method(), request.headers())
    }

    pub(crate) fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<PageBody> {
        if method != Method::GET && method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "the page is read-only\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let wants_events =
            headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(EVENT_STREAM.as_bytes()));
        if !wants_events {
            return html(method);
        }
        let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
        let Some(body) = PageBody::events(&self.feed, last) else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "too many browsers are watching\n");
        };
        respond(StatusCode::OK, EVENT_STREAM, body)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").finish_non_exhaustive()
    }
}

#[async_trait]
impl Middleware for Page {
    async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
        self.record(event);
        next.run(event).await
    }
}

const EVENT_STREAM: &str = "text/event-stream";

/// What a browser sends that connects again: the number of the last record that it got.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a browser gets.
#[derive(Serialize)]
struct Record<'r> {
    /// When it arrived, in milliseconds since 1970.
    at: u64,
    /// The event's, so that a repeat can be recognized.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'r Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<RefusedRecord>,
}

#[derive(Serialize)]
struct RefusedRecord {
    status: u16,
    code: u32,
    reason: &'static str,
    text: String,
    remedy: &'static str,
    app: Option<u64>,
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn html(method: &Method) -> Response<PageBody> {
    let page = if method == Method::HEAD { Bytes::new() } else { Bytes::from_static(HTML.as_bytes()) };
    let mut response = respond(StatusCode::OK, "text/html; charset=utf-8", PageBody::whole(page));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy::of_the_page());
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<PageBody> {
    respond(status, "text/plain; charset=utf-8", PageBody::whole(Bytes::from_static(text.as_bytes())))
}

fn respond(status: StatusCode, content_type: &'static str, body: PageBody) -> Response<PageBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
