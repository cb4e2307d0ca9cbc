//! What an operator does.

use std::time::Duration;

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, async_trait,
    testing::{Behaviour, Recorder},
};

use crate::places::{Place, accept, deliver, idle, message, numbers, on_each_engine, until};

async fn dead_letters_come_page_by_page_and_go_back_to_where_they_were(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::FailPermanently);
    for number in 0..7 {
        accept(&inbox, &message("s", number)).await;
    }
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    let _ = workers.drain().await;

    let mut pages = Vec::new();
    let mut after = 0;
    loop {
        let page = inbox.dead_letters(after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        pages.push(page);
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);

    // In any order; they are delivered in theirs, and before what came later.
    accept(&inbox, &message("s", 7)).await;
    let letters: Vec<_> = pages.concat();
    for letter in letters.iter().rev() {
        assert!(inbox.requeue(letter.id).await.unwrap());
        assert!(!inbox.requeue(letter.id).await.unwrap(), "only once");
    }
    assert!(!inbox.requeue(i64::MAX).await.unwrap());
    assert_eq!(inbox.stats().await.unwrap().waiting, 8);
    recorder.forget();
    recorder.set_behaviour(Behaviour::Succeed);
    let workers = deliver(&inbox, &recorder);
    let stats = idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), (0..8).collect::<Vec<_>>());
    assert_eq!(stats.dead, 0);
    let _ = workers.drain().await;
}

async fn a_letter_goes_back_while_its_session_is_busy(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::FailPermanently);
    accept(&inbox, &message("s", 0)).await;
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    recorder.set_behaviour(Behaviour::Stall);
    for number in 1..4 {
        accept(&inbox, &message("s", number)).await;
    }
    recorder.called(2).await;
    let letter = inbox.dead_letters(0, 1).await.unwrap().remove(0);
    assert!(inbox.requeue(letter.id).await.unwrap());
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    let mut got = numbers(&recorder, "s");
    assert_eq!(got[..2], [0, 1]);
    got.sort_unstable();
    assert_eq!(got, [0, 0, 1, 2, 3]);
    let _ = workers.drain().await;
}

async fn dead_letters_are_purged_by_age(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::FailPermanently);
    accept(&inbox, &message("s", 0)).await;
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(inbox.purge(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(inbox.purge(Duration::MAX).await.unwrap(), 0);
    assert_eq!(inbox.purge(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(inbox.stats().await.unwrap(), Default::default());
    let _ = workers.drain().await;
}

/// Dies at a word, lives at any other.
struct Picky;

#[async_trait]
impl EventHandler for Picky {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        if event.session_id == "poison" {
            return Err(tencent_desk_webhook::HandlerError::permanent("poison"));
        }
        Ok(())
    }
}

async fn keys_are_forgotten_after_the_horizon_but_not_of_what_waits_or_is_dead(place: Place) {
    let inbox = place.open().await.duplicate_horizon(Duration::ZERO);
    for session in ["done", "poison"] {
        accept(&inbox, &message(session, 1)).await;
    }
    let workers = inbox.deliver_to(Picky).start();
    idle(&inbox).await;
    let _ = workers.drain().await;
    accept(&inbox, &message("waiting", 1)).await;
    // Once the key of the one that is done has gone, the other two have had their chance, too.
    until("the repeat is taken as new", async || {
        accept(&inbox, &message("done", 1)).await;
        inbox.stats().await.unwrap().waiting == 2
    })
    .await;
    accept(&inbox, &message("waiting", 1)).await;
    accept(&inbox, &message("poison", 1)).await;
    let stats = inbox.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.dead), (2, 1));
}

/// While a slow handler's end is recorded its session is held and has nothing left.
async fn it_counts_while_it_works(place: Place) {
    let inbox = place.open().await;
    for number in 0..200 {
        accept(&inbox, &message(&format!("s{}", number % 20), number)).await;
    }
    let workers = inbox.deliver_to(Slow).start();
    loop {
        let stats = inbox.stats().await.unwrap();
        assert!(stats.waiting + stats.running + stats.retrying <= 200 + 20, "{stats:?}",);
        if stats.oldest.is_none() {
            break;
        }
    }
    let _ = workers.drain().await;
}

struct Slow;

#[async_trait]
impl EventHandler for Slow {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        let millis = if event.session_id == "s1" { 110 } else { 1 };
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(())
    }
}

on_each_engine! {
    dead_letters_come_page_by_page_and_go_back_to_where_they_were,
    a_letter_goes_back_while_its_session_is_busy,
    dead_letters_are_purged_by_age,
    keys_are_forgotten_after_the_horizon_but_not_of_what_waits_or_is_dead,
    it_counts_while_it_works,
}
