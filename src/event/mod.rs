//! The data: what every event has, and what each kind has of its own.
//!
//! The vendor's page on the session-event callback (product 1229, document 68989) lists the fields and does not say which
//! event has which; so all but session, name and time are optional. An empty string, 0 stars, `null` and a value of an
//! unexpected type read as absent, and [`Event::raw`] keeps the body as it came.
//!
//! What an event's category has of its own is in its [`kind`](Event::kind); a message is made of [elements](Element).
//!
//! ```
//! use tencent_desk_webhook::{Event, event::{Element, EventKind, Sender}};
//!
//! let event: Event = serde_json::from_str(
//!     r#"{"SdkAppid": 1400000000, "SessionId": "s-1", "Event": "Human.UserSendMsg", "EventTime": 1725540020017,
//!         "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}, {"MsgType": "TIMNewElem", "MsgContent": {}}]}"#,
//! )?;
//! let EventKind::Message(message) = &event.kind else { unreachable!("Human.UserSendMsg is a message") };
//! assert_eq!((message.sender, message.text().as_str()), (Sender::User, "hello"));
//! assert!(matches!(message.elements[..], [Element::Text(_), Element::Unknown(_)]));
//! # Ok::<_, serde_json::Error>(())
//! ```

mod name;

mod category;

mod cloudevent;

mod kind;

mod command;

mod agent_status;

mod task_flow;

mod label;

mod element;

mod content;

mod media;

mod relay;

mod desk;

mod src;

mod dedup;

pub(crate) mod wire;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(feature = "testing")]
pub(crate) use self::agent_status::STATUS_CHANGE;
#[cfg(feature = "inbox")]
pub(crate) use self::dedup::digest;
pub(crate) use self::wire::{BYTE_ORDER_MARK, Fields, Origin, ParseError};
pub use self::{
    agent_status::{AgentClient, AgentState, AgentStatus},
    category::Category,
    command::Command,
    content::{CustomElem, FaceElem, LocationElem, StreamChunk, StreamElem, TextElem},
    dedup::{DedupKey, InvalidDedupKey},
    desk::DeskMessage,
    element::Element,
    kind::{
        EndReason, EventKind, Message, OtherFields, Satisfaction, Sender, SessionBegin, SessionEnd, Stage,
        Transfer, TransferStep,
    },
    media::{FileElem, ImageElem, ImageInfo, SoundElem, VideoElem},
    name::EventName,
    relay::{RelayElem, RelayedMessage},
    src::{Src, Visibility},
    task_flow::TaskFlow,
};

/// Something that happened in a session, or outside of any: see [`command`](Self::command) and [`session`](Self::session).
///
/// It serialises as one JSON object with the wire's names, and comes back equal. What reads as absent is left out; the
/// body as it came travels along as the string `Raw`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// `SdkAppid` of the query: the app, as verified.
    pub sdk_app_id: u64,
    /// `RequestID` of the query: the same again when the sender repeats a delivery. Not signed, and only documented in
    /// Chinese (product 269, document 111212).
    pub request_id: Option<String>,
    /// `ClientIP` of the query.
    pub client_ip: Option<String>,
    /// `OptPlatform` of the query, such as `RESTAPI`, `Web`, `Android` or `iOS`; the vendor's pages differ in its case.
    pub platform: Option<String>,
    /// `CallbackCommand`: the callback that it came with.
    pub command: Command,
    /// `SessionId`. It is empty where there is no session: see [`session`](Self::session).
    pub session_id: String,
    /// `Event`.
    pub name: EventName,
    /// `EventTime`, to the millisecond.
    pub time: SystemTime,
    /// `ChannelType`: `SDK`, or a value that is not documented for web pages.
    pub channel: Option<String>,
    /// `ClientUserId`: the end user.
    pub client_user_id: Option<String>,
    /// `CustomerServiceId`: the account of the customer service (客服号).
    pub customer_service_id: Option<String>,
    /// `AgentId`: the agent; an e-mail address in the samples, so personal data.
    pub agent_id: Option<String>,
    /// `IsContactUser`: whether the agent contacted the user first.
    pub is_contact_user: Option<bool>,
    /// `CloudCustomData`: opaque text of your own clients.
    pub cloud_custom_data: Option<String>,
    /// The fields that only the event's category has.
    pub kind: EventKind,
    /// The fields that only other categories have.
    pub other_fields: OtherFields,
    pub(crate) raw: String,
}

impl Event {
    /// The body as it came, with every field that has no place here; only a byte order mark before it is left out.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The session. Changes of an agent's status have none.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        Some(&*self.session_id).filter(|session| !session.is_empty())
    }

    /// What an event without a session is about: an agent, or an execution of a task flow.
    #[cfg(feature = "inbox")]
    pub(crate) fn subject(&self) -> &str {
        let subject = match &self.kind {
            EventKind::AgentStatus(status) => &status.agent_id,
            EventKind::TaskFlow(flow) => &flow.execution_id,
            _ => &None,
        };
        subject.as_deref().unwrap_or_default()
    }

    /// `EventTime` as it came: milliseconds since 1970.
    #[must_use]
    pub fn time_millis(&self) -> i64 {
        let millis = |distance: Duration| i128::try_from(distance.as_millis()).unwrap_or(i128::MAX);
        let since = self.time.duration_since(UNIX_EPOCH);
        let millis = since.map_or_else(|before| -millis(before.duration()), millis);
        i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX })
    }

    /// The category, which [`kind`](Self::kind) has as well.
    #[must_use]
    pub fn category(&self) -> Category {
        self.kind.category()
    }
}
