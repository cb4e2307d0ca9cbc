//! The answers to requests for which no decision could be made.

use serde_json::{Map, Value};

use super::{AiProvider, Assignment, Contact, Invoked, Method, reply::Reply};

/// The answer of each command when its decision fails: for an error, a panic, a time-out and an overload alike. The
/// [table](super#what-the-sender-gets) has the defaults.
///
/// ```
/// use tencent_desk_webhook::{EventHandler, Verifier, Webhook, decision::{AiProvider, Contact, Fallbacks}};
///
/// # struct Support;
/// # impl EventHandler for Support {}
/// let fallbacks = Fallbacks::default()
///     .answer_message(AiProvider::Desk)
///     .contact_user(Contact::refuse(120001, "try again later"));
/// let webhook = Webhook::new(Verifier::signed(1_400_000_000, "token"), Support).fallbacks(fallbacks);
/// # assert_eq!(webhook.in_flight(), 0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fallbacks {
    answer_message: Option<AiProvider>,
    assign_agent: Assignment,
    invoke: Invoked,
    contact_user: Contact,
    other: Map<String, Value>,
}

impl Default for Fallbacks {
    fn default() -> Self {
        Self {
            answer_message: None,
            assign_agent: Assignment::no_preference(),
            invoke: Invoked::failed(20001, "the call failed: its reason is in the receiver's log"),
            contact_user: Contact::allow(),
            other: Map::new(),
        }
    }
}

impl Fallbacks {
    /// For [`answer_message`](super::Responder::answer_message). Default: no `AIProvider`.
    #[must_use]
    pub fn answer_message(mut self, provider: AiProvider) -> Self {
        self.answer_message = Some(provider);
        self
    }

    /// For [`assign_agent`](super::Responder::assign_agent). Default: no preference.
    #[must_use]
    pub fn assign_agent(mut self, assignment: Assignment) -> Self {
        self.assign_agent = assignment;
        self
    }

    /// For [`invoke`](super::Responder::invoke). Default: a failure with code 20001.
    #[must_use]
    pub fn invoke(mut self, invoked: Invoked) -> Self {
        self.invoke = invoked;
        self
    }

    /// For [`contact_user`](super::Responder::contact_user). Default: the contact is allowed.
    #[must_use]
    pub fn contact_user(mut self, contact: Contact) -> Self {
        self.contact_user = contact;
        self
    }

    /// For [`other`](super::Responder::other). Default: the bare acknowledgement.
    #[must_use]
    pub fn other(mut self, fields: Map<String, Value>) -> Self {
        self.other = fields;
        self
    }

    pub(crate) fn reply(&self, method: Method) -> Reply {
        match method {
            Method::AnswerMessage => {
                self.answer_message.map_or_else(Reply::acknowledgement, AiProvider::reply)
            }
            Method::AssignAgent => self.assign_agent.reply(),
            Method::Invoke => self.invoke.reply(),
            Method::ContactUser => self.contact_user.reply(),
            Method::Other => Reply::merged(self.other.clone()),
        }
    }
}
