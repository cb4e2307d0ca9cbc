//! For the tests of what you build on this library: deliveries, events and a handler that records. No network is needed.
//!
//! Enable the feature `testing` for tests alone:
//!
//! ```toml
//! [dev-dependencies]
//! tencent-desk-webhook = { version = "0.1", features = ["testing"] }
//! ```
//!
//! A handler is tested through the webhook that will call it:
//!
//! ```
//! use tencent_desk_webhook::{Event, EventHandler, HandlerResult, Webhook, async_trait, event::Message, testing};
//!
//! #[derive(Default)]
//! struct Refunds(std::sync::atomic::AtomicUsize);
//!
//! #[async_trait]
//! impl EventHandler for Refunds {
//!     async fn on_message(&self, _: &Event, message: &Message) -> HandlerResult {
//!         if message.text().contains("refund") {
//!             self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let webhook = Webhook::new(testing::verifier(), Refunds::default());
//! let asked = testing::event("Human.UserSendMsg").text("I want a refund");
//! assert_eq!(testing::error_code(webhook.handle(asked.delivery().request()).await), 0);
//! assert_eq!(webhook.handler().0.load(std::sync::atomic::Ordering::Relaxed), 1);
//!
//! // What a stranger sends never gets there.
//! let forged = asked.delivery().wrong_signature();
//! assert_eq!(webhook.handle(forged.request()).await.status(), 401);
//! # }
//! ```
//!
//! A whole session goes in with [`Scenario`], and [`Recorder`] stands in for a handler where the webhook's surroundings are
//! what is tested: your router, your shutdown, your middleware.

mod delivery;

mod fixture;

mod elements;

mod scenario;

mod request;

mod recorder;

mod responder;

pub use self::{
    delivery::{APP, Delivery, NOW, TOKEN, error_code, verifier},
    elements::{ELEMENT_TYPES, desk_message, element},
    fixture::{EventFixture, agent_status, event, task_flow},
    recorder::{Behaviour, Call, Recorder},
    request::{RequestFixture, assign_agent, assign_human, contact_user, invocation, request},
    responder::{Question, TestResponder},
    scenario::Scenario,
};
