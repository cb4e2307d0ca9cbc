//! What is reported about a delivery, from its arrival to its response and to the end of its handler.

use std::{fmt, sync::OnceLock};

use tokio::time::Instant;

use super::{
    refusal::Refusal,
    response::{Accepted, Acknowledged},
};
use crate::{
    decision::Method,
    event::Event,
    handler::{HandlerError, HandlerResult},
    telemetry::{
        Counter, Gauge, Histogram, Level, RateLimit, Span, Stopwatch, Subject, log, log_to_subscriber, span,
    },
};

static DELIVERIES: Counter = Counter::new("desk_webhook_deliveries_total", "Requests, by outcome");
static REFUSALS: Counter =
    Counter::new("desk_webhook_refusals_total", "Requests that were not acknowledged, by reason");
static ANSWER: Histogram =
    Histogram::new("desk_webhook_answer_seconds", "From the request's arrival to its answer");
static HANDLER: Histogram =
    Histogram::new("desk_webhook_handler_seconds", "From a handler's start to its end");
static DECISIONS: Counter =
    Counter::new("desk_webhook_decisions_total", "Requests for decisions, by method and outcome");
static IN_FLIGHT: Gauge = Gauge::new("desk_webhook_in_flight", "Verified requests that are read or handled");

pub(super) fn describe() {
    DELIVERIES.describe();
    REFUSALS.describe();
    DECISIONS.describe();
    ANSWER.describe();
    HANDLER.describe();
    IN_FLIGHT.describe();
}

/// How a delivery ended, for spans and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Handled,
    Unfinished,
    Ignored,
    Decided,
    Failed,
    Unavailable,
    Refused,
    Abandoned,
}

impl Outcome {
    fn of(result: &Result<Accepted, Refusal>) -> Self {
        match result {
            Ok(accepted) => match accepted.why {
                Acknowledged::Handled => Self::Handled,
                Acknowledged::Unfinished => Self::Unfinished,
                Acknowledged::Ignored => Self::Ignored,
                Acknowledged::Decided => Self::Decided,
            },
            Err(Refusal::HandlerFailed) => Self::Failed,
            Err(refusal) if refusal.status().is_server_error() => Self::Unavailable,
            Err(_) => Self::Refused,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Unfinished => "unfinished",
            Self::Ignored => "ignored",
            Self::Decided => "decided",
            Self::Failed => "failed",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
        }
    }
}

/// How a decision ended, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecisionOutcome {
    Made,
    None,
    Failed,
    Late,
    Overloaded,
    Dropped,
}

impl DecisionOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::None => "none",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Overloaded => "overloaded",
            Self::Dropped => "dropped",
        }
    }
}

/// A delivery from its arrival to its response.
#[derive(Debug)]
pub(super) struct Delivery<'w> {
    watch: Stopwatch,
    span: Span,
    limit: &'w RateLimit,
    app: OnceLock<u64>,
    is_answered: bool,
}

impl<'w> Delivery<'w> {
    pub(super) fn begin(limit: &'w RateLimit) -> Self {
        let span = span!("desk_delivery": app, command, request_id, event, session_id, outcome, error_code, handler_seconds, seconds);
        Self { watch: Stopwatch::start(), span, limit, app: OnceLock::new(), is_answered: false }
    }

    /// Runs `work` in this delivery's span, on any thread.
    pub(super) fn carry<F>(&self, work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        self.span.carry(work)
    }

    /// Records the app that the query names. It is not verified yet, so no more of it than a number is recorded.
    pub(super) fn record_claimed_app(&self, app: Option<u64>) {
        if let Some(app) = app {
            self.span.record("app", app);
            let _ = self.app.set(app);
        }
    }

    pub(super) fn app(&self) -> Option<u64> {
        self.app.get().copied()
    }

    pub(super) fn record_verified(&self, command: Option<&str>, request_id: Option<&str>) {
        self.span.record_text("command", command);
        self.span.record_text("request_id", request_id);
    }

    pub(super) fn record_event(&self, event: &Event) {
        self.span.record_text("event", Some(event.name.as_str()));
        self.span.record_text("session_id", event.session());
    }

    /// Logs a command that was acknowledged without a decision, if it asks for one or its body looks like an event.
    pub(super) fn record_ignored(&self, method: Method, is_event: bool, command: &str) {
        let command: String = command.chars().take(100).collect();
        match method {
            Method::Other if is_event => self.log_limited("unknown_command", format_args!(
                "acknowledged and ignored: the body looks like an event, but its CallbackCommand is {command:?}"
            )),
            Method::Other => {}
            _ => self.log_limited(method.as_str(), format_args!(
                "acknowledged without a decision: {command} asks for one, and no responder with `{}` is installed",
                method.as_str(),
            )),
        }
    }

