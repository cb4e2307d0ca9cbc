//! What the inbox promises about events, the same on both engines.

use std::time::Duration;

use tencent_desk_webhook::{
    Webhook,
    testing::{Behaviour, Recorder, error_code, event, verifier},
};
use tokio::task::JoinSet;

use crate::places::{Place, accept, deliver, idle, message, number, numbers, on_each_engine, until};

async fn what_was_acknowledged_is_delivered_after_a_restart_as_it_came(place: Place) {
    let inbox = place.open().await;
    let webhook = Webhook::new(verifier(), inbox);
    let deliveries = ["SessionBegin", "Human.UserSendMsg", "SatisfactionSelected", "a.new.one"]
        .map(|name| event(name).session("s").delivery().parameter("OptPlatform", "Web"));
    let direct = Recorder::default();
    let plain = Webhook::new(verifier(), direct.clone());
    for delivery in &deliveries {
        assert_eq!(error_code(webhook.handle(delivery.request()).await), 0);
        plain.handle(delivery.request()).await;
    }
    drop(webhook);

    let inbox = place.open().await;
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(recorder.calls(), direct.calls());
    let drained = workers.drain().await;
    assert_eq!((drained.finished, drained.interrupted, drained.left), (0, 0, Some(0)));
}

async fn a_repeat_is_acknowledged_and_not_stored_again(place: Place) {
    let inbox = place.open().await;
    let mut first = message("s", 1);
    first.request_id = Some("r-1".to_owned());
    let mut same_request = first.clone();
    same_request.cloud_custom_data = Some("of no account".to_owned());
    let mut other_request = first.clone();
    other_request.request_id = Some("r-2".to_owned());
    let mut no_request = first.clone();
    no_request.request_id = None;
    let mut other_platform = first.clone();
    other_platform.platform = Some("elsewhere".to_owned());
    let repeats = [same_request, other_request, no_request, other_platform];

    // All at once, so that some are of one batch; then again while it waits, and again when it is done.
    let mut senders = JoinSet::new();
    for event in [&first].into_iter().chain([&first; 3]) {
        let (inbox, event) = (inbox.clone(), event.clone());
        senders.spawn(async move { accept(&inbox, &event).await });
    }
    senders.join_all().await;
    let recorder = Recorder::default();
    for round in 0..2 {
        for repeat in &repeats {
            accept(&inbox, repeat).await;
        }
        if round == 0 {
            assert_eq!(inbox.stats().await.unwrap().waiting, 1);
            drop(deliver(&inbox, &recorder));
            idle(&inbox).await;
        }
    }
    let mut elsewhere = message("t", 1);
    elsewhere.request_id = first.request_id.clone();
    let mut other_app = first.clone();
    other_app.sdk_app_id += 1;
    accept(&inbox, &elsewhere).await;
    accept(&inbox, &other_app).await;
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), 3, "the first, another session's, another app's",);
}

/// A `RequestID` that comes with different events makes none of them a duplicate; with the same event it does.
async fn different_events_with_one_request_id_are_all_delivered(place: Place) {
    let inbox = place.open().await;
    let names = ["SessionUserEnd", "SessionEnd", "SatisfactionSelected"];
    for _ in 0..2 {
        for name in names {
            let mut event = event(name).session("s").build();
            event.request_id = Some("r-1".to_owned());
            accept(&inbox, &event).await;
        }
    }
    let mut later = event(names[1]).session("s").build();
    later.request_id = Some("r-1".to_owned());
    later.time += Duration::from_millis(1);
    accept(&inbox, &later).await;
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    let delivered: Vec<String> =
        recorder.events().iter().map(|event| event.name.as_str().to_owned()).collect();
    assert_eq!(delivered, [names[0], names[1], names[2], names[1]]);
    let _ = workers.drain().await;
}

