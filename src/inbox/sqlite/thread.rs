//! The one thread that touches the file, and does one thing after another.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use rusqlite::{Connection, Transaction};
use tokio::sync::oneshot;

use super::{
    commit::{Change, failed},
    file::Disk,
};
use crate::{inbox::InboxError, isolate::isolated};

/// What a thread works with.
pub(super) trait Work: Send + 'static {
    fn connection(&mut self) -> &mut Connection;

    /// What is done after each job, once its caller has the result.
    fn after_job(&mut self) {}

    /// How long to wait for a job before there is something else to do.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// Something else to do, when no job has come.
    fn tidy(&mut self) {}

    /// What is left to do at the end.
    fn close(&mut self) {}
}

pub(super) struct Thread<W> {
    jobs: mpsc::Sender<Job<W>>,
}

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

impl<W: Work> Thread<W> {
    /// Opens the file, and returns what `open` has found in it. The thread ends, and lets go of the file, when this is
    /// dropped.
    pub(super) async fn start<T: Send + 'static>(
        open: impl FnOnce() -> Result<(W, T), InboxError> + Send + 'static,
    ) -> Result<(Self, T), InboxError> {
        let (jobs, queue) = mpsc::channel::<Job<W>>();
        let (opened, result) = oneshot::channel();
        let work = move || {
            let mut work = match open() {
                Ok((work, found)) => {
                    let _ = opened.send(Ok(found));
                    work
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            while let Some(job) = next(&queue, &mut work) {
                // If it panics its caller gets an error.
                isolated(|| job(&mut work));
                work.after_job();
            }
            work.close();
        };
        let failed = |error| InboxError::caused("the inbox's thread cannot be started", &error);
        thread::Builder::new().name("desk-inbox".to_owned()).spawn(work).map_err(failed)?;
        result.await.unwrap_or_else(|_| Err(ended())).map(|found| (Self { jobs }, found))
    }

    /// Runs `work` that changes nothing.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, InboxError> {
        self.run(|disk| disk.connection().transaction().and_then(|file| work(&file)).map_err(failed)).await
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut W) -> Result<T, InboxError> + Send + 'static,
    ) -> Result<T, InboxError> {
        let (reply, result) = oneshot::channel();
        let job: Job<W> = Box::new(move |disk| {
            // It fails if the caller has gone.
            let _ = reply.send(work(disk));
        });
        self.jobs.send(job).map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

impl Thread<Disk> {
    /// Runs `work` in a transaction that is committed if it succeeds, and then `after` with its output, before any other
    /// job begins.
    pub(super) async fn change<T, R>(
        &self,
        change: Change,
        work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, InboxError>
    where
        R: Send + 'static,
    {
        self.run(move |disk| disk.change(change, work).map(after)).await
    }
}

/// Waits for a job, and does something else meanwhile.
fn next<W: Work>(queue: &mpsc::Receiver<Job<W>>, work: &mut W) -> Option<Job<W>> {
    while let Some(pause) = work.pause() {
        match queue.recv_timeout(pause) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Timeout) => work.tidy(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    queue.recv().ok()
}

fn ended() -> InboxError {
    InboxError::new("the inbox's thread has ended, or panicked")
}
