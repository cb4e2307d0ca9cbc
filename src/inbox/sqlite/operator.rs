//! Another process than the one that has the inbox: it reads in the file, and asks the owner for every change. If there is no
//! owner, it is the owner for as long as that takes.

use std::{collections::HashSet, path::Path, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use serde::Deserialize;
use tokio::time::sleep;

use super::{
    command::{self, Command},
    commit::failed,
    crashes::Suspects,
    file::{self, VERSION},
    files::Files,
    lock, memory,
    owner::{Owner, page},
    rows::{Stored, Table},
    sessions,
    slots::Slots,
    thread::{Thread, Work},
};
use crate::inbox::{
    InboxError,
    store::{
        Appended, Archived, Claim, DeadLetter, Filter, Finished, KeptSession, Lane, LaneKey, NewEvent,
        Outcome, Pending, Renewed, SessionFilter, Stats, Store,
    },
};

pub(crate) struct Operator {
    files: Files,
    thread: Thread<Connection>,
}

/// How often an answer is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// No checkpoints: they are the owner's. What was asked is overwritten when it is deleted: a user's name may be in it.
const SETTINGS: [&str; 3] =
    ["PRAGMA wal_autocheckpoint = 0", "PRAGMA secure_delete = ON", "PRAGMA synchronous = NORMAL"];

impl Operator {
    pub(crate) async fn open(path: &Path) -> Result<Self, InboxError> {
        file::check_version()?;
        let files = Files::at(path)?;
        if !files.database().exists() {
            return Err(InboxError::new(format!("there is no inbox {}", files.given())));
        }
        let opened = files.clone();
        let open = move || {
            let connection = file::connect(&opened)?;
            check_version(&connection, &opened)?;
            SETTINGS.iter().try_for_each(|setting| connection.execute_batch(setting)).map_err(failed)?;
            Ok((connection, ()))
        };
        let (thread, ()) = Thread::start(open).await?;
        Ok(Self { files, thread })
    }

    async fn ask<T: for<'a> Deserialize<'a>>(&self, command: &Command) -> Result<T, InboxError> {
        command::read_answer(&self.answer(command).await?)
    }

    async fn answer(&self, command: &Command) -> Result<String, InboxError> {
        let failed_to_write = |error| InboxError::caused("the command cannot be written", &error);
        let request = serde_json::to_string(command).map_err(failed_to_write)?;
        let files = self.files.clone();
        let ask = move |connection: &mut Connection| {
            // The owner may have been replaced by one of a later release.
            check_version(connection, &files)?;
            write(connection, |file| command::ask(file, &request))
        };
        let id = self.thread.run(ask).await?;
        loop {
            let fetch = move |connection: &mut Connection| write(connection, |file| fetch(file, id));
            match self.thread.run(fetch).await? {
                Some(Some(answer)) => return Ok(answer),
                Some(None) => {}
                None => return Err(InboxError::new("the command was not answered in time")),
            }
            match lock::try_take(&self.files)? {
                Some(lock) => {
                    let files = self.files.clone();
                    Owner::open_with(move || file::own(files, lock)).await?.answer_all().await?;
                }
                None => sleep(LOOK).await,
            }
        }
    }

    /// The lanes in which an event is being handled now.
    async fn busy_lanes(&self) -> Result<HashSet<LaneKey>, InboxError> {
        // If no process owns the inbox, the table is left from one that has died.
        if lock::try_take(&self.files)?.is_some() {
            return Ok(HashSet::new());
        }
        let running = Slots::read(&self.files.open_beside("-lock")?).running;
        let read = move |file: &Transaction<'_>| {
            running.iter().filter_map(|(id, _)| memory::lane_of(file, *id).transpose()).collect()
        };
        self.thread.read(read).await
    }
}

fn check_version(connection: &Connection, files: &Files) -> Result<(), InboxError> {
    let version = file::identify(connection, files)?;
    if version == VERSION {
        return Ok(());
    }
    Err(InboxError::new(format!(
        "the inbox {} is of version {version}, and this release operates version {VERSION}: start the receiver of this release first, which upgrades it",
        files.given()
    )))
}

