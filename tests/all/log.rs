//! Captures the lines that a `tracing` subscriber writes.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex},
};

use tracing::{Dispatch, dispatcher::DefaultGuard};
use tracing_subscriber::{
    filter::Targets,
    fmt::{MakeWriter, format::FmtSpan},
    layer::SubscriberExt as _,
};

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }

    pub(crate) fn line(&self, parts: &[&str]) -> String {
        let fits = |line: &&String| parts.iter().all(|part| line.contains(part));
        let lines = self.lines();
        let mut found = lines.iter().filter(fits);
        let line = found.next().unwrap_or_else(|| panic!("{parts:?} is not in {lines:#?}"));
        assert_eq!(found.next(), None, "{parts:?} is logged once");
        line.clone()
    }
}

/// Captures everything, including each span at its end, while the guard lives.
pub(crate) fn listen() -> (Log, DefaultGuard) {
    listen_to("trace")
}

/// Captures what the filter accepts.
pub(crate) fn listen_to(filter: &str) -> (Log, DefaultGuard) {
    let log = Log::default();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(log.clone())
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false);
    let filter: Targets = filter.parse().unwrap();
    let guard = subscribe(tracing_subscriber::registry().with(lines).with(filter));
    (log, guard)
}

pub(crate) fn subscribe(subscriber: impl tracing::Subscriber + Send + Sync) -> DefaultGuard {
    // With only one dispatcher in the process, a thread without one may cache that an event is disabled.
    static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| tracing_subscriber::registry().into());
    LazyLock::force(&ANOTHER);
    tracing::subscriber::set_default(subscriber)
}
