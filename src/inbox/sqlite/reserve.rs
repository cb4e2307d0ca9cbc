//! Room on the disk for deleting, when there is none for anything else.
//!
//! SQLite writes even to delete. An inbox that has filled its disk could never empty itself without this.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

pub(super) struct Reserve {
    path: PathBuf,
    kept: bool,
}

/// More than the log and a few deletions, or less where there is no more.
const SIZES: [usize; 4] = [1024 * 1024, 512 * 1024, 256 * 1024, 128 * 1024];

impl Reserve {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, kept: false }
    }

    /// Whether it is there. Nothing may be added before it is.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Makes it. `false`: there is no room for it.
    pub(super) fn keep(&mut self) -> bool {
        self.kept = SIZES.into_iter().any(|size| self.write(size).inspect_err(|_| self.remove()).is_ok());
        self.kept
    }

    /// Makes room. `false`: there is none to be made.
    pub(super) fn spend(&mut self) -> bool {
        self.kept = false;
        fs::remove_file(&self.path).is_ok()
    }

    fn write(&self, size: usize) -> io::Result<()> {
        // Not zeros, which a file system may store as nothing.
        let mut bytes = vec![0; size];
        fastrand::fill(&mut bytes);
        let mut file = File::create(&self.path)?;
        file.write_all(&bytes)?;
        file.sync_all()
    }

    fn remove(&self) {
        // What is left of it is written over the next time.
        let _ = fs::remove_file(&self.path);
    }
}
