//! The waiting events of one lane, and what there is of all lanes.

use std::collections::VecDeque;

use crate::inbox::store::{EVENTS_AT_ONCE, LANE_BYTES};

/// A waiting event, and the bytes of its JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) bytes: usize,
}

/// In the order of the ids.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    bytes: u64,
}

impl Queue {
    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes as u64;
        self.entries.push_back(entry);
    }

    pub(super) fn push_in_place(&mut self, entry: Entry) {
        let place = self.entries.partition_point(|other| other.id < entry.id);
        self.bytes += entry.bytes as u64;
        self.entries.insert(place, entry);
    }

    pub(super) fn remove(&mut self, id: i64) {
        if let Ok(place) = self.place(id)
            && let Some(entry) = self.entries.remove(place)
        {
            self.bytes -= entry.bytes as u64;
        }
    }

    pub(super) fn first(&self) -> Option<i64> {
        self.entries.front().map(|entry| entry.id)
    }

    pub(super) fn is_first(&self, id: i64) -> bool {
        self.first() == Some(id)
    }

    pub(super) fn has(&self, id: i64) -> bool {
        self.place(id).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What a claim brings of it, and the bytes of that.
    pub(super) fn first_events(&self) -> (Vec<i64>, usize) {
        let (mut ids, mut bytes) = (Vec::new(), 0);
        for entry in self.entries.iter().take(EVENTS_AT_ONCE) {
            if !ids.is_empty() && bytes + entry.bytes > LANE_BYTES {
                break;
            }
            bytes += entry.bytes;
            ids.push(entry.id);
        }
        (ids, bytes)
    }

    fn place(&self, id: i64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&id, |entry| entry.id)
    }
}

/// Kept up to date instead of counted, because there can be millions of lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) events: u64,
    pub(super) bytes: u64,
    /// Lanes that are held and have events.
    pub(super) running: u64,
    /// Lanes that are not held, and whose first event has failed.
    pub(super) retrying: u64,
}

impl Totals {
    pub(super) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
        self.running += other.running;
        self.retrying += other.retrying;
    }

    pub(super) fn take(&mut self, other: Self) {
        self.events -= other.events;
        self.bytes -= other.bytes;
        self.running -= other.running;
        self.retrying -= other.retrying;
    }
}
