//! Spans and log lines for `tracing`, numbers for `metrics`, and standard error where the program has no subscriber.
//!
//! Each part of the crate decides what it reports, in a file `telemetry.rs` of its own. Without the features `tracing` and
//! `metrics` the same calls do nothing, except that failures are still written to standard error.
//!
//! Subscribers and recorders are the program's code. They are called in this folder only and inside
//! [`isolated`](crate::isolate::isolated), so that one that panics loses no event.

mod log;

mod metrics;

mod rate_limit;

mod span;

mod stopwatch;

pub(crate) use self::{
    log::{Level, Subject, log, log_to_subscriber},
    metrics::{Counter, Gauge, Histogram},
    rate_limit::RateLimit,
    span::{Span, span},
    stopwatch::Stopwatch,
};

/// Of all spans and log lines.
#[cfg(feature = "tracing")]
pub(crate) const TARGET: &str = "tencent_desk_webhook";
