//! Requests for decisions as the sender would write them.

use std::fmt;

use serde_json::{Value, json};

use super::{APP, Delivery};
use crate::decision::Request;

/// `ChatBot.OnAssignHuman`: a session waits for an agent (product 679, document 116643).
pub fn assign_human() -> RequestFixture {
    let asked =
        json!({"SessionId": "aa-bb-cc-dd", "ClientUserId": "123", "EventTime": 1_670_574_414_123_i64});
    RequestFixture::of("ChatBot.OnAssignHuman", asked)
}

/// `ChatBot.OnAssignAgent`: the same under another name (trtc.io document 63270).
pub fn assign_agent() -> RequestFixture {
    RequestFixture { command: "ChatBot.OnAssignAgent".to_owned(), ..assign_human() }
        .field("CallbackCommand", "ChatBot.OnAssignAgent")
}

/// `Chatbot.InterfaceInvocation`: a task of the bot calls an interface (product 269, document 113786).
///
/// ```
/// use tencent_desk_webhook::testing;
///
/// let called = testing::invocation().variable("orderKey", "o-1");
/// assert_eq!(called.json()["Body"]["orderKey"], "o-1");
/// ```
pub fn invocation() -> RequestFixture {
    let asked = json!({"Body": {}, "EventTime": 1_731_488_371_784_i64});
    RequestFixture::of("Chatbot.InterfaceInvocation", asked)
        .variable("SystemClientUserID", "user517")
        .variable("SystemSessionID", "207cac25-f49e-4ada-9c9f-301cea31dcf2")
        .variable("staticKey", "staticValue")
        .variable("testKey3", "")
}

/// `Desk.CallbackBeforeIMContactUser`: an agent is about to contact a user (product 269, document 120667).
pub fn contact_user() -> RequestFixture {
    RequestFixture::of(
        "Desk.CallbackBeforeIMContactUser",
        json!({
            "ClientUserId": "test_user_id",
            "ChannelId": "@customer_service_account",
            "ChannelType": "SDK",
            "GroupId": 4011,
            "MemberId": "staff@test.com",
            "EventTime": 1_750_769_273_237_i64,
        }),
    )
}

/// Any other command, with an empty body but for its name.
pub fn request(command: &str) -> RequestFixture {
    RequestFixture::of(command, json!({}))
}

/// A request for a decision: its setters change single fields, [`delivery`](Self::delivery) sends it, [`build`](Self::build) types it.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct RequestFixture {
    command: String,
    json: Value,
}

impl RequestFixture {
    fn of(command: &str, json: Value) -> Self {
        Self { command: command.to_owned(), json }.field("CallbackCommand", command)
    }

    /// `ClientUserId`.
    pub fn user(self, user_id: &str) -> Self {
        self.field("ClientUserId", user_id)
    }

    /// A variable of an [`invocation`].
    pub fn variable(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.json["Body"][name] = value.into();
        self
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
        Delivery::of(self.to_string()).command(&self.command)
    }

    /// The request that a responder would get, to call its methods without a webhook. [`Request::json`] gives what it asks for.
    ///
    /// ```
    /// use tencent_desk_webhook::{decision::AssignAgent, testing};
    ///
    /// let request = testing::assign_human().user("walk-in-7").build();
    /// let asked: AssignAgent = request.json().unwrap();
    /// assert_eq!(asked.client_user_id.as_deref(), Some("walk-in-7"));
    /// ```
    #[must_use]
    pub fn build(&self) -> Request {
        Request {
            sdk_app_id: APP,
            command: self.command.clone(),
            request_id: None,
            client_ip: None,
            platform: None,
            raw: self.to_string(),
        }
    }
}

/// The body.
impl fmt::Display for RequestFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.fmt(f)
    }
}
