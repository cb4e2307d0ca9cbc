//! One lane's events, one after another.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    delivery::Facts,
    group::Group,
    isolation::{ALONE, Isolation, Turn},
    lease::Held,
    progress::Progress,
    retry::Policy,
    store::{Failure, Finished, Lane, Outcome, SessionChange, Store, Waiting},
    telemetry::{self, Attempt, AttemptOutcome},
};
use crate::{
    event::Event,
    handler::{Deliver, HandlerError, attempt},
    isolate::isolated,
};

/// Delivers the events of claimed lanes to the handler.
pub(super) struct LaneWorker<H> {
    pub(super) handler: H,
    pub(super) policy: Policy,
    pub(super) archive: bool,
    pub(super) keep: Option<Keep>,
    pub(super) store: Arc<dyn Store>,
    pub(super) outcomes: Group<Outcome, Finished>,
    pub(super) isolation: Isolation,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) finished: AtomicU64,
    pub(super) interrupted: AtomicU64,
}

/// Sessions are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// With the texts of their messages.
    pub(super) texts: bool,
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
    Dead(Failure),
    Retry(Failure, Duration),
    /// It was not handled to its end.
    Interrupted,
}

impl<H: Deliver> LaneWorker<H> {
    /// Delivers what the lane has brought, the first event in `turn`, and gives it back. Returns when its retry is due, if
    /// there is one.
    pub(super) async fn deliver(
        self: Arc<Self>,
        lane: Lane,
        held: Held,
        mut turn: Option<Turn>,
    ) -> Option<Instant> {
        let mut progress = Progress::new(&held, &self.outcomes, self.archive);
        let (mut retry, mut running) = (None, None);
        for (place, waiting) in lane.events.iter().enumerate() {
            if progress.is_due() {
                self.ended(&held, &mut running).await;
                if !progress.catch_up().await {
                    return None;
                }
            }
            // A suspect runs alone when it is its lane's first event.
            let comes_later = place > 0 && self.policy.is_suspect(waiting);
            if comes_later || self.phase() > Phase::Running || !held.is_valid() {
                break;
            }
            if place > 0 || turn.is_none() {
                turn = Some(self.next_turn(turn, &held, &mut running).await);
            }
            let (verdict, change) = {
                let handling = pin!(self.hand_over(waiting, &held, &mut turn, &mut running));
                progress.during(handling).await
            };
            match verdict {
                Verdict::Done => progress.done(waiting.id, change),
                Verdict::Dead(failure) => progress.dead(failure, change),
                Verdict::Retry(failure, after) => {
                    retry = Some((failure, after));
                    break;
                }
                Verdict::Interrupted => break,
            }
            if self.policy.is_suspect(waiting) {
                break;
            }
        }
        self.ended(&held, &mut running).await;
        let after = retry.as_ref().map(|(_, after)| *after);
        // A store may count an event as running until it is recorded: the next suspect waits for that.
        let was_held = Turn::until(turn, progress.release(retry)).await;
        after.filter(|_| was_held).map(|after| Instant::now() + after)
    }

    /// Records in the store that no event is running. If the lane continues at once with its next event, the start of that event
    /// is enough.
    async fn ended(&self, held: &Held, running: &mut Option<i64>) {
        if let Some(id) = running.take() {
            self.store.ended(&held.claim, id).await;
        }
    }

    /// Waits while a suspect runs alone, or is about to.
    async fn next_turn(&self, turn: Option<Turn>, held: &Held, running: &mut Option<i64>) -> Turn {
        if let Some(next) = self.isolation.try_beside() {
            return next;
        }
        self.ended(held, running).await;
        drop(turn);
        self.isolation.beside().await
    }

    async fn hand_over(
        &self,
        waiting: &Waiting,
        held: &Held,
        turn: &mut Option<Turn>,
        running: &mut Option<i64>,
    ) -> (Verdict, Option<SessionChange>) {
        let event = match Event::from_json(&waiting.json) {
            Ok(event) => event,
            Err(unreadable) => {
                let error = format!("the stored event cannot be read: {unreadable}");
                telemetry::log_unreadable(&error, waiting.id);
                return (Verdict::Dead(Failure::new(waiting.id, waiting.attempts, error)), None);
            }
        };
        let verdict = self.hand_over_event(waiting, &event, held, turn, running).await;
        let is_over = matches!(verdict, Verdict::Done | Verdict::Dead(_));
        let keep = self.keep.filter(|_| is_over);
        (verdict, keep.and_then(|keep| SessionChange::of(waiting.id, &event, keep.texts)))
    }

