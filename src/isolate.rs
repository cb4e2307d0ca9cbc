//! Contains panics of user code.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Returns the output of `work`, or `None` if it panics.
pub(crate) fn isolated<T>(work: impl FnOnce() -> T) -> Option<T> {
    caught(work).map_err(discard).ok()
}

/// Returns the output of `work`, or what it panicked with.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(work))
}

/// Drops what `work` panicked with. That may panic again; what it panics with then is leaked.
pub(crate) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(panic) = caught(|| drop(panic)) {
        std::mem::forget(panic);
    }
}
