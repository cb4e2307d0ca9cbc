//! What the inbox logs and counts.

use std::{fmt::Display, time::Duration};

use super::{
    metrics,
    say::{Level, note, say},
    span::Span,
    stopwatch::Stopwatch,
};
use crate::{event::Event, inbox::Stats};

pub(crate) fn stored() {
    metrics::stored();
}

pub(crate) fn duplicate(event: &Event) {
    metrics::duplicate();
    note(Level::Debug, Some(event), format_args!("a repeat: acknowledged, and not stored again"));
}

pub(crate) fn reused_request(event: &Event) {
    let what =
        format_args!("another event came with the same RequestID before: stored, as a different event");
    say(Level::Warn, Some(event), what);
}

pub(crate) fn record_stats(stats: &Stats) {
    metrics::record_stats(stats);
}

/// What a delivery finds when it starts.
pub(crate) fn started_delivery(stats: &Stats) {
    let Stats { waiting, retrying, running, dead, bytes, paused, .. } = stats;
    let open = waiting + retrying + running;
    let paused = if *paused { "; delivery is paused" } else { "" };
    let what = format_args!(
        "inbox: delivery starts: {open} events ({bytes} bytes) wait, {retrying} of them have failed before; {dead} dead letters{paused}"
    );
    say(Level::Info, None, what);
}

/// A dead letter that never was an event to a handler.
pub(crate) fn unreadable(error: &str, id: i64) {
    say(Level::Error, None, format_args!("inbox: kept as dead letter {id}: {error}"));
}

/// One attempt to deliver a stored event.
#[derive(Debug)]
pub(crate) struct Attempt {
    number: u32,
    watch: Stopwatch,
    span: Span,
}

impl Attempt {
    pub(crate) fn begin(event: &Event, number: u32) -> Self {
        let span = Span::attempt();
        span.record("app", event.sdk_app_id);
        span.record("attempt", number);
        span.record_text("request_id", event.request_id.as_deref());
        span.record_text("event", Some(event.name.as_str()));
        span.record_text("session_id", Some(&event.session_id));
        Self { number, watch: Stopwatch::start(), span }
    }

    pub(crate) fn carry<F>(&self, work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        self.span.carry(work)
    }

    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.within(work)
    }

    /// `done`, `retry`, `dead` or `interrupted`.
    pub(crate) fn ended(&self, outcome: &'static str) {
        let took = self.watch.elapsed();
        self.span.record("outcome", outcome);
        self.span.record("handler_seconds", took.as_secs_f64());
        metrics::attempted(outcome, took);
    }

    pub(crate) fn is_repeated(&self, event: &Event, error: &str, after: Duration) {
        let (number, after) = (self.number, after.as_millis());
        let what = format_args!("attempt {number} failed, the next is in {after} ms: {error}");
        self.within(|| say(Level::Warn, Some(event), what));
    }

    /// Its event goes to another worker.
    pub(crate) fn lost(&self, event: &Event) {
        let what =
            format_args!("the lease was lost, so the handler was cancelled: another worker has the session");
        self.within(|| say(Level::Warn, Some(event), what));
    }

    /// Its event becomes a dead letter.
    pub(crate) fn was_last(&self, event: &Event, error: &str, id: i64) {
        let number = self.number;
        let attempts = if number > 0 { format!(" after attempt {number}") } else { String::new() };
        let what = format_args!("given up{attempts}, kept as dead letter {id}: {error}");
        self.within(|| say(Level::Error, Some(event), what));
    }
}

/// A failure that repeats. It is logged once, and once more when it is over.
#[derive(Debug, Default)]
pub(crate) struct Outage(u32);

impl Outage {
    pub(crate) fn record(&mut self, what: &str, error: &dyn Display) {
        self.0 = self.0.saturating_add(1);
        if self.0 == 1 {
            let what = format_args!("inbox: {what}, and this is tried again and again: {error}");
            say(Level::Error, None, what);
        }
    }

    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.0) > 0 {
            say(Level::Info, None, format_args!("inbox: it works again"));
        }
    }

    /// How many times in a row.
    pub(crate) fn count(&self) -> u32 {
        self.0
    }
}
