//! The figures of a session.

use std::collections::{BTreeMap, btree_map};

use serde::{Deserialize, Serialize};

use super::{
    entry::{Entry, Kind, is_of_session},
    log::SessionLog,
    record::Version,
};
use crate::event::Event;

/// What happened in one session, as far as its events say. `None`: they do not say. [`SessionLog::session`] computes it; the
/// [module](crate::session)'s page has the definitions.
///
/// As JSON it has these names, and `null` for what is absent:
///
/// ```
/// use tencent_desk_webhook::session::{Session, SessionLog};
///
/// let session = SessionLog::new(1_400_000_000, "s-1").session();
/// let json = serde_json::to_value(&session)?;
/// assert_eq!(json, serde_json::json!({
///     "session_id": "s-1", "user": null, "account": null, "channel": null, "contacted_by_agent": null,
///     "opened_at": null, "closed_at": null, "end": null, "messages": {"user": 0, "bot": 0, "agent": 0},
///     "agent_requests": 0, "no_agent_online": 0, "queue_ms": null, "first_answer_ms": null, "handling_ms": null,
///     "longest_user_wait_ms": null, "agents": [], "rating": null, "exact": true, "version": 1
/// }));
/// assert_eq!(serde_json::from_value::<Session>(json)?, session);
/// # Ok::<_, serde_json::Error>(())
/// ```
///
/// It is read again from the JSON of this version; a later version is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// `SessionId`.
    pub session_id: String,
    /// `ClientUserId` of the earliest event that has one.
    pub user: Option<String>,
    /// `CustomerServiceId` of the earliest event that has one.
    pub account: Option<String>,
    /// `ChannelType` of the earliest event that has one.
    pub channel: Option<String>,
    /// `IsContactUser`: whether an event says that an agent contacted the user first.
    pub contacted_by_agent: Option<bool>,
    /// When the session began: the earliest `SessionBegin`, or else the earliest event. `None` without any event.
    pub opened_at: Option<i64>,
    /// When the session ended: the earliest end event.
    pub closed_at: Option<i64>,
    /// How the session ended: the earliest end event that names a reason.
    pub end: Option<End>,
    /// The number of messages, without Desk's control messages.
    pub messages: Messages,
    /// The number of `TransferringToHuman`.
    pub agent_requests: u32,
    /// The number of `NoAgentOnline`.
    pub no_agent_online: u32,
    /// From the earliest `TransferringToHuman` or `TransferringToHumanWait` to the earliest `TransferToHumanSuccess` after it.
    pub queue_ms: Option<i64>,
    /// From the earliest `TransferToHumanSuccess` to the earliest message of an agent at or after it.
    pub first_answer_ms: Option<i64>,
    /// From the earliest `TransferToHumanSuccess` to `closed_at`, if that is later.
    pub handling_ms: Option<i64>,
    /// The longest time from the first unanswered message of the user to an agent to the agent's next message.
    pub longest_user_wait_ms: Option<i64>,
    /// The agents that events name, in the order of their first events, and the former agents of forwards.
    pub agents: Vec<String>,
    /// The stars of the latest rating; of several in one millisecond the most.
    pub rating: Option<u8>,
    /// Whether the figures are those of all events: there were no more than [`SessionLog::LIMIT`].
    #[serde(default = "exact")]
    pub exact: bool,
    #[serde(default)]
    version: Version,
}

/// Records without the field are of sessions within the limit.
fn exact() -> bool {
    true
}

/// The number of messages by sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Messages {
    /// Of the user.
    pub user: u32,
    /// Of the bot.
    pub bot: u32,
    /// Of agents.
    pub agent: u32,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum End {
    /// `SessionUserEnd`: the user ended it.
    User,
    /// `SessionAgentEnd`: the agent ended it.
    Agent,
    /// `SessionUserTimeoutEnd`: the user did not answer in time.
    UserTimeout,
    /// `SessionAgentTimeoutEnd`: the agent did not answer in time.
    AgentTimeout,
    /// `SessionPendingAutoFinishEnd`: the user left while waiting in the queue.
    LeftQueue,
    /// `SessionEnd` alone, which names no reason.
    Unstated,
}

impl End {
    /// The name that it has in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::UserTimeout => "user_timeout",
            Self::AgentTimeout => "agent_timeout",
            Self::LeftQueue => "left_queue",
            Self::Unstated => "unstated",
        }
    }

    pub(super) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::EndedByUser => Some(Self::User),
            Kind::EndedByAgent => Some(Self::Agent),
            Kind::EndedByUserTimeout => Some(Self::UserTimeout),
            Kind::EndedByAgentTimeout => Some(Self::AgentTimeout),
            Kind::LeftQueue => Some(Self::LeftQueue),
            Kind::Ended => Some(Self::Unstated),
            _ => None,
        }
    }
}

impl SessionLog {
    /// The figures, from the events that are there.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::from(self)
    }
}

