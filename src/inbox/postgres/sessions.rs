//! Kept sessions and their messages.
//!
//! A session's log is read, what has happened is merged into it, and the result is written in the transaction that takes the
//! events away, if neither the log has changed since nor an event is gone; or else the transaction fails, and everything begins
//! anew. So nothing is locked while the figures are computed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio_postgres::Row;

use super::{connection::Connection, failure::Failure};
use crate::{
    event::{Sender, Stage},
    inbox::{
        InboxError,
        store::{
            Claim, KeptMessage, KeptSession, Outcome, SessionChange, SessionFilter, Subject, session_key,
        },
    },
    session::SessionLog,
};

const READ: &str = "
    SELECT key, revision, log, sdk_app_id, session_id FROM desk_session WHERE key = ANY ($1::bytea[])";

/// Those of these events that are there, and whose lanes are held by these claims.
const THERE: &str = "
    SELECT there.id FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS change (id, lane, epoch)
    CROSS JOIN LATERAL (
        SELECT event.id FROM event WHERE event.id = change.id AND event.lane = change.lane OFFSET 0
    ) AS there
    CROSS JOIN LATERAL (
        SELECT FROM lane WHERE lane.lane = change.lane AND lane.epoch = change.epoch OFFSET 0
    ) AS held";

/// Keeps these events there, and fails unless all of them are there and their lanes are held by these claims.
const STILL_THERE: &str = "
    WITH there AS MATERIALIZED (
        SELECT there.id FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS change (id, lane, epoch)
        CROSS JOIN LATERAL (
            SELECT event.id FROM event WHERE event.id = change.id AND event.lane = change.lane FOR UPDATE
        ) AS there
        CROSS JOIN LATERAL (
            SELECT FROM lane WHERE lane.lane = change.lane AND lane.epoch = change.epoch OFFSET 0
        ) AS held
    )
    SELECT (CASE WHEN (SELECT count(*) FROM there) = cardinality($1::bigint[]) THEN '1' ELSE 'changed meanwhile' END)::integer";

/// Fails if one of these sessions has changed.
const WRITE: &str = "
    WITH new AS MATERIALIZED (
        SELECT * FROM json_to_recordset($1::text::json) AS new (
            key text, expected bigint, revision bigint, sdk_app_id bigint, session_id text,
            client_user_id text, account text, channel text, contacted_by_agent boolean, opened_at bigint,
            closed_at bigint, end_reason text, user_messages integer, bot_messages integer, agent_messages integer,
            agent_requests integer, no_agent_online integer, queue_ms bigint, first_answer_ms bigint,
            handling_ms bigint, longest_user_wait_ms bigint, agents text[], rating smallint, exact boolean,
            changed_at bigint, log text
        )
    ), updated AS (
        UPDATE desk_session SET
            client_user_id = new.client_user_id, account = new.account, channel = new.channel,
            contacted_by_agent = new.contacted_by_agent, opened_at = new.opened_at, closed_at = new.closed_at,
            end_reason = new.end_reason, user_messages = new.user_messages, bot_messages = new.bot_messages,
            agent_messages = new.agent_messages, agent_requests = new.agent_requests,
            no_agent_online = new.no_agent_online, queue_ms = new.queue_ms, first_answer_ms = new.first_answer_ms,
            handling_ms = new.handling_ms, longest_user_wait_ms = new.longest_user_wait_ms, agents = new.agents,
            rating = new.rating, exact = new.exact, changed_at = new.changed_at, revision = new.revision,
            log = new.log
        FROM new
        WHERE desk_session.key = decode(new.key, 'hex') AND desk_session.revision = new.expected
            AND desk_session.key = ANY (ARRAY (SELECT decode(key, 'hex') FROM new))
        RETURNING desk_session.id
    ), added AS (
        INSERT INTO desk_session (
            key, sdk_app_id, session_id, client_user_id, account, channel, contacted_by_agent, opened_at, closed_at,
            end_reason, user_messages, bot_messages, agent_messages, agent_requests, no_agent_online, queue_ms,
            first_answer_ms, handling_ms, longest_user_wait_ms, agents, rating, exact, changed_at, revision, log
        )
        SELECT decode(key, 'hex'), sdk_app_id, session_id, client_user_id, account, channel, contacted_by_agent,
            opened_at, closed_at, end_reason, user_messages, bot_messages, agent_messages, agent_requests,
            no_agent_online, queue_ms, first_answer_ms, handling_ms, longest_user_wait_ms, agents, rating, exact,
            changed_at, revision, log
        FROM new WHERE expected IS NULL ORDER BY key
        ON CONFLICT (key) DO NOTHING RETURNING id
    )
    SELECT (CASE
        WHEN (SELECT count(*) FROM updated) + (SELECT count(*) FROM added) = (SELECT count(*) FROM new) THEN '1'
        ELSE 'changed meanwhile'
    END)::integer";

