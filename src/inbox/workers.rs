//! The running delivery, and its end.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    Inbox,
    dispatcher::Settings,
    dispatching::dispatch,
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
    /// rest. It takes 2 seconds longer at most, also when the store hangs. Let the [`Webhook`](crate::Webhook) drain first.
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

/// How long those that were cancelled may take to give their lanes back, then to stop, and then the store to count what is
/// left.
const FAREWELL: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(500), Duration::from_secs(1)];

/// What each lane's task returns: when a retry is due.
pub(super) type Lanes = JoinSet<Option<Instant>>;

pub(super) fn start<H: Deliver>(inbox: &Inbox, worker: Arc<LaneWorker<H>>, settings: Settings) -> Workers {
    let (store, phase) = (Arc::clone(&worker.store), worker.phase.clone());
    let task = inbox.shared.runtime.spawn(async move {
        let leases = Leases::default();
        let store = Arc::clone(&worker.store);
        let working = async {
            if let Ok(stats) = store.stats().await {
                telemetry::log_start(&stats);
            }
            let lanes = dispatch(&worker, &leases, &settings).await;
            finish(&worker, lanes, settings.grace).await
        };
        tokio::select! {
            drained = working => drained,
            never = leases.keep(&*store, settings.lease) => match never {},
        }
    });
    Workers { store, phase, task }
}

async fn finish<H: Deliver>(worker: &LaneWorker<H>, mut lanes: Lanes, grace: Duration) -> Drained {
    let end = Instant::now().checked_add(grace);
    let all = async |lanes: &mut Lanes| while lanes.join_next().await.is_some() {};
    let in_time = match end {
        Some(end) => timeout_at(end, all(&mut lanes)).await.is_ok(),
        None => {
            all(&mut lanes).await;
            true
        }
    };
    if !in_time {
        worker.phase.send_replace(Phase::Cut);
        let _ = timeout(FAREWELL[0], all(&mut lanes)).await;
        lanes.abort_all();
        let _ = timeout(FAREWELL[1], all(&mut lanes)).await;
        // A handler that blocks its thread cannot be stopped.
        worker.interrupted.fetch_add(lanes.len() as u64, Ordering::Relaxed);
        lanes.detach_all();
    }
    let stats = timeout(FAREWELL[2], worker.store.stats()).await;
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
