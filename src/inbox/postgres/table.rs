//! The tables that operators look into. Neither acceptance nor delivery waits for them: they are read a page at a time.

use std::time::SystemTime;

use tokio_postgres::Row;

use super::{connection::Connection, rows, session::Step};
use crate::inbox::{
    InboxError,
    store::{Archived, CLAIM_BYTES, DeadLetter, Failure, Filter, Pending},
};

/// A table of events, and its statements.
pub(super) struct Table {
    /// The last id.
    pub(super) last: &'static str,
    /// The next few rows, without what they hold.
    page: &'static str,
    json: &'static str,
    details: &'static str,
    pub(super) delete: &'static str,
    /// Empties rows of which the server has lost part, so that statements that read them succeed.
    pub(super) empty_unreadable: &'static str,
}

/// How many rows of a table are looked at in one statement.
pub(super) const PAGE: i64 = 1000;

pub(super) const EVENTS: Table = Table {
    last: "SELECT max(id) FROM event",
    page: "
        SELECT id, lane, stored, error, octet_length(json)::bigint, $2::bytea IS NULL OR position($2 IN json) > 0
        FROM (SELECT id, lane, stored, error, json FROM event WHERE id > $1 ORDER BY id LIMIT $3) AS page
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
    // The other events of the lane need not wait for the retry of the one that is gone.
    delete: "
        WITH gone AS (DELETE FROM event WHERE id = ANY ($1::bigint[]) RETURNING id, lane),
        due AS (
            UPDATE lane SET due = greatest(now(), (
                SELECT retry_at FROM event WHERE event.lane = lane.lane AND id <> ALL ($1::bigint[]) ORDER BY id LIMIT 1
            ))
            WHERE lane = ANY (ARRAY (SELECT lane FROM gone)) AND epoch IS NULL
        )
        SELECT id FROM gone",
    empty_unreadable: "
        WITH unreadable AS MATERIALIZED (
            SELECT id, octet_length(json) AS size FROM event WHERE id = ANY ($1::bigint[]) AND NOT is_readable(json)
        ), counted AS (
            INSERT INTO tally SELECT 0, -sum(size), 0, 0 FROM unreadable HAVING count(*) > 0
        )
        UPDATE event SET json = '' WHERE id = ANY (ARRAY (SELECT id FROM unreadable))",
};

pub(super) const DEAD_LETTERS: Table = Table {
    last: "SELECT max(id) FROM dead_letter",
    page: "
        SELECT id, lane, stored, error, octet_length(json)::bigint, $2::bytea IS NULL OR position($2 IN json) > 0
        FROM (SELECT id, lane, stored, error, json FROM dead_letter WHERE id > $1 ORDER BY id LIMIT $3) AS page
        ORDER BY id",
    json: "SELECT id, json FROM dead_letter WHERE id = ANY ($1::bigint[])",
    details: "
        SELECT id, json, stored, attempts, error, died
        FROM dead_letter WHERE id = ANY ($1::bigint[]) ORDER BY id",
    delete: "DELETE FROM dead_letter WHERE id = ANY ($1::bigint[]) RETURNING id",
    empty_unreadable: "UPDATE dead_letter SET json = '' WHERE id = ANY ($1::bigint[]) AND NOT is_readable(json)",
};

pub(super) const ARCHIVE: Table = Table {
    last: "SELECT max(id) FROM archive",
    page: "
        SELECT id, lane, stored, NULL::bytea, octet_length(json)::bigint, $2::bytea IS NULL OR position($2 IN json) > 0
        FROM (SELECT id, lane, stored, json FROM archive WHERE id > $1 ORDER BY id LIMIT $3) AS page
        ORDER BY id",
    json: "SELECT id, json FROM archive WHERE id = ANY ($1::bigint[])",
    details: "SELECT id, json, stored, delivered FROM archive WHERE id = ANY ($1::bigint[]) ORDER BY id",
    delete: "DELETE FROM archive WHERE id = ANY ($1::bigint[]) RETURNING id",
    empty_unreadable: "UPDATE archive SET json = '' WHERE id = ANY ($1::bigint[]) AND NOT is_readable(json)",
};

/// A row that matches a filter, or may match it.
pub(super) struct Found {
    pub(super) id: i64,
    pub(super) lane: Vec<u8>,
    stored: SystemTime,
    error: Option<String>,
    size: usize,
}

