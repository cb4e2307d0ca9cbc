//! The running delivery, and its end.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Inbox,
    backoff::YEAR,
    dispatching::{Lanes, Settings, dispatch},
    lane::{LaneWorker, Phase},
    lease::Leases,
    store::Store,
    telemetry,
};
use crate::handler::Deliver;

/// The running delivery. It goes on if this is dropped.
#[must_use = "`drain` it before the program ends"]
pub struct Workers {
    store: Arc<dyn Store>,
    phase: watch::Sender<Phase>,
    task: JoinHandle<Drained>,
}

/// What became of the events when a delivery was drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Handlers that were running, and ended within the grace.
    pub finished: u64,
    /// Handlers that were cancelled after it. Their events are delivered again, by the next start or another worker.
    pub interrupted: u64,
    /// Events that are left for the next start or other workers, the interrupted ones included. `None`: the store did not
    /// answer.
    pub left: Option<u64>,
}

impl Workers {
    /// Begins no further event, waits for the handlers that run, up to the [grace](super::Dispatcher::grace), and leaves the
    /// rest. It takes at most half a second longer, also when the store hangs. Let the [`Webhook`](crate::Webhook) drain first.
    pub async fn drain(self) -> Drained {
        self.phase.send_if_modified(|phase| {
            let running = *phase == Phase::Running;
            if running {
                *phase = Phase::Stopping;
            }
            running
        });
        // It fails only when the runtime has ended, and then nothing is left to be drained.
        self.task.await.unwrap_or_default()
    }

    /// Waits until the store has no event that is neither delivered nor dead. For tests: other processes and
    /// [retries](super::Dispatcher::retry_for) can make it wait for long, and a [pause](Inbox::pause) until it is over.
    pub async fn idle(&self) {
        while !self.store.stats().await.is_ok_and(|stats| stats.oldest.is_none()) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// How long after the grace the last step may end: handlers that were cancelled give their lanes back, what does not is given
/// up, and the store counts what is left.
const FAREWELL: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(250), Duration::from_millis(400)];

/// How long the store may take to count when handlers have ended before the grace has.
const COUNTING: Duration = Duration::from_secs(1);

pub(super) fn start<H: Deliver>(inbox: &Inbox, worker: Arc<LaneWorker<H>>, settings: Settings) -> Workers {
    let (store, phase) = (Arc::clone(&worker.store), worker.phase.clone());
    let task = inbox.shared.runtime.spawn(async move {
        let leases = Leases::default();
        let store = Arc::clone(&worker.store);
        let working = async {
            report(&worker).await;
            let (lanes, stopped) = tokio::join!(dispatch(&worker, &leases, &settings), stopped(&worker));
            finish(&worker, lanes, stopped.checked_add(settings.grace)).await
        };
        tokio::select! {
            drained = working => drained,
            never = leases.keep(&*store, settings.lease) => match never {},
        }
    });
    Workers { store, phase, task }
}

/// Logs what waits, unless the delivery stops before the store has answered.
async fn report<H: Deliver>(worker: &LaneWorker<H>) {
    tokio::select! {
        stats = worker.store.stats() => {
            if let Ok(stats) = stats {
                telemetry::log_start(&stats);
            }
        }
        _ = stopped(worker) => {}
    }
}

/// Returns when the delivery was stopped.
async fn stopped<H: Deliver>(worker: &LaneWorker<H>) -> Instant {
    // It fails when the sender is gone, and `worker` has it.
    let _ = worker.phase.subscribe().wait_for(|phase| *phase > Phase::Running).await;
    Instant::now()
}

/// Handlers that run may go on until `end`.
async fn finish<H: Deliver>(worker: &LaneWorker<H>, mut lanes: Lanes, end: Option<Instant>) -> Drained {
    let never = || Instant::now() + YEAR;
    let end = end.unwrap_or_else(never);
    let all = async |lanes: &mut Lanes| while lanes.join_next().await.is_some() {};
    if timeout_at(end, all(&mut lanes)).await.is_err() {
        worker.phase.send_replace(Phase::Cut);
        let _ = timeout_at(end + FAREWELL[0], all(&mut lanes)).await;
        lanes.abort_all();
        let _ = timeout_at(end + FAREWELL[1], all(&mut lanes)).await;
        // A handler that blocks its thread cannot be stopped.
        worker.interrupted.fetch_add(lanes.len() as u64, Ordering::Relaxed);
        lanes.detach_all();
    }
    let counted_by = (end + FAREWELL[2]).min(Instant::now() + COUNTING);
    let stats = timeout_at(counted_by, worker.store.stats()).await;
    Drained {
        finished: worker.finished.load(Ordering::Relaxed),
        interrupted: worker.interrupted.load(Ordering::Relaxed),
        left: stats.ok().and_then(Result::ok).map(|stats| stats.waiting + stats.retrying + stats.running),
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("phase", &*self.phase.borrow()).finish_non_exhaustive()
    }
}