/// A repeat that names another event's `RequestID` takes nothing with it, however the three are batched.
async fn what_a_repeat_claims_besides_is_not_believed(place: Place) {
    for together in [false, true] {
        let inbox = place.open().await;
        let session = format!("{together}");
        let with = |number: usize, request: &str| {
            let mut event = message(&session, number);
            event.request_id = Some(request.to_owned());
            event
        };
        let batch = [with(1, "r-1"), with(1, "r-2"), with(2, "r-2")];
        if together {
            let [first, repeat, other] = &batch;
            tokio::join!(accept(&inbox, first), accept(&inbox, repeat), accept(&inbox, other));
        } else {
            for event in &batch {
                accept(&inbox, event).await;
            }
        }
        assert_eq!(inbox.stats().await.unwrap().waiting, 2, "{together}");
        let workers = deliver(&inbox, &Recorder::default());
        idle(&inbox).await;
        let _ = workers.drain().await;
    }
}

async fn a_session_is_delivered_in_order_and_one_after_another(place: Place) {
    let inbox = place.open().await;
    for number in 0..40 {
        for session in ["a", "b", "c"] {
            accept(&inbox, &message(session, number)).await;
        }
    }
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let workers = deliver(&inbox, &recorder);
    recorder.called(3).await;
    // Each session's first one stalls, and no other begins meanwhile.
    let stats = inbox.stats().await.unwrap();
    assert_eq!((stats.running, stats.waiting, stats.retrying, stats.dead), (3, 117, 0, 0));
    assert!(stats.oldest.is_some());
    assert_eq!(recorder.events().iter().map(number).collect::<Vec<_>>(), [0, 0, 0]);

    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    for session in ["a", "b", "c"] {
        assert_eq!(numbers(&recorder, session), (0..40).collect::<Vec<_>>());
    }
    let _ = workers.drain().await;
}

async fn a_failure_is_tried_again_and_holds_back_its_own_session_alone(place: Place) {
    let inbox = place.open().await;
    for behaviour in [Behaviour::Fail, Behaviour::Unavailable, Behaviour::Panic, Behaviour::PanicLater] {
        let session = format!("{behaviour:?}");
        let recorder = Recorder::default();
        recorder.set_behaviour(behaviour);
        accept(&inbox, &message(&session, 1)).await;
        accept(&inbox, &message(&session, 2)).await;
        let wait = Duration::from_millis(300);
        let workers = inbox.deliver_to(recorder.clone()).backoff(wait, wait).start();
        recorder.called(1).await;
        recorder.set_behaviour(Behaviour::Succeed);
        until("it is retrying", async || {
            let stats = inbox.stats().await.unwrap();
            (stats.retrying, stats.waiting) == (1, 1) || recorder.events().len() > 1
        })
        .await;
        accept(&inbox, &message("another", usize::from(behaviour as u8))).await;
        let stats = idle(&inbox).await;
        assert_eq!(numbers(&recorder, &session), [1, 1, 2], "{session}");
        assert_eq!(stats.dead, 0);
        assert_eq!(recorder.late_failures().len(), 0);
        let _ = workers.drain().await;
    }
}

async fn what_fails_too_often_or_for_good_becomes_a_dead_letter(place: Place) {
    let inbox = place.open().await;
    let recorder = Recorder::default();
    for (behaviour, session, attempts) in
        [(Behaviour::Fail, "a", 3), (Behaviour::FailPermanently, "b", 1), (Behaviour::Panic, "c", 3)]
    {
        recorder.forget();
        recorder.set_behaviour(behaviour);
        accept(&inbox, &message(session, 1)).await;
        let workers = deliver(&inbox, &recorder);
        idle(&inbox).await;
        recorder.set_behaviour(Behaviour::Succeed);
        accept(&inbox, &message(session, 2)).await;
        idle(&inbox).await;
        let tries = std::iter::repeat_n(1, attempts).chain([2]).collect::<Vec<_>>();
        assert_eq!(numbers(&recorder, session), tries, "{session}");
        let reported = recorder.late_failures();
        assert_eq!(reported.len(), 1, "{session}");

        let letters = inbox.dead_letters(0, 100).await.unwrap();
        let letter = letters.last().unwrap();
        assert_eq!(letter.event.as_ref(), Some(&message(session, 1)));
        assert_eq!((letter.attempts as usize, &letter.error), (attempts, &reported[0].1));
        assert!(letter.stored <= letter.died);
        let _ = workers.drain().await;
    }
    assert_eq!(inbox.stats().await.unwrap().dead, 3);
}

