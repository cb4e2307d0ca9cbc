//! What the process that has the inbox keeps in memory, and how it is made when the inbox is opened.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use tokio::sync::Notify;

use super::{
    commit::Change,
    crashes::{self, Suspects},
    file::Disk,
    finish::{self, Traces},
    lanes::Lanes,
    millis,
    queue::Entry,
    rows,
    slots::{Left, Slots},
    sweep::Moved,
};
use crate::inbox::{InboxError, store::LaneKey};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Memory {
    lanes: Mutex<Lanes>,
    pub(super) slots: Slots,
    dead: AtomicU64,
    receipts: AtomicBool,
    pub(super) changed: Notify,
}

impl Memory {
    /// Counts the crashes of the last run, finishes what handlers have recorded as done, and reads what waits.
    pub(super) fn open(disk: &mut Disk) -> Result<Self, InboxError> {
        let left = Slots::read(&disk.lock);
        // One that is damaged stays, and is not delivered.
        let _ = disk.change(Change::Take, |file| finish::settle_all(file, ALL_TRACES));
        let (lanes, run, dead) = disk.change(Change::Take, |file| begin(file, &left))?;
        let failed = |error| InboxError::caused("cannot use the inbox's lock file", &error);
        let slots = Slots::start(disk.lock.try_clone().map_err(failed)?, run);
        Ok(Self {
            lanes: Mutex::new(lanes),
            slots,
            dead: AtomicU64::new(dead),
            receipts: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    pub(super) fn add_dead(&self, count: u64) {
        self.dead.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn take_dead(&self, count: u64) {
        self.dead.fetch_sub(count, Ordering::Relaxed);
    }

    /// From now on events may be done that their handlers have recorded.
    pub(super) fn expect_receipts(&self) {
        self.receipts.store(true, Ordering::Relaxed);
    }

    pub(super) fn traces(&self) -> Traces {
        let lanes = self.lanes();
        let receipts = self.receipts.load(Ordering::Relaxed);
        Traces { receipts, crashes: lanes.suspects.any(), epoch: lanes.last_epoch() }
    }
}

const ALL_TRACES: Traces = Traces { receipts: true, crashes: true, epoch: 0 };

fn begin(file: &Transaction<'_>, left: &Left) -> rusqlite::Result<(Lanes, i64, u64)> {
    let (last, paused): (i64, bool) =
        file.query_row("SELECT run, paused FROM state", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // If this fails after the commit, and before a new table is written, the old one is of the run before the last.
    let running = if left.run == last { &left.running[..] } else { &[] };
    crashes::count(file, running)?;
    let run = last + 1;
    file.execute("UPDATE state SET run = ?1", [run])?;
    let mut lanes = Lanes::of_run(run);
    lanes.paused = paused;
    read_lanes(file, &mut lanes)?;
    let dead = "SELECT (SELECT count(*) FROM dead_letter) - (SELECT count(*) FROM damaged WHERE place = 'dead_letter')";
    let dead: i64 = file.query_row(dead, [], |row| row.get(0))?;
    Ok((lanes, run, dead.unsigned_abs()))
}

fn read_lanes(file: &Connection, lanes: &mut Lanes) -> rusqlite::Result<()> {
    let (now, clock) = (Instant::now(), millis(SystemTime::now()));
    let mut events = file.prepare(
        "SELECT id, lane, retry_at, octet_length(json) FROM event \
         WHERE id NOT IN (SELECT id FROM damaged WHERE place = 'event') AND id NOT IN (SELECT id FROM desk_done) ORDER BY id",
    )?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let lane = rows::lane(id, row.get(1));
        let bytes = usize::try_from(row.get::<_, i64>(3).unwrap_or_default()).unwrap_or(0);
        lanes.add(lane, Entry { id, bytes }, now);
        if let Some(retry_at) = row.get::<_, Option<i64>>(2).ok().flatten() {
            let left = u64::try_from(retry_at.saturating_sub(clock)).unwrap_or(0);
            // The clock may have been wrong when that was written.
            lanes.retry(lane, &[id], now + Duration::from_millis(left).min(DAY), now);
        }
    }
    lanes.suspects = Suspects::read(file)?;
    let of_suspects = lanes.suspects.ids().map(|id| lane_of(file, id)).collect::<Result<Vec<_>, _>>()?;
    lanes.put_first(of_suspects.into_iter().flatten(), now);
    Ok(())
}

pub(super) fn lane_of(file: &Connection, id: i64) -> rusqlite::Result<Option<LaneKey>> {
    let lane = |row: &Row<'_>| Ok(rows::lane(id, row.get(0)));
    file.prepare_cached("SELECT lane FROM event WHERE id = ?1")?.query_row([id], lane).optional()
}

/// Dead letters have become waiting events.
pub(super) fn requeued(memory: &Memory, moved: Vec<Moved>) {
    memory.take_dead(moved.len() as u64);
    let mut lanes = memory.lanes();
    moved.into_iter().for_each(|(lane, entry)| lanes.add_in_place(lane, entry, Instant::now()));
    memory.changed.notify_one();
}

/// Archived events have become waiting events.
pub(super) fn replayed(memory: &Memory, moved: Vec<Moved>) {
    let mut lanes = memory.lanes();
    moved.into_iter().for_each(|(lane, entry)| lanes.add(lane, entry, Instant::now()));
    memory.changed.notify_one();
}

/// Waiting events were deleted.
pub(super) fn erased_events(memory: &Memory, moved: Vec<Moved>) {
    let mut lanes = memory.lanes();
    moved.iter().for_each(|(lane, entry)| lanes.remove(*lane, &[entry.id], Instant::now()));
}

/// Dead letters were deleted.
pub(super) fn erased_letters(memory: &Memory, moved: Vec<Moved>) {
    memory.take_dead(moved.len() as u64);
}
