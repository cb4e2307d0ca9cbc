//! Every event reaches its method with all of its fields.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event, EventHandler, Webhook,
    event::{DedupKey, EndReason, EventKind, EventName, Sender, Stage, TransferStep},
};

use crate::support::{APP, Recorder, deliver, event_json, fixture, post, send, signed, verifier};

#[tokio::test]
async fn each_documented_name_reaches_its_method() {
    let names = [
        ("SessionBegin", "on_session_begin"),
        ("ChatBot.UserSendMsg", "on_message"),
        ("ChatBot.RobotSendMsg", "on_message"),
        ("Human.UserSendMsg", "on_message"),
        ("Human.AgentSendMsg", "on_message"),
        ("TransferringToHuman", "on_transfer"),
        ("TransferringToHumanWait", "on_transfer"),
        ("TransferToHumanSuccess", "on_transfer"),
        ("NoAgentOnline", "on_transfer"),
        ("AgentForward", "on_transfer"),
        ("SatisfactionSelected", "on_satisfaction"),
        ("SessionUserEnd", "on_session_end"),
        ("SessionAgentEnd", "on_session_end"),
        ("SessionUserTimeoutEnd", "on_session_end"),
        ("SessionAgentTimeoutEnd", "on_session_end"),
        ("SessionPendingAutoFinishEnd", "on_session_end"),
        ("SessionEnd", "on_session_end"),
        ("Human.SomethingNew", "on_unknown"),
        ("sessionbegin", "on_unknown"),
    ];
    assert_eq!(EventName::documented().count(), 17);
    for (name, method) in names {
        let (got, event) = deliver(event_json(name)).await;
        assert_eq!(got, method, "{name}");
        assert_eq!(event.name.as_str(), name);
        assert_eq!(event.session_id, "s-1");
        assert_eq!(event.time, UNIX_EPOCH + Duration::from_millis(1_725_540_020_017));
        assert_eq!(matches!(event.name, EventName::Other(_)), method == "on_unknown", "{name}");
    }
}

