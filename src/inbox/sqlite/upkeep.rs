//! What is done while the thread has nothing else to do: free pages go back to the file system, and the log is emptied, so that
//! nothing is left in it of what was deleted.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{file::Disk, log::Log, thread::Work};

/// After this long without work the thread counts as idle.
const IDLE: Duration = Duration::from_millis(50);

/// How often the log is emptied at most, because it costs several syncs.
const EMPTY: Duration = Duration::from_secs(1);

/// Free pages that are kept, because they are about to be used again.
const KEEP: i64 = 256;

/// How many are given back at a time: work that arrives meanwhile waits for about a millisecond.
const STEP: i64 = 128;

/// A busy inbox gives pages back only if more than this part of them is free.
const BUSY_PART: i64 = 4;

pub(super) struct Upkeep {
    /// Whether something was changed since the log was emptied.
    pending: bool,
    last: Instant,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self { pending: true, last: Instant::now() }
    }
}

impl Upkeep {
    pub(super) fn changed(&mut self) {
        self.pending = true;
    }
}

impl Work for Disk {
    fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn pause(&self) -> Option<Duration> {
        self.upkeep.pending.then_some(IDLE)
    }

    fn tidy(&mut self) {
        if shrink(self, KEEP) || self.upkeep.last.elapsed() < EMPTY {
            return;
        }
        // If a reader is in the way it is tried again.
        self.upkeep.pending = !(Log::is_empty(&self.connection) || self.log.empty(&mut self.connection));
        self.upkeep.last = Instant::now();
    }

    fn tidy_a_little(&mut self) {
        if self.upkeep.pending && self.upkeep.last.elapsed() >= EMPTY {
            self.upkeep.last = Instant::now();
            let pages = number(&self.connection, "page_count");
            shrink(self, KEEP.max(pages / BUSY_PART));
        }
    }
}

/// Gives back some of the free pages above `keep`. `false`: there are none, or it failed.
fn shrink(disk: &mut Disk, keep: i64) -> bool {
    let free = number(&disk.connection, "freelist_count");
    if free <= keep {
        return false;
    }
    let shrunk = incremental_vacuum(&disk.connection, STEP.min(free - keep));
    disk.log.observe(&shrunk);
    disk.log.carry_over(&disk.connection);
    shrunk.is_ok_and(|pages| pages > 0)
}

/// The statement gives a row for each page, and goes on as long as it is asked for the next.
fn incremental_vacuum(connection: &Connection, pages: i64) -> rusqlite::Result<usize> {
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = vacuum.query([])?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn number(connection: &Connection, pragma: &str) -> i64 {
    let statement = connection.prepare_cached(&format!("PRAGMA {pragma}"));
    statement.and_then(|mut statement| statement.query_row([], |row| row.get(0))).unwrap_or(0)
}

/// Rewrites a file of the first release, which does not give pages back and holds what was deleted. If that fails, for lack of
/// room, the next start tries it again.
pub(super) fn make_shrinkable(connection: &Connection) {
    const INCREMENTAL: i64 = 2;
    if number(connection, "auto_vacuum") != INCREMENTAL {
        // In a temporary file instead of in memory, because it can be large.
        for statement in [
            "PRAGMA temp_store = FILE",
            "PRAGMA auto_vacuum = INCREMENTAL",
            "VACUUM",
            "PRAGMA temp_store = MEMORY",
        ] {
            let _ = connection.execute_batch(statement);
        }
    }
}
