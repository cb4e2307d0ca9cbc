//! What a handler can ask about its delivery.

use std::{fmt, sync::Arc, time::SystemTime};

use super::store::{Claim, Receipt, Store};

/// The delivery that a handler is called for, when an [inbox](super::Inbox) calls it.
///
/// ```
/// use tencent_desk_webhook::{Event, EventHandler, HandlerResult, async_trait, event::Message, inbox::Delivery};
///
/// struct Tickets;
///
/// #[async_trait]
/// impl EventHandler for Tickets {
///     async fn on_message(&self, event: &Event, message: &Message) -> HandlerResult {
///         let last = Delivery::current().is_some_and(|delivery| delivery.is_last());
///         if let Err(error) = create_ticket(message.text()) {
///             if last {
///                 println!("no ticket for {}, and no further attempt", event.session_id);
///             }
///             return Err(error.into());
///         }
///         Ok(())
///     }
/// }
/// # fn create_ticket(_: String) -> Result<(), std::io::Error> { Ok(()) }
/// ```
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    claim: Claim,
    id: i64,
    attempt: u32,
    is_last: bool,
    stored: SystemTime,
    archive: bool,
    keeps_sessions: bool,
    store: Arc<dyn Store>,
}

tokio::task_local! {
    static CURRENT: Delivery;
}

impl Delivery {
    /// Returns the delivery in whose handler this is called; `None` outside of an inbox's handler. It does not cross
    /// `tokio::spawn` and `spawn_blocking`: call it before, and move the result.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// The number of this attempt, from 1. Attempts that were cut short by the end of their process are not counted.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Whether the event becomes a dead letter if this attempt fails. (After a permanent error it does in any case.)
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.0.is_last
    }

    /// When the event was stored, by the store's clock.
    #[must_use]
    pub fn stored(&self) -> SystemTime {
        self.0.stored
    }

    /// A fencing token: it is higher than those of all earlier workers that were given this event's session. A system that
    /// refuses writes with a lower token than it has seen cannot be changed by a worker that was believed dead.
    #[must_use]
    pub fn token(&self) -> i64 {
        self.0.claim.epoch
    }

    /// Returns the SQL statement that records the event as done in a transaction of yours, so that its effect in the same
    /// database happens exactly once. `None` if the engine has no SQL, and while [sessions are
    /// kept](super::Inbox::keep_sessions), which the inbox writes in that transaction itself.
    ///
    /// Execute it last, in the same PostgreSQL database or SQLite file as the inbox, and return `Ok`. If it fails, roll back
    /// and return the error: another worker has the event.
    #[must_use]
    pub fn receipt(&self) -> Option<Receipt> {
        if self.0.keeps_sessions {
            return None;
        }
        self.0.store.receipt(&self.0.claim, self.0.id, self.0.archive)
    }
}

/// A delivery about to be made.
pub(super) struct Facts {
    pub(super) claim: Claim,
    pub(super) id: i64,
    pub(super) attempt: u32,
    pub(super) is_last: bool,
    pub(super) stored: SystemTime,
    pub(super) archive: bool,
    pub(super) keeps_sessions: bool,
}

impl Facts {
    /// Runs `handling` with this as its current delivery.
    pub(super) fn within<F: Future>(
        self,
        store: &Arc<dyn Store>,
        handling: F,
    ) -> impl Future<Output = F::Output> {
        let Self { claim, id, attempt, is_last, stored, archive, keeps_sessions } = self;
        let store = Arc::clone(store);
        let inner = Inner { claim, id, attempt, is_last, stored, archive, keeps_sessions, store };
        CURRENT.scope(Delivery(Arc::new(inner)), handling)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { claim, id, attempt, is_last, stored, .. } = &*self.0;
        f.debug_struct("Delivery")
            .field("id", id)
            .field("attempt", attempt)
            .field("is_last", is_last)
            .field("stored", stored)
            .field("token", &claim.epoch)
            .finish_non_exhaustive()
    }
}
