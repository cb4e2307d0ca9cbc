//! Events on their way into a store.

use crate::{
    event::{DedupKey, Event, digest},
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
            None => digest([&app[..], session]),
            Some(user) if order == OrderKey::User => digest([&app[..], b"", user]),
            Some(user) => digest([&app[..], session, user]),
        };
        let request = event.request_id.as_ref();
        Ok(Self {
            lane: LaneKey(lane),
            key: event.dedup_key(),
            request: request.map(|request| RequestKey(digest([&app[..], session, request.as_bytes()]))),
            json: serde_json::to_string(event)?,
        })
    }
}

/// What is delivered one after another, by [`Inbox::order_by`](crate::inbox::Inbox::order_by): 128 bits of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct LaneKey(pub [u8; 16]);

/// A `RequestID` of a session of an app: 128 bits of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs)] // engines make it
pub struct RequestKey(pub [u8; 16]);

/// What became of a new event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no third
pub enum Appended {
    /// It is stored now.
    Stored,
    /// It was stored before.
    Duplicate,
}
