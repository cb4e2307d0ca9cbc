//! One event of a session, as small as the figures allow.

use crate::event::{Command, Element, EndReason, Event, EventKind, Message, Sender, Stage, TransferStep};

/// Sorts by time, then by kind, then by what makes the event unlike others of its time and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Entry {
    /// Milliseconds since the Unix epoch.
    pub(super) time: i64,
    /// The kind in the highest byte, then 56 bits of the dedup key: two events of one session, one millisecond and one kind
    /// are taken for the same once in 7 × 10¹⁶ pairs.
    rest: u64,
}

/// What an event is to a session. In the order in which events of one millisecond count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    Begin,
    UserMessage,
    BotMessage,
    Requested,
    Queued,
    NoAgentOnline,
    Reached,
    Forwarded,
    /// A message of the user to an agent.
    UserMessageToAgent,
    AgentMessage,
    Rated,
    EndedByUser,
    EndedByAgent,
    EndedByUserTimeout,
    EndedByAgentTimeout,
    LeftQueue,
    Ended,
    /// It has a time, and no other part in the figures.
    Other,
}

const KINDS: [Kind; 18] = [
    Kind::Begin,
    Kind::UserMessage,
    Kind::BotMessage,
    Kind::Requested,
    Kind::Queued,
    Kind::NoAgentOnline,
    Kind::Reached,
    Kind::Forwarded,
    Kind::UserMessageToAgent,
    Kind::AgentMessage,
    Kind::Rated,
    Kind::EndedByUser,
    Kind::EndedByAgent,
    Kind::EndedByUserTimeout,
    Kind::EndedByAgentTimeout,
    Kind::LeftQueue,
    Kind::Ended,
    Kind::Other,
];

const KIND_SHIFT: u32 = 56;

impl Entry {
    pub(super) fn of(event: &Event) -> Self {
        let mut low = [0; 8];
        // The key begins with the time, and its digest is in the bytes after that.
        low[1..].copy_from_slice(&event.dedup_key().as_bytes()[8..15]);
        let rest = (Kind::of(event) as u64) << KIND_SHIFT | u64::from_be_bytes(low);
        Self { time: event.time_millis(), rest }
    }

    pub(super) fn kind(self) -> Kind {
        KINDS.get((self.rest >> KIND_SHIFT) as usize).copied().unwrap_or(Kind::Other)
    }

    /// 32 hexadecimal digits that sort as entries do.
    pub(super) fn to_text(self) -> String {
        format!("{:016x}{:016x}", self.time as u64 ^ SIGN, self.rest)
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (time, rest) = text.split_at_checked(16)?;
        let number = |digits: &str| {
            let is_number = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_number.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        Some(Self { time: (number(time)? ^ SIGN) as i64, rest: number(rest)? })
    }
}

/// With the sign's bit turned, digits sort as times do.
const SIGN: u64 = 1 << 63;

impl Kind {
    fn of(event: &Event) -> Self {
        match &event.kind {
            EventKind::SessionBegin(_) => Self::Begin,
            EventKind::Message(message) if is_control(message) => Self::Other,
            EventKind::Message(message) => match (message.sender, message.stage) {
                (Sender::User, Stage::ChatBot) => Self::UserMessage,
                (Sender::User, Stage::Human) => Self::UserMessageToAgent,
                (Sender::Robot, _) => Self::BotMessage,
                (Sender::Agent, _) => Self::AgentMessage,
            },
            EventKind::Transfer(transfer) => match transfer.step {
                TransferStep::Started => Self::Requested,
                TransferStep::Waiting => Self::Queued,
                TransferStep::Succeeded => Self::Reached,
                TransferStep::NoAgentOnline => Self::NoAgentOnline,
                TransferStep::Forwarded => Self::Forwarded,
            },
            EventKind::Satisfaction(_) => Self::Rated,
            EventKind::SessionEnd(end) => match end.reason {
                EndReason::User => Self::EndedByUser,
                EndReason::Agent => Self::EndedByAgent,
                EndReason::UserTimeout => Self::EndedByUserTimeout,
                EndReason::AgentTimeout => Self::EndedByAgentTimeout,
                EndReason::LeftQueue => Self::LeftQueue,
                EndReason::Unstated => Self::Ended,
            },
            // Of other callbacks than that of sessions there is nothing in a log.
            EventKind::Unknown | EventKind::AgentStatus(_) | EventKind::TaskFlow(_) => Self::Other,
        }
    }

    /// Whether a session keeps it before the others, once it has more events than it can keep.
    pub(super) fn is_milestone(self) -> bool {
        !matches!(
            self,
            Self::UserMessage
                | Self::BotMessage
                | Self::UserMessageToAgent
                | Self::AgentMessage
                | Self::Other
        )
    }
}

/// Whether an event belongs to a session's figures: one of the callback `Desk.SessionEventNotify` with a session.
pub(crate) fn is_of_session(event: &Event) -> bool {
    event.command == Command::SessionEvent && !event.session_id.is_empty()
}

/// Whether a message steers clients, and a person reads nothing of it.
pub(crate) fn is_control(message: &Message) -> bool {
    let is_control = |element: &Element| match element {
        Element::Custom(custom) => custom.desk_message().is_some_and(|desk| desk.is_control()),
        _ => false,
    };
    !message.elements.is_empty() && message.elements.iter().all(is_control)
}
