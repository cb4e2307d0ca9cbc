//! Handlers: what your program does with each category of events.
//!
//! Implement the methods of [`EventHandler`] for the categories you need, or `on_event` for all of them. The result of a method
//! decides the response while the sender waits, and how a failure is reported afterwards:
//!
//! | the handler returns | response, while the sender waits | afterwards |
//! |---|---|---|
//! | `Ok(())` | OK | |
//! | an error by `?`, or a panic | status 200, `FAIL`, 20001 | [`on_late_failure`](EventHandler::on_late_failure) |
//! | [`HandlerError::unavailable`] | status 503, 50302 | the same |
//! | [`HandlerError::permanent`] | status 200, `FAIL`, 20001 | the same |
//! | nothing before the deadline | OK, or 503 with 50303, by [`at_deadline`](crate::Webhook::at_deadline) | it continues |
//!
//! Behind the [inbox](crate#events-that-are-acknowledged-and-then-lost) no sender waits: an error is retried, unless it is
//! permanent.
//!
//! [`Middleware`] wraps a handler or an inbox, and keeps the guarantees of what it wraps.
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

mod error;

mod deliver;

mod middleware;

mod pointer;

use async_trait::async_trait;

pub(crate) use self::deliver::attempt;
#[cfg(feature = "inbox")]
pub(crate) use self::{deliver::Sealed, error::with_sources};
pub use self::{
    deliver::{AtDeadline, Deliver, Delivering},
    error::HandlerError,
    middleware::{Middleware, Next, Wrapped},
};
use crate::event::{
    AgentStatus, Event, EventKind, Message, Satisfaction, SessionBegin, SessionEnd, TaskFlow, Transfer,
};

/// What a handler method returns. Any error becomes a [`HandlerError`] by `?`.
pub type HandlerResult = Result<(), HandlerError>;

/// Handles events, one method per category. The default methods ignore their events.
///
/// The sender waits for the result up to the [deadline](crate::Webhook::deadline). The handler itself always runs to its end.
/// Handlers must be idempotent: the sender may deliver an event more than once.
///
/// Methods run concurrently: `&self` is shared by all deliveries, and without the inbox the events of one session can overlap.
/// To act around another handler, implement [`Middleware`] instead.
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
/// assert!(Support.on_event(&event).await.is_ok()); // it ignores all other events
/// # }
/// ```
///
/// Things to know:
/// * The first poll happens on the caller's thread. Move blocking work into `spawn_blocking`: it would delay the response and
///   the connection. `block_in_place` in a first poll panics on a current-thread runtime.
/// * The caller's task-locals exist in the first poll only.
/// * A panic counts as that event's error, except in a program built with `panic = "abort"`.
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// Receives every event and passes it to the method of its category. A handler that overrides this, to store the
    /// event first for instance, can still call [`dispatch`].
    async fn on_event(&self, event: &Event) -> HandlerResult {
        dispatch(self, event).await
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

    /// The session has ended. It is not documented whether a session can end more than once: handle both.
    async fn on_session_end(&self, event: &Event, end: &SessionEnd) -> HandlerResult {
        let _ = (event, end);
        Ok(())
    }

    /// The status of an agent has changed. The event has no session. The default passes it to [`on_unknown`](Self::on_unknown).
    async fn on_agent_status(&self, event: &Event, status: &AgentStatus) -> HandlerResult {
        let _ = status;
        self.on_unknown(event).await
    }

    /// The bot has taken a step of a task flow. The default passes it to [`on_unknown`](Self::on_unknown).
    async fn on_task_flow(&self, event: &Event, flow: &TaskFlow) -> HandlerResult {
        let _ = flow;
        self.on_unknown(event).await
    }

    /// An event that this version does not know; [`Event::raw`] has its JSON. Events of categories that are newer than this method come
    /// here as well, until the handler implements their own method.
    async fn on_unknown(&self, event: &Event) -> HandlerResult {
        let _ = event;
        Ok(())
    }

    /// Reports a failure of `on_event` that no response can report, because the sender had its response or had disconnected.
    /// It is called exactly once for such a failure, after the failure was logged, on the thread that noticed it and inside the
    /// runtime on which handlers continue, so it may spawn tasks. It should return quickly.
    fn on_late_failure(&self, event: &Event, error: &HandlerError) {
        let _ = (event, error);
    }
}

/// Passes `event` to the method of its category: what [`EventHandler::on_event`] does unless it is overridden.
///
/// # Errors
///
/// Those of the method.
pub async fn dispatch<H: EventHandler + ?Sized>(handler: &H, event: &Event) -> HandlerResult {
    match &event.kind {
        EventKind::SessionBegin(begin) => handler.on_session_begin(event, begin).await,
        EventKind::Message(message) => handler.on_message(event, message).await,
        EventKind::Transfer(transfer) => handler.on_transfer(event, transfer).await,
        EventKind::Satisfaction(satisfaction) => handler.on_satisfaction(event, satisfaction).await,
        EventKind::SessionEnd(end) => handler.on_session_end(event, end).await,
        EventKind::AgentStatus(status) => handler.on_agent_status(event, status).await,
        EventKind::TaskFlow(flow) => handler.on_task_flow(event, flow).await,
        EventKind::Unknown => handler.on_unknown(event).await,
    }
}
