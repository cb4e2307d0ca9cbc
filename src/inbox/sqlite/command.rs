//! What another process asks of the one that has the inbox: a row of the table `command`, answered in the row.
//!
//! Changes go through the owner because it keeps the state of the lanes in memory, and because a second process that writes one
//! transaction after another would hold up acceptance.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use super::{commit::Change, file::Disk, memory::Memory, millis, owner::Owner, thread::Thread};
use crate::inbox::{
    InboxError,
    store::{Filter, Stats, Store as _},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Command {
    Stats,
    Check,
    Requeue(i64),
    RequeueAll(Filter),
    Discard(i64),
    RetryNow(Filter),
    SetPaused(bool),
    Purge(Duration),
    Erase(Filter),
    Replay(Filter),
    PurgeArchive(Duration),
    PurgeSessions(Duration),
}

/// What is known of [`Stats`] in another process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Counts {
    waiting: u64,
    running: u64,
    retrying: u64,
    dead: u64,
    bytes: u64,
    oldest: Option<Duration>,
    paused: bool,
}

/// How often the owner looks for commands.
const LOOK: Duration = Duration::from_millis(100);

/// A command that is older is not executed any more: its process has given up long ago.
pub(super) const TOO_OLD: Duration = Duration::from_secs(300);

/// Answers commands as long as there is an owner, each in a task of its own: one may take long.
pub(super) async fn answer(thread: Weak<Thread<Disk>>, memory: Weak<Memory>) {
    let (mut version, mut answering) = (None, Answering::default());
    loop {
        sleep(LOOK).await;
        let (Some(thread), Some(memory)) = (thread.upgrade(), memory.upgrade()) else { return };
        let owner = Owner::of(thread, memory);
        let changed = owner.thread.read(|file| {
            // It changes whenever another connection has written.
            file.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0))
        });
        let Ok(now) = changed.await else { continue };
        let has_failed = answering.collect();
        if version == Some(now) && !has_failed {
            continue;
        }
        // What the other connection has deleted is in the log still.
        let note = |disk: &mut Disk| {
            disk.upkeep.changed();
            Ok(())
        };
        let tidy = owner.thread.run(note).await;
        // If it fails it is tried again: the version is not remembered.
        version = tidy.and(owner.open_commands().await).ok().map(|commands| {
            answering.start(&owner, commands);
            now
        });
    }
}

/// Commands that are being executed.
#[derive(Default)]
struct Answering {
    tasks: JoinSet<(i64, bool)>,
    ids: HashSet<i64>,
}

impl Answering {
    fn start(&mut self, owner: &Owner, commands: Vec<(i64, i64, String)>) {
        for (id, asked, request) in commands {
            if self.ids.insert(id) {
                let owner = Owner::of(Arc::clone(&owner.thread), Arc::clone(&owner.memory));
                self.tasks.spawn(async move { (id, owner.answer_one(id, asked, &request).await.is_ok()) });
            }
        }
    }

    /// Forgets those that have ended. `true`: the answer to one could not be written.
    fn collect(&mut self) -> bool {
        let mut has_failed = false;
        while let Some(ended) = self.tasks.try_join_next() {
            if let Ok((id, is_answered)) = ended {
                self.ids.remove(&id);
                has_failed |= !is_answered;
            }
        }
        has_failed
    }
}

impl Owner {
    /// Executes what was asked.
    pub(super) async fn answer_all(&self) -> Result<(), InboxError> {
        for (id, asked, request) in self.open_commands().await? {
            self.answer_one(id, asked, &request).await?;
        }
        Ok(())
    }

    async fn open_commands(&self) -> Result<Vec<(i64, i64, String)>, InboxError> {
        let open = "SELECT id, asked, request FROM command WHERE answer IS NULL ORDER BY id";
        let read = move |file: &Transaction<'_>| {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            file.prepare_cached(open)?.query_map([], row)?.collect()
        };
        self.thread.read(read).await
    }

    async fn answer_one(&self, id: i64, asked: i64, request: &str) -> Result<(), InboxError> {
        let is_old = asked < super::before(TOO_OLD);
        let answer = match serde_json::from_str(request) {
            _ if is_old => Err(InboxError::new("the command has waited for too long")),
            Ok(command) => self.execute(command).await,
            Err(_) => Err(InboxError::new("the process that has the inbox is of another release")),
        };
        let answer =
            answer.map_or_else(|error| json!({ "error": error.to_string() }), |ok| json!({ "ok": ok }));
        let answer = answer.to_string();
        let write = move |file: &Transaction<'_>| {
            file.execute("UPDATE command SET answer = ?2 WHERE id = ?1", params![id, answer])?;
            // Answers that were never fetched. They may contain a user's name.
            file.execute("DELETE FROM command WHERE asked < ?1", [super::before(TOO_OLD)]).map(drop)
        };
        self.thread.change(Change::Take, write, |()| ()).await
    }

    async fn execute(&self, command: Command) -> Result<Value, InboxError> {
        Ok(match command {
            Command::Stats => json!(Counts::from(self.stats().await?)),
            Command::Check => json!(self.check().await?),
            Command::Requeue(id) => json!(self.requeue(id).await?),
            Command::RequeueAll(filter) => json!(self.requeue_all(&filter).await?),
            Command::Discard(id) => json!(self.discard(id).await?),
            Command::RetryNow(filter) => json!(self.retry_now(&filter).await?),
            Command::SetPaused(paused) => json!(self.set_paused(paused).await?),
            Command::Purge(age) => json!(self.purge(age).await?),
            Command::Erase(filter) => json!(self.erase(&filter).await?),
            Command::Replay(filter) => json!(self.replay(&filter).await?),
            Command::PurgeArchive(age) => json!(self.purge_archive(age).await?),
            Command::PurgeSessions(age) => json!(self.purge_sessions(age).await?),
        })
    }
}

/// Puts a command into the file.
pub(super) fn ask(file: &Transaction<'_>, command: &str) -> rusqlite::Result<i64> {
    file.execute(
        "INSERT INTO command (asked, request) VALUES (?1, ?2)",
        params![millis(SystemTime::now()), command],
    )?;
    Ok(file.last_insert_rowid())
}

/// Reads an answer.
pub(super) fn read_answer<T: for<'a> Deserialize<'a>>(answer: &str) -> Result<T, InboxError> {
    let not_understood = |_| InboxError::new("the process that has the inbox is of another release");
    let mut answer: Value = serde_json::from_str(answer).map_err(not_understood)?;
    if let Some(error) = answer["error"].as_str() {
        return Err(InboxError::new(error));
    }
    serde_json::from_value(answer["ok"].take()).map_err(not_understood)
}

/// The answer to [`Command::Stats`].
pub(super) fn read_stats(answer: &str) -> Result<Stats, InboxError> {
    read_answer::<Counts>(answer).map(Stats::from)
}

impl From<Stats> for Counts {
    fn from(stats: Stats) -> Self {
        let Stats { waiting, running, retrying, dead, bytes, oldest, paused } = stats;
        Self { waiting, running, retrying, dead, bytes, oldest, paused }
    }
}

impl From<Counts> for Stats {
    fn from(counts: Counts) -> Self {
        let Counts { waiting, running, retrying, dead, bytes, oldest, paused } = counts;
        Self { waiting, running, retrying, dead, bytes, oldest, paused }
    }
}
