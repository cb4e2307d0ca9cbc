//! What became of delivered events.

use std::time::SystemTime;

use rusqlite::{Connection, params};

use super::{
    millis,
    rows::{self, Table},
};
use crate::inbox::store::{Failure, Outcome};

/// How a row is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// As usual.
    Usual,
    /// A row may be damaged. It costs a savepoint for each.
    Damaged,
}

/// What else there may be of an event, which is seldom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traces {
    /// Handlers record events as done in their own transactions.
    pub(super) receipts: bool,
    /// Events have crashes.
    pub(super) crashes: bool,
    pub(super) care: Care,
}

/// How an outcome was recorded.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Events that their handler had recorded as done, although the outcome says something else of them.
    pub(super) done_before: Vec<i64>,
    /// How many have become dead letters.
    pub(super) buried: u64,
}

/// Records what became of the events of a lane.
pub(super) fn record(file: &Connection, outcome: &Outcome, traces: Traces) -> rusqlite::Result<Recorded> {
    let mut recorded = Recorded::default();
    for id in &outcome.done {
        let archive = outcome.archive || (traces.receipts && is_done(file, *id)? == Some(true));
        done(file, *id, archive, traces)?;
    }
    for Failure { id, attempts, error } in &outcome.dead {
        if settle(file, *id, traces)? {
            recorded.done_before.push(*id);
        } else if bury(file, *id, *attempts, error, traces)? {
            recorded.buried += 1;
        }
    }
    if let Some((Failure { id, attempts, error }, after)) = &outcome.retry {
        if settle(file, *id, traces)? {
            recorded.done_before.push(*id);
        } else {
            let now = SystemTime::now();
            let mut retry = file.prepare_cached(
                "UPDATE event SET attempts = ?2, error = ?3, retry_at = ?4, \
                 failing_since = coalesce(failing_since, ?5) WHERE id = ?1",
            )?;
            retry.execute(params![*id, attempts, error, millis(now + *after), millis(now)])?;
        }
    }
    Ok(recorded)
}

/// Takes an event away that its handler has recorded as done. `false`: it has not.
pub(super) fn settle(file: &Connection, id: i64, traces: Traces) -> rusqlite::Result<bool> {
    let archive = if traces.receipts { is_done(file, id)? } else { None };
    if let Some(archive) = archive {
        done(file, id, archive, traces)?;
    }
    Ok(archive.is_some())
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
    use rusqlite::OptionalExtension as _;

    let mut recorded = file.prepare_cached("SELECT archive FROM desk_done WHERE id = ?1")?;
    recorded.query_row([id], |row| row.get(0)).optional()
}

fn done(file: &Connection, id: i64, archive: bool, traces: Traces) -> rusqlite::Result<()> {
    if archive {
        let mut keep = file.prepare_cached(
            "INSERT OR REPLACE INTO archive (id, lane, stored, delivered, json) \
             SELECT id, lane, stored, ?2, json FROM event WHERE id = ?1",
        )?;
        keep.execute(params![id, millis(SystemTime::now())])?;
    }
    take_away(file, id, traces)
}

/// `false`: it is not there any more.
fn bury(file: &Connection, id: i64, attempts: u32, error: &str, traces: Traces) -> rusqlite::Result<bool> {
    let died = millis(SystemTime::now());
    let buried = match traces.care {
        Care::Usual => {
            let mut bury = file.prepare_cached(
                "INSERT INTO dead_letter (id, lane, stored, died, attempts, error, json) \
                 SELECT id, lane, stored, ?2, ?3, ?4, json FROM event WHERE id = ?1",
            )?;
            bury.execute(params![id, died, attempts, error])?
        }
        Care::Damaged => {
            let Some(row) = rows::read(file, Table::Event, id)? else { return Ok(false) };
            file.execute(
                "INSERT OR REPLACE INTO dead_letter (id, lane, stored, died, attempts, error, json) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![id, row.lane.0, millis(row.stored), died, attempts, error, row.json],
            )?
        }
    };
    take_away(file, id, traces)?;
    Ok(buried > 0)
}

/// Deletes an event and all traces of it. A row that cannot be deleted is marked instead.
pub(super) fn take_away(file: &Connection, id: i64, traces: Traces) -> rusqlite::Result<()> {
    let mut delete = file.prepare_cached("DELETE FROM event WHERE id = ?1")?;
    if traces.care == Care::Usual {
        delete.execute([id])?;
    } else {
        file.execute_batch("SAVEPOINT damaged")?;
        let deleted = delete.execute([id]);
        match deleted {
            Ok(_) => file.execute_batch("RELEASE damaged")?,
            Err(error) if rows::is_damaged(&error) => {
                file.execute_batch("ROLLBACK TO damaged")?;
                file.execute_batch("RELEASE damaged")?;
                file.execute("INSERT OR IGNORE INTO damaged (id) VALUES (?1)", [id])?;
            }
            Err(error) => return Err(error),
        }
    }
    if traces.crashes {
        file.prepare_cached("DELETE FROM crash WHERE id = ?1")?.execute([id])?;
    }
    if traces.receipts {
        file.prepare_cached("DELETE FROM desk_done WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}
