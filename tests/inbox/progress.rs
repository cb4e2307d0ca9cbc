//! When it is recorded what became of events.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, async_trait,
    inbox::Inbox,
    testing::{Behaviour, Recorder},
};
use tokio::{sync::Notify, time::sleep};

use crate::{
    memory::{Memory, Mood},
    places::{Place, accept, idle, message, number, on_each_engine, until},
};

/// The first event ends at once, the second waits.
struct QuickThenSlow(Arc<Notify>);

#[async_trait]
impl EventHandler for QuickThenSlow {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        if number(event) == 2 {
            self.0.notified().await;
        }
        Ok(())
    }
}

async fn what_is_done_is_recorded_while_the_next_handler_runs(place: Place) {
    let inbox = place.open().await;
    accept(&inbox, &message("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    let slow = Arc::new(Notify::new());
    let workers = inbox.deliver_to(QuickThenSlow(Arc::clone(&slow))).start();
    until("the first is recorded", async || {
        let stats = inbox.stats().await.unwrap();
        (stats.waiting, stats.running) == (0, 1)
    })
    .await;
    slow.notify_one();
    idle(&inbox).await;
    let _ = workers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_reported_also_when_the_reply_to_its_record_is_lost() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::FailPermanently);
    for session in 0..10 {
        memory.will(Mood::LoseReply);
        accept(&inbox, &message(&session.to_string(), 1)).await;
        let workers = inbox.deliver_to(recorder.clone()).start();
        until("it is dead", async || memory.state().letters() == session + 1).await;
        let _ = workers.drain().await;
    }
    assert_eq!(inbox.dead_letters(0, 100).await.unwrap().len(), 10);
    assert_eq!(recorder.late_failures().len(), 10);
}

/// If the process died after the report, the letter would be reported again.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_reported_before_it_is_recorded() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    accept(&inbox, &message("s", 1)).await;
    let _workers = inbox.deliver_to(recorder.clone()).attempts(1).timeout(Duration::from_secs(5)).start();
    recorder.called(1).await;
    memory.will(Mood::Fail);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(recorder.late_failures().len(), 1);
    assert_eq!(memory.state().letters(), 0);
    memory.will(Mood::Work);
    idle(&inbox).await;
    assert_eq!((recorder.late_failures().len(), memory.state().letters()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_has_the_sources_of_its_error() {
    struct Fails;

    #[async_trait]
    impl EventHandler for Fails {
        async fn on_event(&self, _: &Event) -> HandlerResult {
            Err(HandlerError::permanent(NotClosed(std::io::Error::other("connection reset"))))
        }
    }

    let inbox = Inbox::over(Memory::default());
    accept(&inbox, &message("s", 1)).await;
    let workers = inbox.deliver_to(Fails).start();
    idle(&inbox).await;
    let letter = inbox.dead_letters(0, 1).await.unwrap().remove(0);
    assert_eq!(letter.error, "the ticket was not closed: connection reset");
    let _ = workers.drain().await;
}

#[derive(Debug)]
struct NotClosed(std::io::Error);

impl fmt::Display for NotClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ticket was not closed")
    }
}

impl Error for NotClosed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

on_each_engine! {
    what_is_done_is_recorded_while_the_next_handler_runs,
}
