//! What operators see and do: always some events at a time, so that neither acceptance nor delivery has to wait.

use std::time::{Duration, SystemTime};

use tokio_postgres::Row;

use super::{
    Postgres, age, count,
    link::{Ending, Step},
    seconds,
    sql::{LOCK_LANES, RESCHEDULE, STORE},
    text,
};
use crate::inbox::{
    InboxError,
    store::{Archived, CLAIM_BYTES, DeadLetter, Failure, Filter, Pending, Stats},
};

/// A table of events, and the statements that list it.
pub(super) struct Table {
    last: &'static str,
    /// The next few rows, without what they hold.
    page: &'static str,
    json: &'static str,
    details: &'static str,
    delete: &'static str,
}

/// How many rows of a table are looked at in one statement.
const PAGE: i64 = 1000;

/// How many are changed in one transaction.
const AT_ONCE: usize = 200;

pub(super) const EVENTS: Table = Table {
    last: "SELECT max(id) FROM event",
    page: "
        SELECT id, lane, stored, error, size, $2::bytea IS NULL OR position($2 IN json) > 0
        FROM (
            SELECT id, lane, stored, error, json, octet_length(json)::bigint AS size
            FROM event WHERE id > $1 ORDER BY id LIMIT $3
        ) AS page
        ORDER BY id",
    json: "SELECT id, json FROM event WHERE id = ANY ($1::bigint[])",
    details: "
        SELECT id, json, stored, attempts, crashes, error,
            CASE WHEN retry_at > now() OR NOT held THEN retry_at END, held
        FROM (
            SELECT event.*, coalesce(epoch IS NOT NULL AND due > now(), false) AS held
            FROM event LEFT JOIN lane USING (lane) WHERE id = ANY ($1::bigint[])
        ) AS event
        ORDER BY id",
    // What else waits in the lane need not wait for the retry of the one that is gone.
    delete: "
        WITH gone AS (DELETE FROM event WHERE id = ANY ($1::bigint[]) RETURNING id, lane),
        due AS (
            UPDATE lane SET due = greatest(now(), (
                SELECT retry_at FROM event WHERE event.lane = lane.lane AND id <> ALL ($1::bigint[]) ORDER BY id LIMIT 1
            ))
            WHERE lane = ANY (ARRAY (SELECT lane FROM gone)) AND epoch IS NULL
        )
        SELECT id FROM gone",
};

pub(super) const DEAD_LETTERS: Table = Table {
    last: "SELECT max(id) FROM dead_letter",
    page: "
        SELECT id, lane, stored, error, size, $2::bytea IS NULL OR position($2 IN json) > 0
        FROM (
            SELECT id, lane, stored, error, json, octet_length(json)::bigint AS size
            FROM dead_letter WHERE id > $1 ORDER BY id LIMIT $3
        ) AS page
        ORDER BY id",
    json: "SELECT id, json FROM dead_letter WHERE id = ANY ($1::bigint[])",
    details: "
        SELECT id, json, stored, attempts, error, died
        FROM dead_letter WHERE id = ANY ($1::bigint[]) ORDER BY id",
    delete: "DELETE FROM dead_letter WHERE id = ANY ($1::bigint[]) RETURNING id",
};

pub(super) const ARCHIVE: Table = Table {
    last: "SELECT max(id) FROM archive",
    page: "
        SELECT id, lane, stored, NULL::bytea, size, $2::bytea IS NULL OR position($2 IN json) > 0
        FROM (
            SELECT id, lane, stored, json, octet_length(json)::bigint AS size
            FROM archive WHERE id > $1 ORDER BY id LIMIT $3
        ) AS page
        ORDER BY id",
    json: "SELECT id, json FROM archive WHERE id = ANY ($1::bigint[])",
    details: "SELECT id, json, stored, delivered FROM archive WHERE id = ANY ($1::bigint[]) ORDER BY id",
    delete: "DELETE FROM archive WHERE id = ANY ($1::bigint[]) RETURNING id",
};

/// Counts, sessions that are held, those of them whose first event has failed, the oldest's age in seconds, whether it is
/// paused, and how many rows the counts are spread over.
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
const TIDY: &str = "
    WITH gone AS (
        DELETE FROM tally WHERE ctid = ANY (ARRAY (SELECT ctid FROM tally LIMIT 100000 FOR UPDATE SKIP LOCKED))
        RETURNING events, bytes, failed, dead
    )
    INSERT INTO tally SELECT sum(events), sum(bytes), sum(failed), sum(dead) FROM gone HAVING count(*) > 0";

