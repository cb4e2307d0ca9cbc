//! Stage 4 for requests whose answer counts: asks the responder, isolated, within the deadline.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{runtime::Handle, time::Instant};

use super::{
    dispatch::Slot,
    parse::{self, DecisionRequest},
    query::Query,
    refusal::Refusal,
    response::{Accepted, Acknowledged},
    runtime::HandlerRuntime,
    settings::Settings,
    telemetry::{self, DecisionOutcome, Delivery},
    timer,
    verify::Trust,
};
use crate::{
    decision::{AssignAgent, ContactUser, Invocation, Method, Reply, Request},
    event::{Event, EventKind, ParseError, Sender, Stage},
    handler::HandlerError,
    isolate::{caught, isolated},
};

/// Decides `asked`, or acknowledges it if there is no responder.
pub(super) async fn decide(
    asked: Box<DecisionRequest>,
    trust: Trust,
    settings: &Settings,
    delivery: &Delivery<'_>,
    arrived: Instant,
) -> Result<Accepted, Refusal> {
    let DecisionRequest { request, method, is_event } = *asked;
    let Some(responder) = settings.responder.clone() else {
        delivery.record_ignored(method, is_event, &request.command);
        return Ok(Acknowledged::Ignored.into());
    };
    if !trust.allows_decisions() {
        return Err(Refusal::UnsignedDecision);
    }
    let typed = Typed::read(method, &request)?;
    let request = Arc::new(request);
    let asked = Arc::clone(&request);
    let decision = Deciding::start(method, settings, async move {
        Ok(match typed {
            Typed::AssignAgent(assign) => {
                responder.assign_agent(&asked, &assign).await?.map(|answer| answer.reply())
            }
            Typed::Invoke(invocation) => {
                responder.invoke(&asked, &invocation).await?.map(|answer| answer.reply())
            }
            Typed::ContactUser(contact) => {
                responder.contact_user(&asked, &contact).await?.map(|answer| answer.reply())
            }
            Typed::Other => responder.other(&asked).await?.map(Reply::merged),
        })
    });
    let decided = decision.within_deadline(settings, arrived).await;
    if method == Method::Other && matches!(decided, Decided::Made(None)) {
        delivery.record_ignored(method, is_event, &request.command);
    }
    Ok(decided.conclude(method, None, settings, delivery))
}

/// The answer to a request that is too much, if its query asks for a decision and there is a responder.
pub(super) fn overloaded(
    query: Query<'_>,
    trust: Trust,
    settings: &Settings,
    delivery: &Delivery<'_>,
) -> Option<Accepted> {
    let command = query.command.filter(|_| settings.responder.is_some() && trust.allows_decisions())?;
    let is_event = parse::is_ours(&command);
    (!is_event).then(|| Decided::Overloaded.conclude(Method::of_command(&command), None, settings, delivery))
}

/// Starts the decision about who answers `event`, if it is a user's message to the bot and there is a responder.
pub(super) fn about_message(event: &Arc<Event>, trust: Trust, settings: &Settings) -> Option<Deciding> {
    let responder = settings.responder.as_ref()?;
    let EventKind::Message(message) = &event.kind else { return None };
    if message.sender != Sender::User || message.stage != Stage::ChatBot || !trust.allows_decisions() {
        return None;
    }
    let (responder, event) = (Arc::clone(responder), Arc::clone(event));
    Some(Deciding::start(Method::AnswerMessage, settings, async move {
        let EventKind::Message(message) = &event.kind else { return Ok(None) };
        Ok(responder.answer_message(&event, message).await?.map(|provider| provider.reply()))
    }))
}

/// Dispatches the event and decides at the same time. If the event is not acknowledged, the decision is dropped.
pub(super) async fn beside_dispatch<H>(
    decision: Deciding,
    dispatch: impl Future<Output = Result<Acknowledged, Refusal>>,
    slot: Slot<H>,
    event: Arc<Event>,
    settings: &Settings,
    delivery: &Delivery<'_>,
    arrived: Instant,
) -> Result<Accepted, Refusal> {
    let _slot = slot;
    let (mut dispatch, mut decision) = (pin!(dispatch), pin!(decision.within_deadline(settings, arrived)));
    let (mut acknowledged, mut decided) = (None, None);
    let both = poll_fn(|cx| {
        if acknowledged.is_none()
            && let Poll::Ready(result) = dispatch.as_mut().poll(cx)
        {
            acknowledged = Some(result?);
        }
        if decided.is_none()
            && let Poll::Ready(result) = decision.as_mut().poll(cx)
        {
            decided = Some(result);
        }
        match (acknowledged, decided.is_some()) {
            (Some(acknowledged), true) => Poll::Ready(Ok::<_, Refusal>(acknowledged)),
            _ => Poll::Pending,
        }
    });
    let why = both.await?;
    let decided = decided.unwrap_or(Decided::Late);
    let accepted = decided.conclude(Method::AnswerMessage, Some(&event), settings, delivery);
    Ok(Accepted { why, ..accepted })
}

