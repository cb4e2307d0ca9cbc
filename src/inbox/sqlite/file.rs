//! The file: whose it is, what is in it, and how it is kept safe.

use std::{fs::File, path::Path, thread, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::{
    files::Files,
    lock,
    log::Log,
    presence::Presence,
    reserve::Reserve,
    upkeep::{self, Upkeep},
};
use crate::inbox::InboxError;

/// Marks a file as an inbox: `desk` as SQLite's application id.
const APPLICATION: i32 = i32::from_be_bytes(*b"desk");

/// What the first release wrote. A later one adds its changes to [`UPGRADES`].
pub(super) const VERSION: usize = UPGRADES.len();

/// What makes version n + 1 out of version n; a new file is version 0.
const UPGRADES: [&str; 3] =
    [include_str!("schema.sql"), include_str!("upgrade-2.sql"), include_str!("upgrade-3.sql")];

/// SQLite can damage a file that two connections write and checkpoint at once in versions before this (its release notes on
/// the WAL-reset bug).
const OLDEST_SQLITE: i32 = 3_051_003;

/// The file, and ours alone.
pub(super) struct Disk {
    pub(super) connection: Connection,
    /// Whether commits are synced; `None`: as SQLite was left.
    pub(super) synced: Option<bool>,
    /// Whether something may be in the log that was not there when it was looked at last.
    pub(super) committed: bool,
    pub(super) log: Log,
    pub(super) presence: Presence,
    pub(super) reserve: Reserve,
    pub(super) upkeep: Upkeep,
    pub(super) lock: File,
}

/// Opens the inbox, and creates it if it is not there.
pub(super) fn open(path: &Path) -> Result<Disk, InboxError> {
    check_version()?;
    let files = Files::at(path)?;
    files.create()?;
    files.protect()?;
    identify(&connect(&files)?, &files)?;
    let lock = lock::take(&files)?;
    own(files, lock)
}

/// Opens an inbox whose lock is ours.
pub(super) fn own(files: Files, lock: File) -> Result<Disk, InboxError> {
    let connection = prepare(connect(&files)?, &files)?;
    files.protect()?;
    Ok(Disk {
        log: Log::default(),
        presence: Presence::of(&files),
        connection,
        synced: None,
        committed: true,
        reserve: Reserve::new(files),
        upkeep: Upkeep::default(),
        lock,
    })
}

pub(super) fn check_version() -> Result<(), InboxError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        let version = rusqlite::version();
        return Err(InboxError::new(format!(
            "SQLite {version} is too old for an inbox: 3.51.3 is needed, and built in unless LIBSQLITE3_SYS_USE_PKG_CONFIG is set"
        )));
    }
    Ok(())
}

/// A connection to a database that is there. Without SQLITE_OPEN_URI: a name is a path, whatever is in it.
pub(super) fn connect(files: &Files) -> Result<Connection, InboxError> {
    let failed = failure(files);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(files.database(), flags).map_err(&failed)?;
    be_patient(&mut connection).map_err(&failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

pub(super) fn be_patient(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait as fn(i32) -> bool))
}

/// More than there are.
const STATEMENTS: usize = 64;

/// Waits for the transaction of another connection, at most 5 seconds. Short waits: SQLite's own, of up to 100 ms, starve
/// beside a program that writes one transaction after another.
fn wait(times: i32) -> bool {
    thread::sleep(Duration::from_millis(1));
    times < 5_000
}

fn failure(files: &Files) -> impl Fn(rusqlite::Error) -> InboxError {
    let shown = files.given().to_string();
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            InboxError::new(format!("{shown} is not an inbox: it is not even an SQLite file"))
        }
        _ => InboxError::caused(format_args!("cannot open the inbox {shown}"), &error),
    }
}

/// Looks at it, and changes nothing. Gives its version; 0: it is empty.
pub(super) fn identify(connection: &Connection, files: &Files) -> Result<usize, InboxError> {
    let failed = failure(files);
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(&failed)
    };
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(&failed)?;
    let shown = files.given();
    if tables > 0 && number("application_id")? != APPLICATION {
        return Err(InboxError::new(format!("{shown} is not an inbox: it is another program's database")));
    }
    let version = usize::try_from(number("user_version")?).unwrap_or(usize::MAX);
    if version > VERSION {
        return Err(InboxError::new(format!(
            "the inbox {shown} is of version {version}, and this release knows versions up to {VERSION}: use a later release"
        ))
        .newer_schema());
    }
    Ok(version)
}

fn prepare(mut connection: Connection, files: &Files) -> Result<Connection, InboxError> {
    let failed = failure(files);
    // It holds for a new file at once, and for one of an earlier release once that is rewritten.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(&failed)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(&failed)?;
    if mode != "wal" {
        return Err(InboxError::new(format!(
            "the inbox {} cannot have a write-ahead log ({mode}): it has to be a file on a local disk",
            files.given()
        )));
    }
    for setting in SETTINGS {
        connection.execute_batch(setting).map_err(&failed)?;
    }

    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let version = identify(&change, files)?;
    if version < VERSION {
        for upgrade in &UPGRADES[version..] {
            change.execute_batch(upgrade).map_err(&failed)?;
        }
        change.pragma_update(None, "application_id", APPLICATION).map_err(&failed)?;
        change.pragma_update(None, "user_version", VERSION as i32).map_err(&failed)?;
    }
    change.commit().map_err(&failed)?;
    upkeep::rewrite(&connection);
    Ok(connection)
}

/// FULL: a commit is on the disk when it returns. The fullfsyncs make that true on macOS. No checkpoints but those of
/// [`Log`]. A log that has grown in a rush shrinks again. FAST: what is deleted is overwritten, except in pages that become
/// free, which `upkeep.rs` does later.
const SETTINGS: [&str; 8] = [
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_size_limit = 16777216",
    "PRAGMA cache_size = -8192",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = FAST",
];
