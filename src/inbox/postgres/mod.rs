//! The engine for many machines: a schema in a PostgreSQL.
//!
//! Every change is one round trip: the statements of its transaction are sent together. Statements of one transaction see
//! what was committed before each of them began, so what follows the locking of lanes sees all of their events.

mod crashes;

mod link;

mod operations;

mod owners;

mod receipt;

mod schema;

mod session;

mod sessions;

mod sql;

mod tls;

mod url;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio_postgres::Row;

#[allow(clippy::wildcard_imports)] // every statement there is for here
use self::sql::*;
use self::{
    crashes::{Crashes, EXCUSE, MARK, Mark, STRIKE, TAKE_BACK},
    link::{Ending, Link, Step},
    operations::Change,
    sessions::Written,
    url::Target,
};
use super::{
    InboxError,
    store::{
        Appended, Archived, CLAIM_BYTES, Claim, DeadLetter, EVENTS_AT_ONCE, Failure, Filter, Finished,
        KeptSession, LANE_BYTES, Lane, LaneKey, NewEvent, Outcome, Pending, Receipt, Renewed, SessionFilter,
        Stats, Store, Waiting,
    },
};

/// How long to wait for a server that is down. It is within the webhook's deadline, so that a short restart causes no refusals.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tables that fill and empty all the time have no statistics to plan by: one that was empty when it was looked at would be
/// read from end to end when it is not. Where there is no index the planner then expects the worst, and would compile.
const BY_INDEX: &str = "SET enable_seqscan TO off; SET enable_mergejoin TO off; SET jit TO off";

/// A default of asynchronous commits must not apply to acknowledgements.
const NEVER_OFF: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                         WHERE current_setting('synchronous_commit') = 'off'";

/// How often a record may find that something has changed.
const CHANGES: u32 = 20;

/// For the settings of [`Link`]s. What holds a row for longer than this is busy: it is asked again later.
const SHORT_WAITS: &str = "SET lock_timeout TO '250ms'";

/// What is done may be lost with the server's power: it is delivered again then.
const MAY_BE_LOST: &str = "SET synchronous_commit TO off";

/// Connections, each made when it is first needed: what is slow on one holds up nothing on another.
pub(super) struct Postgres {
    schema: String,
    arrivals: Link,
    claims: Link,
    outcomes: Link,
    /// Also what is written of handlers that start.
    leases: Link,
    operations: Link,
    crashes: Crashes,
    /// The database's encoding is not UTF-8.
    ascii_only: AtomicBool,
}

impl Postgres {
    /// For an operator's process: the schema has to be there.
    pub(super) async fn operate(url: &str, schema: &str) -> Result<Self, InboxError> {
        let store = Self::new(url, schema)?;
        store.operations.prepare(schema, true).await?;
        Ok(store)
    }

    pub(super) async fn connect(url: &str, schema: &str) -> Result<Self, InboxError> {
        let store = Self::new(url, schema)?;
        store.arrivals.prepare(schema, false).await?;
        // Not with one that listens: the server would wake it for every event, also where nothing is delivered.
        store.arrivals.check_pooler(&store.operations).await?;
        Ok(store)
    }

    fn new(url: &str, schema: &str) -> Result<Self, InboxError> {
        schema::check_name(schema)?;
        let target = Arc::new(Target::parse(url)?);
        let link = |settings: &[&str], notice: Option<&str>| {
            let greeting = format!("SET search_path TO \"{schema}\"; {BY_INDEX}; {}", settings.join("; "));
            Link::new(Arc::clone(&target), &greeting, notice.map(str::to_owned))
        };
        let notice = format!("BEGIN; SET LOCAL synchronous_commit TO off; NOTIFY \"{schema}\"; COMMIT");
        let listen = format!("LISTEN \"{schema}\"");
        Ok(Self {
            schema: schema.to_owned(),
            arrivals: link(&[NEVER_OFF], Some(&notice)),
            claims: link(&[MAY_BE_LOST, SHORT_WAITS, &listen], None),
            outcomes: link(&[MAY_BE_LOST, SHORT_WAITS], None),
            leases: link(&[MAY_BE_LOST, SHORT_WAITS], None),
            operations: link(&[], Some(&notice)),
            crashes: Crashes::new(),
            ascii_only: AtomicBool::new(false),
        })
    }

