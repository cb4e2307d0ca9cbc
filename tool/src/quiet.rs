//! Keeps the library's log lines off standard error where the tool reports the same in its own words. Errors are still shown.

use tracing::{Event, Metadata, Subscriber, span};

struct Quiet;

pub(crate) fn start() {
    // It fails when another one was set, which only this does.
    let _ = tracing::subscriber::set_global_default(Quiet);
}

impl Subscriber for Quiet {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
