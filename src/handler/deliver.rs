//! What a webhook and a dispatcher deliver to.

use std::{future::poll_fn, pin::Pin, pin::pin, sync::Arc, task::Poll};

use super::{EventHandler, HandlerError, HandlerResult};
use crate::{event::Event, isolate::caught};

/// The result of [`Deliver::deliver`], once it is awaited.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = HandlerResult> + Send + 'a>>;

/// What events can be delivered to: every [`EventHandler`], the [inbox](crate#events-that-are-acknowledged-and-then-lost), and either of
/// them with [`Middleware`](super::Middleware) around it.
///
/// It is sealed, and an inbox is no `EventHandler`, so that nothing can wrap an inbox and forget that an event must not be
/// acknowledged before it is stored:
///
/// ```compile_fail,E0277
/// use tencent_desk_webhook::{Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait, inbox::Inbox};
///
/// struct OnlySdk<H>(H);
///
/// #[async_trait]
/// impl<H: EventHandler> EventHandler for OnlySdk<H> {
///     async fn on_event(&self, event: &Event) -> HandlerResult {
///         if event.channel.as_deref() == Some("SDK") { self.0.on_event(event).await } else { Ok(()) }
///     }
/// }
///
/// # fn mount(inbox: Inbox) {
/// let webhook = Webhook::new(Verifier::signed(1_400_000_000, "token"), OnlySdk(inbox));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot receive events",
    note = "implement `EventHandler` for it, or `Middleware` if it wraps another handler or an inbox"
)]
pub trait Deliver: Sealed + Send + Sync + 'static {
    /// Hands over one event. Call it for tests and imports: a handler of your own that calls it on an inbox could be
    /// acknowledged before the event is stored. Mount the inbox itself, with [`Middleware`](super::Middleware) if need be.
    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a>;

    /// The response to a sender whose event is not done at the deadline.
    fn at_deadline(&self) -> AtDeadline;

    /// Reports a failure that no response can report.
    fn late_failure(&self, event: &Event, error: &HandlerError);
}

/// The response to a sender when the deadline passes before the handler has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtDeadline {
    /// OK: the handler continues and will finish.
    Acknowledge,
    /// 503: the event must not be acknowledged before the handler has succeeded.
    Refuse,
}

impl<T: EventHandler + ?Sized> Deliver for T {
    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        self.on_event(event)
    }

    fn at_deadline(&self) -> AtDeadline {
        AtDeadline::Acknowledge
    }

    fn late_failure(&self, event: &Event, error: &HandlerError) {
        self.on_late_failure(event, error);
    }
}

macro_rules! forward {
    ($pointer:ty) => {
        impl Deliver for $pointer {
            fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
                (**self).deliver(event)
            }

            fn at_deadline(&self) -> AtDeadline {
                (**self).at_deadline()
            }

            fn late_failure(&self, event: &Event, error: &HandlerError) {
                (**self).late_failure(event, error);
            }
        }

        impl sealed::Sealed for $pointer {}
    };
}

forward!(Arc<dyn Deliver>);
forward!(Box<dyn Deliver>);

pub(crate) use self::sealed::Sealed;

mod sealed {
    #[allow(unreachable_pub)] // it seals a public trait
    pub trait Sealed {}

    impl<T: super::EventHandler + ?Sized> Sealed for T {}
}

/// Delivers to `handler`. A panic, wherever it happens, is an error of this event alone.
pub(crate) async fn attempt<D: Deliver + ?Sized>(handler: &D, event: &Event) -> HandlerResult {
    let mut handling = pin!(async { handler.deliver(event).await });
    poll_fn(|cx| {
        caught(|| handling.as_mut().poll(cx))
            .unwrap_or_else(|panic| Poll::Ready(Err(HandlerError::panicked(panic))))
    })
    .await
}
