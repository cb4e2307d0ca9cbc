//! Your side: what to do with each kind of event.
//!
//! Implement [`EventHandler`]: one method for each category of events you care about, or `on_event` for all of them. What
//! a method returns decides what the sender is told, as long as it waits, and who hears of a failure otherwise:
//!
//! | the handler | the sender, while it waits | later |
//! |---|---|---|
//! | `Ok(())` | OK | |
//! | an error by `?`, or a panic | status 200, `FAIL`, 20001 | [`on_late_failure`](EventHandler::on_late_failure) |
//! | [`HandlerError::unavailable`] | status 503, 50302 | the same |
//! | [`HandlerError::permanent`] | status 200, `FAIL`, 20001 | the same |
//! | has not ended at the deadline | OK, or 503 with 50303, by [`at_deadline`](EventHandler::at_deadline) | it goes on |
//!
//! Behind the [inbox](crate#what-was-acknowledged-and-then-lost) nobody waits: an error is tried again, and one that is
//! permanent is not.
//!
//! ```
//! use tencent_desk_webhook::{Event, EventHandler, HandlerError, HandlerResult, async_trait, event::Satisfaction};
//!
//! struct Ratings {
//!     last: &'static str, // a file
//! }
//!
//! #[async_trait]
//! impl EventHandler for Ratings {
//!     async fn on_satisfaction(&self, _: &Event, rating: &Satisfaction) -> HandlerResult {
//!         let Some(stars) = rating.stars else {
//!             return Err(HandlerError::permanent("a rating without stars"));
//!         };
//!         std::fs::write(self.last, stars.to_string())?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), serde_json::Error> {
//! # let event = |stars: u8| serde_json::from_str::<Event>(&format!(
//! #     r#"{{"SdkAppid": 7, "SessionId": "s", "Event": "SatisfactionSelected", "EventTime": 0, "SatisfactionSelected": {stars}}}"#
//! # ));
//! let ratings = Ratings { last: "/nowhere/last" };
//! assert!(ratings.on_event(&event(0)?).await.unwrap_err().is_permanent());
//! assert!(!ratings.on_event(&event(5)?).await.unwrap_err().is_permanent()); // the disk may be back tomorrow
//! # Ok(())
//! # }
//! ```

use std::{any::Any, error::Error, fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll};

use async_trait::async_trait;

use crate::event::{Event, EventKind, Message, Satisfaction, SessionBegin, SessionEnd, Transfer};
use crate::isolate::{caught, discard};

/// What a handler method returns. Any error becomes a [`HandlerError`] by `?`.
pub type HandlerResult = Result<(), HandlerError>;

/// Handles events, one method per category. A method that is left out ignores its events.
///
/// The sender waits for the result, up to the [deadline](crate::Webhook::deadline); the handler itself runs to its end.
/// Deliver it more than once and nothing may break: the sender can repeat an event.
///
/// ```
/// use tencent_desk_webhook::{EventHandler, HandlerResult, async_trait, event::{Event, Message}};
///
/// struct Support;
///
/// #[async_trait]
/// impl EventHandler for Support {
///     async fn on_message(&self, event: &Event, message: &Message) -> HandlerResult {
///         println!("{}: {}", event.session_id, message.text());
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let event: Event = serde_json::from_str(r#"{"SdkAppid": 7, "SessionId": "s", "Event": "NewEvent", "EventTime": 0}"#).unwrap();
/// assert!(Support.on_event(&event).await.is_ok()); // and so are all others, which it ignores
/// # }
/// ```
///
/// Things to know:
/// * The first poll happens on the caller's thread. Work that blocks belongs into `spawn_blocking`: it delays the answer
///   and the connection, and `block_in_place` in a first poll panics on a current-thread runtime.
/// * The caller's task-locals exist in the first poll only.
/// * A panic is that event's error alone, but for a program built with `panic = "abort"`.
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// Every event comes in here, and goes on to the method of its category. Middleware overrides this alone.
    async fn on_event(&self, event: &Event) -> HandlerResult {
        match &event.kind {
            EventKind::SessionBegin(begin) => self.on_session_begin(event, begin).await,
            EventKind::Message(message) => self.on_message(event, message).await,
            EventKind::Transfer(transfer) => self.on_transfer(event, transfer).await,
            EventKind::Satisfaction(satisfaction) => self.on_satisfaction(event, satisfaction).await,
            EventKind::SessionEnd(end) => self.on_session_end(event, end).await,
            EventKind::Unknown => self.on_unknown(event).await,
        }
    }

    /// A session has begun.
    async fn on_session_begin(&self, event: &Event, begin: &SessionBegin) -> HandlerResult {
        let _ = (event, begin);
        Ok(())
    }

    /// User, bot or agent has sent a message.
    async fn on_message(&self, event: &Event, message: &Message) -> HandlerResult {
        let _ = (event, message);
        Ok(())
    }

    /// The session is on its way to an agent, or has reached one.
    async fn on_transfer(&self, event: &Event, transfer: &Transfer) -> HandlerResult {
        let _ = (event, transfer);
        Ok(())
    }

    /// The user has rated the session.
    async fn on_satisfaction(&self, event: &Event, satisfaction: &Satisfaction) -> HandlerResult {
        let _ = (event, satisfaction);
        Ok(())
    }

    /// The session has ended. Whether one session may send several of these is not documented: be ready for it.
    async fn on_session_end(&self, event: &Event, end: &SessionEnd) -> HandlerResult {
        let _ = (event, end);
        Ok(())
    }

    /// An event that this version has no name for; [`Event::raw`] has its JSON.
    async fn on_unknown(&self, event: &Event) -> HandlerResult {
        let _ = event;
        Ok(())
    }

    /// `on_event` has failed with nobody left to be told: the sender had its answer, or had hung up. Called exactly once
    /// for such a failure, after it was written to standard error or told to `tracing`: on whichever thread noticed it,
    /// and inside the runtime on which handlers go on, so that it may spawn. It should be quick.
    fn on_late_failure(&self, event: &Event, error: &HandlerError) {
        let _ = (event, error);
    }

    /// What the sender is told when the deadline passes before `on_event` has ended.
    fn at_deadline(&self) -> AtDeadline {
        AtDeadline::Acknowledge
    }
}