type Reached = Result<Option<Reply>, HandlerError>;

enum Typed {
    AssignAgent(AssignAgent),
    Invoke(Invocation),
    ContactUser(ContactUser),
    Other,
}

impl Typed {
    fn read(method: Method, request: &Request) -> Result<Self, ParseError> {
        Ok(match method {
            Method::AssignAgent => Self::AssignAgent(request.read()?),
            Method::Invoke => Self::Invoke(request.read()?),
            Method::ContactUser => Self::ContactUser(request.read()?),
            Method::AnswerMessage | Method::Other => Self::Other,
        })
    }
}

/// How a decision ended.
pub(super) enum Decided {
    Made(Option<Reply>),
    /// With the text of its error.
    Failed(String),
    Late,
    Overloaded,
}

impl Decided {
    /// Reports it and returns the answer, which is the fallback if no decision was made.
    fn conclude(
        self,
        method: Method,
        event: Option<&Event>,
        settings: &Settings,
        delivery: &Delivery<'_>,
    ) -> Accepted {
        let (outcome, why) = match &self {
            Self::Made(Some(_)) => (DecisionOutcome::Made, ""),
            Self::Made(None) => (DecisionOutcome::None, ""),
            Self::Failed(error) => (DecisionOutcome::Failed, &**error),
            Self::Late => (DecisionOutcome::Late, "it was not made within the deadline"),
            Self::Overloaded => (DecisionOutcome::Overloaded, "too many requests are in flight"),
        };
        delivery.record_decision(method, outcome, event, why);
        let reply = match self {
            Self::Made(reply) => reply.unwrap_or_else(Reply::acknowledgement),
            Self::Failed(_) | Self::Late | Self::Overloaded => settings.fallbacks.reply(method),
        };
        Accepted { why: Acknowledged::Decided, reply: Some(Box::new(reply)) }
    }
}

/// A decision that is being made. Its panics are errors, also while it is dropped.
pub(super) struct Deciding {
    method: Method,
    decision: Option<Pin<Box<dyn Future<Output = Reached> + Send>>>,
    runtime: Option<Handle>,
    has_ended: bool,
}

impl Deciding {
    fn start(
        method: Method,
        settings: &Settings,
        decision: impl Future<Output = Reached> + Send + 'static,
    ) -> Self {
        let runtime = settings.runtime.as_ref().and_then(HandlerRuntime::handle).cloned();
        Self { method, decision: Some(Box::pin(decision)), runtime, has_ended: false }
    }

    async fn within_deadline(mut self, settings: &Settings, arrived: Instant) -> Decided {
        let left = settings.deadline.saturating_sub(arrived.elapsed());
        let decided = timer::within(left, &mut self).await;
        self.has_ended = true;
        match decided {
            // A decision that blocked its thread comes too late as well.
            Ok(Some(decided)) if arrived.elapsed() < settings.deadline => decided,
            Ok(_) | Err(_) => Decided::Late,
        }
    }
}

impl Future for Deciding {
    type Output = Decided;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Decided> {
        let Self { decision, runtime, .. } = &mut *self;
        let Some(decision) = decision else { return Poll::Pending };
        // Its timers and sockets belong to the runtime on which handlers continue.
        let _entered = runtime.as_ref().map(Handle::enter);
        let result = caught(|| decision.as_mut().poll(cx))
            .unwrap_or_else(|panic| Poll::Ready(Err(HandlerError::panicked(panic))));
        result.map(|result| match result {
            Ok(reply) => Decided::Made(reply),
            Err(error) => {
                let text =
                    isolated(|| format!("{error:#}")).unwrap_or_else(|| "its text panicked".to_owned());
                isolated(|| drop(error));
                Decided::Failed(text)
            }
        })
    }
}

impl Drop for Deciding {
    fn drop(&mut self) {
        let decision = self.decision.take();
        isolated(|| {
            let _entered = self.runtime.as_ref().map(Handle::enter);
            drop(decision);
        });
        if !self.has_ended {
            telemetry::record_dropped_decision(self.method);
        }
    }
}
