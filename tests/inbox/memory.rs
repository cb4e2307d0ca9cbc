//! A storage engine, as a user could add one: it keeps everything in memory, uses the runtime's clock, and fails on request.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use tencent_desk_webhook::{
    async_trait,
    inbox::{
        InboxError,
        store::{
            Appended, Claim, DeadLetter, EVENTS_AT_ONCE, Filter, Finished, Lane, LaneKey, NewEvent, Outcome,
            Renewed, Stats, Store, Waiting,
        },
    },
};
use tokio::{sync::Notify, time::Instant};

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Work,
    Fail,
    /// No call ends.
    Hang,
    /// Storing and recording take so long.
    Slow(Duration),
    /// What is finished is recorded, and the reply is lost.
    LoseReply,
}

#[derive(Default)]
pub(crate) struct State {
    events: BTreeMap<i64, (LaneKey, Waiting)>,
    failing_since: BTreeMap<i64, Instant>,
    keys: HashSet<Vec<u8>>,
    due: BTreeMap<LaneKey, (Instant, Option<i64>)>,
    dead: BTreeMap<i64, (LaneKey, DeadLetter)>,
    count: i64,
    /// Events whose process would be said to have died of them, if it died now.
    pub(crate) running: BTreeSet<i64>,
    /// How many processes have died while an event was handled, and in how many of these it was alone.
    pub(crate) crashes: BTreeMap<i64, (u32, u32)>,
    pub(crate) renewals: usize,
    pub(crate) claims: usize,
    /// How many renewals are to be answered with `Unknown`.
    pub(crate) unknown_renewals: usize,
    /// The sizes of the groups that were stored, in bytes.
    pub(crate) groups: Vec<usize>,
    mood: Mood,
}

impl Memory {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(crate) fn will(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// As if everybody who holds a lane had stood still for longer than the lease.
    pub(crate) fn take_lanes_away(&self) {
        for (due, epoch) in self.state().due.values_mut() {
            (*due, *epoch) = (Instant::now(), None);
        }
        self.0.changed.notify_one();
    }

    async fn pause(&self) {
        let mood = self.state().mood;
        if let Mood::Slow(time) = mood {
            tokio::time::sleep(time).await;
        }
    }

    async fn works(&self) -> Result<MutexGuard<'_, State>, InboxError> {
        if self.state().mood == Mood::Hang {
            std::future::pending::<()>().await;
        }
        let state = self.state();
        if state.mood == Mood::Fail { Err(InboxError::new("it is broken")) } else { Ok(state) }
    }
}

impl State {
    pub(crate) fn waiting(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn letters(&self) -> usize {
        self.dead.len()
    }

    fn holds(&self, claim: &Claim) -> bool {
        self.due.get(&claim.lane).is_some_and(|(_, epoch)| *epoch == Some(claim.epoch))
    }
}

#[async_trait]
impl Store for Memory {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError> {
        self.pause().await;
        let mut state = self.works().await?;
        state.groups.push(events.iter().map(|event| event.json.len()).sum());
        let mut appended = Vec::new();
        for event in events {
            let request = event.request.map(|request| request.0.to_vec());
            if state.keys.contains(&event.key.as_bytes()[..])
                || request.as_ref().is_some_and(|request| state.keys.contains(request))
            {
                appended.push(Appended::Duplicate);
                continue;
            }
            state.keys.insert(event.key.as_bytes().to_vec());
            state.keys.extend(request);
            state.count += 1;
            let id = state.count;
            state.events.insert(id, (event.lane, Waiting::new(id, SystemTime::now(), event.json)));
            state.due.entry(event.lane).or_insert((Instant::now(), None));
            appended.push(Appended::Stored);
        }
        self.0.changed.notify_one();
        Ok(appended)
    }

    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError> {
        let mut state = self.works().await?;
        let now = Instant::now();
        let due = state.due.iter().filter(|(_, (due, _))| *due <= now);
        let lanes: Vec<LaneKey> = due.map(|(lane, _)| *lane).take(limit).collect();
        let claim = |lane: LaneKey| {
            state.count += 1;
            state.claims += 1;
            let epoch = state.count;
            state.due.insert(lane, (now + lease, Some(epoch)));
            let events = state.events.values().filter(|(other, _)| *other == lane);
            let events = events.take(EVENTS_AT_ONCE).map(|(_, waiting)| {
                let mut waiting = waiting.clone();
                (waiting.crashes, waiting.alone) =
                    state.crashes.get(&waiting.id).copied().unwrap_or_default();
                waiting.failing_for = state.failing_since.get(&waiting.id).map(Instant::elapsed);
                waiting
            });
            let events = events.collect();
            Lane::new(Claim { lane, epoch }, events)
        };
        Ok(lanes.into_iter().map(claim).collect())
    }

