//! Stored events, as far as they can be read: one that is damaged must not hide the others.

use std::{io::Read as _, time::SystemTime};

use rusqlite::{
    CachedStatement, Connection, ErrorCode, OptionalExtension as _, Row, params, types::ValueRef,
};

use super::{millis, time};
use crate::inbox::store::{Filter, LaneKey};

/// Where stored events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Event,
    DeadLetter,
    Archive,
}

/// A row of one of them.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) lane: LaneKey,
    pub(super) stored: SystemTime,
    pub(super) attempts: u32,
    pub(super) error: Option<String>,
    /// When it is tried again, was given up, or was delivered.
    pub(super) at: Option<SystemTime>,
    pub(super) failing_since: Option<SystemTime>,
    pub(super) bytes: usize,
    pub(super) json: String,
    /// SQLite cannot read all of its pages, and so cannot delete it.
    pub(super) damaged: bool,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::DeadLetter => "dead_letter",
            Self::Archive => "archive",
        }
    }

    fn whole(self) -> &'static str {
        match self {
            Self::Event => {
                "SELECT lane, stored, attempts, error, retry_at, json, failing_since, octet_length(json) \
                 FROM event WHERE id = ?1"
            }
            Self::DeadLetter => {
                "SELECT lane, stored, attempts, error, died, json, NULL, octet_length(json) \
                 FROM dead_letter WHERE id = ?1"
            }
            Self::Archive => {
                "SELECT lane, stored, 0, NULL, delivered, json, NULL, octet_length(json) \
                 FROM archive WHERE id = ?1"
            }
        }
    }

    /// What comes before the JSON, and so can be read although that is damaged.
    fn head(self) -> &'static str {
        match self {
            Self::Event => {
                "SELECT lane, stored, attempts, error, retry_at \
                 FROM event WHERE id = ?1"
            }
            Self::DeadLetter => "SELECT lane, stored, attempts, error, died FROM dead_letter WHERE id = ?1",
            Self::Archive => "SELECT lane, stored, 0, NULL, delivered FROM archive WHERE id = ?1",
        }
    }

    /// Without those that count as deleted.
    fn ids(self) -> &'static str {
        match self {
            Self::Event => {
                "SELECT id FROM event WHERE id > ?1 AND NOT EXISTS \
                 (SELECT 1 FROM damaged WHERE place = 'event' AND damaged.id = event.id) ORDER BY id LIMIT ?2"
            }
            Self::DeadLetter => {
                "SELECT id FROM dead_letter WHERE id > ?1 AND NOT EXISTS \
                 (SELECT 1 FROM damaged WHERE place = 'dead_letter' AND damaged.id = dead_letter.id) \
                 ORDER BY id LIMIT ?2"
            }
            Self::Archive => {
                "SELECT id FROM archive WHERE id > ?1 AND NOT EXISTS \
                 (SELECT 1 FROM damaged WHERE place = 'archive' AND damaged.id = archive.id) \
                 ORDER BY id LIMIT ?2"
            }
        }
    }
}

/// How many rows, and how many of their bytes, are looked at in one transaction.
const ROWS: usize = 1000;
const BYTES: usize = 1024 * 1024;

/// A part of a table.
pub(super) struct Part {
    pub(super) matching: Vec<Stored>,
    /// Where to go on, if there may be more.
    pub(super) next: Option<i64>,
}

/// The next rows after `after` that match, at most `limit`.
pub(super) fn part(
    file: &Connection,
    table: Table,
    filter: &Filter,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Part> {
    let mut ids = file.prepare_cached(table.ids())?;
    let ids: Vec<i64> =
        ids.query_map(params![after, ROWS as i64], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut part = Part { matching: Vec::new(), next: (ids.len() == ROWS).then(|| ids[ROWS - 1]) };
    let (mut reader, mut bytes) = (Reader::of(file, table)?, 0);
    for id in ids {
        if part.matching.len() >= limit || bytes >= BYTES {
            part.next = Some(id - 1);
            break;
        }
        let Some(row) = reader.read(id)? else { continue };
        bytes += row.bytes;
        if filter.matches(&row.json, row.stored, row.error.as_deref()) {
            part.matching.push(row);
        }
    }
    Ok(part)
}

/// Reads rows of one table, before a transaction writes: after a page that cannot be read it can only be rolled back.
pub(super) struct Reader<'a> {
    file: &'a Connection,
    table: Table,
    whole: CachedStatement<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(file: &'a Connection, table: Table) -> rusqlite::Result<Self> {
        Ok(Self { file, table, whole: file.prepare_cached(table.whole())? })
    }

    /// `None`: there is none.
    pub(super) fn read(&mut self, id: i64) -> rusqlite::Result<Option<Stored>> {
        let read = |row: &Row<'_>| {
            let mut stored = head(id, row);
            stored.json = text(row.get_ref(5)?);
            stored.failing_since = row.get(6).ok().flatten().map(time);
            stored.bytes = usize::try_from(row.get::<_, i64>(7).unwrap_or(0)).unwrap_or(0);
            Ok(stored)
        };
        match self.whole.query_row([id], read).optional() {
            Err(error) if is_damaged(&error) => salvage(self.file, self.table, id),
            read => read,
        }
    }
}

