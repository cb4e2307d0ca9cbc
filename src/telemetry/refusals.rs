//! The lines about refused requests: strangers cause them, so there is at most one a second for each reason.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::say::{Level, say_of_app};
use crate::error::Refusal;

/// What was logged of each reason, and when.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Vec<Logged>>);

#[derive(Debug)]
struct Logged {
    code: u32,
    at: Instant,
    suppressed: u64,
}

const PAUSE: Duration = Duration::from_secs(1);

impl Refusals {
    pub(super) fn log(&self, refusal: Refusal, app: Option<u64>, now: Instant) {
        let Some(suppressed) = self.admit(refusal.code(), now) else { return };
        let (code, reason) = (refusal.code(), refusal.reason());
        let more = match suppressed {
            0 => String::new(),
            _ => format!("; {suppressed} more for this reason were not logged"),
        };
        say_of_app(Level::Warn, app, format_args!("refused with {code} ({reason}): {refusal}{more}"));
    }

    /// How many lines were suppressed before this one, unless it is suppressed itself.
    pub(super) fn admit(&self, code: u32, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(logged) = all.iter_mut().find(|logged| logged.code == code) else {
            all.push(Logged { code, at: now, suppressed: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(logged.at) < PAUSE {
            logged.suppressed += 1;
            return None;
        }
        logged.at = now;
        Some(std::mem::take(&mut logged.suppressed))
    }
}
