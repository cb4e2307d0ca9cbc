//! Which events an operator means.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// Selects stored events. All conditions have to hold; without any, every event matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    app: Option<u64>,
    session: Option<String>,
    user: Option<String>,
    name: Option<String>,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    error: Option<String>,
    /// Of what is listed: above this id, and at most so many.
    #[serde(skip)]
    page: Option<(i64, usize)>,
}

impl Filter {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The events of one session of an app.
    #[must_use]
    pub fn session(app: u64, session: impl Into<String>) -> Self {
        Self { app: Some(app), session: Some(session.into()), ..Self::default() }
    }

    /// The events of one user of an app, by `ClientUserId`.
    #[must_use]
    pub fn user(app: u64, user: impl Into<String>) -> Self {
        Self { app: Some(app), user: Some(user.into()), ..Self::default() }
    }

    /// Only events of this session, whatever their app.
    #[must_use]
    pub fn in_session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Of what is listed, at most `limit` with ids above `after`: begin with 0, and go on with the last one's id. Default: the
    /// first 1,000. It does not limit what is changed.
    #[must_use]
    pub fn page(mut self, after: i64, limit: usize) -> Self {
        self.page = Some((after, limit));
        self
    }

    pub(in crate::inbox) fn page_bounds(&self) -> (i64, usize) {
        self.page.unwrap_or((0, 1000))
    }

    /// Only events with this name, as the sender writes it: `Human.UserSendMsg`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Only events that were stored then or later.
    #[must_use]
    pub fn stored_since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Only events that were stored before.
    #[must_use]
    pub fn stored_before(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Only events whose last error contains this text. An event without an error does not match.
    #[must_use]
    pub fn error_contains(mut self, text: impl Into<String>) -> Self {
        self.error = Some(text.into());
        self
    }
}

/// For engines: each condition, to be pushed into a query, or [`matches`](Filter::matches) for all of them.
impl Filter {
    /// Whether a stored event matches. The cheap conditions are checked first, and the JSON is only parsed if it matters.
    ///
    /// JSON that cannot be parsed belongs to a session or user if their identifier is in its text, and has no name.
    #[must_use]
    pub fn matches(&self, json: &str, stored: SystemTime, error: Option<&str>) -> bool {
        let stored_then =
            self.since.is_none_or(|since| stored >= since) && self.until.is_none_or(|until| stored < until);
        let failed_so =
            self.error.as_deref().is_none_or(|text| error.is_some_and(|error| error.contains(text)));
        stored_then && failed_so && (!self.needs_json() || self.matches_json(json))
    }

    fn matches_json(&self, json: &str) -> bool {
        let ids = [self.session.as_deref(), self.user.as_deref()];
        // Most events need not be parsed.
        if ids.iter().flatten().any(|id| !is_escaped(id) && !json.contains(id)) {
            return false;
        }
        let Ok(event) = Event::from_json(json) else {
            return self.name.is_none() && ids.iter().flatten().all(|id| json.contains(id));
        };
        self.app.is_none_or(|app| event.sdk_app_id == app)
            && self.session.as_ref().is_none_or(|session| event.session_id == *session)
            && self.user.as_ref().is_none_or(|user| event.client_user_id.as_ref() == Some(user))
            && self.name.as_ref().is_none_or(|name| event.name.as_str() == name)
    }

    /// A text that the JSON of every match contains, if there is one.
    #[must_use]
    pub fn contained(&self) -> Option<&str> {
        let mut ids = [self.session.as_deref(), self.user.as_deref()].into_iter().flatten();
        ids.find(|id| !is_escaped(id))
    }

    /// Whether [`matches`](Self::matches) looks into the JSON.
    #[must_use]
    pub fn needs_json(&self) -> bool {
        self.session.is_some() || self.user.is_some() || self.name.is_some()
    }

    /// The app, and the user or session, of a filter that is about nothing else.
    #[must_use]
    pub fn subject(&self) -> Option<Subject<'_>> {
        let is_narrower =
            self.name.is_some() || self.error.is_some() || self.since.is_some() || self.until.is_some();
        match (self.app, self.session.as_deref(), self.user.as_deref()) {
            _ if is_narrower => None,
            (Some(app), Some(session), None) => Some(Subject::Session(app, session)),
            (Some(app), None, Some(user)) => Some(Subject::User(app, user)),
            _ => None,
        }
    }

    /// The condition of [`stored_since`](Self::stored_since).
    #[must_use]
    pub fn since(&self) -> Option<SystemTime> {
        self.since
    }

    /// The condition of [`stored_before`](Self::stored_before).
    #[must_use]
    pub fn until(&self) -> Option<SystemTime> {
        self.until
    }
}

/// All that is stored of a user or of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // engines match it
pub enum Subject<'a> {
    /// `SdkAppid` and `ClientUserId`.
    User(u64, &'a str),
    /// `SdkAppid` and `SessionId`.
    Session(u64, &'a str),
}

/// Whether JSON writes it otherwise than it is.
fn is_escaped(id: &str) -> bool {
    id.contains(|char: char| matches!(char, '"' | '\\') || char.is_control())
}
