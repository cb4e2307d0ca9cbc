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
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Kept,
    Spent,
    /// There never was room for it.
    None,
}

/// More than the log and a few deletions, or less where there is no more.
const SIZES: [usize; 4] = [1024 * 1024, 512 * 1024, 256 * 1024, 128 * 1024];

impl Reserve {
    pub(super) fn new(path: PathBuf) -> Self {
        let mut reserve = Self { path, state: State::Spent };
        if !reserve.keep() {
            reserve.state = State::None;
        }
        reserve
    }

    /// Whether nothing may be added before it is there again.
    pub(super) fn is_spent(&self) -> bool {
        self.state == State::Spent
    }

    /// Makes it again. `false`: there is no room for it yet.
    pub(super) fn keep(&mut self) -> bool {
        let kept = SIZES.into_iter().any(|size| self.write(size).inspect_err(|_| self.remove()).is_ok());
        if kept {
            self.state = State::Kept;
        }
        kept
    }

    /// Makes room. `false`: there is none to be made.
    pub(super) fn spend(&mut self) -> bool {
        let kept = self.state == State::Kept;
        if kept {
            self.remove();
            self.state = State::Spent;
        }
        kept
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
        // If that fails, there is no room to be made.
        let _ = fs::remove_file(&self.path);
    }
}
