//! Decisions.

use serde_json::{Map, Value, json};

use super::reply::{Failure, Reply};

/// Who answers a message to the bot: `AIProvider` (product 269, document 110624).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AiProvider {
    /// 0: your own AI answers.
    Own,
    /// 1: Desk's bot answers.
    Desk,
}

impl AiProvider {
    /// The value on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Own => 0,
            Self::Desk => 1,
        }
    }

    pub(crate) fn reply(self) -> Reply {
        Reply::fixed(match self {
            Self::Own => br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AIProvider":0}"#,
            Self::Desk => br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AIProvider":1}"#,
        })
    }
}

/// Which agents or group get a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment(Result<Preference, Failure>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Preference {
    group: Option<u64>,
    agents: Vec<String>,
}

impl Assignment {
    /// No preference.
    #[must_use]
    pub fn no_preference() -> Self {
        Self(Ok(Preference::default()))
    }

    /// `AgentGroupId`. Alone, the group's own rules choose the agent.
    #[must_use]
    pub fn to_group(group: u64) -> Self {
        Self(Ok(Preference { group: Some(group), agents: Vec::new() }))
    }

    /// `AgentIdList`: e-mail addresses or account names, of which Desk chooses one that is available.
    #[must_use]
    pub fn to_agents(agents: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::no_preference().or_agents(agents)
    }

    /// Adds agents. With a group, both are sent. A failure stays a failure.
    #[must_use]
    pub fn or_agents(mut self, agents: impl IntoIterator<Item = impl Into<String>>) -> Self {
        if let Ok(preference) = &mut self.0 {
            preference.agents.extend(agents.into_iter().map(Into::into));
        }
        self
    }

    /// `FAIL` with this `ErrorCode`. What Desk does then is not documented.
    ///
    /// # Panics
    ///
    /// When `code` is 0, which means success.
    #[must_use]
    pub fn failed(code: u32, text: impl Into<String>) -> Self {
        Self(Err(Failure::new(code, text)))
    }

    pub(crate) fn reply(&self) -> Reply {
        let Preference { group, agents } = match &self.0 {
            Ok(preference) => preference,
            Err(failure) => return Reply::failed(failure),
        };
        let group = group.map(|group| ("AgentGroupId", group.into()));
        let agents = (!agents.is_empty()).then(|| ("AgentIdList", json!(agents)));
        Reply::ok(group.into_iter().chain(agents))
    }
}

/// The result of a bot's call.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoked(Result<Map<String, Value>, Failure>);

impl Invoked {
    /// Success, with the variables that the bot gets. The vendor's sample has texts as values.
    #[must_use]
    pub fn done(variables: impl IntoIterator<Item = (impl Into<String>, impl Into<Value>)>) -> Self {
        Self(Ok(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// `FAIL` with this `ErrorCode`.
    ///
    /// # Panics
    ///
    /// When `code` is 0, which means success.
    #[must_use]
    pub fn failed(code: u32, text: impl Into<String>) -> Self {
        Self(Err(Failure::new(code, text)))
    }

    pub(crate) fn reply(&self) -> Reply {
        match &self.0 {
            Ok(variables) => Reply::ok([("Body", json!(variables))]),
            Err(failure) => Reply::failed(failure),
        }
    }
}

/// Whether a user may be contacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact(Result<(), Failure>);

impl Contact {
    /// The contact is allowed.
    #[must_use]
    pub fn allow() -> Self {
        Self(Ok(()))
    }

    /// The contact is refused: `FAIL` with this `ErrorCode`. That a refusal is possible is documented; this form of it is
    /// inferred from IM's own callbacks.
    ///
    /// # Panics
    ///
    /// When `code` is 0, which means success.
    #[must_use]
    pub fn refuse(code: u32, text: impl Into<String>) -> Self {
        Self(Err(Failure::new(code, text)))
    }

    pub(crate) fn reply(&self) -> Reply {
        match &self.0 {
            Ok(()) => Reply::acknowledgement(),
            Err(failure) => Reply::failed(failure),
        }
    }
}
