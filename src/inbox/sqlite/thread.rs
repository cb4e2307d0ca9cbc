//! The one thread that touches the file, and does one thing after another.

use std::{path::PathBuf, sync::mpsc, thread};

use rusqlite::{Connection, ErrorCode, Transaction};
use tokio::sync::oneshot;

use super::file::{self, Disk};
use crate::{inbox::InboxError, isolate::isolated};

pub(super) struct Thread {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce(&mut Disk) + Send>;

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It adds something, and survives the loss of power once it has ended.
    Add,
    /// It takes something away. It survives a crash of the process, and the loss of power once something is added after it.
    Take,
}

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
            for job in queue {
                // Who waits for it hears that there is no answer.
                isolated(|| job(&mut disk));
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
        self.run(move |disk| {
            if change == Change::Add && !disk.reserve.is_kept() {
                carry_over(&disk.connection);
                if !disk.reserve.keep() {
                    return Err(InboxError::new("the disk is full"));
                }
            }
            let mut result = commit(&mut disk.connection, change, &work);
            if result.as_ref().is_err_and(is_full) && change == Change::Take && disk.reserve.spend() {
                result = commit(&mut disk.connection, change, &work);
            }
            if result.as_ref().is_err_and(is_full) {
                carry_over(&disk.connection);
            }
            result.map(after).map_err(failed)
        })
        .await
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

fn commit<T>(
    connection: &mut Connection,
    change: Change,
    work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let level = if change == Change::Add { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", level)?;
    let transaction = connection.transaction()?;
    let output = work(&transaction)?;
    transaction.commit()?;
    Ok(output)
}

/// Empties the log into the file, where what was taken away has left room.
fn carry_over(connection: &Connection) {
    // It does what it can.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

fn failed(error: rusqlite::Error) -> InboxError {
    InboxError::caused("SQLite could not do it", &error)
}

fn ended() -> InboxError {
    InboxError::new("the inbox's thread has ended, or panicked")
}
