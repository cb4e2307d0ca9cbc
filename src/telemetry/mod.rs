//! What whoever runs this gets to know of it. Nothing else in the crate logs or counts.
//!
//! With feature `tracing` there is a span for each delivery, and failures are its events; without it, or where the program has
//! no subscriber, failures go to standard error, a line each. With feature `metrics` everything is counted. Both are told
//! the same by the same calls; without the features those are empty.

mod delivery;

mod failures;

mod say;

#[cfg(feature = "inbox")]
mod inbox;

#[cfg(feature = "tracing")]
mod span;

#[cfg(not(feature = "tracing"))]
#[path = "no_span.rs"]
mod span;

#[cfg(feature = "metrics")]
mod metrics;

#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
mod metrics;

use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "inbox")]
pub(crate) use self::inbox::{Attempt, Trouble, dead, duplicate, retried, stands, stored};
pub(crate) use self::{
    delivery::{Accepted, Delivery, Handling},
    failures::{failed, failed_late, late, lost},
    metrics::{describe, started, stopped},
};

/// Of all spans and events.
#[cfg(feature = "tracing")]
const TARGET: &str = "tencent_desk_webhook";

/// Runs only where somebody wants to know.
#[derive(Clone, Copy, Debug)]
struct Stopwatch(Option<Instant>);

impl Stopwatch {
    fn start() -> Self {
        Self(cfg!(any(feature = "metrics", feature = "tracing")).then(Instant::now))
    }

    fn elapsed(self) -> Duration {
        self.0.map_or(Duration::ZERO, |begun| begun.elapsed())
    }
}
