//! What whoever runs this gets to know of it. Nothing else in the crate logs or counts.
//!
//! With feature `tracing` there is a span for each delivery, and failures are its events; without it, or where the program's
//! subscriber does not want to know, failures go to standard error, a line each. With feature `metrics` everything is
//! counted. Both are told the same by the same calls; without the features those are empty.

mod delivery;

mod failures;

mod refusals;

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

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod stopwatch;

#[cfg(not(any(feature = "metrics", feature = "tracing")))]
#[path = "no_stopwatch.rs"]
mod stopwatch;

pub(crate) use self::{
    delivery::{Accepted, Delivery, Handling},
    failures::{failed, failed_late, late, lost, unknown_command},
    metrics::{describe, started, stopped},
    refusals::Refusals,
};
#[cfg(feature = "inbox")]
pub(crate) use self::{
    inbox::{Attempt, Outage, duplicate, record_stats, reused_request, started_delivery, stored, unreadable},
    metrics::describe_inbox,
};

/// Of all spans and events.
#[cfg(feature = "tracing")]
const TARGET: &str = "tencent_desk_webhook";
