//! Both ways to read a body make the same of it.

use proptest::prelude::*;

use super::{
    Event,
    wire::{Origin, Reading, Wire},
};
use crate::error::Refusal;

fn read(json: &str, reading: Reading) -> Option<Result<Event, Refusal>> {
    let mut wire = Wire::default();
    wire.read(json, reading).ok()?;
    let origin = Origin { sdk_app_id: 7, request_id: None, client_ip: None, platform: None };
    Some(Event::new(wire, origin))
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn object(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let pair = (name, value).prop_map(|(name, value)| format!("{name:?}:{value}"));
    prop::collection::vec(pair, 0..5).prop_map(|pairs| format!("{{{}}}", pairs.join(",")))
}

fn value() -> impl Strategy<Value = String> {
    one_of(&[
        "null",
        "true",
        "5",
        "5.0",
        "-1",
        "1e999",
        "300",
        "99999999999999999999",
        r#""""#,
        r#""5""#,
        r#""text""#,
        r#""a \"b\"""#,
        r#""\ud83d""#,
        r#""\ud83d\ude00""#,
        "[]",
        "{}",
        r#"["text"]"#,
    ])
}

fn elements() -> impl Strategy<Value = String> {
    let content = prop_oneof![4 => object(one_of(&["Text", "Data", "text"]), value()), 1 => value()];
    let kind = one_of(&[r#""TIMTextElem""#, r#""TIMCustomElem""#, r#""Odd""#, "5", "null"]);
    let member = prop_oneof![
        kind.prop_map(|kind| ("MsgType".to_owned(), kind)),
        content.prop_map(|content| ("MsgContent".to_owned(), content)),
        value().prop_map(|value| ("More".to_owned(), value)),
    ];
    let member = member.prop_map(|(name, value)| format!("{name:?}:{value}"));
    let element =
        prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
    prop::collection::vec(element, 0..3).prop_map(|items| format!("[{}]", items.join(",")))
}

fn body() -> impl Strategy<Value = String> {
    let name = one_of(&[
        "CallbackCommand",
        "SessionId",
        "ChannelType",
        "AgentId",
        "MsgKey",
        "CloudCustomData",
        "IsContactUser",
        "SatisfactionSelected",
        "ForwardFromAgentId",
        "EventTime",
        "More",
    ]);
    let field = prop_oneof![
        2 => (name, value()).prop_map(|(name, value)| format!("{name:?}:{value}")),
        1 => elements().prop_map(|elements| format!("\"MsgBody\":{elements}")),
    ];
    prop::collection::vec(field, 0..6).prop_map(|fields| {
        let required = r#""SessionId":"s","Event":"Human.UserSendMsg","EventTime":1725540020017"#;
        let mut fields = fields;
        fields.insert(0, required.to_owned());
        format!("{{{}}}", fields.join(","))
    })
}

/// A text that stands twice beside a number that no `Value` can hold.
#[test]
fn a_text_that_stands_twice_is_read_leniently() {
    let body = r#"{"SessionId":"s","Event":"Human.UserSendMsg","EventTime":1725540020017,
        "MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"a","Text":"b","X":1e999}}]}"#;
    assert_eq!(read(body, Reading::AsDocumented), None);
    assert!(read(body, Reading::Leniently).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_read_as_documented_is_what_a_lenient_reading_makes_of_it(body in body()) {
        let leniently = read(&body, Reading::Leniently);
        prop_assert!(leniently.is_some());
        if let Some(documented) = read(&body, Reading::AsDocumented) {
            prop_assert_eq!(Some(documented), leniently);
        }
    }
}
