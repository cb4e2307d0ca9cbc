//! Kept sessions and their messages.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params, params};

use super::{
    before,
    commit::Change,
    millis,
    owner::Owner,
    thread::{Thread, Work},
};
use crate::{
    event::{Sender, Stage},
    inbox::{
        InboxError,
        store::{KeptMessage, KeptSession, SessionChange, SessionFilter, Subject, session_key},
    },
    session::SessionLog,
};

const WRITE: &str = "
    INSERT INTO desk_session (
        key, sdk_app_id, session_id, client_user_id, account, channel, contacted_by_agent, opened_at, closed_at,
        end_reason, user_messages, bot_messages, agent_messages, agent_requests, no_agent_online, queue_ms,
        first_answer_ms, handling_ms, longest_user_wait_ms, agents, rating, exact, changed_at, log
    ) VALUES (
        :key, :app, :session, :user, :account, :channel, :contacted, :opened, :closed,
        :end, :user_messages, :bot_messages, :agent_messages, :requests, :no_agent, :queue,
        :first_answer, :handling, :wait, :agents, :rating, :exact, :changed, :log
    )
    ON CONFLICT (key) DO UPDATE SET
        client_user_id = :user, account = :account, channel = :channel, contacted_by_agent = :contacted,
        opened_at = :opened, closed_at = :closed, end_reason = :end, user_messages = :user_messages,
        bot_messages = :bot_messages, agent_messages = :agent_messages, agent_requests = :requests,
        no_agent_online = :no_agent, queue_ms = :queue, first_answer_ms = :first_answer, handling_ms = :handling,
        longest_user_wait_ms = :wait, agents = :agents, rating = :rating, exact = :exact, changed_at = :changed,
        log = :log";

const WRITE_MESSAGE: &str = "
    INSERT OR IGNORE INTO desk_message (
        event, session, sdk_app_id, session_id, client_user_id, agent_id, sent_at, stage, sender, message_key,
        is_control, text
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// How many sessions are read or deleted in one transaction.
const SOME: usize = 200;

/// Adds what events have changed.
pub(super) fn add(file: &Connection, changes: &[&SessionChange]) -> rusqlite::Result<()> {
    let mut logs: BTreeMap<[u8; 16], SessionLog> = BTreeMap::new();
    for change in changes {
        let key = session_key(change.log.sdk_app_id(), change.log.session_id());
        if let Some(message) = &change.message {
            write_message(file, key, &change.log, message)?;
        }
        match logs.get_mut(&key) {
            Some(log) => {
                log.merge(&change.log);
            }
            None => {
                let log = match read(file, key)? {
                    Some(mut stored) => {
                        stored.merge(&change.log);
                        stored
                    }
                    None => change.log.clone(),
                };
                logs.insert(key, log);
            }
        }
    }
    logs.iter().try_for_each(|(key, log)| write(file, *key, log))
}

/// A log that cannot be read begins anew, and says that it is not exact.
fn read(file: &Connection, key: [u8; 16]) -> rusqlite::Result<Option<SessionLog>> {
    let mut read =
        file.prepare_cached("SELECT log, sdk_app_id, session_id FROM desk_session WHERE key = ?1")?;
    let row = |row: &rusqlite::Row<'_>| {
        let log = row.get_ref(0)?.as_str().ok().and_then(|log| serde_json::from_str(log).ok());
        let empty =
            || Ok(SessionLog::new(row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, String>(2)?).inexact());
        log.map_or_else(empty, Ok)
    };
    read.query_row([key], row).optional()
}

fn write(file: &Connection, key: [u8; 16], log: &SessionLog) -> rusqlite::Result<()> {
    let session = log.session();
    let json = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
    file.prepare_cached(WRITE)?
        .execute(named_params! {
            ":key": key,
            ":app": number(log.sdk_app_id()),
            ":session": session.session_id,
            ":user": session.user,
            ":account": session.account,
            ":channel": session.channel,
            ":contacted": session.contacted_by_agent,
            ":opened": session.opened_at,
            ":closed": session.closed_at,
            ":end": session.end.map(|end| end.as_str()),
            ":user_messages": session.messages.user,
            ":bot_messages": session.messages.bot,
            ":agent_messages": session.messages.agent,
            ":requests": session.agent_requests,
            ":no_agent": session.no_agent_online,
            ":queue": session.queue_ms,
            ":first_answer": session.first_answer_ms,
            ":handling": session.handling_ms,
            ":wait": session.longest_user_wait_ms,
            ":agents": serde_json::to_string(&session.agents).map_err(json)?,
            ":rating": session.rating,
            ":exact": session.exact,
            ":changed": millis(SystemTime::now()),
            ":log": serde_json::to_string(log).map_err(json)?,
        })
        .map(drop)
}

