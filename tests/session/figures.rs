//! What the figures say of sessions that are easy to get wrong.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tencent_desk_webhook::{
    Event,
    session::{End, Session, SessionLog, sessions},
    testing::{self, EventFixture, Scenario},
};

/// The event of this name, so many seconds after the epoch.
fn at(seconds: u64, name: &str) -> EventFixture {
    let event = testing::event(name).session("s").time(UNIX_EPOCH + Duration::from_secs(seconds));
    if name.contains("Msg") { event.field("MsgKey", format!("{seconds}")) } else { event }
}

fn session(events: impl IntoIterator<Item = EventFixture>) -> Session {
    let events: Vec<Event> = events.into_iter().map(|event| event.build()).collect();
    let [session] = &sessions(&events)[..] else { panic!("one session") };
    session.clone()
}

#[test]
fn a_whole_session() {
    let events = Scenario::new("s-1").into_iter().map(|event| event.agent("a@qq.com"));
    let session = serde_json::to_value(session(events)).unwrap();
    let begin = 1_725_540_020_017_i64;
    assert_eq!(
        session,
        json!({
            "session_id": "s-1", "user": "your_user_id", "account": "@customer_service_account", "channel": "SDK",
            "contacted_by_agent": false, "opened_at": begin, "closed_at": begin + 11_000, "end": "user",
            "messages": {"user": 3, "bot": 2, "agent": 1}, "agent_requests": 1, "no_agent_online": 0,
            "queue_ms": 2000, "first_answer_ms": 1000, "handling_ms": 4000, "longest_user_wait_ms": null,
            "agents": ["a@qq.com"], "rating": 5, "exact": true, "version": 1
        })
    );
}

#[test]
fn without_its_begin_a_session_opens_with_its_earliest_event() {
    let session = session([at(9, "SessionEnd"), at(5, "ChatBot.UserSendMsg")]);
    assert_eq!((session.opened_at, session.closed_at), (Some(5000), Some(9000)));
    assert_eq!((session.end, session.queue_ms, session.handling_ms), (Some(End::Unstated), None, None));
}

#[test]
fn a_begin_that_is_not_the_earliest_event_opens_the_session_all_the_same() {
    assert_eq!(session([at(5, "ChatBot.UserSendMsg"), at(7, "SessionBegin")]).opened_at, Some(7000));
}

#[test]
fn the_reason_is_that_of_the_earliest_end_that_names_one() {
    let session = session([at(1, "SessionEnd"), at(3, "SessionAgentEnd"), at(2, "SessionUserTimeoutEnd")]);
    assert_eq!((session.closed_at, session.end), (Some(1000), Some(End::UserTimeout)));
}

#[test]
fn the_queue_begins_with_the_first_request_and_ends_with_the_first_success_after_it() {
    let reached = || [at(20, "TransferToHumanSuccess"), at(40, "TransferToHumanSuccess")];
    let queued = session(reached().into_iter().chain([at(15, "TransferringToHumanWait")]));
    assert_eq!(queued.queue_ms, Some(5000));
    let before =
        [at(10, "TransferringToHuman"), at(15, "TransferringToHumanWait"), at(5, "TransferToHumanSuccess")];
    assert_eq!(session(reached().into_iter().chain(before)).queue_ms, Some(10_000));
    // It is not known which of the two came first.
    let tie = [at(20, "TransferringToHuman"), at(20, "TransferToHumanSuccess")];
    assert_eq!(session(tie).queue_ms, None);
    assert_eq!(session([at(20, "TransferringToHuman"), at(10, "TransferToHumanSuccess")]).queue_ms, None);
    assert_eq!(session([at(20, "TransferToHumanSuccess")]).queue_ms, None);
}

#[test]
fn the_first_answer_is_at_or_after_the_transfer() {
    let answered = |answers: &[u64]| {
        let answers = answers.iter().map(|seconds| at(*seconds, "Human.AgentSendMsg"));
        session(answers.chain([at(10, "TransferToHumanSuccess"), at(30, "TransferToHumanSuccess")]))
            .first_answer_ms
    };
    assert_eq!(answered(&[5, 10]), Some(0));
    assert_eq!(answered(&[5, 12, 31]), Some(2000));
    assert_eq!(answered(&[5]), None);
}

#[test]
fn what_ends_with_the_transfer_was_not_handled() {
    let ended =
        |seconds| session([at(10, "TransferToHumanSuccess"), at(seconds, "SessionUserEnd")]).handling_ms;
    assert_eq!((ended(9), ended(10), ended(11)), (None, None, Some(1000)));
}

#[test]
fn a_wait_begins_with_the_first_unanswered_message_to_an_agent() {
    let (user, agent) = ("Human.UserSendMsg", "Human.AgentSendMsg");
    let waits = session([
        at(1, "ChatBot.UserSendMsg"),
        at(10, user),
        at(14, user),
        at(15, agent),
        at(16, agent),
        at(20, user),
        at(20, agent),
        at(30, user),
    ]);
    assert_eq!(waits.longest_user_wait_ms, Some(5000));
    assert_eq!(session([at(10, user)]).longest_user_wait_ms, None);
    assert_eq!(session([at(10, agent), at(11, user)]).longest_user_wait_ms, None);
}

#[test]
fn control_messages_are_no_messages() {
    let data = |src: &str| json!({"customerServicePlugin": 0, "src": src}).to_string();
    let custom = |src: &str| json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": data(src)}});
    let text = json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}});
    let counted = session([
        at(0, "TransferToHumanSuccess"),
        at(1, "Human.UserSendMsg").elements([custom("12")]),
        at(2, "Human.AgentSendMsg").elements([custom("12")]),
        at(3, "Human.UserSendMsg").elements([custom("22")]),
        at(4, "Human.AgentSendMsg").elements([custom("12"), text]),
        at(5, "Human.UserSendMsg").elements([]),
    ]);
    assert_eq!((counted.messages.user, counted.messages.agent), (2, 1));
    assert_eq!((counted.first_answer_ms, counted.longest_user_wait_ms), (Some(4000), Some(1000)));
}

