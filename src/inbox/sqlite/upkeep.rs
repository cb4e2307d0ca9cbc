//! Overwrites what was deleted, and gives free pages back: when the thread is idle, and every minute when it never is.
//!
//! SQLite overwrites deleted rows at once (`secure_delete = FAST`), but not pages that become free, and not its log. To do that
//! with each deletion would halve the rate of deliveries.

use std::{
    mem,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{file::Disk, log::Log, thread::Work};

/// After this long without work the thread is idle. Steps are at least this far apart, too: each takes some milliseconds.
const IDLE: Duration = Duration::from_millis(50);

/// After this long without a change. A busy machine can make the thread wait for shorter times in the middle of its work.
const QUIET: Duration = Duration::from_millis(500);

/// Between two passes of an idle thread, because each costs several syncs.
const SELDOM: Duration = Duration::from_secs(1);

/// After this long without a whole pass it is made beside other work.
const OFTEN_ENOUGH: Duration = Duration::from_secs(60);

/// Free pages that are kept, because they are about to be used again: 1 MiB.
const KEEP: i64 = 256;

/// How many pages a step moves or overwrites.
const STEP: i64 = 256;

/// How long closing an inbox may take longer for that.
const FAREWELL: Duration = Duration::from_millis(300);

pub(super) struct Upkeep {
    /// Whether something was changed since the last pass began, and when it was last.
    changed: bool,
    changed_at: Instant,
    next: Next,
    /// When the last step was made, and how long to wait then.
    last: Instant,
    wait: Duration,
    /// When the last pass was complete.
    passed: Instant,
}

/// What the next step does. All steps together are a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Begin,
    /// Gives free pages back until few are left: at most so many.
    Shrink(i64),
    /// Overwrites the free pages that are left, by a row of zeros that takes them up.
    Overwrite,
    /// Frees them again, when there are no others.
    Free,
    /// Overwrites the log by emptying it.
    EmptyLog,
}

impl Default for Upkeep {
    fn default() -> Self {
        let now = Instant::now();
        Self { changed: true, changed_at: now, next: Next::Begin, last: now, wait: SELDOM, passed: now }
    }
}

impl Upkeep {
    pub(super) fn changed(&mut self) {
        (self.changed, self.changed_at) = (true, Instant::now());
    }

    fn is_done(&self) -> bool {
        self.next == Next::Begin && !self.changed
    }
}

impl Work for Disk {
    fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn after_job(&mut self) {
        self.settle(Instant::now());
    }

    fn pause(&self) -> Option<Duration> {
        (!self.upkeep.is_done()).then_some(IDLE)
    }

    fn tidy(&mut self) {
        let is_quiet = self.upkeep.changed_at.elapsed() >= QUIET;
        if is_quiet && self.upkeep.last.elapsed() >= self.upkeep.wait {
            self.step(Instant::now());
        }
    }

    fn close(&mut self) {
        let begun = Instant::now();
        while !self.upkeep.is_done() && begun.elapsed() < FAREWELL && self.step(begun) {}
    }
}

impl Disk {
    /// Carries over what the log has gathered, and makes a step if one is due although there is more to do.
    fn settle(&mut self, now: Instant) {
        if mem::take(&mut self.committed) {
            self.log.carry_over(&self.connection);
        }
        let is_longer_ago = |time, than| now.saturating_duration_since(time) >= than;
        let is_overdue = !self.upkeep.is_done() && is_longer_ago(self.upkeep.passed, OFTEN_ENOUGH);
        if is_overdue && is_longer_ago(self.upkeep.last, self.upkeep.wait.max(IDLE)) {
            self.step(now);
        }
    }

    /// `false`: something is in the way.
    fn step(&mut self, now: Instant) -> bool {
        let next = self.next_step();
        self.log.observe(&next);
        self.log.carry_over(&self.connection);
        let went_on = matches!(next, Ok(Some(_)));
        match next {
            Ok(next) => self.upkeep.next = next.unwrap_or(self.upkeep.next),
            // For lack of room, for example: the next pass tries it again.
            Err(_) => (self.upkeep.next, self.upkeep.changed) = (Next::Begin, true),
        }
        let has_passed = went_on && self.upkeep.next == Next::Begin;
        if has_passed {
            self.upkeep.passed = now;
        }
        let goes_on = went_on && !has_passed;
        (self.upkeep.last, self.upkeep.wait) = (now, if goes_on { Duration::ZERO } else { SELDOM });
        went_on
    }

    /// Returns what comes then. `None`: the same again.
    fn next_step(&mut self) -> rusqlite::Result<Option<Next>> {
        if self.upkeep.next != Next::EmptyLog {
            self.set_synced(false)?;
        }
        let free = number(&self.connection, "freelist_count")?;
        Ok(Some(match self.upkeep.next {
            Next::Begin => {
                self.upkeep.changed = false;
                Next::Shrink(free)
            }
            Next::Shrink(left) if left > 0 && free > KEEP => {
                let pages = STEP.min(free - KEEP);
                give_back(&self.connection, pages)?;
                Next::Shrink(left - pages)
            }
            Next::Shrink(_) => Next::Overwrite,
            Next::Overwrite if free > 0 => {
                overwrite(&self.connection, STEP.min(free))?;
                Next::Overwrite
            }
            Next::Overwrite => Next::Free,
            Next::Free => {
                self.connection.prepare_cached("DELETE FROM scratch")?.execute([])?;
                Next::EmptyLog
            }
            Next::EmptyLog if Log::is_empty(&self.connection) => Next::Begin,
            // A reader may be in the way.
            Next::EmptyLog => return Ok(self.log.empty(&mut self.connection).then_some(Next::Begin)),
        }))
    }
}

