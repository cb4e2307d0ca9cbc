//! One delivery, from its arrival to its answer and to the end of its handler.

use std::sync::OnceLock;

use tokio::time::Instant;

use super::{
    metrics,
    refusals::Refusals,
    say::{Level, note},
    span::Span,
    stopwatch::Stopwatch,
};
use crate::{
    error::Refusal,
    event::{Event, EventKind},
    handler::HandlerResult,
};

/// What was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// The handler has ended.
    Handled,
    /// The handler goes on.
    Unfinished,
    /// There was nothing for a handler: another command, or the console's URL check.
    Ignored,
}

/// From a request's arrival to its answer.
#[derive(Debug)]
pub(crate) struct Delivery {
    watch: Stopwatch,
    span: Span,
    app: OnceLock<u64>,
    is_answered: bool,
}

impl Delivery {
    pub(crate) fn begin() -> Self {
        Self { watch: Stopwatch::start(), span: Span::delivery(), app: OnceLock::new(), is_answered: false }
    }

    /// Whatever `work` does happens in this delivery's span, on whichever thread.
    pub(crate) fn carry<F>(&self, work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        self.span.carry(work)
    }

    /// Not believed yet, so no more of it than a number.
    pub(crate) fn claims(&self, app: Option<u64>) {
        if let Some(app) = app {
            self.span.record("app", app);
            let _ = self.app.set(app);
        }
    }

    pub(crate) fn app(&self) -> Option<u64> {
        self.app.get().copied()
    }

    pub(crate) fn is_authentic(&self, command: Option<&str>, request_id: Option<&str>) {
        self.span.record_text("command", command);
        self.span.record_text("request_id", request_id);
    }

    pub(crate) fn brings(&self, event: &Event) {
        self.span.record_text("event", Some(event.name.as_str()));
        self.span.record_text("session_id", Some(&event.session_id));
    }

    /// Its handler is about to start.
    pub(crate) fn handling(&self) -> Handling {
        Handling { watch: Stopwatch::start(), span: self.span.clone() }
    }

    pub(crate) fn answered(
        &mut self,
        answer: &Result<Accepted, Refusal>,
        refusals: &Refusals,
        arrived: Instant,
    ) {
        let (outcome, reason) = match answer {
            Ok(Accepted::Handled) => ("handled", None),
            Ok(Accepted::Unfinished) => ("unfinished", None),
            Ok(Accepted::Ignored) => ("ignored", None),
            Err(Refusal::HandlerFailed) => ("failed", Some(Refusal::HandlerFailed)),
            Err(refusal) if refusal.status().is_server_error() => ("unavailable", Some(*refusal)),
            Err(refusal) => ("refused", Some(*refusal)),
        };
        self.span.record("error_code", reason.map_or(0, |refusal| refusal.code()));
        self.ended(outcome, reason);
        self.span.within(|| match reason {
            // The handler's own failures are logged where its error is known.
            Some(Refusal::HandlerFailed | Refusal::Unavailable | Refusal::DeadlinePassed) => {}
            Some(refusal) => refusals.log(refusal, self.app(), arrived),
            None if outcome == "ignored" => note(Level::Debug, None, format_args!("nothing for the handler")),
            None => {}
        });
    }

    fn ended(&mut self, outcome: &'static str, reason: Option<Refusal>) {
        self.is_answered = true;
        let took = self.watch.elapsed();
        self.span.record("outcome", outcome);
        self.span.record("seconds", took.as_secs_f64());
        metrics::ended(outcome, reason.map(|refusal| refusal.reason()), took);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.is_answered {
            self.ended("abandoned", None);
            let what = format_args!(
                "there was no answer: the sender disconnected, or the server stopped, before there was one"
            );
            self.span.within(|| note(Level::Warn, None, what));
        }
    }
}

/// From a handler's start to its end, whoever still waits for it.
#[derive(Debug)]
pub(crate) struct Handling {
    watch: Stopwatch,
    span: Span,
}

impl Handling {
    /// Whatever `work` does happens in the delivery's span.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.within(work)
    }

    pub(crate) fn ended(&self, event: &Event, result: &HandlerResult) {
        let took = self.watch.elapsed();
        self.span.record("handler_seconds", took.as_secs_f64());
        metrics::handled(category(event), result.is_ok(), took);
    }
}

fn category(event: &Event) -> &'static str {
    match event.kind {
        EventKind::SessionBegin(_) => "session_begin",
        EventKind::Message(_) => "message",
        EventKind::Transfer(_) => "transfer",
        EventKind::Satisfaction(_) => "satisfaction",
        EventKind::SessionEnd(_) => "session_end",
        EventKind::Unknown => "unknown",
    }
}
