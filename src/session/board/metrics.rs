//! Feature `metrics`: numbers of the business. `docs/watching.md` is their table.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::{Standing, View};
use crate::session::{End, figures::Measured};

pub(super) fn describe() {
    describe_gauge!("desk_sessions_open", "Sessions that have not ended");
    describe_gauge!("desk_sessions_waiting", "Sessions whose user waits for an agent");
    describe_gauge!("desk_sessions_served", "Sessions that an agent has");
    describe_gauge!("desk_sessions_agents", "Agents who have sessions");
    describe_gauge!("desk_sessions_longest_wait_seconds", Unit::Seconds, "The longest that a user waits now");
    describe_gauge!("desk_sessions_alarms", "Alarms of the board, by alarm");
    describe_counter!("desk_sessions_begun_total", "Sessions of which a first event has come");
    describe_counter!("desk_sessions_ended_total", "Sessions that have ended, by end");
    describe_counter!(
        "desk_sessions_abandoned_total",
        "Sessions that ended while the user waited for an agent"
    );
    describe_counter!("desk_sessions_no_agent_online_total", "Requests for an agent while none was online");
    describe_counter!("desk_sessions_ratings_total", "Sessions that were rated, by stars");
    describe_histogram!(
        "desk_sessions_queue_seconds",
        Unit::Seconds,
        "From a request for an agent to its success"
    );
    describe_histogram!(
        "desk_sessions_first_answer_seconds",
        Unit::Seconds,
        "From the transfer to an agent to the agent's first message"
    );
    describe_histogram!(
        "desk_sessions_handling_seconds",
        Unit::Seconds,
        "From the transfer to an agent to the session's end"
    );
}

pub(super) fn set_gauges(view: &View) {
    gauge!("desk_sessions_open").set(view.open as f64);
    gauge!("desk_sessions_waiting").set(view.waiting.len() as f64);
    gauge!("desk_sessions_served").set(view.served.len() as f64);
    gauge!("desk_sessions_agents").set(view.agents.len() as f64);
    let longest = view.waiting.first().map_or(0, |waiting| waiting.waiting_ms);
    gauge!("desk_sessions_longest_wait_seconds").set(seconds(longest));
    let no_agent =
        view.alarms.iter().filter(|alarm| matches!(alarm, super::Alarm::NoAgentOnline { .. })).count();
    gauge!("desk_sessions_alarms", "alarm" => "no_agent_online").set(no_agent as f64);
    gauge!("desk_sessions_alarms", "alarm" => "waiting_too_long").set((view.alarms.len() - no_agent) as f64);
}

/// What was counted of a session. Each figure counts once, when it is known first: later events may change it.
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
    pub(super) fn advance(&mut self, standing: &Standing) -> Counts {
        let moments = &standing.moments;
        let once = |counted: &mut bool, is_known: bool| is_known && !std::mem::replace(counted, true);
        let no_agent_online = moments.no_agent_online.saturating_sub(self.no_agent_online);
        self.no_agent_online += no_agent_online;
        let ended = once(&mut self.ended, moments.closed.is_some());
        Counts {
            begun: once(&mut self.begun, true),
            ended: moments.end.filter(|_| ended),
            abandoned: ended && standing.abandoned,
            handling: moments.handling_ms().filter(|_| ended),
            rating: standing.rating.filter(|_| once(&mut self.rated, true)).map(|(_, stars)| stars),
            queue: standing.queue().filter(|_| once(&mut self.queue, true)),
            first_answer: standing.first_answer().filter(|_| once(&mut self.first_answer, true)),
            no_agent_online,
        }
    }
}

/// What is to be counted.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Counts {
    begun: bool,
    ended: Option<End>,
    abandoned: bool,
    handling: Option<i64>,
    rating: Option<u8>,
    queue: Option<Measured>,
    first_answer: Option<Measured>,
    no_agent_online: u32,
}

impl Counts {
    pub(super) fn record(self) {
        if self.begun {
            counter!("desk_sessions_begun_total").increment(1);
        }
        if let Some(end) = self.ended {
            counter!("desk_sessions_ended_total", "end" => end.as_str()).increment(1);
        }
        if self.abandoned {
            counter!("desk_sessions_abandoned_total").increment(1);
        }
        if self.no_agent_online > 0 {
            counter!("desk_sessions_no_agent_online_total").increment(self.no_agent_online.into());
        }
        if let Some(stars) = self.rating {
            // No label has a value that a sender could choose.
            let stars = ["0", "1", "2", "3", "4", "5"].get(usize::from(stars)).copied().unwrap_or("other");
            counter!("desk_sessions_ratings_total", "stars" => stars).increment(1);
        }
        if let Some(queue) = self.queue {
            histogram!("desk_sessions_queue_seconds").record(seconds(queue.millis));
        }
        if let Some(first_answer) = self.first_answer {
            histogram!("desk_sessions_first_answer_seconds").record(seconds(first_answer.millis));
        }
        if let Some(handling) = self.handling {
            histogram!("desk_sessions_handling_seconds").record(seconds(handling));
        }
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
