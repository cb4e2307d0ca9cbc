//! How each optional field is read if its value differs from the documentation.

use serde_json::{Value, json};
use tencent_desk_webhook::testing;

use crate::support::{deliver, event_json};

/// The kind of a field. An empty text is absent in an event, and a text in an element.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    ElementText,
    ElementId,
    Stars,
    Flag,
    Integer,
    Float,
    List,
}

impl Kind {
    /// Its value if it is absent, null, empty, zero, a number in a string, or of a wrong type.
    fn reads_as(self) -> [Value; 6] {
        let absent = || Value::Null;
        match self {
            Self::Text => [absent(), absent(), absent(), absent(), json!("1"), absent()],
            Self::ElementText | Self::ElementId => {
                [absent(), absent(), json!(""), absent(), json!("1"), absent()]
            }
            Self::Stars => [absent(), absent(), absent(), absent(), json!(1), absent()],
            Self::Flag => [absent(), absent(), absent(), json!(false), json!(true), absent()],
            Self::Integer => [absent(), absent(), absent(), json!(0), json!(1), absent()],
            Self::Float => [absent(), absent(), absent(), json!(0.0), json!(1.0), absent()],
            Self::List => [absent(), absent(), absent(), absent(), absent(), absent()],
        }
    }
}

fn sent() -> [Option<Value>; 6] {
    [None, Some(json!(null)), Some(json!("")), Some(json!(0)), Some(json!("1")), Some(json!({"a": [1]}))]
}

/// Every optional field of an event.
const EVENT: [(&str, Kind); 10] = [
    ("ChannelType", Kind::Text),
    ("ClientUserId", Kind::Text),
    ("CustomerServiceId", Kind::Text),
    ("AgentId", Kind::Text),
    ("MsgKey", Kind::Text),
    ("CloudCustomData", Kind::Text),
    ("ForwardFromAgentId", Kind::Text),
    ("IsContactUser", Kind::Flag),
    ("SatisfactionSelected", Kind::Stars),
    ("MsgBody", Kind::List),
];

/// Every field of an element, by the element's type and its path.
const ELEMENTS: [(&str, &str, Kind); 60] = [
    ("TIMTextElem", "/Text", Kind::ElementText),
    ("TIMLocationElem", "/Desc", Kind::ElementText),
    ("TIMLocationElem", "/Latitude", Kind::Float),
    ("TIMLocationElem", "/Longitude", Kind::Float),
    ("TIMFaceElem", "/Index", Kind::Integer),
    ("TIMFaceElem", "/Data", Kind::ElementText),
    ("TIMCustomElem", "/Data", Kind::ElementText),
    ("TIMCustomElem", "/Desc", Kind::ElementText),
    ("TIMCustomElem", "/Ext", Kind::ElementText),
    ("TIMCustomElem", "/Sound", Kind::ElementText),
    ("TIMSoundElem", "/Url", Kind::ElementText),
    ("TIMSoundElem", "/UUID", Kind::ElementId),
    ("TIMSoundElem", "/Size", Kind::Integer),
    ("TIMSoundElem", "/Second", Kind::Integer),
    ("TIMSoundElem", "/Download_Flag", Kind::Integer),
    ("TIMImageElem", "/UUID", Kind::ElementId),
    ("TIMImageElem", "/ImageFormat", Kind::Integer),
    ("TIMImageElem", "/ImageInfoArray", Kind::List),
    ("TIMImageElem", "/ImageInfoArray/0/Type", Kind::Integer),
    ("TIMImageElem", "/ImageInfoArray/0/Size", Kind::Integer),
    ("TIMImageElem", "/ImageInfoArray/0/Width", Kind::Integer),
    ("TIMImageElem", "/ImageInfoArray/0/Height", Kind::Integer),
    ("TIMImageElem", "/ImageInfoArray/0/URL", Kind::ElementText),
    ("TIMFileElem", "/Url", Kind::ElementText),
    ("TIMFileElem", "/UUID", Kind::ElementId),
    ("TIMFileElem", "/FileSize", Kind::Integer),
    ("TIMFileElem", "/FileName", Kind::ElementText),
    ("TIMFileElem", "/Download_Flag", Kind::Integer),
    ("TIMVideoFileElem", "/VideoUrl", Kind::ElementText),
    ("TIMVideoFileElem", "/VideoUUID", Kind::ElementId),
    ("TIMVideoFileElem", "/VideoSize", Kind::Integer),
    ("TIMVideoFileElem", "/VideoSecond", Kind::Integer),
    ("TIMVideoFileElem", "/VideoFormat", Kind::ElementText),
    ("TIMVideoFileElem", "/VideoDownloadFlag", Kind::Integer),
    ("TIMVideoFileElem", "/ThumbUrl", Kind::ElementText),
    ("TIMVideoFileElem", "/ThumbUUID", Kind::ElementId),
    ("TIMVideoFileElem", "/ThumbSize", Kind::Integer),
    ("TIMVideoFileElem", "/ThumbWidth", Kind::Integer),
    ("TIMVideoFileElem", "/ThumbHeight", Kind::Integer),
    ("TIMVideoFileElem", "/ThumbFormat", Kind::ElementText),
    ("TIMVideoFileElem", "/ThumbDownloadFlag", Kind::Integer),
    ("TIMRelayElem", "/Title", Kind::ElementText),
    ("TIMRelayElem", "/MsgNum", Kind::Integer),
    ("TIMRelayElem", "/CompatibleText", Kind::ElementText),
    ("TIMRelayElem", "/AbstractList", Kind::List),
    ("TIMRelayElem", "/MsgList", Kind::List),
    ("TIMRelayElem", "/MsgList/0/From_Account", Kind::ElementId),
    ("TIMRelayElem", "/MsgList/0/GroupId", Kind::ElementId),
    ("TIMRelayElem", "/MsgList/0/MsgSeq", Kind::Integer),
    ("TIMRelayElem", "/MsgList/0/MsgRandom", Kind::Integer),
    ("TIMRelayElem", "/MsgList/0/MsgTimeStamp", Kind::Integer),
    ("TIMRelayElem", "/MsgList/0/MsgBody", Kind::List),
    ("TIMRelayElem", "/JsonMsgKey", Kind::ElementId),
    ("TIMStreamElem", "/CompatibleText", Kind::ElementText),
    ("TIMStreamElem", "/Chunks", Kind::List),
    ("TIMStreamElem", "/Chunks/0/EventType", Kind::ElementText),
    ("TIMStreamElem", "/Chunks/0/Markdown", Kind::ElementText),
    ("TIMStreamElem", "/Chunks/0/IsLast", Kind::Flag),
    ("TIMStreamElem", "/Chunks/0/Index", Kind::Integer),
    ("TIMStreamElem", "/StreamMsgID", Kind::ElementId),
];