#[test]
fn agents_are_in_the_order_of_their_appearance_forwards_included() {
    let forward = at(20, "AgentForward").field("ForwardFromAgentId", "a@qq.com").agent("b@qq.com");
    let events = || [at(30, "Human.AgentSendMsg").agent("c@qq.com"), forward.clone()];
    assert_eq!(session(events()).agents, ["a@qq.com", "b@qq.com", "c@qq.com"]);
    let reached = at(10, "TransferToHumanSuccess").agent("b@qq.com");
    assert_eq!(session(events().into_iter().chain([reached])).agents, ["b@qq.com", "a@qq.com", "c@qq.com"]);
}

#[test]
fn the_latest_rating_counts_and_one_without_stars_is_none() {
    let rated = |seconds, stars| at(seconds, "SatisfactionSelected").stars(stars);
    assert_eq!(session([rated(3, 2), rated(1, 5), rated(4, 0)]).rating, Some(2));
    assert_eq!(session([rated(4, 0)]).rating, None);
}

#[test]
fn events_of_other_sessions_and_apps_are_left_out() {
    let mut log = SessionLog::new(testing::APP, "s");
    assert!(log.add(&at(1, "SessionBegin").build()));
    assert!(!log.add(&at(1, "SessionBegin").build()), "a repeat");
    assert!(!log.add(&at(2, "SessionEnd").session("t").build()));
    let mut other_app = at(2, "SessionEnd").build();
    other_app.sdk_app_id += 1;
    assert!(!log.add(&other_app));
    assert!(!log.merge(&SessionLog::of(&other_app)));
    assert_eq!((log.len(), log.session().closed_at), (1, None));
}

#[test]
fn times_at_the_ends_of_the_range_are_no_panic() {
    let extreme = |name: &str, millis: i64| testing::event(name).session("s").field("EventTime", millis);
    let events = [
        extreme("TransferringToHuman", i64::MIN + 1),
        extreme("TransferToHumanSuccess", -1),
        extreme("Human.UserSendMsg", -1),
        extreme("Human.AgentSendMsg", i64::MAX),
        extreme("SessionEnd", i64::MAX),
    ];
    let built: Vec<Event> = events
        .iter()
        .filter_map(|event| {
            let mut record = event.json().clone();
            record["SdkAppid"] = 7.into();
            serde_json::from_value(record).ok()
        })
        .collect();
    for session in sessions(&built) {
        assert_eq!(
            serde_json::from_value::<Session>(serde_json::to_value(&session).unwrap()).unwrap(),
            session
        );
    }
}

#[test]
fn another_version_is_not_read() {
    let mut log = serde_json::to_value(SessionLog::new(7, "s")).unwrap();
    let mut session = serde_json::to_value(SessionLog::new(7, "s").session()).unwrap();
    assert_eq!(log["version"], 1);
    (log["version"], session["version"]) = (2.into(), 2.into());
    let error = serde_json::from_value::<SessionLog>(log).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    assert!(serde_json::from_value::<Session>(session).is_err());
}

#[test]
fn a_log_that_was_tampered_with_is_put_in_order() {
    let mut log = SessionLog::new(testing::APP, "s");
    for event in Scenario::new("s") {
        log.add(&event.build());
    }
    let mut json = serde_json::to_value(&log).unwrap();
    let events = json["events"].as_array_mut().unwrap();
    events.reverse();
    events.extend_from_within(..);
    assert_eq!(serde_json::from_value::<SessionLog>(json.clone()).unwrap(), log);
    for broken in ["", "zz", "80000000000000000000000000000000ff", "+0000000000000000000000000000000"] {
        json["events"][0] = broken.into();
        assert!(serde_json::from_value::<SessionLog>(json.clone()).is_err(), "{broken:?}");
    }
}

/// Milestones are kept before messages, so a long session still closes.
#[test]
fn beyond_the_limit_a_session_says_that_it_is_not_exact() {
    let message = |number: usize| {
        let seconds = 10 + (number as u64 * 7919) % 20_000;
        at(seconds, "ChatBot.UserSendMsg").field("MsgKey", format!("{number}")).build()
    };
    let mut log = SessionLog::of(&at(40_000, "SessionUserEnd").build());
    for number in 0..SessionLog::LIMIT - 1 {
        log.add(&message(number));
        log.add(&message(number));
    }
    assert!(log.is_exact() && log.session().exact);
    assert_eq!(log.session().messages.user, SessionLog::LIMIT as u32 - 1);
    let exact = log.clone();

    let more: Vec<Event> = (SessionLog::LIMIT..SessionLog::LIMIT + 500).map(message).collect();
    for event in &more {
        log.add(event);
    }
    let session = log.session();
    assert!(!log.is_exact() && !session.exact);
    assert_eq!((log.len(), session.closed_at), (SessionLog::LIMIT, Some(40_000_000)));

    let mut backwards = SessionLog::of(&more[0]);
    for event in more.iter().rev() {
        backwards.add(event);
    }
    backwards.merge(&exact);
    for event in &more {
        backwards.add(event);
    }
    assert_eq!(backwards, log, "neither order nor repeats matter");
    let stored = serde_json::to_string(&log).unwrap();
    assert_eq!(serde_json::from_str::<SessionLog>(&stored).unwrap(), log);
}
