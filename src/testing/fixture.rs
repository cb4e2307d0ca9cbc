//! Events as the sender would write them.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{APP, Delivery, element};
use crate::event::{
    Command, Event, EventKind, EventName, Fields, Origin, OtherFields, STATUS_CHANGE, Sender, Stage,
    TransferStep,
};

/// The event of this name, documented or not, with the fields that it plausibly has.
///
/// The vendor prints one sample that has every field and does not say which event has which; who has which here is a guess,
/// and so is that nothing is sent as an empty value.
///
/// ```
/// use tencent_desk_webhook::testing;
///
/// let rated = testing::event("SatisfactionSelected").session("s-1").stars(4).build();
/// assert_eq!(rated.session_id, "s-1");
/// assert_eq!(rated.name.as_str(), "SatisfactionSelected");
/// ```
pub fn event(name: &str) -> EventFixture {
    let mut fixture = EventFixture::of(Command::SessionEvent, name)
        .session("2baf4d84-beb4-4607-a1ea-6ebcaef3e0e6")
        .in_channel();
    // The library's own table says of which category an event is.
    match EventKind::of_session(&EventName::from(name), &mut OtherFields::default()) {
        EventKind::SessionBegin(_) => fixture = fixture.field("IsContactUser", false),
        EventKind::Message(message) => {
            if message.stage == Stage::Human {
                fixture = fixture.agent("test@qq.com");
            }
            let text = if message.sender == Sender::User { "请问如何申请退费?" } else { "您好" };
            fixture = fixture.field("MsgKey", "152_1600012345_abcdefg").text(text);
        }
        EventKind::Transfer(transfer) => match transfer.step {
            TransferStep::Succeeded => fixture = fixture.agent("test@qq.com"),
            TransferStep::Forwarded => {
                fixture = fixture.agent("test@qq.com").field("ForwardFromAgentId", "before@qq.com");
            }
            TransferStep::Started | TransferStep::Waiting | TransferStep::NoAgentOnline => {}
        },
        EventKind::Satisfaction(_) => fixture = fixture.agent("test@qq.com").stars(5),
        _ => {}
    }
    fixture
}

/// The status of an agent has changed to `status`, such as `ready`.
///
/// ```
/// use tencent_desk_webhook::{event::{AgentState, EventKind}, testing};
///
/// let event = testing::agent_status("rest").field("RestReason", "lunch").build();
/// let EventKind::AgentStatus(status) = &event.kind else { panic!("{event:?}") };
/// assert_eq!((status.state.as_ref(), event.session()), (Some(&AgentState::Rest), None));
/// ```
pub fn agent_status(status: &str) -> EventFixture {
    EventFixture::of(Command::AgentStatus, STATUS_CHANGE)
        .field("MemberId", "test@qq.com")
        .field("Status", status)
        .field("RestReason", "")
        .field("ClientInfo", json!([{"ClientType": "Web", "IsConnected": true}]))
}

/// The bot has taken a step of a task flow: the `seq`th of its execution. `TaskBegin` is the only step whose name is known.
pub fn task_flow(step: &str, seq: u64) -> EventFixture {
    EventFixture::of(Command::TaskFlow, step)
        .session("554d4e07-76cf-4a9c-82ad-f1878de93d13")
        .in_channel()
        .field("Seq", seq)
        .field("ExecutionId", "cf634425-a0ba-49d5-b205-86ba2441de96")
        .field("TaskId", 3474)
        .field("TaskName", "售后咨询")
        .field("Env", "production")
        .field("RobotId", "@RBT#DeskDefaultRobot")
        .field("NodeId", format!("node-{seq}"))
        .field("NodeName", if seq == 1 { "开始" } else { "回复" })
        .field("NextNodeId", format!("node-{}", seq.saturating_add(1)))
}

/// An event to be: its setters change single fields, [`delivery`](Self::delivery) sends it, [`build`](Self::build) types it.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct EventFixture {
    command: Command,
    json: Value,
}

impl EventFixture {
    fn of(command: Command, name: &str) -> Self {
        let json = json!({"CallbackCommand": command, "Event": name});
        Self { command, json }.time(UNIX_EPOCH + BEGIN)
    }

    fn in_channel(self) -> Self {
        self.field("ChannelType", "SDK")
            .field("ClientUserId", "your_user_id")
            .field("CustomerServiceId", "@customer_service_account")
    }

    /// `SessionId`.
    pub fn session(self, session_id: &str) -> Self {
        self.field("SessionId", session_id)
    }

    /// `ClientUserId`.
    pub fn user(self, user_id: &str) -> Self {
        self.field("ClientUserId", user_id)
    }

    /// `AgentId`.
    pub fn agent(self, agent_id: &str) -> Self {
        self.field("AgentId", agent_id)
    }

    /// `MsgBody`: one text.
    pub fn text(self, text: &str) -> Self {
        self.elements([json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": text}})])
    }

    /// `MsgBody`: these elements, as [`element`] or your own `json!` makes them.
    pub fn elements(self, elements: impl IntoIterator<Item = Value>) -> Self {
        let elements: Vec<Value> = elements.into_iter().collect();
        self.field("MsgBody", elements)
    }

    /// `MsgBody`: the sample of one type, such as `TIMImageElem`.
    ///
    /// # Panics
    ///
    /// When no documented element is of that type.
    pub fn element(self, msg_type: &str) -> Self {
        self.elements([element(msg_type)])
    }

    /// `SatisfactionSelected`.
    pub fn stars(self, stars: u8) -> Self {
        self.field("SatisfactionSelected", stars)
    }

    /// `EventTime`, to the millisecond.
    pub fn time(self, time: SystemTime) -> Self {
        let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.field("EventTime", u64::try_from(millis).unwrap_or(u64::MAX))
    }

    /// Any field, documented or not.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.json[name] = value.into();
        self
    }

    /// Leaves a field out.
    pub fn without(mut self, name: &str) -> Self {
        if let Some(fields) = self.json.as_object_mut() {
            fields.remove(name);
        }
        self
    }

    /// The JSON of the body.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// A delivery of it.
    pub fn delivery(&self) -> Delivery {
        Delivery::of(self.to_string()).command(self.command.as_str())
    }

    /// The event that a handler would get, to call its methods without a webhook.
    ///
    /// # Panics
    ///
    /// When it lacks a field that every event of its command has, or has it in a form that would be refused.
    #[must_use]
    pub fn build(&self) -> Event {
        let body = self.to_string();
        let origin = Origin { sdk_app_id: Some(APP), raw: Some(body.clone()), ..Origin::default() };
        let event = Fields::read(&body, Some(self.command)).and_then(|fields| fields.into_event(origin));
        event.unwrap_or_else(|error| panic!("{error}: {body}"))
    }
}

/// The body.
impl fmt::Display for EventFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.fmt(f)
    }
}

/// When the vendor's sample was made.
pub(super) const BEGIN: Duration = Duration::from_millis(1_725_540_020_017);
