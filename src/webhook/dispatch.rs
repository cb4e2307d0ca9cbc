//! Stage 4: runs the handler, isolated from its caller: a panic is an error of its event alone.
//!
//! The handler's future is polled once in place. If it is ready then, as most are, it costs no task. If not, it moves to the
//! runtime and runs to its end, even when the caller has disconnected.

use std::{future::poll_fn, sync::Arc, task::Poll};

use tokio::{runtime::Handle, time::Instant};

use super::{
    Shared,
    refusal::Refusal,
    response::Acknowledged,
    runtime::HandlerRuntime,
    settings::Settings,
    telemetry::{self, Delivery, Handling},
    timer,
};
use crate::{
    event::Event,
    handler::{AtDeadline, Deliver, HandlerError, attempt},
    isolate::isolated,
};

/// Returns when the handler has ended, or at the deadline.
pub(super) async fn dispatch<H: Deliver>(
    event: Arc<Event>,
    slot: Slot<H>,
    settings: &Settings,
    delivery: &Delivery<'_>,
    arrived: Instant,
) -> Result<Acknowledged, Refusal> {
    let shared = Arc::clone(&slot.shared);
    let runtime = settings.runtime.as_ref().and_then(HandlerRuntime::handle).cloned();
    let runtime = runtime.or_else(|| Handle::try_current().ok());
    let handling = delivery.handling();
    let mut run = Box::pin(Run::new(Arc::clone(&event), slot, runtime.clone(), handling).run());
    let first = poll_fn(|cx| {
        // The handler's timers and sockets have to belong to the runtime on which it will continue.
        let _entered = runtime.as_ref().map(Handle::enter);
        Poll::Ready(match run.as_mut().poll(cx) {
            Poll::Ready(run) => Some(run.into_result()),
            Poll::Pending => None,
        })
    });
    // Nothing is awaited between the first poll and `spawn`: a caller that disconnects there would cancel the handler.
    if let Some(result) = first.await {
        return result;
    }
    let Some(runtime) = &runtime else {
        isolated(|| drop(run));
        return Err(Refusal::NoRuntime);
    };
    let task = runtime.spawn(delivery.carry(run));
    let left = settings.deadline.saturating_sub(arrived.elapsed());
    match timer::within(left, task).await? {
        Some(Ok(run)) => run.into_result(),
        Some(Err(_)) => Err(Refusal::Interrupted),
        None => at_deadline(&shared.handler, settings, &event),
    }
}

fn at_deadline(handler: &impl Deliver, settings: &Settings, event: &Event) -> Result<Acknowledged, Refusal> {
    match (handler.at_deadline(), settings.at_deadline) {
        (AtDeadline::Acknowledge, AtDeadline::Acknowledge) => Ok(Acknowledged::Unfinished),
        (AtDeadline::Refuse, _) | (_, AtDeadline::Refuse) => {
            telemetry::log_missed_deadline(event, Refusal::DeadlinePassed);
            Err(Refusal::DeadlinePassed)
        }
    }
}

/// The run of a handler. Dropped before [`into_result`](Self::into_result), it reports a failure itself, so that each failure is
/// reported once.
struct Run<H: Deliver> {
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

impl<H: Deliver> Run<H> {
    fn new(event: Arc<Event>, slot: Slot<H>, runtime: Option<Handle>, handling: Handling) -> Self {
        let shared = Arc::clone(&slot.shared);
        Self { event, shared, runtime, handling, progress: Progress::Running, slot: Some(slot) }
    }

    async fn run(mut self) -> Self {
        let result = attempt(&self.shared.handler, &self.event).await;
        self.handling.record_end(&self.event, &result);
        self.progress = match result {
            Ok(()) => {
                // Nothing is left to report, even if the caller takes long to ask.
                self.slot = None;
                Progress::Settled
            }
            Err(error) => Progress::Failed(error),
        };
        self
    }

    /// Ends it for a caller that still waits.
    fn into_result(mut self) -> Result<Acknowledged, Refusal> {
        let Progress::Failed(error) = std::mem::replace(&mut self.progress, Progress::Settled) else {
            return Ok(Acknowledged::Handled);
        };
        let refusal = if error.is_unavailable() { Refusal::Unavailable } else { Refusal::HandlerFailed };
        telemetry::log_failure(&self.event, &error, refusal);
        isolated(|| drop(error));
        Err(refusal)
    }
}

impl<H: Deliver> Drop for Run<H> {
    fn drop(&mut self) {
        let progress = std::mem::replace(&mut self.progress, Progress::Settled);
        if let Progress::Settled = progress {
            return;
        }
        // It fails where a thread is ending.
        let _entered = self.runtime.as_ref().and_then(|runtime| isolated(|| runtime.enter()));
        self.handling.within(|| match progress {
            Progress::Running => telemetry::log_lost(&self.event),
            Progress::Failed(error) => {
                telemetry::log_late_failure(&self.event, &error);
                isolated(|| self.shared.handler.late_failure(&self.event, &error));
                isolated(|| drop(error));
            }
            Progress::Settled => {}
        });
    }
}

/// One of the requests that may be read or handled at once.
pub(super) struct Slot<H> {
    shared: Arc<Shared<H>>,
    /// What its [parts](Self::split) have in common. The last of them gives the slot back.
    parts: Option<Arc<()>>,
}

impl<H> Slot<H> {
    pub(super) fn take(shared: &Arc<Shared<H>>) -> Option<Self> {
        let entered = shared.in_flight.enter();
        entered.then(|| {
            telemetry::record_entered();
            Self { shared: Arc::clone(shared), parts: None }
        })
    }

    /// Splits it into two, for parts of a request that end on their own.
    pub(super) fn split(mut self) -> (Self, Self) {
        let parts = Arc::clone(self.parts.get_or_insert_default());
        let other = Self { shared: Arc::clone(&self.shared), parts: Some(parts) };
        (self, other)
    }
}

impl<H> Drop for Slot<H> {
    fn drop(&mut self) {
        let is_last = self.parts.take().is_none_or(|parts| Arc::into_inner(parts).is_some());
        if is_last {
            telemetry::record_left();
            self.shared.in_flight.leave();
        }
    }
}
