//! How many verified requests are read or handled, and a way to wait until none is.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// A counter that is watched. A semaphore would have to be emptied to wait for the last handler, and so refuse all others
/// meanwhile.
#[derive(Debug)]
pub(super) struct InFlight {
    max: AtomicUsize,
    running: AtomicUsize,
    idle: Notify,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { max: AtomicUsize::new(1024), running: AtomicUsize::new(0), idle: Notify::new() }
    }
}

impl InFlight {
    pub(super) fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Counts one more, unless the maximum is reached. Each success is followed by one [`leave`](Self::leave).
    pub(super) fn enter(&self) -> bool {
        let max = self.max.load(Ordering::Relaxed);
        let one_more = |running| (running < max).then_some(running + 1);
        self.running.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    pub(super) fn leave(&self) {
        if self.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.idle.notify_waiters();
        }
    }

    pub(super) async fn drained(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            // Listens before it looks, so that the last one's leaving cannot fall in between.
            idle.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            idle.await;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}
