//! The dispatcher above any engine, by a clock that stands still until it is waited for.

use std::time::Duration;

use tencent_desk_webhook::{
    Webhook,
    inbox::Inbox,
    testing::{Behaviour, Recorder, error_code, event, verifier},
};
use tokio::time::{Instant, sleep};

use crate::{
    memory::{Memory, Mood},
    places::{accept, idle, message, numbers, until},
};

#[tokio::test(start_paused = true)]
async fn at_most_so_many_sessions_run_at_once() {
    let inbox = Inbox::over(Memory::default());
    for session in 0..10 {
        accept(&inbox, &message(&session.to_string(), 1)).await;
    }
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).sessions(3).start();
    recorder.called(3).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(recorder.calls().len(), 3);
    recorder.set_behaviour(Behaviour::Succeed);
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
    recorder.set_behaviour(Behaviour::Stall);
    let long = Duration::from_secs(7200);
    let _workers = inbox.deliver_to(recorder.clone()).timeout(long).start();
    let _others = inbox.deliver_to(recorder.clone()).timeout(long).start();
    recorder.called(1).await;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(recorder.calls().len(), 1, "no other worker received it");
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
    slow.set_behaviour(Behaviour::Stall);
    let long = Duration::from_secs(3600);
    let first = inbox.deliver_to(slow.clone()).sessions(1).lease(long).start();
    slow.called(1).await;
    let quick = Recorder::default();
    let second = inbox.deliver_to(quick.clone()).start();
    sleep(Duration::from_secs(2)).await;
    memory.take_lanes_away();
    idle(&inbox).await;
    assert_eq!(numbers(&quick, "s"), [1, 2, 3]);
    // Its end comes too late; the engine would panic if it were recorded.
    slow.set_behaviour(Behaviour::Succeed);
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
    recorder.set_behaviour(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).sessions(1).start();
    recorder.called(1).await;
    memory.will(Mood::Fail);
    sleep(Duration::from_secs(60)).await;
    // No other worker has taken it over, but one could have.
    memory.will(Mood::Work);
    recorder.set_behaviour(Behaviour::Succeed);
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
    recorder.set_behaviour(Behaviour::Stall);
    assert_eq!(error_code(webhook.handle(event("SessionBegin").delivery().request()).await), 0);
    recorder.called(1).await;

    memory.will(Mood::Fail);
    assert_eq!(error_code(webhook.handle(event("SessionEnd").delivery().request()).await), 50302);
    // The handler ends while its end cannot be recorded.
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    sleep(Duration::from_secs(300)).await;
    assert!(inbox.stats().await.is_err() && inbox.dead_letters(0, 1).await.is_err());

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

/// Another worker has the session after a renewal has said so; the first one's handler is cancelled, not only ignored.
#[tokio::test(start_paused = true)]
async fn a_handler_whose_lease_is_lost_is_cancelled() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    accept(&inbox, &message("s", 1)).await;
    let slow = Recorder::default();
    slow.set_behaviour(Behaviour::Stall);
    let _first = inbox.deliver_to(slow.clone()).sessions(1).start();
    slow.called(1).await;
    let quick = Recorder::default();
    quick.set_behaviour(Behaviour::Stall);
    let _second = inbox.deliver_to(quick.clone()).start();
    sleep(Duration::from_secs(2)).await;
    memory.take_lanes_away();
    quick.called(1).await;
    assert_eq!(slow.finished(), 0);
    sleep(Duration::from_secs(10)).await;
    assert_eq!((slow.finished(), quick.finished()), (1, 0), "the first one is cancelled, the second goes on");
    quick.set_behaviour(Behaviour::Succeed);
    quick.release();
    idle(&inbox).await;
    assert_eq!((numbers(&slow, "s"), numbers(&quick, "s")), (vec![1], vec![1]));
}

/// A lane that could not be renewed now, because its row is locked for example, is not lost.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_is_asked_for_again_and_not_lost() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    accept(&inbox, &message("s", 1)).await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).lease(Duration::from_secs(12)).start();
    recorder.called(1).await;
    memory.state().unknown_renewals = 3;
    sleep(Duration::from_secs(60)).await;
    assert_eq!((recorder.calls().len(), recorder.finished()), (1, 0));
    assert_eq!(memory.state().unknown_renewals, 0);
    recorder.release();
    idle(&inbox).await;
    assert_eq!(memory.state().claims, 1, "the lane was held all the time");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_in_time_while_the_store_hangs() {
    for with_handler in [false, true] {
        let memory = Memory::default();
        let inbox = Inbox::over(memory.clone());
        let recorder = Recorder::default();
        recorder.set_behaviour(Behaviour::Stall);
        accept(&inbox, &message("s", 1)).await;
        let workers = inbox.deliver_to(recorder.clone()).start();
        recorder.called(1).await;
        memory.will(Mood::Hang);
        if !with_handler {
            recorder.release();
        }
        sleep(Duration::from_secs(5)).await;
        let begun = Instant::now();
        assert_eq!(workers.drain().await.left, None);
        assert!(begun.elapsed() < Duration::from_millis(20_500), "{:?}", begun.elapsed());
    }
}
