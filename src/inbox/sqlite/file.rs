//! The file: whose it is, what is in it, and how it is kept safe.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

use super::reserve::Reserve;
use crate::inbox::InboxError;

/// Marks a file as an inbox: `desk` as SQLite's application id.
const APPLICATION: i32 = i32::from_be_bytes(*b"desk");

/// What the first release wrote. A later one adds its changes to [`UPGRADES`].
const VERSION: usize = UPGRADES.len();

/// What makes version n + 1 out of version n; a new file is version 0.
const UPGRADES: [&str; 1] = [include_str!("schema.sql")];

/// SQLite can damage a file that two connections write and checkpoint at once in versions before this (its release notes on
/// the WAL-reset bug).
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a process that ends may take to let go of the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// The file, and ours alone.
pub(super) struct Disk {
    pub(super) connection: Connection,
    pub(super) reserve: Reserve,
    _lock: File,
}

pub(super) fn open(path: &Path) -> Result<Disk, InboxError> {
    let shown = path.display();
    if rusqlite::version_number() < OLDEST_SQLITE {
        let version = rusqlite::version();
        return Err(InboxError::new(format!(
            "SQLite {version} is too old for an inbox: 3.51.3 is needed, and built in unless LIBSQLITE3_SYS_USE_PKG_CONFIG is set"
        )));
    }
    let failed = |error| InboxError::caused(format_args!("cannot open the inbox {shown}"), &error);
    let connection = Connection::open(path).map_err(failed)?;
    // The same for every way to write the path.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = |suffix: &str| {
        let mut name = real.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    let lock = lock(path, &beside("-lock"))?;
    let connection = prepare(connection, path)?;
    Ok(Disk { connection, reserve: Reserve::new(beside("-reserve")), _lock: lock })
}

/// A file beside the inbox: a lock on the inbox itself would lift SQLite's own when it is closed.
fn lock(path: &Path, name: &Path) -> Result<File, InboxError> {
    let failed = |error| InboxError::caused(format_args!("cannot lock {}", name.display()), &error);
    let file = File::options().create(true).truncate(false).write(true).open(name).map_err(failed)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(InboxError::new(format!(
                    "the inbox {} is open already: one process, and in it one `Inbox` with its clones, can have it; for several processes use PostgreSQL",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn prepare(mut connection: Connection, path: &Path) -> Result<Connection, InboxError> {
    let shown = path.display();
    let failed = |error| match rusqlite::Error::sqlite_error_code(&error) {
        Some(ErrorCode::NotADatabase) => {
            InboxError::new(format!("{shown} is not an inbox: it is not even an SQLite file"))
        }
        _ => InboxError::caused(format_args!("cannot open the inbox {shown}"), &error),
    };
    // Others may read meanwhile, and hold us up for a moment.
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(InboxError::new(format!(
            "the inbox {shown} cannot have a write-ahead log ({mode}): it has to be a file on a local disk"
        )));
    }
    connection.execute_batch(SETTINGS).map_err(failed)?;

    let change =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    let number = |pragma: &str| change.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let tables: i64 =
        change.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(failed)?;
    if tables > 0 && number("application_id").map_err(failed)? != APPLICATION {
        return Err(InboxError::new(format!("{shown} is not an inbox: it is another program's database")));
    }
    let version = usize::try_from(number("user_version").map_err(failed)?).unwrap_or(usize::MAX);
    let Some(upgrades) = UPGRADES.get(version..) else {
        return Err(InboxError::new(format!(
            "the inbox {shown} is of version {version}, and this release knows versions up to {VERSION}: use a later release"
        )));
    };
    if !upgrades.is_empty() {
        for upgrade in upgrades {
            change.execute_batch(upgrade).map_err(failed)?;
        }
        change.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
        change.pragma_update(None, "user_version", VERSION as i32).map_err(failed)?;
    }
    change.commit().map_err(failed)?;
    Ok(connection)
}

/// FULL: a commit is on the disk when it returns. The fullfsyncs make that true on macOS. Small checkpoints: whoever is being
/// accepted meanwhile waits for one, and a large one in the background disturbs for longer (`benches/inbox`). A log that
/// has grown in a rush shrinks again.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 200;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA cache_size = -32768;
    PRAGMA temp_store = MEMORY;
";
