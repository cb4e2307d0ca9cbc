//! What the inbox has to tell.

use std::{fmt::Display, time::Duration};

use super::{
    Stopwatch, metrics,
    say::{Level, note, say},
    span::Span,
};
use crate::{event::Event, inbox::Stats};

pub(crate) fn stored() {
    metrics::stored();
}

pub(crate) fn duplicate(event: &Event) {
    metrics::duplicate();
    note(Level::Debug, Some(event), format_args!("a repeat: acknowledged, and not stored again"));
}

pub(crate) fn stands(stats: &Stats) {
    metrics::stands(stats);
}

pub(crate) fn retried(event: &Event, error: &str, attempts: u32, after: Duration) {
    let after = after.as_millis();
    let what = format_args!("attempt {attempts} failed, the next is in {after} ms: {error}");
    say(Level::Warn, Some(event), what);
}

pub(crate) fn dead(event: Option<&Event>, error: &str, id: i64, attempts: u32) {
    let inbox = if event.is_none() { "inbox: " } else { "" };
    let what = format_args!("{inbox}given up after attempt {attempts}, kept as dead letter {id}: {error}");
    say(Level::Error, event, what);
}

/// One attempt to deliver a stored event.
#[derive(Debug)]
pub(crate) struct Attempt {
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
        Self { watch: Stopwatch::start(), span }
    }

    pub(crate) fn carry<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.span.carry(work)
    }

    /// `done`, `retry`, `dead` or `interrupted`.
    pub(crate) fn ended(self, outcome: &'static str) {
        let took = self.watch.elapsed();
        self.span.record("outcome", outcome);
        self.span.record("handler_seconds", took.as_secs_f64());
        metrics::attempted(outcome, took);
    }
}

/// Something that fails again and again, and is told once until it works again.
#[derive(Debug, Default)]
pub(crate) struct Trouble(u32);

impl Trouble {
    pub(crate) fn is(&mut self, what: &str, error: &dyn Display) {
        self.0 = self.0.saturating_add(1);
        if self.0 == 1 {
            let what = format_args!("inbox: {what}, and this is tried again and again: {error}");
            say(Level::Error, None, what);
        }
    }

    pub(crate) fn over(&mut self) {
        if std::mem::take(&mut self.0) > 0 {
            say(Level::Info, None, format_args!("inbox: it works again"));
        }
    }

    /// How many times in a row.
    pub(crate) fn count(&self) -> u32 {
        self.0
    }
}
