//! Who has the inbox: the process that holds the lock on a file beside it.

use std::{
    fs::{File, TryLockError},
    thread,
    time::{Duration, Instant},
};

use super::files::Files;
use crate::inbox::InboxError;

/// How long a process that ends may take to let go of the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// A lock on the inbox itself would lift SQLite's own when it is closed.
pub(super) fn take(files: &Files) -> Result<File, InboxError> {
    let begun = Instant::now();
    loop {
        if let Some(file) = try_take(files)? {
            return Ok(file);
        }
        if begun.elapsed() >= PATIENCE {
            return Err(InboxError::new(format!(
                "the inbox {} is open already: one process, and in it one `Inbox` with its clones, can have it; for several processes use PostgreSQL",
                files.given()
            ))
            .locked());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// `None`: another process has it, or another inbox of this one.
pub(super) fn try_take(files: &Files) -> Result<Option<File>, InboxError> {
    let file = files.open_beside("-lock")?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(InboxError::caused(format_args!("cannot lock {}", files.beside("-lock").display()), &error))
        }
    }
}
