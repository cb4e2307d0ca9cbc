//! Properties of every query, body and event, tested with generated ones.
#![cfg(test)]
#![allow(clippy::unwrap_used)]

#[path = "../../all/checks.rs"]
#[allow(dead_code, unreachable_pub)] // shared with the fuzz targets
mod checks;

mod sessions;

use std::fmt::Write as _;

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event, Webhook,
    event::EventName,
    testing::{self, APP, ELEMENT_TYPES, NOW, Recorder, error_code},
};

use crate::checks::{COMMAND, SIGN};

/// The `ErrorCode` of the response to a query with a valid body, from a webhook that expects the documented signature.
fn ask(query: &str) -> i64 {
    let body = testing::event("SessionBegin").to_string();
    let request = http::Request::post(format!("/?{query}")).body(body).unwrap();
    let webhook = Webhook::new(testing::verifier(), Recorder::default());
    error_code(checks::now(webhook.handle(request)))
}

/// Any JSON, including values that are hard to handle.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_i64..9).prop_map(Value::from),
        (0_i64..9).prop_map(|digit| digit.to_string().into()),
        any::<String>().prop_map(Value::from),
        Just(json!("")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((any::<String>(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An element of a documented type, with arbitrary values in some fields.
fn any_element() -> impl Strategy<Value = Value> {
    (select(ELEMENT_TYPES), vec((any::<prop::sample::Index>(), any_json()), 0..4)).prop_map(
        |(name, changes)| {
            let mut element = testing::element(name);
            let fields = element["MsgContent"].as_object_mut().unwrap();
            for (field, value) in changes {
                let names: Vec<String> = fields.keys().cloned().collect();
                fields.insert(field.get(&names).clone(), value);
            }
            element
        },
    )
}

const FIELDS: [&str; 14] = [
    "CallbackCommandX",
    "ChannelType",
    "ClientUserId",
    "CustomerServiceId",
    "AgentId",
    "MsgKey",
    "MsgBody",
    "CloudCustomData",
    "IsContactUser",
    "SatisfactionSelected",
    "ForwardFromAgentId",
    "SdkAppid",
    "RequestID",
    "Raw",
];

const NOTIFICATION_FIELDS: [&str; 20] = [
    "SessionId",
    "MemberId",
    "Status",
    "RestReason",
    "ClientInfo",
    "Seq",
    "ExecutionId",
    "TaskId",
    "TaskName",
    "Env",
    "RobotId",
    "NodeId",
    "NodeName",
    "NextNodeId",
    "ClientUserId",
    "MsgKey",
    "MsgBody",
    "AgentId",
    "SdkAppid",
    "Raw",
];

fn any_name() -> impl Strategy<Value = String> {
    let names: Vec<String> = EventName::documented().map(|name| name.to_string()).collect();
    prop_oneof![9 => select(names), 1 => "[A-Za-z.\\u{4e00}-\\u{4fff}\"]{1,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_is_delivered_and_deserializes_to_an_equal_value(
        name in any_name(),
        session in "\\PC{1,20}",
        time in any::<i64>(),
        elements in vec(prop_oneof![3 => any_element(), 1 => any_json()], 0..5),
        fields in vec((select(&FIELDS[..]), any_json()), 0..6),
    ) {
        let mut fixture = testing::event(&name).session(&session).field("EventTime", time).elements(elements);
        for (name, value) in fields {
            fixture = fixture.field(name, value);
        }
        let recorder = Recorder::default();
        let webhook = Webhook::new(testing::verifier(), recorder.clone());
        prop_assert_eq!(error_code(checks::now(webhook.handle(fixture.delivery().request()))), 0);
        let event = recorder.events().remove(0);
        prop_assert_eq!(event.raw(), fixture.to_string());
        let line = serde_json::to_string(&event).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(&serde_json::from_str::<Event>(&line).unwrap(), &event);
        prop_assert_eq!(serde_json::from_value::<Event>(serde_json::to_value(&event).unwrap()).unwrap(), event);
    }

    #[test]
    fn any_notification_is_delivered_and_comes_back_equal(
        is_flow in any::<bool>(),
        step in any_name(),
        fields in vec((select(&NOTIFICATION_FIELDS[..]), any_json()), 0..8),
    ) {
        let mut fixture = if is_flow { testing::task_flow(&step, 1) } else { testing::agent_status(&step) };
        for (name, value) in fields {
            fixture = fixture.field(name, value);
        }
        let recorder = Recorder::default();
        let webhook = Webhook::new(testing::verifier(), recorder.clone());
        prop_assert_eq!(error_code(checks::now(webhook.handle(fixture.delivery().request()))), 0);
        let call = recorder.calls().remove(0);
        prop_assert_eq!(call.method, if is_flow { "on_task_flow" } else { "on_agent_status" });
        let event = call.event;
        prop_assert_eq!(event.raw(), fixture.to_string());
        prop_assert_eq!(event.dedup_key(), fixture.build().dedup_key());
        let line = serde_json::to_string(&event).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Event>(&line).unwrap(), &event);
        prop_assert_eq!(serde_json::from_value::<Event>(serde_json::to_value(&event).unwrap()).unwrap(), event);
    }

    #[test]
    fn a_valid_query_is_accepted_in_any_order_case_and_encoding(
        order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(),
        case in vec(any::<bool>(), 200),
        encode in vec(prop::bool::weighted(0.3), 400),
    ) {
        let parameters = [
            ("SdkAppid", APP.to_string()),
            ("CallbackCommand", COMMAND.to_owned()),
            ("Sign", SIGN.to_owned()),
            ("RequestTime", NOW.to_string()),
            ("RequestID", "请求 & 1".to_owned()),
            ("OptPlatform", "iOS".to_owned()),
        ];
        let (mut case, mut encode) = (case.into_iter().cycle(), encode.into_iter().cycle());
        let mut query = String::new();
        for place in order {
            let (name, value) = &parameters[place];
            let swap = |upper: bool, byte: u8| if upper { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
            let name: Vec<u8> = name.bytes().map(|byte| swap(case.next().unwrap(), byte)).collect();
            for (index, part) in [&name[..], b"=", value.as_bytes(), b"&"].into_iter().enumerate() {
                for &byte in part {
                    if index % 2 == 0 && (!byte.is_ascii_alphanumeric() || encode.next().unwrap()) {
                        write!(query, "%{byte:02X}").unwrap();
                    } else {
                        query.push(char::from(byte));
                    }
                }
            }
        }
        prop_assert_eq!(ask(&query), 0, "{}", query);
    }

    #[test]
    fn any_text_is_safe_as_a_query(query in "(&?([A-Za-z%+]{0,12}|Sign|SdkAppid|RequestTime|CallbackCommand)=?[^#\\s]{0,12}){0,8}") {
        checks::query(query.as_bytes());
    }

    #[test]
    fn any_bytes_are_safe_as_query_and_body(data in vec(any::<u8>(), 0..300)) {
        checks::query(&data);
        checks::event(&data);
        checks::decide(&data);
        checks::handle(&data);
    }

    #[test]
    fn any_json_is_safe_as_a_body(json in any_json()) {
        checks::event(json.to_string().as_bytes());
        checks::decide(json.to_string().as_bytes());
    }

    #[test]
    fn a_damaged_event_is_safe(name in any_name(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = testing::event(&name).elements(ELEMENT_TYPES.iter().copied().map(testing::element)).to_string().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        checks::event(&body);
        checks::event(&body[..at]);
    }
}
