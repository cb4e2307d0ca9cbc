//! What operators see of an inbox.

use std::time::{Duration, SystemTime};

use super::Failure;
use crate::event::Event;

/// The state of an inbox.
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
    /// Bytes of all events that are neither delivered nor dead, as JSON.
    pub bytes: u64,
    /// How long ago the oldest event was stored that is neither delivered nor dead.
    pub oldest: Option<Duration>,
    /// Whether delivery is [paused](crate::inbox::Inbox::pause).
    pub paused: bool,
}

/// An event that is neither delivered nor dead. Engines make it with [`new`](Self::new) and set the rest.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pending {
    /// Its number, for [`Inbox::discard`](crate::inbox::Inbox::discard).
    pub id: i64,
    /// The event. `None` if this version cannot read it.
    pub event: Option<Event>,
    /// The event as JSON.
    pub json: String,
    /// When it was stored.
    pub stored: SystemTime,
    /// How many attempts have failed.
    pub attempts: u32,
    /// How many processes have died while it was handled.
    pub crashes: u32,
    /// The handler's last error, if an attempt has failed.
    pub error: Option<String>,
    /// When it will be tried again, if it has failed.
    pub next_attempt: Option<SystemTime>,
    /// Whether a worker holds its session now.
    pub held: bool,
}

impl Pending {
    /// An event that was not tried yet.
    #[must_use]
    pub fn new(id: i64, stored: SystemTime, json: String) -> Self {
        Self {
            id,
            event: Event::from_json(&json).ok(),
            json,
            stored,
            attempts: 0,
            crashes: 0,
            error: None,
            next_attempt: None,
            held: false,
        }
    }
}

/// An event that was given up: a permanent error, one that went on for too long, or one that crashed its process.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number, for [`Inbox::requeue`](crate::inbox::Inbox::requeue).
    pub id: i64,
    /// The event. `None` if this version cannot read it.
    pub event: Option<Event>,
    /// The event as JSON.
    pub json: String,
    /// How many attempts have failed.
    pub attempts: u32,
    /// The handler's last error.
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

/// An event that was delivered and is kept in the [archive](crate::inbox::Inbox::archive).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Archived {
    /// Its number.
    pub id: i64,
    /// The event. `None` if this version cannot read it.
    pub event: Option<Event>,
    /// The event as JSON.
    pub json: String,
    /// When it was stored.
    pub stored: SystemTime,
    /// When it was delivered.
    pub delivered: SystemTime,
}

impl Archived {
    /// For engines.
    #[must_use]
    pub fn new(id: i64, json: String, stored: SystemTime, delivered: SystemTime) -> Self {
        Self { id, event: Event::from_json(&json).ok(), json, stored, delivered }
    }
}