#[tokio::test]
async fn every_field_of_an_event_is_read_according_to_its_kind() {
    for (name, kind) in EVENT {
        for (sent, expected) in sent().into_iter().zip(kind.reads_as()) {
            let fixture = testing::event("SatisfactionSelected").without(name);
            let fixture = match &sent {
                Some(value) => fixture.field(name, value.clone()),
                None => fixture,
            };
            let (_, event) = deliver(&fixture).await;
            assert_eq!(serde_json::to_value(event).unwrap()[name], expected, "{name} {kind:?}: {sent:?}");
        }
    }
}

#[tokio::test]
async fn every_field_of_an_element_is_read_according_to_its_kind() {
    for (msg_type, way, kind) in ELEMENTS {
        for (sent, mut expected) in sent().into_iter().zip(kind.reads_as()) {
            let mut element = testing::element(msg_type);
            let (parent, name) = way.rsplit_once('/').unwrap();
            let way = format!("/MsgContent{parent}");
            let fields = element.pointer_mut(&way).unwrap().as_object_mut().unwrap();
            match &sent {
                Some(value) => fields.insert(name.to_owned(), value.clone()),
                None => fields.remove(name),
            };
            // All other fields are unchanged.
            let mut kept = element.clone();
            let fields = kept.pointer_mut(&way).unwrap().as_object_mut().unwrap();
            match expected.take() {
                Value::Null => fields.remove(name),
                value => fields.insert(name.to_owned(), value),
            };
            let (_, event) = deliver(testing::event("Human.UserSendMsg").elements([element])).await;
            let got = serde_json::to_value(event).unwrap()["MsgBody"][0].clone();
            assert_eq!(got, kept, "{msg_type} {way}/{name} {kind:?}: {sent:?}");
        }
    }
}

/// Sends `event` with one field set to `value`, and returns the serialized field.
async fn reads_as(name: &str, value: &Value) -> Value {
    let mut body = event_json("SatisfactionSelected");
    body[name] = value.clone();
    let (method, event) = deliver(&body).await;
    assert_eq!(method, "on_satisfaction");
    assert_eq!(event.raw(), body.to_string());
    serde_json::to_value(event).unwrap()[name].clone()
}