const WRITE_MESSAGES: &str = "
    INSERT INTO desk_message (
        event, session, sdk_app_id, session_id, client_user_id, agent_id, sent_at, stage, sender, message_key,
        is_control, text
    )
    SELECT decode(event, 'hex'), decode(session, 'hex'), sdk_app_id, session_id, client_user_id, agent_id, sent_at,
        stage, sender, message_key, is_control, text
    FROM json_to_recordset($1::text::json) AS new (
        event text, session text, sdk_app_id bigint, session_id text, client_user_id text,
        agent_id text, sent_at bigint, stage text, sender text, message_key text, is_control boolean, text text
    )
    ORDER BY event
    ON CONFLICT (event) DO NOTHING";

const PAGE: &str = "
    SELECT id, log FROM desk_session
    WHERE id > $1 AND changed_at >= $2 AND ($3::text IS NULL OR session_id = $3) ORDER BY id LIMIT $4";

const NAMED: &str = "
    SELECT id, log FROM desk_session WHERE session_id = $3 AND id > $1 AND changed_at >= $2 ORDER BY id LIMIT $4";

const PURGE: &str = "
    WITH gone AS (
        DELETE FROM desk_session WHERE key = ANY (ARRAY (
            SELECT key FROM desk_session WHERE changed_at <= $1 ORDER BY changed_at LIMIT 500
        )) AND changed_at <= $1
        RETURNING key
    ), messages AS (DELETE FROM desk_message WHERE session = ANY (ARRAY (SELECT key FROM gone)))
    SELECT key FROM gone";

const ERASE_USER: &str = "
    WITH gone AS (DELETE FROM desk_session WHERE client_user_id = $1 AND sdk_app_id = $2 RETURNING key)
    DELETE FROM desk_message
    WHERE session = ANY (ARRAY (SELECT key FROM gone)) OR (client_user_id = $1 AND sdk_app_id = $2)";

const ERASE_SESSION: &str = "
    WITH gone AS (DELETE FROM desk_session WHERE key = $1)
    DELETE FROM desk_message WHERE session = $1";

/// How many sessions are read in one statement.
const SOME: i64 = 200;

/// What is to be written of sessions.
#[derive(Default)]
pub(super) struct Written {
    pub(super) events: Events,
    pub(super) sessions: String,
    pub(super) messages: String,
}

/// The events that something is about, and the claims of their lanes: lists of equal length for `unnest`.
#[derive(Default)]
pub(super) struct Events {
    pub(super) ids: Vec<i64>,
    pub(super) lanes: Vec<Vec<u8>>,
    pub(super) epochs: Vec<i64>,
}

impl Events {
    fn of(changes: &[(Claim, &SessionChange)]) -> Self {
        let mut events = Self::default();
        for (claim, change) in changes {
            events.ids.push(change.id);
            events.lanes.push(claim.lane.0.to_vec());
            events.epochs.push(claim.epoch);
        }
        events
    }
}

/// The statements that write it, in the order of its fields.
pub(super) const STATEMENTS: [&str; 3] = [STILL_THERE, WRITE, WRITE_MESSAGES];

