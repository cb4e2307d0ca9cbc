//! How long a failed event waits, whatever happens to other events of its session.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, async_trait,
    inbox::{Filter, Inbox, Pending},
    testing::APP,
};
use tokio::sync::Semaphore;

use crate::places::{Place, accept, message, number, on_each_engine, until};

const HOUR: Duration = Duration::from_secs(3600);

/// Fails event 1 permanently; makes event 2 wait for an hour, and while `gate` is closed its handler runs.
#[derive(Clone)]
struct Handler {
    calls: Arc<Mutex<Vec<(String, usize)>>>,
    gate: Arc<Semaphore>,
}

impl Handler {
    fn new(open: bool) -> Self {
        let gate = Semaphore::new(if open { Semaphore::MAX_PERMITS } else { 0 });
        Self { calls: Arc::default(), gate: Arc::new(gate) }
    }

    /// The numbers of the events of the session that the handler was called for, in order.
    fn calls(&self, session: &str) -> Vec<usize> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(of, _)| of == session).map(|(_, number)| *number).collect()
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        let number = number(event);
        self.calls.lock().unwrap().push((event.session_id.clone(), number));
        match number {
            1 => Err(HandlerError::permanent("never")),
            2 => {
                let _ = self.gate.acquire().await.unwrap();
                Err(HandlerError::retry_after(HOUR))
            }
            _ => Ok(()),
        }
    }
}

/// Once this returns, every session that was due has been claimed: another one, which became due later, was delivered.
async fn all_due_are_claimed(inbox: &Inbox, handler: &Handler) {
    for session in ["other", "another"] {
        let number = 3 + handler.calls(session).len();
        accept(inbox, &message(session, number)).await;
        until("the other session is delivered", async || handler.calls(session).contains(&number)).await;
    }
}

async fn pending(inbox: &Inbox) -> Vec<Pending> {
    inbox.pending(&Filter::session(APP, "s")).await.unwrap()
}

async fn requeue_the_letter(inbox: &Inbox) {
    let letters = inbox.dead_letters(0, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert!(inbox.requeue(letters[0].id).await.unwrap());
}

async fn is_dead_again(inbox: &Inbox) {
    until("event 1 is dead again", async || {
        let stats = inbox.stats().await.unwrap();
        (stats.dead, stats.running) == (1, 0)
    })
    .await;
}

async fn a_requeued_event_shortens_no_other_events_wait(place: Place) {
    let inbox = place.open().await;
    let handler = Handler::new(true);
    accept(&inbox, &message("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    let workers = inbox.deliver_to(handler.clone()).start();
    until("event 2 has failed", async || {
        let stats = inbox.stats().await.unwrap();
        (stats.dead, stats.retrying, stats.running) == (1, 1, 0)
    })
    .await;
    let before = pending(&inbox).await;

    for round in 1..=2 {
        requeue_the_letter(&inbox).await;
        until("event 1 is tried again", async || handler.calls("s").len() >= 2 + round).await;
        is_dead_again(&inbox).await;
        all_due_are_claimed(&inbox, &handler).await;
        assert_eq!(handler.calls("s"), [&[1, 2][..], &[1].repeat(round)].concat());
        assert_eq!(pending(&inbox).await, before);
        let stats = inbox.stats().await.unwrap();
        assert_eq!((stats.waiting, stats.retrying), (0, 1));
    }

    // It is still event 2 that the session waits for.
    assert_eq!(inbox.retry_now("s").await.unwrap(), 1);
    until("event 2 is tried again", async || handler.calls("s").ends_with(&[1, 2])).await;
    let _ = workers.drain().await;
}

async fn a_later_event_shortens_no_wait(place: Place) {
    let inbox = place.open().await;
    let handler = Handler::new(true);
    accept(&inbox, &message("s", 2)).await;
    let workers = inbox.deliver_to(handler.clone()).start();
    until("event 2 has failed", async || inbox.stats().await.unwrap().retrying == 1).await;
    accept(&inbox, &message("s", 3)).await;
    all_due_are_claimed(&inbox, &handler).await;
    assert_eq!(handler.calls("s"), [2]);
    let _ = workers.drain().await;
}

/// Event 1 comes back while event 2 is handled: it goes first once event 2 has failed.
async fn an_earlier_event_does_not_wait_for_a_later_ones_retry(place: Place) {
    let inbox = place.open().await;
    let handler = Handler::new(false);
    accept(&inbox, &message("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    let workers = inbox.deliver_to(handler.clone()).start();
    until("event 2 is being handled", async || {
        handler.calls("s") == [1, 2] && inbox.stats().await.unwrap().dead == 1
    })
    .await;
    requeue_the_letter(&inbox).await;
    handler.gate.add_permits(Semaphore::MAX_PERMITS);
    until("event 1 is tried again", async || handler.calls("s") == [1, 2, 1]).await;
    is_dead_again(&inbox).await;
    all_due_are_claimed(&inbox, &handler).await;
    assert_eq!(handler.calls("s"), [1, 2, 1]);
    let stats = inbox.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.retrying), (0, 1));
    let _ = workers.drain().await;
}

/// Event 2's time is stored with the event, so a restart does not forget it behind an earlier event.
async fn a_restart_keeps_the_wait_of_an_event_behind_another(place: Place) {
    let inbox = place.open().await;
    let handler = Handler::new(true);
    accept(&inbox, &message("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    let workers = inbox.deliver_to(handler.clone()).start();
    until("event 2 has failed", async || {
        let stats = inbox.stats().await.unwrap();
        (stats.dead, stats.retrying, stats.running) == (1, 1, 0)
    })
    .await;
    let _ = workers.drain().await;
    requeue_the_letter(&inbox).await;
    drop(inbox);

    let inbox = place.open().await;
    let workers = inbox.deliver_to(handler.clone()).start();
    until("event 1 is tried again", async || handler.calls("s") == [1, 2, 1]).await;
    is_dead_again(&inbox).await;
    all_due_are_claimed(&inbox, &handler).await;
    assert_eq!(handler.calls("s"), [1, 2, 1]);
    let _ = workers.drain().await;
}

on_each_engine! {
    a_requeued_event_shortens_no_other_events_wait,
    a_later_event_shortens_no_wait,
    an_earlier_event_does_not_wait_for_a_later_ones_retry,
    a_restart_keeps_the_wait_of_an_event_behind_another,
}
