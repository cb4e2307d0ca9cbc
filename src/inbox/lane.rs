//! One session's events, one after another.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    backoff::Backoff,
    group::Group,
    lease::Held,
    store::{Failure, Lane, Outcome, Waiting},
};
use crate::{
    event::Event,
    handler::{Deliver, HandlerError, attempt},
    isolate::isolated,
    telemetry::{self, Attempt},
};

/// Delivers events of claimed lanes to the handler.
pub(super) struct Courier<H> {
    pub(super) handler: H,
    pub(super) attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) outcomes: Group<Outcome, bool>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) finished: AtomicU64,
    pub(super) interrupted: AtomicU64,
}

/// How far the shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// No event begins any more.
    Stopping,
    /// Those that still run are given up.
    Cut,
}

enum Verdict {
    Done,
    Dead(Failure, Buried),
    Retry(Failure, Duration),
    Interrupted,
}

/// What a dead letter was, if it could be read.
type Buried = Option<Box<(Event, HandlerError, Attempt)>>;

/// What is done is recorded after this long, or when the lane is given back: quick handlers share a record, slow ones have
/// each its own.
const RECORD_AFTER: Duration = Duration::from_millis(100);

impl<H: Deliver> Courier<H> {
    /// Delivers what the lane has brought, and gives it back. Tells when its retry is due, if there is one.
    pub(super) async fn deliver(self: Arc<Self>, lane: Lane, held: Held) -> Option<Instant> {
        let mut outcome = Outcome::of(lane.claim, false);
        let mut buried = Vec::new();
        let mut recorded = Instant::now();
        for waiting in lane.events {
            if recorded.elapsed() >= RECORD_AFTER {
                let so_far = mem::replace(&mut outcome, Outcome::of(lane.claim, false));
                if !self.record(so_far, mem::take(&mut buried)).await {
                    return None;
                }
                recorded = Instant::now();
            }
            if self.phase() > Phase::Running || !held.is_valid() {
                break;
            }
            match self.hand_over(&waiting).await {
                Verdict::Done => outcome.done.push(waiting.id),
                Verdict::Dead(failure, of) => {
                    outcome.dead.push(failure);
                    buried.push(of);
                }
                Verdict::Retry(failure, after) => {
                    outcome.retry = Some((failure, after));
                    break;
                }
                Verdict::Interrupted => break,
            }
        }
        outcome.release = true;
        let retry = outcome.retry.as_ref().map(|(_, after)| *after);
        let was_held = self.record(outcome, buried).await;
        retry.filter(|_| was_held).map(|after| Instant::now() + after)
    }

    async fn hand_over(&self, waiting: &Waiting) -> Verdict {
        let attempts = waiting.attempts.saturating_add(1);
        let event = match Event::from_json(&waiting.json) {
            Ok(event) => event,
            Err(unreadable) => {
                let error = format!("the stored event cannot be read: {unreadable}");
                return Verdict::Dead(Failure::new(waiting.id, attempts, error), None);
            }
        };
        let watched = Attempt::begin(&event, attempts);
        let mut handling = watched.carry(Box::pin(attempt(&self.handler, &event)));
        let result = tokio::select! {
            biased;
            result = &mut handling => result,
            () = self.cut() => {
                watched.within(|| isolated(|| drop(handling)));
                self.interrupted.fetch_add(1, Ordering::Relaxed);
                watched.ended("interrupted");
                return Verdict::Interrupted;
            }
        };
        drop(handling);
        if self.phase() > Phase::Running {
            self.finished.fetch_add(1, Ordering::Relaxed);
        }
        let Err(error) = result else {
            watched.ended("done");
            return Verdict::Done;
        };
        let said = isolated(|| format!("{error:#}")).unwrap_or_else(|| "(its text panicked)".to_owned());
        let failure = Failure::new(waiting.id, attempts, said.chars().take(ERROR_LIMIT).collect());
        if error.is_permanent() || attempts >= self.attempts {
            watched.ended("dead");
            return Verdict::Dead(failure, Some(Box::new((event, error, watched))));
        }
        watched.ended("retry");
        let after = self.backoff.delay(attempts);
        watched.is_repeated(&event, &failure.error, after);
        isolated(|| drop(error));
        Verdict::Retry(failure, after)
    }

    /// Records it, for as long as it takes, and then tells what has become a dead letter. `false`: the lane was somebody
    /// else's by then, and nothing was recorded.
    async fn record(&self, outcome: Outcome, buried: Vec<Buried>) -> bool {
        let mut failures = 0;
        let held = loop {
            match self.outcomes.commit(outcome.clone()).await {
                Ok(held) => break held,
                // The dispatcher, which asks the same store, says why.
                Err(_) => failures += 1,
            }
            sleep(super::RECONNECT.delay(failures)).await;
        };
        for (failure, of) in outcome.dead.iter().zip(buried) {
            let Some((event, error, watched)) = of.map(|of| *of) else {
                if held {
                    telemetry::unreadable(&failure.error, failure.id);
                }
                continue;
            };
            if held {
                watched.was_last(&event, &failure.error, failure.id);
                watched.within(|| isolated(|| self.handler.late(&event, &error)));
            }
            isolated(|| drop(error));
        }
        held
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    async fn cut(&self) {
        // It fails when the sender is gone, and `self` has it.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Cut).await;
    }
}

/// How many characters of a handler's error are kept.
const ERROR_LIMIT: usize = 2000;
