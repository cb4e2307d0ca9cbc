//! The engine for one machine: an SQLite file. Events and keys are on disk, the state of the lanes is in memory.

mod files;

mod lock;

mod file;

mod presence;

mod log;

mod reserve;

mod upkeep;

mod commit;

mod thread;

mod lanes;

mod forget;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use tokio::sync::Notify;

use self::{commit::Change, forget::Position, lanes::Lanes, thread::Thread};
use super::{
    InboxError,
    store::{
        Appended, Claim, DeadLetter, Failure, Filter, Finished, Lane, LaneKey, NewEvent, Outcome, Renewed,
        Stats, Store, Waiting,
    },
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// More than a write can take.
const WRITING: Duration = Duration::from_secs(60);

pub(super) struct Sqlite {
    thread: Thread,
    lanes: Arc<Mutex<Lanes>>,
    changed: Arc<Notify>,
}

impl Sqlite {
    /// For an operator's process.
    pub(super) async fn operate(path: &Path) -> Result<Self, InboxError> {
        let _ = path;
        Err(InboxError::new("an SQLite inbox cannot be operated yet"))
    }

    pub(super) async fn open(path: &Path) -> Result<Self, InboxError> {
        let thread = Thread::start(path.to_owned()).await?;
        let lanes = thread.read(read_lanes).await?;
        Ok(Self { thread, lanes: Arc::new(Mutex::new(lanes)), changed: Arc::default() })
    }
}

impl Sqlite {
    async fn record(&self, outcomes: Arc<[Outcome]>) -> Result<Vec<bool>, InboxError> {
        let (lanes, fence, recorded) =
            (Arc::clone(&self.lanes), Arc::clone(&self.lanes), Arc::clone(&outcomes));
        let write = move |file: &Transaction<'_>| {
            // None of these leases shall end before this is written.
            let until = Instant::now() + WRITING;
            let held: Vec<bool> =
                outcomes.iter().map(|outcome| lock(&fence).renew(&outcome.claim, until)).collect();
            for (outcome, _) in outcomes.iter().zip(&held).filter(|(_, held)| **held) {
                record(file, outcome)?;
            }
            Ok(held)
        };
        let publish = move |held: Vec<bool>| {
            let mut lanes = lock(&lanes);
            for (outcome, _) in recorded.iter().zip(&held).filter(|(_, held)| **held) {
                lanes.finish(outcome, Instant::now());
            }
            held
        };
        self.thread.change(Change::Take, write, publish).await
    }
}

fn lock(lanes: &Mutex<Lanes>) -> MutexGuard<'_, Lanes> {
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_lanes(file: &Transaction<'_>) -> rusqlite::Result<Lanes> {
    let (mut lanes, now, clock) = (Lanes::default(), Instant::now(), millis(SystemTime::now()));
    let mut events = file.prepare("SELECT id, lane, retry_at FROM event ORDER BY id")?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        let lane = LaneKey(row.get(1)?);
        lanes.add(lane, row.get(0)?, now);
        if let Some(retry_at) = row.get::<_, Option<i64>>(2)? {
            let left = u64::try_from(retry_at.saturating_sub(clock)).unwrap_or(0);
            // The clock may have been wrong when that was written.
            lanes.retry(lane, now + Duration::from_millis(left).min(DAY));
        }
    }
    Ok(lanes)
}

#[async_trait]
impl Store for Sqlite {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError> {
        let (lanes, changed) = (Arc::clone(&self.lanes), Arc::clone(&self.changed));
        let lane_keys: Vec<LaneKey> = events.iter().map(|event| event.lane).collect();
        let write = move |file: &Transaction<'_>| {
            let stored = millis(SystemTime::now());
            let mut remember = file.prepare_cached(
                "INSERT INTO seen (stored, key, request) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?;
            let mut store =
                file.prepare_cached("INSERT INTO event (id, lane, stored, json) VALUES (?1, ?2, ?3, ?4)")?;
            events
                .iter()
                .map(|event| {
                    let request = event.request.map(|request| request.0);
                    if remember.execute(params![stored, event.key.as_bytes(), request])? == 0 {
                        return Ok(None);
                    }
                    let id = file.last_insert_rowid();
                    store.execute(params![id, event.lane.0, stored, event.json])?;
                    Ok(Some(id))
                })
                .collect::<rusqlite::Result<Vec<Option<i64>>>>()
        };
        let publish = move |ids: Vec<Option<i64>>| {
            let now = Instant::now();
            let mut lanes = lock(&lanes);
            let appended = lane_keys.into_iter().zip(ids).map(|(lane, id)| match id {
                Some(id) => {
                    lanes.add(lane, id, now);
                    Appended::Stored
                }
                None => Appended::Duplicate,
            });
            let appended = appended.collect();
            changed.notify_one();
            appended
        };
        self.thread.change(Change::Add, write, publish).await
    }

    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError> {
        let claimed = lock(&self.lanes).claim(limit, Instant::now(), lease);
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let claims: Vec<Claim> = claimed.iter().map(|(claim, _)| *claim).collect();
        let read = self.thread.read(move |file| {
            let mut event = file.prepare_cached("SELECT attempts, stored, json FROM event WHERE id = ?1")?;
            let mut read = |id: i64| {
                let waiting = |row: &Row<'_>| {
                    let mut waiting = Waiting::new(id, time(row.get(1)?), row.get(2)?);
                    waiting.attempts = row.get(0)?;
                    Ok(waiting)
                };
                // It is gone if whoever held the lane before has ended only now.
                event.query_row([id], waiting).optional()
            };
            let mut lane = |(claim, ids): (Claim, Vec<i64>)| {
                let events = ids.into_iter().filter_map(|id| read(id).transpose());
                Ok(Lane::new(claim, events.collect::<rusqlite::Result<_>>()?))
            };
            claimed.into_iter().map(&mut lane).collect()
        });
        read.await.inspect_err(|_| {
            let mut lanes = lock(&self.lanes);
            claims.iter().for_each(|claim| lanes.release(claim, Instant::now()));
        })
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, InboxError> {
        let mut lanes = lock(&self.lanes);
        let until = Instant::now() + lease;
        let mut renew = |claim| if lanes.renew(claim, until) { Renewed::Renewed } else { Renewed::Lost };
        Ok(claims.iter().map(&mut renew).collect())
    }

    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<Finished>, InboxError> {
        let outcomes: Arc<[Outcome]> = outcomes.into();
        let failed = match self.record(Arc::clone(&outcomes)).await {
            Err(error) if outcomes.len() > 1 => error,
            result => return Ok(result?.into_iter().map(Finished::from).collect()),
        };
        // On a full disk there may be room for a little at a time.
        let mut held = Vec::new();
        for outcome in &*outcomes {
            held.extend(self.record([outcome.clone()].into()).await.map_err(|_| failed.clone())?);
        }
        Ok(held.into_iter().map(Finished::from).collect())
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }

