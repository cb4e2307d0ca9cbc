//! Records what became of a lane's events, also while the next one is being handled.

use std::{mem, pin::Pin, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    RECONNECT,
    group::Group,
    lease::Held,
    store::{Failure, Finished, Outcome, SessionChange},
};

/// Records of a lane are at least this far apart, except when it is given back: quick handlers share a record.
const RECORD_AFTER: Duration = Duration::from_millis(100);

pub(super) struct Progress<'a> {
    held: &'a Held,
    outcomes: &'a Group<Outcome, Finished>,
    /// What is not recorded yet.
    outcome: Outcome,
    /// When that is to be recorded.
    due: Option<Instant>,
    /// When the last record began.
    recorded: Instant,
    /// At most one at a time. It is stopped when this is dropped.
    recording: JoinSet<bool>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(held: &'a Held, outcomes: &'a Group<Outcome, Finished>, archive: bool) -> Self {
        let outcome = Outcome::of(held.claim, archive);
        Self { held, outcomes, outcome, due: None, recorded: Instant::now(), recording: JoinSet::new() }
    }

    pub(super) fn done(&mut self, id: i64, change: Option<SessionChange>) {
        self.outcome.done.push(id);
        self.outcome.sessions.extend(change);
        self.due = self.due.or(Some(self.recorded + RECORD_AFTER));
    }

    /// It is recorded soon: until then it would be reported again.
    pub(super) fn dead(&mut self, failure: Failure, change: Option<SessionChange>) {
        self.outcome.dead.push(failure);
        self.outcome.sessions.extend(change);
        self.due = Some(Instant::now());
    }

    /// Whether something is to be recorded before the next event begins.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Records what is due. `false`: the lane is another worker's.
    pub(super) async fn catch_up(&mut self) -> bool {
        while let Some(recorded) = self.recording.join_next().await {
            if matches!(recorded, Ok(false)) {
                return false;
            }
        }
        let outcome = self.take();
        record(self.outcomes.clone(), outcome).await
    }

    fn take(&mut self) -> Outcome {
        self.due = None;
        self.recorded = Instant::now();
        let next = Outcome::of(self.outcome.claim, self.outcome.archive);
        mem::replace(&mut self.outcome, next)
    }

    /// Does `work`, and records meanwhile what is due.
    pub(super) async fn during<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        loop {
            let is_recording = !self.recording.is_empty();
            let due = self.due.filter(|_| !is_recording);
            tokio::select! {
                biased;
                output = &mut work => return output,
                Some(recorded) = self.recording.join_next(), if is_recording => {
                    if matches!(recorded, Ok(false)) {
                        self.held.lose();
                    }
                }
                () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                    let outcome = self.take();
                    self.recording.spawn(record(self.outcomes.clone(), outcome));
                }
            }
        }
    }

    /// Records the rest and gives the lane back, for as long as it takes. `false`: it was another worker's by then, and
    /// nothing was recorded.
    pub(super) async fn release(mut self, retry: Option<(Failure, Duration)>) -> bool {
        while self.recording.join_next().await.is_some() {}
        self.outcome.retry = retry;
        self.outcome.release = true;
        record(self.outcomes.clone(), self.outcome).await
    }
}

async fn record(outcomes: Group<Outcome, Finished>, outcome: Outcome) -> bool {
    let mut failures = 0;
    loop {
        match outcomes.commit(outcome.clone()).await {
            Ok(Finished::Recorded) => return true,
            Ok(Finished::Lost) => return false,
            // The dispatcher, which uses the same store, reports why it fails.
            Ok(Finished::Busy) | Err(_) => failures += 1,
        }
        sleep(RECONNECT.delay(failures)).await;
    }
}
