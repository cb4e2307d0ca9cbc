//! Which events were being handled when a process ended.
//!
//! A claim that was not given back has ended with its process, and this is counted for the first event of its lane. It may have
//! been a later one, so the lane becomes careful: its events are then claimed one at a time. Nothing of this is written while all
//! goes well.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{columns::Claims, connection::Connection, failure::Failure};
use crate::inbox::{
    InboxError,
    store::{Claim, LaneKey},
};

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
    /// Claims whose handlers are running.
    running: HashSet<Claim>,
    /// The claim that is recorded as the only one whose handler is running.
    alone: Option<Claim>,
    /// Claims that were not given back yet, and whose events would not be to blame if the process ended now.
    exempt: HashSet<Claim>,
}

/// A claim that ended with its process.
pub(super) struct Ended {
    pub(super) lane: LaneKey,
    pub(super) epoch: i64,
    /// Whether nothing else was running.
    pub(super) alone: bool,
}

impl Crashes {
    pub(super) fn new() -> Self {
        Self { process: fastrand::i64(0..=LAST_BITS), known: Mutex::default() }
    }

    pub(super) fn process(&self) -> i64 {
        self.process
    }

    /// Whether a claim is of this process, which has not ended. One in 1,024 other processes has the same number.
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

    /// Returns a claim if it is to be recorded whether its handler is the only one that is running.
    fn started(&self, claim: Claim) -> Option<(Claim, bool)> {
        let mut known = self.lock();
        known.exempt.remove(&claim);
        known.running.remove(&claim);
        let is_alone = known.running.is_empty();
        known.running.insert(claim);
        if is_alone && known.careful.contains(&claim) {
            known.alone = Some(claim);
            return Some((claim, true));
        }
        known.alone.take().map(|before| (before, false))
    }

    pub(super) fn ended(&self, claim: Claim) {
        let mut known = self.lock();
        known.running.remove(&claim);
        if known.alone == Some(claim) {
            known.alone = None;
        }
        if known.claimed.get(&claim.lane) == Some(&claim.epoch) {
            known.exempt.insert(claim);
        }
    }

    /// The claim was given back, or another process has the lane.
    pub(super) fn over(&self, claim: Claim) {
        let mut known = self.lock();
        if known.claimed.get(&claim.lane) == Some(&claim.epoch) {
            known.claimed.remove(&claim.lane);
        }
        known.careful.remove(&claim);
        known.exempt.remove(&claim);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const RECORD_ALONE: &str = "UPDATE lane SET alone = $3 WHERE lane = $1 AND epoch = $2";

/// A handler is about to start.
pub(super) async fn record_start(
    connection: &Connection,
    crashes: &Crashes,
    claim: Claim,
) -> Result<(), InboxError> {
    if let Some((claim, alone)) = crashes.started(claim) {
        connection.run((RECORD_ALONE, &[&&claim.lane.0[..], &claim.epoch, &alone])).await?;
    }
    Ok(())
}

/// Counts an end of a process for the first event of each of these lanes, which are claimed now: once for a claim.
const COUNT: &str = "
    WITH ended AS MATERIALIZED (
        SELECT ended.lane, ended.blamed, ended.alone, state.head
        FROM unnest($1::bytea[], $2::bigint[], $3::boolean[]) AS ended (lane, blamed, alone)
        CROSS JOIN LATERAL (
            SELECT (SELECT id FROM event WHERE event.lane = lane.lane ORDER BY id LIMIT 1) AS head
            FROM lane WHERE lane.lane = ended.lane AND lane.blamed IS DISTINCT FROM ended.blamed OFFSET 0
        ) AS state
    ), counted AS (
        UPDATE event SET crashes = event.crashes + 1, alone = event.alone + ended.alone::integer
        FROM ended WHERE event.id = ended.head AND event.id = ANY (ARRAY (SELECT head FROM ended))
    )
    UPDATE lane SET careful = 16, blamed = ended.blamed, suspect_alone = ended.alone, suspect = head
    FROM ended WHERE lane.lane = ended.lane AND lane.lane = ANY (ARRAY (SELECT lane FROM ended))";

pub(super) async fn count(connection: &Connection, ended: &[Ended]) -> Result<(), Failure> {
    if ended.is_empty() {
        return Ok(());
    }
    let lanes: Vec<&[u8]> = ended.iter().map(|ended| &ended.lane.0[..]).collect();
    let epochs: Vec<i64> = ended.iter().map(|ended| ended.epoch).collect();
    let alone: Vec<bool> = ended.iter().map(|ended| ended.alone).collect();
    connection.run((COUNT, &[&lanes, &epochs, &alone])).await?;
    Ok(())
}

const TAKE_BACK: &str = "
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

/// Takes back what was counted for these claims: they were lost while their process was alive.
pub(super) async fn take_back(
    connection: &Connection,
    crashes: &Crashes,
    lost: &[Claim],
) -> Result<(), Failure> {
    if lost.is_empty() {
        return Ok(());
    }
    let columns = Claims::sorted(lost.iter().copied());
    connection.run((TAKE_BACK, &[&columns.lanes(), &columns.epochs])).await?;
    lost.iter().for_each(|claim| crashes.over(*claim));
    Ok(())
}

const EXEMPT: &str = "
    UPDATE lane SET blamed = epoch, suspect = NULL WHERE lane = ANY (ARRAY (
        SELECT held.lane FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
        CROSS JOIN LATERAL (
            SELECT lane.lane FROM lane
            WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR NO KEY UPDATE SKIP LOCKED
        ) AS held
    ))";

/// Records the claims whose events are not to blame if the process ends now.
pub(super) async fn exempt(connection: &Connection, crashes: &Crashes) -> Result<(), Failure> {
    let exempt: Vec<Claim> = crashes.lock().exempt.drain().collect();
    if exempt.is_empty() {
        return Ok(());
    }
    let columns = Claims::sorted(exempt);
    connection.run((EXEMPT, &[&columns.lanes(), &columns.epochs])).await?;
    Ok(())
}
