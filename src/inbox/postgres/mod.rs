//! The engine for many machines: a schema in a PostgreSQL.
//!
//! Every change is one round trip: the statements of its transaction are sent together. Statements of one transaction see
//! what was committed before each of them began, so what follows the locking of lanes sees all of their events.

mod link;

mod owners;

mod schema;

mod sql;

mod tls;

mod url;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio_postgres::Row;

#[allow(clippy::wildcard_imports)] // every statement there is for here
use self::sql::*;
use self::{link::Link, url::Target};
use super::{
    InboxError,
    store::{
        Appended, Claim, DeadLetter, EVENTS_AT_ONCE, Failure, Filter, Lane, LaneKey, NewEvent, Outcome,
        Renewed, Stats, Store, Waiting,
    },
};

/// How long a server that is away is waited for: within the webhook's deadline, so that a short restart refuses nobody.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tables that fill and empty all the time have no statistics to plan by: one that was empty when it was looked at would be
/// read from end to end when it is not.
const BY_INDEX: &str = "SET enable_seqscan TO off; SET enable_mergejoin TO off";

/// Whoever has made asynchronous commits the default did not have acknowledgements in mind.
const NEVER_OFF: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                         WHERE current_setting('synchronous_commit') = 'off'";

/// Three connections, each made when it is first needed: what is slow on one holds up nothing on another.
pub(super) struct Postgres {
    arrivals: Link,
    /// Claims, leases and outcomes.
    work: Link,
    operations: Link,
}

impl Postgres {
    /// For an operator's process: the schema has to be there.
    pub(super) async fn operate(url: &str, schema: &str) -> Result<Self, InboxError> {
        Self::connect(url, schema).await
    }

    pub(super) async fn connect(url: &str, schema: &str) -> Result<Self, InboxError> {
        schema::check_name(schema)?;
        let target = Arc::new(Target::parse(url)?);
        let link = |settings: &str, notice| {
            let greeting = format!("SET search_path TO \"{schema}\"; {BY_INDEX}; {settings}");
            Link::new(Arc::clone(&target), &greeting, notice)
        };
        let notice = format!("BEGIN; SET LOCAL synchronous_commit TO off; NOTIFY \"{schema}\"; COMMIT");
        let store = Self {
            arrivals: link(NEVER_OFF, Some(notice)),
            // What is done may be lost with the server's power: it is delivered again then.
            work: link(&format!("SET synchronous_commit TO off; LISTEN \"{schema}\""), None),
            operations: link("", None),
        };
        store.arrivals.prepare(schema).await?;
        Ok(store)
    }
}

#[async_trait]
impl Store for Postgres {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError> {
        // A key tells which rows were stored, so each is sent once.
        let mut keys = HashSet::new();
        let fresh: Vec<&NewEvent> = events.iter().filter(|event| keys.insert(event.key)).collect();
        let lanes: Vec<&[u8]> = fresh.iter().map(|event| &event.lane.0[..]).collect();
        let keys: Vec<&[u8]> = fresh.iter().map(|event| &event.key.as_bytes()[..]).collect();
        let requests: Vec<Option<&[u8]>> =
            fresh.iter().map(|event| event.request.as_ref().map(|request| &request.0[..])).collect();
        let json: Vec<&[u8]> = fresh.iter().map(|event| event.json.as_bytes()).collect();
        let [_, stored] =
            self.arrivals.all([(LOCK_LANES, &[&lanes]), (STORE, &[&lanes, &keys, &requests, &json])]).await?;
        let mut stored: HashSet<&[u8]> = stored.iter().map(|row| row.get(0)).collect();
        let appended = |event: &NewEvent| {
            if stored.remove(&event.key.as_bytes()[..]) { Appended::Stored } else { Appended::Duplicate }
        };
        Ok(events.iter().map(appended).collect())
    }

    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let claimed = self.work.run((CLAIM, &[&limit, &lease.as_secs_f64()])).await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<&[u8]> = claimed.iter().map(|row| row.get(0)).collect();
        let mut events: HashMap<&[u8], Vec<Waiting>> = HashMap::new();
        // Only now, when it sees all that were stored before the claim.
        let read = self.work.run((READ, &[&keys, &(EVENTS_AT_ONCE as i64)])).await?;
        for row in &read {
            let mut waiting = Waiting::new(row.get(1), row.get(3), text(row, 4));
            waiting.attempts = count(row, 2);
            events.entry(row.get(0)).or_default().push(waiting);
        }
        let lane = |row: &Row| Lane {
            claim: claim(row),
            events: events.remove(row.get::<_, &[u8]>(0)).unwrap_or_default(),
        };
        Ok(claimed.iter().map(lane).collect())
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, InboxError> {
        let asked = claims;
        let mut claims = asked.to_vec();
        claims.sort_unstable_by_key(|claim| claim.lane);
        let lanes: Vec<&[u8]> = claims.iter().map(|claim| &claim.lane.0[..]).collect();
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let renewed = self.work.run((RENEW, &[&lanes, &epochs, &lease.as_secs_f64()])).await?;
        let renewed: HashSet<Claim> = renewed.iter().map(claim).collect();
        let answer = |claim| if renewed.contains(claim) { Renewed::Renewed } else { Renewed::Lost };
        Ok(asked.iter().map(answer).collect())
    }

    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<bool>, InboxError> {
        let mut claims: Vec<Claim> = outcomes.iter().map(|outcome| outcome.claim).collect();
        claims.sort_unstable_by_key(|claim| claim.lane);
        let lanes: Vec<&[u8]> = claims.iter().map(|claim| &claim.lane.0[..]).collect();
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let done = Columns::of(&outcomes, |outcome| outcome.done.iter().copied());
        let dead = Columns::of(&outcomes, |outcome| &outcome.dead);
        let failed = Columns::of(&outcomes, |outcome| outcome.retry.iter().map(|(failure, _)| failure));
        let released = Columns::of(&outcomes, |outcome| {
            let after = outcome.retry.as_ref().map_or(Duration::ZERO, |(_, after)| *after);
            outcome.release.then_some(after.as_secs_f64())
        });
        let (dead_ids, dead_attempts, dead_errors) = dead.failures();
        let (failed_ids, failed_attempts, failed_errors) = failed.failures();
        let [held, ..] = self
            .work
            .all([
                (HOLD, &[&lanes, &epochs]),
                (DELETE, &[&done.lanes, &done.epochs, &done.items]),
                (BURY, &[&dead.lanes, &dead.epochs, &dead_ids, &dead_attempts, &dead_errors]),
                (
                    NOTE_FAILURE,
                    &[&failed.lanes, &failed.epochs, &failed_ids, &failed_attempts, &failed_errors],
                ),
                (RELEASE, &[&released.lanes, &released.epochs, &released.items]),
            ])
            .await?;
        let held: HashSet<Claim> = held.iter().map(claim).collect();
        Ok(outcomes.iter().map(|outcome| held.contains(&outcome.claim)).collect())
    }

