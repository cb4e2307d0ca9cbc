//! The board: who waits, who serves, and what is wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use serde_json::json;
use tencent_desk_webhook::{
    Event, Middleware as _, Webhook,
    session::{Alarm, Board, SessionLog},
    testing::{self, Recorder, Scenario},
};

/// A board, and its clock in seconds.
fn board(seconds: u64) -> (Board, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(seconds));
    let now = Arc::clone(&clock);
    let board = Board::new().clock(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::Relaxed)));
    (board, clock)
}

fn event(session: &str, seconds: u64, name: &str) -> Event {
    let event = testing::event(name).session(session).time(UNIX_EPOCH + Duration::from_secs(seconds));
    event.agent(&format!("agent-of-{session}")).user(&format!("user-of-{session}")).build()
}

fn all(board: &Board, session: &str, events: &[(u64, &str)]) {
    for (seconds, name) in events {
        board.observe(&event(session, *seconds, name));
    }
}

#[test]
fn who_waits_longest_is_first() {
    let (board, _) = board(1000);
    all(&board, "short", &[(990, "TransferringToHuman")]);
    all(
        &board,
        "long",
        &[(900, "SessionBegin"), (910, "TransferringToHumanWait"), (950, "TransferringToHuman")],
    );
    all(&board, "bot", &[(900, "SessionBegin"), (950, "ChatBot.UserSendMsg")]);
    all(&board, "served", &[(900, "TransferringToHuman"), (930, "TransferToHumanSuccess")]);
    all(&board, "ended", &[(900, "TransferringToHuman"), (905, "SessionPendingAutoFinishEnd")]);
    let view = board.view();
    let waiting: Vec<_> =
        view.waiting.iter().map(|waiting| (waiting.session_id.as_str(), waiting.waiting_ms)).collect();
    assert_eq!(waiting, [("long", 90_000), ("short", 10_000)]);
    assert_eq!(view.waiting[0].user.as_deref(), Some("user-of-long"));
    let served: Vec<_> =
        view.served.iter().map(|served| (served.session_id.as_str(), served.since)).collect();
    assert_eq!((served, view.open), (vec![("served", 930_000)], 4));
    assert!(view.alarms.is_empty(), "{:?}", view.alarms);
}

#[test]
fn an_agents_load_is_the_sessions_in_charge_of() {
    let (board, _) = board(1000);
    let forwarded = |session: &str| {
        let forward = testing::event("AgentForward")
            .session(session)
            .agent("b")
            .time(UNIX_EPOCH + Duration::from_secs(990));
        forward.field("ForwardFromAgentId", "a").build()
    };
    for session in ["1", "2", "3"] {
        all(&board, session, &[(900, "TransferToHumanSuccess")]);
    }
    board.observe(&forwarded("1"));
    board.observe(&forwarded("2"));
    let loads: Vec<_> = board.view().agents.into_iter().map(|load| (load.agent, load.sessions)).collect();
    assert_eq!(loads, [("b".to_owned(), 2), ("agent-of-3".to_owned(), 1)]);
    all(&board, "2", &[(995, "SessionUserEnd")]);
    assert_eq!(board.view().agents.iter().map(|load| load.sessions).sum::<usize>(), 2);
}

#[test]
fn alarms_are_about_those_who_wait() {
    let (board, clock) = board(1000);
    let board = board.waiting_limit(Duration::from_secs(60));
    all(&board, "long", &[(930, "TransferringToHuman")]);
    all(&board, "none", &[(990, "TransferringToHuman"), (991, "NoAgentOnline")]);
    let none =
        Alarm::NoAgentOnline { sdk_app_id: testing::APP, session_id: "none".to_owned(), since: 991_000 };
    let alarms = board.view().alarms;
    assert_eq!(alarms[0], none);
    let json = serde_json::to_value(&alarms).unwrap();
    assert_eq!(
        json,
        json!([
            {"alarm": "no_agent_online", "sdk_app_id": testing::APP, "session_id": "none", "since": 991_000},
            {"alarm": "waiting_too_long", "sdk_app_id": testing::APP, "session_id": "long", "waiting_ms": 70_000},
        ])
    );
    // The bot goes on with one, and an agent has the other.
    all(&board, "none", &[(995, "ChatBot.RobotSendMsg")]);
    all(&board, "long", &[(999, "TransferToHumanSuccess")]);
    clock.store(5000, Ordering::Relaxed);
    assert!(board.view().alarms.is_empty());
}

#[test]
fn the_last_hour_has_quantiles_ratings_and_abandoned_sessions() {
    let (board, _) = board(10_000);
    for number in 1..=10 {
        let session = format!("{number}");
        let begin = 8000;
        all(
            &board,
            &session,
            &[
                (begin, "TransferringToHuman"),
                (begin + number, "TransferToHumanSuccess"),
                (begin + 3 * number, "Human.AgentSendMsg"),
                (begin + 100, "SessionAgentEnd"),
            ],
        );
    }
    all(
        &board,
        "old",
        &[(5000, "TransferringToHuman"), (5999, "TransferToHumanSuccess"), (6000, "SessionUserEnd")],
    );
    all(
        &board,
        "left",
        &[(9000, "TransferringToHuman"), (9005, "SessionUserTimeoutEnd"), (9005, "SatisfactionSelected")],
    );
    all(&board, "timed out", &[(9000, "SessionPendingAutoFinishEnd")]);
    let hour = board.view().last_hour;
    assert_eq!(
        serde_json::to_value(&hour).unwrap(),
        json!({
            "queue": {"count": 10, "p50_ms": 5000, "p90_ms": 9000},
            "first_answer": {"count": 10, "p50_ms": 10_000, "p90_ms": 18_000},
            "ratings": {"5": 1}, "closed": 12, "abandoned": 2,
        })
    );
}