/// As [`Reader::read`], once.
pub(super) fn read(file: &Connection, table: Table, id: i64) -> rusqlite::Result<Option<Stored>> {
    Reader::of(file, table)?.read(id)
}

/// Lets a row count as deleted that cannot be deleted. `false`: it did before.
pub(super) fn mark(file: &Connection, table: Table, id: i64) -> rusqlite::Result<bool> {
    let marked =
        file.execute("INSERT OR IGNORE INTO damaged (place, id) VALUES (?1, ?2)", params![table.name(), id]);
    marked.map(|marked| marked > 0)
}

pub(super) fn is_marked(file: &Connection, table: Table, id: i64) -> rusqlite::Result<bool> {
    let mut marked = file.prepare_cached("SELECT 1 FROM damaged WHERE place = ?1 AND id = ?2")?;
    marked.exists(params![table.name(), id])
}

pub(super) fn is_damaged(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

fn head(id: i64, row: &Row<'_>) -> Stored {
    Stored {
        id,
        lane: lane(id, row.get(0)),
        stored: time(row.get(1).unwrap_or_default()),
        attempts: row.get(2).unwrap_or_default(),
        error: row.get_ref(3).ok().filter(|error| *error != ValueRef::Null).map(text),
        at: row.get(4).ok().flatten().map(time),
        failing_since: None,
        bytes: 0,
        json: UNREADABLE.to_owned(),
        damaged: false,
    }
}

/// An event whose lane cannot be read has one of its own.
pub(super) fn lane(id: i64, lane: rusqlite::Result<[u8; 16]>) -> LaneKey {
    LaneKey(lane.unwrap_or_else(|_| {
        let mut own = [0; 16];
        own[8..].copy_from_slice(&id.to_be_bytes());
        own
    }))
}

/// Behind what is left of JSON, so that it is not taken for an event as it was.
const UNREADABLE: &str = "\u{FFFD}";

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(bytes).into_owned() + UNREADABLE,
        },
        _ => UNREADABLE.to_owned(),
    }
}

/// What can be read of a row whose pages are damaged.
fn salvage(file: &Connection, table: Table, id: i64) -> rusqlite::Result<Option<Stored>> {
    let read = |row: &Row<'_>| Ok(head(id, row));
    let stored = match file.prepare_cached(table.head())?.query_row([id], read).optional() {
        Err(error) if is_damaged(&error) => None,
        read => Some(read?),
    };
    let Some(mut stored) = stored.unwrap_or_else(|| Some(nothing(id))) else { return Ok(None) };
    let mut bytes = Vec::new();
    if let Ok(mut blob) = file.blob_open("main", table.name(), "json", id, true) {
        let mut some = [0; 512];
        while let Ok(count @ 1..) = blob.read(&mut some) {
            bytes.extend_from_slice(&some[..count]);
        }
    }
    stored.damaged = true;
    stored.bytes = bytes.len();
    stored.json = String::from_utf8_lossy(&bytes).into_owned() + UNREADABLE;
    Ok(Some(stored))
}

fn nothing(id: i64) -> Stored {
    Stored {
        id,
        lane: lane(id, Err(rusqlite::Error::InvalidQuery)),
        stored: time(millis(SystemTime::now())),
        attempts: 0,
        error: None,
        at: None,
        failing_since: None,
        bytes: 0,
        json: String::new(),
        damaged: true,
    }
}
