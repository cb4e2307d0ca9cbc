//! Middleware: filters, time-outs and counters around a handler or an inbox.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    HandlerError, HandlerResult,
    deliver::{AtDeadline, Deliver, Delivering, Sealed},
};
use crate::event::Event;

/// Wraps a handler or an inbox, and keeps its guarantees: an event for a wrapped inbox is still acknowledged only once it is
/// stored.
///
/// ```
/// use tencent_desk_webhook::{Event, HandlerResult, Middleware, Next, Webhook, async_trait, testing};
///
/// struct OnlySdk;
///
/// #[async_trait]
/// impl Middleware for OnlySdk {
///     async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
///         if event.channel.as_deref() == Some("SDK") { next.run(event).await } else { Ok(()) }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let recorder = testing::Recorder::default();
/// let webhook = Webhook::new(testing::verifier(), OnlySdk.around(recorder.clone()));
/// webhook.handle(testing::event("SessionBegin").field("ChannelType", "Web").delivery().request()).await;
/// assert!(recorder.calls().is_empty());
/// # }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Receives every event. `next.run(event)` passes on this event or another one; without it, the event is dropped as handled.
    ///
    /// Await `next`: an event that is passed on in a spawned task is acknowledged as soon as this method returns.
    async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult;

    /// Wraps `inner`: a handler, an inbox, or either of them inside other middleware.
    fn around<D: Deliver>(self, inner: D) -> Wrapped<Self, D>
    where
        Self: Sized,
    {
        Wrapped { middleware: self, inner }
    }
}

/// Shared middleware, such as a [board](crate::session::Board) that the program also reads.
#[async_trait]
impl<M: Middleware + ?Sized> Middleware for Arc<M> {
    async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
        (**self).on_event(event, next).await
    }
}

/// The handler or inbox that middleware passes an event on to.
pub struct Next<'a>(&'a dyn Deliver);

impl Next<'_> {
    /// Passes the event on.
    ///
    /// # Errors
    ///
    /// Those of what is wrapped.
    pub async fn run(self, event: &Event) -> HandlerResult {
        self.0.deliver(event).await
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

/// Middleware and what it wraps, as [`Middleware::around`] returns it.
#[derive(Clone, Debug)]
pub struct Wrapped<M, D> {
    middleware: M,
    inner: D,
}

impl<M, D> Wrapped<M, D> {
    /// The middleware.
    #[must_use]
    pub fn middleware(&self) -> &M {
        &self.middleware
    }

    /// What it wraps.
    #[must_use]
    pub fn inner(&self) -> &D {
        &self.inner
    }
}

impl<M: Middleware, D: Deliver> Deliver for Wrapped<M, D> {
    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        self.middleware.on_event(event, Next(&self.inner))
    }

    fn at_deadline(&self) -> AtDeadline {
        self.inner.at_deadline()
    }

    fn late_failure(&self, event: &Event, error: &HandlerError) {
        self.inner.late_failure(event, error);
    }
}

impl<M: Middleware, D: Deliver> Sealed for Wrapped<M, D> {}
