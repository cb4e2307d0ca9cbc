//! A responder that records, and answers as a test wants.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::Behaviour;
use crate::{
    decision::{
        AiProvider, AssignAgent, Assignment, Contact, ContactUser, Decision, Invocation, Invoked, Request,
        Responder,
    },
    event::{Event, Message},
};

/// Records every request for a decision. It makes no decision unless a test sets one. Clones share everything.
///
/// ```
/// use tencent_desk_webhook::{Webhook, decision::Assignment, testing::{self, Delivery, Recorder, TestResponder}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let responder = TestResponder::default();
/// responder.assign_agent(Assignment::to_group(6521));
/// let webhook = Webhook::new(testing::verifier(), Recorder::default()).responder(responder.clone());
///
/// let asked = Delivery::of(r#"{"SessionId":"s-1","ClientUserId":"user-1"}"#).command("ChatBot.OnAssignHuman");
/// let response = webhook.handle(asked.request()).await;
/// assert_eq!(testing::error_code(response), 0);
/// assert_eq!(responder.questions()[0].method, "assign_agent");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TestResponder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    asked: watch::Sender<usize>,
    released: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    behaviour: Behaviour,
    questions: Vec<Question>,
    message: Option<AiProvider>,
    assignment: Option<Assignment>,
    invoked: Option<Invoked>,
    contact: Option<Contact>,
    other: Option<Map<String, Value>>,
}

/// One request for a decision.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Question {
    /// The method of [`Responder`] that was called, such as `assign_agent`.
    pub method: &'static str,
    /// The request, or the event of `answer_message`, as JSON.
    pub fields: Value,
}

impl Default for TestResponder {
    fn default() -> Self {
        let [asked, released] = std::array::from_fn(|_| watch::Sender::new(0));
        Self(Arc::new(Shared { state: Mutex::default(), asked, released }))
    }
}

impl TestResponder {
    /// Sets how it behaves before it answers: it can fail, panic or stall instead.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
    }

    /// Lets every decision continue that stalls now.
    pub fn release(&self) {
        self.0.released.send_modify(|releases| *releases += 1);
    }

    /// Waits until it has been asked so many times in all.
    pub async fn asked(&self, times: usize) {
        // It fails when the sender is gone, and `self` has the sender.
        let _ = self.0.asked.subscribe().wait_for(|count| *count >= times).await;
    }

    /// Returns every request so far, in order.
    #[must_use]
    pub fn questions(&self) -> Vec<Question> {
        self.state().questions.clone()
    }

    /// Sets the decision of [`Responder::answer_message`].
    pub fn answer_message(&self, provider: AiProvider) {
        self.state().message = Some(provider);
    }

    /// Sets the decision of [`Responder::assign_agent`].
    pub fn assign_agent(&self, assignment: Assignment) {
        self.state().assignment = Some(assignment);
    }

    /// Sets the decision of [`Responder::invoke`].
    pub fn invoke(&self, invoked: Invoked) {
        self.state().invoked = Some(invoked);
    }

    /// Sets the decision of [`Responder::contact_user`].
    pub fn contact_user(&self, contact: Contact) {
        self.state().contact = Some(contact);
    }

    /// Sets the fields that [`Responder::other`] returns.
    pub fn other(&self, fields: Map<String, Value>) {
        self.state().other = Some(fields);
    }

    /// A test may have panicked while it held the lock; the state is whole all the same.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn decide<T>(
        &self,
        method: &'static str,
        asked: &impl serde::Serialize,
        decision: fn(&State) -> Option<T>,
    ) -> Decision<T> {
        let question = Question { method, fields: serde_json::to_value(asked)? };
        let mut released = self.0.released.subscribe();
        let behaviour = {
            let mut state = self.state();
            state.questions.push(question);
            state.behaviour
        };
        self.0.asked.send_modify(|count| *count += 1);
        behaviour.act(&mut released).await?;
        Ok(decision(&self.state()))
    }
}

#[async_trait]
impl Responder for TestResponder {
    async fn answer_message(&self, event: &Event, _: &Message) -> Decision<AiProvider> {
        self.decide("answer_message", event, |state| state.message).await
    }

    async fn assign_agent(&self, request: &Request, _: &AssignAgent) -> Decision<Assignment> {
        self.decide("assign_agent", request, |state| state.assignment.clone()).await
    }

    async fn invoke(&self, request: &Request, _: &Invocation) -> Decision<Invoked> {
        self.decide("invoke", request, |state| state.invoked.clone()).await
    }

    async fn contact_user(&self, request: &Request, _: &ContactUser) -> Decision<Contact> {
        self.decide("contact_user", request, |state| state.contact.clone()).await
    }

    async fn other(&self, request: &Request) -> Decision<Map<String, Value>> {
        self.decide("other", request, |state| state.other.clone()).await
    }
}
