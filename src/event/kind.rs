//! The six categories of events, and what each has of its own.

use super::{Element, EventName};

/// What has happened, and what belongs to that alone. Each variant has its method in
/// [`EventHandler`](crate::EventHandler).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A session has begun.
    SessionBegin(SessionBegin),
    /// Somebody has sent a message.
    Message(Message),
    /// The session is on its way to an agent, or has reached one.
    Transfer(Transfer),
    /// The user has rated the session.
    Satisfaction(Satisfaction),
    /// The session has ended.
    SessionEnd(SessionEnd),
    /// An event without a name in this version.
    Unknown,
}

/// A session has begun. Nothing is documented for it beyond what every event may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionBegin {}

/// Somebody has sent a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Whether bot or agent serves the user.
    pub stage: Stage,
    /// Who has sent it.
    pub sender: Sender,
    /// `MsgKey`: opaque.
    pub key: Option<String>,
    /// `MsgBody`: what the message is made of, in order; at most 1,000 elements of it.
    pub elements: Vec<Element>,
}

impl Message {
    /// What a person would read: the texts of the elements, one a line. Pictures, sounds and control messages have none.
    #[must_use]
    pub fn text(&self) -> String {
        super::element::text_of(&self.elements)
    }
}

/// Who serves the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// 机器人阶段
    ChatBot,
    /// 人工阶段
    Human,
}

/// Who has sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sender {
    /// 用户
    User,
    /// 机器人
    Robot,
    /// 人工客服
    Agent,
}

/// The session is on its way to an agent, or has reached one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// How far it is.
    pub step: TransferStep,
    /// `ForwardFromAgentId`: by its name the agent who had the session before. Only the newer Chinese page has it
    /// (product 269, document 111212), and what it says of it could not be read.
    pub from_agent_id: Option<String>,
}

/// How far a session is on its way to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferStep {
    /// 转人工中
    Started,
    /// 转人工排队中
    Waiting,
    /// 转人工成功
    Succeeded,
    /// 无人工客服在线
    NoAgentOnline,
    /// 客服转接: from one agent to another.
    Forwarded,
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
    /// Who or what ended it.
    pub reason: EndReason,
}

/// Who or what has ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// 用户结束会话
    User,
    /// 客服结束会话
    Agent,
    /// 用户应答超时结束会话
    UserTimeout,
    /// 客服应答超时结束会话
    AgentTimeout,
    /// 排队中自动结束(用户离线)
    LeftQueue,
    /// 会话结束: `SessionEnd`, which names no reason.
    Unstated,
}

/// Documented fields that came with an event of another category.
///
/// The vendor prints one sample that has every field at once and does not say which event has which, so none is dropped.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stray {
    /// `MsgKey` of an event that is no message.
    pub msg_key: Option<String>,
    /// `MsgBody` of an event that is no message.
    pub elements: Vec<Element>,
    /// `SatisfactionSelected` of an event that is no rating.
    pub stars: Option<u8>,
    /// `ForwardFromAgentId` of an event that is no transfer.
    pub from_agent_id: Option<String>,
}

impl Stray {
    /// Takes from what came along what belongs to an event of this name.
    pub(crate) fn claim(&mut self, name: &EventName) -> EventKind {
        match name {
            EventName::SessionBegin => EventKind::SessionBegin(SessionBegin {}),
            EventName::ChatBotUserSendMsg => self.claim_message(Stage::ChatBot, Sender::User),
            EventName::ChatBotRobotSendMsg => self.claim_message(Stage::ChatBot, Sender::Robot),
            EventName::HumanUserSendMsg => self.claim_message(Stage::Human, Sender::User),
            EventName::HumanAgentSendMsg => self.claim_message(Stage::Human, Sender::Agent),
            EventName::TransferringToHuman => self.claim_transfer(TransferStep::Started),
            EventName::TransferringToHumanWait => self.claim_transfer(TransferStep::Waiting),
            EventName::TransferToHumanSuccess => self.claim_transfer(TransferStep::Succeeded),
            EventName::NoAgentOnline => self.claim_transfer(TransferStep::NoAgentOnline),
            EventName::AgentForward => self.claim_transfer(TransferStep::Forwarded),
            EventName::SatisfactionSelected => {
                EventKind::Satisfaction(Satisfaction { stars: self.stars.take() })
            }
            EventName::SessionUserEnd => ended(EndReason::User),
            EventName::SessionAgentEnd => ended(EndReason::Agent),
            EventName::SessionUserTimeoutEnd => ended(EndReason::UserTimeout),
            EventName::SessionAgentTimeoutEnd => ended(EndReason::AgentTimeout),
            EventName::SessionPendingAutoFinishEnd => ended(EndReason::LeftQueue),
            EventName::SessionEnd => ended(EndReason::Unstated),
            EventName::Other(_) => EventKind::Unknown,
        }
    }

    fn claim_message(&mut self, stage: Stage, sender: Sender) -> EventKind {
        let (key, elements) = (self.msg_key.take(), std::mem::take(&mut self.elements));
        EventKind::Message(Message { stage, sender, key, elements })
    }

    fn claim_transfer(&mut self, step: TransferStep) -> EventKind {
        EventKind::Transfer(Transfer { step, from_agent_id: self.from_agent_id.take() })
    }
}

fn ended(reason: EndReason) -> EventKind {
    EventKind::SessionEnd(SessionEnd { reason })
}
