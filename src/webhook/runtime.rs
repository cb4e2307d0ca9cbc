//! The runtime on which handlers continue that are not ready at once.

use std::{
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{runtime::Handle, task::AbortHandle};

/// A runtime, and whether it has shut down, which tokio shows only by dropping its tasks.
#[derive(Clone)]
pub(super) struct HandlerRuntime(Arc<Inner>);

struct Inner {
    runtime: Handle,
    has_shut_down: Arc<AtomicBool>,
    sentinel: AbortHandle,
}

impl HandlerRuntime {
    pub(super) fn new(runtime: Handle) -> Self {
        let has_shut_down = Arc::new(AtomicBool::new(false));
        let noted = NotedWhenDropped(Arc::clone(&has_shut_down));
        let sentinel = runtime.spawn(async move {
            let _noted = noted;
            pending::<()>().await;
        });
        let sentinel = sentinel.abort_handle();
        Self(Arc::new(Inner { runtime, has_shut_down, sentinel }))
    }

    pub(super) fn current() -> Option<Self> {
        Handle::try_current().ok().map(Self::new)
    }

    /// `None` once it has shut down.
    pub(super) fn handle(&self) -> Option<&Handle> {
        let has_shut_down = self.0.has_shut_down.load(Ordering::Acquire);
        (!has_shut_down).then_some(&self.0.runtime)
    }
}

impl fmt::Debug for HandlerRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.sentinel.abort();
    }
}

struct NotedWhenDropped(Arc<AtomicBool>);

impl Drop for NotedWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
