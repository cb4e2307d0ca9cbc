//! The dispatcher above any engine, by a clock that stands still until it is waited for.

use std::time::Duration;

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Webhook, async_trait,
    inbox::{Filter, Inbox},
    testing::{Behaviour, Recorder, error_code, event, verifier},
};
use tokio::time::{Instant, sleep};

use crate::{
    memory::{Memory, Mood},
    places::{accept, idle, message, numbers, until},
};

/// Fails, and notes when.
#[derive(Clone)]
struct Failing(std::sync::Arc<std::sync::Mutex<Vec<Instant>>>);

#[async_trait]
impl EventHandler for Failing {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        self.0.lock().unwrap().push(Instant::now());
        Err("it always fails".into())
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_ten_attempts_come_later_and_later_up_to_a_minute() {
    let inbox = Inbox::over(Memory::default());
    let failing = Failing(Default::default());
    accept(&inbox, &message("s", 1)).await;
    let workers = inbox.deliver_to(failing.clone()).start();
    while inbox.stats().await.unwrap().dead == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let times = failing.0.lock().unwrap().clone();
    assert_eq!(times.len(), 10);
    for (attempt, pair) in times.windows(2).enumerate() {
        let (waited, whole) = ((pair[1] - pair[0]).as_millis(), 100 << attempt);
        assert!((whole / 2..=whole + 10).contains(&waited), "{waited} ms before attempt {}", attempt + 2);
    }
    let _ = workers.drain().await;

    // With a longer series the cap shows.
    let failing = Failing(Default::default());
    accept(&inbox, &message("t", 1)).await;
    let workers = inbox.deliver_to(failing.clone()).attempts(14).start();
    while inbox.stats().await.unwrap().dead == 1 {
        sleep(Duration::from_millis(100)).await;
    }
    let times = failing.0.lock().unwrap().clone();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest > Duration::from_secs(30) && longest <= Duration::from_millis(60_200), "{longest:?}");
    drop(workers);
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_sessions_run_at_once() {
    let inbox = Inbox::over(Memory::default());
    for session in 0..10 {
        accept(&inbox, &message(&session.to_string(), 1)).await;
    }
    let recorder = Recorder::default();
    recorder.will(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).sessions(3).start();
    recorder.called(3).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(recorder.calls().len(), 3);
    recorder.will(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    assert_eq!(recorder.calls().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_long_keeps_its_session() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    accept(&inbox, &message("s", 1)).await;
    let recorder = Recorder::default();
    recorder.will(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).start();
    let _others = inbox.deliver_to(recorder.clone()).start();
    recorder.called(1).await;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(recorder.calls().len(), 1, "nobody else got it");
    assert!(memory.state().renewals > 1000, "every third of a lease of 10 s");
    recorder.release();
    idle(&inbox).await;
    assert_eq!(recorder.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_a_session_records_nothing_and_begins_nothing() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    for number in 1..=3 {
        accept(&inbox, &message("s", number)).await;
    }
    let slow = Recorder::default();
    slow.will(Behaviour::Stall);
    let first = inbox.deliver_to(slow.clone()).sessions(1).start();
    slow.called(1).await;
    let quick = Recorder::default();
    let second = inbox.deliver_to(quick.clone()).start();
    sleep(Duration::from_secs(2)).await;
    memory.take_lanes_away();
    idle(&inbox).await;
    assert_eq!(numbers(&quick, "s"), [1, 2, 3]);
    // Its end comes too late; the engine would panic if it were recorded.
    slow.will(Behaviour::Succeed);
    slow.release();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(numbers(&slow, "s"), [1]);
    assert_eq!(first.drain().await.left, Some(0));
    assert_eq!(second.drain().await.left, Some(0));
}

#[tokio::test(start_paused = true)]
async fn no_event_begins_under_a_lease_that_has_run_out() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    accept(&inbox, &message("s", 1)).await;
    accept(&inbox, &message("s", 2)).await;
    let recorder = Recorder::default();
    recorder.will(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).sessions(1).start();
    recorder.called(1).await;
    memory.will(Mood::Fail);
    sleep(Duration::from_secs(60)).await;
    // Nobody else has taken it, but somebody could have.
    memory.will(Mood::Work);
    recorder.will(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [1, 2]);
    assert_eq!(memory.state().claims, 2, "it was claimed anew for the second");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_refuses_the_sender_and_delivers_later_what_it_has() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    let webhook = Webhook::new(verifier(), inbox.clone());
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    recorder.will(Behaviour::Stall);
    assert_eq!(error_code(webhook.handle(event("SessionBegin").delivery().request()).await), 0);
    recorder.called(1).await;

    memory.will(Mood::Fail);
    assert_eq!(error_code(webhook.handle(event("SessionEnd").delivery().request()).await), 50302);
    // The handler ends while its end cannot be recorded.
    recorder.will(Behaviour::Succeed);
    recorder.release();
    sleep(Duration::from_secs(300)).await;
    assert!(inbox.stats().await.is_err() && inbox.dead_letters(&Filter::all(), 0, 1).await.is_err());

    memory.will(Mood::Work);
    until("it is recorded", async || inbox.stats().await.unwrap().oldest.is_none()).await;
    assert_eq!(error_code(webhook.handle(event("SessionEnd").delivery().request()).await), 0);
    idle(&inbox).await;
    let methods: Vec<_> = recorder.calls().iter().map(|call| call.method).collect();
    assert_eq!(*methods.first().unwrap(), "on_session_begin");
    assert_eq!(*methods.last().unwrap(), "on_session_end");
    assert_eq!(workers.drain().await.left, Some(0));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_leaves_undone_for_ever_is_refused_at_the_deadline() {
    let memory = Memory::default();
    memory.will(Mood::Hang);
    let webhook = Webhook::new(verifier(), Inbox::over(memory));
    let begun = Instant::now();
    let response = webhook.handle(event("SessionBegin").delivery().request()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(error_code(response), 50303);
    assert_eq!(begun.elapsed(), Duration::from_millis(1500));
}
