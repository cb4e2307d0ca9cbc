//! What an operator does not see without asking for it.

use serde_json::Value;

/// The names of values that say nothing of a person. Everything else is hidden, so that a field of tomorrow is, too.
const HARMLESS: [&str; 14] = [
    "CallbackCommand",
    "ChannelType",
    "CustomerServiceId",
    "Event",
    "EventTime",
    "IsContactUser",
    "MsgKey",
    "MsgType",
    "OptPlatform",
    "RequestID",
    "SatisfactionSelected",
    "SdkAppid",
    "Seq",
    "SessionId",
];

/// The record without what persons are named by or wrote. The shape of a message stays.
pub(super) fn hidden(record: &Value) -> Value {
    let Value::Object(fields) = record else { return HIDDEN.into() };
    let show = |(name, value): (&String, &Value)| {
        let shown = match value {
            Value::Object(_) if name == "MsgContent" => hidden(value),
            Value::Array(elements) if name == "MsgBody" => elements.iter().map(hidden).collect(),
            Value::Object(_) | Value::Array(_) => HIDDEN.into(),
            value if HARMLESS.contains(&name.as_str()) => value.clone(),
            _ => HIDDEN.into(),
        };
        (name.clone(), shown)
    };
    fields.iter().map(show).collect()
}

const HIDDEN: &str = "(hidden)";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_known_to_be_harmless_is_shown() {
        let record = json!({"SessionId": "s", "ClientUserId": "u", "New": {"x": "y"}, "Raw": "{}",
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "t"}}, "text",
            {"MsgType": {"x": 1}, "MsgContent": "text"}]});
        let shown = hidden(&record);
        assert_eq!(shown["SessionId"], "s");
        assert_eq!(
            shown["MsgBody"][0],
            json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": "(hidden)"}})
        );
        assert_eq!(shown["MsgBody"][1], "(hidden)");
        assert_eq!(shown["MsgBody"][2], json!({"MsgType": "(hidden)", "MsgContent": "(hidden)"}));
        for name in ["ClientUserId", "New", "Raw"] {
            assert_eq!(shown[name], "(hidden)");
        }
    }
}
