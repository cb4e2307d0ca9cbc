//! What each optional field reads as when it is not what the documentation says.

use serde_json::{Value, json};

use crate::support::{deliver, event_json};

/// Sends `event` with one field set to `value`, and gives what that field serialises as.
async fn reads_as(name: &str, value: &Value) -> Value {
    let mut body = event_json("SatisfactionSelected");
    body[name] = value.clone();
    let (method, event) = deliver(&body).await;
    assert_eq!(method, "on_satisfaction");
    assert_eq!(event.raw(), body.to_string());
    serde_json::to_value(event).unwrap()[name].clone()
}

fn oddities() -> [Value; 4] {
    [json!(null), json!([]), json!({"a": [1]}), json!([[["deep"]], {}])]
}

#[tokio::test]
async fn texts() {
    for name in [
        "ChannelType",
        "ClientUserId",
        "CustomerServiceId",
        "AgentId",
        "MsgKey",
        "CloudCustomData",
        "ForwardFromAgentId",
    ] {
        assert_eq!(reads_as(name, &json!("ä\n\u{1F600}")).await, json!("ä\n\u{1F600}"));
        for odd in oddities().into_iter().chain([json!(""), json!(0), json!(-1), json!(1.5), json!(true)]) {
            assert_eq!(reads_as(name, &odd).await, Value::Null, "{name}: {odd}");
        }
    }
}

#[tokio::test]
async fn stars() {
    let name = "SatisfactionSelected";
    for (sent, stars) in [(json!(5), 5), (json!("5"), 5), (json!(1.0), 1), (json!("3.0"), 3), (json!(77), 77)]
    {
        assert_eq!(reads_as(name, &sent).await, stars, "{sent}");
    }
    for odd in oddities().into_iter().chain([
        json!(""),
        json!(0),
        json!("0"),
        json!(-1),
        json!(1.5),
        json!(256),
        json!(1e99),
        json!("five"),
        json!(true),
    ]) {
        assert_eq!(reads_as(name, &odd).await, Value::Null, "{odd}");
    }
}

#[tokio::test]
async fn flags() {
    let name = "IsContactUser";
    for (sent, flag) in [
        (json!(true), true),
        (json!(1), true),
        (json!("1"), true),
        (json!("true"), true),
        (json!(false), false),
        (json!(0), false),
        (json!("0"), false),
    ] {
        assert_eq!(reads_as(name, &sent).await, flag, "{sent}");
    }
    for odd in oddities().into_iter().chain([json!(""), json!(2), json!("yes"), json!(0.5)]) {
        assert_eq!(reads_as(name, &odd).await, Value::Null, "{odd}");
    }
}

#[tokio::test]
async fn times() {
    for (sent, millis) in [
        (json!(1_725_540_020_017_i64), 1_725_540_020_017_i64),
        (json!("1725540020017"), 1_725_540_020_017),
        (json!(1_725_540_020_017.0), 1_725_540_020_017),
        (json!(0), 0),
        (json!(-1), -1),
    ] {
        assert_eq!(reads_as("EventTime", &sent).await, millis, "{sent}");
    }
}

#[tokio::test]
async fn bodies_of_messages() {
    for odd in oddities().into_iter().take(3).chain([json!("text"), json!(0), json!(true)]) {
        assert_eq!(reads_as("MsgBody", &odd).await, Value::Null, "{odd}");
    }
    let odd = json!(["text", 1, null, {}, [], {"MsgType": 5}]);
    assert_eq!(reads_as("MsgBody", &odd).await, odd, "kept as it is");
}

#[tokio::test]
async fn of_a_name_that_stands_twice_the_last_counts() {
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
async fn half_an_emoji_reads_as_a_replacement_character() {
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
