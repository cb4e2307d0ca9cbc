//! How many bytes wait, nearly.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(super) struct Backlog {
    counted: AtomicU64,
    /// What was stored since the count began.
    since: AtomicU64,
}

impl Backlog {
    pub(super) fn bytes(&self) -> u64 {
        self.counted.load(Ordering::Relaxed).saturating_add(self.since.load(Ordering::Relaxed))
    }

    pub(super) fn add(&self, bytes: usize) {
        self.since.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// To be called before the store counts; the result belongs to [`counted`](Self::counted).
    pub(super) fn before_count(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    pub(super) fn counted(&self, before: u64, bytes: u64) {
        self.counted.store(bytes, Ordering::Relaxed);
        self.since.fetch_sub(before, Ordering::Relaxed);
    }
}
