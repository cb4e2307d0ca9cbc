//! Changes to all events that match a filter, some at a time, so that neither acceptance nor delivery waits long.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rusqlite::{OptionalExtension as _, Transaction, params};
use tokio::time::sleep;

use super::{
    commit::Change,
    finish::{self, Traces},
    memory::Memory,
    owner::Owner,
    queue::Entry,
    rows::{self, Part, Stored, Table},
};
use crate::inbox::{
    InboxError,
    store::{Filter, LaneKey},
};

/// A lane, and an event of it that was added or taken away.
pub(super) type Moved = (LaneKey, Entry);

/// What is done to a row that matches. `None`: nothing was to be done.
pub(super) type Act = fn(&Transaction<'_>, &Stored, Traces) -> rusqlite::Result<Option<Moved>>;

/// How many rows are changed in one transaction.
const SOME: usize = 100;

/// Between two of them: senders whose events are being stored would otherwise wait for all of them.
const PAUSE: Duration = Duration::from_millis(20);

impl Owner {
    /// Does it to every row that is there now and matches, and returns to how many.
    pub(super) async fn sweep(
        &self,
        table: Table,
        filter: &Filter,
        change: Change,
        act: Act,
        publish: fn(&Memory, Vec<Moved>),
    ) -> Result<u64, InboxError> {
        let last = move |file: &Transaction<'_>| {
            file.query_row(&format!("SELECT max(id) FROM {}", table.name()), [], |row| row.get(0))
        };
        // What is added meanwhile is left alone: it may have been here before.
        let last: Option<i64> = self.thread.read(last).await?;
        let (mut next, mut count) = (last.map(|_| 0), 0);
        while let Some(after) = next.filter(|after| Some(*after) < last) {
            let filter = filter.clone();
            let part = move |file: &Transaction<'_>| rows::part(file, table, &filter, after, SOME);
            let Part { mut matching, next: then } = self.thread.read(part).await?;
            matching.retain(|row| Some(row.id) <= last);
            next = then;
            if matching.is_empty() {
                continue;
            }
            let (memory, traces) = (Arc::clone(&self.memory), self.memory.traces());
            let work = move |file: &Transaction<'_>| {
                let moved = matching.iter().filter_map(|row| act(file, row, traces).transpose());
                moved.collect::<rusqlite::Result<Vec<_>>>()
            };
            let publish = move |moved: Vec<Moved>| {
                let count = moved.len();
                publish(&memory, moved);
                count
            };
            count += self.thread.change(change, work, publish).await? as u64;
            sleep(PAUSE).await;
        }
        Ok(count)
    }
}

/// Makes a dead letter a waiting event again. `None`: its row is damaged, and there still.
pub(super) fn requeue(
    file: &Transaction<'_>,
    letter: &Stored,
    traces: Traces,
) -> rusqlite::Result<Option<Moved>> {
    if letter.damaged {
        return Ok(None);
    }
    let mut revive = file.prepare_cached(
        "INSERT INTO event (id, lane, stored, json, fenced) \
         SELECT id, lane, stored, json, ?2 FROM dead_letter \
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE id = ?1)",
    )?;
    if revive.execute([letter.id, traces.epoch])? == 0 {
        return Ok(None);
    }
    file.prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?.execute([letter.id])?;
    Ok(Some(moved(letter)))
}

/// Makes an archived event a waiting event again, with a new number, because it comes after all others of its lane.
pub(super) fn replay(
    file: &Transaction<'_>,
    archived: &Stored,
    _: Traces,
) -> rusqlite::Result<Option<Moved>> {
    if archived.damaged {
        return Ok(None);
    }
    let mut number =
        file.prepare_cached("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'seen' RETURNING seq")?;
    let Some(id) = number.query_row([], |row| row.get::<_, i64>(0)).optional()? else { return Ok(None) };
    let mut revive = file.prepare_cached(
        "INSERT INTO event (id, lane, stored, json) SELECT ?2, lane, stored, json FROM archive WHERE id = ?1",
    )?;
    if revive.execute(params![archived.id, id])? == 0 {
        return Ok(None);
    }
    delete(file, Table::Archive, archived)?;
    Ok(Some((archived.lane, Entry { id, bytes: archived.bytes })))
}

