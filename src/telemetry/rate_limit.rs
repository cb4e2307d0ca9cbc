//! Strangers cause some log lines, so there is at most one a second of each kind.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct RateLimit(Mutex<Vec<Last>>);

#[derive(Debug)]
struct Last {
    kind: &'static str,
    at: Instant,
    suppressed: u64,
}

const PAUSE: Duration = Duration::from_secs(1);

impl RateLimit {
    /// Returns how many lines of this kind were suppressed since the last one, or `None` if this one is suppressed as well.
    pub(crate) fn admit(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = all.iter_mut().find(|last| last.kind == kind) else {
            all.push(Last { kind, at: now, suppressed: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(last.at) < PAUSE {
            last.suppressed += 1;
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.suppressed))
    }
}
