//! Claimed lanes, and what became of their events.

use std::time::{Duration, SystemTime};

use super::{LaneKey, SessionChange};

/// The right to deliver a lane's events until the lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct Claim {
    /// The lane.
    pub lane: LaneKey,
    /// Which claim of it: never the same twice, and higher than those of earlier claims. Handlers use it as a fencing token.
    pub epoch: i64,
}

/// What became of a claim's renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no fourth
pub enum Renewed {
    /// The lane is held for another lease.
    Renewed,
    /// The lane is held still, but could not be renewed now: its row is locked, for example. It is asked again soon.
    Unknown,
    /// The lane is not held by this claim any more. Its handler is cancelled.
    Lost,
}

/// What became of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no fourth
pub enum Finished {
    /// It is recorded.
    Recorded,
    /// The lane is not held by its claim any more. Nothing is recorded.
    Lost,
    /// The lane or an event is locked by another transaction, such as that of a handler with a
    /// [receipt](super::Store::receipt). Nothing is recorded; the same outcome will come again soon.
    Busy,
}

impl From<bool> for Finished {
    /// Whether the lane was held.
    fn from(held: bool) -> Self {
        if held { Self::Recorded } else { Self::Lost }
    }
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

/// A waiting event. Engines make it with [`new`](Self::new) and set the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Its number: ascending in the order in which a lane's events were stored.
    pub id: i64,
    /// When it was stored.
    pub stored: SystemTime,
    /// How many attempts to deliver it have failed.
    pub attempts: u32,
    /// How long ago its first attempt failed. `None`: no attempt has failed.
    pub failing_for: Option<Duration>,
    /// How many processes have died while it was handled.
    pub crashes: u32,
    /// How many of these handled nothing else at the time.
    pub alone: u32,
    /// The event, as [`NewEvent::json`](super::NewEvent::json) had it.
    pub json: String,
}

impl Waiting {
    /// An event that was not tried yet.
    #[must_use]
    pub fn new(id: i64, stored: SystemTime, json: String) -> Self {
        Self { id, stored, attempts: 0, failing_for: None, crashes: 0, alone: 0, json }
    }
}

/// What came of delivering events of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The right to deliver them.
    pub claim: Claim,
    /// Events that were delivered. They are deleted, or go to the archive.
    pub done: Vec<i64>,
    /// Whether [`done`](Self::done) goes to the archive.
    pub archive: bool,
    /// Events that are given up: they become dead letters.
    pub dead: Vec<Failure>,
    /// An event that is to be tried again, and after what time; the lane is then free only after that time. If this is its
    /// first failure, its [`failing_for`](Waiting::failing_for) counts from now on.
    pub retry: Option<(Failure, Duration)>,
    /// Whether the lane is given back, or goes on to be held.
    pub release: bool,
    /// What the delivered events and those that are given up add to the kept sessions, if [sessions are
    /// kept](crate::inbox::Inbox::keep_sessions). To be written in the transaction that takes the events away.
    pub sessions: Vec<SessionChange>,
}

impl Outcome {
    pub(crate) fn of(claim: Claim, archive: bool) -> Self {
        Self {
            claim,
            done: Vec::new(),
            archive,
            dead: Vec::new(),
            retry: None,
            release: false,
            sessions: Vec::new(),
        }
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
    /// The handler's error.
    pub error: String,
}

impl Failure {
    /// For engines.
    #[must_use]
    pub fn new(id: i64, attempts: u32, error: String) -> Self {
        Self { id, attempts, error }
    }
}