fn write_message(
    file: &Connection,
    session: [u8; 16],
    log: &SessionLog,
    message: &KeptMessage,
) -> rusqlite::Result<()> {
    file.prepare_cached(WRITE_MESSAGE)?
        .execute(params![
            message.event.as_bytes(),
            session,
            number(log.sdk_app_id()),
            log.session_id(),
            message.user,
            message.agent,
            message.time,
            if message.stage == Stage::ChatBot { "bot" } else { "human" },
            match message.sender {
                Sender::User => "user",
                Sender::Robot => "bot",
                Sender::Agent => "agent",
            },
            message.message_key,
            message.is_control,
            message.text,
        ])
        .map(drop)
}

/// SQLite's numbers have a sign.
fn number(app: u64) -> i64 {
    i64::try_from(app).unwrap_or(i64::MAX)
}

/// A page of the kept sessions, read some at a time.
pub(super) async fn page<W: Work>(
    thread: &Thread<W>,
    filter: &SessionFilter,
) -> Result<Vec<KeptSession>, InboxError> {
    let (mut after, limit) = filter.bounds();
    let since = filter.since().map_or(i64::MIN, millis);
    let mut found = Vec::new();
    while found.len() < limit {
        let name = filter.session().map(str::to_owned);
        let read = move |file: &Transaction<'_>| {
            let statement = if name.is_some() {
                "SELECT id, log FROM desk_session WHERE id > ?1 AND changed_at >= ?2 AND session_id = ?3 \
                 ORDER BY id LIMIT ?4"
            } else {
                "SELECT id, log FROM desk_session WHERE id > ?1 AND changed_at >= ?2 AND ?3 IS NULL \
                 ORDER BY id LIMIT ?4"
            };
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            file.prepare_cached(statement)?
                .query_map(params![after, since, name, SOME as i64], row)?
                .collect::<rusqlite::Result<Vec<(i64, String)>>>()
        };
        let rows = thread.read(read).await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        let is_last = rows.len() < SOME;
        let sessions = rows.into_iter().filter_map(|(id, log)| {
            let log: SessionLog = serde_json::from_str(&log).ok()?;
            filter.matches(&log).then(|| KeptSession::new(id, log))
        });
        found.extend(sessions);
        if is_last {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

impl Owner {
    pub(super) async fn purge_kept_sessions(&self, age: Duration) -> Result<u64, InboxError> {
        let old = "SELECT key FROM desk_session WHERE changed_at <= ?1 ORDER BY changed_at LIMIT ?2";
        let (before, mut purged) = (before(age), 0);
        loop {
            let delete = move |file: &Transaction<'_>| {
                let keys: Vec<[u8; 16]> = file
                    .prepare_cached(old)?
                    .query_map(params![before, SOME as i64], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                delete_sessions(file, &keys)?;
                Ok(keys.len())
            };
            let deleted = self.thread.change(Change::Take, delete, |deleted| deleted).await?;
            purged += deleted as u64;
            if deleted < SOME {
                return Ok(purged);
            }
        }
    }

    /// Deletes the kept sessions of a user, or one session, so that nothing of them can be read in the file.
    pub(super) async fn erase_sessions(&self, subject: Subject<'_>) -> Result<(), InboxError> {
        let (app, user) = match subject {
            Subject::Session(app, session) => {
                let key = session_key(app, session);
                return self.erase_some(move |file| delete_sessions(file, &[key])).await;
            }
            Subject::User(app, user) => (number(app), user.to_owned()),
        };
        self.erase_some(move |file| {
            let keys: Vec<[u8; 16]> = file
                .prepare_cached("SELECT key FROM desk_session WHERE client_user_id = ?1 AND sdk_app_id = ?2")?
                .query_map(params![user, app], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            delete_sessions(file, &keys)?;
            file.prepare_cached("DELETE FROM desk_message WHERE client_user_id = ?1 AND sdk_app_id = ?2")?
                .execute(params![user, app])
                .map(drop)
        })
        .await
    }

    async fn erase_some(
        &self,
        erase: impl Fn(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), InboxError> {
        self.thread.change(Change::Erase, erase, |()| ()).await
    }
}

fn delete_sessions(file: &Connection, keys: &[[u8; 16]]) -> rusqlite::Result<()> {
    for key in keys {
        file.prepare_cached("DELETE FROM desk_message WHERE session = ?1")?.execute([key])?;
        file.prepare_cached("DELETE FROM desk_session WHERE key = ?1")?.execute([key])?;
    }
    Ok(())
}
