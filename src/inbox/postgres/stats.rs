//! Counts events. Triggers write a row of the table `tally` for each change, and the counts are their sums.

use tokio_postgres::Row;

use super::{connection::Connection, rows};
use crate::inbox::{InboxError, store::Stats};

/// Counts, sessions that are held, those of them whose first event has failed, the oldest event's age in seconds, whether
/// delivery is paused, and over how many rows the counts are spread.
const STATS: &str = "
    SELECT coalesce(sum(events), 0)::bigint, coalesce(sum(bytes), 0)::bigint, coalesce(sum(failed), 0)::bigint,
        coalesce(sum(dead), 0)::bigint,
        (SELECT count(*) FROM lane WHERE epoch IS NOT NULL AND due > now()),
        (SELECT count(*) FROM lane CROSS JOIN LATERAL (
            SELECT attempts FROM event WHERE event.lane = lane.lane ORDER BY id LIMIT 1
        ) AS first WHERE epoch IS NOT NULL AND due > now() AND attempts > 0),
        extract(epoch FROM now() - (SELECT stored FROM event ORDER BY id LIMIT 1))::double precision,
        EXISTS (SELECT FROM setting WHERE paused), count(*)
    FROM tally";

/// Makes one row of many.
const SUM_UP: &str = "
    WITH gone AS (
        DELETE FROM tally WHERE ctid = ANY (ARRAY (SELECT ctid FROM tally LIMIT 100000 FOR UPDATE SKIP LOCKED))
        RETURNING events, bytes, failed, dead
    )
    INSERT INTO tally SELECT sum(events), sum(bytes), sum(failed), sum(dead) FROM gone HAVING count(*) > 0";

/// With more rows than this, counting takes longer than making one row of them.
const MANY: i64 = 5000;

pub(super) async fn stats(connection: &Connection) -> Result<Stats, InboxError> {
    let counted = connection.run((STATS, &[])).await?;
    let row = counted.first().ok_or_else(|| InboxError::new("PostgreSQL has returned no counts"))?;
    let [open, bytes, failed, dead, running, running_again] =
        [0, 1, 2, 3, 4, 5].map(|column| number(row, column));
    if row.get::<_, i64>(8) > MANY {
        sum_up(connection).await?;
    }
    let retrying = failed.saturating_sub(running_again);
    Ok(Stats {
        waiting: open.saturating_sub(running + retrying),
        running,
        retrying,
        dead,
        bytes,
        oldest: rows::age(row, 6),
        paused: row.get(7),
    })
}

fn number(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or(0)
}

pub(super) async fn sum_up(connection: &Connection) -> Result<(), InboxError> {
    connection.run((SUM_UP, &[])).await?;
    Ok(())
}
