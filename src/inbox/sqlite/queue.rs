//! The waiting events of one lane, and what there is of all lanes.

use std::{collections::VecDeque, time::Instant};

use crate::inbox::store::{EVENTS_AT_ONCE, LANE_BYTES};

/// A waiting event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    /// Of its JSON.
    pub(super) bytes: usize,
    /// When it may be tried again, if it has failed.
    pub(super) retry: Option<Instant>,
}

impl Entry {
    /// An event that has not failed.
    pub(super) fn new(id: i64, bytes: usize) -> Self {
        Self { id, bytes, retry: None }
    }
}

/// In the order of the ids.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    bytes: u64,
    retrying: u64,
}

impl Queue {
    pub(super) fn push(&mut self, entry: Entry) {
        self.count(entry);
        self.entries.push_back(entry);
    }

    pub(super) fn push_in_place(&mut self, entry: Entry) {
        let place = self.entries.partition_point(|other| other.id < entry.id);
        self.count(entry);
        self.entries.insert(place, entry);
    }

    fn count(&mut self, entry: Entry) {
        self.bytes += entry.bytes as u64;
        self.retrying += u64::from(entry.retry.is_some());
    }

    pub(super) fn remove(&mut self, id: i64) {
        if let Ok(place) = self.place(id)
            && let Some(entry) = self.entries.remove(place)
        {
            self.bytes -= entry.bytes as u64;
            self.retrying -= u64::from(entry.retry.is_some());
        }
    }

    /// The event has failed, or need not wait any longer.
    pub(super) fn retry(&mut self, id: i64, at: Instant) {
        if let Ok(place) = self.place(id)
            && let Some(entry) = self.entries.get_mut(place)
        {
            self.retrying += u64::from(entry.retry.is_none());
            entry.retry = Some(at);
        }
    }

    pub(super) fn first(&self) -> Option<&Entry> {
        self.entries.front()
    }

    /// Those that have failed.
    pub(super) fn retrying(&self) -> impl Iterator<Item = i64> {
        self.entries.iter().filter(|entry| entry.retry.is_some()).map(|entry| entry.id)
    }

    pub(super) fn count_retrying(&self) -> u64 {
        self.retrying
    }

    pub(super) fn has(&self, id: i64) -> bool {
        self.place(id).is_ok()
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
            let is_due = entry.retry.is_none_or(|retry| retry <= now);
            if !ids.is_empty() && (!is_due || bytes + entry.bytes > LANE_BYTES) {
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
