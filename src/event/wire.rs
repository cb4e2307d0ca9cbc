//! From a body's names and values to an event.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{
    Deserialize, Deserializer as _,
    de::{IgnoredAny, IntoDeserializer as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Element, Event, EventName, Stray,
    documented::{Elements, Text},
    lenient::{Number, read_flag, read_text},
};
use crate::error::Refusal;

/// A body's fields, as far as they can be read. Of a name that stands twice the last one counts.
#[derive(Default)]
pub(crate) struct Wire<'a> {
    pub(crate) command: Option<Cow<'a, str>>,
    session_id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    time: Option<i64>,
    channel: Option<Cow<'a, str>>,
    client_user_id: Option<Cow<'a, str>>,
    customer_service_id: Option<Cow<'a, str>>,
    agent_id: Option<Cow<'a, str>>,
    is_contact_user: Option<bool>,
    cloud_custom_data: Option<Cow<'a, str>>,
    stray: Stray,
    pub(super) record: Record<'a>,
}

/// What an event of ours has when it is serialised. In a sender's body these names mean nothing.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) sdk_app_id: Option<u64>,
    pub(super) request_id: Option<Cow<'a, str>>,
    pub(super) client_ip: Option<Cow<'a, str>>,
    pub(super) platform: Option<Cow<'a, str>>,
    pub(super) raw: Option<Cow<'a, str>>,
}

/// What an event has from its delivery's query.
pub(crate) struct Origin {
    pub(crate) sdk_app_id: u64,
    pub(crate) request_id: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) platform: Option<String>,
}

impl<'a> Wire<'a> {
    /// Almost every body is as documented, and read so in one pass. Only one that is not is read again, value by value.
    pub(crate) fn parse(json: &'a str) -> Result<Self, Refusal> {
        let mut wire = Self::default();
        if wire.read(json, Reading::AsDocumented).is_err() {
            wire = Self::default();
            wire.read(json, Reading::Leniently)
                .map_err(|error| Refusal::NotJson { line: error.line(), column: error.column() })?;
        }
        Ok(wire)
    }

    pub(super) fn read(&mut self, json: &'a str, reading: Reading) -> serde_json::Result<()> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer.deserialize_map(WireVisitor { wire: self, reading })?;
        deserializer.end()
    }
}

impl Event {
    pub(crate) fn new(wire: Wire<'_>, origin: Origin) -> Result<Self, Refusal> {
        let required = |name| Refusal::MissingField { name };
        let mut stray = wire.stray;
        let name = EventName::from(&*wire.name.ok_or(required("Event"))?);
        Ok(Self {
            sdk_app_id: origin.sdk_app_id,
            request_id: origin.request_id,
            client_ip: origin.client_ip,
            platform: origin.platform,
            session_id: wire.session_id.ok_or(required("SessionId"))?.into_owned(),
            time: wire.time.and_then(from_millis).ok_or(required("EventTime"))?,
            channel: wire.channel.map(Cow::into_owned),
            client_user_id: wire.client_user_id.map(Cow::into_owned),
            customer_service_id: wire.customer_service_id.map(Cow::into_owned),
            agent_id: wire.agent_id.map(Cow::into_owned),
            is_contact_user: wire.is_contact_user,
            cloud_custom_data: wire.cloud_custom_data.map(Cow::into_owned),
            kind: stray.claim(&name),
            name,
            stray,
            raw: String::new(),
        })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    CallbackCommand,
    SessionId,
    Event,
    EventTime,
    ChannelType,
    ClientUserId,
    CustomerServiceId,
    AgentId,
    MsgKey,
    MsgBody,
    CloudCustomData,
    IsContactUser,
    SatisfactionSelected,
    ForwardFromAgentId,
    SdkAppid,
    RequestID,
    ClientIP,
    OptPlatform,
    Raw,
    #[serde(other)]
    Other,
}

/// How a body's values are taken.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// As the types that the documentation says. Anything else ends the reading.
    AsDocumented,
    /// As JSON text first. Whatever cannot be made of that reads as absent.
    Leniently,
}