    async fn hand_over_event(
        &self,
        waiting: &Waiting,
        event: &Event,
        held: &Held,
        turn: &mut Option<Turn>,
        running: &mut Option<i64>,
    ) -> Verdict {
        if self.policy.is_poison(waiting) {
            let crashes = waiting.crashes;
            let error = format!("its handling has ended the process {crashes} times");
            let watched = Attempt::begin(event, waiting.attempts);
            return self.bury(waiting.attempts, waiting, event, &HandlerError::permanent(error), &watched);
        }
        if self.store.started(&held.claim, waiting.id).await.is_err() {
            // The dispatcher, which uses the same store, reports why.
            return Verdict::Interrupted;
        }
        *running = Some(waiting.id);
        self.handle(waiting, event, held, turn).await
    }

    async fn handle(
        &self,
        waiting: &Waiting,
        event: &Event,
        held: &Held,
        turn: &mut Option<Turn>,
    ) -> Verdict {
        let attempts = waiting.attempts.saturating_add(1);
        let is_last = self.policy.is_last(waiting);
        let facts = Facts {
            claim: held.claim,
            id: waiting.id,
            attempt: attempts,
            is_last,
            stored: waiting.stored,
            archive: self.archive,
            keeps_sessions: self.keep.is_some(),
        };
        let begun = Instant::now();
        let watched = Attempt::begin(event, attempts);
        let mut handling = watched.carry(Box::pin(facts.within(&self.store, attempt(&self.handler, event))));
        // Most handlers of a backlog are ready at once, and need nothing of what follows.
        let at_once = poll_fn(|cx| Poll::Ready(Pin::new(&mut handling).poll(cx))).await;
        let result = if let Poll::Ready(result) = at_once {
            Some(result)
        } else {
            tokio::select! {
                biased;
                result = &mut handling => Some(result),
                () = self.cut() => {
                    self.interrupted.fetch_add(1, Ordering::Relaxed);
                    None
                }
                () = held.lost() => {
                    watched.log_lost_lease(event);
                    None
                }
                () = sleep(self.policy.timeout) => {
                    let seconds = self.policy.timeout.as_secs_f64();
                    Some(Err(HandlerError::from(format!("the handler was cancelled: it has not ended within {seconds} s"))))
                }
                () = self.accompany(waiting, held, turn) => None,
            }
        };
        watched.within(|| isolated(|| drop(handling)));
        let Some(result) = result else {
            watched.record_end(AttemptOutcome::Interrupted);
            return Verdict::Interrupted;
        };
        if self.phase() > Phase::Running {
            self.finished.fetch_add(1, Ordering::Relaxed);
        }
        let Err(error) = result else {
            watched.record_end(AttemptOutcome::Done);
            return Verdict::Done;
        };
        let verdict = if error.is_permanent() || is_last {
            self.bury(attempts, waiting, event, &error, &watched)
        } else {
            watched.record_end(AttemptOutcome::Retry);
            let after = self.policy.delay(waiting, begun.elapsed(), &error);
            let failure = Failure::new(waiting.id, attempts, text(&error));
            watched.log_retry(event, &failure.error, after);
            Verdict::Retry(failure, after)
        };
        isolated(|| drop(error));
        verdict
    }

    /// Lets others run beside a handler that had some time alone, and does not blame it for the end of a process that is
    /// stopping. Never ends.
    async fn accompany(&self, waiting: &Waiting, held: &Held, turn: &mut Option<Turn>) {
        let mut phase = self.phase.subscribe();
        let stopping = async {
            // It fails when the sender is gone, and `self` has it.
            let _ = phase.wait_for(|phase| *phase > Phase::Running).await;
            self.store.ended(&held.claim, waiting.id).await;
        };
        let sharing = async {
            sleep(ALONE).await;
            *turn = turn.take().map(Turn::share);
        };
        tokio::join!(stopping, sharing);
        std::future::pending::<()>().await;
    }

    /// Reports a dead letter. It is recorded afterwards, so that it is reported at least once.
    fn bury(
        &self,
        attempts: u32,
        waiting: &Waiting,
        event: &Event,
        error: &HandlerError,
        watched: &Attempt,
    ) -> Verdict {
        watched.record_end(AttemptOutcome::Dead);
        let failure = Failure::new(waiting.id, attempts, text(error));
        watched.log_dead_letter(event, &failure.error, failure.id);
        watched.within(|| isolated(|| self.handler.late_failure(event, error)));
        Verdict::Dead(failure)
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    async fn cut(&self) {
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Cut).await;
    }
}

fn text(error: &HandlerError) -> String {
    let text = isolated(|| format!("{error:#}")).unwrap_or_else(|| "(its text panicked)".to_owned());
    text.chars().take(ERROR_LIMIT).collect()
}

/// How many characters of a handler's error are kept.
const ERROR_LIMIT: usize = 2000;