    /// Counts the ends of processes that these claims show: `before` is the claim that was not given back.
    async fn strike(&self, ended: &[(LaneKey, i64, bool)]) -> Result<(), InboxError> {
        if ended.is_empty() {
            return Ok(());
        }
        let lanes: Vec<&[u8]> = ended.iter().map(|(lane, ..)| &lane.0[..]).collect();
        let blamed: Vec<i64> = ended.iter().map(|(_, before, _)| *before).collect();
        let alone: Vec<bool> = ended.iter().map(|(.., alone)| *alone).collect();
        self.claims.run((STRIKE, &[&lanes, &blamed, &alone])).await?;
        Ok(())
    }

    async fn read(
        &self,
        lanes: &[&[u8]],
        most: &[i64],
    ) -> Result<HashMap<LaneKey, Vec<Waiting>>, InboxError> {
        let (in_all, of_lane) = (CLAIM_BYTES as i64, LANE_BYTES as i64);
        let read = self.claims.run((READ, &[&lanes, &most, &in_all, &of_lane])).await?;
        let mut events: HashMap<LaneKey, Vec<Waiting>> = HashMap::new();
        for row in &read {
            let mut waiting = Waiting::new(row.get(1), row.get(6), text(row, 7));
            waiting.attempts = count(row, 2);
            waiting.failing_for = row.get::<_, Option<f64>>(3).and_then(age);
            waiting.crashes = count(row, 4);
            waiting.alone = count(row, 5);
            events.entry(lane(row)).or_default().push(waiting);
        }
        Ok(events)
    }

    /// Frees claimed lanes of which nothing was read: there was no room for it, or nothing to be read.
    async fn give_back(&self, claims: &[Claim]) -> Result<(), InboxError> {
        if claims.is_empty() {
            return Ok(());
        }
        let lanes: Vec<&[u8]> = claims.iter().map(|claim| &claim.lane.0[..]).collect();
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let worked = vec![false; claims.len()];
        self.claims.run((RELEASE, &[&lanes, &epochs, &worked])).await?;
        claims.iter().for_each(|claim| self.crashes.over(*claim));
        Ok(())
    }

    /// These claims were lost while their process was alive: it was not their events' fault.
    async fn take_back(&self, link: &Link, lost: &[Claim]) -> Result<(), InboxError> {
        if lost.is_empty() {
            return Ok(());
        }
        let lanes: Vec<&[u8]> = lost.iter().map(|claim| &claim.lane.0[..]).collect();
        let epochs: Vec<i64> = lost.iter().map(|claim| claim.epoch).collect();
        link.run((TAKE_BACK, &[&lanes, &epochs])).await?;
        lost.iter().for_each(|claim| self.crashes.over(*claim));
        Ok(())
    }

    /// Records outcomes in one transaction, and returns the claims that are held. If a session or an event was changed
    /// meanwhile it begins anew.
    async fn record(&self, outcomes: &[Outcome]) -> Result<HashSet<Claim>, link::Failure> {
        let mut changed = 0;
        loop {
            let written = self.merge_sessions(outcomes).await?;
            match self.record_with(outcomes, written.as_ref()).await {
                Err(failure) if failure.is_changed() && changed < CHANGES => changed += 1,
                Err(failure)
                    if failure.is_untranslatable() && !self.ascii_only.swap(true, Ordering::Relaxed) => {}
                result => return result,
            }
        }
    }

