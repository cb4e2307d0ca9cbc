//! What a handler knows of its delivery, and which events are delivered side by side.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, async_trait,
    inbox::{Delivery, OrderKey},
    testing::{Behaviour, Recorder},
};

use crate::places::{Place, accept, idle, message, number, on_each_engine};

/// Fails twice, and notes what it knows.
#[derive(Clone, Default)]
struct Curious(Arc<Mutex<Vec<Delivery>>>);

#[async_trait]
impl EventHandler for Curious {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        let delivery = Delivery::current().unwrap();
        self.0.lock().unwrap().push(delivery.clone());
        tokio::task::yield_now().await;
        assert_eq!(Delivery::current().unwrap().attempt(), delivery.attempt());
        if delivery.is_last() { Ok(()) } else { Err("not yet".into()) }
    }
}

async fn a_handler_knows_its_attempt_whether_it_is_the_last_and_its_token(place: Place) {
    let inbox = place.open().await;
    let before = SystemTime::now() - Duration::from_secs(5);
    accept(&inbox, &message("s", 1)).await;
    let curious = Curious::default();
    let short = Duration::from_millis(1);
    let workers = inbox.deliver_to(curious.clone()).attempts(3).backoff(short, short).start();
    workers.idle().await;
    let deliveries = curious.0.lock().unwrap().clone();
    assert_eq!(deliveries.iter().map(Delivery::attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(deliveries.iter().map(Delivery::is_last).collect::<Vec<_>>(), [false, false, true]);
    for delivery in &deliveries {
        assert!(delivery.stored() > before && delivery.stored() < before + Duration::from_secs(60));
    }
    let tokens: Vec<i64> = deliveries.iter().map(Delivery::token).collect();
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
    assert!(Delivery::current().is_none());
    assert_eq!(workers.drain().await.left, Some(0));
}

async fn events_are_ordered_by_session(place: Place) {
    side_by_side(place, OrderKey::Session, 3).await;
}

async fn events_are_ordered_by_user(place: Place) {
    side_by_side(place, OrderKey::User, 4).await;
}

async fn events_are_ordered_by_session_and_user(place: Place) {
    side_by_side(place, OrderKey::SessionAndUser, 5).await;
}

/// So many of these events are handled at once.
async fn side_by_side(place: Place, key: OrderKey, expected: usize) {
    let events = [("a", Some("u")), ("b", Some("u")), ("b", Some("v")), ("b", None), ("c", None)];
    let inbox = place.open().await.order_by(key);
    for (number, (session, user)) in events.iter().enumerate() {
        let mut event = message(session, number);
        event.client_user_id = user.map(str::to_owned);
        accept(&inbox, &event).await;
    }
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let workers = inbox.deliver_to(recorder.clone()).start();
    recorder.called(expected).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(recorder.calls().len(), expected);
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    let events = recorder.events();
    let of_u = events.iter().filter(|event| event.client_user_id.as_deref() == Some("u"));
    if key != OrderKey::Session {
        assert!(of_u.map(number).is_sorted(), "a user's events are in order");
    }
    let _ = workers.drain().await;
}

on_each_engine! {
    events_are_ordered_by_session,
    events_are_ordered_by_user,
    events_are_ordered_by_session_and_user,
    a_handler_knows_its_attempt_whether_it_is_the_last_and_its_token,
}
