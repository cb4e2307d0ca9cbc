//! What an operator sees and does, through the store and not through the process that delivers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, async_trait,
    inbox::{Filter, Inbox},
    testing::{APP, Behaviour, Recorder},
};

use crate::places::{Place, accept, idle, message, numbers, on_each_engine, until};

async fn operate(place: &Place) -> Inbox {
    place.operate().await.unwrap_or_else(|error| panic!("{error}"))
}

fn of_user(session: &str, number: usize, user: &str) -> Event {
    let mut event = message(session, number);
    event.client_user_id = Some(user.to_owned());
    event
}

async fn pending_events_say_since_when_how_often_and_why_and_when_next(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Fail);
    for number in 0..3 {
        accept(&inbox, &message("failing", number)).await;
    }
    let hour = Duration::from_secs(3600);
    let workers = inbox.deliver_to(recorder.clone()).backoff(hour, hour).start();
    until("it has failed", async || inbox.stats().await.unwrap().retrying == 1).await;
    let operator = operate(&place).await;
    let failing = operator.pending(&Filter::session(APP, "failing").page(0, 2)).await.unwrap();
    assert_eq!(failing.len(), 2);
    let first = &failing[0];
    assert_eq!(first.event, Some(message("failing", 0)));
    assert_eq!(first.attempts, 1);
    assert!(first.error.as_deref().unwrap().contains("set to fail"), "{first:?}");
    let wait = first.next_attempt.unwrap().duration_since(first.stored).unwrap();
    assert!(wait > hour / 2 - Duration::from_secs(10) && wait < hour + Duration::from_secs(60), "{wait:?}");
    assert!(!first.held);
    assert_eq!((failing[1].attempts, &failing[1].error, failing[1].next_attempt), (0, &None, None));
    let rest = operator.pending(&Filter::all().page(failing[1].id, 10)).await.unwrap();
    assert_eq!(rest.len(), 1, "the next page");
    assert!(operator.pending(&Filter::session(APP, "other").page(0, 9)).await.unwrap().is_empty());
    assert!(operator.pending(&Filter::session(APP + 1, "failing").page(0, 9)).await.unwrap().is_empty());
    assert_eq!(
        operator.pending(&Filter::all().error_contains("set to fail").page(0, 9)).await.unwrap().len(),
        1
    );
    assert_eq!(operator.pending(&Filter::all().named("SessionEnd").page(0, 9)).await.unwrap().len(), 0);
    assert_eq!(
        operator.pending(&Filter::all().stored_before(first.stored).page(0, 9)).await.unwrap().len(),
        0
    );

    // After the outage it need not wait for its hour.
    recorder.set_behaviour(Behaviour::Succeed);
    assert_eq!(operator.retry_now("other").await.unwrap(), 0);
    assert_eq!(operator.retry_now("failing").await.unwrap(), 1);
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "failing"), [0, 0, 1, 2]);
    let _ = workers.drain().await;
}

async fn dead_letters_are_requeued_and_discarded_from_outside_while_workers_run(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::FailPermanently);
    for session in 0..300 {
        accept(&inbox, &message(&session.to_string(), 1)).await;
    }
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.forget();
    let operator = operate(&place).await;
    let some = operator.dead_letters(0, 3).await.unwrap();
    assert!(operator.discard(some[0].id).await.unwrap());
    assert!(!operator.discard(some[0].id).await.unwrap());
    assert!(operator.requeue(some[1].id).await.unwrap());
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), 1, "the running workers got it");
    assert_eq!(operator.requeue_all(&Filter::session(APP, "2")).await.unwrap(), 1);
    assert_eq!(operator.requeue_all(&Filter::all()).await.unwrap(), 297);
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), 299);
    assert_eq!(operator.stats().await.unwrap().dead, 0);
    let _ = workers.drain().await;
}

