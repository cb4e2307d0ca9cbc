//! The request for each server, and the response that it must return. All events have about 500 bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::{
    Result,
    documented::{ACKNOWLEDGEMENT, TOKEN},
    servers::Server,
};

pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    /// The body of the expected response.
    answer: &'static str,
}

impl Request {
    pub(crate) fn to(server: Server) -> Result<Self> {
        match server {
            Server::SlackMorphism => slack_event(),
            Server::CloudEvents => {
                let attributes = "ce-specversion: 1.0\r\n\
                     ce-id: 2baf4d84-beb4-4607-a1ea-6ebcaef3e0e6\r\n\
                     ce-type: com.tencent.desk.session\r\n\
                     ce-source: https://desk.example/1400000000\r\n\
                     ce-time: 2024-09-05T13:33:40Z\r\n";
                Ok(Self::new("/events", attributes, &desk_event(), ""))
            }
            _ => Ok(Self::new(SIGNED, "", &desk_event(), ACKNOWLEDGEMENT)),
        }
    }

    fn new(target: &str, headers: &str, body: &str, answer: &'static str) -> Self {
        let length = body.len();
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: desk.example\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        Self { bytes: (head + body).into(), answer }
    }

    /// Returns whether the response is complete.
    ///
    /// # Errors
    ///
    /// If the response is not the expected one.
    pub(crate) fn is_answered(&self, received: &[u8]) -> Result<bool> {
        let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(false);
        };
        let body = &received[head + 4..];
        if !received.starts_with(b"HTTP/1.1 200 ") || !self.answer.as_bytes().starts_with(body) {
            return Err(format!("answered with {}", String::from_utf8_lossy(received)).into());
        }
        Ok(body.len() == self.answer.len())
    }
}

/// The documented URL with the documented signature.
const SIGNED: &str = "/desk/callback?SdkAppid=1400000000&CallbackCommand=Desk.SessionEventNotify&contenttype=json\
     &ClientIP=127.0.0.1&OptPlatform=RESTAPI\
     &Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061&RequestTime=1669872112";

/// The documented sample in one line, with its fields in the documented order.
fn desk_event() -> String {
    let sample = include_str!("../../../tests/fixtures/desk_session_event_cn_doc.json");
    sample.lines().map(str::trim).collect::<String>().replace("\": ", "\":")
}

/// Signed with the current time: slack-morphism uses the system's clock and accepts signatures of the last five minutes.
fn slack_event() -> Result<Request> {
    let body = json!({
        "token": "ZZZZZZWSxiZZZ2yIvs3peJ",
        "team_id": "T061EG9R6",
        "api_app_id": "A0MDYCDME",
        "type": "event_callback",
        "event_id": "Ev0MDYHUEL",
        "event_time": 1_725_540_020,
        "authorizations": [{"team_id": "T061EG9R6", "user_id": "U061F7AUR", "is_bot": false}],
        "event": {
            "type": "message",
            "client_msg_id": "2baf4d84-beb4-4607-a1ea-6ebcaef3e0e6",
            "channel": "C0LAN2Q65",
            "channel_type": "channel",
            "user": "U061F7AUR",
            "text": "请问如何申请退费?",
            "ts": "1725540020.000017",
            "event_ts": "1725540020.000017",
        },
    })
    .to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut signature = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes())?;
    signature.update(format!("v0:{now}:{body}").as_bytes());
    let signature = hex::encode(signature.finalize().into_bytes());
    let headers = format!("x-slack-request-timestamp: {now}\r\nx-slack-signature: v0={signature}\r\n");
    Ok(Request::new("/push", &headers, &body, ""))
}
