//! Stage 4: from the event to the handler. Isolated: neither its caller nor its panic takes anything else down.
//!
//! The handler's future is polled once where it stands. One that is ready then, as most are, costs no task; any other is
//! handed to the runtime, where it runs to its end whether somebody still waits for it or not.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use tokio::{runtime::Handle, time::Instant};

use super::{Settings, Shared, timer};
use crate::{
    error::Refusal,
    event::Event,
    handler::{AtDeadline, EventHandler, HandlerError, HandlerResult},
    report,
};

/// Ends with the handler's answer, or at the deadline.
pub(super) async fn dispatch<H: EventHandler>(
    event: Event,
    shared: &Arc<Shared<H>>,
    settings: &Settings,
    arrived: Instant,
) -> Result<(), Refusal> {
    let call = Call::new(event, shared, settings.max_in_flight).ok_or(Refusal::Overloaded)?;
    let mut run = Box::pin(call.run());
    let runtime = settings.runtime.clone().or_else(|| Handle::try_current().ok());
    let first = poll_fn(|cx| {
        // The handler's timers and sockets have to belong to the runtime on which it will go on.
        let _entered = runtime.as_ref().map(Handle::enter);
        Poll::Ready(run.as_mut().poll(cx))
    });
    // Between the first poll and `spawn` nothing is awaited: a caller who hangs up there would cancel the handler.
    match first.await {
        Poll::Ready(call) => call.hear(),
        Poll::Pending => {
            let task = runtime.ok_or(Refusal::NoRuntime)?.spawn(run);
            let left = settings.deadline.saturating_sub(arrived.elapsed());
            match timer::within(left, settings.runtime.as_ref(), task).await? {
                Some(Ok(call)) => call.hear(),
                Some(Err(_)) => Err(Refusal::Interrupted),
                None => at_deadline(&shared.handler),
            }
        }
    }
}

fn at_deadline(handler: &impl EventHandler) -> Result<(), Refusal> {
    match catch_unwind(AssertUnwindSafe(|| handler.at_deadline())) {
        Ok(AtDeadline::Acknowledge) => Ok(()),
        Ok(AtDeadline::Refuse) | Err(_) => Err(Refusal::DeadlinePassed),
    }
}

/// One event in its handler's hands. Whoever drops it unheard thereby reports how it ended, so exactly one does.
struct Call<H: EventHandler> {
    event: Event,
    shared: Arc<Shared<H>>,
    progress: Progress,
}

enum Progress {
    Running,
    Ended(HandlerResult),
    Heard,
}

impl<H: EventHandler> Call<H> {
    fn new(event: Event, shared: &Arc<Shared<H>>, max_in_flight: usize) -> Option<Self> {
        let entered = shared.in_flight.enter(max_in_flight);
        entered.then(|| Self { event, shared: Arc::clone(shared), progress: Progress::Running })
    }

    async fn run(mut self) -> Self {
        let result = {
            let mut handling = pin!(async { self.shared.handler.on_event(&self.event).await });
            poll_fn(|cx| {
                catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx)))
                    .unwrap_or_else(|panic| Poll::Ready(Err(HandlerError::panicked(panic))))
            })
            .await
        };
        self.progress = Progress::Ended(result);
        self
    }

    /// Tells the caller, who still waits.
    fn hear(mut self) -> Result<(), Refusal> {
        let Progress::Ended(Err(error)) = std::mem::replace(&mut self.progress, Progress::Heard) else {
            return Ok(());
        };
        let refusal = if error.is_unavailable() { Refusal::Unavailable } else { Refusal::HandlerFailed };
        // What the user's error does while it is shown or dropped is the user's code, too.
        let _ = catch_unwind(AssertUnwindSafe(|| report::failed(&self.event, &error, refusal)));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(error)));
        Err(refusal)
    }
}

impl<H: EventHandler> Drop for Call<H> {
    fn drop(&mut self) {
        let _ =
            catch_unwind(AssertUnwindSafe(|| match std::mem::replace(&mut self.progress, Progress::Heard) {
                Progress::Running => report::lost(&self.event),
                Progress::Ended(Err(error)) => {
                    report::failed_late(&self.event, &error);
                    self.shared.handler.on_late_failure(&self.event, &error);
                }
                Progress::Ended(Ok(())) | Progress::Heard => {}
            }));
        // Last, so that a drained webhook has reported everything.
        self.shared.in_flight.leave();
    }
}
