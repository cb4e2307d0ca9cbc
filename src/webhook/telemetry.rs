//! What is reported about a delivery, from its arrival to its response and to the end of its handler.

use std::{fmt, sync::OnceLock};

use bytes::Bytes;
use tokio::time::Instant;

use super::refusal::Refusal;
use crate::{
    decision::{Command, Reply},
    event::Event,
    handler::{HandlerError, HandlerResult},
    isolate::isolated,
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

/// Why a request was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// The handler has ended.
    Handled,
    /// The deadline has passed, and the handler goes on.
    Unfinished,
    /// There was nothing for a handler: another command, or the console's URL check.
    Ignored,
    /// With the answer to a request for a decision.
    Decided(Reply),
}

impl Accepted {
    /// The response's body, if it is not the bare acknowledgement.
    pub(super) fn into_body(self) -> Option<Bytes> {
        if let Self::Decided(reply) = self { reply.body } else { None }
    }
}

/// How a decision ended.
#[derive(Debug)]
pub(super) enum Decided {
    Made(Option<Reply>),
    Failed(HandlerError),
    Late,
    Overloaded,
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
            Ok(Accepted::Handled) => Self::Handled,
            Ok(Accepted::Unfinished) => Self::Unfinished,
            Ok(Accepted::Ignored) => Self::Ignored,
            Ok(Accepted::Decided(_)) => Self::Decided,
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

    /// Logs that a command was acknowledged and ignored, because there is no responder.
    pub(super) fn record_ignored(&self, command: Command, name: &str) {
        let kind = if command == Command::Other { "unknown_command" } else { "undecided" };
        if self.limit.admit(kind, Instant::now()).is_none() {
            return;
        }
        let name: String = name.chars().take(100).collect();
        let subject = Subject::of_app(self.app());
        if command == Command::Other {
            let what = format_args!(
                "acknowledged and ignored: the body looks like an event, but its CallbackCommand is {name:?}"
            );
            return log(Level::Warn, subject, what);
        }
        let method = command.method();
        let what = format_args!(
            "acknowledged without a decision: {name} asks for one, and no responder with `{method}` is installed"
        );
        log(Level::Warn, subject, what);
    }

    /// Returns the reply, or `None` if a fallback has to be sent.
    pub(super) fn record_decision(&self, method: &'static str, decided: Decided) -> Option<Reply> {
        let (outcome, reply) = match decided {
            Decided::Made(Some(reply)) => ("made", Some(reply)),
            Decided::Made(None) => ("none", Some(Reply::acknowledgement())),
            Decided::Failed(error) => {
                self.log_undecided(method, format_args!("{error:#}"));
                isolated(|| drop(error));
                ("failed", None)
            }
            Decided::Late => {
                self.log_undecided(method, format_args!("it was not made within the deadline"));
                ("late", None)
            }
            Decided::Overloaded => {
                if self.limit.admit("overloaded_decision", Instant::now()).is_some() {
                    self.log_undecided(method, format_args!("too many requests are in flight"));
                }
                ("overloaded", None)
            }
        };
        DECISIONS.increment(&[("method", method), ("outcome", outcome)]);
        reply
    }

    fn log_undecided(&self, method: &str, why: fmt::Arguments<'_>) {
        let what = format_args!("the decision `{method}` failed, and the sender got the fallback: {why}");
        log(Level::Error, Subject::of_app(self.app()), what);
    }

    /// Starts to measure its handler.
    pub(super) fn handling(&self) -> Handling {
        Handling { watch: Stopwatch::start(), span: self.span.clone() }
    }

    pub(super) fn record_result(&mut self, result: &Result<Accepted, Refusal>) {
        self.is_answered = true;
        let code = match result {
            Ok(Accepted::Decided(reply)) => reply.code,
            Ok(_) => 0,
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
            Err(refusal) => self.log_refusal(refusal),
            Ok(Accepted::Ignored) => {
                log_to_subscriber(Level::Debug, Subject::default(), format_args!("nothing for the handler"))
            }
            Ok(Accepted::Handled | Accepted::Unfinished | Accepted::Decided(_)) => {}
        });
    }

    fn log_refusal(&self, refusal: &Refusal) {
        let (code, reason) = (refusal.code(), refusal.reason());
        let Some(suppressed) = self.limit.admit(reason, Instant::now()) else { return };
        let more = match suppressed {
            0 => String::new(),
            _ => format!("; {suppressed} more for this reason were not logged"),
        };
        let what = format_args!("refused with {code} ({reason}): {refusal}{more}");
        log(Level::Warn, Subject::of_app(self.app()), what);
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
