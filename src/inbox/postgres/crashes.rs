//! Which events were being handled when a process ended.
//!
//! A claim that was not given back has ended with its process, and this is counted for the first event of its lane. It may have
//! been a later one, so the lane becomes careful: its events are then claimed one at a time. Nothing of this is written while all
//! goes well.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::inbox::store::{Claim, LaneKey};

/// What this process knows of its own claims.
#[derive(Debug)]
pub(super) struct Crashes {
    /// In the last ten bits of the epochs of its claims.
    process: i64,
    known: Mutex<Known>,
}

const LAST_BITS: i64 = 1023;

#[derive(Debug, Default)]
struct Known {
    /// The last claim of each lane that was not given back.
    claimed: HashMap<LaneKey, i64>,
    /// Claims of careful lanes.
    careful: HashSet<Claim>,
    /// Whose handlers are running.
    running: HashSet<Claim>,
    /// The claim that is marked in the store as the only one.
    alone: Option<Claim>,
    /// Claims whose handlers have ended, or are not to be blamed, and which were not given back yet.
    excused: HashSet<Claim>,
}

/// What is to be written before a handler starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Alone(Claim),
    NotAlone(Claim),
}

impl Crashes {
    pub(super) fn new() -> Self {
        Self { process: fastrand::i64(0..=LAST_BITS), known: Mutex::default() }
    }

    pub(super) fn process(&self) -> i64 {
        self.process
    }

    /// Whether a claim is of this process, which has not ended. (Or of one of very few others.)
    pub(super) fn is_own(&self, epoch: i64) -> bool {
        epoch & LAST_BITS == self.process
    }

    pub(super) fn claimed(&self, claim: Claim, is_careful: bool) {
        let mut known = self.lock();
        known.claimed.insert(claim.lane, claim.epoch);
        if is_careful {
            known.careful.insert(claim);
        }
    }

    pub(super) fn started(&self, claim: Claim) -> Mark {
        let mut known = self.lock();
        known.excused.remove(&claim);
        known.running.remove(&claim);
        let is_alone = known.running.is_empty();
        known.running.insert(claim);
        if is_alone && known.careful.contains(&claim) {
            known.alone = Some(claim);
            return Mark::Alone(claim);
        }
        known.alone.take().map_or(Mark::None, Mark::NotAlone)
    }

    pub(super) fn ended(&self, claim: Claim) {
        let mut known = self.lock();
        known.running.remove(&claim);
        if known.alone == Some(claim) {
            known.alone = None;
        }
        if known.claimed.get(&claim.lane) == Some(&claim.epoch) {
            known.excused.insert(claim);
        }
    }

    /// The claim was given back, or is another process's.
    pub(super) fn over(&self, claim: Claim) {
        let mut known = self.lock();
        if known.claimed.get(&claim.lane) == Some(&claim.epoch) {
            known.claimed.remove(&claim.lane);
        }
        known.careful.remove(&claim);
        known.excused.remove(&claim);
    }

    /// Claims that are not to be blamed for an end of this process.
    pub(super) fn excused(&self) -> Vec<Claim> {
        self.lock().excused.drain().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts an end of a process for the first event of each of these lanes, which are claimed now: once for a claim.
pub(super) const STRIKE: &str = "
    WITH ended AS MATERIALIZED (
        SELECT ended.lane, ended.blamed, ended.alone, state.head
        FROM unnest($1::bytea[], $2::bigint[], $3::boolean[]) AS ended (lane, blamed, alone)
        CROSS JOIN LATERAL (
            SELECT (SELECT id FROM event WHERE event.lane = lane.lane ORDER BY id LIMIT 1) AS head
            FROM lane WHERE lane.lane = ended.lane AND lane.blamed IS DISTINCT FROM ended.blamed OFFSET 0
        ) AS state
    ), struck AS (
        UPDATE event SET crashes = event.crashes + 1, alone = event.alone + ended.alone::integer
        FROM ended WHERE event.id = ended.head AND event.id = ANY (ARRAY (SELECT head FROM ended))
    )
    UPDATE lane SET careful = 16, blamed = ended.blamed, suspect_alone = ended.alone, suspect = head
    FROM ended WHERE lane.lane = ended.lane AND lane.lane = ANY (ARRAY (SELECT lane FROM ended))";

/// These claims were blamed, and their process is alive.
pub(super) const TAKE_BACK: &str = "
    WITH wrong AS MATERIALIZED (
        SELECT blamed.lane, blamed.suspect, blamed.suspect_alone
        FROM unnest($1::bytea[], $2::bigint[]) AS alive (lane, epoch)
        CROSS JOIN LATERAL (
            SELECT lane.lane, suspect, suspect_alone FROM lane
            WHERE lane.lane = alive.lane AND lane.blamed = alive.epoch AND suspect IS NOT NULL FOR UPDATE
        ) AS blamed
    ), cleared AS (
        UPDATE lane SET suspect = NULL WHERE lane = ANY (ARRAY (SELECT lane FROM wrong))
    )
    UPDATE event SET crashes = greatest(crashes - 1, 0), alone = greatest(alone - suspect_alone::integer, 0)
    FROM wrong WHERE event.id = suspect AND event.id = ANY (ARRAY (SELECT suspect FROM wrong))";

/// If the process ends now, that is not to be counted for these claims.
pub(super) const EXCUSE: &str = "
    UPDATE lane SET blamed = epoch, suspect = NULL WHERE lane = ANY (ARRAY (
        SELECT held.lane FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
        CROSS JOIN LATERAL (
            SELECT lane.lane FROM lane
            WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR NO KEY UPDATE SKIP LOCKED
        ) AS held
    ))";

pub(super) const MARK: &str = "UPDATE lane SET alone = $3 WHERE lane = $1 AND epoch = $2";
