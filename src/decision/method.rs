//! Which command asks for which decision.

/// The methods of [`Responder`](super::Responder).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    AnswerMessage,
    AssignAgent,
    Invoke,
    ContactUser,
    Other,
}

/// The vendor's pages: product 1229, document 68988, and trtc.io document 63270 (assignment), product 269, document 120667
/// (contact). They write `ChatBot` and `Chatbot`.
const COMMANDS: [(&str, Method); 4] = [
    ("ChatBot.OnAssignHuman", Method::AssignAgent),
    ("ChatBot.OnAssignAgent", Method::AssignAgent),
    ("Chatbot.InterfaceInvocation", Method::Invoke),
    ("Desk.CallbackBeforeIMContactUser", Method::ContactUser),
];

impl Method {
    /// The method for a command other than those of events. Names are compared without case, because the vendor's pages
    /// differ in it.
    pub(crate) fn of_command(name: &str) -> Self {
        let found = COMMANDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(Self::Other, |(_, method)| *method)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AnswerMessage => "answer_message",
            Self::AssignAgent => "assign_agent",
            Self::Invoke => "invoke",
            Self::ContactUser => "contact_user",
            Self::Other => "other",
        }
    }
}