    async fn changed(&self) {
        self.work.notified().await;
    }

    async fn stats(&self) -> Result<Stats, InboxError> {
        let rows = self.operations.run((STATS, &[])).await?;
        let row = rows.first().ok_or_else(|| InboxError::new("PostgreSQL has counted nothing"))?;
        let number = |column| row.get::<_, i64>(column).unsigned_abs();
        let (open, running, retrying) = (number(0), number(1), number(2));
        let age: Option<f64> = row.get(4);
        Ok(Stats {
            waiting: open.saturating_sub(running + retrying),
            running,
            retrying,
            dead: number(3),
            oldest: age.and_then(|age| Duration::try_from_secs_f64(age.max(0.0)).ok()),
            ..Stats::default()
        })
    }

    async fn dead_letters(
        &self,
        _filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.operations.run((DEAD_LETTERS, &[&after, &limit])).await?;
        let letter = |row: &Row| {
            let failure = Failure::new(row.get(0), count(row, 1), text(row, 2));
            DeadLetter::new(failure, text(row, 3), row.get(4), row.get(5))
        };
        Ok(rows.iter().map(letter).collect())
    }

    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        let [requeued, _] = self.arrivals.all([(REQUEUE, &[&id]), (REOPEN, &[&id])]).await?;
        Ok(!requeued.is_empty())
    }

    async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        let mut purged = 0;
        loop {
            let deleted = self.operations.run((PURGE, &[&seconds(age)])).await?.len() as u64;
            purged += deleted;
            if deleted == 0 {
                return Ok(purged);
            }
        }
    }

    async fn forget(&self, age: Duration) -> Result<u64, InboxError> {
        let (mut after, mut forgotten) = (0_i64, 0);
        loop {
            let rows = self.operations.run((FORGET, &[&seconds(age), &after])).await?;
            let Some(row) = rows.first() else { return Ok(forgotten) };
            forgotten += row.get::<_, i64>(2).unsigned_abs();
            match row.get(0) {
                Some(last) if row.get(1) => after = last,
                _ => return Ok(forgotten),
            }
        }
    }
}

/// Lists of equal length for `unnest`.
struct Columns<'a, T> {
    lanes: Vec<&'a [u8]>,
    epochs: Vec<i64>,
    items: Vec<T>,
}

impl<'a, T> Columns<'a, T> {
    fn of<I: IntoIterator<Item = T>>(outcomes: &'a [Outcome], items: impl Fn(&'a Outcome) -> I) -> Self {
        let mut columns = Self { lanes: Vec::new(), epochs: Vec::new(), items: Vec::new() };
        for outcome in outcomes {
            for item in items(outcome) {
                columns.lanes.push(&outcome.claim.lane.0);
                columns.epochs.push(outcome.claim.epoch);
                columns.items.push(item);
            }
        }
        columns
    }
}

impl Columns<'_, &Failure> {
    fn failures(&self) -> (Vec<i64>, Vec<i32>, Vec<&[u8]>) {
        let attempts = |failure: &&Failure| i32::try_from(failure.attempts).unwrap_or(i32::MAX);
        (
            self.items.iter().map(|failure| failure.id).collect(),
            self.items.iter().map(attempts).collect(),
            self.items.iter().map(|failure| failure.error.as_bytes()).collect(),
        )
    }
}

fn claim(row: &Row) -> Claim {
    let mut lane = LaneKey([0; 16]);
    let bytes: &[u8] = row.get(0);
    if bytes.len() == lane.0.len() {
        lane.0.copy_from_slice(bytes);
    }
    Claim { lane, epoch: row.get(1) }
}

fn count(row: &Row, column: usize) -> u32 {
    u32::try_from(row.get::<_, i32>(column)).unwrap_or(0)
}

fn text(row: &Row, column: usize) -> String {
    String::from_utf8_lossy(row.get(column)).into_owned()
}

/// An age that a timestamp can be younger than: no more than about 30 years.
fn seconds(age: Duration) -> f64 {
    age.as_secs_f64().min(1e9)
}
