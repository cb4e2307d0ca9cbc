//! The wire names of events: one table for both directions.

use std::fmt;

/// What has happened, as the wire names it.
///
/// The vendor documents 17 names (product 1229, document 68989). Any other is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventName {
    /// 会话开始
    SessionBegin,
    /// 机器人阶段中用户发送的消息
    ChatBotUserSendMsg,
    /// 机器人阶段中机器人回复的消息
    ChatBotRobotSendMsg,
    /// 人工阶段中用户发送的消息
    HumanUserSendMsg,
    /// 人工阶段中客服发送的消息
    HumanAgentSendMsg,
    /// 转人工中
    TransferringToHuman,
    /// 转人工排队中
    TransferringToHumanWait,
    /// 转人工成功
    TransferToHumanSuccess,
    /// 无人工客服在线
    NoAgentOnline,
    /// 客服转接
    AgentForward,
    /// 满意度评价
    SatisfactionSelected,
    /// 用户结束会话
    SessionUserEnd,
    /// 客服结束会话
    SessionAgentEnd,
    /// 用户应答超时结束会话
    SessionUserTimeoutEnd,
    /// 客服应答超时结束会话
    SessionAgentTimeoutEnd,
    /// 排队中自动结束(用户离线)
    SessionPendingAutoFinishEnd,
    /// 会话结束
    SessionEnd,
    /// A name that this version does not know.
    Other(String),
}

static NAMES: [(&str, EventName); 17] = [
    ("ChatBot.UserSendMsg", EventName::ChatBotUserSendMsg),
    ("ChatBot.RobotSendMsg", EventName::ChatBotRobotSendMsg),
    ("Human.UserSendMsg", EventName::HumanUserSendMsg),
    ("Human.AgentSendMsg", EventName::HumanAgentSendMsg),
    ("SessionBegin", EventName::SessionBegin),
    ("TransferringToHuman", EventName::TransferringToHuman),
    ("TransferringToHumanWait", EventName::TransferringToHumanWait),
    ("TransferToHumanSuccess", EventName::TransferToHumanSuccess),
    ("NoAgentOnline", EventName::NoAgentOnline),
    ("AgentForward", EventName::AgentForward),
    ("SatisfactionSelected", EventName::SatisfactionSelected),
    ("SessionUserEnd", EventName::SessionUserEnd),
    ("SessionAgentEnd", EventName::SessionAgentEnd),
    ("SessionUserTimeoutEnd", EventName::SessionUserTimeoutEnd),
    ("SessionAgentTimeoutEnd", EventName::SessionAgentTimeoutEnd),
    ("SessionPendingAutoFinishEnd", EventName::SessionPendingAutoFinishEnd),
    ("SessionEnd", EventName::SessionEnd),
];

impl EventName {
    /// The documented names.
    pub fn documented() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, name)| name.clone())
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => NAMES.iter().find(|(_, name)| name == known).map_or("", |(wire, _)| wire),
        }
    }
}

impl From<&str> for EventName {
    fn from(wire: &str) -> Self {
        let known = NAMES.iter().find(|(name, _)| *name == wire);
        known.map_or_else(|| Self::Other(wire.to_owned()), |(_, name)| name.clone())
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