#[test]
fn neither_order_nor_repeats_change_a_board() {
    let (in_order, _) = board(1_725_540_030);
    let (shuffled, _) = board(1_725_540_030);
    let sessions = || (0..20).map(|number| Scenario::new(&format!("{number}")));
    // Some of them go on.
    let events = |scenario: Scenario, keep: usize| {
        scenario
            .into_iter()
            .map(|event| event.build())
            .filter(move |event| event.time < UNIX_EPOCH + Duration::from_secs(1_725_540_020 + keep as u64))
    };
    for (number, scenario) in sessions().enumerate() {
        events(scenario, number).for_each(|event| in_order.observe(&event));
    }
    for (number, scenario) in sessions().enumerate() {
        let scenario = scenario.repeated(2).shuffled(number as u64);
        events(scenario, number).for_each(|event| shuffled.observe(&event));
    }
    let (mut left, mut right) = (in_order.view(), shuffled.view());
    assert_eq!(left, right);
    (left.now, right.now) = (0, 1);
    assert_ne!(left, right);
    assert_eq!(in_order.session(testing::APP, "19"), shuffled.session(testing::APP, "19"));
    assert_eq!(in_order.session(testing::APP, "nowhere"), None);
}

#[test]
fn sessions_go_when_they_are_old() {
    let (board, clock) = board(1000);
    let board = board.max_age(Duration::from_secs(2 * 3600));
    all(&board, "open", &[(900, "SessionBegin")]);
    all(&board, "closed", &[(900, "SessionBegin"), (950, "SessionUserEnd")]);
    let is_there = |session| board.session(testing::APP, session).is_some();
    let _ = board.view();
    assert!(is_there("open") && is_there("closed"));
    clock.store(1000 + 3601, Ordering::Relaxed);
    let _ = board.view();
    assert!(is_there("open") && !is_there("closed"));
    // Whatever its time says: it has arrived.
    all(&board, "open", &[(1, "ChatBot.UserSendMsg")]);
    clock.store(1000 + 2 * 3600 + 1, Ordering::Relaxed);
    assert_eq!(board.view().open, 1);
    clock.store(1000 + 4 * 3600, Ordering::Relaxed);
    assert_eq!(board.view().open, 0);
}

#[test]
fn beyond_its_limit_a_board_drops_closed_and_quiet_sessions() {
    let (board, clock) = board(1000);
    let board = board.limit(100);
    for number in 0..50 {
        clock.fetch_add(1, Ordering::Relaxed);
        all(&board, &format!("open {number}"), &[(900, "SessionBegin")]);
        all(&board, &format!("closed {number}"), &[(900, "SessionEnd")]);
    }
    assert_eq!((board.view().open, board.view().dropped), (50, 0));
    all(&board, "one more", &[(900, "SessionBegin")]);
    let view = board.view();
    assert_eq!((view.open, view.dropped), (51, 6), "a sixteenth, and all of it closed sessions");
    for number in 0..200 {
        clock.fetch_add(1, Ordering::Relaxed);
        all(&board, &format!("later {number}"), &[(900, "SessionBegin")]);
    }
    let view = board.view();
    assert!(view.open <= 100 && view.dropped >= 150, "{} open, {} dropped", view.open, view.dropped);
    assert!(
        board.session(testing::APP, "later 199").is_some() && board.session(testing::APP, "open 0").is_none()
    );
}

#[test]
fn a_restored_board_shows_what_the_first_one_did() {
    let (first, _) = board(1000);
    let mut logs = Vec::new();
    for (session, events) in [
        ("waits", &[(900, "SessionBegin"), (910, "TransferringToHuman")][..]),
        ("served", &[(900, "TransferringToHuman"), (950, "TransferToHumanSuccess")]),
        ("ended", &[(900, "SessionBegin"), (950, "SessionUserEnd")]),
    ] {
        all(&first, session, events);
        let mut log = SessionLog::new(testing::APP, session);
        for (seconds, name) in events {
            log.add(&event(session, *seconds, name));
        }
        logs.push(log);
    }
    let (second, _) = board(1000);
    // What has arrived already is kept.
    all(&second, "waits", &[(910, "TransferringToHuman")]);
    logs.into_iter().for_each(|log| second.restore(log));
    assert_eq!(first.view(), second.view());
}

#[tokio::test]
async fn a_board_around_a_handler_passes_everything_on() {
    let (board, recorder) = (Arc::new(Board::new()), Recorder::default());
    let webhook = Webhook::new(testing::verifier(), Arc::clone(&board).around(recorder.clone()));
    let delivery = testing::event("SessionBegin").session("s").delivery();
    assert_eq!(webhook.handle(delivery.request()).await.status(), 200);
    assert_eq!(recorder.calls().len(), 1);
    assert!(board.session(testing::APP, "s").is_some());
}
