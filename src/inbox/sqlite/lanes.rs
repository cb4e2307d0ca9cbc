//! Which lanes have waiting events. Only this process delivers them, so it is kept in memory, and read from the file once.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use super::{
    crashes::Suspects,
    queue::{Entry, Queue, Totals},
};
use crate::inbox::store::{CLAIM_BYTES, Claim, LaneKey, Outcome};

#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<LaneKey, Lane>,
    /// Lanes by when they may be claimed next: at once, when a retry is due, or when a lease ends.
    due: BTreeSet<(Instant, i64, LaneKey)>,
    /// Numbers what is due at the same instant, and claims.
    count: i64,
    /// Claims of a later run have higher numbers.
    run: i64,
    totals: Totals,
    pub(super) suspects: Suspects,
    pub(super) paused: bool,
}

#[derive(Debug)]
struct Lane {
    queue: Queue,
    /// When its first event may be tried, and when the lease ends while it is held.
    due: (Instant, i64),
    epoch: Option<i64>,
}

/// A lane that was claimed, with its first events.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) claim: Claim,
    pub(super) ids: Vec<i64>,
    /// The claim whose lease has run out.
    pub(super) expired: Option<i64>,
}

/// Claims of one run. The numbers of the runs are above; `upgrade-2.sql` knows how far.
const RUN: i64 = 1 << 40;

impl Lanes {
    pub(super) fn of_run(run: i64) -> Self {
        Self { run: run.saturating_mul(RUN), ..Self::default() }
    }

    /// An event behind all others of its lane.
    pub(super) fn add(&mut self, key: LaneKey, entry: Entry, now: Instant) {
        if !self.change(key, |lane| lane.queue.push(entry)) {
            self.insert(key, entry, now);
        }
    }

    /// An event that belongs before some that came later.
    pub(super) fn add_in_place(&mut self, key: LaneKey, entry: Entry, now: Instant) {
        let mut is_first = false;
        let is_there = self.change(key, |lane| {
            lane.queue.push_in_place(entry);
            is_first = lane.queue.first() == Some(entry.id);
        });
        if !is_there {
            self.insert(key, entry, now);
        } else if is_first {
            self.first_has_changed(key, now);
        }
    }

    /// Events that are not there any more.
    pub(super) fn remove(&mut self, key: LaneKey, ids: &[i64], now: Instant) {
        ids.iter().for_each(|id| self.suspects.clear(*id));
        let mut was_first = false;
        self.change(key, |lane| {
            was_first = lane.queue.first().is_some_and(|first| ids.contains(&first));
            ids.iter().for_each(|id| lane.queue.remove(*id));
        });
        if was_first {
            self.first_has_changed(key, now);
        }
    }

    /// The lane is due when its first event is. While it is held, that can wait.
    fn first_has_changed(&mut self, key: LaneKey, now: Instant) {
        let Some(lane) = self.lanes.get(&key).filter(|lane| lane.epoch.is_none()) else { return };
        match lane.queue.first() {
            Some(first) => self.reschedule(key, lane.queue.retry_of(first).unwrap_or(now).max(now)),
            None => self.discard(key),
        }
    }

    fn insert(&mut self, key: LaneKey, entry: Entry, now: Instant) {
        self.count += 1;
        let due = (now, self.count);
        self.due.insert((due.0, due.1, key));
        let mut lane = Lane { queue: Queue::default(), due, epoch: None };
        lane.queue.push(entry);
        self.totals.add(lane.share());
        self.lanes.insert(key, lane);
    }

    fn discard(&mut self, key: LaneKey) {
        if let Some(lane) = self.lanes.remove(&key) {
            self.due.remove(&(lane.due.0, lane.due.1, key));
            self.totals.take(lane.share());
        }
    }

    /// Lanes with events that wait for their retries, and these events.
    pub(super) fn retrying(&self) -> Vec<(LaneKey, Vec<i64>)> {
        let waits = |lane: &&Lane| lane.share().retrying > 0;
        let lanes = self.lanes.iter().filter(|(_, lane)| waits(lane));
        lanes.map(|(key, lane)| (*key, lane.queue.retrying().collect())).collect()
    }

