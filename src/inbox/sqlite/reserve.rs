//! Room on the disk for deleting, when there is none for anything else.
//!
//! SQLite writes even to delete. An inbox that has filled its disk could never empty itself without this.

use std::{
    fs,
    io::{self, Write as _},
};

use super::files::Files;

pub(super) struct Reserve {
    files: Files,
    kept: bool,
}

/// More than the log and a few deletions, or less where there is no more.
const SIZES: [usize; 4] = [1024 * 1024, 512 * 1024, 256 * 1024, 128 * 1024];

impl Reserve {
    pub(super) fn new(files: Files) -> Self {
        Self { files, kept: false }
    }

    /// Whether it is there. Nothing may be added before it is.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Makes it. `false`: there is no room for it.
    pub(super) fn keep(&mut self) -> bool {
        self.kept = SIZES.into_iter().any(|size| self.write("-reserve", size).is_ok());
        self.kept
    }

    /// Makes room. `false`: there is none to be made.
    pub(super) fn spend(&mut self) -> bool {
        self.kept = false;
        fs::remove_file(self.files.beside("-reserve")).is_ok()
    }

    /// Whether the disk takes a smallest reserve beside the one that is kept.
    ///
    /// # Errors
    ///
    /// What the disk answers.
    pub(super) fn probe(&self) -> io::Result<()> {
        self.write("-probe", SIZES[3])?;
        fs::remove_file(self.files.beside("-probe"))
    }

    fn write(&self, suffix: &str, size: usize) -> io::Result<()> {
        // Not zeros, which a file system may store as nothing.
        let mut bytes = vec![0; size];
        fastrand::fill(&mut bytes);
        let mut file = self.files.replace_beside(suffix)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all());
        written.inspect_err(|_| {
            // What is left of it is replaced the next time.
            let _ = fs::remove_file(self.files.beside(suffix));
        })
    }
}
