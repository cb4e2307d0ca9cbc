//! Waiting for a bounded time on whichever tokio runtime is at hand.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::{runtime::Handle, time::Sleep};

use crate::{error::Refusal, isolate::isolated};

/// What `work` gives, or `None` when it has not within `time`. Work that is ready at once needs no runtime.
///
/// # Errors
///
/// `NoRuntime` when it has to wait and neither the caller's runtime nor `fallback` has timers.
pub(super) async fn within<F: Future>(
    time: Duration,
    fallback: Option<&Handle>,
    work: F,
) -> Result<Option<F::Output>, Refusal> {
    let mut work = pin!(work);
    if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return Ok(Some(output));
    }
    let mut sleep = pin!(sleep(time, fallback).ok_or(Refusal::NoRuntime)?);
    let output = poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(Some(output))),
        // A timer panics once its runtime has shut down.
        Poll::Pending => match isolated(|| sleep.as_mut().poll(cx)) {
            Some(elapsed) => elapsed.map(|()| Ok(None)),
            None => Poll::Ready(Err(Refusal::NoRuntime)),
        },
    });
    output.await
}

/// The caller's own runtime comes first: it is the one that is certainly being driven.
fn sleep(time: Duration, fallback: Option<&Handle>) -> Option<Sleep> {
    [Handle::try_current().ok().as_ref(), fallback].into_iter().flatten().find_map(|runtime| {
        let _entered = runtime.enter();
        // tokio has no way to ask a runtime whether its timers are on but to try.
        isolated(|| tokio::time::sleep(time))
    })
}
