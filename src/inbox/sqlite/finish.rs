//! What became of delivered events.

use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    millis,
    rows::{self, Stored, Table},
    sessions,
};
use crate::inbox::store::{Failure, Outcome};

/// What else there may be of an event, which is seldom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traces {
    /// Handlers record events as done in their own transactions.
    pub(super) receipts: bool,
    /// Events have crashes.
    pub(super) crashes: bool,
    /// The last claim.
    pub(super) epoch: i64,
}

/// How an outcome was recorded.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Events that their handler had recorded as done, although the outcome says something else of them.
    pub(super) done_before: Vec<i64>,
    /// How many have become dead letters.
    pub(super) buried: u64,
}

const DELETE: &str = "DELETE FROM event WHERE id = ?1";

/// Records what became of the events of a lane. `damaged`: those of them that are.
pub(super) fn record(
    file: &Connection,
    outcome: &Outcome,
    traces: Traces,
    damaged: &[Stored],
) -> rusqlite::Result<Recorded> {
    let damaged = |id: i64| damaged.iter().find(|row| row.id == id);
    let mut recorded = Recorded::default();
    // Of an event that was taken away meanwhile, as by an operator, nothing is kept.
    let mut gone = Vec::new();
    let mut delete = file.prepare_cached(DELETE)?;
    for id in &outcome.done {
        if let Some(row) = damaged(*id) {
            mark(file, row.id, traces)?;
            gone.push(*id);
            continue;
        }
        if outcome.archive || (traces.receipts && is_done(file, *id)? == Some(true)) {
            archive(file, *id)?;
        }
        if delete.execute([id])? > 0 {
            gone.push(*id);
        }
        forget_traces(file, *id, traces)?;
    }
    drop(delete);
    for Failure { id, attempts, error } in &outcome.dead {
        if let Some(row) = damaged(*id) {
            bury_damaged(file, row, *attempts, error, traces)?;
            recorded.buried += 1;
            gone.push(*id);
        } else if settle(file, *id, traces)? {
            recorded.done_before.push(*id);
        } else if bury(file, *id, *attempts, error, traces)? {
            recorded.buried += 1;
            gone.push(*id);
        }
    }
    let changes: Vec<_> = outcome.sessions.iter().filter(|change| gone.contains(&change.id)).collect();
    sessions::add(file, &changes)?;
    if let Some((Failure { id, attempts, error }, after)) = &outcome.retry {
        if settle(file, *id, traces)? {
            recorded.done_before.push(*id);
        } else {
            let now = SystemTime::now();
            let mut retry = file.prepare_cached(
                "UPDATE event SET attempts = ?2, error = ?3, retry_at = ?4, \
                 failing_since = coalesce(failing_since, ?5), fenced = ?6 WHERE id = ?1",
            )?;
            let fenced = outcome.claim.epoch;
            retry.execute(params![*id, attempts, error, millis(now + *after), millis(now), fenced])?;
        }
    }
    Ok(recorded)
}

/// Takes an event away that its handler has recorded as done. `false`: it has not.
pub(super) fn settle(file: &Connection, id: i64, traces: Traces) -> rusqlite::Result<bool> {
    let recorded = if traces.receipts { is_done(file, id)? } else { None };
    let Some(to_archive) = recorded else { return Ok(false) };
    if to_archive {
        archive(file, id)?;
    }
    take_away(file, id, traces)?;
    Ok(true)
}

/// Takes all of them away.
pub(super) fn settle_all(file: &Connection, traces: Traces) -> rusqlite::Result<()> {
    let ids: Vec<i64> = file
        .prepare("SELECT id FROM desk_done")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    ids.into_iter().try_for_each(|id| settle(file, id, traces).map(drop))
}

/// Whether its handler has recorded it as done, and whether it goes to the archive then.
pub(super) fn is_done(file: &Connection, id: i64) -> rusqlite::Result<Option<bool>> {
    let mut recorded = file.prepare_cached("SELECT archive FROM desk_done WHERE id = ?1")?;
    recorded.query_row([id], |row| row.get(0)).optional()
}

fn archive(file: &Connection, id: i64) -> rusqlite::Result<()> {
    let mut keep = file.prepare_cached(
        "INSERT OR REPLACE INTO archive (id, lane, stored, delivered, json) \
         SELECT id, lane, stored, ?2, json FROM event WHERE id = ?1",
    )?;
    keep.execute(params![id, millis(SystemTime::now())]).map(drop)
}

/// `false`: it is not there any more.
fn bury(file: &Connection, id: i64, attempts: u32, error: &str, traces: Traces) -> rusqlite::Result<bool> {
    let mut bury = file.prepare_cached(
        "INSERT INTO dead_letter (id, lane, stored, died, attempts, error, json) \
         SELECT id, lane, stored, ?2, ?3, ?4, json FROM event WHERE id = ?1",
    )?;
    let buried = bury.execute(params![id, millis(SystemTime::now()), attempts, error])?;
    take_away(file, id, traces)?;
    Ok(buried > 0)
}

fn bury_damaged(
    file: &Connection,
    row: &Stored,
    attempts: u32,
    error: &str,
    traces: Traces,
) -> rusqlite::Result<()> {
    let (stored, died) = (millis(row.stored), millis(SystemTime::now()));
    file.execute(
        "INSERT OR REPLACE INTO dead_letter (id, lane, stored, died, attempts, error, json) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![row.id, row.lane.0, stored, died, attempts, error, row.json],
    )?;
    mark(file, row.id, traces)
}

/// Deletes an event and all traces of it. `false`: it is not there any more.
pub(super) fn take_away(file: &Connection, id: i64, traces: Traces) -> rusqlite::Result<bool> {
    let deleted = file.prepare_cached(DELETE)?.execute([id])?;
    forget_traces(file, id, traces)?;
    Ok(deleted > 0)
}

/// Takes an event away whose row cannot be deleted.
pub(super) fn mark(file: &Connection, id: i64, traces: Traces) -> rusqlite::Result<()> {
    rows::mark(file, Table::Event, id)?;
    forget_traces(file, id, traces)
}

fn forget_traces(file: &Connection, id: i64, traces: Traces) -> rusqlite::Result<()> {
    if traces.crashes {
        file.prepare_cached("DELETE FROM crash WHERE id = ?1")?.execute([id])?;
    }
    if traces.receipts {
        file.prepare_cached("DELETE FROM desk_done WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}