async fn a_pause_holds_also_after_a_restart_until_it_is_over(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    accept(&inbox, &message("s", 1)).await;
    idle(&inbox).await;
    operate(&place).await.pause().await.unwrap();
    until("it is paused", async || inbox.stats().await.unwrap().paused).await;
    accept(&inbox, &message("s", 2)).await;
    let _ = workers.drain().await;
    drop(inbox);

    let inbox = place.open().await;
    let workers = inbox.deliver_to(recorder.clone()).start();
    accept(&inbox, &message("s", 3)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(numbers(&recorder, "s"), [1]);
    operate(&place).await.resume().await.unwrap();
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [1, 2, 3]);
    assert!(!inbox.stats().await.unwrap().paused);
    let _ = workers.drain().await;
}

/// Dies for one session, waits for ever for another, and remembers the rest.
#[derive(Clone, Default)]
struct Mixed(Arc<Mutex<Vec<Event>>>);

#[async_trait]
impl EventHandler for Mixed {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        match event.session_id.as_str() {
            "dead" => return Err(HandlerError::permanent("never")),
            "later" => return Err(HandlerError::retry_after(Duration::from_secs(3600))),
            _ => self.0.lock().unwrap().push(event.clone()),
        }
        Ok(())
    }
}

async fn everything_of_a_person_is_deleted_and_counted(place: Place) {
    let inbox = place.open().await.archive(Duration::from_secs(3600));
    for user in ["anna", "annabel"] {
        for session in ["dead", "later", "done"] {
            let mut event = of_user(session, user.len(), user);
            event.session_id = session.to_owned();
            accept(&inbox, &event).await;
        }
    }
    accept(&inbox, &of_user("done", 9, "carl")).await;
    let workers = inbox.deliver_to(Mixed::default()).start();
    until("all were tried", async || {
        let stats = inbox.stats().await.unwrap();
        let archived = inbox.archived(&Filter::all().page(0, 9)).await.unwrap();
        (stats.dead, stats.running, archived.len()) == (2, 0, 3)
    })
    .await;
    let operator = operate(&place).await;
    assert_eq!(operator.forget_user(APP + 1, "anna").await.unwrap(), 0);
    assert_eq!(operator.forget_user(APP, "anna").await.unwrap(), 3);
    assert_eq!(operator.forget_user(APP, "anna").await.unwrap(), 0);
    assert_eq!(operator.dead_letters(0, 9).await.unwrap().len(), 1);
    assert_eq!(operator.pending(&Filter::all().page(0, 9)).await.unwrap().len(), 1);
    assert_eq!(operator.archived(&Filter::all().page(0, 9)).await.unwrap().len(), 2);
    assert_eq!(operator.forget_session(APP, "done").await.unwrap(), 2);
    assert_eq!(operator.archived(&Filter::all().page(0, 9)).await.unwrap().len(), 0);
    let stats = inbox.stats().await.unwrap();
    assert_eq!((stats.dead, stats.waiting + stats.retrying), (1, 1), "{stats:?}");
    let _ = workers.drain().await;
}

async fn archived_events_are_delivered_again_in_order(place: Place) {
    let inbox = place.open().await.archive(Duration::from_secs(3600));
    for number in 0..5 {
        accept(&inbox, &message("a", number)).await;
        accept(&inbox, &message("b", number)).await;
    }
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    let operator = operate(&place).await;
    let archived = operator.archived(&Filter::all().page(0, 100)).await.unwrap();
    assert_eq!(archived.len(), 10);
    assert!(archived[0].event.is_some() && archived[0].delivered >= archived[0].stored);
    recorder.forget();
    assert_eq!(operator.replay(&Filter::session(APP, "a")).await.unwrap(), 5);
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "a"), [0, 1, 2, 3, 4]);
    assert_eq!(recorder.events().len(), 5);
    until("they are archived again", async || {
        inbox.archived(&Filter::all().page(0, 100)).await.unwrap().len() == 10
    })
    .await;
    let _ = workers.drain().await;
}

