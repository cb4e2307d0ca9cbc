//! A handler that records its calls, and fails or stalls on request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::{sync::watch, task::yield_now};

use crate::{
    event::{AgentStatus, Event, Message, Satisfaction, SessionBegin, SessionEnd, TaskFlow, Transfer},
    handler::{EventHandler, HandlerError, HandlerResult},
};

/// Records every event that it gets, and which method got it. Clones share their records.
///
/// ```
/// use tencent_desk_webhook::{EventHandler, testing::{self, Behaviour, Recorder}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let recorder = Recorder::default();
/// recorder.on_event(&testing::event("SessionBegin").build()).await.unwrap();
/// assert_eq!(recorder.calls()[0].method, "on_session_begin");
///
/// recorder.set_behaviour(Behaviour::Fail);
/// assert!(recorder.on_event(&testing::event("SessionEnd").build()).await.is_err());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    memory: Mutex<Memory>,
    called: watch::Sender<usize>,
    finished: watch::Sender<usize>,
    released: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Memory {
    behaviour: Behaviour,
    calls: Vec<Call>,
    late_failures: Vec<(Event, String)>,
}

/// One call of a handler's method.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Call {
    /// Such as `on_message`.
    pub method: &'static str,
    /// The event that it got.
    pub event: Event,
}

/// What a [`Recorder`] does once it has recorded an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// It returns at once.
    #[default]
    Succeed,
    /// It returns an error at once.
    Fail,
    /// It returns a permanent error at once.
    FailPermanently,
    /// It returns an error that is answered with 503.
    Unavailable,
    /// It panics before it awaits anything.
    Panic,
    /// It panics after it has awaited something.
    PanicLater,
    /// It waits for [`Recorder::release`], and then succeeds.
    Stall,
    /// It waits for [`Recorder::release`], and then fails.
    StallAndFail,
}

impl Default for Recorder {
    fn default() -> Self {
        let [called, finished, released] = std::array::from_fn(|_| watch::Sender::new(0));
        Self(Arc::new(Shared { memory: Mutex::default(), called, finished, released }))
    }
}

impl Recorder {
    /// Sets what it does from the next call on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.memory().behaviour = behaviour;
    }

    /// Lets every call go on that is stalled now.
    pub fn release(&self) {
        self.0.released.send_modify(|releases| *releases += 1);
    }

    /// Waits until it has been called so many times in all.
    pub async fn called(&self, times: usize) {
        // It fails when the sender is gone, and `self` has the sender.
        let _ = self.0.called.subscribe().wait_for(|count| *count >= times).await;
    }

    /// Every call so far, in order, including those that failed and those that are stalled.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.memory().calls.clone()
    }

    /// Every event so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.memory().calls.iter().map(|call| call.event.clone()).collect()
    }

    /// How many calls have ended, whether they succeeded or not.
    #[must_use]
    pub fn finished(&self) -> usize {
        *self.0.finished.borrow()
    }

    /// The events of which a failure was reported late, and the errors' texts.
    #[must_use]
    pub fn late_failures(&self) -> Vec<(Event, String)> {
        self.memory().late_failures.clone()
    }

    /// Forgets its records, and keeps its behaviour.
    pub fn forget(&self) {
        let mut memory = self.memory();
        memory.calls.clear();
        memory.late_failures.clear();
    }

    /// A test may have panicked while it held the lock; the records are whole all the same.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn record(&self, method: &'static str, event: &Event) -> HandlerResult {
        // Counts a call that panics as well.
        let _finished = CountWhenDropped(&self.0.finished);
        let mut released = self.0.released.subscribe();
        let behaviour = {
            let mut memory = self.memory();
            memory.calls.push(Call { method, event: event.clone() });
            memory.behaviour
        };
        self.0.called.send_modify(|count| *count += 1);
        behaviour.act(&mut released).await
    }
}

impl Behaviour {
    pub(super) async fn act(self, released: &mut watch::Receiver<usize>) -> HandlerResult {
        if let Self::Stall | Self::StallAndFail = self {
            released.changed().await?;
        }
        match self {
            Self::Succeed | Self::Stall => Ok(()),
            Self::Fail | Self::StallAndFail => Err("set to fail".into()),
            Self::FailPermanently => Err(HandlerError::permanent("set to fail permanently")),
            Self::Unavailable => Err(HandlerError::unavailable("set to be unavailable")),
            Self::Panic => panic!("set to panic"),
            Self::PanicLater => {
                yield_now().await;
                panic!("set to panic later")
            }
        }
    }
}

struct CountWhenDropped<'a>(&'a watch::Sender<usize>);

impl Drop for CountWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}

#[async_trait]
impl EventHandler for Recorder {
    async fn on_session_begin(&self, event: &Event, _: &SessionBegin) -> HandlerResult {
        self.record("on_session_begin", event).await
    }

    async fn on_message(&self, event: &Event, _: &Message) -> HandlerResult {
        self.record("on_message", event).await
    }

    async fn on_transfer(&self, event: &Event, _: &Transfer) -> HandlerResult {
        self.record("on_transfer", event).await
    }

    async fn on_satisfaction(&self, event: &Event, _: &Satisfaction) -> HandlerResult {
        self.record("on_satisfaction", event).await
    }

    async fn on_session_end(&self, event: &Event, _: &SessionEnd) -> HandlerResult {
        self.record("on_session_end", event).await
    }

    async fn on_agent_status(&self, event: &Event, _: &AgentStatus) -> HandlerResult {
        self.record("on_agent_status", event).await
    }

    async fn on_task_flow(&self, event: &Event, _: &TaskFlow) -> HandlerResult {
        self.record("on_task_flow", event).await
    }

    async fn on_unknown(&self, event: &Event) -> HandlerResult {
        self.record("on_unknown", event).await
    }

    fn on_late_failure(&self, event: &Event, error: &HandlerError) {
        self.memory().late_failures.push((event.clone(), error.to_string()));
    }
}
