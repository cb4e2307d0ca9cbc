//! Claims lanes while there is room for more, and hands each to a task of its own.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fmt,
    future::pending,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Inbox, RECONNECT,
    backoff::Backoff,
    lane::{Courier, Phase},
    lease::Leases,
    store::Store,
};
use crate::{
    handler::Deliver,
    telemetry::{self, Trouble},
};

/// Settings of a delivery that has not started. [`Inbox::deliver_to`] makes it.
#[must_use = "nothing is delivered before `start`"]
pub struct Dispatcher<H> {
    inbox: Inbox,
    handler: H,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Settings {
    attempts: u32,
    backoff: Backoff,
    sessions: usize,
    lease: Duration,
    grace: Duration,
}

impl<H: Deliver> Dispatcher<H> {
    pub(super) fn new(inbox: Inbox, handler: H) -> Self {
        let backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(60) };
        let settings = Settings {
            attempts: 10,
            backoff,
            sessions: 64,
            lease: Duration::from_secs(10),
            grace: Duration::from_secs(20),
        };
        Self { inbox, handler, settings }
    }

    /// After how many failed attempts an event becomes a dead letter; at least 1. Default: 10.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts.max(1);
        self
    }

    /// How long a failed event waits for its next attempt: about `base` at first, twice as long each time, up to `cap`.
    /// The waits are shortened at random, by up to a half. Default: 100 ms to 60 s.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.settings.backoff = Backoff { base, cap };
        self
    }

    /// How many sessions are delivered side by side; at least 1. Default: 64.
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.settings.sessions = sessions.max(1);
        self
    }

    /// How long a session stays with a worker that gives no sign of life; at least 1 s, at most a day. Default: 10 s. It is
    /// renewed three times in that time, however long a handler takes.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.clamp(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
        self
    }

    /// How long [`Workers::drain`] lets handlers run on. Default: 20 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Starts to deliver, on the runtime in which the inbox was made.
    pub fn start(self) -> Workers {
        let Self { inbox, handler, settings } = self;
        let phase = watch::Sender::new(Phase::Running);
        let courier = Courier {
            handler,
            attempts: settings.attempts,
            backoff: settings.backoff,
            outcomes: inbox.shared.outcomes.clone(),
            phase: phase.clone(),
            finished: AtomicU64::new(0),
            interrupted: AtomicU64::new(0),
        };
        let store = Arc::clone(&inbox.shared.store);
        let task = inbox.shared.runtime.spawn(run(store, Arc::new(courier), settings));
        Workers { phase, task }
    }
}

/// The running delivery. It goes on if this is dropped.
#[must_use = "`drain` it before the program ends"]
pub struct Workers {
    phase: watch::Sender<Phase>,
    task: JoinHandle<Drained>,
}

/// What became of the events when a delivery was drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Handlers that were running, and ended within the grace.
    pub finished: u64,
    /// Handlers that were cut off after it. Their events are delivered again, by the next start or another worker.
    pub interrupted: u64,
    /// Events that are left for the next start or other workers, the interrupted ones included. `None`: the store could
    /// not tell.
    pub left: Option<u64>,
}

impl Workers {
    /// Begins no further event, lets those that run end within the [grace](Dispatcher::grace), and leaves the rest.
    /// Let the [`Webhook`](crate::Webhook) drain first.
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
}

/// How often the store is asked at least: for what other processes have left.
const POLL: Duration = Duration::from_secs(1);

/// How often the store is counted, for feature `metrics`.
const WATCH: Duration = Duration::from_secs(10);

/// How long recording may take for those that were cut off.
const LAST_WORDS: Duration = Duration::from_secs(2);

async fn run<H: Deliver>(store: Arc<dyn Store>, courier: Arc<Courier<H>>, settings: Settings) -> Drained {
    let leases = Leases::default();
    let working = async {
        let lanes = deliver(&*store, &courier, &leases, &settings).await;
        drain(&*store, &courier, lanes, settings.grace).await
    };
    tokio::select! {
        drained = working => drained,
        never = leases.keep(&*store, settings.lease) => match never {},
        never = watch(&*store) => match never {},
    }
}

/// Keeps the numbers up to date that only the store knows.
async fn watch(store: &dyn Store) -> Infallible {
    loop {
        if cfg!(not(feature = "metrics")) {
            pending::<()>().await;
        }
        if let Ok(stats) = store.stats().await {
            telemetry::stands(&stats);
        }
        sleep(WATCH).await;
    }
}

type Lanes = JoinSet<Option<Instant>>;

/// Claims and delivers until it is to stop, and gives back the lanes that still run.
async fn deliver<H: Deliver>(
    store: &dyn Store,
    courier: &Arc<Courier<H>>,
    leases: &Leases,
    settings: &Settings,
) -> Lanes {
    let mut phase = courier.phase.subscribe();
    let mut lanes = Lanes::new();
    let mut retries = BTreeSet::new();
    let mut trouble = Trouble::default();
    while *phase.borrow() == Phase::Running {
        let room = settings.sessions.saturating_sub(lanes.len());
        let mut pause = POLL;
        if room > 0 {
            let until = Instant::now() + settings.lease;
            match store.claim(room, settings.lease).await {
                Ok(claimed) => {
                    trouble.over();
                    for lane in claimed {
                        let held = leases.hold(lane.claim, until);
                        lanes.spawn(Arc::clone(courier).deliver(lane, held));
                    }
                }
                Err(error) => {
                    trouble.is("no event can be delivered", &error);
                    pause = RECONNECT.delay(trouble.count());
                }
            }
        }
        let look_again =
            retries.first().copied().unwrap_or(Instant::now() + pause).min(Instant::now() + pause);
        let full = lanes.len() >= settings.sessions;
        tokio::select! {
            _ = phase.wait_for(|phase| *phase > Phase::Running) => {}
            Some(ended) = lanes.join_next() => {
                retries.extend(ended.ok().flatten());
                while let Some(ended) = lanes.try_join_next() {
                    retries.extend(ended.ok().flatten());
                }
            }
            () = store.changed(), if !full && trouble.count() == 0 => {}
            () = sleep_until(look_again), if !full => {}
        }
        let now = Instant::now();
        retries.retain(|due| *due > now);
    }
    lanes
}

async fn drain<H: Deliver>(
    store: &dyn Store,
    courier: &Courier<H>,
    mut lanes: Lanes,
    grace: Duration,
) -> Drained {
    let all = async |lanes: &mut Lanes| while lanes.join_next().await.is_some() {};
    if timeout(grace, all(&mut lanes)).await.is_err() {
        courier.phase.send_replace(Phase::Cut);
        let _ = timeout(LAST_WORDS, all(&mut lanes)).await;
        lanes.abort_all();
        let _ = timeout(LAST_WORDS, all(&mut lanes)).await;
        // A handler that blocks its thread cannot be stopped.
        courier.interrupted.fetch_add(lanes.len() as u64, Ordering::Relaxed);
        lanes.detach_all();
    }
    let stats = timeout(LAST_WORDS, store.stats()).await;
    Drained {
        finished: courier.finished.load(Ordering::Relaxed),
        interrupted: courier.interrupted.load(Ordering::Relaxed),
        left: stats.ok().and_then(Result::ok).map(|stats| stats.waiting + stats.retrying + stats.running),
    }
}

impl<H> fmt::Debug for Dispatcher<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("phase", &*self.phase.borrow()).finish_non_exhaustive()
    }
}