async fn a_drain_finishes_what_runs_and_leaves_the_rest_in_order(place: Place) {
    let inbox = place.open().await;
    for number in 0..5 {
        accept(&inbox, &message("a", number)).await;
        accept(&inbox, &message("b", number)).await;
    }
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let workers = inbox.deliver_to(recorder.clone()).start();
    recorder.called(2).await;
    let draining = tokio::spawn(workers.drain());
    tokio::task::yield_now().await;
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    let drained = draining.await.unwrap();
    assert_eq!((drained.finished, drained.interrupted, drained.left), (2, 0, Some(8)));

    // Handlers that do not end in time are cut off, and nothing of theirs is lost.
    recorder.set_behaviour(Behaviour::Stall);
    let workers = inbox.deliver_to(recorder.clone()).grace(Duration::ZERO).start();
    recorder.called(4).await;
    let drained = workers.drain().await;
    assert_eq!((drained.finished, drained.interrupted, drained.left), (0, 2, Some(8)));
    drop(inbox);

    let inbox = place.open().await;
    recorder.set_behaviour(Behaviour::Succeed);
    drop(deliver(&inbox, &recorder));
    idle(&inbox).await;
    for session in ["a", "b"] {
        assert_eq!(numbers(&recorder, session), [0, 1, 1, 2, 3, 4]);
    }
}

async fn odd_events_go_in_and_come_out_as_they_are(place: Place) {
    let inbox = place.open().await;
    let long = "长".repeat(300_000);
    let odd = ["nul \0 in it", "line\nbreak", "🦀", "' OR 1=1 --", &long];
    let mut sent = Vec::new();
    for session in odd {
        let mut event = message(session, 1);
        event.request_id = Some(session.to_owned());
        event.client_ip = Some("\0".to_owned());
        accept(&inbox, &event).await;
        sent.push(event);
    }
    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    let mut got = recorder.events();
    sent.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    got.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    assert!(got == sent);
    let _ = workers.drain().await;
}

async fn of_a_hundred_thousand_events_with_repeats_each_is_stored_once(place: Place) {
    const EVENTS: usize = 100_000;
    const SENDERS: usize = 64;
    let inbox = place.open().await;
    let template = message("s", 0);
    // All have the same millisecond, so that only their other fields differ; half have no RequestID.
    let event = move |number: usize| {
        let mut event = template.clone();
        event.session_id = format!("s-{}", number % 1000);
        event.client_user_id = Some(number.to_string());
        event.cloud_custom_data = Some("x".repeat(number / 1000));
        event.sdk_app_id += number as u64 / 1000;
        event.request_id = number.is_multiple_of(2).then(|| format!("r-{number}"));
        event
    };
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (inbox, event) = (inbox.clone(), event.clone());
        senders.spawn(async move {
            for number in (sender..EVENTS).step_by(SENDERS) {
                accept(&inbox, &event(number)).await;
                if number % 10 < 3 {
                    // One that another task may be sending at the same time.
                    accept(&inbox, &event(number - number % 10)).await;
                }
            }
        });
    }
    senders.join_all().await;
    let stats = inbox.stats().await.unwrap();
    assert_eq!(stats.waiting, EVENTS as u64);
}

on_each_engine! {
    of_a_hundred_thousand_events_with_repeats_each_is_stored_once,
    what_was_acknowledged_is_delivered_after_a_restart_as_it_came,
    a_repeat_is_acknowledged_and_not_stored_again,
    different_events_with_one_request_id_are_all_delivered,
    what_a_repeat_claims_besides_is_not_believed,
    a_session_is_delivered_in_order_and_one_after_another,
    a_failure_is_tried_again_and_holds_back_its_own_session_alone,
    what_fails_too_often_or_for_good_becomes_a_dead_letter,
    a_drain_finishes_what_runs_and_leaves_the_rest_in_order,
    odd_events_go_in_and_come_out_as_they_are,
}