/// What the sender is told when the deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtDeadline {
    /// OK: the handler has the event and will finish with it.
    Acknowledge,
    /// 503: an event must not count as taken before the handler has said so.
    Refuse,
}

/// Why a handler failed. Made of any error by `?`; not an [`Error`] itself, for that is what makes `?` possible.
pub struct HandlerError {
    cause: Box<dyn Error + Send + Sync>,
    retry: Retry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    Useful,
    Useless,
    BySender,
}

impl HandlerError {
    /// A retry is useless: the event itself is what the handler cannot take.
    #[must_use]
    pub fn permanent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), retry: Retry::Useless }
    }

    /// The event was not taken, and the sender should be told so: it gets status 503. It may never repeat the event.
    #[must_use]
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), retry: Retry::BySender }
    }

    /// Whether it was made by [`permanent`](Self::permanent).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.retry == Retry::Useless
    }

    /// Whether it was made by [`unavailable`](Self::unavailable).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.retry == Retry::BySender
    }

    /// The error that it was made of.
    #[must_use]
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }

    pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Self {
        let said = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let error = Self::from(format!("panicked: {}", said.unwrap_or("(no text)")));
        discard(panic);
        error
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    fn from(cause: E) -> Self {
        Self { cause: cause.into(), retry: Retry::Useful }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError").field("cause", &self.cause).field("retry", &self.retry).finish()
    }
}

/// Calls `handler`. A panic, wherever it happens, is an error of this event alone.
pub(crate) async fn attempt<H: EventHandler + ?Sized>(handler: &H, event: &Event) -> HandlerResult {
    let mut handling = pin!(async { handler.on_event(event).await });
    poll_fn(|cx| {
        caught(|| handling.as_mut().poll(cx))
            .unwrap_or_else(|panic| Poll::Ready(Err(HandlerError::panicked(panic))))
    })
    .await
}

/// Handlers can be shared and chosen at run time: every method is passed on, `on_event` included.
macro_rules! pass_on {
    ($pointer:ident) => {
        #[async_trait]
        impl<T: EventHandler + ?Sized> EventHandler for $pointer<T> {
            async fn on_event(&self, event: &Event) -> HandlerResult {
                (**self).on_event(event).await
            }

            async fn on_session_begin(&self, event: &Event, begin: &SessionBegin) -> HandlerResult {
                (**self).on_session_begin(event, begin).await
            }

            async fn on_message(&self, event: &Event, message: &Message) -> HandlerResult {
                (**self).on_message(event, message).await
            }

            async fn on_transfer(&self, event: &Event, transfer: &Transfer) -> HandlerResult {
                (**self).on_transfer(event, transfer).await
            }

            async fn on_satisfaction(&self, event: &Event, satisfaction: &Satisfaction) -> HandlerResult {
                (**self).on_satisfaction(event, satisfaction).await
            }

            async fn on_session_end(&self, event: &Event, end: &SessionEnd) -> HandlerResult {
                (**self).on_session_end(event, end).await
            }

            async fn on_unknown(&self, event: &Event) -> HandlerResult {
                (**self).on_unknown(event).await
            }

            fn on_late_failure(&self, event: &Event, error: &HandlerError) {
                (**self).on_late_failure(event, error);
            }

            fn at_deadline(&self) -> AtDeadline {
                (**self).at_deadline()
            }
        }
    };
}

pass_on!(Arc);
pass_on!(Box);
