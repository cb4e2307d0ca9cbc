//! Which sessions have waiting events. Only this process delivers them, so it is kept in memory, and read from the file once.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::inbox::store::{Claim, EVENTS_AT_ONCE, LaneKey, Outcome};

#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<LaneKey, Lane>,
    /// Lanes by when they may be claimed next: at once, when a retry is due, or when a lease ends.
    due: BTreeSet<(Instant, i64, LaneKey)>,
    /// Numbers what is due at the same instant, and claims.
    count: i64,
}

#[derive(Debug)]
struct Lane {
    events: VecDeque<i64>,
    due: (Instant, i64),
    epoch: Option<i64>,
    retrying: bool,
}

impl Lanes {
    /// An event that was stored just now, after all others of its session.
    pub(super) fn add(&mut self, key: LaneKey, id: i64, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.events.push_back(id);
        } else {
            self.insert(key, VecDeque::from([id]), now);
        }
    }

    /// An event that belongs before some that came later.
    pub(super) fn add_in_place(&mut self, key: LaneKey, id: i64, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            let place = lane.events.partition_point(|other| *other < id);
            lane.events.insert(place, id);
            // If a later one waits for its retry, this one need not; that one's attempts are not forgotten.
            if place == 0 && lane.epoch.is_none() {
                lane.retrying = false;
                self.reschedule(key, now);
            }
        } else {
            self.insert(key, VecDeque::from([id]), now);
        }
    }

    fn insert(&mut self, key: LaneKey, events: VecDeque<i64>, now: Instant) {
        self.count += 1;
        let due = (now, self.count);
        self.due.insert((due.0, due.1, key));
        self.lanes.insert(key, Lane { events, due, epoch: None, retrying: false });
    }

    /// The lane's first event is to be tried again.
    pub(super) fn retry(&mut self, key: LaneKey, at: Instant) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.retrying = true;
            self.reschedule(key, at);
        }
    }

    fn reschedule(&mut self, key: LaneKey, at: Instant) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        self.due.remove(&(lane.due.0, lane.due.1, key));
        self.count += 1;
        lane.due = (at, self.count);
        self.due.insert((at, self.count, key));
    }

    /// Lanes that are due, the longest first, each with its first events.
    pub(super) fn claim(&mut self, limit: usize, now: Instant, lease: Duration) -> Vec<(Claim, Vec<i64>)> {
        let due: Vec<LaneKey> =
            self.due.iter().take_while(|(at, ..)| *at <= now).take(limit).map(|(.., key)| *key).collect();
        due.into_iter()
            .filter_map(|key| {
                self.reschedule(key, now + lease);
                let lane = self.lanes.get_mut(&key)?;
                lane.epoch = Some(self.count);
                let events = lane.events.iter().take(EVENTS_AT_ONCE).copied().collect();
                Some((Claim { lane: key, epoch: self.count }, events))
            })
            .collect()
    }

    pub(super) fn is_held(&self, claim: &Claim) -> bool {
        self.lanes.get(&claim.lane).is_some_and(|lane| lane.epoch == Some(claim.epoch))
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
        if self.is_held(claim) {
            if let Some(lane) = self.lanes.get_mut(&claim.lane) {
                lane.epoch = None;
            }
            self.reschedule(claim.lane, now);
        }
    }

    /// What an outcome of a held lane says, once it was written.
    pub(super) fn finish(&mut self, outcome: &Outcome, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&outcome.claim.lane) else { return };
        let ended = |id: &i64| outcome.done.contains(id) || outcome.dead.iter().any(|dead| dead.id == *id);
        let before = lane.events.len();
        // They are the first ones, but for an event that was queued again meanwhile.
        lane.events.retain(|id| !ended(id));
        if lane.events.len() < before {
            lane.retrying = false;
        }
        if !outcome.release {
            return;
        }
        if lane.events.is_empty() {
            self.due.remove(&(lane.due.0, lane.due.1, outcome.claim.lane));
            self.lanes.remove(&outcome.claim.lane);
            return;
        }
        lane.epoch = None;
        match &outcome.retry {
            Some((_, after)) => self.retry(outcome.claim.lane, now + *after),
            None => self.reschedule(outcome.claim.lane, now),
        }
    }

    /// Waiting, running and retrying.
    pub(super) fn counts(&self, now: Instant) -> (u64, u64, u64) {
        let (mut waiting, mut running, mut retrying) = (0_u64, 0, 0);
        // A lane that is held may have no event left.
        for lane in self.lanes.values().filter(|lane| !lane.events.is_empty()) {
            let first = if lane.epoch.is_some() && lane.due.0 > now {
                &mut running
            } else if lane.retrying {
                &mut retrying
            } else {
                &mut waiting
            };
            *first += 1;
            waiting += lane.events.len() as u64 - 1;
        }
        (waiting, running, retrying)
    }
}
