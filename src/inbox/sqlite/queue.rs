//! The waiting events of one lane, and what there is of all lanes.

use std::{collections::VecDeque, time::Instant};

use crate::inbox::store::{EVENTS_AT_ONCE, LANE_BYTES};

/// A waiting event, and the bytes of its JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// In the order of the ids.
    entries: VecDeque<Entry>,
    bytes: u64,
    /// The events that have failed, and when each may be tried again: hardly ever more than one.
    retries: Vec<(i64, Instant)>,
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
            self.retries.retain(|(other, _)| *other != id);
        }
    }

    /// Lets an event that is there wait until then.
    pub(super) fn retry(&mut self, id: i64, at: Instant) {
        if self.has(id) {
            self.retries.retain(|(other, _)| *other != id);
            self.retries.push((id, at));
        }
    }

    pub(super) fn first(&self) -> Option<i64> {
        self.entries.front().map(|entry| entry.id)
    }

    /// When the event may be tried again, if it has failed.
    pub(super) fn retry_of(&self, id: i64) -> Option<Instant> {
        self.retries.iter().find(|(other, _)| *other == id).map(|(_, at)| *at)
    }

    /// Those that have failed.
    pub(super) fn retrying(&self) -> impl ExactSizeIterator<Item = i64> {
        self.retries.iter().map(|(id, _)| *id)
    }

    pub(super) fn has(&self, id: i64) -> bool {
        // Mostly it is one of those that were claimed.
        self.entries.iter().take(EVENTS_AT_ONCE).any(|entry| entry.id == id) || self.place(id).is_ok()
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What a claim brings of it, and the bytes of that. An event that waits for its retry holds back those behind it.
    pub(super) fn first_events(&self, now: Instant) -> (Vec<i64>, usize) {
        let (mut ids, mut bytes) = (Vec::new(), 0);
        for entry in self.entries.iter().take(EVENTS_AT_ONCE) {
            let is_due = self.retry_of(entry.id).is_none_or(|retry| retry <= now);
            if !ids.is_empty() && (!is_due || bytes + entry.bytes > LANE_BYTES) {
                break;
            }
            bytes += entry.bytes;
            ids.push(entry.id);
        }
        (ids, bytes)
    }

    fn place(&self, id: i64) -> Result<usize, usize> {
        if self.first() == Some(id) {
            return Ok(0);
        }
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
    /// Events that have failed, and are not being handled.
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
