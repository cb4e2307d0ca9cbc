//! What is done while the thread has nothing else to do: what was deleted is overwritten, also in free pages and in the log, and
//! a file that is mostly empty becomes smaller.
//!
//! SQLite could do both with each deletion (`secure_delete`, `auto_vacuum`), but that halves the rate of deliveries.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{file::Disk, log::Log, thread::Work};

/// After this long without work the thread counts as idle.
const IDLE: Duration = Duration::from_millis(50);

/// How often the log is emptied at most, because that costs several syncs.
const SELDOM: Duration = Duration::from_secs(1);

/// Free pages that are kept, because they are about to be used again: 1 MiB.
const KEEP: i64 = 256;

/// The largest contents that are rewritten beside acceptance, which waits for that for a fraction of a second: 32 MiB.
const SMALL: i64 = 8192;

/// The largest contents that are rewritten when the inbox is opened: 512 MiB.
const LARGE: i64 = 131_072;

/// How many free pages are overwritten at a time: work that arrives meanwhile waits for some milliseconds.
const STEP: i64 = 256;

/// How long closing an inbox may take longer for that.
const FAREWELL: Duration = Duration::from_millis(300);

pub(super) struct Upkeep {
    /// Whether something was changed since all was done.
    pending: bool,
    /// Whether free pages may have something in them.
    freed: bool,
    last: Instant,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self { pending: true, freed: true, last: Instant::now() }
    }
}

impl Upkeep {
    pub(super) fn changed(&mut self) {
        (self.pending, self.freed) = (true, true);
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
        if self.upkeep.freed && self.overwrite() || self.upkeep.last.elapsed() < SELDOM {
            return;
        }
        // If a reader is in the way it is tried again.
        self.upkeep.pending = !(Log::is_empty(&self.connection) || self.log.empty(&mut self.connection));
        self.upkeep.last = Instant::now();
    }

    fn close(&mut self) {
        let begun = Instant::now();
        while self.upkeep.freed && begun.elapsed() < FAREWELL && self.overwrite() {}
    }
}

impl Disk {
    /// Overwrites some of the free pages. `false`: all are, or it failed.
    fn overwrite(&mut self) -> bool {
        let result = if is_mostly_free(&self.connection, SMALL) {
            // The pages are not there any more afterwards.
            self.connection.execute_batch("VACUUM").map(|()| false)
        } else {
            overwrite(&self.connection)
        };
        self.log.observe(&result);
        self.log.carry_over(&self.connection);
        self.upkeep.freed = matches!(result, Ok(true));
        self.upkeep.freed
    }
}

/// A row of zeros takes up free pages. They stay taken until there are no more, because others are to be taken next.
fn overwrite(connection: &Connection) -> rusqlite::Result<bool> {
    let free = number(connection, "freelist_count").min(STEP);
    if free == 0 {
        connection.prepare_cached("DELETE FROM scratch")?.execute([])?;
        return Ok(false);
    }
    let page = number(connection, "page_size");
    // Each has a number of four bytes, and one of them is the row's own.
    let zeros = ((free - 1) * (page - 4)).max(1);
    connection.prepare_cached("INSERT INTO scratch (zeros) VALUES (zeroblob(?1))")?.execute([zeros])?;
    Ok(true)
}

fn is_mostly_free(connection: &Connection, largest: i64) -> bool {
    let free = number(connection, "freelist_count");
    let used = number(connection, "page_count") - free;
    free > KEEP && free >= used && used <= largest
}

fn number(connection: &Connection, pragma: &str) -> i64 {
    let statement = connection.prepare_cached(&format!("PRAGMA {pragma}"));
    statement.and_then(|mut statement| statement.query_row([], |row| row.get(0))).unwrap_or(0)
}

/// Rewrites a file that is mostly empty, and one of the first release, which holds what was deleted. If that fails, for lack of
/// room, the next start tries it again.
pub(super) fn rewrite(connection: &Connection) {
    let cleaned = connection.query_row("SELECT cleaned FROM state", [], |row| row.get(0)).unwrap_or(true);
    if cleaned && !is_mostly_free(connection, LARGE) {
        return;
    }
    // In a temporary file instead of in memory, because it can be large.
    let rewritten = connection
        .execute_batch("PRAGMA temp_store = FILE")
        .and_then(|()| connection.execute_batch("VACUUM"));
    let _ = connection.execute_batch("PRAGMA temp_store = MEMORY");
    if rewritten.is_ok() && !cleaned {
        let _ = connection.execute_batch("UPDATE state SET cleaned = TRUE");
    }
}
