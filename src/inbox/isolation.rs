//! Lets an event that may have crashed a process run alone, for a short time: if the process dies again, it was this event.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::{Instant, sleep, timeout},
};

/// How long an event runs alone. After that others run beside it.
pub(super) const ALONE: Duration = Duration::from_millis(100);

/// How long others are waited for, so that one can run alone; longer than another suspect runs alone.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long all other events may be held up, until there was no suspect for [`QUIET`].
const BUDGET: Duration = Duration::from_secs(2);

const QUIET: Duration = Duration::from_secs(60);

/// Handlers of one dispatcher take turns here: suspects one at a time, all others together.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    gate: Arc<RwLock<()>>,
    spent: Mutex<Option<Spent>>,
}

#[derive(Clone, Copy, Debug)]
struct Spent {
    time: Duration,
    until: Instant,
}

/// The permission to run, until it is dropped.
#[derive(Debug)]
pub(super) enum Turn {
    Alone(#[allow(dead_code)] OwnedRwLockWriteGuard<()>),
    Beside(#[allow(dead_code)] OwnedRwLockReadGuard<()>),
}

impl Isolation {
    /// Beside others, unless a suspect runs alone now.
    pub(super) fn try_beside(&self) -> Option<Turn> {
        Arc::clone(&self.gate).try_read_owned().ok().map(Turn::Beside)
    }

    /// Beside others, once no suspect runs alone.
    pub(super) async fn beside(&self) -> Turn {
        Turn::Beside(Arc::clone(&self.gate).read_owned().await)
    }

    /// Alone, once all others have ended; `None` if that takes too long.
    pub(super) async fn alone(&self) -> Option<Turn> {
        let begun = Instant::now();
        if self.spent(begun) >= BUDGET {
            return None;
        }
        let turn = timeout(PATIENCE, Arc::clone(&self.gate).write_owned()).await;
        self.spend(begun.elapsed());
        turn.ok().map(Turn::Alone)
    }

    fn spent(&self, now: Instant) -> Duration {
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent
            .filter(|spent| now.saturating_duration_since(spent.until) < QUIET)
            .map_or(Duration::ZERO, |spent| spent.time)
    }

    fn spend(&self, time: Duration) {
        let now = Instant::now();
        let time = self.spent(now) + time;
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Spent { time, until: now });
    }
}

impl Turn {
    /// Keeps the turn until `work` has ended, but does not keep others waiting for long.
    pub(super) async fn until<T>(turn: Option<Self>, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Some(turn) = turn {
            tokio::select! {
                biased;
                output = &mut work => return output,
                () = sleep(ALONE) => drop(turn),
            }
        }
        work.await
    }

    /// Lets others run beside it from now on.
    pub(super) fn share(self) -> Self {
        match self {
            Self::Alone(guard) => Self::Beside(guard.downgrade()),
            beside @ Self::Beside(_) => beside,
        }
    }
}
