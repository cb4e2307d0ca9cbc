//! Forgets the keys of events that are done, when the duplicate horizon has passed.

use std::time::SystemTime;

use rusqlite::{Transaction, params};

use super::millis;

/// How many keys are looked at in one transaction.
const SOME: usize = 1000;

/// How far a pass has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    /// Every key up to this one was deleted, or belongs to an event that is there.
    deleted: i64,
    /// Every key up to this one was looked at.
    seen: i64,
}

/// Deletes what may be deleted of the next keys. Returns where to go on, if there may be more, and how many are gone.
///
/// Numbers ascend with the time of storing, so the keys behind the first young one are young, and are not read. A stamp in the
/// future says that the clock was wrong: such a key is as old as the next one with a stamp that can be right.
pub(super) fn some(
    file: &Transaction<'_>,
    from: Position,
    before: i64,
) -> rusqlite::Result<(Option<Position>, u64)> {
    let now = millis(SystemTime::now());
    let mut next = file.prepare_cached("SELECT id, stored FROM seen WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = next.query(params![from.seen, SOME as i64])?;
    let (mut to, mut count, mut is_young) = (from, 0, false);
    while let Some(row) = rows.next()? {
        let (id, stored): (i64, i64) = (row.get(0)?, row.get(1)?);
        if stored > before && stored <= now {
            is_young = true;
            break;
        }
        (to.seen, count) = (id, count + 1);
        if stored <= before {
            to.deleted = id;
        }
    }
    let deleted = file
        .prepare_cached(
            "DELETE FROM seen WHERE id > ?1 AND id <= ?2 \
             AND NOT EXISTS (SELECT 1 FROM event WHERE event.id = seen.id) \
             AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE dead_letter.id = seen.id)",
        )?
        .execute(params![from.deleted, to.deleted])?;
    Ok(((count == SOME && !is_young).then_some(to), deleted as u64))
}