/// Fills the fields where they are: moved from call to call they would cost more than a field costs to read.
struct WireVisitor<'w, 'a> {
    wire: &'w mut Wire<'a>,
    reading: Reading,
}

impl<'a> Visitor<'a> for WireVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { wire, reading } = self;
        while let Some(field) = reading.field(&mut map)? {
            match field {
                Field::CallbackCommand => wire.command = reading.text(&mut map)?,
                Field::SessionId => wire.session_id = reading.text(&mut map)?,
                Field::Event => wire.name = reading.text(&mut map)?,
                Field::EventTime => wire.time = reading.number(&mut map)?,
                Field::ChannelType => wire.channel = reading.text(&mut map)?,
                Field::ClientUserId => wire.client_user_id = reading.text(&mut map)?,
                Field::CustomerServiceId => wire.customer_service_id = reading.text(&mut map)?,
                Field::AgentId => wire.agent_id = reading.text(&mut map)?,
                Field::MsgKey => wire.stray.msg_key = reading.text(&mut map)?.map(Cow::into_owned),
                Field::MsgBody => wire.stray.elements = reading.elements(&mut map)?,
                Field::CloudCustomData => wire.cloud_custom_data = reading.text(&mut map)?,
                Field::IsContactUser => wire.is_contact_user = reading.flag(&mut map)?,
                Field::SatisfactionSelected => {
                    wire.stray.stars = reading.number(&mut map)?.filter(|stars| *stars != 0);
                }
                Field::ForwardFromAgentId => {
                    wire.stray.from_agent_id = reading.text(&mut map)?.map(Cow::into_owned);
                }
                Field::SdkAppid => wire.record.sdk_app_id = reading.number(&mut map)?,
                Field::RequestID => wire.record.request_id = reading.text(&mut map)?,
                Field::ClientIP => wire.record.client_ip = reading.text(&mut map)?,
                Field::OptPlatform => wire.record.platform = reading.text(&mut map)?,
                Field::Raw => wire.record.raw = reading.text(&mut map)?,
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

impl Reading {
    fn field<'a, A: MapAccess<'a>>(self, map: &mut A) -> Result<Option<Field>, A::Error> {
        if let Self::AsDocumented = self {
            return map.next_key();
        }
        let Some(name) = map.next_key::<&'a RawValue>()? else { return Ok(None) };
        let name = read_text(name.get()).unwrap_or_default();
        Field::deserialize(name.into_deserializer()).map(Some)
    }

    /// An empty text reads as absent.
    fn text<'a, A: MapAccess<'a>>(self, map: &mut A) -> Result<Option<Cow<'a, str>>, A::Error> {
        let text = match self {
            Self::AsDocumented => map.next_value::<Text<'a>>()?.0,
            Self::Leniently => read_text(json(map)?),
        };
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn number<'a, A: MapAccess<'a>, N: Number + Deserialize<'a>>(
        self,
        map: &mut A,
    ) -> Result<Option<N>, A::Error> {
        match self {
            Self::AsDocumented => map.next_value(),
            Self::Leniently => Ok(N::read(json(map)?)),
        }
    }

    fn flag<'a, A: MapAccess<'a>>(self, map: &mut A) -> Result<Option<bool>, A::Error> {
        match self {
            Self::AsDocumented => map.next_value(),
            Self::Leniently => Ok(read_flag(json(map)?)),
        }
    }

    fn elements<'a, A: MapAccess<'a>>(self, map: &mut A) -> Result<Vec<Element>, A::Error> {
        match self {
            Self::AsDocumented => Ok(map.next_value::<Elements>()?.0),
            Self::Leniently => Ok(Element::parse_all(json(map)?, 0)),
        }
    }
}

fn json<'a, A: MapAccess<'a>>(map: &mut A) -> Result<&'a str, A::Error> {
    map.next_value::<&'a RawValue>().map(RawValue::get)
}

fn from_millis(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// The callback that this library is about (the vendor's page on the session-event callback, product 1229, document 68989).
pub(crate) const COMMAND: &str = "Desk.SessionEventNotify";