/// Replayed events are archived again while the replay goes on.
async fn a_replay_delivers_each_archived_event_once(place: Place) {
    let inbox = place.open().await.archive(Duration::from_secs(3600));
    let mut senders = tokio::task::JoinSet::new();
    for session in 0..600 {
        let inbox = inbox.clone();
        senders.spawn(async move { accept(&inbox, &message(&session.to_string(), 1)).await });
    }
    senders.join_all().await;
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    recorder.forget();
    assert_eq!(operate(&place).await.replay(&Filter::all()).await.unwrap(), 600);
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), 600);
    let _ = workers.drain().await;
}

async fn the_archive_and_dead_letters_are_deleted_when_they_are_old(place: Place) {
    let inbox = place.open().await.archive(Duration::ZERO).dead_letter_retention(Duration::ZERO);
    for session in ["dead", "done"] {
        accept(&inbox, &message(session, 1)).await;
    }
    let workers = inbox.deliver_to(Mixed::default()).start();
    idle(&inbox).await;
    let _ = workers.drain().await;
    drop(inbox);
    // They are looked for soon after a start, and then every minute.
    let inbox = place.open().await.archive(Duration::ZERO).dead_letter_retention(Duration::ZERO);
    until("they are gone", async || {
        let archived = inbox.archived(&Filter::all().page(0, 9)).await.unwrap();
        inbox.stats().await.unwrap().dead == 0 && archived.is_empty()
    })
    .await;
}

async fn a_discarded_event_is_not_delivered_and_its_session_goes_on(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Fail);
    for number in 0..3 {
        accept(&inbox, &message("s", number)).await;
    }
    let hour = Duration::from_secs(3600);
    let workers = inbox.deliver_to(recorder.clone()).backoff(hour, hour).start();
    until("it has failed", async || inbox.stats().await.unwrap().retrying == 1).await;
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.forget();
    let operator = operate(&place).await;
    let first = operator.pending(&Filter::all().page(0, 1)).await.unwrap().remove(0);
    assert!(operator.discard(first.id).await.unwrap());
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [1, 2], "without waiting for the retry");
    let _ = workers.drain().await;
}

async fn a_healthy_inbox_passes_its_check_and_an_operators_too(place: Place) {
    let inbox = place.open().await;
    inbox.check().await.unwrap_or_else(|error| panic!("{error}"));
    operate(&place).await.check().await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(inbox.stats().await.unwrap(), Default::default(), "nothing is left of it",);
}

/// Without an owner the operator does it.
async fn an_operator_needs_no_running_receiver(place: Place) {
    let inbox = place.open().await;
    accept(&inbox, &message("dead", 1)).await;
    accept(&inbox, &message("s", 1)).await;
    let workers = inbox.deliver_to(Mixed::default()).start();
    idle(&inbox).await;
    let _ = workers.drain().await;
    drop(inbox);
    let operator = operate(&place).await;
    assert_eq!(operator.requeue_all(&Filter::all()).await.unwrap(), 1);
    drop(operator);

    let inbox = place.open().await;
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    assert_eq!(recorder.events(), [message("dead", 1)]);
    let _ = workers.drain().await;
}

async fn what_is_not_there_is_not_made_by_an_operator(place: Place) {
    let error = place.operate().await.err();
    assert!(error.is_some());
    if let Place::File(folder) = &place {
        assert!(!folder.join("desk.db").exists());
    }
}

on_each_engine! {
    pending_events_say_since_when_how_often_and_why_and_when_next,
    dead_letters_are_requeued_and_discarded_from_outside_while_workers_run,
    a_pause_holds_also_after_a_restart_until_it_is_over,
    everything_of_a_person_is_deleted_and_counted,
    archived_events_are_delivered_again_in_order,
    the_archive_and_dead_letters_are_deleted_when_they_are_old,
    a_discarded_event_is_not_delivered_and_its_session_goes_on,
    a_healthy_inbox_passes_its_check_and_an_operators_too,
    an_operator_needs_no_running_receiver,
    what_is_not_there_is_not_made_by_an_operator,
    a_replay_delivers_each_archived_event_once,
}