fn write<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> Result<T, InboxError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let output = work(&transaction).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(output)
}

/// Takes the answer, if there is one. `None`: there is no such command.
fn fetch(file: &Transaction<'_>, id: i64) -> rusqlite::Result<Option<Option<String>>> {
    let mut read = file.prepare_cached("SELECT answer FROM command WHERE id = ?1")?;
    let answer: Option<Option<String>> = read.query_row([id], |row| row.get(0)).optional()?;
    if matches!(answer, Some(Some(_))) {
        file.prepare_cached("DELETE FROM command WHERE id = ?1")?.execute([id])?;
    }
    Ok(answer)
}

fn refused<T>() -> Result<T, InboxError> {
    Err(InboxError::new("an inbox that was opened with `Inbox::operate` neither stores nor delivers events"))
}

impl Work for Connection {
    fn connection(&mut self) -> &mut Connection {
        self
    }
}

#[async_trait]
impl Store for Operator {
    async fn append(&self, _: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError> {
        refused()
    }

    async fn claim(&self, _: usize, _: Duration) -> Result<Vec<Lane>, InboxError> {
        refused()
    }

    async fn renew(&self, _: &[Claim], _: Duration) -> Result<Vec<Renewed>, InboxError> {
        refused()
    }

    async fn finish(&self, _: Vec<Outcome>) -> Result<Vec<Finished>, InboxError> {
        refused()
    }

    async fn changed(&self) {
        std::future::pending().await
    }

    async fn forget(&self, _: Duration) -> Result<u64, InboxError> {
        refused()
    }

    async fn stats(&self) -> Result<Stats, InboxError> {
        command::read_stats(&self.answer(&Command::Stats).await?)
    }

    async fn check(&self) -> Result<(), InboxError> {
        self.ask(&Command::Check).await
    }

    async fn pending(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Pending>, InboxError> {
        let busy = self.busy_lanes().await?;
        let suspects = self.thread.read(|file| Suspects::read(file)).await?;
        let rows = page(&self.thread, Table::Event, filter, after, limit).await?;
        let pending = |row: Stored| {
            let (crashes, held) = (suspects.of(row.id).crashes, busy.contains(&row.lane));
            let mut pending = Pending::from(row);
            (pending.crashes, pending.held) = (crashes, held);
            pending
        };
        Ok(rows.into_iter().map(pending).collect())
    }

    async fn dead_letters(
        &self,
        filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        let rows = page(&self.thread, Table::DeadLetter, filter, after, limit).await?;
        Ok(rows.into_iter().map(DeadLetter::from).collect())
    }

    async fn archived(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Archived>, InboxError> {
        let rows = page(&self.thread, Table::Archive, filter, after, limit).await?;
        Ok(rows.into_iter().map(Archived::from).collect())
    }

    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        self.ask(&Command::Requeue(id)).await
    }

    async fn requeue_all(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.ask(&Command::RequeueAll(filter.clone())).await
    }

    async fn discard(&self, id: i64) -> Result<bool, InboxError> {
        self.ask(&Command::Discard(id)).await
    }

    async fn retry_now(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.ask(&Command::RetryNow(filter.clone())).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        self.ask(&Command::SetPaused(paused)).await
    }

    async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        self.ask(&Command::Purge(age)).await
    }

    async fn erase(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.ask(&Command::Erase(filter.clone())).await
    }

    async fn replay(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.ask(&Command::Replay(filter.clone())).await
    }

    async fn purge_archive(&self, age: Duration) -> Result<u64, InboxError> {
        self.ask(&Command::PurgeArchive(age)).await
    }

    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<KeptSession>, InboxError> {
        sessions::page(&self.thread, filter).await
    }

    async fn purge_sessions(&self, age: Duration) -> Result<u64, InboxError> {
        self.ask(&Command::PurgeSessions(age)).await
    }
}
