//! Which command asks for which decision.

/// A command other than that of session events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    AssignAgent,
    Invoke,
    ContactUser,
    Other,
}

/// The vendor's pages: product 1229, document 68988, and trtc.io document 63270 (assignment), product 269, document 120667
/// (contact). They write `ChatBot` and `Chatbot`.
const COMMANDS: [(&str, Command); 4] = [
    ("ChatBot.OnAssignHuman", Command::AssignAgent),
    ("ChatBot.OnAssignAgent", Command::AssignAgent),
    ("Chatbot.InterfaceInvocation", Command::Invoke),
    ("Desk.CallbackBeforeIMContactUser", Command::ContactUser),
];

impl Command {
    /// Compares names without case, because the vendor's pages differ in it.
    pub(crate) fn named(name: &str) -> Self {
        let found = COMMANDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(Self::Other, |(_, command)| *command)
    }

    /// The method of [`Responder`](super::Responder) that decides it.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::AssignAgent => "assign_agent",
            Self::Invoke => "invoke",
            Self::ContactUser => "contact_user",
            Self::Other => "other",
        }
    }
}
