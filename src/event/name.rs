//! The names of events: one table for both directions, and for what each name says.

use super::{
    Category, EndReason, Sender, Stage, TransferStep,
    category::Meaning::{self, *},
    label::text,
};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $wire:literal: $meaning:expr,)*) => {
        /// What has happened, by its name on the wire.
        ///
        /// The vendor documents 17 names of session events (product 1229, document 68989). Any other is kept as it came, and so are
        /// the names under another [command](super::Command).
        ///
        /// ```
        /// use tencent_desk_webhook::event::{Category, EventName};
        ///
        /// let name = EventName::from("Human.UserSendMsg");
        /// assert_eq!(name, EventName::HumanUserSendMsg);
        /// assert_eq!(name, "Human.UserSendMsg");
        /// assert_eq!(name.category(), Category::Message);
        /// assert_eq!(EventName::from("New.Event").category(), Category::Unknown);
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventName {
            $($(#[$doc])* #[doc = concat!("\n\nOn the wire: `", $wire, "`.")] $name,)*
            /// A name that this version does not know.
            Other(String),
        }

        impl EventName {
            /// The documented names of session events.
            pub fn documented() -> impl Iterator<Item = Self> {
                [$(Self::$name),*].into_iter()
            }

            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $wire,)*
                    Self::Other(name) => name,
                }
            }

            pub(super) fn meaning(&self) -> Meaning {
                match self {
                    $(Self::$name => $meaning,)*
                    Self::Other(_) => Unknown,
                }
            }
        }

        impl From<&str> for EventName {
            fn from(wire: &str) -> Self {
                match wire {
                    $($wire => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

names! {
    /// A session has begun (会话开始).
    SessionBegin = "SessionBegin": SessionBegin,
    /// The user has sent a message while the bot serves the session (机器人阶段中用户发送的消息).
    ChatBotUserSendMsg = "ChatBot.UserSendMsg": Message(Stage::ChatBot, Sender::User),
    /// The bot has answered (机器人阶段中机器人回复的消息).
    ChatBotRobotSendMsg = "ChatBot.RobotSendMsg": Message(Stage::ChatBot, Sender::Robot),
    /// The user has sent a message while an agent serves the session (人工阶段中用户发送的消息).
    HumanUserSendMsg = "Human.UserSendMsg": Message(Stage::Human, Sender::User),
    /// An agent has sent a message (人工阶段中客服发送的消息).
    HumanAgentSendMsg = "Human.AgentSendMsg": Message(Stage::Human, Sender::Agent),
    /// The session is being transferred to an agent (转人工中).
    TransferringToHuman = "TransferringToHuman": Transfer(TransferStep::Started),
    /// The session waits in the queue for an agent (转人工排队中).
    TransferringToHumanWait = "TransferringToHumanWait": Transfer(TransferStep::Waiting),
    /// The session has reached an agent (转人工成功).
    TransferToHumanSuccess = "TransferToHumanSuccess": Transfer(TransferStep::Succeeded),
    /// No agent is online (无人工客服在线).
    NoAgentOnline = "NoAgentOnline": Transfer(TransferStep::NoAgentOnline),
    /// An agent has forwarded the session to another agent (客服转接).
    AgentForward = "AgentForward": Transfer(TransferStep::Forwarded),
    /// The user has rated the session (满意度评价).
    SatisfactionSelected = "SatisfactionSelected": Satisfaction,
    /// The user has ended the session (用户结束会话).
    SessionUserEnd = "SessionUserEnd": SessionEnd(EndReason::User),
    /// The agent has ended the session (客服结束会话).
    SessionAgentEnd = "SessionAgentEnd": SessionEnd(EndReason::Agent),
    /// The session has ended because the user did not answer in time (用户应答超时结束会话).
    SessionUserTimeoutEnd = "SessionUserTimeoutEnd": SessionEnd(EndReason::UserTimeout),
    /// The session has ended because the agent did not answer in time (客服应答超时结束会话).
    SessionAgentTimeoutEnd = "SessionAgentTimeoutEnd": SessionEnd(EndReason::AgentTimeout),
    /// The session has ended in the queue, because the user went offline (排队中自动结束(用户离线)).
    SessionPendingAutoFinishEnd = "SessionPendingAutoFinishEnd": SessionEnd(EndReason::LeftQueue),
    /// The session has ended (会话结束).
    SessionEnd = "SessionEnd": SessionEnd(EndReason::Unstated),
}

impl EventName {
    /// The category of the session events with this name.
    #[must_use]
    pub fn category(&self) -> Category {
        self.meaning().category()
    }
}

text!(EventName);
