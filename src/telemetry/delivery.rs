//! One delivery, from its arrival to its answer and to the end of its handler.

use super::{
    Stopwatch, metrics,
    say::{Level, note},
    span::Span,
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

/// Clones watch the same delivery.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    watch: Stopwatch,
    span: Span,
}

impl Delivery {
    pub(crate) fn begin() -> Self {
        Self { watch: Stopwatch::start(), span: Span::delivery() }
    }

    /// Whatever `work` does happens in this delivery's span, on whichever thread.
    pub(crate) fn carry<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.span.carry(work)
    }

    /// As [`carry`](Self::carry), for what is done at once.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.within(work)
    }

    /// Not believed yet, so no more of it than a number.
    pub(crate) fn claims(&self, app: Option<u64>) {
        if let Some(app) = app {
            self.span.record("app", app);
        }
    }

    pub(crate) fn is_authentic(&self, command: Option<&str>, request_id: Option<&str>) {
        self.span.record_text("command", command);
        self.span.record_text("request_id", request_id);
    }

    pub(crate) fn brings(&self, event: &Event) {
        self.span.record_text("event", Some(event.name.as_str()));
        self.span.record_text("session_id", Some(&event.session_id));
    }

    /// Its handler has ended, whoever still waits for it.
    pub(crate) fn handled(&self, handling: Handling, event: &Event, result: &HandlerResult) {
        let took = handling.0.elapsed();
        self.span.record("handler_seconds", took.as_secs_f64());
        metrics::handled(category(event), result.is_ok(), took);
    }

    pub(crate) fn answered(&self, answer: &Result<Accepted, Refusal>) {
        let took = self.watch.elapsed();
        let (outcome, reason) = match answer {
            Ok(Accepted::Handled) => ("handled", None),
            Ok(Accepted::Unfinished) => ("unfinished", None),
            Ok(Accepted::Ignored) => ("ignored", None),
            Err(Refusal::HandlerFailed) => ("failed", Some(Refusal::HandlerFailed)),
            Err(refusal) if refusal.status().is_server_error() => ("unavailable", Some(*refusal)),
            Err(refusal) => ("refused", Some(*refusal)),
        };
        self.span.record("outcome", outcome);
        self.span.record("error_code", reason.map_or(0, |refusal| refusal.code()));
        self.span.record("seconds", took.as_secs_f64());
        metrics::answered(outcome, reason.map(|refusal| refusal.reason()), took);
        self.within(|| match reason {
            // The handler's own failures are told where its error is known.
            Some(Refusal::HandlerFailed | Refusal::Unavailable | Refusal::DeadlinePassed) => {}
            Some(refusal) => {
                note(Level::Warn, None, format_args!("{}: {} ({refusal})", refusal.code(), refusal.reason()));
            }
            None if outcome == "ignored" => note(Level::Debug, None, format_args!("nothing for the handler")),
            None => {}
        });
    }
}

/// From the handler's first poll on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handling(Stopwatch);

impl Handling {
    pub(crate) fn begin() -> Self {
        Self(Stopwatch::start())
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
