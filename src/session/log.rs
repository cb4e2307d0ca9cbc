//! What is kept of a session's events.

use super::entry::{Entry, Kind, is_of_session};
use crate::event::{Event, EventKind};

/// The events of one session, as far as the figures need them: sorted, each once, 16 bytes each.
///
/// It depends on the set of the events alone: however they are ordered, repeated, split over several logs and
/// [merged](Self::merge), the logs are equal. It serialises with a version, and goes on from there when it is read again. It
/// holds no message's text.
///
/// A session of up to [10,000 events](Self::LIMIT) is exact. Of a longer one the log keeps the earliest 10,000 events, requests,
/// transfers, ratings and ends before messages, and [`is_exact`](Self::is_exact) says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLog {
    pub(super) sdk_app_id: u64,
    pub(super) session_id: String,
    pub(super) user: First,
    pub(super) account: First,
    pub(super) channel: First,
    pub(super) contacted_by_agent: Option<bool>,
    /// Each agent with the first event that names it, sorted by that.
    pub(super) agents: Vec<Appearance>,
    /// The agent of the latest event of a kind that only the agent in charge has.
    pub(super) in_charge: Option<(Entry, String)>,
    /// The time and the stars of the latest rating that has some.
    pub(super) rating: Option<(i64, u8)>,
    pub(super) events: Vec<Entry>,
    pub(super) is_exact: bool,
}

/// The value of the earliest event that has one.
pub(super) type First = Option<(Entry, String)>;

/// The event that names an agent first, whether it names it as the new one of a forward, and the agent.
pub(super) type Appearance = (Entry, bool, String);

impl SessionLog {
    /// The number of events up to which a session is exact.
    pub const LIMIT: usize = 10_000;

    /// The log of a session of which no event is there yet.
    #[must_use]
    pub fn new(sdk_app_id: u64, session_id: impl Into<String>) -> Self {
        Self {
            sdk_app_id,
            session_id: session_id.into(),
            user: None,
            account: None,
            channel: None,
            contacted_by_agent: None,
            agents: Vec::new(),
            in_charge: None,
            rating: None,
            events: Vec::new(),
            is_exact: true,
        }
    }