    async fn record_with(
        &self,
        outcomes: &[Outcome],
        written: Option<&Written>,
    ) -> Result<HashSet<Claim>, link::Failure> {
        let mut claims: Vec<Claim> = outcomes.iter().map(|outcome| outcome.claim).collect();
        claims.sort_unstable_by_key(|claim| claim.lane);
        let lanes: Vec<&[u8]> = claims.iter().map(|claim| &claim.lane.0[..]).collect();
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let of = |archive| {
            Columns::of(outcomes, move |outcome| {
                outcome.done.iter().copied().filter(move |_| outcome.archive == archive)
            })
        };
        let (done, kept) = (of(false), of(true));
        let dead = Columns::of(outcomes, |outcome| &outcome.dead);
        let failed = Columns::of(outcomes, |outcome| outcome.retry.iter().map(|(failure, _)| failure));
        let after: Vec<f64> = outcomes
            .iter()
            .filter_map(|outcome| outcome.retry.as_ref().map(|(_, after)| after.as_secs_f64()))
            .collect();
        let released = Columns::of(outcomes, |outcome| {
            outcome
                .release
                .then_some(!outcome.done.is_empty() || !outcome.dead.is_empty() || outcome.retry.is_some())
        });
        let (dead_ids, dead_attempts, dead_errors) = dead.failures();
        let (failed_ids, failed_attempts, failed_errors) = failed.failures();
        let nothing = Written::default();
        let Written { events, sessions, messages } = written.unwrap_or(&nothing);
        let [still_there, write_sessions, write_messages] = sessions::STATEMENTS;
        let steps: [Step<'_>; 9] = [
            (HOLD, &[&lanes, &epochs]),
            (still_there, &[&events.ids, &events.lanes, &events.epochs]),
            (write_sessions, &[sessions]),
            (write_messages, &[messages]),
            (DELETE, &[&done.lanes, &done.epochs, &done.items]),
            (ARCHIVE, &[&kept.lanes, &kept.epochs, &kept.items]),
            (BURY, &[&dead.lanes, &dead.epochs, &dead_ids, &dead_attempts, &dead_errors]),
            (
                NOTE_FAILURE,
                &[&failed.lanes, &failed.epochs, &failed_ids, &failed_attempts, &failed_errors, &after],
            ),
            (RELEASE, &[&released.lanes, &released.epochs, &released.items]),
        ];
        let is_needed = [
            true,
            written.is_some(),
            written.is_some(),
            written.is_some(),
            !done.items.is_empty(),
            !kept.items.is_empty(),
            !dead_ids.is_empty(),
            !failed_ids.is_empty(),
            !released.items.is_empty(),
        ];
        let steps: Vec<Step<'_>> =
            steps.into_iter().zip(is_needed).filter(|(_, needed)| *needed).map(|(step, _)| step).collect();
        let rows = self.outcomes.all(&steps, Ending::Commit).await?;
        Ok(rows.first().into_iter().flatten().map(claim).collect())
    }

    /// The claims of those outcomes that have to wait, because another transaction has locked their lane or event.
    async fn busy(&self, outcomes: &[Outcome]) -> Result<HashSet<Claim>, InboxError> {
        let mut claims: Vec<Claim> = outcomes.iter().map(|outcome| outcome.claim).collect();
        claims.sort_unstable_by_key(|claim| claim.lane);
        let lanes: Vec<&[u8]> = claims.iter().map(|claim| &claim.lane.0[..]).collect();
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let all: Vec<i64> = outcomes.iter().flat_map(ids).collect();
        let busy = self.outcomes.run((BUSY_LANES, &[&lanes, &epochs])).await?;
        let mut busy: HashSet<Claim> = busy.iter().map(claim).collect();
        let locked = self.outcomes.run((BUSY_EVENTS, &[&all])).await?;
        let locked: HashSet<i64> = locked.iter().map(|row| row.get(0)).collect();
        let is_locked = |outcome: &&Outcome| ids(outcome).any(|id| locked.contains(&id));
        busy.extend(outcomes.iter().filter(is_locked).map(|outcome| outcome.claim));
        Ok(busy)
    }
}

/// The events of an outcome.
fn ids(outcome: &Outcome) -> impl Iterator<Item = i64> {
    let dead = outcome.dead.iter().map(|failure| failure.id);
    let failed = outcome.retry.iter().map(|(failure, _)| failure.id);
    outcome.done.iter().copied().chain(dead).chain(failed)
}