#[tokio::test]
async fn an_id_may_be_a_number() {
    for name in ["SessionId", "ClientUserId", "CustomerServiceId", "AgentId", "MsgKey", "ForwardFromAgentId"]
    {
        for (sent, read) in [(json!(517), json!("517")), (json!(u64::MAX), json!(u64::MAX.to_string()))] {
            assert_eq!(reads_as(name, &sent).await, read, "{name}");
        }
    }
}

#[tokio::test]
async fn an_id_inside_an_element_may_be_a_number() {
    let ids = ELEMENTS.into_iter().filter(|(_, _, kind)| matches!(kind, Kind::ElementId));
    assert_eq!(ids.clone().count(), 9);
    for (msg_type, way, _) in ids {
        for (sent, read) in
            [(json!(517), "517"), (json!(-1), "-1"), (json!(u64::MAX), "18446744073709551615")]
        {
            let mut element = testing::element(msg_type);
            let way = format!("/MsgContent{way}");
            let (parent, name) = way.rsplit_once('/').unwrap();
            element.pointer_mut(parent).unwrap()[name] = sent;
            let (_, event) = deliver(testing::event("Human.UserSendMsg").elements([element])).await;
            let got = serde_json::to_value(event).unwrap()["MsgBody"][0].pointer(&way).cloned();
            assert_eq!(got, Some(json!(read)), "{msg_type} {way}");
        }
    }
}

