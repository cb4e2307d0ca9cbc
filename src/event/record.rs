//! An event as one JSON object, to be stored and read again: the wire's names, with what the query said and the body as it came.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use serde_json::Value;

use super::{
    Event, EventKind, Stray,
    error::ParseError,
    wire::{COMMAND, Origin, Wire},
};

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Stray { msg_key, elements, stars, from_agent_id } = &self.stray;
        let (mut msg_key, mut elements, mut stars, mut from_agent_id) =
            (msg_key, elements, stars, from_agent_id);
        match &self.kind {
            EventKind::Message(message) => (msg_key, elements) = (&message.key, &message.elements),
            EventKind::Transfer(transfer) => from_agent_id = &transfer.from_agent_id,
            EventKind::Satisfaction(satisfaction) => stars = &satisfaction.stars,
            EventKind::SessionBegin(_) | EventKind::SessionEnd(_) | EventKind::Unknown => {}
        }
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("SdkAppid", &self.sdk_app_id)?;
        put(&mut object, "RequestID", &self.request_id)?;
        put(&mut object, "ClientIP", &self.client_ip)?;
        put(&mut object, "OptPlatform", &self.platform)?;
        object.serialize_entry("CallbackCommand", COMMAND)?;
        object.serialize_entry("SessionId", &self.session_id)?;
        object.serialize_entry("Event", self.name.as_str())?;
        object.serialize_entry("EventTime", &to_millis(self.time))?;
        put(&mut object, "ChannelType", &self.channel)?;
        put(&mut object, "ClientUserId", &self.client_user_id)?;
        put(&mut object, "CustomerServiceId", &self.customer_service_id)?;
        put(&mut object, "AgentId", &self.agent_id)?;
        put(&mut object, "MsgKey", msg_key)?;
        put(&mut object, "MsgBody", &(!elements.is_empty()).then_some(elements))?;
        put(&mut object, "CloudCustomData", &self.cloud_custom_data)?;
        put(&mut object, "IsContactUser", &self.is_contact_user)?;
        put(&mut object, "SatisfactionSelected", stars)?;
        put(&mut object, "ForwardFromAgentId", from_agent_id)?;
        // Embedded as JSON, white space in it could break a line of JSON in two.
        object.serialize_entry("Raw", &self.raw)?;
        object.end()
    }
}

fn put<M: SerializeMap, T: Serialize>(
    object: &mut M,
    name: &'static str,
    value: &Option<T>,
) -> Result<(), M::Error> {
    value.as_ref().map_or(Ok(()), |value| object.serialize_entry(name, value))
}

/// From any self-describing format. It goes by way of JSON text, for only that can be read as leniently as a body.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?.to_string();
        Self::from_json(&json).map_err(de::Error::custom)
    }
}

impl Event {
    /// Reads what its `Serialize` wrote as JSON.
    pub(crate) fn from_json(json: &str) -> Result<Self, ParseError> {
        let mut mended = None;
        let mut wire = Wire::parse(json, &mut mended)?;
        let record = std::mem::take(&mut wire.record);
        let origin = Origin {
            sdk_app_id: record.sdk_app_id.ok_or(ParseError::MissingField { name: "SdkAppid" })?,
            request_id: record.request_id.map(Cow::into_owned),
            client_ip: record.client_ip.map(Cow::into_owned),
            platform: record.platform.map(Cow::into_owned),
        };
        let mut event = Self::new(wire, origin)?;
        event.raw = record.raw.map(Cow::into_owned).unwrap_or_default();
        Ok(event)
    }
}

pub(super) fn to_millis(time: SystemTime) -> i64 {
    let millis = |distance: Duration| i128::try_from(distance.as_millis()).unwrap_or(i128::MAX);
    let millis = time.duration_since(UNIX_EPOCH).map_or_else(|before| -millis(before.duration()), millis);
    i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX })
}
