//! The kinds of Desk's own messages.

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

macro_rules! sources {
    ($($(#[$doc:meta])* $code:literal => $src:ident: $visibility:ident,)*) => {
        /// What kind of Desk message it is: the value of `src`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Src {
            /// Where the user came from: 1 to 5, and 8.
            Origin(u8),
            $($(#[$doc])* #[doc = concat!("\n\n`src` ", $code, ".")] $src,)*
            /// A text that grows: 2 beside `chatbotPlugin`.
            ChatBotStream,
            /// Another value beside `chatbotPlugin`.
            ChatBotOther(i64),
            /// Another value.
            Other(i64),
        }

        impl Src {
            pub(super) fn of_customer_service(code: i64) -> Self {
                match code {
                    1..=5 | 8 => u8::try_from(code).map_or(Self::Other(code), Self::Origin),
                    $($code => Self::$src,)*
                    other => Self::Other(other),
                }
            }

            /// The value of `src`, which [`ChatBotStream`](Self::ChatBotStream) and [`ChatBotOther`](Self::ChatBotOther) have
            /// beside `chatbotPlugin`.
            #[must_use]
            pub fn code(self) -> i64 {
                match self {
                    Self::Origin(code) => code.into(),
                    $(Self::$src => $code,)*
                    Self::ChatBotStream => CHAT_BOT_STREAM,
                    Self::ChatBotOther(code) | Self::Other(code) => code,
                }
            }

            /// Where the vendor's clients show it. An unknown one counts as a message, so that it is not overlooked.
            #[must_use]
            pub fn visibility(self) -> Visibility {
                match self {
                    $(Self::$src => Visibility::$visibility,)*
                    Self::Origin(_) => Visibility::Hidden,
                    Self::ChatBotStream | Self::ChatBotOther(_) | Self::Other(_) => Visibility::Message,
                }
            }
        }
    };
}

sources! {
    /// Between two sessions.
    6 => SessionSeparator: Hidden,
    /// The user has opened the chat.
    7 => EnterSession: Hidden,
    /// Asks the user to rate.
    9 => RatingRequest: Message,
    /// The user's rating.
    10 => RatingAnswer: Hidden,
    /// The client is online, or no longer.
    11 => ClientState: Hidden,
    /// Someone is typing.
    12 => Typing: Hidden,
    /// A command of the text robot. Clients show some of them.
    13 => TextRobot: Message,
    /// Choices.
    15 => Branch: Message,
    /// Members.
    17 => Member: Hidden,
    /// No agent is online.
    18 => NoSeatOnline: Hidden,
    /// The session has ended.
    19 => SessionEnd: Tip,
    /// The session has timed out.
    20 => TimeoutEnd: Tip,
    /// Asks for an input.
    21 => FormInput: Message,
    /// A product.
    22 => ProductCard: Message,
    /// When the user may rate.
    23 => RatingRule: Hidden,
    /// The user wants to rate.
    24 => RatingTrigger: Hidden,
    /// The robot's state.
    25 => RobotState: Hidden,
    /// The agent's state.
    26 => HumanState: Hidden,
    /// The user has ended the session.
    27 => UserEndSession: Hidden,
    /// An order.
    28 => OrderCard: Message,
    /// The robot's welcome, or its question back.
    29 => Welcome: Message,
    /// Markdown.
    30 => RichText: Message,
    /// A text that grows.
    31 => StreamText: Message,
    /// Choices of a task.
    32 => TaskBranch: Message,
    /// A form. The answers may be personal data.
    33 => InfoCollector: Message,
}

impl Src {
    pub(super) fn of_chat_bot(code: i64) -> Self {
        if code == CHAT_BOT_STREAM { Self::ChatBotStream } else { Self::ChatBotOther(code) }
    }
}

const CHAT_BOT_STREAM: i64 = 2;
