//! What an engine has to do, and the nouns that it does it with.
//!
//! The dispatcher above is the same for every engine. To add one of your own, implement [`Store`] and hand it to
//! [`Inbox::over`](super::Inbox::over); the two engines that come with the library do nothing more.
//!
//! An event's life, in the order of calls:
//!
//! 1. [`append`](Store::append) stores it at the end of its *lane*, that is its session, or knows it for a duplicate.
//! 2. [`claim`](Store::claim) gives the lane to a worker, for the time of a lease, with its first events.
//! 3. [`renew`](Store::renew) keeps the lane while the handler works.
//! 4. [`finish`](Store::finish) records what became of the events: done, to be tried again, or dead; and gives the lane
//!    back. [`changed`](Store::changed) tells whoever waits.
//! 5. [`forget`](Store::forget) deletes its key, long after it is done.
//!
//! [`stats`](Store::stats), [`dead_letters`](Store::dead_letters), [`requeue`](Store::requeue) and [`purge`](Store::purge)
//! are for operators. `tests/inbox/memory.rs` in the repository is a whole engine in 200 lines.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::InboxError;
use crate::event::{DedupKey, Event, digest};

/// An engine: where accepted events are kept until they are delivered.
///
/// Calls come from several tasks at once, but for [`append`](Self::append) and [`finish`](Self::finish), of which one each
/// is under way at a time: the inbox gathers what waits into one call. A future may be dropped before it ends; what it was
/// to do may then have been done or not, but not in part.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores events in their order, and answers each in the same order. Once it returns they survive the loss of the
    /// machine's power.
    ///
    /// An event is a duplicate if an earlier one, also of the same call, has the same `key`, or the same `request` where
    /// both have one; it is then not stored again. Keys are remembered until [`forget`](Self::forget).
    ///
    /// # Errors
    ///
    /// None of the events counts as stored then.
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError>;

    /// Takes up to `limit` lanes that have waiting events, are not held, and whose retry is due; the longest ready first.
    /// Nobody else gets them for `lease`, unless it is renewed. Each comes with its oldest events, in the order in which
    /// they were stored, and at most [`EVENTS_AT_ONCE`].
    ///
    /// # Errors
    ///
    /// When the engine fails. A lane that was taken anyhow is free again after `lease`.
    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError>;

    /// Holds lanes for another `lease` from now on, and gives back those that are still held by these claims.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Claim>, InboxError>;

    /// Records what was delivered, and answers each outcome in order: `false` if its lane is no longer held by that claim,
    /// in which case nothing of it is recorded.
    ///
    /// It may be lost with the machine's power: an event is then delivered again.
    ///
    /// # Errors
    ///
    /// Nothing counts as recorded then; the same outcomes will come again.
    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<bool>, InboxError>;

    /// Ends when there may be something new to claim; at once, if there has been since the last call. It need not know of
    /// retries and of leases that end: the dispatcher looks for these by itself, once a second.
    async fn changed(&self);

    /// Counts what there is.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn stats(&self) -> Result<Stats, InboxError>;

    /// Up to `limit` dead letters with an id above `after`, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn dead_letters(&self, after: i64, limit: usize) -> Result<Vec<DeadLetter>, InboxError>;

    /// Makes a dead letter a waiting event again, in its old place and with no attempt counted; events that were claimed before
    /// may go first. `false`: there is none.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn requeue(&self, id: i64) -> Result<bool, InboxError>;

    /// Deletes dead letters that died longer than `age` ago, and tells how many.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn purge(&self, age: Duration) -> Result<u64, InboxError>;

    /// Deletes the keys of events that were stored longer than `age` ago and are neither waiting nor dead, and tells how
    /// many.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    async fn forget(&self, age: Duration) -> Result<u64, InboxError>;
}

/// How many events a claimed lane brings at most.
pub const EVENTS_AT_ONCE: usize = 16;

/// An event on its way into a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEvent {
    /// The session that it belongs to.
    pub lane: LaneKey,
    /// What makes it the same event as another.
    pub key: DedupKey,
    /// The `RequestID` that it came with, within app and session.
    pub request: Option<RequestKey>,
    /// The event as JSON, which the store gives back as it is.
    pub json: String,
}

