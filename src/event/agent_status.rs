//! Changes of an agent's status.
//!
//! Field names: the vendor's page on the callback `Member.EventNotify` (product 269, document 133254).

use super::{label::text, wire::object};

/// The status of an agent has changed.
///
/// The event belongs to no session: [`Event::session`](super::Event::session) is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentStatus {
    /// `MemberId`: the agent; an e-mail address in the sample, so personal data.
    pub agent_id: Option<String>,
    /// `Status`: the new status.
    pub state: Option<AgentState>,
    /// `RestReason`: why the agent rests, only with [`AgentState::Rest`].
    pub rest_reason: Option<String>,
    /// `ClientInfo`: the agent's clients.
    pub clients: Vec<AgentClient>,
}

object! {
    AgentStatus {
        "MemberId" => agent_id: Id,
        "Status" => state,
        "RestReason" => rest_reason: Text,
        "ClientInfo" => clients,
    }
}

/// A client with which an agent works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentClient {
    /// `ClientType`, such as `Web`.
    pub client_type: Option<String>,
    /// `IsConnected`.
    pub is_connected: Option<bool>,
}

object! {
    AgentClient {
        "ClientType" => client_type: Text,
        "IsConnected" => is_connected,
    }
}

/// The status of an agent, by its name on the wire.
///
/// The vendor's table lists four. Its sample has another one, `free`. Any value is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentState {
    /// `ready`: the agent takes sessions (示闲).
    Ready,
    /// `notReady`: the agent takes no sessions (示忙).
    NotReady,
    /// `rest`: the agent rests (小休).
    Rest,
    /// `offline`: the agent is offline (离线).
    Offline,
    /// `free`: only in the vendor's sample, and not explained.
    Free,
    /// A status that this version does not know.
    Other(String),
}

impl AgentState {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "notReady",
            Self::Rest => "rest",
            Self::Offline => "offline",
            Self::Free => "free",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for AgentState {
    fn from(wire: &str) -> Self {
        match wire {
            "ready" => Self::Ready,
            "notReady" => Self::NotReady,
            "rest" => Self::Rest,
            "offline" => Self::Offline,
            "free" => Self::Free,
            other => Self::Other(other.to_owned()),
        }
    }
}

text!(AgentState);

/// The name of the events that report it.
pub(crate) const STATUS_CHANGE: &str = "Member.StatusChange";
