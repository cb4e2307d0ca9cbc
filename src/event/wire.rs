//! The wire's names, in both directions.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, IntoDeserializer as _, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Value, value::RawValue};

use super::{
    Element, Event, EventKind, EventName, Stray,
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
    record: Record<'a>,
}

/// What an event of ours has when it is serialised. In a sender's body these names mean nothing.
#[derive(Default)]
struct Record<'a> {
    sdk_app_id: Option<u64>,
    request_id: Option<Cow<'a, str>>,
    client_ip: Option<Cow<'a, str>>,
    platform: Option<Cow<'a, str>>,
    raw: Option<Cow<'a, str>>,
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

    fn read(&mut self, json: &'a str, reading: Reading) -> serde_json::Result<()> {
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
enum Reading {
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
    pub(crate) fn from_json(json: &str) -> Result<Self, Refusal> {
        let mut wire = Wire::parse(json)?;
        let record = std::mem::take(&mut wire.record);
        let origin = Origin {
            sdk_app_id: record.sdk_app_id.ok_or(Refusal::MissingField { name: "SdkAppid" })?,
            request_id: record.request_id.map(Cow::into_owned),
            client_ip: record.client_ip.map(Cow::into_owned),
            platform: record.platform.map(Cow::into_owned),
        };
        let mut event = Self::new(wire, origin)?;
        event.raw = record.raw.map(Cow::into_owned).unwrap_or_default();
        Ok(event)
    }
}

fn from_millis(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

pub(super) fn to_millis(time: SystemTime) -> i64 {
    let millis = |distance: Duration| i128::try_from(distance.as_millis()).unwrap_or(i128::MAX);
    let millis = time.duration_since(UNIX_EPOCH).map_or_else(|before| -millis(before.duration()), millis);
    i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX })
}

/// The callback that this library is about (the vendor's page on the session-event callback, product 1229, document 68989).
pub(crate) const COMMAND: &str = "Desk.SessionEventNotify";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Event, Origin, Reading, Wire};
    use crate::error::Refusal;

    fn read(json: &str, reading: Reading) -> Option<Result<Event, Refusal>> {
        let mut wire = Wire::default();
        wire.read(json, reading).ok()?;
        let origin = Origin { sdk_app_id: 7, request_id: None, client_ip: None, platform: None };
        Some(Event::new(wire, origin))
    }

    fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::sample::select(texts).prop_map(str::to_owned)
    }

    fn object(
        name: impl Strategy<Value = String>,
        value: impl Strategy<Value = String>,
    ) -> impl Strategy<Value = String> {
        let pair = (name, value).prop_map(|(name, value)| format!("{name:?}:{value}"));
        prop::collection::vec(pair, 0..5).prop_map(|pairs| format!("{{{}}}", pairs.join(",")))
    }

    fn value() -> impl Strategy<Value = String> {
        one_of(&[
            "null",
            "true",
            "5",
            "5.0",
            "-1",
            "1e999",
            "300",
            "99999999999999999999",
            r#""""#,
            r#""5""#,
            r#""text""#,
            r#""a \"b\"""#,
            r#""\ud83d""#,
            r#""\ud83d\ude00""#,
            "[]",
            "{}",
            r#"["text"]"#,
        ])
    }

    fn elements() -> impl Strategy<Value = String> {
        let content = prop_oneof![4 => object(one_of(&["Text", "Data", "text"]), value()), 1 => value()];
        let kind = one_of(&[r#""TIMTextElem""#, r#""TIMCustomElem""#, r#""Odd""#, "5", "null"]);
        let member = prop_oneof![
            kind.prop_map(|kind| ("MsgType".to_owned(), kind)),
            content.prop_map(|content| ("MsgContent".to_owned(), content)),
            value().prop_map(|value| ("More".to_owned(), value)),
        ];
        let member = member.prop_map(|(name, value)| format!("{name:?}:{value}"));
        let element =
            prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
        prop::collection::vec(element, 0..3).prop_map(|items| format!("[{}]", items.join(",")))
    }

    fn body() -> impl Strategy<Value = String> {
        let name = one_of(&[
            "CallbackCommand",
            "SessionId",
            "ChannelType",
            "AgentId",
            "MsgKey",
            "CloudCustomData",
            "IsContactUser",
            "SatisfactionSelected",
            "ForwardFromAgentId",
            "EventTime",
            "More",
        ]);
        let field = prop_oneof![
            2 => (name, value()).prop_map(|(name, value)| format!("{name:?}:{value}")),
            1 => elements().prop_map(|elements| format!("\"MsgBody\":{elements}")),
        ];
        prop::collection::vec(field, 0..6).prop_map(|fields| {
            let required = r#""SessionId":"s","Event":"Human.UserSendMsg","EventTime":1725540020017"#;
            let mut fields = fields;
            fields.insert(0, required.to_owned());
            format!("{{{}}}", fields.join(","))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_read_as_documented_is_what_a_lenient_reading_makes_of_it(body in body()) {
            let leniently = read(&body, Reading::Leniently);
            prop_assert!(leniently.is_some());
            if let Some(documented) = read(&body, Reading::AsDocumented) {
                prop_assert_eq!(Some(documented), leniently);
            }
        }
    }
}
