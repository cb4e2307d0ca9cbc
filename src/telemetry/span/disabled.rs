//! Without feature `tracing` there are no spans.

#[derive(Clone, Debug)]
pub(crate) struct Span;

macro_rules! span {
    ($name:literal: $($field:ident),*) => {
        $crate::telemetry::Span
    };
}

pub(crate) use span;

impl Span {
    pub(crate) fn carry<F>(&self, work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        work
    }

    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(crate) fn record<V>(&self, _: &'static str, _: V) {}

    pub(crate) fn record_text(&self, _: &'static str, _: Option<&str>) {}
}
