//! Code that is not ours panics where it likes; it shall take down nothing else.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What `work` gives, or `None` when it panics.
pub(crate) fn isolated<T>(work: impl FnOnce() -> T) -> Option<T> {
    caught(work).map_err(discard).ok()
}

/// What `work` gives, or what it says when it panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(work))
}

/// What a panic leaves behind may panic once more when it is dropped; what that leaves behind is left there.
pub(crate) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(panic) = caught(|| drop(panic)) {
        std::mem::forget(panic);
    }
}
