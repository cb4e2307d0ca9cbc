//! Claims lanes while there is room for more, and gives each to a task of its own.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    InboxError, RECONNECT,
    lane::{LaneWorker, Phase},
    lease::Leases,
    outage::Outage,
    retry::Policy,
    store::Lane,
};
use crate::handler::Deliver;

/// What the [`Dispatcher`](super::Dispatcher) was set to.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) policy: Policy,
    pub(super) sessions: usize,
    pub(super) lease: Duration,
    pub(super) grace: Duration,
}

/// A task for each lane. It returns when a retry is due.
pub(super) type Lanes = JoinSet<Option<Instant>>;

/// How often the store is asked at least: for what other processes have left.
const POLL: Duration = Duration::from_secs(1);

/// How long a claim that is under way is waited for when the delivery stops.
const LAST_CLAIM: Duration = Duration::from_millis(200);

/// Delivers until the delivery is to stop, and returns the lanes that still run.
pub(super) async fn dispatch<H: Deliver>(
    worker: &Arc<LaneWorker<H>>,
    leases: &Leases,
    settings: &Settings,
) -> Lanes {
    let mut phase = worker.phase.subscribe();
    let mut lanes = Lanes::new();
    let mut retries = BTreeSet::new();
    let mut outage = Outage::default();
    while *phase.borrow() == Phase::Running {
        let room = settings.sessions.saturating_sub(lanes.len());
        let mut pause = POLL;
        if room > 0 {
            let until = Instant::now() + settings.lease;
            match claim(worker, room, settings.lease).await {
                Ok(claimed) => {
                    outage.end();
                    spawn(worker, leases, &mut lanes, claimed, until).await;
                }
                Err(error) => {
                    outage.record("no event can be delivered", &error);
                    pause = RECONNECT.delay(outage.count());
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
            () = worker.store.changed(), if !full && outage.count() == 0 => {}
            () = sleep_until(look_again), if !full => {}
        }
        let now = Instant::now();
        retries.retain(|due| *due > now);
    }
    lanes
}

/// A claim that is dropped half-way may have taken lanes, which would then be held for a whole lease.
async fn claim<H: Deliver>(
    worker: &LaneWorker<H>,
    room: usize,
    lease: Duration,
) -> Result<Vec<Lane>, InboxError> {
    let mut claiming = worker.store.claim(room, lease);
    let mut phase = worker.phase.subscribe();
    tokio::select! {
        biased;
        claimed = &mut claiming => return claimed,
        _ = phase.wait_for(|phase| *phase > Phase::Running) => {}
    }
    timeout(LAST_CLAIM, claiming).await.unwrap_or_else(|_| Ok(Vec::new()))
}

/// Lanes whose first event may have crashed a process go first, one after another; the others wait for them in
/// [`Isolation`](super::isolation::Isolation).
async fn spawn<H: Deliver>(
    worker: &Arc<LaneWorker<H>>,
    leases: &Leases,
    lanes: &mut Lanes,
    claimed: Vec<Lane>,
    until: Instant,
) {
    let crashes = |lane: &Lane| lane.events.first().map_or(0, |event| event.crashes);
    let is_suspect = |lane: &Lane| lane.events.first().is_some_and(|event| worker.policy.is_suspect(event));
    let held = claimed.into_iter().map(|lane| (leases.hold(lane.claim, until), lane));
    let (mut suspects, others): (Vec<_>, Vec<_>) = held.partition(|(_, lane)| is_suspect(lane));
    suspects.sort_by_key(|(_, lane)| Reverse(crashes(lane)));
    for (held, lane) in suspects {
        let is_running = *worker.phase.borrow() == Phase::Running;
        let turn = if is_running { worker.isolation.alone().await } else { None };
        lanes.spawn(Arc::clone(worker).deliver(lane, held, turn));
    }
    for (held, lane) in others {
        lanes.spawn(Arc::clone(worker).deliver(lane, held, None));
    }
}