/// So many rows are summed up quickly.
const MANY: i64 = 5000;

const REQUEUE: &str = "
    WITH revived AS (DELETE FROM dead_letter WHERE id = ANY ($1::bigint[]) RETURNING id, lane, stored, json)
    INSERT INTO event (id, lane, stored, json) SELECT id, lane, stored, json FROM revived RETURNING id";

/// After [`REQUEUE`]: a worker that gave the lane up meanwhile did not see the event. A lane that waits for the retry of a later
/// event is due now.
const REOPEN: &str = "
    INSERT INTO lane (lane) SELECT DISTINCT lane FROM event WHERE id = ANY ($1::bigint[]) ORDER BY lane
    ON CONFLICT (lane) DO UPDATE SET due = CASE WHEN lane.epoch IS NULL THEN greatest(now(), (
        SELECT retry_at FROM event WHERE event.lane = excluded.lane ORDER BY id LIMIT 1
    )) ELSE lane.due END";

/// After [`LOCK_LANES`]: new numbers, in the order of the old ones.
const REPLAY: &str = "
    WITH revived AS (DELETE FROM archive WHERE id = ANY ($1::bigint[]) RETURNING id, lane, stored, json)
    INSERT INTO event (id, lane, stored, json)
    SELECT nextval(pg_get_serial_sequence('seen', 'id')), lane, stored, json
    FROM (SELECT * FROM revived ORDER BY id) AS revived
    RETURNING id";

/// The next events that have failed, ordered by lane.
const FAILED: &str = "
    SELECT lane, id, stored, error, octet_length(json)::bigint, $2::bytea IS NULL OR position($2 IN json) > 0
    FROM (
        SELECT lane, id, stored, error, json FROM event WHERE attempts > 0 AND lane >= $1 AND (lane, id) > ($1, $4)
        ORDER BY lane, id LIMIT $3
    ) AS page
    ORDER BY lane, id";

const MAKE_DUE: &str = "
    WITH due AS (UPDATE event SET retry_at = NULL WHERE id = ANY ($1::bigint[]) AND retry_at > now() RETURNING lane)
    SELECT DISTINCT lane FROM due";

const PAUSE: &str = "UPDATE setting SET paused = $1";

pub(super) const PURGE: &str = "
    DELETE FROM dead_letter WHERE id = ANY (ARRAY (
        SELECT id FROM dead_letter WHERE died <= now() - make_interval(secs => $1) LIMIT 1000
    ))
    RETURNING id";

pub(super) const PURGE_ARCHIVE: &str = "
    DELETE FROM archive WHERE id = ANY (ARRAY (
        SELECT id FROM archive WHERE delivered <= now() - make_interval(secs => $1) LIMIT 1000
    ))
    RETURNING id";

/// What is done with many events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Requeue,
    Delete,
    Replay,
}

/// A row of a page that matches a filter, or may match it.
struct Found {
    id: i64,
    lane: Vec<u8>,
    stored: SystemTime,
    error: Option<String>,
    size: usize,
}

impl Postgres {
    pub(super) async fn count(&self) -> Result<Stats, InboxError> {
        let rows = self.operations.run((STATS, &[])).await?;
        let row = rows.first().ok_or_else(|| InboxError::new("PostgreSQL has counted nothing"))?;
        let number = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
        let (open, running) = (number(0), number(4));
        let retrying = number(2).saturating_sub(number(5));
        if row.get::<_, i64>(8) > MANY {
            self.tidy().await?;
        }
        Ok(Stats {
            waiting: open.saturating_sub(running + retrying),
            running,
            retrying,
            dead: number(3),
            bytes: number(1),
            oldest: row.get::<_, Option<f64>>(6).and_then(age),
            paused: row.get(7),
        })
    }

    pub(super) async fn tidy(&self) -> Result<(), InboxError> {
        self.operations.run((TIDY, &[])).await?;
        Ok(())
    }