/// Deletes a waiting event.
pub(super) fn erase_event(
    file: &Transaction<'_>,
    event: &Stored,
    traces: Traces,
) -> rusqlite::Result<Option<Moved>> {
    if event.damaged {
        finish::mark(file, event.id, traces)?;
        return Ok(Some(moved(event)));
    }
    Ok(finish::take_away(file, event.id, traces)?.then(|| moved(event)))
}

/// Deletes a dead letter.
pub(super) fn erase_letter(
    file: &Transaction<'_>,
    letter: &Stored,
    _: Traces,
) -> rusqlite::Result<Option<Moved>> {
    Ok(delete(file, Table::DeadLetter, letter)?.then(|| moved(letter)))
}

/// Deletes an archived event.
pub(super) fn erase_archived(
    file: &Transaction<'_>,
    archived: &Stored,
    _: Traces,
) -> rusqlite::Result<Option<Moved>> {
    Ok(delete(file, Table::Archive, archived)?.then(|| moved(archived)))
}

/// Lets an event be tried again at once, also by the next process.
pub(super) fn retry_now(file: &Transaction<'_>, event: &Stored) -> rusqlite::Result<()> {
    let now = super::millis(SystemTime::now());
    file.prepare_cached("UPDATE event SET retry_at = ?2 WHERE id = ?1")?.execute([event.id, now]).map(drop)
}

/// How many of the rows that are looked at one by one are deleted in one transaction.
const FEW: usize = 20;

/// Deletes rows that became dead letters, or were delivered, before then, and returns how many.
pub(super) fn delete_old(
    file: &Transaction<'_>,
    table: Table,
    before: i64,
    limit: usize,
) -> rusqlite::Result<usize> {
    let (name, old) = (table.name(), old(table));
    let mut delete = file.prepare_cached(&format!("DELETE FROM {name} WHERE id IN ({old})"))?;
    delete.execute(params![before, limit as i64])
}

/// The next rows for [`delete_all`].
pub(super) fn read_old(file: &Transaction<'_>, table: Table, before: i64) -> rusqlite::Result<Vec<Stored>> {
    let mut ids = file.prepare(&old(table))?;
    let ids = ids.query_map(params![before, FEW as i64], |row| row.get::<_, i64>(0))?;
    let rows = ids.map(|id| rows::read(file, table, id?));
    rows.filter_map(Result::transpose).collect()
}

pub(super) fn delete_all(file: &Transaction<'_>, table: Table, old: &[Stored]) -> rusqlite::Result<usize> {
    let deleted = old.iter().map(|row| delete(file, table, row).map(usize::from));
    deleted.sum()
}

fn old(table: Table) -> String {
    let (name, time) = (table.name(), if table == Table::DeadLetter { "died" } else { "delivered" });
    format!(
        "SELECT id FROM {name} WHERE {time} <= ?1 AND NOT EXISTS \
         (SELECT 1 FROM damaged WHERE place = '{name}' AND damaged.id = {name}.id) ORDER BY {time} LIMIT ?2"
    )
}

/// `false`: it is not there any more.
fn delete(file: &Transaction<'_>, table: Table, row: &Stored) -> rusqlite::Result<bool> {
    if row.damaged {
        return rows::mark(file, table, row.id);
    }
    let mut delete = file.prepare_cached(&format!("DELETE FROM {} WHERE id = ?1", table.name()))?;
    delete.execute([row.id]).map(|deleted| deleted > 0)
}

fn moved(row: &Stored) -> Moved {
    (row.lane, Entry { id: row.id, bytes: row.bytes })
}
