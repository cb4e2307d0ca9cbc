//! The code that one would write without a library: the documented fields as owned values, and the signature. Limits and isolation
//! are those of the framework.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::documented::{APP, NOW, TOKEN};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "its handler does nothing with it")]
pub(super) struct Event {
    callback_command: String,
    session_id: String,
    event: String,
    event_time: i64,
    channel_type: String,
    client_user_id: String,
    customer_service_id: String,
    agent_id: String,
    msg_key: String,
    msg_body: Vec<Element>,
    cloud_custom_data: String,
    is_contact_user: bool,
    satisfaction_selected: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "its handler does nothing with it")]
struct Element {
    msg_type: String,
    msg_content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "its handler does nothing with it")]
struct Content {
    text: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "they are documented, and not all of them are looked at")]
pub(super) struct Query {
    #[serde(rename = "SdkAppid")]
    sdk_app_id: u64,
    #[serde(rename = "CallbackCommand")]
    callback_command: String,
    contenttype: String,
    #[serde(rename = "ClientIP")]
    client_ip: String,
    #[serde(rename = "OptPlatform")]
    opt_platform: String,
    #[serde(rename = "Sign")]
    sign: String,
    #[serde(rename = "RequestTime")]
    request_time: u64,
}

impl Query {
    pub(super) fn is_genuine(&self) -> bool {
        self.sdk_app_id == APP
            && NOW.abs_diff(self.request_time) <= 60
            && hex::encode(Sha256::digest(format!("{TOKEN}{}", self.request_time))) == self.sign
    }
}

impl Event {
    pub(super) fn is_ours(&self) -> bool {
        self.callback_command == "Desk.SessionEventNotify"
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    action_status: &'static str,
    error_info: &'static str,
    error_code: i64,
}

impl Answer {
    pub(super) const OK: Self = Self { action_status: "OK", error_info: "", error_code: 0 };
}