    /// The log of the session of `event`, with that event in it.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let mut log = Self::new(event.sdk_app_id, event.session_id.as_str());
        log.add(event);
        log
    }

    /// Adds an event, unless it is of another session or of another callback than `Desk.SessionEventNotify`. Returns whether it
    /// is one that was not there before.
    pub fn add(&mut self, event: &Event) -> bool {
        if !is_of_session(event) || event.session_id != self.session_id || event.sdk_app_id != self.sdk_app_id
        {
            return false;
        }
        let entry = Entry::of(event);
        let Err(place) = self.place(entry) else { return false };
        self.events.insert(place, entry);
        self.take_in(entry, event);
        self.limit();
        true
    }

    /// Adds the events of another log, unless it is of another session. Returns whether that has changed anything.
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.session_id != self.session_id || other.sdk_app_id != self.sdk_app_id {
            return false;
        }
        let mut changed = false;
        for (mine, theirs) in [
            (&mut self.user, &other.user),
            (&mut self.account, &other.account),
            (&mut self.channel, &other.channel),
        ] {
            if let Some((entry, value)) = theirs {
                changed |= keep_first(mine, *entry, value);
            }
        }
        changed |= raise(&mut self.contacted_by_agent, other.contacted_by_agent);
        for (entry, is_new_agent, agent) in &other.agents {
            changed |= self.name_agent(*entry, *is_new_agent, agent);
        }
        if let Some((entry, agent)) = &other.in_charge {
            changed |= self.put_in_charge(*entry, agent);
        }
        changed |= raise(&mut self.rating, other.rating);
        changed |= self.merge_events(&other.events);
        changed |= self.is_exact && !other.is_exact;
        self.is_exact &= other.is_exact;
        self.limit();
        changed
    }

    fn merge_events(&mut self, others: &[Entry]) -> bool {
        let before = self.events.len();
        if others.len() <= FEW {
            for entry in others {
                if let Err(place) = self.place(*entry) {
                    self.events.insert(place, *entry);
                }
            }
        } else {
            self.events.extend_from_slice(others);
            self.events.sort_unstable();
            self.events.dedup();
        }
        self.events.len() > before
    }

    /// `SdkAppid`: the app.
    #[must_use]
    pub fn sdk_app_id(&self) -> u64 {
        self.sdk_app_id
    }

    /// `SessionId`.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// The agent who has the session as far as the events say: the one of the latest transfer, forward or message of an agent.
    #[must_use]
    pub fn agent_in_charge(&self) -> Option<&str> {
        self.in_charge.as_ref().map(|(_, agent)| agent.as_str())
    }

    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it has no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether the figures are those of all events that were added: no more than [`LIMIT`](Self::LIMIT).
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// After some of its events were lost.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn inexact(mut self) -> Self {
        self.is_exact = false;
        self
    }

    /// Events mostly come in their order, so the end is tried first.
    fn place(&self, entry: Entry) -> Result<usize, usize> {
        match self.events.last() {
            Some(last) if *last >= entry => self.events.binary_search(&entry),
            _ => Err(self.events.len()),
        }
    }

    /// What does not follow from the entry alone. Each of these is the least or the greatest of something, so that neither
    /// order nor repeats can matter.
    fn take_in(&mut self, entry: Entry, event: &Event) {
        for (first, value) in [
            (&mut self.user, &event.client_user_id),
            (&mut self.account, &event.customer_service_id),
            (&mut self.channel, &event.channel),
        ] {
            if let Some(value) = value {
                keep_first(first, entry, value);
            }
        }
        // A sender that fills absent fields says `false` where it means nothing.
        raise(&mut self.contacted_by_agent, event.is_contact_user);
        if let EventKind::Transfer(transfer) = &event.kind
            && entry.kind() == Kind::Forwarded
            && let Some(agent) = &transfer.from_agent_id
        {
            self.name_agent(entry, false, agent);
        }
        if let Some(agent) = &event.agent_id {
            self.name_agent(entry, true, agent);
            if matches!(entry.kind(), Kind::Reached | Kind::Forwarded | Kind::AgentMessage) {
                self.put_in_charge(entry, agent);
            }
        }
        if let EventKind::Satisfaction(satisfaction) = &event.kind
            && let Some(stars) = satisfaction.stars
        {
            raise(&mut self.rating, Some((event.time_millis(), stars)));
        }
    }

    pub(super) fn name_agent(&mut self, entry: Entry, is_new_agent: bool, agent: &str) -> bool {
        if let Some(known) = self.agents.iter().position(|(_, _, known)| known == agent) {
            let (first, is_new, _) = &self.agents[known];
            if (*first, *is_new) <= (entry, is_new_agent) {
                return false;
            }
            self.agents.remove(known);
        }
        let appearance = (entry, is_new_agent, agent.to_owned());
        if let Err(place) = self.agents.binary_search(&appearance) {
            self.agents.insert(place, appearance);
        }
        true
    }

    fn put_in_charge(&mut self, entry: Entry, agent: &str) -> bool {
        let latest = self.in_charge.as_ref().map(|(latest, latest_agent)| (*latest, latest_agent.as_str()));
        let is_later = latest < Some((entry, agent));
        if is_later {
            self.in_charge = Some((entry, agent.to_owned()));
        }
        is_later
    }

    /// Keeps the first [`LIMIT`](Self::LIMIT) events, milestones before others. Which events are kept follows from the set of
    /// all events: what goes comes after all that stay, and so it does when more are added.
    pub(super) fn limit(&mut self) {
        // An event names two agents at most.
        self.agents.truncate(2 * Self::LIMIT);
        while self.events.len() > Self::LIMIT {
            self.is_exact = false;
            let other = self.events.iter().rposition(|entry| !entry.kind().is_milestone());
            self.events.remove(other.unwrap_or(self.events.len() - 1));
        }
    }
}

/// So many are inserted one by one.
const FEW: usize = 16;

/// By value as well, so that not even two events with one key make a difference. Returns whether it is the first.
fn keep_first(first: &mut First, entry: Entry, value: &str) -> bool {
    let known = first.as_ref().map(|(known, known_value)| (*known, known_value.as_str()));
    let is_first = known.is_none_or(|known| (entry, value) < known);
    if is_first {
        *first = Some((entry, value.to_owned()));
    }
    is_first
}

/// Keeps the greater one. Returns whether that is the new one.
fn raise<T: Ord>(greatest: &mut Option<T>, new: Option<T>) -> bool {
    let is_greater = new > *greatest;
    if is_greater {
        *greatest = new;
    }
    is_greater
}
