//! Deletes what is too old.

use std::time::Duration;

use super::connection::Connection;
use crate::inbox::InboxError;

/// Of the next few thousand keys, deletes those that are old and whose events are neither waiting nor dead. Returns the last old
/// one, whether there may be more behind it, and how many are gone. Ids ascend with time, so young keys are never looked at.
const FORGET: &str = "
    WITH next AS MATERIALIZED (
        SELECT id, stored <= now() - make_interval(secs => $1) AS old FROM seen WHERE id > $2 ORDER BY id LIMIT 5000
    ), gone AS (
        DELETE FROM seen WHERE id = ANY (ARRAY (SELECT id FROM next WHERE old))
            AND NOT EXISTS (SELECT FROM event WHERE event.id = seen.id OFFSET 0)
            AND NOT EXISTS (SELECT FROM dead_letter WHERE dead_letter.id = seen.id OFFSET 0)
        RETURNING id
    )
    SELECT max(id) FILTER (WHERE old), count(*) FILTER (WHERE old) = 5000, (SELECT count(*) FROM gone) FROM next";

pub(super) const DEAD_LETTERS: &str = "
    DELETE FROM dead_letter WHERE id = ANY (ARRAY (
        SELECT id FROM dead_letter WHERE died <= now() - make_interval(secs => $1) LIMIT 1000
    ))
    RETURNING id";

pub(super) const ARCHIVE: &str = "
    DELETE FROM archive WHERE id = ANY (ARRAY (
        SELECT id FROM archive WHERE delivered <= now() - make_interval(secs => $1) LIMIT 1000
    ))
    RETURNING id";

pub(super) async fn forget_keys(connection: &Connection, age: Duration) -> Result<u64, InboxError> {
    let (mut after, mut forgotten) = (0_i64, 0);
    loop {
        let rows = connection.run((FORGET, &[&seconds(age), &after])).await?;
        let Some(row) = rows.first() else { return Ok(forgotten) };
        forgotten += row.get::<_, i64>(2).unsigned_abs();
        match row.get(0) {
            Some(last) if row.get(1) => after = last,
            _ => return Ok(forgotten),
        }
    }
}

/// Executes [`DEAD_LETTERS`] or [`ARCHIVE`] until nothing is left to delete.
pub(super) async fn delete_older(
    connection: &Connection,
    statement: &'static str,
    age: Duration,
) -> Result<u64, InboxError> {
    let mut deleted = 0;
    loop {
        let some = connection.run((statement, &[&seconds(age)])).await?.len() as u64;
        deleted += some;
        if some == 0 {
            return Ok(deleted);
        }
    }
}

/// At most about 30 years, so that the server can subtract it from its time.
fn seconds(age: Duration) -> f64 {
    age.as_secs_f64().min(1e9)
}
