//! The process that has the inbox.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use tokio::task::AbortHandle;

use super::{
    before, command,
    commit::Change,
    file::{self, Disk},
    finish, forget,
    lanes::Claimed,
    memory::{Memory, erased_events, erased_letters, replayed, requeued},
    millis,
    queue::Entry,
    rows::{self, Part, Stored, Table},
    sessions, sweep,
    thread::{Thread, Work},
    time,
};
use crate::inbox::{
    InboxError,
    store::{
        Appended, Archived, Claim, DeadLetter, Failure, Filter, Finished, KeptSession, Lane, LaneKey,
        NewEvent, Outcome, Pending, Receipt, ReceiptValue, Renewed, SessionFilter, Stats, Store, Waiting,
    },
};

/// More than a write can take.
const WRITING: Duration = Duration::from_secs(60);

/// How many dead letters or archived events are deleted in one transaction.
const SOME: usize = 500;

pub(crate) struct Owner {
    pub(super) thread: Arc<Thread<Disk>>,
    pub(super) memory: Arc<Memory>,
    /// Answers other processes until this is dropped.
    answering: Option<Answering>,
}

struct Answering(AbortHandle);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Owner {
    pub(crate) async fn open(path: &Path) -> Result<Self, InboxError> {
        let path = path.to_owned();
        let mut owner = Self::open_with(move || file::open(&path)).await?;
        owner.answer_all().await?;
        let answering = command::answer(Arc::downgrade(&owner.thread), Arc::downgrade(&owner.memory));
        owner.answering = Some(Answering(tokio::spawn(answering).abort_handle()));
        Ok(owner)
    }

    pub(super) async fn open_with(
        open: impl FnOnce() -> Result<Disk, InboxError> + Send + 'static,
    ) -> Result<Self, InboxError> {
        let open = move || {
            let mut disk = open()?;
            let memory = Memory::open(&mut disk)?;
            Ok((disk, memory))
        };
        let (thread, memory) = Thread::start(open).await?;
        Ok(Self::of(Arc::new(thread), Arc::new(memory)))
    }

    pub(super) fn of(thread: Arc<Thread<Disk>>, memory: Arc<Memory>) -> Self {
        Self { thread, memory, answering: None }
    }

