//! What operators do: always to some events at a time, so that neither acceptance nor delivery has to wait.

use super::{
    append::LOCK_LANES,
    connection::Connection,
    session::Step,
    table::{self, ARCHIVE, DEAD_LETTERS, EVENTS, Found, PAGE, Table},
};
use crate::inbox::{InboxError, store::Filter};

/// How many events are changed in one transaction.
const AT_ONCE: usize = 200;

const REQUEUE: &str = "
    WITH revived AS (DELETE FROM dead_letter WHERE id = ANY ($1::bigint[]) RETURNING id, lane, stored, json)
    INSERT INTO event (id, lane, stored, json) SELECT id, lane, stored, json FROM revived RETURNING id";

/// After [`REQUEUE`]: a worker that gave the lane back meanwhile did not see the event. A lane that waits for the retry of a
/// later event is due now.
const REOPEN: &str = "
    INSERT INTO lane (lane) SELECT DISTINCT lane FROM event WHERE id = ANY ($1::bigint[]) ORDER BY lane
    ON CONFLICT (lane) DO UPDATE SET due = CASE WHEN lane.epoch IS NULL THEN greatest(now(), (
        SELECT retry_at FROM event WHERE event.lane = excluded.lane ORDER BY id LIMIT 1
    )) ELSE lane.due END";

/// After [`LOCK_LANES`]: new ids, in the order of the old ones.
const REPLAY: &str = "
    WITH revived AS (DELETE FROM archive WHERE id = ANY ($1::bigint[]) RETURNING id, lane, stored, json)
    INSERT INTO event (id, lane, stored, json)
    SELECT nextval(pg_get_serial_sequence('seen', 'id')), lane, stored, json
    FROM (SELECT * FROM revived ORDER BY id) AS revived
    RETURNING id";

/// The next events that have failed, ordered by lane.
const FAILED: &str = "
    SELECT id, lane, stored, error, octet_length(json)::bigint, $2::bytea IS NULL OR position($2 IN json) > 0
    FROM (
        SELECT lane, id, stored, error, json FROM event WHERE attempts > 0 AND lane >= $1 AND (lane, id) > ($1, $4)
        ORDER BY lane, id LIMIT $3
    ) AS page
    ORDER BY lane, id";

/// Returns the lanes of the events that waited for their retries.
const END_WAIT: &str = "
    WITH due AS (UPDATE event SET retry_at = NULL WHERE id = ANY ($1::bigint[]) AND retry_at > now() RETURNING lane)
    SELECT DISTINCT lane FROM due";

/// After [`END_WAIT`]: a lane is due when its first event is.
const RESCHEDULE: &str = "
    UPDATE lane SET due = (
        SELECT greatest(retry_at, now()) FROM event WHERE event.lane = lane.lane ORDER BY id LIMIT 1
    )
    WHERE lane = ANY ($1::bytea[]) AND epoch IS NULL AND EXISTS (SELECT FROM event WHERE event.lane = lane.lane OFFSET 0)";

const PAUSE: &str = "UPDATE setting SET paused = $1";

#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Requeue,
    Delete,
    Replay,
}

/// Changes everything that matches and is there now, and returns how many events that were. What is replayed may come back at
/// the end of the archive while this goes on.
pub(super) async fn change_all(
    connection: &Connection,
    table: &Table,
    filter: &Filter,
    change: Change,
) -> Result<u64, InboxError> {
    let last = connection.run((table.last, &[])).await?;
    let last = last.first().and_then(|row| row.get::<_, Option<i64>>(0)).unwrap_or(0);
    let (mut after, mut changed) = (Some(0), 0);
    while let Some(id) = after.filter(|id| *id < last) {
        let (mut found, next) = table::page(connection, table, filter, id).await?;
        found.retain(|found| found.id <= last);
        for some in found.chunks(AT_ONCE) {
            let ids: Vec<i64> = some.iter().map(|found| found.id).collect();
            changed += match change {
                Change::Requeue => requeue(connection, &ids).await?,
                Change::Delete => delete(connection, table, &ids).await?,
                Change::Replay => replay(connection, some, &ids).await?,
            };
        }
        after = next;
    }
    Ok(changed)
}

pub(super) async fn requeue(connection: &Connection, ids: &[i64]) -> Result<u64, InboxError> {
    let steps: [Step<'_>; 2] = [(REQUEUE, &[&ids]), (REOPEN, &[&ids])];
    let rows = table::change(connection, &DEAD_LETTERS, ids, &steps).await?;
    Ok(rows.first().map_or(0, Vec::len) as u64)
}

async fn replay(connection: &Connection, found: &[Found], ids: &[i64]) -> Result<u64, InboxError> {
    let lanes: Vec<&[u8]> = found.iter().map(|found| &found.lane[..]).collect();
    let steps: [Step<'_>; 2] = [(LOCK_LANES, &[&lanes]), (REPLAY, &[&ids])];
    let rows = table::change(connection, &ARCHIVE, ids, &steps).await?;
    Ok(rows.last().map_or(0, Vec::len) as u64)
}

pub(super) async fn delete(connection: &Connection, table: &Table, ids: &[i64]) -> Result<u64, InboxError> {
    let rows = connection.change(&[(table.delete, &[&ids])]).await?;
    Ok(rows.first().map_or(0, Vec::len) as u64)
}

pub(super) async fn retry_now(connection: &Connection, filter: &Filter) -> Result<u64, InboxError> {
    let (mut after, mut count) = ((Vec::new(), 0_i64), 0);
    loop {
        let (lane, id) = &after;
        let rows = connection.run((FAILED, &[&&lane[..], &table::needle(filter), &PAGE, id])).await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = (last.get::<_, &[u8]>(1).to_vec(), last.get(0));
        let found = table::matching(connection, &EVENTS, filter, Found::all(&rows)).await?;
        for some in found.chunks(AT_ONCE) {
            let ids: Vec<i64> = some.iter().map(|found| found.id).collect();
            let lanes: Vec<&[u8]> = some.iter().map(|found| &found.lane[..]).collect();
            let steps: [Step<'_>; 3] =
                [(LOCK_LANES, &[&lanes]), (END_WAIT, &[&ids]), (RESCHEDULE, &[&lanes])];
            let rows = connection.change(&steps).await?;
            count += rows.get(1).map_or(0, Vec::len) as u64;
        }
    }
}

pub(super) async fn set_paused(connection: &Connection, paused: bool) -> Result<(), InboxError> {
    connection.change(&[(PAUSE, &[&paused])]).await?;
    Ok(())
}
