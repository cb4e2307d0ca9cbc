//! The categories of events.

use super::{EndReason, Sender, Stage, TransferStep, label::labels};

/// The category of an event. Each has its variant in [`EventKind`](super::EventKind) and its method in
/// [`EventHandler`](crate::EventHandler).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// A session has begun.
    SessionBegin,
    /// The user, the bot or an agent has sent a message.
    Message,
    /// The session is on its way to an agent, or has reached one.
    Transfer,
    /// The user has rated the session.
    Satisfaction,
    /// The session has ended.
    SessionEnd,
    /// The status of an agent has changed.
    AgentStatus,
    /// The bot has taken a step of a task flow.
    TaskFlow,
    /// An event that this version does not know.
    Unknown,
}

labels! {
    Category {
        SessionBegin => "session_begin",
        Message => "message",
        Transfer => "transfer",
        Satisfaction => "satisfaction",
        SessionEnd => "session_end",
        AgentStatus => "agent_status",
        TaskFlow => "task_flow",
        Unknown => "unknown",
    }
}

/// What the name of a session event says.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    SessionBegin,
    Message(Stage, Sender),
    Transfer(TransferStep),
    Satisfaction,
    SessionEnd(EndReason),
    Unknown,
}

impl Meaning {
    pub(super) fn category(self) -> Category {
        match self {
            Self::SessionBegin => Category::SessionBegin,
            Self::Message(..) => Category::Message,
            Self::Transfer(_) => Category::Transfer,
            Self::Satisfaction => Category::Satisfaction,
            Self::SessionEnd(_) => Category::SessionEnd,
            Self::Unknown => Category::Unknown,
        }
    }
}
