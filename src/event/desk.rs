//! Desk's own messages: JSON text inside a custom element's `Data`.
//!
//! They are not documented. What is here was read from the source of the vendor's client libraries: the npm package
//! `@tencentcloud/tui-customer-service-plugin` 2.2.6, the iOS pod TDeskCustomerServicePlugin 2.1.2, and the uni-app
//! library 1.4.0. Which of these messages a callback forwards is unknown.

use serde_json::Value;

use super::wire::{mend, weigh};

/// One of Desk's own messages.
///
/// ```
/// use tencent_desk_webhook::event::{DeskMessage, Src, Visibility};
///
/// let message = DeskMessage::parse(r#"{"customerServicePlugin":0,"src":"30","content":"**Hello**"}"#).unwrap();
/// assert_eq!(message.src, Src::RichText);
/// assert_eq!(message.visibility(), Visibility::Message);
/// assert_eq!(message.text().as_deref(), Some("**Hello**"));
///
/// let typing = DeskMessage::parse(r#"{"customerServicePlugin":0,"src":"12"}"#).unwrap();
/// assert!(typing.is_control());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeskMessage {
    /// What kind of message it is.
    pub src: Src,
    /// The message as it came.
    pub json: Value,
}

impl DeskMessage {
    /// `None` if `data` is not the JSON of one of Desk's messages: they have a `src` beside `customerServicePlugin` 0 (or
    /// none, which the iOS client reads as 0) or `chatbotPlugin` 1 or 2.
    #[must_use]
    pub fn parse(data: &str) -> Option<Self> {
        let json = parse(data)?;
        let src = number(&json["src"])?;
        let src = match (number(&json["customerServicePlugin"]), number(&json["chatbotPlugin"])) {
            (_, Some(1 | 2)) => Src::of_chat_bot(src),
            (Some(0), _) => Src::of_customer_service(src),
            (None, None) if json["customerServicePlugin"].is_null() => Src::of_customer_service(src),
            _ => return None,
        };
        Some(Self { src, json })
    }

    /// Where the vendor's clients show it.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        self.src.visibility()
    }

    /// Whether it steers clients, and nobody reads it.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.visibility() == Visibility::Hidden
    }

    /// What a person would read: headings and choices, one a line. Control messages and tips have no text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let content = &self.json["content"];
        let lines = match self.src {
            Src::RatingRequest => {
                let menu = &self.json["menuContent"];
                collect([&menu["head"]], &menu["menu"], "content")
            }
            Src::Branch | Src::FormInput | Src::TaskBranch => {
                collect([&content["header"]], &content["items"], "content")
            }
            Src::ProductCard => collect([&content["header"], &content["desc"]], &Value::Null, ""),
            Src::Welcome => collect([&content["title"]], &content["items"], "content"),
            Src::RichText => collect([content], &Value::Null, ""),
            Src::InfoCollector => collect([&content["tip"]], &content["inputVariables"], "name"),
            Src::StreamText | Src::ChatBotStream => {
                let chunks = self.json["chunks"].as_array().map_or(&[][..], Vec::as_slice);
                vec![chunks.iter().filter_map(Value::as_str).collect()]
            }
            _ => Vec::new(),
        };
        Some(lines.join("\n")).filter(|text| !text.is_empty())
    }
}

/// An object that is not so large as a `Value` that no message of Desk's is.
fn parse(data: &str) -> Option<Value> {
    if weigh(data).bytes > LARGEST {
        return None;
    }
    let value = serde_json::from_str(data).or_else(|error| {
        let mended = mend(data);
        mended.map_or(Err(error), |mended| serde_json::from_str(&mended))
    });
    value.ok().filter(Value::is_object)
}

/// In memory.
const LARGEST: usize = 4 * 1024 * 1024;

fn collect<const N: usize>(headings: [&Value; N], items: &Value, name: &str) -> Vec<String> {
    let items = items.as_array().map_or(&[][..], Vec::as_slice);
    let texts = headings.into_iter().chain(items.iter().map(|item| &item[name]));
    texts.filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// The clients write these numbers as numbers or as strings.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Where the vendor's clients show one of Desk's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Visibility {
    /// As a message.
    Message,
    /// As a notice between the messages, in the client's own words.
    Tip,
    /// Nowhere: it steers the client.
    Hidden,
}

