//! How long something takes, on tokio's clock.

use std::time::Duration;

use tokio::time::Instant;

/// It reads the clock only where a feature reports durations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Option<Instant>);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(cfg!(any(feature = "metrics", feature = "tracing")).then(Instant::now))
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.map(|start| start.elapsed()).unwrap_or_default()
    }
}