    async fn started(&self, _: &Claim, id: i64) -> Result<(), InboxError> {
        self.works().await?.running.insert(id);
        Ok(())
    }

    async fn ended(&self, _: &Claim, id: i64) {
        self.state().running.remove(&id);
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, InboxError> {
        let mut state = self.works().await?;
        state.renewals += 1;
        let renew = |claim: &Claim| {
            if !state.holds(claim) {
                return Renewed::Lost;
            }
            if state.unknown_renewals > 0 {
                state.unknown_renewals -= 1;
                return Renewed::Unknown;
            }
            state.due.insert(claim.lane, (Instant::now() + lease, Some(claim.epoch)));
            Renewed::Renewed
        };
        Ok(claims.iter().map(renew).collect())
    }

    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<Finished>, InboxError> {
        self.pause().await;
        let mut state = self.works().await?;
        let mut held = Vec::new();
        for outcome in outcomes {
            held.push(Finished::from(state.holds(&outcome.claim)));
            if !state.holds(&outcome.claim) {
                continue;
            }
            for id in outcome.done {
                state.events.remove(&id).expect("it is done once");
            }
            for failure in outcome.dead {
                let (lane, waiting) = state.events.remove(&failure.id).expect("it dies once");
                let now = SystemTime::now();
                state.dead.insert(failure.id, (lane, DeadLetter::new(failure, waiting.json, now, now)));
            }
            let after = outcome.retry.map(|(failure, after)| {
                state.failing_since.entry(failure.id).or_insert_with(Instant::now);
                state.events.get_mut(&failure.id).unwrap().1.attempts = failure.attempts;
                after
            });
            let lane = outcome.claim.lane;
            if outcome.release && !state.events.values().any(|(other, _)| *other == lane) {
                state.due.remove(&lane);
            } else if outcome.release {
                state.due.insert(lane, (Instant::now() + after.unwrap_or_default(), None));
            }
        }
        if state.mood == Mood::LoseReply {
            state.mood = Mood::Work;
            return Err(InboxError::new("the reply is lost"));
        }
        Ok(held)
    }

    async fn changed(&self) {
        self.0.changed.notified().await;
    }

    async fn stats(&self) -> Result<Stats, InboxError> {
        let state = self.works().await?;
        let running = state.due.values().filter(|(_, epoch)| epoch.is_some()).count();
        let retrying = state.events.values().filter(|(_, waiting)| waiting.attempts > 0).count();
        let mut stats = Stats::default();
        stats.bytes = state.events.values().map(|(_, waiting)| waiting.json.len() as u64).sum();
        stats.waiting = state.events.len().saturating_sub(running + retrying) as u64;
        stats.running = running as u64;
        stats.retrying = retrying as u64;
        stats.dead = state.dead.len() as u64;
        stats.oldest = state.events.first_key_value().map(|_| Duration::ZERO);
        Ok(stats)
    }

    async fn dead_letters(
        &self,
        filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        let state = self.works().await?;
        let letters = state.dead.range(after + 1..).map(|(_, (_, letter))| letter);
        let matches = |letter: &&DeadLetter| filter.matches(&letter.json, letter.stored, Some(&letter.error));
        Ok(letters.filter(matches).take(limit).cloned().collect())
    }

    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        let mut state = self.works().await?;
        let Some((lane, letter)) = state.dead.remove(&id) else { return Ok(false) };
        state.events.insert(id, (lane, Waiting::new(id, letter.stored, letter.json)));
        state.due.entry(lane).or_insert((Instant::now(), None));
        self.0.changed.notify_one();
        Ok(true)
    }

    async fn purge(&self, _: Duration) -> Result<u64, InboxError> {
        Ok(self.works().await?.dead.len() as u64)
    }

    async fn forget(&self, _: Duration) -> Result<u64, InboxError> {
        self.works().await.map(|_| 0)
    }
}