#[async_trait]
impl Store for Postgres {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError> {
        // The keys identify the rows that were stored, so each key is sent once.
        let mut keys = HashSet::new();
        let fresh: Vec<&NewEvent> = events.iter().filter(|event| keys.insert(event.key)).collect();
        let lanes: Vec<&[u8]> = fresh.iter().map(|event| &event.lane.0[..]).collect();
        let keys: Vec<&[u8]> = fresh.iter().map(|event| &event.key.as_bytes()[..]).collect();
        let requests: Vec<Option<&[u8]>> =
            fresh.iter().map(|event| event.request.as_ref().map(|request| &request.0[..])).collect();
        let json: Vec<&[u8]> = fresh.iter().map(|event| event.json.as_bytes()).collect();
        let steps: [Step<'_>; 2] = [(LOCK_LANES, &[&lanes]), (STORE, &[&lanes, &keys, &requests, &json])];
        let stored = self.arrivals.change(&steps).await?.pop().unwrap_or_default();
        let mut stored: HashSet<&[u8]> = stored.iter().map(|row| row.get(0)).collect();
        let appended = |event: &NewEvent| {
            if stored.remove(&event.key.as_bytes()[..]) { Appended::Stored } else { Appended::Duplicate }
        };
        Ok(events.iter().map(appended).collect())
    }

    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut claimed =
            self.claims.run((CLAIM, &[&limit, &lease.as_secs_f64(), &self.crashes.process()])).await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        claimed.sort_by_cached_key(|row| row.get::<_, SystemTime>(2));
        let mut ended = Vec::new();
        let mut most = Vec::new();
        for row in &claimed {
            let claim = claim(row);
            let before: Option<i64> = row.get(3);
            // This process has lost sight of it, because a reply was lost or a task was cut off; and it is alive.
            let before = before.filter(|before| !self.crashes.is_own(*before));
            ended.extend(before.map(|before| (claim.lane, before, row.get(4))));
            let is_careful = before.is_some() || row.get::<_, i32>(5) > 0;
            self.crashes.claimed(claim, is_careful);
            most.push(if is_careful { 1 } else { EVENTS_AT_ONCE as i64 });
        }
        let keys: Vec<&[u8]> = claimed.iter().map(|row| row.get(0)).collect();
        let claims: Vec<Claim> = claimed.iter().map(claim).collect();
        // Read only now, when all that were stored before the claim are seen.
        let read = match self.strike(&ended).await {
            Ok(()) => self.read(&keys, &most).await,
            Err(error) => Err(error),
        };
        let mut events = match read {
            Ok(events) => events,
            Err(error) => {
                // If this fails, too, they are free again after the lease.
                let _ = self.give_back(&claims).await;
                return Err(error);
            }
        };
        let (lanes, unread): (Vec<Claim>, Vec<Claim>) =
            claims.into_iter().partition(|claim| events.contains_key(&claim.lane));
        let _ = self.give_back(&unread).await;
        let lane = |claim: Claim| Lane { claim, events: events.remove(&claim.lane).unwrap_or_default() };
        Ok(lanes.into_iter().map(lane).collect())
    }

    async fn started(&self, claim: &Claim, _id: i64) -> Result<(), InboxError> {
        let (claim, alone) = match self.crashes.started(*claim) {
            Mark::None => return Ok(()),
            Mark::Alone(claim) => (claim, true),
            Mark::NotAlone(claim) => (claim, false),
        };
        self.leases.run((MARK, &[&&claim.lane.0[..], &claim.epoch, &alone])).await?;
        Ok(())
    }