/// What kind of Desk message it is: the value of `src`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Src {
    /// 1 to 5 and 8: where the user came from.
    Origin(u8),
    /// 6: between two sessions.
    SessionSeparator,
    /// 7: the user has opened the chat.
    EnterSession,
    /// 9: asks the user to rate.
    RatingRequest,
    /// 10: the user's rating.
    RatingAnswer,
    /// 11: the client is there, or gone.
    ClientState,
    /// 12: somebody is typing.
    Typing,
    /// 13: a command of the text robot; some of these are shown.
    TextRobot,
    /// 15: choices.
    Branch,
    /// 17: members.
    Member,
    /// 18: no agent is there.
    NoSeatOnline,
    /// 19: the session has ended.
    SessionEnd,
    /// 20: the session has ended by time-out.
    TimeoutEnd,
    /// 21: asks for an input.
    FormInput,
    /// 22: a product.
    ProductCard,
    /// 23: when the user may rate.
    RatingRule,
    /// 24: the user wants to rate.
    RatingTrigger,
    /// 25: what the robot does.
    RobotState,
    /// 26: what the agent does.
    HumanState,
    /// 27: the user has ended the session.
    UserEndSession,
    /// 28: an order.
    OrderCard,
    /// 29: the robot's welcome, or its question back.
    Welcome,
    /// 30: Markdown.
    RichText,
    /// 31: a text that grows.
    StreamText,
    /// 32: choices of a task.
    TaskBranch,
    /// 33: a form. The answers may be personal data.
    InfoCollector,
    /// 2 beside `chatbotPlugin`: a text that grows.
    ChatBotStream,
    /// Another value beside `chatbotPlugin`.
    ChatBotOther(i64),
    /// Another value.
    Other(i64),
}

impl Src {
    fn of_customer_service(src: i64) -> Self {
        match src {
            1..=5 | 8 => u8::try_from(src).map_or(Self::Other(src), Self::Origin),
            6 => Self::SessionSeparator,
            7 => Self::EnterSession,
            9 => Self::RatingRequest,
            10 => Self::RatingAnswer,
            11 => Self::ClientState,
            12 => Self::Typing,
            13 => Self::TextRobot,
            15 => Self::Branch,
            17 => Self::Member,
            18 => Self::NoSeatOnline,
            19 => Self::SessionEnd,
            20 => Self::TimeoutEnd,
            21 => Self::FormInput,
            22 => Self::ProductCard,
            23 => Self::RatingRule,
            24 => Self::RatingTrigger,
            25 => Self::RobotState,
            26 => Self::HumanState,
            27 => Self::UserEndSession,
            28 => Self::OrderCard,
            29 => Self::Welcome,
            30 => Self::RichText,
            31 => Self::StreamText,
            32 => Self::TaskBranch,
            33 => Self::InfoCollector,
            other => Self::Other(other),
        }
    }

    fn of_chat_bot(src: i64) -> Self {
        if src == 2 { Self::ChatBotStream } else { Self::ChatBotOther(src) }
    }

    /// Where the vendor's clients show it. What is unknown counts as a message, so that nothing is overlooked.
    #[must_use]
    pub fn visibility(self) -> Visibility {
        match self {
            Self::RatingRequest
            | Self::TextRobot
            | Self::Branch
            | Self::FormInput
            | Self::ProductCard
            | Self::OrderCard
            | Self::Welcome
            | Self::RichText
            | Self::StreamText
            | Self::TaskBranch
            | Self::InfoCollector
            | Self::ChatBotStream
            | Self::ChatBotOther(_)
            | Self::Other(_) => Visibility::Message,
            Self::SessionEnd | Self::TimeoutEnd => Visibility::Tip,
            Self::Origin(_)
            | Self::SessionSeparator
            | Self::EnterSession
            | Self::RatingAnswer
            | Self::ClientState
            | Self::Typing
            | Self::Member
            | Self::NoSeatOnline
            | Self::RatingRule
            | Self::RatingTrigger
            | Self::RobotState
            | Self::HumanState
            | Self::UserEndSession => Visibility::Hidden,
        }
    }
}
