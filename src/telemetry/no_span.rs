//! Without feature `tracing` there are no spans.

#[derive(Clone, Debug)]
pub(super) struct Span;

impl Span {
    pub(super) fn delivery() -> Self {
        Self
    }

    #[cfg(feature = "inbox")]
    pub(super) fn attempt() -> Self {
        Self
    }

    pub(super) fn carry<F>(&self, work: F) -> impl Future<Output = F::Output> + Unpin + use<F>
    where
        F: Future + Unpin,
    {
        work
    }

    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(super) fn record<V>(&self, _: &'static str, _: V) {}

    pub(super) fn record_text(&self, _: &'static str, _: Option<&str>) {}
}
