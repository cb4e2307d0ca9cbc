//! The write-ahead log: when it is carried over into the database, and whether its syncs can be relied on.

use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

/// Small checkpoints: what is accepted meanwhile waits for one, and a large one in the background disturbs for longer
/// (`benches/inbox`).
const PAGES: i64 = 200;

/// While nothing is accepted, fewer of them, because each takes three syncs.
const QUIET_PAGES: i64 = 1000;

#[derive(Default)]
pub(super) struct Log {
    /// A sync has failed. What was committed before without a sync may then be missing on the disk, although a later sync
    /// succeeds, and after a loss of power SQLite reads the log up to the first gap.
    broken: bool,
    /// Whether something was accepted since the last checkpoint.
    accepting: bool,
}

impl Log {
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) fn accepted(&mut self) {
        self.accepting = true;
    }

    /// Looks at how a write has ended.
    pub(super) fn observe<T>(&mut self, result: &rusqlite::Result<T>) {
        if let Err(error) = result {
            self.broken |= error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        }
    }

    /// Carries over what has gathered, as far as readers allow; it waits for none.
    pub(super) fn carry_over(&mut self, connection: &Connection) {
        let enough = if self.accepting { PAGES } else { QUIET_PAGES };
        if checkpoint(connection, "NOOP").is_ok_and(|log| log.pages < enough) {
            return;
        }
        self.accepting = false;
        let done = checkpoint(connection, "PASSIVE");
        self.observe(&done);
    }

    /// Empties it into the database, where what was taken away has left room, unless a reader is in the way. `false`: it is
    /// not empty.
    pub(super) fn empty(&mut self, connection: &mut Connection) -> bool {
        // A busy handler would wait for readers.
        let patience = connection.busy_timeout(Duration::ZERO);
        let done = checkpoint(connection, "TRUNCATE");
        let patience = patience.and_then(|()| super::file::be_patient(connection));
        self.observe(&done);
        let emptied = patience.is_ok() && done.is_ok_and(|log| !log.busy);
        self.broken &= !emptied;
        emptied
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(connection: &Connection) -> bool {
        checkpoint(connection, "NOOP").is_ok_and(|log| log.pages <= 0)
    }
}

struct Checkpoint {
    busy: bool,
    pages: i64,
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Checkpoint> {
    let mut checkpoint = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    checkpoint.query_row([], |row| Ok(Checkpoint { busy: row.get::<_, i64>(0)? != 0, pages: row.get(1)? }))
}
