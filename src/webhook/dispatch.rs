//! Stage 4: from the event to the handler. Isolated: neither its caller nor its panic takes anything else down.
//!
//! The handler's future is polled once where it stands. One that is ready then, as most are, costs no task; any other is
//! handed to the runtime, where it runs to its end whether somebody still waits for it or not.

use std::{future::poll_fn, sync::Arc, task::Poll};

use tokio::{runtime::Handle, time::Instant};

use super::{Settings, Shared, home::Home, timer};
use crate::{
    error::Refusal,
    event::Event,
    handler::{AtDeadline, Deliver, HandlerError, attempt},
    isolate::isolated,
    telemetry::{self, Accepted, Delivery, Handling},
};

/// Ends with the handler's answer, or at the deadline.
pub(super) async fn dispatch<H: Deliver>(
    event: Arc<Event>,
    slot: Slot<H>,
    settings: &Settings,
    delivery: &Delivery,
    arrived: Instant,
) -> Result<Accepted, Refusal> {
    let shared = Arc::clone(&slot.0);
    let home = settings.home.as_ref().and_then(Home::runtime).cloned();
    let runtime = home.or_else(|| Handle::try_current().ok());
    let handling = delivery.handling();
    let mut run = Box::pin(Call::new(Arc::clone(&event), slot, runtime.clone(), handling).run());
    let first = poll_fn(|cx| {
        // The handler's timers and sockets have to belong to the runtime on which it will go on.
        let _entered = runtime.as_ref().map(Handle::enter);
        Poll::Ready(run.as_mut().poll(cx))
    });
    // Between the first poll and `spawn` nothing is awaited: a caller who hangs up there would cancel the handler.
    match first.await {
        Poll::Ready(call) => call.hear(),
        Poll::Pending => {
            let Some(runtime) = &runtime else {
                isolated(|| drop(run));
                return Err(Refusal::NoRuntime);
            };
            let task = runtime.spawn(delivery.carry(run));
            let left = settings.deadline.saturating_sub(arrived.elapsed());
            match timer::within(left, task).await? {
                Some(Ok(call)) => call.hear(),
                Some(Err(_)) => Err(Refusal::Interrupted),
                None => at_deadline(&shared.handler, settings, &event),
            }
        }
    }
}

fn at_deadline(handler: &impl Deliver, settings: &Settings, event: &Event) -> Result<Accepted, Refusal> {
    match (handler.at_deadline(), settings.at_deadline) {
        (AtDeadline::Acknowledge, AtDeadline::Acknowledge) => Ok(Accepted::Unfinished),
        (AtDeadline::Refuse, _) | (_, AtDeadline::Refuse) => {
            telemetry::late(event, Refusal::DeadlinePassed);
            Err(Refusal::DeadlinePassed)
        }
    }
}

/// One event in its handler's hands. Whoever drops it unheard thereby reports how it ended, so exactly one does.
struct Call<H: Deliver> {
    event: Arc<Event>,
    shared: Arc<Shared<H>>,
    runtime: Option<Handle>,
    handling: Handling,
    progress: Progress,
    /// Given back last, so that a drained webhook has reported everything.
    slot: Option<Slot<H>>,
}

enum Progress {
    Running,
    Failed(HandlerError),
    Settled,
}

impl<H: Deliver> Call<H> {
    fn new(event: Arc<Event>, slot: Slot<H>, runtime: Option<Handle>, handling: Handling) -> Self {
        let shared = Arc::clone(&slot.0);
        Self { event, shared, runtime, handling, progress: Progress::Running, slot: Some(slot) }
    }

    async fn run(mut self) -> Self {
        let result = attempt(&self.shared.handler, &self.event).await;
        self.handling.ended(&self.event, &result);
        self.progress = match result {
            Ok(()) => {
                // Nothing is left to be told, even if the caller takes long to ask.
                self.slot = None;
                Progress::Settled
            }
            Err(error) => Progress::Failed(error),
        };
        self
    }

    /// Tells the caller, who still waits.
    fn hear(mut self) -> Result<Accepted, Refusal> {
        let Progress::Failed(error) = std::mem::replace(&mut self.progress, Progress::Settled) else {
            return Ok(Accepted::Handled);
        };
        let refusal = if error.is_unavailable() { Refusal::Unavailable } else { Refusal::HandlerFailed };
        telemetry::failed(&self.event, &error, refusal);
        isolated(|| drop(error));
        Err(refusal)
    }
}

impl<H: Deliver> Drop for Call<H> {
    fn drop(&mut self) {
        let progress = std::mem::replace(&mut self.progress, Progress::Settled);
        if let Progress::Settled = progress {
            return;
        }
        // It fails where a thread is ending.
        let _entered = self.runtime.as_ref().and_then(|runtime| isolated(|| runtime.enter()));
        self.handling.within(|| match progress {
            Progress::Running => telemetry::lost(&self.event),
            Progress::Failed(error) => {
                telemetry::failed_late(&self.event, &error);
                isolated(|| self.shared.handler.late(&self.event, &error));
                isolated(|| drop(error));
            }
            Progress::Settled => {}
        });
    }
}

/// One of the requests that may be read or handled at once.
pub(super) struct Slot<H>(Arc<Shared<H>>);

impl<H> Slot<H> {
    pub(super) fn take(shared: &Arc<Shared<H>>, max_in_flight: usize) -> Option<Self> {
        let entered = shared.in_flight.enter(max_in_flight);
        entered.then(|| {
            telemetry::started();
            Self(Arc::clone(shared))
        })
    }
}

impl<H> Drop for Slot<H> {
    fn drop(&mut self) {
        telemetry::stopped();
        self.0.in_flight.leave();
    }
}
