//! Events that were being handled when a process died.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

/// How often a process has died while an event was handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Crashes {
    pub(super) crashes: u32,
    /// How often nothing else was handled at the time.
    pub(super) alone: u32,
}

/// Of all events that have any.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects(HashMap<i64, Crashes>);

impl Suspects {
    pub(super) fn read(file: &Connection) -> rusqlite::Result<Self> {
        let crashes = |row: &Row<'_>| Ok((row.get(0)?, Crashes { crashes: row.get(1)?, alone: row.get(2)? }));
        let mut all = file.prepare_cached("SELECT id, crashes, alone FROM crash")?;
        all.query_map([], crashes)?.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = i64> {
        self.0.keys().copied()
    }

    pub(super) fn of(&self, id: i64) -> Crashes {
        self.0.get(&id).copied().unwrap_or_default()
    }

    /// The event is done, or given up.
    pub(super) fn clear(&mut self, id: i64) {
        if self.any() {
            self.0.remove(&id);
        }
    }
}

/// The events that were being handled when the last process died, and whether each was the only one.
pub(super) fn count(file: &Connection, running: &[(i64, bool)]) -> rusqlite::Result<()> {
    let mut count = file.prepare(
        "INSERT INTO crash (id, crashes, alone) SELECT id, 1, ?2 FROM event WHERE id = ?1 \
         ON CONFLICT (id) DO UPDATE SET crashes = crashes + 1, alone = alone + excluded.alone",
    )?;
    running.iter().try_for_each(|(id, alone)| count.execute(params![id, alone]).map(drop))?;
    file.execute("DELETE FROM crash WHERE id NOT IN (SELECT id FROM event)", []).map(drop)
}
