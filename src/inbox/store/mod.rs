//! What an engine does, and the types that it does it with.
//!
//! The dispatcher above is the same for every engine. To add one of your own, implement [`Store`] and pass it to
//! [`Inbox::over`](super::Inbox::over); the two engines that come with the library do nothing more.
//!
//! An event's life, in the order of calls:
//!
//! 1. [`append`](Store::append) stores it at the end of its *lane*, or recognises it as a duplicate.
//! 2. [`claim`](Store::claim) gives the lane to a worker, for the time of a lease, with its first events.
//! 3. [`started`](Store::started) and [`ended`](Store::ended) surround each call of the handler.
//! 4. [`renew`](Store::renew) keeps the lane while the handler works.
//! 5. [`finish`](Store::finish) records what became of the events: done, to be tried again, or dead; and gives the lane
//!    back.
//! 6. [`forget`](Store::forget) deletes its key, long after it is done.
//!
//! These have to be implemented. The other methods are for operators; an engine that leaves one out reports an error to an
//! operator who calls it. `tests/inbox/memory.rs` in the repository is a small engine.

mod arrival;

mod filter;

mod lane;

mod records;

mod receipt;

mod sessions;

use std::time::Duration;

use async_trait::async_trait;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use self::sessions::session_key;
pub use self::{
    arrival::{Appended, LaneKey, NewEvent, RequestKey},
    filter::{Filter, Subject},
    lane::{Claim, Failure, Finished, Lane, Outcome, Renewed, Waiting},
    receipt::{Receipt, ReceiptValue},
    records::{Archived, DeadLetter, Pending, Stats},
    sessions::{KeptMessage, KeptSession, SessionChange, SessionFilter},
};
use super::InboxError;