impl Found {
    /// From a row that has id, lane, time, error, size, and whether it may match.
    pub(super) fn all(rows: &[Row]) -> Vec<Self> {
        let found = |row: &Row| Self {
            id: row.get(0),
            lane: row.get::<_, &[u8]>(1).to_vec(),
            stored: row.get(2),
            error: rows::optional_text(row, 3),
            size: usize::try_from(row.get::<_, i64>(4)).unwrap_or(0),
        };
        rows.iter().filter(|row| row.get(5)).map(found).collect()
    }
}

/// Returns a page of what matches.
pub(super) async fn list<T>(
    connection: &Connection,
    table: &Table,
    filter: &Filter,
    after: i64,
    limit: usize,
    record: impl Fn(&Row) -> T,
) -> Result<Vec<T>, InboxError> {
    let (mut after, mut records) = (Some(after), Vec::new());
    while let Some(id) = after.filter(|_| records.len() < limit) {
        let (mut found, next) = page(connection, table, filter, id).await?;
        found.truncate(limit - records.len());
        for some in groups(&found) {
            let ids: Vec<i64> = some.iter().map(|found| found.id).collect();
            records.extend(read(connection, table, table.details, &ids).await?.iter().map(&record));
        }
        after = next;
    }
    Ok(records)
}

/// Returns the rows that match among the next ones, and the last id that was looked at, if there was any.
pub(super) async fn page(
    connection: &Connection,
    table: &Table,
    filter: &Filter,
    after: i64,
) -> Result<(Vec<Found>, Option<i64>), InboxError> {
    let rows = match connection.run((table.page, &[&after, &needle(filter), &PAGE])).await {
        // Without a needle it looks into nothing.
        Err(failure) if failure.is_corrupted() => {
            connection.run((table.page, &[&after, &None::<&[u8]>, &PAGE])).await?
        }
        rows => rows?,
    };
    let next = rows.last().map(|row| row.get(0));
    Ok((matching(connection, table, filter, Found::all(&rows)).await?, next))
}

/// Looks into what the rows hold only if the filter asks for it.
pub(super) async fn matching(
    connection: &Connection,
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
        for row in read(connection, table, table.json, &ids).await? {
            let id: i64 = row.get(0);
            let json = rows::text(&row, 1);
            let matches = |found: &&Found| {
                found.id == id && filter.matches(&json, found.stored, found.error.as_deref())
            };
            matching.extend(some.iter().find(matches).map(|found| found.id));
        }
    }
    found.retain(|found| matching.contains(&found.id));
    Ok(found)
}

async fn read(
    connection: &Connection,
    table: &Table,
    statement: &'static str,
    ids: &[i64],
) -> Result<Vec<Row>, InboxError> {
    match connection.run((statement, &[&ids])).await {
        Err(failure) if failure.is_corrupted() => {
            connection.run((table.empty_unreadable, &[&ids])).await?;
            Ok(connection.run((statement, &[&ids])).await?)
        }
        rows => Ok(rows?),
    }
}

/// Executes statements that move rows. If some of them cannot be read, it empties them first.
pub(super) async fn change(
    connection: &Connection,
    table: &Table,
    ids: &[i64],
    steps: &[Step<'_>],
) -> Result<Vec<Vec<Row>>, InboxError> {
    match connection.change(steps).await {
        Err(failure) if failure.is_corrupted() => {
            connection.run((table.empty_unreadable, &[&ids])).await?;
            Ok(connection.change(steps).await?)
        }
        rows => Ok(rows?),
    }
}

/// As many at a time as can be read at once.
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
pub(super) fn needle(filter: &Filter) -> Option<&[u8]> {
    filter.contained().map(str::as_bytes)
}

pub(super) fn pending(row: &Row) -> Pending {
    let mut pending = Pending::new(row.get(0), row.get(2), rows::text(row, 1));
    pending.attempts = rows::count(row, 3);
    pending.crashes = rows::count(row, 4);
    pending.error = rows::optional_text(row, 5);
    pending.next_attempt = row.get(6);
    pending.held = row.get(7);
    pending
}

pub(super) fn dead_letter(row: &Row) -> DeadLetter {
    let failure = Failure::new(row.get(0), rows::count(row, 3), rows::text(row, 4));
    DeadLetter::new(failure, rows::text(row, 1), row.get(2), row.get(5))
}

pub(super) fn archived(row: &Row) -> Archived {
    Archived::new(row.get(0), rows::text(row, 1), row.get(2), row.get(3))
}
