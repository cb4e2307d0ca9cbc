//! Limits by bytes, and what happens beyond them.

use std::time::Duration;

use tencent_desk_webhook::{
    Event, Webhook,
    inbox::Inbox,
    testing::{Recorder, error_code, event, verifier},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    memory::{Memory, Mood},
    places::{Place, accept, idle, message, on_each_engine, until},
};

/// An event of about so many bytes.
fn large(session: &str, number: usize, bytes: usize) -> Event {
    let mut event = message(session, number);
    event.cloud_custom_data = Some("x".repeat(bytes));
    event
}

#[tokio::test(start_paused = true)]
async fn a_write_has_at_most_eight_megabytes_or_one_event() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    let mut senders = JoinSet::new();
    for number in 0..100 {
        let inbox = inbox.clone();
        senders.spawn(async move { accept(&inbox, &large(&number.to_string(), 1, 400_000)).await });
    }
    senders.join_all().await;
    accept(&inbox, &large("huge", 1, 9_000_000)).await;
    let groups = memory.state().groups.clone();
    let (huge, others) = groups.split_last().unwrap();
    assert!(*huge > 9_000_000);
    assert!(others.iter().all(|bytes| *bytes <= 8 * 1024 * 1024), "{groups:?}");
    assert!(groups.len() < 90, "they are written together: {groups:?}");
}

/// Otherwise two halves of the senders would take turns for ever.
#[tokio::test(start_paused = true)]
async fn senders_that_go_on_at_once_share_a_write_however_they_began() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    memory.will(Mood::Slow(Duration::from_millis(10)));
    let mut senders = JoinSet::new();
    for sender in 0..64 {
        let inbox = inbox.clone();
        senders.spawn(async move {
            sleep(Duration::from_millis(sender / 32 * 5)).await;
            for number in 0..10 {
                accept(&inbox, &message(&sender.to_string(), number)).await;
            }
        });
    }
    senders.join_all().await;
    let groups = memory.state().groups.len();
    assert!(groups <= 12, "{groups} writes");
}

/// The sender has had its 503 by then.
#[tokio::test(start_paused = true)]
async fn what_has_waited_for_longer_than_the_sender_is_not_stored() {
    let memory = Memory::default();
    let webhook = Webhook::new(verifier(), Inbox::over(memory.clone()));
    memory.will(Mood::Slow(Duration::from_secs(2)));
    let mut answers = JoinSet::new();
    for number in 0..3 {
        let webhook = webhook.clone();
        answers.spawn(async move {
            sleep(Duration::from_millis(number)).await;
            let delivery = event("SessionBegin").session(&number.to_string()).delivery();
            error_code(webhook.handle(delivery.request()).await)
        });
    }
    assert_eq!(answers.join_all().await, [50303; 3]);
    webhook.drained(std::time::Duration::from_secs(20)).await;
    assert_eq!(memory.state().groups.len(), 1, "only the first was on its way into the store");
}

async fn beyond_the_backlog_limit_events_are_refused_until_some_are_delivered(place: Place) {
    let inbox = place.open().await.backlog_limit(100_000);
    let webhook = Webhook::new(verifier(), inbox.clone());
    let send = async |number: usize| {
        let delivery = event("SessionBegin")
            .session("s")
            .field("MsgKey", number.to_string())
            .field("CloudCustomData", "x".repeat(30_000))
            .delivery();
        error_code(webhook.handle(delivery.request()).await)
    };
    let mut accepted = 0;
    while send(accepted).await == 0 {
        accepted += 1;
        assert!(accepted < 10, "there is no limit");
    }
    assert_eq!(send(accepted).await, 50302);
    assert!(accepted >= 1);
    let bytes = inbox.stats().await.unwrap().bytes;
    assert!((30_000..=200_000).contains(&bytes), "{bytes}");
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    until("there is room again", async || send(100).await == 0).await;
    let _ = workers.drain().await;

    // What an earlier process has left counts as well.
    accept(&inbox, &large("t", 1, 150_000)).await;
    drop((webhook, inbox));
    let inbox = place.open().await.backlog_limit(100_000);
    let webhook = Webhook::new(verifier(), inbox);
    let begun = Instant::now();
    until("what waits is counted", async || {
        let number = begun.elapsed().as_micros().to_string();
        let delivery = event("SessionEnd").session("u").field("MsgKey", number).delivery();
        error_code(webhook.handle(delivery.request()).await) == 50302
    })
    .await;
}

on_each_engine! {
    beyond_the_backlog_limit_events_are_refused_until_some_are_delivered,
}
