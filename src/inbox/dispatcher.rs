//! The settings of a delivery, and its start.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::watch;

use super::{
    Inbox,
    backoff::Backoff,
    dispatching::Settings,
    isolation::Isolation,
    lane::{LaneWorker, Phase},
    retry::Policy,
    workers::{self, Workers},
};
use crate::handler::Deliver;

/// Settings of a delivery that has not started. [`Inbox::deliver_to`] makes it.
#[must_use = "nothing is delivered before `start`"]
pub struct Dispatcher<H> {
    inbox: Inbox,
    handler: H,
    settings: Settings,
}

impl<H: Deliver> Dispatcher<H> {
    pub(super) fn new(inbox: Inbox, handler: H) -> Self {
        let policy = Policy {
            retry_for: Duration::from_secs(24 * 60 * 60),
            attempts: None,
            backoff: Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(10 * 60) },
            timeout: Duration::from_secs(5 * 60),
            crashes: 3,
        };
        let settings =
            Settings { policy, sessions: 64, lease: Duration::from_secs(10), grace: Duration::from_secs(20) };
        Self { inbox, handler, settings }
    }

    /// How long an event is tried again, counted from its first failure; then it becomes a dead letter. The last attempt is
    /// made when this time is over. Zero: no event is tried again. Default: 24 hours.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.settings.policy.retry_for = time;
        self
    }

    /// After how many failed attempts an event becomes a dead letter, even if [`retry_for`](Self::retry_for) is not over; at
    /// least 1. Default: no limit.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.policy.attempts = Some(attempts.max(1));
        self
    }

    /// How long a failed event waits for its next attempt: about `base` at first, twice as long each time, up to `cap`.
    /// The waits are shortened at random, by up to a half. A handler that knows better returns
    /// [`HandlerError::retry_after`](crate::HandlerError::retry_after). Default: 100 ms to 10 minutes.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.settings.policy.backoff = Backoff { base, cap };
        self
    }

    /// How long a handler may take for an event. Then it is cancelled, which counts as a failure. A handler that blocks its
    /// thread cannot be cancelled. Default: 5 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.policy.timeout = timeout;
        self
    }

    /// After how many ends of the process, such as an abort, a stack overflow or a kill, while an event was handled it
    /// becomes a dead letter; at least 1. Default: 3.
    ///
    /// Which of several events ended the process is not known, so nothing else may have been running in at least two of these
    /// processes (in one, with a limit of 1); otherwise the event is given up only after three times as many. After two, or
    /// one with a limit of 1, it is delivered alone for up to 100 ms. PostgreSQL counts the first event of each session that the process held, and does not
    /// know for the first end whether anything else was running, so limits of 1 and 2 take one more there. A process that is
    /// [draining](Workers::drain) counts for no event.
    pub fn crashes(mut self, crashes: u32) -> Self {
        self.settings.policy.crashes = crashes.max(1);
        self
    }

    /// How many sessions are delivered side by side; at least 1. Default: 64.
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.settings.sessions = sessions.max(1);
        self
    }

    /// How long a session stays with a worker that gives no sign of life; at least 1 s, at most a day. Default: 10 s. It is
    /// renewed three times in that time, however long a handler takes. A handler whose lease was lost is cancelled.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.clamp(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
        self
    }

    /// How long [`Workers::drain`] takes at most: handlers that run are cancelled when nine tenths of it are over, but no
    /// earlier than 2 s before its end. It takes at least 100 ms for them. Default: 20 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Starts to deliver, on the runtime in which the inbox was made.
    pub fn start(self) -> Workers {
        let Self { inbox, handler, settings } = self;
        let worker = LaneWorker {
            handler,
            policy: settings.policy.clone(),
            archive: inbox.shared.settings.archive().is_some(),
            keep: inbox.shared.settings.keep(),
            store: Arc::clone(&inbox.shared.store),
            outcomes: inbox.shared.outcomes.clone(),
            isolation: Isolation::default(),
            phase: watch::Sender::new(Phase::Running),
            finished: AtomicU64::new(0),
            interrupted: AtomicU64::new(0),
        };
        workers::start(&inbox, Arc::new(worker), settings)
    }
}

impl<H> fmt::Debug for Dispatcher<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("settings", &self.settings).finish_non_exhaustive()
    }
}