#[tokio::test]
async fn the_category_says_who_sent_a_message_and_when() {
    let kind = async |name: &str| deliver(event_json(name)).await.1.kind;
    let sent = async |name: &str| match kind(name).await {
        EventKind::Message(message) => (message.stage, message.sender),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(sent("ChatBot.UserSendMsg").await, (Stage::ChatBot, Sender::User));
    assert_eq!(sent("ChatBot.RobotSendMsg").await, (Stage::ChatBot, Sender::Robot));
    assert_eq!(sent("Human.UserSendMsg").await, (Stage::Human, Sender::User));
    assert_eq!(sent("Human.AgentSendMsg").await, (Stage::Human, Sender::Agent));
    for (name, step) in [
        ("TransferringToHuman", TransferStep::Started),
        ("TransferringToHumanWait", TransferStep::Waiting),
        ("TransferToHumanSuccess", TransferStep::Succeeded),
        ("NoAgentOnline", TransferStep::NoAgentOnline),
        ("AgentForward", TransferStep::Forwarded),
    ] {
        assert!(matches!(kind(name).await, EventKind::Transfer(transfer) if transfer.step == step), "{name}");
    }
    for (name, reason) in [
        ("SessionUserEnd", EndReason::User),
        ("SessionAgentEnd", EndReason::Agent),
        ("SessionUserTimeoutEnd", EndReason::UserTimeout),
        ("SessionAgentTimeoutEnd", EndReason::AgentTimeout),
        ("SessionPendingAutoFinishEnd", EndReason::LeftQueue),
        ("SessionEnd", EndReason::Unstated),
    ] {
        assert!(matches!(kind(name).await, EventKind::SessionEnd(end) if end.reason == reason), "{name}");
    }
}

#[tokio::test]
async fn the_documented_samples_are_read_completely() {
    for name in ["desk_session_event_intl_doc", "desk_session_event_cn_doc"] {
        let body = fixture(name);
        let (method, event) = deliver(&body).await;
        assert_eq!(method, "on_message");
        assert_eq!(event.sdk_app_id, APP);
        assert_eq!(event.session_id, "2baf4d84-beb4-4607-a1ea-6ebcaef3e0e6");
        assert_eq!(event.channel.as_deref(), Some("SDK"));
        assert_eq!(event.client_user_id.as_deref(), Some("your_user_id"));
        assert_eq!(event.customer_service_id.as_deref(), Some("@customer_service_account"));
        assert_eq!(event.agent_id.as_deref(), Some("test@qq.com"));
        assert_eq!(event.is_contact_user, Some(false));
        assert_eq!(event.cloud_custom_data.as_deref(), Some("your cloud custom data"));
        assert_eq!(event.other_fields.stars, Some(5), "which event has stars is not documented");
        assert_eq!(event.other_fields.from_agent_id, None, "empty in the sample");
        assert_eq!(event.raw(), body);
        let EventKind::Message(message) = &event.kind else { panic!("{event:?}") };
        assert_eq!(message.key.as_deref(), Some("152_1600012345_abcdefg"));
        assert_eq!(message.text(), "请问如何申请退费?");
    }
}

#[tokio::test]
async fn a_field_is_in_its_category_or_in_other_fields() {
    let mut body: Value = serde_json::from_str(&fixture("desk_session_event_cn_doc")).unwrap();
    body["ForwardFromAgentId"] = "before@qq.com".into();
    let mut of = async |name: &str| {
        body["Event"] = name.into();
        deliver(&body).await.1
    };

    let rated = of("SatisfactionSelected").await;
    assert!(matches!(&rated.kind, EventKind::Satisfaction(satisfaction) if satisfaction.stars == Some(5)));
    assert_eq!((rated.other_fields.stars, rated.other_fields.elements.len()), (None, 1));

    let forwarded = of("AgentForward").await;
    let EventKind::Transfer(transfer) = &forwarded.kind else { panic!("{forwarded:?}") };
    assert_eq!(transfer.from_agent_id.as_deref(), Some("before@qq.com"));
    assert_eq!(
        (forwarded.other_fields.from_agent_id.as_deref(), forwarded.other_fields.stars),
        (None, Some(5))
    );

    let unknown = of("Human.SomethingNew").await;
    assert_eq!(unknown.other_fields.msg_key.as_deref(), Some("152_1600012345_abcdefg"));
    assert_eq!(unknown.other_fields.elements[0].text().as_deref(), Some("请问如何申请退费?"));
}

/// Every documented field of any event is serialized under the wire's name with the value that was sent.
#[tokio::test]
async fn an_event_is_serialized_with_the_wires_names() {
    let mut sent: Value = serde_json::from_str(&fixture("desk_session_event_cn_doc")).unwrap();
    sent["ForwardFromAgentId"] = "before@qq.com".into();
    for name in EventName::documented().map(|name| name.to_string()).chain(["Some.Other".to_owned()]) {
        sent["Event"] = name.as_str().into();
        let recorder = Recorder::default();
        let query = format!("{}&RequestID=r-1&ClientIP=10.0.0.7&OptPlatform=iOS", signed());
        assert!(
            send(&Webhook::new(verifier(), recorder.clone()), post(&query, sent.to_string())).await.is_ok()
        );
        let event = recorder.events().remove(0);

        let mut expected = sent.clone();
        expected["SdkAppid"] = APP.into();
        expected["RequestID"] = "r-1".into();
        expected["ClientIP"] = "10.0.0.7".into();
        expected["OptPlatform"] = "iOS".into();
        expected["Raw"] = sent.to_string().into();
        assert_eq!(serde_json::to_value(&event).unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn absent_fields_are_omitted() {
    let body = json!({
        "SessionId": "s", "Event": "Human.UserSendMsg", "EventTime": "12", "AgentId": "", "MsgKey": null,
        "MsgBody": [], "SatisfactionSelected": 0, "ForwardFromAgentId": [], "ClientUserId": {}, "IsContactUser": 0,
    });
    let (_, event) = deliver(&body).await;
    let expected = json!({
        "SdkAppid": APP, "CallbackCommand": "Desk.SessionEventNotify", "SessionId": "s", "Event": "Human.UserSendMsg",
        "EventTime": 12, "IsContactUser": false, "Raw": body.to_string(),
    });
    assert_eq!(serde_json::to_value(event).unwrap(), expected);
}

#[test]
fn a_name_is_a_text() {
    for name in EventName::documented().chain([EventName::from("New.Event")]) {
        let wire = name.as_str().to_owned();
        assert_eq!(wire.parse::<EventName>().unwrap(), name);
        assert_eq!(serde_json::to_value(&name).unwrap(), json!(wire));
        assert_eq!(serde_json::from_value::<EventName>(json!(wire)).unwrap(), name);
        assert_eq!((name.to_string(), AsRef::<str>::as_ref(&name)), (wire.clone(), wire.as_str()));
        assert!(name == *wire && name == wire.as_str() && name != "SessionBegin2");
        assert_eq!(format!("{name:>40}|"), format!("{wire:>40}|"));
    }
}

#[tokio::test]
async fn a_name_has_a_category() {
    let mut seen = std::collections::BTreeSet::new();
    for name in EventName::documented().chain([EventName::from("New.Event")]) {
        let (method, event) = deliver(event_json(name.as_str())).await;
        assert_eq!(event.category(), name.category());
        assert_eq!(event.kind.category(), name.category());
        assert_eq!(method, format!("on_{}", name.category()));
        seen.insert(name.category().as_str());
    }
    assert_eq!(seen.len(), 6);
}

/// The names are stable: logs, metrics and stored JSON have them.
#[test]
fn each_value_has_a_name() {
    fn check<T: std::fmt::Display + Serialize + Copy>(
        values: &[T],
        as_str: fn(T) -> &'static str,
        names: &[&str],
    ) {
        for (value, name) in values.iter().zip(names) {
            assert_eq!(as_str(*value), *name);
            assert_eq!(value.to_string(), *name);
            assert_eq!(serde_json::to_value(value).unwrap(), json!(name));
        }
        assert_eq!(values.len(), names.len());
    }

    check(&[Stage::ChatBot, Stage::Human], Stage::as_str, &["chat_bot", "human"]);
    check(&[Sender::User, Sender::Robot, Sender::Agent], Sender::as_str, &["user", "robot", "agent"]);
    let steps = [
        TransferStep::Started,
        TransferStep::Waiting,
        TransferStep::Succeeded,
        TransferStep::NoAgentOnline,
        TransferStep::Forwarded,
    ];
    let names = ["started", "waiting", "succeeded", "no_agent_online", "forwarded"];
    check(&steps, TransferStep::as_str, &names);
    let reasons = [
        EndReason::User,
        EndReason::Agent,
        EndReason::UserTimeout,
        EndReason::AgentTimeout,
        EndReason::LeftQueue,
        EndReason::Unstated,
    ];
    let names = ["user", "agent", "user_timeout", "agent_timeout", "left_queue", "unstated"];
    check(&reasons, EndReason::as_str, &names);
}

#[tokio::test]
async fn a_time_is_also_milliseconds() {
    for millis in [i64::MIN, -1, 0, 1_725_540_020_017, i64::MAX] {
        let mut body = event_json("SessionEnd");
        body["EventTime"] = millis.into();
        assert_eq!(deliver(&body).await.1.time_millis(), millis);
    }
}

#[test]
fn a_key_survives_a_round_trip_through_text_and_bytes() {
    let key = tencent_desk_webhook::testing::event("SessionEnd").build().dedup_key();
    let text = key.to_string();
    assert_eq!(text.parse::<DedupKey>().unwrap(), key);
    assert_eq!(text.to_uppercase().parse::<DedupKey>().unwrap(), key);
    assert_eq!(DedupKey::from(*key.as_bytes()), key);
    assert_eq!(DedupKey::try_from(&key.as_bytes()[..]).unwrap(), key);
    assert_eq!(serde_json::to_value(key).unwrap(), json!(text));
    assert_eq!(serde_json::from_value::<DedupKey>(json!(text)).unwrap(), key);
    for wrong in
        ["", "00", &text[..46], &format!("{text}00"), &text.replace(&text[..1], "g"), &"é".repeat(24)]
    {
        let error = wrong.parse::<DedupKey>().unwrap_err();
        assert_eq!(error.to_string(), "a key of an event is 24 bytes, or 48 hexadecimal digits");
        assert!(serde_json::from_value::<DedupKey>(json!(wrong)).is_err());
    }
    assert!(DedupKey::try_from(&[0; 23][..]).is_err());
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Envelope {
    id: u64,
    #[serde(flatten)]
    event: Event,
}

fn check_round_trips(event: Event) {
    let line = serde_json::to_string(&event).unwrap();
    assert!(!line.contains('\n'), "{line}");
    assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    assert_eq!(serde_json::from_slice::<Event>(line.as_bytes()).unwrap(), event);
    assert_eq!(serde_json::from_reader::<_, Event>(line.as_bytes()).unwrap(), event);
    let value = serde_json::to_value(&event).unwrap();
    assert_eq!(serde_json::from_value::<Event>(value).unwrap(), event);
    let envelope = Envelope { id: 7, event };
    let line = serde_json::to_string(&envelope).unwrap();
    assert_eq!(serde_json::from_str::<Envelope>(&line).unwrap(), envelope);
}

#[tokio::test]
async fn an_event_survives_a_round_trip() {
    for name in EventName::documented().map(|name| name.to_string()).chain(["Some.Other".to_owned()]) {
        let mut body: Value = serde_json::from_str(&fixture("desk_session_event_cn_doc")).unwrap();
        body["Event"] = name.into();
        body["Unknown"] = json!({"deep": [1, 2.5, null]});
        check_round_trips(deliver(format!("{body:#}\r\n")).await.1);
        check_round_trips(deliver(event_json(body["Event"].as_str().unwrap())).await.1);
    }
    let mut elements: Vec<Value> =
        crate::elements::fixtures().into_iter().map(|(_, element)| element).collect();
    elements.extend([
        json!({"MsgType": "TIMNewElem", "MsgContent": {"a": 1e-7}}),
        json!("odd"),
        json!(7),
        json!([null]),
    ]);
    let mut body = event_json("Human.UserSendMsg");
    body["MsgBody"] = elements.into();
    check_round_trips(deliver(&body).await.1);

    let too_deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let hard = format!(
        r#"{{"SessionId":"s","Event":"Human.UserSendMsg","EventTime":-5,"MsgBody":[{too_deep},1e999,
            {{"MsgType":"TIMLocationElem","MsgContent":{{"Latitude":29.340656774469956,"Longitude":1e999}}}}]}}"#
    );
    check_round_trips(deliver(hard).await.1);

    // Levels of nesting in an event, in relays, and in the program's own value around the event.
    for levels in [60, 63, 64, 65, 100, 124, 125, 126, 127, 128] {
        let unknown = format!(
            r#"{{"MsgType":"TIMNewElem","MsgContent":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        );
        for relays in [0, 1, 8] {
            let mut elements = format!("[{unknown}]");
            for _ in 0..relays {
                elements = format!(
                    r#"[{{"MsgType":"TIMRelayElem","MsgContent":{{"MsgList":[{{"MsgBody":{elements}}}]}}}}]"#
                );
            }
            let body = format!(
                r#"{{"SessionId":"s","Event":"Human.UserSendMsg","EventTime":5,"MsgBody":{elements}}}"#
            );
            check_round_trips(deliver(body).await.1);
        }
    }
}

#[tokio::test]
async fn a_changed_event_survives_a_round_trip() {
    let (_, mut event) = deliver(fixture("desk_session_event_cn_doc")).await;
    event.agent_id = None;
    event.session_id = "another".to_owned();
    check_round_trips(event);
}

#[test]
fn an_incomplete_record_says_what_is_missing() {
    let error = serde_json::from_value::<Event>(event_json("SessionBegin")).unwrap_err();
    assert!(error.to_string().contains("SdkAppid"), "{error}");
    let error = serde_json::from_value::<Event>(json!({"SdkAppid": 1, "Event": "SessionBegin"})).unwrap_err();
    assert!(error.to_string().contains("SessionId"), "{error}");
}

#[tokio::test]
async fn handlers_can_be_chosen_at_run_time() {
    let recorder = Recorder::default();
    let boxed: Box<dyn EventHandler> = Box::new(recorder.clone());
    let shared: std::sync::Arc<dyn EventHandler> = std::sync::Arc::new(boxed);
    let webhook = Webhook::new(verifier(), shared);
    for name in EventName::documented().map(|name| name.to_string()).chain(["Some.Other".to_owned()]) {
        assert!(send(&webhook, post(&signed(), event_json(&name).to_string())).await.is_ok());
        let call = recorder.calls().remove(0);
        let (method, event) = (call.method, call.event);
        recorder.forget();
        assert_eq!(event.name.as_str(), name);
        assert_eq!(method, deliver(event_json(&name)).await.0);
    }
}

/// A handler without methods ignores all events, also behind pointers, which forward each method.
#[tokio::test]
async fn a_method_that_is_left_out_ignores_its_events() {
    struct Nothing;
    impl EventHandler for Nothing {}

    async fn check(handler: impl EventHandler) {
        for name in EventName::documented().map(|name| name.to_string()).chain(["Some.Other".to_owned()]) {
            let event = tencent_desk_webhook::testing::event(&name).build();
            handler.on_event(&event).await.unwrap();
            match &event.kind {
                EventKind::SessionBegin(begin) => handler.on_session_begin(&event, begin).await.unwrap(),
                EventKind::Message(message) => handler.on_message(&event, message).await.unwrap(),
                EventKind::Transfer(transfer) => handler.on_transfer(&event, transfer).await.unwrap(),
                EventKind::Satisfaction(satisfaction) => {
                    handler.on_satisfaction(&event, satisfaction).await.unwrap()
                }
                EventKind::SessionEnd(end) => handler.on_session_end(&event, end).await.unwrap(),
                _ => handler.on_unknown(&event).await.unwrap(),
            }
            handler.on_late_failure(&event, &"out of stock".into());
        }
    }

    check(Nothing).await;
    check(std::sync::Arc::new(Nothing)).await;
    check(Box::new(Nothing)).await;
}

/// The inner handler's methods for failures and deadlines are called behind any pointer.
#[tokio::test(start_paused = true)]
async fn a_handler_behind_a_pointer_receives_its_failures() {
    use tencent_desk_webhook::{
        handler::AtDeadline,
        testing::{self, Behaviour},
    };

    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::StallAndFail);
    let boxed: Box<dyn EventHandler> = Box::new(recorder.clone());
    let webhook = Webhook::new(verifier(), std::sync::Arc::new(boxed)).at_deadline(AtDeadline::Refuse);
    let answer = webhook.handle(testing::event("SessionEnd").delivery().request()).await;
    assert_eq!(testing::error_code(answer), 50303);
    recorder.release();
    webhook.drained(crate::support::LONG).await;
    assert_eq!(recorder.late_failures().len(), 1);
}