impl NewEvent {
    pub(super) fn new(event: &Event) -> Result<Self, serde_json::Error> {
        let (app, session) = (event.sdk_app_id.to_be_bytes(), event.session_id.as_bytes());
        let request = event.request_id.as_ref();
        Ok(Self {
            lane: LaneKey(digest([&app[..], session])),
            key: event.dedup_key(),
            request: request.map(|request| RequestKey(digest([&app[..], session, request.as_bytes()]))),
            json: serde_json::to_string(event)?,
        })
    }
}

/// A session of an app: 128 bits of a hash. Its events are delivered one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct LaneKey(pub [u8; 16]);

/// A `RequestID` of a session of an app: 128 bits of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct RequestKey(pub [u8; 16]);

/// What became of a new event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no third
pub enum Appended {
    /// It is stored now.
    Stored,
    /// It was stored before.
    Duplicate,
}

/// The right to deliver a lane's events until the lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct Claim {
    /// The lane.
    pub lane: LaneKey,
    /// Which claim of it: never the same twice.
    pub epoch: i64,
}

/// A claimed lane.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lane {
    /// The right to it.
    pub claim: Claim,
    /// Its oldest events, in order.
    pub events: Vec<Waiting>,
}

impl Lane {
    /// For engines.
    #[must_use]
    pub fn new(claim: Claim, events: Vec<Waiting>) -> Self {
        Self { claim, events }
    }
}

/// A waiting event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Its number: ascending in the order in which a session's events were stored.
    pub id: i64,
    /// How many attempts to deliver it have failed.
    pub attempts: u32,
    /// The event, as [`NewEvent::json`] had it.
    pub json: String,
}

impl Waiting {
    /// For engines.
    #[must_use]
    pub fn new(id: i64, attempts: u32, json: String) -> Self {
        Self { id, attempts, json }
    }
}

/// What came of delivering events of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The right to deliver them.
    pub claim: Claim,
    /// Events that were delivered: they are to be deleted.
    pub done: Vec<i64>,
    /// Events that never will be: they become dead letters.
    pub dead: Vec<Failure>,
    /// An event that is to be tried again, and when; the lane is then free only after that time.
    pub retry: Option<(Failure, Duration)>,
    /// Whether the lane is given back, or goes on to be held.
    pub release: bool,
}

impl Outcome {
    pub(super) fn of(claim: Claim) -> Self {
        Self { claim, done: Vec::new(), dead: Vec::new(), retry: None, release: false }
    }
}

/// An event that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The event.
    pub id: i64,
    /// How many attempts have failed, this one included.
    pub attempts: u32,
    /// What the handler said.
    pub error: String,
}

impl Failure {
    /// For engines.
    #[must_use]
    pub fn new(id: i64, attempts: u32, error: String) -> Self {
        Self { id, attempts, error }
    }
}

/// How an inbox stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that are stored, not delivered, and neither running nor retrying.
    pub waiting: u64,
    /// Sessions that a worker holds; one event of each is being handled, or about to be.
    pub running: u64,
    /// Events that have failed and will be tried again.
    pub retrying: u64,
    /// Dead letters.
    pub dead: u64,
    /// How long ago the oldest event was stored that is neither delivered nor dead.
    pub oldest: Option<Duration>,
}

/// An event that was given up: a permanent error, or one attempt too many.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number, for [`Inbox::requeue`](super::Inbox::requeue).
    pub id: i64,
    /// The event. `None` if this version cannot read it.
    pub event: Option<Event>,
    /// The event as JSON.
    pub json: String,
    /// How many attempts have failed.
    pub attempts: u32,
    /// What the handler said last.
    pub error: String,
    /// When it was stored.
    pub stored: SystemTime,
    /// When it was given up.
    pub died: SystemTime,
}

impl DeadLetter {
    /// For engines.
    #[must_use]
    pub fn new(failure: Failure, json: String, stored: SystemTime, died: SystemTime) -> Self {
        let Failure { id, attempts, error } = failure;
        Self { id, event: Event::from_json(&json).ok(), json, attempts, error, stored, died }
    }
}
