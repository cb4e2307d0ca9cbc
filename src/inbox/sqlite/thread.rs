//! The one thread that touches the file, and does one thing after another.

use std::{
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

use rusqlite::Transaction;
use tokio::sync::oneshot;

use super::{
    commit::{Change, failed},
    file::{self, Disk},
};
use crate::{inbox::InboxError, isolate::isolated};

pub(super) struct Thread {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce(&mut Disk) + Send>;

impl Thread {
    /// Opens the file. The thread ends, and lets go of it, when this is dropped.
    pub(super) async fn start(path: PathBuf) -> Result<Self, InboxError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (opened, result) = oneshot::channel();
        let work = move || {
            let mut disk = match file::open(&path) {
                Ok(disk) => disk,
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let _ = opened.send(Ok(()));
            while let Some(job) = next(&queue, &mut disk) {
                // If it panics its caller gets an error.
                isolated(|| job(&mut disk));
                disk.tidy_a_little();
            }
        };
        let failed = |error| InboxError::caused("the inbox's thread cannot be started", &error);
        thread::Builder::new().name("desk-inbox".to_owned()).spawn(work).map_err(failed)?;
        result.await.unwrap_or_else(|_| Err(ended())).map(|()| Self { jobs })
    }

    /// Runs `work` in a transaction that is committed if it succeeds, and then `after` with what it gave, before any other
    /// work begins.
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

    /// Runs `work` that changes nothing.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, InboxError> {
        self.run(|disk| disk.connection.transaction().and_then(|file| work(&file)).map_err(failed)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Disk) -> Result<T, InboxError> + Send + 'static,
    ) -> Result<T, InboxError> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |disk| {
            // Who has gone need not be told.
            let _ = reply.send(work(disk));
        });
        self.jobs.send(job).map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

/// Waits for work, and keeps the file in order meanwhile.
fn next(queue: &mpsc::Receiver<Job>, disk: &mut Disk) -> Option<Job> {
    while let Some(pause) = disk.upkeep.pause() {
        match queue.recv_timeout(pause) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Timeout) => disk.tidy(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    queue.recv().ok()
}

fn ended() -> InboxError {
    InboxError::new("the inbox's thread has ended, or panicked")
}
