//! What each category of events has of its own.

use super::{
    AgentStatus, Category, Element, Event, EventName, TaskFlow, category::Meaning, element::text_of,
    label::labels,
};

/// What has happened, and the fields that only its category has. Each variant has its method in
/// [`EventHandler`](crate::EventHandler).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A session has begun.
    SessionBegin(SessionBegin),
    /// The user, the bot or an agent has sent a message.
    Message(Message),
    /// The session is on its way to an agent, or has reached one.
    Transfer(Transfer),
    /// The user has rated the session.
    Satisfaction(Satisfaction),
    /// The session has ended.
    SessionEnd(SessionEnd),
    /// The status of an agent has changed.
    AgentStatus(AgentStatus),
    /// The bot has taken a step of a task flow.
    TaskFlow(Box<TaskFlow>),
    /// An event that this version does not know.
    Unknown,
}

/// A session has begun. The vendor documents no field for it beyond those that every event may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionBegin {}

/// The user, the bot or an agent has sent a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Who serves the user.
    pub stage: Stage,
    /// Who has sent the message.
    pub sender: Sender,
    /// `MsgKey`: opaque.
    pub key: Option<String>,
    /// `MsgBody`: the parts of the message, in order; at most 1,000 of them.
    pub elements: Vec<Element>,
}

impl Message {
    /// What a person would read: the texts of the elements, one a line. Pictures, sounds and control messages have none.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.elements)
    }
}

/// Who serves the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The bot (机器人阶段): `ChatBot.UserSendMsg` and `ChatBot.RobotSendMsg`.
    ChatBot,
    /// An agent (人工阶段): `Human.UserSendMsg` and `Human.AgentSendMsg`.
    Human,
}

labels! {
    Stage {
        ChatBot => "chat_bot",
        Human => "human",
    }
}

/// Who has sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sender {
    /// The user (用户): `ChatBot.UserSendMsg` and `Human.UserSendMsg`.
    User,
    /// The bot (机器人): `ChatBot.RobotSendMsg`.
    Robot,
    /// An agent (人工客服): `Human.AgentSendMsg`.
    Agent,
}

labels! {
    Sender {
        User => "user",
        Robot => "robot",
        Agent => "agent",
    }
}

/// The session is on its way to an agent, or has reached one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// How far the transfer is.
    pub step: TransferStep,
    /// `ForwardFromAgentId`: by its name the agent who had the session before. Only the newer Chinese page has it
    /// (product 269, document 111212), and its description could not be read.
    pub from_agent_id: Option<String>,
}

/// How far a transfer to an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferStep {
    /// The transfer has started (转人工中): `TransferringToHuman`.
    Started,
    /// The session waits in the queue (转人工排队中): `TransferringToHumanWait`.
    Waiting,
    /// The session has reached an agent (转人工成功): `TransferToHumanSuccess`.
    Succeeded,
    /// No agent is online (无人工客服在线): `NoAgentOnline`.
    NoAgentOnline,
    /// An agent has forwarded the session to another agent (客服转接): `AgentForward`.
    Forwarded,
}

labels! {
    TransferStep {
        Started => "started",
        Waiting => "waiting",
        Succeeded => "succeeded",
        NoAgentOnline => "no_agent_online",
        Forwarded => "forwarded",
    }
}

/// The user has rated the session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Satisfaction {
    /// `SatisfactionSelected`: 1 to 5 stars by the vendor's page. 0 reads as absent.
    pub stars: Option<u8>,
}

/// The session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEnd {
    /// Who or what has ended it.
    pub reason: EndReason,
}

/// Who or what has ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The user (用户结束会话): `SessionUserEnd`.
    User,
    /// The agent (客服结束会话): `SessionAgentEnd`.
    Agent,
    /// The user did not answer in time (用户应答超时结束会话): `SessionUserTimeoutEnd`.
    UserTimeout,
    /// The agent did not answer in time (客服应答超时结束会话): `SessionAgentTimeoutEnd`.
    AgentTimeout,
    /// The user went offline in the queue (排队中自动结束(用户离线)): `SessionPendingAutoFinishEnd`.
    LeftQueue,
    /// The event names no reason (会话结束): `SessionEnd`.
    Unstated,
}

labels! {
    EndReason {
        User => "user",
        Agent => "agent",
        UserTimeout => "user_timeout",
        AgentTimeout => "agent_timeout",
        LeftQueue => "left_queue",
        Unstated => "unstated",
    }
}

/// Documented fields that came with an event of another category.
///
/// The vendor prints one sample that has every field and does not say which event has which, so none is dropped.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OtherFields {
    /// `MsgKey` of an event that is no message.
    pub msg_key: Option<String>,
    /// `MsgBody` of an event that is no message.
    pub elements: Vec<Element>,
    /// `SatisfactionSelected` of an event that is no rating.
    pub stars: Option<u8>,
    /// `ForwardFromAgentId` of an event that is no transfer.
    pub from_agent_id: Option<String>,
}

impl EventKind {
    /// For a session event: takes from `fields` those that belong to the category of `name`.
    pub(crate) fn of_session(name: &EventName, fields: &mut OtherFields) -> Self {
        match name.meaning() {
            Meaning::SessionBegin => Self::SessionBegin(SessionBegin {}),
            Meaning::Message(stage, sender) => Self::Message(Message {
                stage,
                sender,
                key: fields.msg_key.take(),
                elements: std::mem::take(&mut fields.elements),
            }),
            Meaning::Transfer(step) => {
                Self::Transfer(Transfer { step, from_agent_id: fields.from_agent_id.take() })
            }
            Meaning::Satisfaction => Self::Satisfaction(Satisfaction { stars: fields.stars.take() }),
            Meaning::SessionEnd(reason) => Self::SessionEnd(SessionEnd { reason }),
            Meaning::Unknown => Self::Unknown,
        }
    }

    /// The category.
    #[must_use]
    pub fn category(&self) -> Category {
        match self {
            Self::SessionBegin(_) => Category::SessionBegin,
            Self::Message(_) => Category::Message,
            Self::Transfer(_) => Category::Transfer,
            Self::Satisfaction(_) => Category::Satisfaction,
            Self::SessionEnd(_) => Category::SessionEnd,
            Self::AgentStatus(_) => Category::AgentStatus,
            Self::TaskFlow(_) => Category::TaskFlow,
            Self::Unknown => Category::Unknown,
        }
    }
}

/// Fields of some categories, wherever they are.
impl Event {
    pub(crate) fn msg_key(&self) -> &Option<String> {
        if let EventKind::Message(message) = &self.kind { &message.key } else { &self.other_fields.msg_key }
    }

    pub(super) fn elements(&self) -> &Vec<Element> {
        if let EventKind::Message(message) = &self.kind {
            &message.elements
        } else {
            &self.other_fields.elements
        }
    }

    pub(super) fn stars(&self) -> &Option<u8> {
        if let EventKind::Satisfaction(rating) = &self.kind {
            &rating.stars
        } else {
            &self.other_fields.stars
        }
    }

    #[allow(clippy::wrong_self_convention)] // named for its field
    pub(super) fn from_agent_id(&self) -> &Option<String> {
        if let EventKind::Transfer(transfer) = &self.kind {
            &transfer.from_agent_id
        } else {
            &self.other_fields.from_agent_id
        }
    }
}