/// Moves the last pages of the file into free ones, and cuts it off behind the others.
fn give_back(connection: &Connection, pages: i64) -> rusqlite::Result<()> {
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut moved = vacuum.query([])?;
    while moved.next()?.is_some() {}
    Ok(())
}

/// A row of zeros takes up free pages. They stay taken until there are no more, because others are to be taken next.
fn overwrite(connection: &Connection, free: i64) -> rusqlite::Result<()> {
    let page = number(connection, "page_size")?;
    // Each has a number of four bytes, and one of them is the row's own.
    let zeros = ((free - 1) * (page - 4)).max(1);
    connection.prepare_cached("INSERT INTO scratch (zeros) VALUES (zeroblob(?1))")?.execute([zeros]).map(drop)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(&format!("PRAGMA {pragma}"))?.query_row([], |row| row.get(0))
}

/// Rewrites a file of an earlier release, in which deleted events can be read and which cannot shrink. If that fails, for lack
/// of room, the next start tries it again.
pub(super) fn rewrite(connection: &Connection) {
    const INCREMENTAL: i64 = 2;
    if number(connection, "auto_vacuum").is_ok_and(|mode| mode == INCREMENTAL) {
        return;
    }
    // In a temporary file instead of in memory, because it can be large.
    let _ = connection.execute_batch("PRAGMA temp_store = FILE; VACUUM");
    let _ = connection.execute_batch("PRAGMA temp_store = MEMORY");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        fs,
        path::Path,
        time::{Duration, Instant},
    };

    use super::Next;
    use crate::inbox::sqlite::{
        commit::Change,
        file::{self, Disk},
    };

    const MARK: &str = "a customer's words";
    const MIB: u64 = 1 << 20;

    fn insert(disk: &mut Disk, ids: impl Iterator<Item = i64> + Clone, json: &str) {
        let insert = "INSERT INTO event (id, lane, stored, json) VALUES (?1, zeroblob(16), 0, ?2)";
        let work = |file: &rusqlite::Transaction<'_>| {
            let mut insert = file.prepare_cached(insert)?;
            ids.clone().try_for_each(|id| insert.execute((id, json)).map(drop))
        };
        disk.change(Change::Take, work).unwrap();
    }

    fn delete(disk: &mut Disk, below: i64) {
        let work =
            |file: &rusqlite::Transaction<'_>| file.execute("DELETE FROM event WHERE id < ?1", [below]);
        disk.change(Change::Take, work).unwrap();
    }

    fn size(path: &Path) -> u64 {
        fs::metadata(path).unwrap().len()
    }

    fn is_readable(folder: &Path) -> bool {
        let has = |bytes: Vec<u8>| bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
        fs::read_dir(folder).unwrap().any(|entry| fs::read(entry.unwrap().path()).is_ok_and(has))
    }

    /// Events come and go every 20 ms, so that the thread is never idle.
    #[test]
    fn deleted_events_are_gone_and_the_file_is_small_within_two_minutes_of_constant_load() {
        let folder = std::env::temp_dir().join(format!("desk-upkeep-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("desk.db");
        let mut disk = file::open(&path).unwrap();
        let text = MARK.repeat(10_000 / MARK.len());
        insert(&mut disk, 0..4_000, &text);
        disk.settle(Instant::now());
        // Behind them 40 MiB wait.
        insert(&mut disk, 10_000..14_000, &"x".repeat(10_000));
        disk.settle(Instant::now());
        assert!(size(&path) > 75 * MIB, "{} MiB", size(&path) / MIB);
        assert!(is_readable(&folder));
        delete(&mut disk, 10_000);

        let (begun, short) = (Instant::now(), MARK.repeat(40));
        let at = |tick: u32| begun + Duration::from_millis(20) * tick;
        for tick in 0..6_000 {
            let id = 20_000 + i64::from(tick);
            let json = if tick < 3_000 { &short } else { "short" };
            insert(&mut disk, id..id + 1, json);
            let gone = "DELETE FROM event WHERE id BETWEEN 20000 AND ?1";
            disk.change(Change::Take, |file| file.prepare_cached(gone)?.execute([id - 50])).unwrap();
            disk.settle(at(tick));
        }
        assert!(size(&path) < 48 * MIB, "{} MiB", size(&path) / MIB);
        assert!(size(&folder.join("desk.db-wal")) < 4 * MIB);
        // The pass that is under way may have what was deleted since it began.
        for tick in 6_000.. {
            disk.settle(at(tick));
            if disk.upkeep.next == Next::Begin {
                break;
            }
        }
        assert!(!is_readable(&folder));
        drop(disk);
        fs::remove_dir_all(folder).unwrap();
    }
}
