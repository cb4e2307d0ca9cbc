//! Decisions: requests whose answer counts, such as which agent gets a session.
//!
//! A notification may be stored, repeated and handled later. A decision is made now, once per request, and its answer is the
//! response. So decisions are a trait of their own beside [`EventHandler`](crate::EventHandler), installed with
//! [`Webhook::responder`](crate::Webhook::responder). They never pass through the inbox and are never replayed; a request that
//! is delivered again is decided again.
//!
//! ```
//! use tencent_desk_webhook::{
//!     EventHandler, Verifier, Webhook, async_trait,
//!     decision::{AssignAgent, Assignment, Decision, Request, Responder},
//! };
//!
//! struct Support;
//! impl EventHandler for Support {}
//!
//! struct Routing;
//!
//! #[async_trait]
//! impl Responder for Routing {
//!     async fn assign_agent(&self, _: &Request, asked: &AssignAgent) -> Decision<Assignment> {
//!         let is_known = asked.client_user_id.as_deref().is_some_and(|user| user.starts_with("vip-"));
//!         Ok(is_known.then(|| Assignment::to_group(6521).or_agents(["svc1@example.com"])))
//!     }
//! }
//!
//! let webhook = Webhook::new(Verifier::signed(1_400_000_000, "token"), Support).responder(Routing);
//! # assert_eq!(webhook.in_flight(), 0);
//! ```
//!
//! # What the sender gets
//!
//! | method of [`Responder`] | command | `Ok(None)`, and without a responder | error, panic, time-out, overload |
//! |---|---|---|---|
//! | [`answer_message`](Responder::answer_message) | `ChatBot.UserSendMsg` of `Desk.SessionEventNotify` | OK without `AIProvider`: with the console's switch "third-party bot" your own AI has to answer | the same; at overload the event itself is refused with 503 |
//! | [`assign_agent`](Responder::assign_agent) | `ChatBot.OnAssignHuman`, `ChatBot.OnAssignAgent` | OK without an agent | the same |
//! | [`invoke`](Responder::invoke) | `Chatbot.InterfaceInvocation` | OK without variables | `FAIL` with `ErrorCode` 20001 |
//! | [`contact_user`](Responder::contact_user) | `Desk.CallbackBeforeIMContactUser` | OK: the contact is allowed | the same |
//! | [`other`](Responder::other) | any other command | OK | the same |
//!
//! [`Fallbacks`] changes the last column. The vendor documents the successful answers (product 269, documents 110624 and 120667;
//! product 1229, document 68988) and does not document what Desk does after a time-out, an error or an answer without a
//! decision.
//!
//! A decision that is not made at the [deadline](crate::Webhook::deadline) is dropped, as it is when the sender disconnects.
//!
//! # Who can ask
//!
//! The signature covers neither command nor body: see [what it does not protect](crate#what-the-signature-does-not-protect). A
//! decision can return customers' data to a forger. An app that is let in
//! [unsigned](crate::Verifier::dangerous_unsigned) gets no decisions: its requests are refused with 40105, and `AIProvider` is
//! left out.

mod answer;

mod fallback;

mod method;

mod reply;

mod request;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use self::{
    answer::{AiProvider, Assignment, Contact, Invoked},
    fallback::Fallbacks,
    request::{AssignAgent, ContactUser, Invocation, Request},
};
pub(crate) use self::{method::Method, reply::Reply};
use crate::{
    event::{Event, Message},
    handler::HandlerError,
};

/// What a method of [`Responder`] returns. `Ok(None)` is no decision.
pub type Decision<T> = Result<Option<T>, HandlerError>;

/// Decides. A method that is not implemented makes no decision.
///
/// A decision has to be made within the [deadline](crate::Webhook::deadline), 1.5 s by default. Methods run concurrently.
#[async_trait]
pub trait Responder: Send + Sync + 'static {
    /// Who answers this message of a user to the bot: your own AI or Desk's bot. The event goes to the handler or the inbox as
    /// well, at the same time; the decision is sent only if the event is acknowledged.
    ///
    /// Desk asks only with the console's switch "third-party bot" (对接第三方机器人; product 269, document 110624). Without a
    /// decision your own AI has to answer.
    async fn answer_message(&self, event: &Event, message: &Message) -> Decision<AiProvider> {
        let _ = (event, message);
        Ok(None)
    }

    /// Which agents or group get a session.
    async fn assign_agent(&self, request: &Request, asked: &AssignAgent) -> Decision<Assignment> {
        let _ = (request, asked);
        Ok(None)
    }

    /// Handles a bot's call of an interface: variables in, variables out.
    async fn invoke(&self, request: &Request, invocation: &Invocation) -> Decision<Invoked> {
        let _ = (request, invocation);
        Ok(None)
    }

    /// Whether an agent, or the vendor's REST interface, may contact a user.
    async fn contact_user(&self, request: &Request, asked: &ContactUser) -> Decision<Contact> {
        let _ = (request, asked);
        Ok(None)
    }

    /// Answers any other command, such as IM's own callbacks on the same URL. The fields are merged into the acknowledgement;
    /// `ActionStatus`, `ErrorInfo` and `ErrorCode` among them replace its own.
    async fn other(&self, request: &Request) -> Decision<Map<String, Value>> {
        let _ = request;
        Ok(None)
    }
}

macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        impl<T: Responder + ?Sized> Responder for $pointer<T> {
            async fn answer_message(&self, event: &Event, message: &Message) -> Decision<AiProvider> {
                (**self).answer_message(event, message).await
            }

            async fn assign_agent(&self, request: &Request, asked: &AssignAgent) -> Decision<Assignment> {
                (**self).assign_agent(request, asked).await
            }

            async fn invoke(&self, request: &Request, invocation: &Invocation) -> Decision<Invoked> {
                (**self).invoke(request, invocation).await
            }

            async fn contact_user(&self, request: &Request, asked: &ContactUser) -> Decision<Contact> {
                (**self).contact_user(request, asked).await
            }

            async fn other(&self, request: &Request) -> Decision<Map<String, Value>> {
                (**self).other(request).await
            }
        }
    };
}

forward!(Arc);
forward!(Box);
