//! What an inbox can be set to. The settings hold for all clones.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use super::{Inbox, OrderKey, lane::Keep};

#[derive(Debug)]
pub(super) struct Settings {
    horizon_ms: AtomicU64,
    retention_ms: AtomicU64,
    archive_ms: AtomicU64,
    sessions_ms: AtomicU64,
    message_texts: AtomicBool,
    backlog_bytes: AtomicU64,
    order: AtomicU8,
}

/// Of [`Settings::archive_ms`] and [`Settings::sessions_ms`]: there is none.
const NONE: u64 = u64::MAX;

const DAY: u64 = 24 * 60 * 60 * 1000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            horizon_ms: AtomicU64::new(DAY),
            retention_ms: AtomicU64::new(30 * DAY),
            archive_ms: AtomicU64::new(NONE),
            sessions_ms: AtomicU64::new(NONE),
            message_texts: AtomicBool::new(false),
            backlog_bytes: AtomicU64::new(8 * 1024 * 1024 * 1024),
            order: AtomicU8::new(0),
        }
    }
}

impl Settings {
    pub(super) fn horizon(&self) -> Duration {
        Duration::from_millis(self.horizon_ms.load(Ordering::Relaxed))
    }

    pub(super) fn retention(&self) -> Duration {
        Duration::from_millis(self.retention_ms.load(Ordering::Relaxed))
    }

    pub(super) fn archive(&self) -> Option<Duration> {
        let millis = self.archive_ms.load(Ordering::Relaxed);
        (millis != NONE).then(|| Duration::from_millis(millis))
    }

    /// For how long sessions are kept.
    pub(super) fn sessions(&self) -> Option<Duration> {
        let millis = self.sessions_ms.load(Ordering::Relaxed);
        (millis != NONE).then(|| Duration::from_millis(millis))
    }

    pub(super) fn keep(&self) -> Option<Keep> {
        self.sessions().map(|_| Keep { texts: self.message_texts.load(Ordering::Relaxed) })
    }

    pub(super) fn backlog_limit(&self) -> u64 {
        self.backlog_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn order(&self) -> OrderKey {
        match self.order.load(Ordering::Relaxed) {
            0 => OrderKey::Session,
            1 => OrderKey::User,
            _ => OrderKey::SessionAndUser,
        }
    }
}

/// Settings. They hold for all clones.
impl Inbox {
    /// For how long, from its storing, an event is remembered to recognise a repeat of it. Default: 24 hours. One that is
    /// still waiting or dead is recognised in any case. Of several processes on one PostgreSQL the shortest counts.
    #[must_use]
    pub fn duplicate_horizon(self, horizon: Duration) -> Self {
        self.shared.settings.horizon_ms.store(millis(horizon), Ordering::Relaxed);
        self
    }

    /// For how long a dead letter is kept, from when it was given up. Default: 30 days. Of several processes on one
    /// PostgreSQL the shortest counts.
    #[must_use]
    pub fn dead_letter_retention(self, age: Duration) -> Self {
        self.shared.settings.retention_ms.store(millis(age), Ordering::Relaxed);
        self
    }

    /// Keeps delivered events for this long in an archive, from which they can be [delivered again](Self::replay). Default:
    /// they are deleted when they are delivered. Set it before [`deliver_to`](Self::deliver_to), and in every process.
    #[must_use]
    pub fn archive(self, age: Duration) -> Self {
        self.shared.settings.archive_ms.store(millis(age).min(NONE - 1), Ordering::Relaxed);
        self
    }

    /// Keeps sessions and their messages for this long after their last change, in the tables `desk_session` and `desk_message`
    /// of the inbox's SQLite file or PostgreSQL schema, for tools that evaluate them and for [`sessions`](Self::sessions). The
    /// page *sessions* of the guide has the columns. Default: they are not kept. Set it before
    /// [`deliver_to`](Self::deliver_to), and in every process.
    ///
    /// A session's row changes in the transaction that records its event as done, so each event counts exactly once, whatever
    /// crashes. An event that becomes a dead letter counts, too: it has happened.
    ///
    /// [`forget_user`](Self::forget_user) and [`forget_session`](Self::forget_session) delete from these tables as well.
    #[must_use]
    pub fn keep_sessions(self, age: Duration) -> Self {
        self.shared.settings.sessions_ms.store(millis(age).min(NONE - 1), Ordering::Relaxed);
        self
    }

    /// Keeps also what messages say, in the column `text` of `desk_message`. Default: `text` is null.
    #[must_use]
    pub fn keep_message_texts(self) -> Self {
        self.shared.settings.message_texts.store(true, Ordering::Relaxed);
        self
    }

    /// Refuses events, so that the sender gets 503, while those that are neither delivered nor dead have more bytes than
    /// this, as JSON. Default: 8 GiB. Set it well below the size of the disk. It is checked against a count that is up to 10
    /// seconds old, plus what this process has stored since.
    #[must_use]
    pub fn backlog_limit(self, bytes: u64) -> Self {
        self.shared.settings.backlog_bytes.store(bytes, Ordering::Relaxed);
        self
    }

    /// Which events are delivered one after another; the others side by side. Default: those of a session. Events that are
    /// stored already stay in the order that they were stored with.
    #[must_use]
    pub fn order_by(self, key: OrderKey) -> Self {
        let number = match key {
            OrderKey::Session => 0,
            OrderKey::User => 1,
            OrderKey::SessionAndUser => 2,
        };
        self.shared.settings.order.store(number, Ordering::Relaxed);
        self
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