/// Any crate of a program can enable `serde_json/arbitrary_precision`. serde_json then represents fractional and large numbers as such
/// objects.
#[tokio::test]
async fn a_number_may_come_with_its_digits() {
    let number = |digits: &str| json!({"$serde_json::private::Number": digits});
    let mut element = testing::element("TIMLocationElem");
    element["MsgContent"]["Latitude"] = number("29.340656774469956");
    element["MsgContent"]["Longitude"] = number("1e999");
    element["MsgContent"]["Desc"] = number("1.5");
    let fixture = testing::event("SatisfactionSelected")
        .elements([element])
        .field("SatisfactionSelected", number("4.0"))
        .field("IsContactUser", number("1.5"))
        .field("MsgKey", json!({"$serde_json::private::Number": [{"deep": 1}], "more": 2}))
        .field("CloudCustomData", json!({"other": "1.5"}));
    let (_, event) = deliver(&fixture).await;
    let read = serde_json::to_value(&event).unwrap();
    let content = &read["MsgBody"][0]["MsgContent"];
    assert_eq!(content["Latitude"].to_string(), "29.340656774469956");
    assert_eq!((&content["Longitude"], &content["Desc"]), (&json!(null), &json!(null)));
    assert_eq!(read["SatisfactionSelected"], json!(4));
    for absent in ["IsContactUser", "MsgKey", "CloudCustomData"] {
        assert_eq!(read[absent], json!(null), "{absent}");
    }

    // Where an object is expected, it is not one.
    let mut element = testing::element("TIMImageElem");
    element["MsgContent"]["ImageInfoArray"] = json!([number("1.5"), {"Size": 1}]);
    let (_, event) = deliver(testing::event("Human.UserSendMsg").elements([element])).await;
    let images = &serde_json::to_value(&event).unwrap()["MsgBody"][0]["MsgContent"]["ImageInfoArray"];
    assert_eq!(*images, json!([{"Size": 1}]));

    // At the maximum depth of unknown values.
    let nested = format!("{}1{}", r#"{"$serde_json::private::Number":"#.repeat(500), "}".repeat(500));
    let body = event_json("SessionBegin").to_string().replacen('{', &format!(r#"{{"AgentId":{nested},"#), 1);
    assert_eq!(deliver(&body).await.1.agent_id, None);
}

#[tokio::test]
async fn a_byte_order_mark_before_the_body_changes_nothing() {
    let body = event_json("SessionBegin").to_string();
    let (method, event) = deliver(format!("\u{feff}{body}")).await;
    assert_eq!((method, event.session_id.as_str()), ("on_session_begin", "s-1"));
    assert_eq!(event.raw(), body);
}

#[tokio::test]
async fn numbers_may_be_written_in_odd_ways() {
    for (sent, stars) in [
        (json!(5), json!(5)),
        (json!(1.0), json!(1)),
        (json!("3.0"), json!(3)),
        (json!(" 4 "), json!(4)),
        (json!(77), json!(77)),
        (json!("0"), json!(null)),
        (json!(-1), json!(null)),
        (json!(1.5), json!(null)),
        (json!(256), json!(null)),
        (json!(1e99), json!(null)),
        (json!("five"), json!(null)),
        (json!(true), json!(null)),
    ] {
        assert_eq!(reads_as("SatisfactionSelected", &sent).await, stars, "{sent}");
    }
    for (sent, flag) in [
        (json!(true), json!(true)),
        (json!("false"), json!(false)),
        (json!(2), json!(null)),
        (json!("yes"), json!(null)),
    ] {
        assert_eq!(reads_as("IsContactUser", &sent).await, flag, "{sent}");
    }
    for (sent, millis) in [
        (json!(1_725_540_020_017_i64), 1_725_540_020_017_i64),
        (json!("1725540020017"), 1_725_540_020_017),
        (json!(1_725_540_020_017.0), 1_725_540_020_017),
        (json!(0), 0),
        (json!(-1), -1),
        (json!(i64::MIN), i64::MIN),
        (json!(i64::MAX), i64::MAX),
    ] {
        assert_eq!(reads_as("EventTime", &sent).await, millis, "{sent}");
    }
}

#[tokio::test]
async fn an_invalid_element_is_kept_among_the_elements() {
    let odd = json!(["text", 1, null, {}, [], {"MsgType": 5}]);
    assert_eq!(reads_as("MsgBody", &odd).await, odd);
}

#[tokio::test]
async fn the_last_of_two_equal_names_counts() {
    let body = event_json("SessionBegin").to_string().replacen('{', r#"{"AgentId":"a","AgentId":"b","#, 1);
    assert_eq!(deliver(body).await.1.agent_id.as_deref(), Some("b"));
}

#[tokio::test]
async fn unknown_fields_may_hold_anything() {
    for odd in [
        "[".repeat(500) + &"]".repeat(500),
        r#"{"a":"#.repeat(500) + "1" + &"}".repeat(500),
        "1e9999".to_owned(),
        "123456789012345678901234567890".to_owned(),
        r#""\ud800""#.to_owned(),
        r#"{"a":1,"a":2}"#.to_owned(),
    ] {
        for name in ["Unknown", "AgentId", "SatisfactionSelected", "IsContactUser", "MsgBody"] {
            let body =
                event_json("SessionBegin").to_string().replacen('{', &format!(r#"{{"{name}":{odd},"#), 1);
            assert_eq!(deliver(&body).await.1.raw(), body);
        }
    }
}

#[tokio::test]
async fn an_unpaired_surrogate_is_read_as_a_replacement_character() {
    for (sent, read) in [
        (r"cut \ud83d", "cut \u{FFFD}"),
        (r"\ude00 cut", "\u{FFFD} cut"),
        (r"\ud83d\ud83d\ude00", "\u{FFFD}\u{1F600}"),
        (r"\\ud83d \ud83dx \u00e4", "\\ud83d \u{FFFD}x ä"),
    ] {
        let body = event_json("Human.UserSendMsg")
            .to_string()
            .replacen('{', &format!(r#"{{"AgentId":"{sent}","MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"{sent}"}}}}],"#), 1);
        let (_, event) = deliver(&body).await;
        assert_eq!(event.agent_id.as_deref(), Some(read));
        assert_eq!(event.raw(), body, "as it came");
        let tencent_desk_webhook::event::EventKind::Message(message) = event.kind else { panic!() };
        assert_eq!(message.text(), read);
    }
}

#[tokio::test]
async fn an_unpaired_surrogate_in_a_name_loses_nothing_else() {
    let text = r#"{"MsgType":"TIMTextElem","MsgContent":{"Text":"read","\ud800":1},"\udfff":2}"#;
    let body = event_json("Human.UserSendMsg").to_string().replacen(
        '{',
        &format!(r#"{{"\ud800":1,"MsgBody":[{text}],"\udfffAgentId":"x","Agent\u0049d":"a",{}"#, ""),
        1,
    );
    let (_, event) = deliver(&body).await;
    assert_eq!(event.agent_id.as_deref(), Some("a"));
    let tencent_desk_webhook::event::EventKind::Message(message) = event.kind else { panic!() };
    assert_eq!(message.text(), "read");
}

#[tokio::test]
async fn at_most_a_thousand_elements_of_a_message_are_typed() {
    for items in ["1,".repeat(500_000), r#"{"MsgType":"TIMTextElem"},"#.repeat(2000)] {
        let items = items.trim_end_matches(',');
        let body = event_json("Human.UserSendMsg").to_string().replacen(
            '{',
            &format!(r#"{{"MsgBody":[{items}],"#),
            1,
        );
        let (_, event) = deliver(&body).await;
        let tencent_desk_webhook::event::EventKind::Message(message) = &event.kind else { panic!() };
        assert_eq!(message.elements.len(), 1000);
        assert_eq!(event.raw(), body);
    }
}