impl From<&SessionLog> for Session {
    fn from(log: &SessionLog) -> Self {
        let moments = Moments::of(&log.events);
        let value = |first: &super::log::First| first.as_ref().map(|(_, value)| value.clone());
        Self {
            session_id: log.session_id.clone(),
            user: value(&log.user),
            account: value(&log.account),
            channel: value(&log.channel),
            contacted_by_agent: log.contacted_by_agent,
            opened_at: moments.begin.or_else(|| log.events.first().map(|first| first.time)),
            closed_at: moments.closed,
            end: moments.end,
            messages: moments.messages,
            agent_requests: moments.agent_requests,
            no_agent_online: moments.no_agent_online,
            queue_ms: moments.queue.map(|queue| queue.millis),
            first_answer_ms: moments.first_answer.map(|answer| answer.millis),
            handling_ms: moments.handling_ms(),
            longest_user_wait_ms: moments.longest_user_wait_ms,
            agents: log.agents.iter().map(|(_, _, agent)| agent.clone()).collect(),
            rating: log.rating.map(|(_, stars)| stars),
            exact: log.is_exact,
            version: Version,
        }
    }
}

/// What one pass over the sorted events finds.
#[derive(Debug, Default)]
pub(super) struct Moments {
    begin: Option<i64>,
    pub(super) closed: Option<i64>,
    pub(super) end: Option<End>,
    messages: Messages,
    agent_requests: u32,
    pub(super) no_agent_online: u32,
    requested: Option<i64>,
    reached: Option<i64>,
    pub(super) queue: Option<Measured>,
    pub(super) first_answer: Option<Measured>,
    /// The first message to an agent that no agent has answered so far.
    unanswered: Option<i64>,
    longest_user_wait_ms: Option<i64>,
}

/// A time that has passed, and when it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) at: i64,
    pub(super) millis: i64,
}

impl Measured {
    fn between(from: i64, at: i64) -> Self {
        Self { at, millis: at.saturating_sub(from) }
    }
}

impl Moments {
    pub(super) fn of(events: &[Entry]) -> Self {
        let mut moments = Self::default();
        for event in events {
            moments.pass(event.time, event.kind());
        }
        moments
    }

    fn pass(&mut self, time: i64, kind: Kind) {
        match kind {
            Kind::Begin => self.begin = self.begin.or(Some(time)),
            Kind::UserMessage => self.messages.user += 1,
            Kind::BotMessage => self.messages.bot += 1,
            Kind::Requested => {
                self.agent_requests += 1;
                self.requested = self.requested.or(Some(time));
            }
            Kind::Queued => self.requested = self.requested.or(Some(time)),
            Kind::NoAgentOnline => self.no_agent_online += 1,
            Kind::Reached => {
                self.reached = self.reached.or(Some(time));
                let queue = self.requested.filter(|requested| *requested < time);
                self.queue = self.queue.or(queue.map(|requested| Measured::between(requested, time)));
            }
            Kind::UserMessageToAgent => {
                self.messages.user += 1;
                self.unanswered = self.unanswered.or(Some(time));
            }
            Kind::AgentMessage => {
                self.messages.agent += 1;
                let answer = self.reached.map(|reached| Measured::between(reached, time));
                self.first_answer = self.first_answer.or(answer);
                let wait = self.unanswered.take().map(|unanswered| time.saturating_sub(unanswered));
                self.longest_user_wait_ms = self.longest_user_wait_ms.max(wait);
            }
            Kind::Forwarded | Kind::Rated | Kind::Other => {}
            Kind::EndedByUser
            | Kind::EndedByAgent
            | Kind::EndedByUserTimeout
            | Kind::EndedByAgentTimeout
            | Kind::LeftQueue
            | Kind::Ended => {
                self.closed = self.closed.or(Some(time));
                if matches!(self.end, None | Some(End::Unstated)) {
                    self.end = End::of(kind);
                }
            }
        }
    }

    pub(super) fn handling_ms(&self) -> Option<i64> {
        let (reached, closed) = (self.reached?, self.closed?);
        (closed > reached).then(|| closed.saturating_sub(reached))
    }
}

/// The sessions of a set of events of any sessions, in the order in which they were opened. Events of other callbacks than
/// `Desk.SessionEventNotify` are left out.
///
/// ```
/// # let events: Vec<tencent_desk_webhook::Event> = Vec::new();
/// for session in tencent_desk_webhook::session::sessions(&events) {
///     println!("{}: {:?} ms in the queue", session.session_id, session.queue_ms);
/// }
/// ```
#[must_use]
pub fn sessions<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Session> {
    let mut logs: BTreeMap<(u64, &str), SessionLog> = BTreeMap::new();
    for event in events.into_iter().filter(|event| is_of_session(event)) {
        match logs.entry((event.sdk_app_id, &event.session_id)) {
            btree_map::Entry::Vacant(place) => {
                place.insert(SessionLog::of(event));
            }
            btree_map::Entry::Occupied(mut log) => {
                log.get_mut().add(event);
            }
        }
    }
    let mut sessions: Vec<Session> = logs.values().map(SessionLog::session).collect();
    sessions.sort_by_key(|session| session.opened_at);
    sessions
}