    async fn ended(&self, claim: &Claim, _id: i64) {
        self.crashes.ended(*claim);
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, InboxError> {
        let mut sorted = claims.to_vec();
        sorted.sort_unstable_by_key(|claim| claim.lane);
        let lanes: Vec<&[u8]> = sorted.iter().map(|claim| &claim.lane.0[..]).collect();
        let epochs: Vec<i64> = sorted.iter().map(|claim| claim.epoch).collect();
        let answers = self.leases.run((RENEW, &[&lanes, &epochs, &lease.as_secs_f64()])).await?;
        let answer = |row: &Row| match (row.get(2), row.get(3)) {
            (true, _) => Renewed::Renewed,
            (false, true) => Renewed::Unknown,
            (false, false) => Renewed::Lost,
        };
        let answers: HashMap<Claim, Renewed> = answers.iter().map(|row| (claim(row), answer(row))).collect();
        let answer = |claim: &Claim| answers.get(claim).copied().unwrap_or(Renewed::Unknown);
        let lost: Vec<Claim> =
            claims.iter().filter(|claim| answer(claim) == Renewed::Lost).copied().collect();
        // What is renewed stays renewed if these fail: they only matter after a crash.
        let _ = self.take_back(&self.leases, &lost).await;
        let mut excused = self.crashes.excused();
        if !excused.is_empty() {
            excused.sort_unstable_by_key(|claim| claim.lane);
            let lanes: Vec<&[u8]> = excused.iter().map(|claim| &claim.lane.0[..]).collect();
            let epochs: Vec<i64> = excused.iter().map(|claim| claim.epoch).collect();
            let _ = self.leases.run((EXCUSE, &[&lanes, &epochs])).await;
        }
        Ok(claims.iter().map(answer).collect())
    }

    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<Finished>, InboxError> {
        let mut busy = HashSet::new();
        let held = match self.record(&outcomes).await {
            Err(failure) if failure.is_locked() => {
                busy = self.busy(&outcomes).await?;
                let is_free = |outcome: &&Outcome| !busy.contains(&outcome.claim);
                self.record(&outcomes.iter().filter(is_free).cloned().collect::<Vec<_>>()).await?
            }
            held => held?,
        };
        let finished = |outcome: &Outcome| {
            if busy.contains(&outcome.claim) { Finished::Busy } else { held.contains(&outcome.claim).into() }
        };
        let finished: Vec<Finished> = outcomes.iter().map(finished).collect();
        let each = || outcomes.iter().zip(&finished);
        let is_lost = |(outcome, finished): (&Outcome, &Finished)| {
            (*finished == Finished::Lost).then_some(outcome.claim)
        };
        // It only matters after a crash.
        let _ = self.take_back(&self.outcomes, &each().filter_map(is_lost).collect::<Vec<_>>()).await;
        let is_over =
            |(outcome, finished): &(&Outcome, &Finished)| outcome.release && **finished == Finished::Recorded;
        each().filter(is_over).for_each(|(outcome, _)| self.crashes.over(outcome.claim));
        Ok(finished)
    }

    async fn changed(&self) {
        self.claims.notified().await;
    }

    fn receipt(&self, claim: &Claim, id: i64, archive: bool) -> Option<Receipt> {
        Some(receipt::receipt(&self.schema, claim, id, archive))
    }

    async fn forget(&self, age: Duration) -> Result<u64, InboxError> {
        self.tidy().await?;
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

    async fn stats(&self) -> Result<Stats, InboxError> {
        self.count().await
    }

    async fn check(&self) -> Result<(), InboxError> {
        self.try_to_store().await
    }

    async fn pending(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Pending>, InboxError> {
        self.list(&operations::EVENTS, filter, after, limit, operations::pending).await
    }

    async fn dead_letters(
        &self,
        filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        self.list(&operations::DEAD_LETTERS, filter, after, limit, operations::dead_letter).await
    }

    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        Ok(self.revive(&[id]).await? > 0)
    }

    async fn requeue_all(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.change_all(&operations::DEAD_LETTERS, filter, Change::Requeue).await
    }

    async fn discard(&self, id: i64) -> Result<bool, InboxError> {
        let waiting = self.delete(&operations::EVENTS, &[id]).await?;
        Ok(waiting + self.delete(&operations::DEAD_LETTERS, &[id]).await? > 0)
    }

    async fn retry_now(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.make_due(filter).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        self.pause(paused).await
    }

    async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        self.purge_some(operations::PURGE, age).await
    }

    async fn erase(&self, filter: &Filter) -> Result<u64, InboxError> {
        let mut erased = 0;
        for table in [&operations::EVENTS, &operations::DEAD_LETTERS, &operations::ARCHIVE] {
            erased += self.change_all(table, filter, Change::Delete).await?;
        }
        if let Some(subject) = filter.subject() {
            self.erase_sessions(subject).await?;
        }
        Ok(erased)
    }

    async fn archived(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Archived>, InboxError> {
        self.list(&operations::ARCHIVE, filter, after, limit, operations::archived).await
    }

    async fn replay(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.change_all(&operations::ARCHIVE, filter, Change::Replay).await
    }

    async fn purge_archive(&self, age: Duration) -> Result<u64, InboxError> {
        self.purge_some(operations::PURGE_ARCHIVE, age).await
    }

    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<KeptSession>, InboxError> {
        self.kept_sessions(filter).await
    }

    async fn purge_sessions(&self, age: Duration) -> Result<u64, InboxError> {
        self.purge_kept_sessions(age).await
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
    Claim { lane: lane(row), epoch: row.get(1) }
}

fn lane(row: &Row) -> LaneKey {
    let mut lane = LaneKey([0; 16]);
    let bytes: &[u8] = row.get(0);
    if bytes.len() == lane.0.len() {
        lane.0.copy_from_slice(bytes);
    }
    lane
}

fn age(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
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