    async fn record(&self, outcomes: Arc<[Outcome]>, damaged: Vec<Stored>) -> Result<Vec<bool>, InboxError> {
        let (memory, fence, recorded) =
            (Arc::clone(&self.memory), Arc::clone(&self.memory), Arc::clone(&outcomes));
        let traces = self.memory.traces();
        let write = move |file: &Transaction<'_>| {
            // None of these leases shall end before this is written.
            let until = Instant::now() + WRITING;
            let held: Vec<bool> =
                outcomes.iter().map(|outcome| fence.lanes().renew(&outcome.claim, until)).collect();
            let mut gone = Vec::new();
            for (outcome, held) in outcomes.iter().zip(held) {
                gone.push(if held { Some(finish::record(file, outcome, traces, &damaged)?) } else { None });
            }
            Ok(gone)
        };
        let publish = move |recorded_as: Vec<Option<finish::Recorded>>| {
            let mut lanes = memory.lanes();
            for (outcome, as_what) in recorded.iter().zip(&recorded_as) {
                if let Some(as_what) = as_what {
                    let now = Instant::now();
                    lanes.remove(outcome.claim.lane, &as_what.done_before, now);
                    lanes.finish(outcome, now);
                    memory.add_dead(as_what.buried);
                }
            }
            recorded_as.iter().map(Option::is_some).collect()
        };
        self.thread.change(Change::Take, write, publish).await
    }

    /// The events that an outcome would delete, and that SQLite cannot read to their ends.
    async fn damaged(&self, outcome: &Outcome) -> Result<Vec<Stored>, InboxError> {
        let ids: Vec<i64> =
            outcome.done.iter().copied().chain(outcome.dead.iter().map(|dead| dead.id)).collect();
        let read = move |file: &Transaction<'_>| {
            let rows = ids.iter().filter_map(|id| rows::read(file, Table::Event, *id).transpose());
            rows.filter(|row| row.as_ref().map_or(true, |row| row.damaged)).collect()
        };
        self.thread.read(read).await
    }

    async fn read(&self, table: Table, id: i64) -> Result<Option<Stored>, InboxError> {
        let read = move |file: &Transaction<'_>| {
            if rows::is_marked(file, table, id)? { Ok(None) } else { rows::read(file, table, id) }
        };
        self.thread.read(read).await
    }

    /// Lets the receipts of claims fail whose leases have run out; those of other earlier claims do already.
    async fn fence(&self, claimed: &[Claimed]) -> Result<(), InboxError> {
        let expired = claimed.iter().filter_map(|claimed| Some((claimed.expired?, claimed.ids.clone())));
        let expired: Vec<(i64, Vec<i64>)> = expired.collect();
        if expired.is_empty() {
            return Ok(());
        }
        let write = move |file: &Transaction<'_>| {
            let mut fence = file.prepare_cached("UPDATE event SET fenced = ?2 WHERE id = ?1")?;
            let mut each = expired.iter().flat_map(|(epoch, ids)| ids.iter().map(move |id| (*id, *epoch)));
            each.try_for_each(|fenced| fence.execute(fenced).map(drop))
        };
        self.thread.change(Change::Take, write, |()| ()).await
    }

    /// Takes away what handlers have recorded as done without the dispatcher's knowledge.
    async fn settle(&self, lane: LaneKey, ids: Vec<i64>) -> Result<(), InboxError> {
        let (memory, gone) = (Arc::clone(&self.memory), ids.clone());
        let traces = self.memory.traces();
        let write = move |file: &Transaction<'_>| {
            ids.iter().try_for_each(|id| finish::settle(file, *id, traces).map(drop))
        };
        let publish = move |()| memory.lanes().remove(lane, &gone, Instant::now());
        self.thread.change(Change::Take, write, publish).await
    }

    async fn purge_table(
        &self,
        table: Table,
        age: Duration,
        publish: fn(&Memory, u64),
    ) -> Result<u64, InboxError> {
        let (before, mut purged) = (before(age), 0);
        loop {
            let delete = move |file: &Transaction<'_>| sweep::delete_old(file, table, before, SOME);
            let (deleted, is_all) = match self.thread.change(Change::Take, delete, |deleted| deleted).await {
                Ok(deleted) => (deleted, deleted < SOME),
                // A damaged row may be among them.
                Err(_) => {
                    let read = move |file: &Transaction<'_>| sweep::read_old(file, table, before);
                    let old = self.thread.read(read).await?;
                    let is_all = old.is_empty();
                    let delete = move |file: &Transaction<'_>| sweep::delete_all(file, table, &old);
                    (self.thread.change(Change::Take, delete, |deleted| deleted).await?, is_all)
                }
            };
            publish(&self.memory, deleted as u64);
            purged += deleted as u64;
            if is_all {
                return Ok(purged);
            }
        }
    }
}

/// A page of a table, read a part at a time.
pub(super) async fn page<W: Work>(
    thread: &Thread<W>,
    table: Table,
    filter: &Filter,
    after: i64,
    limit: usize,
) -> Result<Vec<Stored>, InboxError> {
    let (mut found, mut next) = (Vec::new(), Some(after));
    while let Some(after) = next.filter(|_| found.len() < limit) {
        let (filter, left) = (filter.clone(), limit - found.len());
        let Part { matching, next: then } =
            thread.read(move |file| rows::part(file, table, &filter, after, left)).await?;
        found.extend(matching);
        next = then;
    }
    Ok(found)
}

impl From<Stored> for Waiting {
    fn from(row: Stored) -> Self {
        let mut waiting = Self::new(row.id, row.stored, row.json);
        waiting.attempts = row.attempts;
        let since = row.failing_since;
        waiting.failing_for = since.map(|since| SystemTime::now().duration_since(since).unwrap_or_default());
        waiting
    }
}

