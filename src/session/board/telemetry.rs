//! What a board reports: numbers of the business.

use std::{mem, time::Duration};

use super::{Alarm, Standing, View};
use crate::telemetry::{Counter, Gauge, Histogram};

static OPEN: Gauge = Gauge::new("desk_sessions_open", "Sessions that have not ended");
static WAITING: Gauge = Gauge::new("desk_sessions_waiting", "Sessions whose user waits for an agent");
static WAITING_TOO_LONG: Gauge = Gauge::new(
    "desk_sessions_waiting_too_long",
    "Sessions whose user waits for an agent for longer than the board's limit",
);
static WITHOUT_AGENT: Gauge = Gauge::new(
    "desk_sessions_without_agent_online",
    "Sessions whose user waits for an agent while none is online",
);
static LONGEST_WAIT: Gauge =
    Gauge::new("desk_sessions_longest_wait_seconds", "How long the user waits who waits the longest");
static SERVED: Gauge = Gauge::new("desk_sessions_served", "Sessions that an agent has");
static AGENTS: Gauge = Gauge::new("desk_sessions_agents", "Agents who have sessions");
static BEGUN: Counter = Counter::new("desk_sessions_begun_total", "Sessions of which an event has arrived");
static ENDED: Counter = Counter::new("desk_sessions_ended_total", "Sessions that have ended, by end");
static ABANDONED: Counter =
    Counter::new("desk_sessions_abandoned_total", "Sessions that ended while the user waited for an agent");
static NO_AGENT_ONLINE: Counter =
    Counter::new("desk_sessions_no_agent_online_total", "Requests for an agent while none was online");
static RATED: Counter = Counter::new("desk_sessions_rated_total", "Sessions that were rated, by stars");
static QUEUE: Histogram =
    Histogram::new("desk_sessions_queue_seconds", "From the request for an agent to the transfer");
static FIRST_ANSWER: Histogram =
    Histogram::new("desk_sessions_first_answer_seconds", "From the transfer to the agent's first message");
static HANDLING: Histogram =
    Histogram::new("desk_sessions_handling_seconds", "From the transfer to the session's end");

pub(super) fn describe() {
    for gauge in [&OPEN, &WAITING, &WAITING_TOO_LONG, &WITHOUT_AGENT, &LONGEST_WAIT, &SERVED, &AGENTS] {
        gauge.describe();
    }
    for counter in [&BEGUN, &ENDED, &ABANDONED, &NO_AGENT_ONLINE, &RATED] {
        counter.describe();
    }
    for histogram in [&QUEUE, &FIRST_ANSWER, &HANDLING] {
        histogram.describe();
    }
}

pub(super) fn set_gauges(view: &View) {
    let without_agent = view.waiting.iter().filter(|waiting| waiting.no_agent_online).count();
    let too_long = view.alarms.iter().filter(|alarm| matches!(alarm, Alarm::WaitingTooLong { .. })).count();
    let longest_wait = view.waiting.first().map_or(0, |waiting| waiting.waiting_ms);
    OPEN.set(view.open as f64);
    WAITING.set(view.waiting.len() as f64);
    WAITING_TOO_LONG.set(too_long as f64);
    WITHOUT_AGENT.set(without_agent as f64);
    LONGEST_WAIT.set(longest_wait as f64 / 1000.0);
    SERVED.set(view.served.len() as f64);
    AGENTS.set(view.agents.len() as f64);
}

/// What was counted of a session. Each figure counts once, when it is known first: events that arrive later may change it.
#[derive(Debug, Default)]
pub(super) struct Counted {
    begun: bool,
    ended: bool,
    rated: bool,
    queue: bool,
    first_answer: bool,
    no_agent_online: u32,
}

impl Counted {
    /// Counts nothing of what is known by now: it was counted before a restart.
    pub(super) fn pass_over(&mut self, standing: &Standing) {
        self.begun = true;
        self.ended |= standing.moments.closed.is_some();
        self.rated |= standing.rating.is_some();
        self.queue |= standing.moments.queue.is_some();
        self.first_answer |= standing.moments.first_answer.is_some();
        self.no_agent_online = self.no_agent_online.max(standing.moments.no_agent_online);
    }

    /// Counts what has become known.
    pub(super) fn advance(&mut self, standing: &Standing) {
        let moments = &standing.moments;
        if !mem::replace(&mut self.begun, true) {
            BEGUN.increment(&[]);
        }
        if let (false, Some(end)) = (self.ended, moments.end) {
            self.ended = true;
            ENDED.increment(&[("end", end.as_str())]);
            if standing.abandoned {
                ABANDONED.increment(&[]);
            }
            if let Some(handling) = moments.handling_ms() {
                HANDLING.record(duration(handling), &[]);
            }
        }
        if let (false, Some((_, stars))) = (self.rated, standing.rating) {
            self.rated = true;
            RATED.increment(&[("stars", label(stars))]);
        }
        if let (false, Some(queue)) = (self.queue, moments.queue) {
            self.queue = true;
            QUEUE.record(duration(queue.millis), &[]);
        }
        if let (false, Some(answer)) = (self.first_answer, moments.first_answer) {
            self.first_answer = true;
            FIRST_ANSWER.record(duration(answer.millis), &[]);
        }
        while self.no_agent_online < moments.no_agent_online {
            self.no_agent_online += 1;
            NO_AGENT_ONLINE.increment(&[]);
        }
    }
}

/// No label has a value that a sender could choose.
fn label(stars: u8) -> &'static str {
    ["other", "1", "2", "3", "4", "5"].get(usize::from(stars)).copied().unwrap_or("other")
}

fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
