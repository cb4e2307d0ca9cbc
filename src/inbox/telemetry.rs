//! What is reported about an inbox.

use std::time::Duration;

use super::Stats;
use crate::{
    event::Event,
    telemetry::{Counter, Gauge, Histogram, Level, Span, Stopwatch, Subject, log, log_to_subscriber, span},
};

static STORED: Counter = Counter::new("desk_inbox_stored_total", "Events that were stored");
static DUPLICATES: Counter =
    Counter::new("desk_inbox_duplicates_total", "Repeats that were acknowledged and not stored again");
static ATTEMPTS: Counter =
    Counter::new("desk_inbox_attempts_total", "Attempts to deliver a stored event, by outcome");
static HANDLER: Histogram =
    Histogram::new("desk_inbox_handler_seconds", "From an attempt's start to its end");
static WAITING: Gauge = Gauge::new("desk_inbox_waiting", "Stored events that no attempt has failed for");
static RUNNING: Gauge = Gauge::new("desk_inbox_running", "Sessions that a worker has, with an event each");
static RETRYING: Gauge = Gauge::new("desk_inbox_retrying", "Stored events that wait for another attempt");
static DEAD: Gauge = Gauge::new("desk_inbox_dead", "Dead letters");
static BYTES: Gauge = Gauge::new("desk_inbox_bytes", "Stored events that are neither done nor dead");
static OLDEST: Gauge =
    Gauge::new("desk_inbox_oldest_age_seconds", "Age of the oldest event that is not done");

pub(super) fn describe() {
    for counter in [&STORED, &DUPLICATES, &ATTEMPTS] {
        counter.describe();
    }
    HANDLER.describe();
    for gauge in [&WAITING, &RUNNING, &RETRYING, &DEAD, &BYTES, &OLDEST] {
        gauge.describe();
    }
}

pub(super) fn record_stored() {
    STORED.increment(&[]);
}

pub(super) fn record_duplicate(event: &Event) {
    DUPLICATES.increment(&[]);
    log_to_subscriber(
        Level::Debug,
        event.into(),
        format_args!("a repeat: acknowledged, and not stored again"),
    );
}

pub(super) fn record_stats(stats: &Stats) {
    WAITING.set(stats.waiting as f64);
    RUNNING.set(stats.running as f64);
    RETRYING.set(stats.retrying as f64);
    DEAD.set(stats.dead as f64);
    BYTES.set(stats.bytes as f64);
    OLDEST.set(stats.oldest.unwrap_or_default().as_secs_f64());
}

pub(super) fn log_reused_request(event: &Event) {
    let what =
        format_args!("another event came with the same RequestID before: stored, as a different event");
    log(Level::Warn, event.into(), what);
}

/// Logs what is stored when delivery starts.
pub(super) fn log_start(stats: &Stats) {
    let Stats { waiting, retrying, running, dead, bytes, paused, .. } = stats;
    let open = waiting + retrying + running;
    let paused = if *paused { "; delivery is paused" } else { "" };
    let what = format_args!(
        "inbox: delivery starts: {open} events ({bytes} bytes) wait, {retrying} of them have failed before; {dead} dead letters{paused}"
    );
    log(Level::Info, Subject::default(), what);
}

/// Logs a dead letter that never was an event to a handler.
pub(super) fn log_unreadable(error: &str, id: i64) {
    log(Level::Error, Subject::default(), format_args!("inbox: kept as dead letter {id}: {error}"));
}

/// How an attempt to deliver a stored event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    Done,
    Retry,
    Dead,
    Interrupted,
}

impl AttemptOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Dead => "dead",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One attempt to deliver a stored event.
#[derive(Debug)]
pub(super) struct Attempt {
    number: u32,
    watch: Stopwatch,
    span: Span,
}

impl Attempt {
    pub(super) fn begin(event: &Event, number: u32) -> Self {
        let span =
            span!("desk_attempt": app, request_id, event, session_id, attempt, outcome, handler_seconds);
        span.record("app", event.sdk_app_id);
        span.record("attempt", number);
        span.record_text("request_id", event.request_id.as_deref());
        span.record_text("event", Some(event.name.as_str()));
        span.record_text("session_id", event.session());
        Self { number, watch: Stopwatch::start(), span }
    }

    pub(super) fn carry<F>(&self, work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        self.span.carry(work)
    }

    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.within(work)
    }

    pub(super) fn record_end(&self, outcome: AttemptOutcome) {
        let (outcome, took) = (outcome.as_str(), self.watch.elapsed());
        self.span.record("outcome", outcome);
        self.span.record("handler_seconds", took.as_secs_f64());
        ATTEMPTS.increment(&[("outcome", outcome)]);
        HANDLER.record(took, &[("outcome", outcome)]);
    }

    pub(super) fn log_retry(&self, event: &Event, error: &str, after: Duration) {
        let (number, after) = (self.number, after.as_millis());
        let what = format_args!("attempt {number} failed, the next is in {after} ms: {error}");
        self.within(|| log(Level::Warn, event.into(), what));
    }

    pub(super) fn log_lost_lease(&self, event: &Event) {
        let what =
            format_args!("the lease was lost, so the handler was cancelled: another worker has the session");
        self.within(|| log(Level::Warn, event.into(), what));
    }

    pub(super) fn log_dead_letter(&self, event: &Event, error: &str, id: i64) {
        let number = self.number;
        let attempts = if number > 0 { format!(" after attempt {number}") } else { String::new() };
        let what = format_args!("given up{attempts}, kept as dead letter {id}: {error}");
        self.within(|| log(Level::Error, event.into(), what));
    }
}