/// A session that is being written.
struct Session {
    /// The revision that was read. `None`: it is not stored yet.
    expected: Option<i64>,
    log: SessionLog,
}

/// Merges what has happened into what is stored. `None`: there is nothing to be written.
pub(super) async fn merge(
    connection: &Connection,
    ascii_only: &AtomicBool,
    outcomes: &[Outcome],
) -> Result<Option<Written>, Failure> {
    let mut changes: Vec<(Claim, &SessionChange)> = Vec::new();
    for outcome in outcomes {
        changes.extend(outcome.sessions.iter().map(|change| (outcome.claim, change)));
    }
    let Events { ids, lanes, epochs } = Events::of(&changes);
    if ids.is_empty() {
        return Ok(None);
    }
    let there = connection.run((THERE, &[&ids, &lanes, &epochs])).await?;
    let there: HashSet<i64> = there.iter().map(|row| row.get(0)).collect();
    changes.retain(|(_, change)| there.contains(&change.id));
    let key = |log: &SessionLog| session_key(log.sdk_app_id(), log.session_id());
    let keys: Vec<[u8; 16]> = changes.iter().map(|(_, change)| key(&change.log)).collect();
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let stored = connection.run((READ, &[&keys])).await?;
    let mut stored: HashMap<Vec<u8>, (i64, SessionLog)> = stored.iter().map(read).collect();

    let is_ascii = ascii_only.load(Ordering::Relaxed);
    let text = |text: &str| readable(text, is_ascii);
    let (mut sessions, mut messages) = (BTreeMap::new(), Vec::new());
    for (_, change) in &changes {
        let key = key(&change.log);
        if let Some(message) = &change.message {
            messages.push(message_row(&key, &change.log, message, text));
        }
        let session = sessions.entry(key).or_insert_with(|| {
            let (expected, log) = match stored.remove(&key[..]) {
                Some((revision, log)) => (Some(revision), log),
                None => (None, SessionLog::new(change.log.sdk_app_id(), change.log.session_id())),
            };
            Session { expected, log }
        });
        session.log.merge(&change.log);
    }
    let rows = sessions.iter().map(|(key, session)| session_row(key, session, text));
    Ok(Some(Written {
        events: Events::of(&changes),
        sessions: Value::from_iter(rows).to_string(),
        messages: Value::from(messages).to_string(),
    }))
}

pub(super) async fn list(
    connection: &Connection,
    ascii_only: &AtomicBool,
    filter: &SessionFilter,
) -> Result<Vec<KeptSession>, InboxError> {
    let (mut after, limit) = filter.bounds();
    let since = filter.since().map_or(i64::MIN, millis);
    let is_ascii = ascii_only.load(Ordering::Relaxed);
    let name = filter.session().map(|name| readable(name, is_ascii));
    let statement = if name.is_some() { NAMED } else { PAGE };
    let mut found = Vec::new();
    while found.len() < limit {
        let rows = connection.run((statement, &[&after, &since, &name, &SOME])).await?;
        let Some(last) = rows.last() else { break };
        after = last.get(0);
        let sessions = rows.iter().filter_map(|row| {
            let log: SessionLog = serde_json::from_str(row.get(1)).ok()?;
            filter.matches(&log).then(|| KeptSession::new(row.get(0), log))
        });
        found.extend(sessions);
    }
    found.truncate(limit);
    Ok(found)
}

pub(super) async fn delete_older(connection: &Connection, age: Duration) -> Result<u64, InboxError> {
    let before = millis(SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH));
    let mut purged = 0;
    loop {
        let deleted = connection.run((PURGE, &[&before])).await?.len() as u64;
        purged += deleted;
        if deleted == 0 {
            return Ok(purged);
        }
    }
}