    pub(super) fn record_decision(
        &self,
        method: Method,
        outcome: DecisionOutcome,
        event: Option<&Event>,
        why: &str,
    ) {
        let method = method.as_str();
        DECISIONS.increment(&[("method", method), ("outcome", outcome.as_str())]);
        let what = format_args!("the decision `{method}` failed, and the sender got the fallback: {why}");
        match outcome {
            DecisionOutcome::Made | DecisionOutcome::None | DecisionOutcome::Dropped => {}
            DecisionOutcome::Overloaded => self.log_limited("overloaded_decision", what),
            DecisionOutcome::Failed | DecisionOutcome::Late => {
                let subject = event.map_or_else(|| Subject::of_app(self.app()), Subject::from);
                log(Level::Error, subject, what);
            }
        }
    }

    fn log_limited(&self, kind: &'static str, what: fmt::Arguments<'_>) {
        let more = match self.limit.admit(kind, Instant::now()) {
            None => return,
            Some(0) => String::new(),
            Some(suppressed) => format!("; {suppressed} more for this reason were not logged"),
        };
        log(Level::Warn, Subject::of_app(self.app()), format_args!("{what}{more}"));
    }

    /// Starts to measure its handler.
    pub(super) fn handling(&self) -> Handling {
        Handling { watch: Stopwatch::start(), span: self.span.clone() }
    }

    pub(super) fn record_result(&mut self, result: &Result<Accepted, Refusal>) {
        self.is_answered = true;
        let code = match result {
            Ok(accepted) => accepted.reply.as_ref().map_or(0, |reply| reply.code),
            Err(refusal) => refusal.code().into(),
        };
        self.span.record("error_code", code);
        self.record_outcome(Outcome::of(result));
        if let Err(refusal) = result {
            REFUSALS.increment(&[("reason", refusal.reason())]);
        }
        self.span.within(|| match result {
            // The handler's own failures are logged where its error is known.
            Err(Refusal::HandlerFailed | Refusal::Unavailable | Refusal::DeadlinePassed) => {}
            Err(refusal) => {
                let (code, reason) = (refusal.code(), refusal.reason());
                self.log_limited(reason, format_args!("refused with {code} ({reason}): {refusal}"));
            }
            Ok(accepted) if accepted.why == Acknowledged::Ignored => {
                log_to_subscriber(Level::Debug, Subject::default(), format_args!("nothing for the handler"));
            }
            Ok(_) => {}
        });
    }

    fn record_outcome(&self, outcome: Outcome) {
        let (outcome, took) = (outcome.as_str(), self.watch.elapsed());
        self.span.record("outcome", outcome);
        self.span.record("seconds", took.as_secs_f64());
        DELIVERIES.increment(&[("outcome", outcome)]);
        ANSWER.record(took, &[("outcome", outcome)]);
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        self.record_outcome(Outcome::Abandoned);
        if self.limit.admit("abandoned", Instant::now()).is_some() {
            let what = format_args!(
                "there was no answer: the sender disconnected, or the server stopped, before there was one"
            );
            self.span.within(|| log_to_subscriber(Level::Warn, Subject::default(), what));
        }
    }
}

/// A handler from its start to its end, which may come after the response.
#[derive(Debug)]
pub(super) struct Handling {
    watch: Stopwatch,
    span: Span,
}

impl Handling {
    /// Runs `work` in the delivery's span.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.within(work)
    }

    pub(super) fn record_end(&self, event: &Event, result: &HandlerResult) {
        let took = self.watch.elapsed();
        let result = if result.is_ok() { "ok" } else { "error" };
        self.span.record("handler_seconds", took.as_secs_f64());
        HANDLER.record(took, &[("category", event.category().as_str()), ("result", result)]);
    }
}

pub(super) fn record_dropped_decision(method: Method) {
    DECISIONS.increment(&[("method", method.as_str()), ("outcome", DecisionOutcome::Dropped.as_str())]);
}

pub(super) fn record_entered() {
    IN_FLIGHT.add(1.0);
}

pub(super) fn record_left() {
    IN_FLIGHT.add(-1.0);
}

pub(super) fn log_failure(event: &Event, error: &HandlerError, refusal: Refusal) {
    let code = refusal.code();
    let what = format_args!("the handler failed, and the sender got {code}: {error:#}");
    log(Level::Error, event.into(), what);
}

pub(super) fn log_late_failure(event: &Event, error: &HandlerError) {
    let what =
        format_args!("the handler failed after the sender was answered or had disconnected: {error:#}");
    log(Level::Error, event.into(), what);
}

pub(super) fn log_missed_deadline(event: &Event, refusal: Refusal) {
    let code = refusal.code();
    log(
        Level::Error,
        event.into(),
        format_args!("the handler missed the deadline, and the sender got {code}"),
    );
}

pub(super) fn log_lost(event: &Event) {
    let what =
        format_args!("lost: the handler's task was dropped before it ended, as a runtime does at shutdown");
    log(Level::Error, event.into(), what);
}
