//! What can be sent by name: the events of sessions, and Desk's other callbacks by their commands.

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use serde_json::{Value, json};
use tencent_desk_webhook::{event::EventName, testing};

/// The commands beside that of session events, in the vendor's spelling (product 269, documents 113786, 120667, 133254 and
/// 137528; product 1229, document 68988; trtc.io document 63270).
const COMMANDS: [&str; 6] = [
    "ChatBot.OnAssignHuman",
    "ChatBot.OnAssignAgent",
    "Chatbot.InterfaceInvocation",
    "Chatbot.TaskFlowEventNotify",
    "Desk.CallbackBeforeIMContactUser",
    "Member.EventNotify",
];

/// The names that are known.
pub(crate) fn names() -> Vec<String> {
    let events = EventName::documented().map(|name| name.as_str().to_owned());
    events.chain(COMMANDS.map(ToOwned::to_owned)).collect()
}

/// The body to be sent under `name`, and whether the name is known. Case does not matter for names that are.
pub(crate) fn body(name: &str) -> (Value, bool) {
    let known = names().into_iter().find(|known| known.eq_ignore_ascii_case(name));
    let Some(name) = known.as_deref() else { return (testing::event(name).json().clone(), false) };
    (of_command(name).unwrap_or_else(|| testing::event(name).json().clone()), true)
}

/// A body of this command.
pub(crate) fn body_of_command(command: &str) -> Value {
    let known = COMMANDS.into_iter().find(|known| known.eq_ignore_ascii_case(command));
    let body = known.and_then(of_command);
    let mut body = body.unwrap_or_else(|| testing::event("SessionBegin").json().clone());
    body["CallbackCommand"] = command.into();
    body
}

/// With the fields of the vendor's samples.
fn of_command(command: &str) -> Option<Value> {
    let session = "2baf4d84-beb4-4607-a1ea-6ebcaef3e0e6";
    let mut body = match command {
        "ChatBot.OnAssignHuman" | "ChatBot.OnAssignAgent" => {
            json!({"SessionId": session, "ClientUserId": "your_user_id"})
        }
        "Chatbot.InterfaceInvocation" => json!({
            "Body": {"SystemClientUserID": "your_user_id", "SystemSessionID": session, "orderNumber": "1"},
        }),
        "Chatbot.TaskFlowEventNotify" => json!({
            "Event": "TaskBegin", "Seq": 1, "ExecutionId": "execution-1", "TaskId": 3474, "TaskName": "refund",
            "Env": "production", "SessionId": session, "RobotId": "@RBT#DeskDefaultRobot", "ClientUserId": "your_user_id",
            "CustomerServiceId": "@customer_service_account", "ChannelType": "SDK", "NodeId": "node-1",
            "NodeName": "begin", "NextNodeId": "node-2",
        }),
        "Desk.CallbackBeforeIMContactUser" => json!({
            "ClientUserId": "your_user_id", "ChannelId": "@customer_service_account", "ChannelType": "SDK",
            "GroupId": 4011, "MemberId": "test@qq.com",
        }),
        "Member.EventNotify" => json!({
            "Event": "Member.StatusChange", "MemberId": "test@qq.com", "Status": "ready",
            "ClientInfo": [{"ClientType": "Web", "IsConnected": true}],
        }),
        _ => return None,
    };
    body["CallbackCommand"] = command.into();
    body["EventTime"] = 0.into();
    Some(body)
}

/// Takes any name, and offers the known ones to shells.
#[derive(Clone, Debug)]
pub(crate) struct NameParser;

impl TypedValueParser for NameParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(names().into_iter().map(PossibleValue::new)))
    }
}
