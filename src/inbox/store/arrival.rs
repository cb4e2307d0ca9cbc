//! Events on their way into a store.

use crate::{
    event::{Command, DedupKey, Event, digest},
    inbox::OrderKey,
};

/// An event on its way into a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEvent {
    /// The events with the same lane are delivered one after another.
    pub lane: LaneKey,
    /// Equal for the same event, delivered again.
    pub key: DedupKey,
    /// The `RequestID` that it came with.
    pub request: Option<RequestKey>,
    /// The event as JSON, which the store returns unchanged.
    pub json: String,
}

impl NewEvent {
    pub(crate) fn new(event: &Event, order: OrderKey) -> Result<Self, serde_json::Error> {
        let (app, session) = (event.sdk_app_id.to_be_bytes(), event.session_id.as_bytes());
        let user = event.client_user_id.as_deref().filter(|_| order != OrderKey::Session).map(str::as_bytes);
        let lane = match user {
            None if session.is_empty() => {
                let subject = event.subject().as_bytes();
                digest([&app[..], event.command.as_str().as_bytes(), subject])
            }
            None => digest([&app[..], session]),
            Some(user) if order == OrderKey::User => digest([&app[..], b"", user]),
            Some(user) => digest([&app[..], session, user]),
        };
        let key = event.dedup_key();
        Ok(Self {
            lane: LaneKey(lane),
            key,
            request: event.request_id.as_deref().map(|request| RequestKey::new(event, request, &key)),
            json: serde_json::to_string(event)?,
        })
    }
}

/// What is delivered one after another, by [`Inbox::order_by`](crate::inbox::Inbox::order_by): 128 bits of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct LaneKey(pub [u8; 16]);

/// A `RequestID` with the app, session, `Event`, `EventTime` and `MsgKey` that it came with: 128 bits of a hash. An equal
/// `RequestID` alone does not make an event a duplicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct RequestKey(pub [u8; 16]);

impl RequestKey {
    fn new(event: &Event, request: &str, key: &DedupKey) -> Self {
        let app = event.sdk_app_id.to_be_bytes();
        let parts = [
            &app[..],
            event.session_id.as_bytes(),
            request.as_bytes(),
            event.name.as_str().as_bytes(),
            // It begins with the event's time.
            &key.as_bytes()[..8],
            event.msg_key().as_deref().unwrap_or_default().as_bytes(),
        ];
        Self(match event.command {
            Command::SessionEvent => digest(parts),
            // Its key is made of what identifies the step.
            Command::TaskFlow => digest([request.as_bytes(), key.as_bytes()]),
            command => {
                digest(parts.into_iter().chain([command.as_str().as_bytes(), event.subject().as_bytes()]))
            }
        })
    }
}

/// What became of a new event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no third
pub enum Appended {
    /// It is stored now.
    Stored,
    /// It was stored before.
    Duplicate,
}
