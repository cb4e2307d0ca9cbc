//! A failure of the store that repeats.

use std::fmt::Display;

use crate::telemetry::{Level, Subject, log};

/// Counts failures in a row, and logs the first of them and the end.
#[derive(Debug, Default)]
pub(super) struct Outage(u32);

impl Outage {
    pub(super) fn record(&mut self, what: &str, error: &dyn Display) {
        self.0 = self.0.saturating_add(1);
        if self.0 == 1 {
            let what = format_args!("inbox: {what}, and this is tried again and again: {error}");
            log(Level::Error, Subject::default(), what);
        }
    }

    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.0) > 0 {
            log(Level::Info, Subject::default(), format_args!("inbox: it works again"));
        }
    }

    /// Returns the number of failures in a row.
    pub(super) fn count(&self) -> u32 {
        self.0
    }
}
