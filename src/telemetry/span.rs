//! Feature `tracing`: the spans. `docs/watching.md` lists their fields.

use tracing::{Instrument as _, Value, field::Empty, info_span};

use super::{TARGET, say::one_line};

#[derive(Clone, Debug)]
pub(super) struct Span(tracing::Span);

impl Span {
    pub(super) fn delivery() -> Self {
        Self(info_span!(
            target: TARGET,
            "desk_delivery",
            app = Empty,
            command = Empty,
            request_id = Empty,
            event = Empty,
            session_id = Empty,
            outcome = Empty,
            error_code = Empty,
            handler_seconds = Empty,
            seconds = Empty,
        ))
    }

    #[cfg(feature = "inbox")]
    pub(super) fn attempt() -> Self {
        Self(info_span!(
            target: TARGET,
            "desk_attempt",
            app = Empty,
            request_id = Empty,
            event = Empty,
            session_id = Empty,
            attempt = Empty,
            outcome = Empty,
            handler_seconds = Empty,
        ))
    }

    pub(super) fn carry<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.instrument(self.0.clone())
    }

    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    pub(super) fn record(&self, field: &'static str, value: impl Value) {
        self.0.record(field, value);
    }

    pub(super) fn record_text(&self, field: &'static str, text: Option<&str>) {
        if let Some(text) = text.filter(|_| !self.0.is_disabled()) {
            self.0.record(field, one_line(text));
        }
    }
}