pub(super) async fn erase(
    connection: &Connection,
    ascii_only: &AtomicBool,
    subject: Subject<'_>,
) -> Result<(), InboxError> {
    let is_ascii = ascii_only.load(Ordering::Relaxed);
    match subject {
        Subject::User(app, user) => {
            let user = readable(user, is_ascii);
            connection.run((ERASE_USER, &[&user, &number(app)])).await?
        }
        Subject::Session(app, session) => {
            let key = session_key(app, session);
            connection.run((ERASE_SESSION, &[&&key[..]])).await?
        }
    };
    Ok(())
}

/// A log that cannot be read begins anew, and says that it is not exact.
fn read(row: &Row) -> (Vec<u8>, (i64, SessionLog)) {
    let log = serde_json::from_str(row.get(2));
    let empty = |_| SessionLog::new(row.get::<_, i64>(3).unsigned_abs(), row.get::<_, String>(4)).inexact();
    (row.get(0), (row.get(1), log.unwrap_or_else(empty)))
}

fn session_row(key: &[u8; 16], session: &Session, text: impl Fn(&str) -> String) -> Value {
    let figures = session.log.session();
    let text = |value: &Option<String>| value.as_deref().map(&text);
    json!({
        "key": hex(key),
        "expected": session.expected,
        "revision": fastrand::i64(..),
        "sdk_app_id": number(session.log.sdk_app_id()),
        "session_id": text(&Some(figures.session_id)),
        "client_user_id": text(&figures.user),
        "account": text(&figures.account),
        "channel": text(&figures.channel),
        "contacted_by_agent": figures.contacted_by_agent,
        "opened_at": figures.opened_at,
        "closed_at": figures.closed_at,
        "end_reason": figures.end.map(|end| end.as_str()),
        "user_messages": figures.messages.user,
        "bot_messages": figures.messages.bot,
        "agent_messages": figures.messages.agent,
        "agent_requests": figures.agent_requests,
        "no_agent_online": figures.no_agent_online,
        "queue_ms": figures.queue_ms,
        "first_answer_ms": figures.first_answer_ms,
        "handling_ms": figures.handling_ms,
        "longest_user_wait_ms": figures.longest_user_wait_ms,
        "agents": figures.agents.into_iter().map(|agent| text(&Some(agent))).collect::<Value>(),
        "rating": figures.rating,
        "exact": figures.exact,
        "changed_at": millis(SystemTime::now()),
        "log": ascii_json(&serde_json::to_string(&session.log).unwrap_or_default()),
    })
}

fn message_row(
    session: &[u8; 16],
    log: &SessionLog,
    message: &KeptMessage,
    text: impl Fn(&str) -> String,
) -> Value {
    let text = |value: Option<&str>| value.map(&text);
    json!({
        "event": message.event.to_string(),
        "session": hex(session),
        "sdk_app_id": number(log.sdk_app_id()),
        "session_id": text(Some(log.session_id())),
        "client_user_id": text(message.user.as_deref()),
        "agent_id": text(message.agent.as_deref()),
        "sent_at": message.time,
        "stage": if message.stage == Stage::ChatBot { "bot" } else { "human" },
        "sender": match message.sender {
            Sender::User => "user",
            Sender::Robot => "bot",
            Sender::Agent => "agent",
        },
        "message_key": text(message.message_key.as_deref()),
        "is_control": message.is_control,
        "text": text(message.text.as_deref()),
    })
}

/// As a column of type `text` can hold it: no zeros, and no more than ASCII if the database has another encoding than UTF-8.
fn readable(text: &str, ascii_only: bool) -> String {
    let readable = |char: char| match char {
        '\0' => {
            if ascii_only {
                '?'
            } else {
                '\u{FFFD}'
            }
        }
        char if ascii_only && !char.is_ascii() => '?',
        char => char,
    };
    text.chars().map(readable).collect()
}

/// The same JSON in ASCII, for a database of any encoding.
fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_ascii() {
            ascii.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// PostgreSQL's numbers have a sign.
fn number(app: u64) -> i64 {
    i64::try_from(app).unwrap_or(i64::MAX)
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