impl From<Stored> for Pending {
    fn from(row: Stored) -> Self {
        let mut pending = Self::new(row.id, row.stored, row.json);
        pending.attempts = row.attempts;
        pending.error = row.error;
        pending.next_attempt = row.at;
        pending
    }
}

impl From<Stored> for DeadLetter {
    fn from(row: Stored) -> Self {
        let failure = Failure::new(row.id, row.attempts, row.error.unwrap_or_default());
        Self::new(failure, row.json, row.stored, row.at.unwrap_or(row.stored))
    }
}

impl From<Stored> for Archived {
    fn from(row: Stored) -> Self {
        Self::new(row.id, row.json, row.stored, row.at.unwrap_or(row.stored))
    }
}

#[async_trait]
impl Store for Owner {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError> {
        let memory = Arc::clone(&self.memory);
        let added: Vec<(LaneKey, usize)> =
            events.iter().map(|event| (event.lane, event.json.len())).collect();
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
            let mut lanes = memory.lanes();
            let appended = added.into_iter().zip(ids).map(|((lane, bytes), id)| match id {
                Some(id) => {
                    lanes.add(lane, Entry { id, bytes }, now);
                    Appended::Stored
                }
                None => Appended::Duplicate,
            });
            let appended = appended.collect();
            memory.changed.notify_one();
            appended
        };
        self.thread.change(Change::Add, write, publish).await
    }

    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError> {
        let (claimed, suspects) = {
            let mut lanes = self.memory.lanes();
            (lanes.claim(limit, Instant::now(), lease), lanes.suspects.clone())
        };
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let claims: Vec<Claim> = claimed.iter().map(|claimed| claimed.claim).collect();
        let release = |claim: &Claim| self.memory.lanes().release(claim, Instant::now());
        let fenced = self.fence(&claimed).await;
        fenced.inspect_err(|_| claims.iter().for_each(release))?;
        let receipts = self.memory.traces().receipts;
        let read = self.thread.read(move |file| {
            let mut rows = rows::Reader::of(file, Table::Event)?;
            let mut read = |Claimed { claim, ids, .. }: Claimed| {
                let (mut events, mut gone) = (Vec::new(), Vec::new());
                for id in ids {
                    match rows.read(id)? {
                        Some(row) if !receipts || finish::is_done(file, id)?.is_none() => {
                            let crashes = suspects.of(id);
                            let mut waiting = Waiting::from(row);
                            (waiting.crashes, waiting.alone) = (crashes.crashes, crashes.alone);
                            events.push(waiting);
                        }
                        _ => gone.push(id),
                    }
                }
                Ok((Lane::new(claim, events), gone))
            };
            claimed.into_iter().map(&mut read).collect::<rusqlite::Result<Vec<_>>>()
        });
        let read = read.await.inspect_err(|_| claims.iter().for_each(release))?;
        let mut lanes = Vec::new();
        for (lane, gone) in read {
            if !gone.is_empty() {
                // If that fails it is done when they are claimed again.
                let _ = self.settle(lane.claim.lane, gone).await;
            }
            if lane.events.is_empty() {
                release(&lane.claim);
            } else {
                lanes.push(lane);
            }
        }
        Ok(lanes)
    }

    async fn started(&self, claim: &Claim, id: i64) -> Result<(), InboxError> {
        if !self.memory.lanes().holds(claim, id) {
            return Err(InboxError::new("the event was deleted, or its session is not held any more"));
        }
        self.memory.slots.started(*claim, id);
        Ok(())
    }

    async fn ended(&self, claim: &Claim, id: i64) {
        self.memory.slots.ended(*claim, id);
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, InboxError> {
        let mut lanes = self.memory.lanes();
        let until = Instant::now() + lease;
        let mut renew = |claim| if lanes.renew(claim, until) { Renewed::Renewed } else { Renewed::Lost };
        Ok(claims.iter().map(&mut renew).collect())
    }

    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<Finished>, InboxError> {
        let outcomes: Arc<[Outcome]> = outcomes.into();
        let failed = match self.record(Arc::clone(&outcomes), Vec::new()).await {
            Err(error) => error,
            Ok(held) => return Ok(held.into_iter().map(Finished::from).collect()),
        };
        // On a full disk there may be room for a little at a time; and what is damaged is one event alone.
        let mut held = Vec::new();
        for outcome in &*outcomes {
            let damaged = self.damaged(outcome).await?;
            let alone = self.record([outcome.clone()].into(), damaged).await;
            held.extend(alone.map_err(|_| failed.clone())?.into_iter().map(Finished::from));
        }
        Ok(held)
    }

    async fn changed(&self) {
        self.memory.changed.notified().await;
    }

    async fn stats(&self) -> Result<Stats, InboxError> {
        let oldest = "SELECT stored FROM event \
                      WHERE id NOT IN (SELECT id FROM damaged WHERE place = 'event') ORDER BY id LIMIT 1";
        let read = move |file: &Transaction<'_>| {
            file.prepare_cached(oldest)?.query_row([], |row| row.get::<_, i64>(0)).optional()
        };
        let oldest = self.thread.read(read).await?;
        let oldest = oldest.map(|stored| SystemTime::now().duration_since(time(stored)).unwrap_or_default());
        let lanes = self.memory.lanes();
        let totals = lanes.totals();
        Ok(Stats {
            waiting: totals.events - totals.running - totals.retrying,
            running: totals.running,
            retrying: totals.retrying,
            dead: self.memory.dead(),
            bytes: totals.bytes,
            oldest,
            paused: lanes.paused,
        })
    }

    async fn forget(&self, age: Duration) -> Result<u64, InboxError> {
        let (before, mut from, mut forgotten) = (before(age), forget::Position::default(), 0);
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

    fn receipt(&self, claim: &Claim, id: i64, archive: bool) -> Option<Receipt> {
        self.memory.expect_receipts();
        let record = "INSERT INTO desk_done (id, archive, epoch) VALUES (?1, ?2, ?3)".to_owned();
        let params = [id, archive.into(), claim.epoch].map(ReceiptValue::Int);
        Some(Receipt::new(record, params.into()))
    }

    async fn check(&self) -> Result<(), InboxError> {
        self.thread.run(Disk::check).await
    }

    async fn pending(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Pending>, InboxError> {
        let rows = page(&self.thread, Table::Event, filter, after, limit).await?;
        let lanes = self.memory.lanes();
        let pending = |row: Stored| {
            let (crashes, held) = (lanes.suspects.of(row.id), lanes.is_busy(row.lane, Instant::now()));
            let mut pending = Pending::from(row);
            (pending.crashes, pending.held) = (crashes.crashes, held);
            pending
        };
        Ok(rows.into_iter().map(pending).collect())
    }

    async fn dead_letters(
        &self,
        filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        let rows = page(&self.thread, Table::DeadLetter, filter, after, limit).await?;
        Ok(rows.into_iter().map(DeadLetter::from).collect())
    }

    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        let Some(letter) = self.read(Table::DeadLetter, id).await? else { return Ok(false) };
        let (memory, traces) = (Arc::clone(&self.memory), self.memory.traces());
        let write = move |file: &Transaction<'_>| sweep::requeue(file, &letter, traces);
        let publish = move |moved: Option<sweep::Moved>| {
            let found = moved.is_some();
            requeued(&memory, moved.into_iter().collect());
            found
        };
        self.thread.change(Change::Add, write, publish).await
    }

    async fn requeue_all(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.sweep(Table::DeadLetter, filter, Change::Add, sweep::requeue, requeued).await
    }

    async fn discard(&self, id: i64) -> Result<bool, InboxError> {
        let kinds: [(Table, sweep::Act, fn(&Memory, Vec<sweep::Moved>)); 2] = [
            // First, because a letter whose row is damaged is in both.
            (Table::DeadLetter, sweep::erase_letter, erased_letters),
            (Table::Event, sweep::erase_event, erased_events),
        ];
        for (table, act, publish) in kinds {
            let Some(row) = self.read(table, id).await? else { continue };
            let (memory, traces) = (Arc::clone(&self.memory), self.memory.traces());
            let write = move |file: &Transaction<'_>| act(file, &row, traces);
            let publish = move |moved: Option<sweep::Moved>| {
                let found = moved.is_some();
                publish(&memory, moved.into_iter().collect());
                found
            };
            if self.thread.change(Change::Erase, write, publish).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn retry_now(&self, filter: &Filter) -> Result<u64, InboxError> {
        const SOME: usize = 100;
        let (retrying, mut count) = (self.memory.lanes().retrying(), 0);
        for some in retrying.chunks(SOME) {
            let (some, filter, memory) = (some.to_vec(), filter.clone(), Arc::clone(&self.memory));
            let write = move |file: &Transaction<'_>| {
                let mut due = Vec::new();
                for (lane, ids) in &some {
                    let mut matching = Vec::new();
                    for id in ids {
                        let row = rows::read(file, Table::Event, *id)?;
                        let row =
                            row.filter(|row| filter.matches(&row.json, row.stored, row.error.as_deref()));
                        if let Some(row) = row {
                            sweep::retry_now(file, &row)?;
                            matching.push(row.id);
                        }
                    }
                    due.push((*lane, matching));
                }
                due.retain(|(_, matching)| !matching.is_empty());
                Ok(due)
            };
            let publish = move |due: Vec<(LaneKey, Vec<i64>)>| {
                let (mut lanes, now) = (memory.lanes(), Instant::now());
                due.iter().for_each(|(lane, ids)| lanes.retry(*lane, ids, now, now));
                memory.changed.notify_one();
                due.len() as u64
            };
            count += self.thread.change(Change::Take, write, publish).await?;
        }
        Ok(count)
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        let memory = Arc::clone(&self.memory);
        let write = move |file: &Transaction<'_>| file.execute("UPDATE state SET paused = ?1", [paused]);
        let publish = move |_| {
            memory.lanes().paused = paused;
            memory.changed.notify_one();
        };
        self.thread.change(Change::Take, write, publish).await
    }

    async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        self.purge_table(Table::DeadLetter, age, Memory::take_dead).await
    }

    async fn erase(&self, filter: &Filter) -> Result<u64, InboxError> {
        let events = self.sweep(Table::Event, filter, Change::Erase, sweep::erase_event, erased_events);
        let events = events.await?;
        let letters =
            self.sweep(Table::DeadLetter, filter, Change::Erase, sweep::erase_letter, erased_letters);
        let letters = letters.await?;
        let archived =
            self.sweep(Table::Archive, filter, Change::Erase, sweep::erase_archived, |_, _| ()).await?;
        if let Some(subject) = filter.subject() {
            self.erase_sessions(subject).await?;
        }
        // It is in the log still. If a reader is in the way, that is done later.
        self.thread.run(|disk| Ok(disk.log.empty(&mut disk.connection))).await?;
        Ok(events + letters + archived)
    }

    async fn archived(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Archived>, InboxError> {
        let rows = page(&self.thread, Table::Archive, filter, after, limit).await?;
        Ok(rows.into_iter().map(Archived::from).collect())
    }

    async fn replay(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.sweep(Table::Archive, filter, Change::Add, sweep::replay, replayed).await
    }

    async fn purge_archive(&self, age: Duration) -> Result<u64, InboxError> {
        self.purge_table(Table::Archive, age, |_, _| ()).await
    }

    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<KeptSession>, InboxError> {
        sessions::page(&self.thread, filter).await
    }

    async fn purge_sessions(&self, age: Duration) -> Result<u64, InboxError> {
        self.purge_kept_sessions(age).await
    }
}