    async fn stats(&self) -> Result<Stats, InboxError> {
        let (waiting, running, retrying) = lock(&self.lanes).counts(Instant::now());
        let read = |file: &Transaction<'_>| {
            let dead: i64 = file.query_row("SELECT count(*) FROM dead_letter", [], |row| row.get(0))?;
            let oldest = "SELECT stored FROM event ORDER BY id LIMIT 1";
            let oldest: Option<i64> = file.query_row(oldest, [], |row| row.get(0)).optional()?;
            Ok((dead, oldest))
        };
        let (dead, oldest) = self.thread.read(read).await?;
        let oldest = oldest.map(|stored| SystemTime::now().duration_since(time(stored)).unwrap_or_default());
        Ok(Stats { waiting, running, retrying, dead: dead.unsigned_abs(), oldest, ..Stats::default() })
    }

    async fn dead_letters(
        &self,
        _filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        let letter = |row: &Row<'_>| {
            let failure = Failure::new(row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(DeadLetter::new(failure, row.get(3)?, time(row.get(4)?), time(row.get(5)?)))
        };
        let page = "SELECT id, attempts, error, json, stored, died FROM dead_letter \
                    WHERE id > ?1 ORDER BY id LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |file: &Transaction<'_>| {
            file.prepare_cached(page)?.query_map(params![after, limit], letter)?.collect()
        };
        self.thread.read(read).await
    }

    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        let (lanes, changed) = (Arc::clone(&self.lanes), Arc::clone(&self.changed));
        let write = move |file: &Transaction<'_>| {
            let revive = "INSERT INTO event (id, lane, stored, json) \
                          SELECT id, lane, stored, json FROM dead_letter WHERE id = ?1 RETURNING lane";
            let lane: Option<[u8; 16]> = file.query_row(revive, [id], |row| row.get(0)).optional()?;
            file.execute("DELETE FROM dead_letter WHERE id = ?1", [id])?;
            Ok(lane)
        };
        let publish = move |lane: Option<[u8; 16]>| {
            if let Some(lane) = lane {
                lock(&lanes).add_in_place(LaneKey(lane), id, Instant::now());
                changed.notify_one();
            }
            lane.is_some()
        };
        self.thread.change(Change::Add, write, publish).await
    }

    async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        let before = millis(SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH));
        let write =
            move |file: &Transaction<'_>| file.execute("DELETE FROM dead_letter WHERE died <= ?1", [before]);
        self.thread.change(Change::Take, write, |deleted: usize| deleted as u64).await
    }

    async fn forget(&self, age: Duration) -> Result<u64, InboxError> {
        let before = millis(SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH));
        let (mut from, mut forgotten) = (Position::default(), 0);
        // Some at a time, so that no append waits long.
        loop {
            let write = move |file: &Transaction<'_>| forget::some(file, from, before);
            let (next, deleted) = self.thread.change(Change::Take, write, |some| some).await?;
            forgotten += deleted;
            match next {
                Some(next) => from = next,
                None => return Ok(forgotten),
            }
        }
    }
}

fn record(file: &Transaction<'_>, outcome: &Outcome) -> rusqlite::Result<()> {
    let mut delete = file.prepare_cached("DELETE FROM event WHERE id = ?1")?;
    for id in &outcome.done {
        delete.execute([*id])?;
    }
    let mut bury = file.prepare_cached(
        "INSERT INTO dead_letter (id, lane, stored, died, attempts, error, json) \
         SELECT id, lane, stored, ?2, ?3, ?4, json FROM event WHERE id = ?1",
    )?;
    for Failure { id, attempts, error } in &outcome.dead {
        bury.execute(params![*id, millis(SystemTime::now()), attempts, error])?;
        delete.execute([*id])?;
    }
    if let Some((Failure { id, attempts, error }, after)) = &outcome.retry {
        let mut retry =
            file.prepare_cached("UPDATE event SET attempts = ?2, error = ?3, retry_at = ?4 WHERE id = ?1")?;
        retry.execute(params![*id, attempts, error, millis(SystemTime::now() + *after)])?;
    }
    Ok(())
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