    /// Lets events that have failed be tried again then.
    pub(super) fn retry(&mut self, key: LaneKey, ids: &[i64], at: Instant, now: Instant) {
        if self.change(key, |lane| ids.iter().for_each(|id| lane.queue.retry(*id, at))) {
            self.first_has_changed(key, now);
        }
    }

    fn reschedule(&mut self, key: LaneKey, at: Instant) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        self.due.remove(&(lane.due.0, lane.due.1, key));
        self.count += 1;
        lane.due = (at, self.count);
        self.due.insert((at, self.count, key));
    }

    /// Lanes that are due, the longest first, each with its first events, as far as a claim's bytes go.
    pub(super) fn claim(&mut self, limit: usize, now: Instant, lease: Duration) -> Vec<Claimed> {
        if self.paused || limit == 0 {
            return Vec::new();
        }
        let (mut due, mut claimed_bytes) = (Vec::new(), 0);
        for (.., key) in self.due.iter().take_while(|(at, ..)| *at <= now).take(limit) {
            let Some(lane) = self.lanes.get(key) else { continue };
            let (ids, bytes) = lane.queue.first_events(now);
            if !due.is_empty() && claimed_bytes + bytes > CLAIM_BYTES {
                break;
            }
            claimed_bytes += bytes;
            due.push((*key, ids));
        }
        due.into_iter().map(|(key, ids)| self.hold(key, ids, now + lease)).collect()
    }

    fn hold(&mut self, key: LaneKey, ids: Vec<i64>, until: Instant) -> Claimed {
        self.reschedule(key, until);
        let (epoch, mut expired) = (self.last_epoch(), None);
        self.change(key, |lane| expired = lane.epoch.replace(epoch));
        Claimed { claim: Claim { lane: key, epoch }, ids, expired }
    }

    pub(super) fn last_epoch(&self) -> i64 {
        self.run + self.count
    }

    /// Claims these before all others that are due: the dispatcher delivers their first events alone.
    pub(super) fn put_first(&mut self, keys: impl IntoIterator<Item = LaneKey>, now: Instant) {
        for (place, key) in (i64::MIN..).zip(keys) {
            if let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.due.0 <= now) {
                self.due.remove(&(lane.due.0, lane.due.1, key));
                lane.due = (now, place);
                self.due.insert((now, place, key));
            }
        }
    }

    pub(super) fn is_held(&self, claim: &Claim) -> bool {
        self.lanes.get(&claim.lane).is_some_and(|lane| lane.epoch == Some(claim.epoch))
    }

    /// Whether the claim holds the lane, and the event is there still.
    pub(super) fn holds(&self, claim: &Claim, id: i64) -> bool {
        let lane = self.lanes.get(&claim.lane).filter(|lane| lane.epoch == Some(claim.epoch));
        lane.is_some_and(|lane| lane.queue.has(id))
    }

    /// Whether a worker holds the lane now.
    pub(super) fn is_busy(&self, key: LaneKey, now: Instant) -> bool {
        self.lanes.get(&key).is_some_and(|lane| lane.epoch.is_some() && lane.due.0 > now)
    }

    pub(super) fn renew(&mut self, claim: &Claim, until: Instant) -> bool {
        let held = self.is_held(claim);
        if held {
            self.reschedule(claim.lane, until);
        }
        held
    }

    /// Gives a lane back that was claimed.
    pub(super) fn release(&mut self, claim: &Claim, now: Instant) {
        if !self.is_held(claim) {
            return;
        }
        self.change(claim.lane, |lane| lane.epoch = None);
        self.first_has_changed(claim.lane, now);
    }

    /// What an outcome of a held lane says, once it was written.
    pub(super) fn finish(&mut self, outcome: &Outcome, now: Instant) {
        outcome.done.iter().for_each(|id| self.suspects.clear(*id));
        outcome.dead.iter().for_each(|dead| self.suspects.clear(dead.id));
        self.change(outcome.claim.lane, |lane| {
            outcome.done.iter().for_each(|id| lane.queue.remove(*id));
            outcome.dead.iter().for_each(|dead| lane.queue.remove(dead.id));
            if let Some((failure, after)) = &outcome.retry {
                lane.queue.retry(failure.id, now + *after);
            }
        });
        if outcome.release {
            self.release(&outcome.claim, now);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Changes a lane, and the totals with it. `false`: there is no such lane.
    fn change(&mut self, key: LaneKey, change: impl FnOnce(&mut Lane)) -> bool {
        let Some(lane) = self.lanes.get_mut(&key) else { return false };
        self.totals.take(lane.share());
        change(lane);
        self.totals.add(lane.share());
        true
    }
}

impl Lane {
    /// What it adds to the totals.
    fn share(&self) -> Totals {
        // A lane that is held may have no event left.
        let running = self.queue.first().filter(|_| self.epoch.is_some());
        let running_again = running.is_some_and(|first| self.queue.retry_of(first).is_some());
        Totals {
            events: self.queue.len(),
            bytes: self.queue.bytes(),
            running: u64::from(running.is_some()),
            retrying: self.queue.retrying().len() as u64 - u64::from(running_again),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Entry, Lanes};
    use crate::inbox::store::LaneKey;

    /// Of 64 lanes with 16 events of 900 KiB each, which are 900 MiB.
    #[test]
    fn a_claim_brings_eight_megabytes_and_a_lane_one() {
        let (mut lanes, now, lease) = (Lanes::default(), Instant::now(), Duration::from_secs(10));
        for id in 0..64 * 16 {
            lanes.add(LaneKey([(id % 64) as u8; 16]), Entry { id, bytes: 900 << 10 }, now);
        }
        let ids = |lanes: &mut Lanes| -> Vec<Vec<i64>> {
            lanes.claim(64, now, lease).into_iter().map(|claimed| claimed.ids).collect()
        };
        assert_eq!(ids(&mut lanes), (0..9).map(|id| vec![id]).collect::<Vec<_>>());
        assert_eq!(ids(&mut lanes)[0], [9], "those that were left come next");

        // One that is larger than that comes alone.
        let mut lanes = Lanes::default();
        lanes.add(LaneKey([1; 16]), Entry { id: 1, bytes: 20 << 20 }, now);
        lanes.add(LaneKey([2; 16]), Entry { id: 2, bytes: 1 }, now);
        assert_eq!(ids(&mut lanes), [[1]]);
        assert_eq!(ids(&mut lanes), [[2]]);
    }

    #[test]
    fn totals_follow_every_change() {
        let (mut lanes, now, lease) = (Lanes::default(), Instant::now(), Duration::from_secs(10));
        let (one, two) = (LaneKey([1; 16]), LaneKey([2; 16]));
        for id in 1..=3 {
            lanes.add(one, Entry { id, bytes: 10 }, now);
        }
        lanes.add(two, Entry { id: 4, bytes: 5 }, now);
        lanes.retry(two, &[4], now + lease, now);
        let sums = |lanes: &Lanes| {
            let totals = lanes.totals();
            (totals.events, totals.bytes, totals.running, totals.retrying)
        };
        assert_eq!(sums(&lanes), (4, 35, 0, 1));
        let claim = lanes.claim(9, now, lease).remove(0).claim;
        assert_eq!(sums(&lanes), (4, 35, 1, 1));
        lanes.remove(one, &[2], now);
        lanes.remove(two, &[4], now);
        assert_eq!(sums(&lanes), (2, 20, 1, 0));
        assert!(lanes.holds(&claim, 1) && !lanes.holds(&claim, 2));
        lanes.remove(one, &[1, 3], now);
        assert_eq!(sums(&lanes), (0, 0, 0, 0));
        lanes.release(&claim, now);
        lanes.add_in_place(one, Entry { id: 3, bytes: 10 }, now);
        assert_eq!(sums(&lanes), (1, 10, 0, 0));
    }
}
