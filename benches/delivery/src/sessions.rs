//! The events of sessions.

use serde_json::json;
use tencent_desk_webhook::Event;

/// The `number`th event of a session: it begins, the user asks for an agent, and they talk.
#[must_use]
pub fn event(session: &str, number: usize) -> Event {
    let name = match number {
        0 => "SessionBegin",
        1 => "TransferringToHuman",
        2 => "TransferToHumanSuccess",
        number if number % 2 == 1 => "Human.AgentSendMsg",
        _ => "Human.UserSendMsg",
    };
    let mut body = json!({
        "CallbackCommand": "Desk.SessionEventNotify", "SessionId": session, "Event": name,
        "EventTime": 1_725_540_020_017_u64 + 5000 * number as u64, "ChannelType": "SDK",
        "ClientUserId": "your_user_id", "CustomerServiceId": "@customer_service_account", "AgentId": "test@qq.com",
        "MsgKey": format!("{number}_1600012345_abcdefg"),
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "请问如何申请退费?"}}],
    });
    let raw = body.to_string();
    body["SdkAppid"] = 1_400_000_000.into();
    body["Raw"] = raw.into();
    serde_json::from_value(body).expect("it is an event")
}

/// All events of one session, in order.
#[must_use]
pub fn events(count: usize) -> Vec<Event> {
    (0..count).map(|number| event("2baf4d84-beb4-4607-a1ea-6ebcaef3e0e6", number)).collect()
}
