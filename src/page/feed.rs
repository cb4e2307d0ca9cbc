//! The latest records, for every browser at its own pace.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;

/// How many bytes of records are kept.
const BYTES: usize = 16 * 1024 * 1024;

/// How many browsers may watch.
const BROWSERS: usize = 64;

/// How much a browser gets at once.
const CHUNK: usize = 64 * 1024;

pub(super) struct Feed {
    limit: usize,
    /// When it began, so that numbers of an earlier process are not taken for its own.
    began: u128,
    kept: Mutex<Kept>,
    /// The number of the next record.
    next: watch::Sender<u64>,
    browsers: AtomicUsize,
}

#[derive(Default)]
struct Kept {
    /// The number of the first one.
    first: u64,
    /// As they are sent.
    records: VecDeque<Bytes>,
    bytes: usize,
}

impl Feed {
    pub(super) fn new(limit: usize) -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self {
            limit,
            began,
            kept: Mutex::default(),
            next: watch::Sender::new(0),
            browsers: AtomicUsize::new(0),
        }
    }

    /// `json` is on one line.
    pub(super) fn push(&self, json: &str) {
        let mut kept = self.kept();
        let number = kept.first + kept.records.len() as u64;
        let record = Bytes::from(format!("id: {}-{number}\ndata: {json}\n\n", self.began));
        kept.bytes += record.len();
        kept.records.push_back(record);
        while kept.records.len() > self.limit || kept.bytes > BYTES {
            let Some(oldest) = kept.records.pop_front() else { break };
            kept.bytes -= oldest.len();
            kept.first += 1;
        }
        drop(kept);
        self.next.send_replace(number + 1);
    }

    /// Some records from `from` on, and the number of the one behind them. The first ones may be gone already, which the browser
    /// gets to know. `None`: there is nothing new.
    pub(super) fn read(&self, from: u64) -> Option<(Bytes, u64)> {
        let kept = self.kept();
        let start = from.max(kept.first);
        let records = kept.records.iter().skip(usize::try_from(start - kept.first).unwrap_or(usize::MAX));
        let mut chunk = BytesMut::new();
        if start > from {
            chunk.extend_from_slice(format!("event: missed\ndata: {}\n\n", start - from).as_bytes());
        }
        let mut next = start;
        for record in records {
            chunk.extend_from_slice(record);
            next += 1;
            if chunk.len() >= CHUNK {
                break;
            }
        }
        (!chunk.is_empty()).then(|| (chunk.freeze(), next))
    }

    /// Where a browser goes on that got the record with this `id` last, or begins.
    pub(super) fn begin(&self, last: Option<&str>) -> u64 {
        let after = |id: &str| {
            let (began, number) = id.split_once('-')?;
            (began == self.began.to_string()).then_some(())?;
            number.parse::<u64>().ok()?.checked_add(1)
        };
        last.and_then(after).unwrap_or_else(|| self.kept().first)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// `false`: as many watch as may.
    pub(super) fn enter(&self) -> bool {
        let enter = |browsers| (browsers < BROWSERS).then_some(browsers + 1);
        self.browsers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter).is_ok()
    }

    pub(super) fn leave(&self) {
        self.browsers.fetch_sub(1, Ordering::Relaxed);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_records_are_kept_and_a_slow_browser_learns_what_it_missed() {
        let feed = Feed::new(3);
        for number in 0..5 {
            feed.push(&number.to_string());
        }
        let began = feed.began;
        let record = |number: u64| format!("id: {began}-{number}\ndata: {number}\n\n");
        let expected = format!("event: missed\ndata: 2\n\n{}{}{}", record(2), record(3), record(4));
        assert_eq!(feed.read(0), Some((expected.into(), 5)));
        assert_eq!((feed.read(5), feed.read(9)), (None, None));
        assert_eq!(feed.begin(Some(&format!("{began}-3"))), 4);
        for unknown in [None, Some("5-3"), Some("3"), Some("x-y")] {
            assert_eq!(feed.begin(unknown), 2);
        }
    }

    #[test]
    fn bytes_are_bounded_too() {
        let feed = Feed::new(usize::MAX);
        let large = "x".repeat(1024 * 1024);
        for _ in 0..40 {
            feed.push(&large);
        }
        assert_eq!(feed.kept().records.len(), 15);
        assert!(feed.kept().bytes <= BYTES);
        feed.push(&"x".repeat(BYTES + 1));
        assert_eq!(feed.kept().records.len(), 0);
        assert_eq!(feed.kept().bytes, 0);
    }

    #[test]
    fn so_many_browsers_and_no_more() {
        let feed = Feed::new(1);
        assert_eq!((0..100).filter(|_| feed.enter()).count(), BROWSERS);
        feed.leave();
        assert!(feed.enter());
    }
}
