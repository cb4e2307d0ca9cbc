//! The one thread that touches the file, and does one thing after another.

use std::{fs::File, path::PathBuf, sync::mpsc, thread};

use rusqlite::{Connection, ErrorCode, Transaction};
use tokio::sync::oneshot;

use super::file;
use crate::inbox::InboxError;

pub(super) struct Thread {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Whether a transaction has to survive the loss of power as soon as it has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    Full,
    /// It survives a crash of the process, and the loss of power once a later one was synced.
    Lazy,
}

impl Thread {
    /// Opens the file. The thread ends, and lets go of it, when this is dropped.
    pub(super) async fn start(path: PathBuf) -> Result<Self, InboxError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (opened, result) = oneshot::channel();
        let work = move || {
            let (mut connection, _lock): (Connection, File) = match file::open(&path) {
                Ok(open) => open,
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let _ = opened.send(Ok(()));
            for job in queue {
                job(&mut connection);
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
        sync: Sync,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, InboxError>
    where
        R: Send + 'static,
    {
        self.run(move |connection| {
            let level = if sync == Sync::Full { "FULL" } else { "NORMAL" };
            connection.pragma_update(None, "synchronous", level)?;
            let transaction = connection.transaction()?;
            let output = work(&transaction)?;
            transaction.commit()?;
            Ok(after(output))
        })
        .await
    }

    /// Runs `work`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, InboxError> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = work(connection);
            if let Err(error) = &result
                && error.sqlite_error_code() == Some(ErrorCode::DiskFull)
            {
                // What is done with makes room in the file itself, once the log has been carried over.
                let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            }
            let failed = |error| InboxError::caused("SQLite could not do it", &error);
            let _ = reply.send(result.map_err(failed));
        });
        self.jobs.send(job).map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

fn ended() -> InboxError {
    InboxError::new("the inbox's thread has ended")
}
