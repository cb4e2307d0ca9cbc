//! Feature `tracing`: the spans. `docs/watching.md` lists their fields.

use std::{future::poll_fn, mem, pin::Pin};

use tracing::{Value, field::Empty, info_span};

use super::{TARGET, say::one_line};
use crate::isolate::isolated;

/// A subscriber that panics takes no delivery down.
#[derive(Debug)]
pub(super) struct Span(tracing::Span);

impl Span {
    pub(super) fn delivery() -> Self {
        Self::new(|| {
            info_span!(
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
            )
        })
    }

    #[cfg(feature = "inbox")]
    pub(super) fn attempt() -> Self {
        Self::new(|| {
            info_span!(
                target: TARGET,
                "desk_attempt",
                app = Empty,
                request_id = Empty,
                event = Empty,
                session_id = Empty,
                attempt = Empty,
                outcome = Empty,
                handler_seconds = Empty,
            )
        })
    }

    fn new(span: impl FnOnce() -> tracing::Span) -> Self {
        Self(isolated(span).unwrap_or_else(tracing::Span::none))
    }

    pub(super) fn carry<F>(&self, mut work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        let span = self.clone();
        poll_fn(move |cx| span.within(|| Pin::new(&mut work).poll(cx)))
    }

    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let entered = isolated(|| self.0.enter());
        let output = work();
        isolated(|| drop(entered));
        output
    }

    pub(super) fn record(&self, field: &'static str, value: impl Value) {
        isolated(|| self.0.record(field, value));
    }

    pub(super) fn record_text(&self, field: &'static str, text: Option<&str>) {
        if let Some(text) = text.filter(|_| !self.0.is_disabled()) {
            self.record(field, one_line(text));
        }
    }
}

impl Clone for Span {
    fn clone(&self) -> Self {
        Self::new(|| self.0.clone())
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let span = mem::replace(&mut self.0, tracing::Span::none());
        isolated(|| drop(span));
    }
}
