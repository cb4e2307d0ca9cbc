//! All sessions of the moment.

mod standing;

mod view;

mod telemetry;

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;

pub use self::view::{AgentLoad, Alarm, LastHour, Quantiles, Served, View, Waiting};
use self::{standing::Standing, telemetry::Counted};
use super::{Session, SessionLog, entry::is_of_session};
use crate::{Event, HandlerResult, Middleware, Next};

/// Keeps all open sessions, and those that were closed within the last hour, in memory: who waits, who serves, what is wrong.
///
/// It is [`Middleware`]: put it around a handler, or call [`observe`](Self::observe). Order and repeats of events do not
/// matter.
///
/// ```
/// use std::sync::Arc;
/// use tencent_desk_webhook::{EventHandler, Middleware, Webhook, session::Board, testing};
///
/// struct Support;
/// impl EventHandler for Support {}
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let board = Arc::new(Board::new());
/// let webhook = Webhook::new(testing::verifier(), Arc::clone(&board).around(Support));
/// for name in ["SessionBegin", "TransferringToHuman"] {
///     webhook.handle(testing::event(name).session("s-1").delivery().request()).await;
/// }
/// let view = board.view();
/// assert_eq!((view.open, view.waiting[0].session_id.as_str()), (1, "s-1"));
/// # }
/// ```
///
/// It keeps at most [`limit`](Self::limit) sessions. One that sends no event for [`max_age`](Self::max_age), or for an hour after
/// its end, is dropped. It begins empty: after a restart, [`restore`](Self::restore) puts stored sessions back.
pub struct Board {
    limit: usize,
    max_age: Duration,
    waiting_limit: Duration,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<(u64, String), Kept>,
    dropped: u64,
}

/// A session on the board.
struct Kept {
    log: SessionLog,
    standing: Standing,
    /// When its last event arrived, by the board's clock, in milliseconds.
    touched: i64,
    counted: Counted,
}

/// The time after which a closed session is dropped, and the time that [`View::last_hour`] is about.
const HOUR: Duration = Duration::from_secs(60 * 60);

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        telemetry::describe();
        Self {
            limit: 100_000,
            max_age: Duration::from_secs(24 * 60 * 60),
            waiting_limit: Duration::from_secs(120),
            clock: Box::new(SystemTime::now),
            state: Mutex::default(),
        }
    }

    /// How many sessions it keeps. Beyond it, those whose last event is the longest ago are dropped, closed ones first, a
    /// sixteenth of all at a time. Default: 100,000.
    #[must_use]
    pub fn limit(mut self, sessions: usize) -> Self {
        self.limit = sessions.max(1);
        self
    }

    /// How long an open session stays without an event. Default: 24 hours.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// How long a user may wait before there is an [alarm](Alarm::WaitingTooLong). Default: 2 minutes.
    #[must_use]
    pub fn waiting_limit(mut self, limit: Duration) -> Self {
        self.waiting_limit = limit;
        self
    }

    /// Asks `clock` for the time instead of the system: for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Adds an event to its session. Events of other callbacks than `Desk.SessionEventNotify` are left out.
    pub fn observe(&self, event: &Event) {
        if !is_of_session(event) {
            return;
        }
        let now = self.now();
        let mut state = self.state();
        let key = (event.sdk_app_id, event.session_id.clone());
        let kept = state
            .sessions
            .entry(key)
            .or_insert_with(|| Kept::new(SessionLog::new(event.sdk_app_id, event.session_id.as_str())));
        kept.touched = now;
        if kept.log.add(event) {
            kept.standing = Standing::of(&kept.log);
            kept.counted.advance(&kept.standing);
        }
        state.keep_within(self.limit, |kept| self.is_over(kept, now));
    }

    /// Puts a stored session on the board, or adds its events to those that are there. What it has so far is not counted in the metrics again.
    pub fn restore(&self, log: SessionLog) {
        if log.session_id().is_empty() {
            return;
        }
        let now = self.now();
        let mut state = self.state();
        let key = (log.sdk_app_id(), log.session_id().to_owned());
        let empty = || Kept::new(SessionLog::new(log.sdk_app_id(), log.session_id()));
        let kept = state.sessions.entry(key).or_insert_with(empty);
        let latest = log.events.last().map_or(now, |latest| latest.time);
        kept.touched = kept.touched.max(latest.min(now));
        kept.log.merge(&log);
        kept.standing = Standing::of(&kept.log);
        kept.counted.pass_over(&kept.standing);
        state.keep_within(self.limit, |kept| self.is_over(kept, now));
    }

    /// A session on the board.
    #[must_use]
    pub fn session(&self, sdk_app_id: u64, session_id: &str) -> Option<Session> {
        let kept = self.state();
        let kept = kept.sessions.get(&(sdk_app_id, session_id.to_owned()))?;
        Some(kept.log.session())
    }

    /// What is going on now. It takes time in proportion to the number of sessions; with feature `metrics` it sets the
    /// gauges, so call it before the metrics are rendered.
    #[must_use]
    pub fn view(&self) -> View {
        let now = self.now();
        let mut state = self.state();
        state.sessions.retain(|_, kept| !self.is_over(kept, now));
        let view = View::of(&state, now, whole_millis(self.waiting_limit));
        drop(state);
        telemetry::set_gauges(&view);
        view
    }

    fn is_over(&self, kept: &Kept, now: i64) -> bool {
        let age = if kept.standing.closed().is_some() { HOUR } else { self.max_age };
        now.saturating_sub(kept.touched) > whole_millis(age)
    }

    fn now(&self) -> i64 {
        millis((self.clock)())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn new(log: SessionLog) -> Self {
        let standing = Standing::of(&log);
        Self { log, standing, touched: i64::MIN, counted: Counted::default() }
    }
}

impl State {
    fn keep_within(&mut self, limit: usize, is_over: impl Fn(&Kept) -> bool) {
        if self.sessions.len() <= limit {
            return;
        }
        self.sessions.retain(|_, kept| !is_over(kept));
        let Some(too_many) = self.sessions.len().checked_sub(limit).filter(|many| *many > 0) else { return };
        // Some more, so that the next ones come cheaply.
        let too_many = too_many.max(limit / 16);
        let mut ages: Vec<_> =
            self.sessions.values().map(|kept| (kept.standing.closed().is_none(), kept.touched)).collect();
        let (_, last, _) = ages.select_nth_unstable(too_many - 1);
        let last = *last;
        let before = self.sessions.len();
        let mut left = too_many;
        self.sessions.retain(|_, kept| {
            let goes = left > 0 && (kept.standing.closed().is_none(), kept.touched) <= last;
            left -= usize::from(goes);
            !goes
        });
        self.dropped += (before - self.sessions.len()) as u64;
    }
}

fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => whole_millis(after),
        Err(before) => -whole_millis(before.duration()),
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An event is on the board before the handler gets it, and whether or not it succeeds.
#[async_trait]
impl Middleware for Board {
    async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
        self.observe(event);
        next.run(event).await
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board")
            .field("limit", &self.limit)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}
