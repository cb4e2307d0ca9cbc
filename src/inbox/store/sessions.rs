//! What is kept of sessions and their messages.

use std::time::SystemTime;

use crate::{
    event::{DedupKey, Event, EventKind, Sender, Stage},
    session::{SessionLog, is_control, is_of_session},
};

/// What an event adds to the kept sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionChange {
    /// The event's number. The change counts only if the event is there when its end is recorded.
    pub id: i64,
    /// The log of its session with this event alone, to be [merged](SessionLog::merge) into the stored one.
    pub log: SessionLog,
    /// The message, if the event is one.
    pub message: Option<KeptMessage>,
}

impl SessionChange {
    /// `None` for an event that belongs to no session's figures.
    pub(in crate::inbox) fn of(id: i64, event: &Event, with_text: bool) -> Option<Self> {
        if !is_of_session(event) {
            return None;
        }
        let message = match &event.kind {
            EventKind::Message(message) => Some(KeptMessage {
                event: event.dedup_key(),
                time: event.time_millis(),
                user: event.client_user_id.clone(),
                agent: event.agent_id.clone(),
                stage: message.stage,
                sender: message.sender,
                message_key: message.key.clone(),
                is_control: is_control(message),
                text: with_text.then(|| message.text()).filter(|text| !text.is_empty()),
            }),
            _ => None,
        };
        Some(Self { id, log: SessionLog::of(event), message })
    }
}

/// A row of `desk_message`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptMessage {
    /// The event's [key](Event::dedup_key): a message with the key of another one is the same.
    pub event: DedupKey,
    /// `EventTime`, in milliseconds since the Unix epoch.
    pub time: i64,
    /// `ClientUserId`.
    pub user: Option<String>,
    /// `AgentId`.
    pub agent: Option<String>,
    /// Who served the user then.
    pub stage: Stage,
    /// Who sent it.
    pub sender: Sender,
    /// `MsgKey`.
    pub message_key: Option<String>,
    /// Whether it is one of Desk's control messages, which a session does not count.
    pub is_control: bool,
    /// What a person reads of it, if [texts are kept](crate::inbox::Inbox::keep_message_texts).
    pub text: Option<String>,
}

/// Selects kept sessions. All conditions have to hold; without any, every session matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SessionFilter {
    app: Option<u64>,
    session: Option<String>,
    changed_since: Option<SystemTime>,
    page: Option<(i64, usize)>,
}

impl SessionFilter {
    /// Every session.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only sessions of this app.
    pub fn of_app(mut self, app: u64) -> Self {
        self.app = Some(app);
        self
    }

    /// Only sessions with this `SessionId`.
    pub fn named(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Only sessions of which an event was recorded then or later.
    pub fn changed_since(mut self, time: SystemTime) -> Self {
        self.changed_since = Some(time);
        self
    }

    /// At most `limit` sessions with ids above `after`: begin with 0, and go on with the last one's id. Default: the first
    /// 1,000.
    pub fn page(mut self, after: i64, limit: usize) -> Self {
        self.page = Some((after, limit));
        self
    }
}

/// For engines: each condition.
impl SessionFilter {
    /// The condition of [`named`](Self::named).
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The condition of [`changed_since`](Self::changed_since).
    #[must_use]
    pub fn since(&self) -> Option<SystemTime> {
        self.changed_since
    }

    /// The id and the limit of [`page`](Self::page).
    #[must_use]
    pub fn bounds(&self) -> (i64, usize) {
        self.page.unwrap_or((0, 1000))
    }

    /// Whether a session matches, as far as its log has what the conditions are about.
    #[must_use]
    pub fn matches(&self, log: &SessionLog) -> bool {
        self.app.is_none_or(|app| log.sdk_app_id() == app)
            && self.session.as_ref().is_none_or(|session| log.session_id() == session)
    }
}

/// A kept session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptSession {
    /// Its number, for [`SessionFilter::page`]. A session that was deleted and comes back has another one.
    pub id: i64,
    /// Its events, from which its figures are computed.
    pub log: SessionLog,
}

impl KeptSession {
    /// For engines.
    #[must_use]
    pub fn new(id: i64, log: SessionLog) -> Self {
        Self { id, log }
    }
}

/// Identifies a session of an app, whatever its name consists of.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(in crate::inbox) fn session_key(sdk_app_id: u64, session: &str) -> [u8; 16] {
    crate::event::digest([&sdk_app_id.to_be_bytes()[..], session.as_bytes()])
}
