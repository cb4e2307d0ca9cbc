//! Stage 4 for requests whose answer counts: asks the responder, isolated, within the deadline.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{runtime::Handle, time::Instant};

use super::{
    refusal::Refusal,
    runtime::HandlerRuntime,
    settings::Settings,
    telemetry::{Accepted, Decided, Delivery},
    timer,
    verify::Trust,
};
use crate::{
    decision::{AssignAgent, Command, ContactUser, Invocation, Reply, Request},
    event::{Event, EventKind, ParseError, Sender, Stage},
    handler::HandlerError,
    isolate::{caught, isolated},
};

/// Decides `request`, or acknowledges it if there is no responder.
pub(super) async fn decide(
    question: Box<Question>,
    trust: Trust,
    settings: &Settings,
    delivery: &Delivery<'_>,
    arrived: Instant,
) -> Result<Accepted, Refusal> {
    let Question { request, command, is_event } = *question;
    let Some(responder) = settings.responder.clone() else {
        if is_event || command != Command::Other {
            delivery.record_ignored(command, &request.command);
        }
        return Ok(Accepted::Ignored);
    };
    if !trust.allows_decisions() {
        return Err(Refusal::UnsignedDecision);
    }
    let asked = Asked::read(command, &request)?;
    let decision = Deciding::start(settings, async move {
        Ok(match asked {
            Asked::AssignAgent(asked) => {
                responder.assign_agent(&request, &asked).await?.map(|answer| answer.reply())
            }
            Asked::Invoke(asked) => responder.invoke(&request, &asked).await?.map(|answer| answer.reply()),
            Asked::ContactUser(asked) => {
                responder.contact_user(&request, &asked).await?.map(|answer| answer.reply())
            }
            Asked::Other => responder.other(&request).await?.map(Reply::merged),
        })
    });
    let decided = decision.within_deadline(settings, arrived).await;
    let reply = delivery.record_decision(command.method(), decided);
    Ok(Accepted::Decided(reply.unwrap_or_else(|| settings.fallbacks.reply(command))))
}

/// The answer to a request for a decision that is too much, if there is a responder.
pub(super) fn overloaded(
    command: Option<&str>,
    trust: Trust,
    settings: &Settings,
    delivery: &Delivery<'_>,
) -> Option<Accepted> {
    let command = Command::named(command?);
    if command == Command::Other || settings.responder.is_none() || !trust.allows_decisions() {
        return None;
    }
    delivery.record_decision(command.method(), Decided::Overloaded);
    Some(Accepted::Decided(settings.fallbacks.reply(command)))
}

/// Starts the decision about who answers `event`, if it is a user's message to the bot and there is a responder.
pub(super) fn about_message(event: &Arc<Event>, trust: Trust, settings: &Settings) -> Option<Deciding> {
    let EventKind::Message(message) = &event.kind else { return None };
    let is_asked = message.sender == Sender::User && message.stage == Stage::ChatBot;
    let responder = settings.responder.as_ref().filter(|_| is_asked && trust.allows_decisions())?;
    let (responder, event) = (Arc::clone(responder), Arc::clone(event));
    Some(Deciding::start(settings, async move {
        let EventKind::Message(message) = &event.kind else { return Ok(None) };
        Ok(responder.answer_message(&event, message).await?.map(|provider| provider.reply()))
    }))
}

/// Dispatches the event and decides at the same time. If the event is not acknowledged, the decision is dropped.
pub(super) async fn beside_dispatch(
    decision: Deciding,
    dispatch: impl Future<Output = Result<Accepted, Refusal>>,
    settings: &Settings,
    delivery: &Delivery<'_>,
    arrived: Instant,
) -> Result<Accepted, Refusal> {
    let (mut dispatch, mut decision) = (pin!(dispatch), pin!(decision.within_deadline(settings, arrived)));
    let (mut accepted, mut decided) = (None, None);
    let both = poll_fn(|cx| {
        if accepted.is_none()
            && let Poll::Ready(result) = dispatch.as_mut().poll(cx)
        {
            accepted = Some(result?);
        }
        if decided.is_none()
            && let Poll::Ready(result) = decision.as_mut().poll(cx)
        {
            decided = Some(result);
        }
        if accepted.is_some() && decided.is_some() {
            Poll::Ready(Ok::<(), Refusal>(()))
        } else {
            Poll::Pending
        }
    });
    both.await?;
    let reply = decided.and_then(|decided| delivery.record_decision("answer_message", decided));
    Ok(Accepted::Decided(reply.unwrap_or_else(|| settings.fallbacks.message_reply())))
}

/// A request with another command than that of session events.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) command: Command,
    /// Whether the body has what every session event has.
    pub(super) is_event: bool,
}

enum Asked {
    AssignAgent(AssignAgent),
    Invoke(Invocation),
    ContactUser(ContactUser),
    Other,
}

impl Asked {
    fn read(command: Command, request: &Request) -> Result<Self, ParseError> {
        Ok(match command {
            Command::AssignAgent => Self::AssignAgent(request.read()?),
            Command::Invoke => Self::Invoke(request.read()?),
            Command::ContactUser => Self::ContactUser(request.read()?),
            Command::Other => Self::Other,
        })
    }
}

type Reached = Result<Option<Reply>, HandlerError>;

/// A decision that is being made. Its panics are errors, also while it is dropped.
pub(super) struct Deciding {
    decision: Option<Pin<Box<dyn Future<Output = Reached> + Send>>>,
    runtime: Option<Handle>,
}

impl Deciding {
    fn start(settings: &Settings, decision: impl Future<Output = Reached> + Send + 'static) -> Self {
        let runtime = settings.runtime.as_ref().and_then(HandlerRuntime::handle).cloned();
        Self { decision: Some(Box::pin(decision)), runtime }
    }

    async fn within_deadline(self, settings: &Settings, arrived: Instant) -> Decided {
        let left = settings.deadline.saturating_sub(arrived.elapsed());
        match timer::within(left, self).await {
            // A decision that blocked its thread comes too late as well.
            Ok(Some(_)) if arrived.elapsed() >= settings.deadline => Decided::Late,
            Ok(Some(Ok(reply))) => Decided::Made(reply),
            Ok(Some(Err(error))) => Decided::Failed(error),
            Ok(None) | Err(_) => Decided::Late,
        }
    }
}

impl Future for Deciding {
    type Output = Reached;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { decision, runtime } = &mut *self;
        let Some(decision) = decision else { return Poll::Pending };
        // Its timers and sockets belong to the runtime on which handlers continue.
        let _entered = runtime.as_ref().map(Handle::enter);
        caught(|| decision.as_mut().poll(cx))
            .unwrap_or_else(|panic| Poll::Ready(Err(HandlerError::panicked(panic))))
    }
}

impl Drop for Deciding {
    fn drop(&mut self) {
        let decision = self.decision.take();
        isolated(|| {
            let _entered = self.runtime.as_ref().map(Handle::enter);
            drop(decision);
        });
    }
}
