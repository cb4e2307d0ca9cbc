//! Feature `tracing`.

use std::{future::poll_fn, mem, pin::Pin};

use tracing::Value;

use crate::{isolate::isolated, telemetry::log::one_line};

#[derive(Debug)]
pub(crate) struct Span(tracing::Span);

/// A span at level INFO whose fields are recorded later.
macro_rules! span {
    ($name:literal: $($field:ident),*) => {
        $crate::telemetry::Span::new(|| ::tracing::info_span!(
            target: $crate::telemetry::TARGET,
            $name,
            $($field = ::tracing::field::Empty),*
        ))
    };
}

pub(crate) use span;

impl Span {
    pub(crate) fn new(span: impl FnOnce() -> tracing::Span) -> Self {
        Self(isolated(span).unwrap_or_else(tracing::Span::none))
    }

    /// Enters the span for each poll of `work`, on any thread.
    pub(crate) fn carry<F>(&self, mut work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        let span = self.clone();
        poll_fn(move |cx| span.within(|| Pin::new(&mut work).poll(cx)))
    }

    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let entered = isolated(|| self.0.enter());
        let output = work();
        isolated(|| drop(entered));
        output
    }

    pub(crate) fn record(&self, field: &'static str, value: impl Value) {
        isolated(|| self.0.record(field, value));
    }

    pub(crate) fn record_text(&self, field: &'static str, text: Option<&str>) {
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