    /// Stores an event that does not stay.
    pub(super) async fn try_to_store(&self) -> Result<(), InboxError> {
        let key: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        let (keys, no_request): ([&[u8]; 1], [Option<&[u8]>; 1]) = ([&key], [None]);
        let json: [&[u8]; 1] = [b"{}"];
        let steps: [Step<'_>; 2] =
            [(LOCK_LANES, &[&&keys[..]]), (STORE, &[&&keys[..], &&keys[..], &&no_request[..], &&json[..]])];
        self.operations.all(&steps, Ending::Rollback).await?;
        Ok(())
    }

    pub(super) async fn pause(&self, paused: bool) -> Result<(), InboxError> {
        self.operations.change(&[(PAUSE, &[&paused])]).await?;
        Ok(())
    }

    pub(super) async fn purge_some(&self, statement: &'static str, age: Duration) -> Result<u64, InboxError> {
        let mut purged = 0;
        loop {
            let deleted = self.operations.run((statement, &[&seconds(age)])).await?.len() as u64;
            purged += deleted;
            if deleted == 0 {
                return Ok(purged);
            }
        }
    }

    pub(super) async fn revive(&self, ids: &[i64]) -> Result<u64, InboxError> {
        let rows = self.operations.change(&[(REQUEUE, &[&ids]), (REOPEN, &[&ids])]).await?;
        Ok(rows.first().map_or(0, Vec::len) as u64)
    }

    pub(super) async fn store_again(&self, ids: &[i64], lanes: &[&[u8]]) -> Result<u64, InboxError> {
        let rows = self.operations.change(&[(LOCK_LANES, &[&lanes]), (REPLAY, &[&ids])]).await?;
        Ok(rows.last().map_or(0, Vec::len) as u64)
    }

    pub(super) async fn delete(&self, table: &Table, ids: &[i64]) -> Result<u64, InboxError> {
        let rows = self.operations.change(&[(table.delete, &[&ids])]).await?;
        Ok(rows.first().map_or(0, Vec::len) as u64)
    }

    pub(super) async fn make_due(&self, filter: &Filter) -> Result<u64, InboxError> {
        let (mut after, mut count) = ((Vec::new(), 0_i64), 0);
        loop {
            let (lane, id) = &after;
            let rows = self.operations.run((FAILED, &[&&lane[..], &needle(filter), &PAGE, id])).await?;
            let Some(last) = rows.last() else { return Ok(count) };
            after = (last.get::<_, &[u8]>(0).to_vec(), last.get(1));
            let found = rows.iter().filter(|row| row.get(5)).map(|row| Found {
                id: row.get(1),
                lane: row.get::<_, &[u8]>(0).to_vec(),
                stored: row.get(2),
                error: row.get::<_, Option<&[u8]>>(3).map(|_| text(row, 3)),
                size: usize::try_from(row.get::<_, i64>(4)).unwrap_or(0),
            });
            let found = self.matching(&EVENTS, filter, found.collect()).await?;
            for some in found.chunks(AT_ONCE) {
                let ids: Vec<i64> = some.iter().map(|found| found.id).collect();
                let lanes: Vec<&[u8]> = some.iter().map(|found| &found.lane[..]).collect();
                let steps: [Step<'_>; 3] =
                    [(LOCK_LANES, &[&lanes]), (MAKE_DUE, &[&ids]), (RESCHEDULE, &[&lanes])];
                let rows = self.operations.change(&steps).await?;
                count += rows.get(1).map_or(0, Vec::len) as u64;
            }
        }
    }

    /// Changes all that match and are there now, some at a time, and returns how many. What is replayed may come back at the
    /// end of the archive while this goes on.
    pub(super) async fn change_all(
        &self,
        table: &Table,
        filter: &Filter,
        change: Change,
    ) -> Result<u64, InboxError> {
        let last = self.operations.run((table.last, &[])).await?;
        let last = last.first().and_then(|row| row.get::<_, Option<i64>>(0)).unwrap_or(0);
        let (mut after, mut changed) = (Some(0), 0);
        while let Some(id) = after.filter(|id| *id < last) {
            let (mut found, next) = self.page(table, filter, id, PAGE).await?;
            found.retain(|found| found.id <= last);
            for some in found.chunks(AT_ONCE) {
                let ids: Vec<i64> = some.iter().map(|found| found.id).collect();
                changed += match change {
                    Change::Requeue => self.revive(&ids).await?,
                    Change::Delete => self.delete(table, &ids).await?,
                    Change::Replay => {
                        let lanes: Vec<&[u8]> = some.iter().map(|found| &found.lane[..]).collect();
                        self.store_again(&ids, &lanes).await?
                    }
                };
            }
            after = next;
        }
        Ok(changed)
    }

    pub(super) async fn list<T>(
        &self,
        table: &Table,
        filter: &Filter,
        after: i64,
        limit: usize,
        record: impl Fn(&Row) -> T,
    ) -> Result<Vec<T>, InboxError> {
        let (mut after, mut records) = (Some(after), Vec::new());
        while let Some(id) = after.filter(|_| records.len() < limit) {
            let (mut found, next) = self.page(table, filter, id, PAGE).await?;
            found.truncate(limit - records.len());
            for some in groups(&found) {
                let ids: Vec<i64> = some.iter().map(|found| found.id).collect();
                records.extend(self.operations.run((table.details, &[&ids])).await?.iter().map(&record));
            }
            after = next;
        }
        Ok(records)
    }

    /// The rows that match among the next ones, and after which the ones behind them come, if there are any.
    async fn page(
        &self,
        table: &Table,
        filter: &Filter,
        after: i64,
        limit: i64,
    ) -> Result<(Vec<Found>, Option<i64>), InboxError> {
        let rows = self.operations.run((table.page, &[&after, &needle(filter), &limit])).await?;
        let next = rows.last().map(|row| row.get(0));
        let found = rows.iter().filter(|row| row.get(5)).map(|row| Found {
            id: row.get(0),
            lane: row.get::<_, &[u8]>(1).to_vec(),
            stored: row.get(2),
            error: row.get::<_, Option<&[u8]>>(3).map(|_| text(row, 3)),
            size: usize::try_from(row.get::<_, i64>(4)).unwrap_or(0),
        });
        Ok((self.matching(table, filter, found.collect()).await?, next))
    }

    /// Looks into what they hold only if the filter asks for it.
    async fn matching(
        &self,
        table: &Table,
        filter: &Filter,
        mut found: Vec<Found>,
    ) -> Result<Vec<Found>, InboxError> {
        found.retain(|found| filter.needs_json() || filter.matches("", found.stored, found.error.as_deref()));
        if !filter.needs_json() {
            return Ok(found);
        }
        let mut matching = Vec::new();
        for some in groups(&found) {
            let ids: Vec<i64> = some.iter().map(|found| found.id).collect();
            for row in self.operations.run((table.json, &[&ids])).await? {
                let id: i64 = row.get(0);
                let matches = |found: &&Found| {
                    found.id == id && filter.matches(&text(&row, 1), found.stored, found.error.as_deref())
                };
                matching.extend(some.iter().find(matches).map(|found| found.id));
            }
        }
        found.retain(|found| matching.contains(&found.id));
        Ok(found)
    }
}

/// So many at a time that their bytes can be read at once.
fn groups(found: &[Found]) -> Vec<&[Found]> {
    let (mut groups, mut rest) = (Vec::new(), found);
    while !rest.is_empty() {
        let mut bytes = 0_usize;
        let fits = |found: &&Found| {
            bytes = bytes.saturating_add(found.size);
            bytes <= CLAIM_BYTES
        };
        let (some, others) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        groups.push(some);
        rest = others;
    }
    groups
}

/// What the JSON of all that match contains, so that the server can leave out the others.
fn needle(filter: &Filter) -> Option<&[u8]> {
    filter.contained().map(str::as_bytes)
}

pub(super) fn pending(row: &Row) -> Pending {
    let mut pending = Pending::new(row.get(0), row.get(2), text(row, 1));
    pending.attempts = count(row, 3);
    pending.crashes = count(row, 4);
    pending.error = row.get::<_, Option<&[u8]>>(5).map(|_| text(row, 5));
    pending.held = row.get(7);
    pending.next_attempt = row.get(6);
    pending
}

pub(super) fn dead_letter(row: &Row) -> DeadLetter {
    let failure = Failure::new(row.get(0), count(row, 3), text(row, 4));
    DeadLetter::new(failure, text(row, 1), row.get(2), row.get(5))
}

pub(super) fn archived(row: &Row) -> Archived {
    Archived::new(row.get(0), text(row, 1), row.get(2), row.get(3))
}
