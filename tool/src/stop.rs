//! When to stop.

use std::{future::Future, io};

use crate::failure::Failure;

/// Ends at Ctrl-C or SIGTERM. It listens from the call on, not from the first poll.
pub(crate) fn signal() -> Result<impl Future<Output = ()>, Failure> {
    listen().map_err(|error| Failure::Failed(format!("cannot listen for signals: {error}")))
}

#[cfg(unix)]
fn listen() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(windows)]
fn listen() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
