//! What a board shows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{HOUR, State, standing::Stage, whole_millis};
use crate::session::figures::Measured;

/// What is going on. All times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct View {
    /// The time that it is about.
    pub now: i64,
    /// The number of sessions that have not ended.
    pub open: usize,
    /// The users who wait for an agent, the longest first.
    pub waiting: Vec<Waiting>,
    /// The sessions that an agent has, the longest first.
    pub served: Vec<Served>,
    /// The agents who have sessions, those with most first.
    pub agents: Vec<AgentLoad>,
    /// The figures of the last hour.
    pub last_hour: LastHour,
    /// Conditions that need attention.
    pub alarms: Vec<Alarm>,
    /// The number of sessions that were dropped because of the board's limit.
    pub dropped: u64,
}

/// A user who waits for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Waiting {
    /// `SdkAppid`.
    pub sdk_app_id: u64,
    /// `SessionId`.
    pub session_id: String,
    /// `ClientUserId`.
    pub user: Option<String>,
    /// When the user asked for an agent.
    pub since: i64,
    /// How long that is ago, in milliseconds.
    pub waiting_ms: i64,
    /// Whether no agent was online.
    pub no_agent_online: bool,
}

/// A session that an agent has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Served {
    /// `SdkAppid`.
    pub sdk_app_id: u64,
    /// `SessionId`.
    pub session_id: String,
    /// `ClientUserId`.
    pub user: Option<String>,
    /// The agent in charge, if an event has named one.
    pub agent: Option<String>,
    /// Since when an agent has it.
    pub since: i64,
}

/// How many sessions an agent has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AgentLoad {
    /// `AgentId`.
    pub agent: String,
    /// The number of open sessions.
    pub sessions: usize,
}

/// Figures of what happened within the last hour, by the time of the events.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LastHour {
    /// Of [`queue_ms`](crate::session::Session::queue_ms), for queues that ended.
    pub queue: Quantiles,
    /// Of [`first_answer_ms`](crate::session::Session::first_answer_ms), for answers that were given.
    pub first_answer: Quantiles,
    /// The number of sessions whose latest rating is this many stars.
    pub ratings: BTreeMap<u8, usize>,
    /// The number of sessions that ended.
    pub closed: usize,
    /// The number of sessions that ended while the user was waiting for an agent.
    pub abandoned: usize,
}

/// Quantiles by the nearest rank: each is a value that occurred. `None` without values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Quantiles {
    /// The number of values.
    pub count: usize,
    /// Half of the values are at most this, in milliseconds.
    pub p50_ms: Option<i64>,
    /// Nine of ten values are at most this, in milliseconds.
    pub p90_ms: Option<i64>,
}

/// A condition that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "alarm", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Alarm {
    /// A user has asked for an agent, and none was online.
    NoAgentOnline {
        /// `SdkAppid`.
        sdk_app_id: u64,
        /// `SessionId`.
        session_id: String,
        /// The time of the event.
        since: i64,
    },
    /// A user waits for longer than [the limit](super::Board::waiting_limit).
    WaitingTooLong {
        /// `SdkAppid`.
        sdk_app_id: u64,
        /// `SessionId`.
        session_id: String,
        /// How long, in milliseconds.
        waiting_ms: i64,
    },
}

impl View {
    pub(super) fn of(state: &State, now: i64, waiting_limit: i64) -> Self {
        let mut view = Self {
            now,
            open: 0,
            waiting: Vec::new(),
            served: Vec::new(),
            agents: Vec::new(),
            last_hour: LastHour::default(),
            alarms: Vec::new(),
            dropped: state.dropped,
        };
        let hour_ago = now.saturating_sub(whole_millis(HOUR));
        let (mut queues, mut answers) = (Vec::new(), Vec::new());
        let mut loads: BTreeMap<&str, usize> = BTreeMap::new();
        for kept in state.sessions.values() {
            let (log, standing) = (&kept.log, &kept.standing);
            let (sdk_app_id, session_id) = (log.sdk_app_id(), || log.session_id().to_owned());
            let user = || log.user.as_ref().map(|(_, user)| user.clone());
            match standing.stage {
                Stage::Bot => {}
                Stage::Waiting { since, no_agent } => {
                    let waiting_ms = now.saturating_sub(since);
                    if let Some(since) = no_agent {
                        view.alarms.push(Alarm::NoAgentOnline {
                            sdk_app_id,
                            session_id: session_id(),
                            since,
                        });
                    }
                    if waiting_ms > waiting_limit {
                        view.alarms.push(Alarm::WaitingTooLong {
                            sdk_app_id,
                            session_id: session_id(),
                            waiting_ms,
                        });
                    }
                    view.waiting.push(Waiting {
                        sdk_app_id,
                        session_id: session_id(),
                        user: user(),
                        since,
                        waiting_ms,
                        no_agent_online: no_agent.is_some(),
                    });
                }
                Stage::Served { since } => {
                    if let Some(agent) = log.agent_in_charge() {
                        *loads.entry(agent).or_default() += 1;
                    }
                    let agent = log.agent_in_charge().map(str::to_owned);
                    view.served.push(Served {
                        sdk_app_id,
                        session_id: session_id(),
                        user: user(),
                        agent,
                        since,
                    });
                }
                Stage::Closed => {}
            }
            view.open += usize::from(standing.closed().is_none());
            let is_recent = |time: i64| time > hour_ago;
            let recent = |measured: Measured| is_recent(measured.at).then_some(measured.millis);
            queues.extend(standing.moments.queue.and_then(recent));
            answers.extend(standing.moments.first_answer.and_then(recent));
            if let Some((_, stars)) = standing.rating.filter(|(time, _)| is_recent(*time)) {
                *view.last_hour.ratings.entry(stars).or_default() += 1;
            }
            if standing.closed().is_some_and(is_recent) {
                view.last_hour.closed += 1;
                view.last_hour.abandoned += usize::from(standing.abandoned);
            }
        }
        view.agents = loads
            .into_iter()
            .map(|(agent, sessions)| AgentLoad { agent: agent.to_owned(), sessions })
            .collect();
        view.last_hour.queue = Quantiles::of(queues);
        view.last_hour.first_answer = Quantiles::of(answers);
        view.sort();
        view
    }

    fn sort(&mut self) {
        self.waiting.sort_by(|a, b| (a.since, &a.session_id).cmp(&(b.since, &b.session_id)));
        self.served.sort_by(|a, b| (a.since, &a.session_id).cmp(&(b.since, &b.session_id)));
        // They come sorted by agent, and this keeps that.
        self.agents.sort_by_key(|load| std::cmp::Reverse(load.sessions));
        self.alarms.sort_by(|a, b| a.place().cmp(&b.place()));
    }
}

impl Alarm {
    /// The session that it is about.
    #[must_use]
    pub fn session_id(&self) -> &str {
        match self {
            Self::NoAgentOnline { session_id, .. } | Self::WaitingTooLong { session_id, .. } => session_id,
        }
    }

    /// The most urgent first.
    fn place(&self) -> (u8, i64, &str) {
        match self {
            Self::NoAgentOnline { since, session_id, .. } => (0, *since, session_id),
            Self::WaitingTooLong { waiting_ms, session_id, .. } => (1, -*waiting_ms, session_id),
        }
    }
}

impl Quantiles {
    fn of(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        let rank = |tenths: usize| {
            let rank = (values.len() * tenths).div_ceil(10);
            values.get(rank.saturating_sub(1)).copied()
        };
        Self { count: values.len(), p50_ms: rank(5), p90_ms: rank(9) }
    }
}
