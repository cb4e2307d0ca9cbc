//! Waiting for a bounded time, whichever runtimes there are.
//!
//! A tokio runtime can be without timers, and the only way to find out is a panic, which ends a program that was built with
//! `panic = "abort"`. So timers run on a small runtime of their own, in a thread that starts when something first has to wait.

use std::{future::poll_fn, pin::pin, sync::OnceLock, task::Poll, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    time::{Instant, Sleep},
};

use super::refusal::Refusal;

/// The output of `work`, or `None` if it has none within `time`. Work that is ready at once needs no timer.
///
/// # Errors
///
/// `NoRuntime` when it has to wait and no thread can be started.
pub(super) async fn within<F: Future>(time: Duration, work: F) -> Result<Option<F::Output>, Refusal> {
    let mut work = pin!(work);
    if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return Ok(Some(output));
    }
    let mut sleep = pin!(sleep(time).ok_or(Refusal::NoRuntime)?);
    let output = poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    });
    Ok(output.await)
}

fn sleep(time: Duration) -> Option<Sleep> {
    let _entered = if is_test_clock() { None } else { Some(timers()?.enter()) };
    Some(tokio::time::sleep(time))
}

/// Whether the current runtime's clock was paused, as tests do: then it is the one to wait by.
fn is_test_clock() -> bool {
    let before = std::time::Instant::now();
    let now = Instant::now().into_std();
    now < before || now > std::time::Instant::now()
}

static TIMERS: OnceLock<Handle> = OnceLock::new();

/// `None`: no thread can be started now. The next call tries again.
fn timers() -> Option<&'static Handle> {
    if TIMERS.get().is_none() {
        let runtime = Builder::new_current_thread().enable_time().build().ok()?;
        let handle = runtime.handle().clone();
        let drive = move || runtime.block_on(std::future::pending::<()>());
        thread::Builder::new().name("desk-timers".to_owned()).spawn(drive).ok()?;
        // Two that start at once leave one thread idle.
        let _ = TIMERS.set(handle);
    }
    TIMERS.get()
}
