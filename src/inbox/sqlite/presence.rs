//! Whether the files still have their names. What is written to a deleted file is lost when the process ends.

#[cfg(unix)]
use std::path::PathBuf;

use super::files::Files;
use crate::inbox::InboxError;

/// The files as they were when the inbox was opened.
pub(super) struct Presence {
    #[cfg(unix)]
    files: Vec<(PathBuf, Option<(u64, u64)>)>,
}

#[cfg(unix)]
impl Presence {
    pub(super) fn of(files: &Files) -> Self {
        let named = |suffix: &&str| {
            let path = files.beside(suffix);
            let identity = identity(&path);
            (path, identity)
        };
        Self { files: ["", "-wal", "-shm"].iter().map(named).collect() }
    }

    /// # Errors
    ///
    /// One of them was deleted or replaced.
    pub(super) fn check(&self) -> Result<(), InboxError> {
        match self.files.iter().find(|(path, opened)| identity(path) != *opened) {
            Some((path, _)) => Err(InboxError::new(format!(
                "{} was deleted or replaced while the inbox is open: put it back, or restart the process",
                path.display()
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(unix)]
fn identity(path: &std::path::Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;

    std::fs::symlink_metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

/// Elsewhere an open file cannot be deleted.
#[cfg(not(unix))]
impl Presence {
    pub(super) fn of(_: &Files) -> Self {
        Self {}
    }

    pub(super) fn check(&self) -> Result<(), InboxError> {
        Ok(())
    }
}
