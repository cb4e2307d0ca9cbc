//! When an event is tried again, and when it is given up.

use std::time::Duration;

use super::{
    backoff::{Backoff, YEAR},
    store::Waiting,
};
use crate::handler::HandlerError;

/// What a [`Dispatcher`](super::Dispatcher) is set to.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) retry_for: Duration,
    pub(super) attempts: Option<u32>,
    pub(super) backoff: Backoff,
    pub(super) timeout: Duration,
    pub(super) crashes: u32,
}

/// The clock of a store may be this much coarser than ours.
const PRECISION: Duration = Duration::from_millis(10);

impl Policy {
    /// Whether this attempt is the last: a failure makes the event a dead letter.
    pub(super) fn is_last(&self, event: &Waiting) -> bool {
        let failing_for = event.failing_for.unwrap_or_default();
        failing_for.saturating_add(PRECISION) >= self.retry_for.max(PRECISION * 2)
            || self.retry_for.is_zero()
            || self.attempts.is_some_and(|limit| event.attempts.saturating_add(1) >= limit)
    }

    /// How long to wait after a failed attempt that was not the last, and took `took`.
    ///
    /// The last attempt comes when `retry_for` is over, not a back-off earlier; a handler's own wish is granted also beyond.
    pub(super) fn delay(&self, event: &Waiting, took: Duration, error: &HandlerError) -> Duration {
        if let Some(delay) = error.retry_delay() {
            return delay.min(YEAR);
        }
        let failing_for = event.failing_for.map_or(Duration::ZERO, |before| before.saturating_add(took));
        let left = self.retry_for.saturating_sub(failing_for).max(self.backoff.base);
        self.backoff.delay(event.attempts.saturating_add(1)).min(left)
    }

    /// Whether this event may be the one that its process has died of, so that nothing else should run beside it. One death
    /// is not enough: after a kill all that ran would wait for each other, and the next kill would meet one that runs alone.
    pub(super) fn is_suspect(&self, event: &Waiting) -> bool {
        event.crashes >= self.crashes.min(2)
    }

    /// Whether this event has ended enough processes. What else was running could have ended most of them, but not those in
    /// which it ran alone; an event that never runs alone is given more chances.
    pub(super) fn is_poison(&self, event: &Waiting) -> bool {
        event.crashes >= self.crashes
            && (event.alone >= self.crashes.min(2) || event.crashes >= self.crashes.saturating_mul(3))
    }
}
