//! Where nobody is told how long something takes, no clock is read.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch;

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self
    }

    pub(super) fn elapsed(self) -> Duration {
        Duration::ZERO
    }
}