/// An engine: where accepted events are kept until they are delivered.
///
/// Calls come from several tasks at once, except for [`append`](Self::append) and [`finish`](Self::finish), of which one
/// each is under way at a time: the inbox gathers what waits into one call. A future may be dropped before it ends; what
/// it was to do may then have been done or not, but not in part.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores events in their order, and answers each in the same order. Once it returns they survive the loss of the
    /// machine's power. The inbox passes at most 256 events, and at most 8 MiB of them unless one alone is larger.
    ///
    /// An event is a duplicate if an earlier one, also of the same call, has the same `key`, or the same `request` where
    /// both have one; it is then not stored again. Keys are remembered until [`forget`](Self::forget).
    ///
    /// # Errors
    ///
    /// When the engine fails. None of the events counts as stored then.
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError>;

    /// Takes up to `limit` lanes that are not held and whose first event is due; the longest ready first. No other call gets
    /// them for `lease`, unless it is renewed. An event that waits for its retry is not due, and holds back those behind it;
    /// what is stored or requeued before it is due at once.
    ///
    /// Each lane brings its oldest events in the order in which they were stored: at least one, at most
    /// [`EVENTS_AT_ONCE`], and beyond the first no more than [`LANE_BYTES`]. A call takes no further lane once it has
    /// [`CLAIM_BYTES`]. An event that cannot be read is brought with what is left of its JSON, and becomes a dead letter.
    /// A lane whose events are all gone (an operator has deleted them) is not brought, and is freed.
    ///
    /// # Errors
    ///
    /// When the engine fails. Lanes that were taken are free again, or will be after `lease`.
    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError>;

    /// The handler of an event is about to be called; the one that this claim has started before has returned. An engine that records this in a way that survives the process, and
    /// counts the events that were started and have not [ended](Self::ended) when a process died, brings these counts as
    /// [`Waiting::crashes`] and [`Waiting::alone`]. It has to be cheap: it is on the way of every delivery.
    ///
    /// By default nothing is recorded: an event that crashes its process is then retried at every start.
    ///
    /// # Errors
    ///
    /// When the engine fails. The handler is not called then, and the lane is given back.
    async fn started(&self, claim: &Claim, id: i64) -> Result<(), InboxError> {
        let _ = (claim, id);
        Ok(())
    }

    /// The handler of the event that this claim has started last has returned or was cancelled; or the program is shutting down in order, so that an end of
    /// the process is not the event's fault. It may come more than once.
    async fn ended(&self, claim: &Claim, id: i64) {
        let _ = (claim, id);
    }

    /// Holds lanes for another `lease` from now on, and answers each claim in order.
    ///
    /// # Errors
    ///
    /// When the engine fails. All claims are then as if they were [`Renewed::Unknown`].
    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, InboxError>;

    /// Records what was delivered, and answers each outcome in order. An event that is not there any more, because a
    /// [`receipt`](Self::receipt) or an operator has taken it away, is skipped.
    ///
    /// It may be lost with the machine's power: an event is then delivered again.
    ///
    /// # Errors
    ///
    /// When the engine fails. Nothing counts as recorded then; the same outcomes will come again.
    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<Finished>, InboxError>;

    /// Ends when there may be something new to claim; at once, if there has been since the last call. It need not consider
    /// retries and leases that end: the dispatcher looks for these by itself, once a second.
    async fn changed(&self);

    /// Counts what there is. It has to stay cheap with millions of events: it is called every few seconds.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn stats(&self) -> Result<Stats, InboxError>;

    /// Deletes the keys of events that were stored longer than `age` ago and are neither waiting nor dead, and returns how
    /// many.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn forget(&self, age: Duration) -> Result<u64, InboxError>;

    /// What a handler executes as the last statement of its own transaction, to record the event as done in it. The
    /// statement fails, and with it the transaction, unless the event is there and its lane is held by `claim`. With
    /// `archive` it moves the event to the archive.
    ///
    /// `None`, by default: the engine has none.
    fn receipt(&self, claim: &Claim, id: i64, archive: bool) -> Option<Receipt> {
        let _ = (claim, id, archive);
        None
    }

    /// Writes something as [`append`](Self::append) does, and rolls it back.
    ///
    /// # Errors
    ///
    /// When an event could not be stored now.
    async fn check(&self) -> Result<(), InboxError> {
        unsupported("check")
    }

    /// Returns up to `limit` events that are neither delivered nor dead and match `filter`, with an id above `after`, in the
    /// order of their ids.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn pending(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Pending>, InboxError> {
        let _ = (filter, after, limit);
        unsupported("pending")
    }

    /// Returns up to `limit` dead letters that match `filter`, with an id above `after`, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn dead_letters(
        &self,
        filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        let _ = (filter, after, limit);
        unsupported("dead_letters")
    }

    /// Makes a dead letter a waiting event again, in its old place and with no attempt, failure or crash counted; events
    /// that were claimed before may go first. `false`: there is none.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        let _ = id;
        unsupported("requeue")
    }

    /// Does for all dead letters that match `filter` what [`requeue`](Self::requeue) does for one, some at a time, and
    /// returns how many.
    ///
    /// # Errors
    ///
    /// When the engine fails; some may have been requeued then.
    async fn requeue_all(&self, filter: &Filter) -> Result<u64, InboxError> {
        let _ = filter;
        unsupported("requeue_all")
    }

    /// Deletes a waiting event or a dead letter. `false`: there is none.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn discard(&self, id: i64) -> Result<bool, InboxError> {
        let _ = id;
        unsupported("discard")
    }

    /// Makes the events due that wait for their retries and match `filter`, and returns in how many lanes there were any.
    ///
    /// # Errors
    ///
    /// When the engine fails; some may be due then.
    async fn retry_now(&self, filter: &Filter) -> Result<u64, InboxError> {
        let _ = filter;
        unsupported("retry_now")
    }

    /// Sets whether [`claim`](Self::claim) takes nothing, for all processes on this store, until it is set otherwise: it is
    /// stored.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        let _ = paused;
        unsupported("set_paused")
    }

    /// Deletes dead letters that died longer than `age` ago, some at a time, and returns how many.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        let _ = age;
        unsupported("purge")
    }

    /// Deletes all waiting events, dead letters and archived events that match `filter`, some at a time, so that nothing of
    /// them can be read in the engine's files, and returns how many. If `filter` is about a [person or a
    /// session](Filter::subject), their kept sessions and messages go, too.
    ///
    /// # Errors
    ///
    /// When the engine fails; some may be deleted then.
    async fn erase(&self, filter: &Filter) -> Result<u64, InboxError> {
        let _ = filter;
        unsupported("erase")
    }

    /// Returns up to `limit` archived events that match `filter`, with an id above `after`, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn archived(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Archived>, InboxError> {
        let _ = (filter, after, limit);
        unsupported("archived")
    }

    /// Makes archived events that match `filter` waiting events again, at the ends of their lanes and in the order of their
    /// ids, some at a time, and returns how many.
    ///
    /// # Errors
    ///
    /// When the engine fails; some may be waiting then.
    async fn replay(&self, filter: &Filter) -> Result<u64, InboxError> {
        let _ = filter;
        unsupported("replay")
    }

    /// Deletes archived events that were delivered longer than `age` ago, some at a time, and returns how many.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn purge_archive(&self, age: Duration) -> Result<u64, InboxError> {
        let _ = age;
        unsupported("purge_archive")
    }

    /// Returns the kept sessions that match `filter`, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<KeptSession>, InboxError> {
        let _ = filter;
        unsupported("sessions")
    }

    /// Deletes kept sessions that were changed last longer than `age` ago, and their messages, some at a time, and returns how
    /// many sessions.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn purge_sessions(&self, age: Duration) -> Result<u64, InboxError> {
        let _ = age;
        unsupported("purge_sessions")
    }
}

fn unsupported<T>(method: &str) -> Result<T, InboxError> {
    Err(InboxError::new(format!("this inbox's engine does not support `{method}`")))
}

/// How many events a claimed lane brings at most.
pub const EVENTS_AT_ONCE: usize = 16;

/// How many bytes of events a claimed lane brings at most, unless its first event alone is larger.
pub const LANE_BYTES: usize = 1024 * 1024;

/// How many bytes of events one call of [`Store::claim`] brings at most, unless the first event alone is larger.
pub const CLAIM_BYTES: usize = 8 * 1024 * 1024;
