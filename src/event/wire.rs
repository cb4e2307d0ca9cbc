//! From a body's names and values to an event.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{
    Deserialize, Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{
    Event, EventName, Stray,
    budget::{Budget, Reading},
    error::ParseError,
    lenient::{Id, value},
    mend::mend,
};

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
    /// `mended` keeps the text that the fields borrow from, if that is not the body itself.
    pub(crate) fn parse(body: &'a str, mended: &'a mut Option<String>) -> Result<Self, ParseError> {
        let json = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        let read = |json, reading| Self::read(json, Budget::of(body, reading));
        // Almost every body is as documented, and read in one pass.
        let wire = read(json, Reading::InPlace).or_else(|_| read(json, Reading::CutOut)).or_else(|error| {
            *mended = mend(json);
            mended.as_deref().map_or(Err(error), |mended| read(mended, Reading::CutOut))
        });
        wire.map_err(|error| ParseError::NotJson { line: error.line(), column: error.column() })
    }

    /// Whether it has what every event has.
    pub(crate) fn is_event(&self) -> bool {
        self.session_id.is_some() && self.name.is_some() && self.time.is_some()
    }

    fn read(json: &'a str, mut budget: Budget) -> serde_json::Result<Self> {
        let mut wire = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer.deserialize_map(WireVisitor { wire: &mut wire, budget: &mut budget })?;
        deserializer.end()?;
        Ok(wire)
    }
}

impl Event {
    pub(crate) fn new(wire: Wire<'_>, origin: Origin) -> Result<Self, ParseError> {
        let required = |name| ParseError::MissingField { name };
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

/// Fills the fields where they are: moved from call to call they would cost more than a field costs to read.
struct WireVisitor<'w, 'a> {
    wire: &'w mut Wire<'a>,
    budget: &'w mut Budget,
}

impl<'a> Visitor<'a> for WireVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { wire, budget } = self;
        while let Some(field) = map.next_key()? {
            let (map, budget) = (&mut map, &mut *budget);
            match field {
                Field::CallbackCommand => wire.command = text(map, budget)?,
                Field::SessionId => wire.session_id = id(map, budget)?,
                Field::Event => wire.name = text(map, budget)?,
                Field::EventTime => wire.time = value(map, budget)?,
                Field::ChannelType => wire.channel = text(map, budget)?,
                Field::ClientUserId => wire.client_user_id = id(map, budget)?,
                Field::CustomerServiceId => wire.customer_service_id = id(map, budget)?,
                Field::AgentId => wire.agent_id = id(map, budget)?,
                Field::MsgKey => wire.stray.msg_key = id(map, budget)?.map(Cow::into_owned),
                Field::MsgBody => wire.stray.elements = value(map, budget)?,
                Field::CloudCustomData => wire.cloud_custom_data = text(map, budget)?,
                Field::IsContactUser => wire.is_contact_user = value(map, budget)?,
                Field::SatisfactionSelected => {
                    let stars: Option<u8> = value(map, budget)?;
                    wire.stray.stars = stars.filter(|stars| *stars != 0);
                }
                Field::ForwardFromAgentId => {
                    wire.stray.from_agent_id = id(map, budget)?.map(Cow::into_owned);
                }
                Field::SdkAppid => wire.record.sdk_app_id = value(map, budget)?,
                Field::RequestID => wire.record.request_id = text(map, budget)?,
                Field::ClientIP => wire.record.client_ip = text(map, budget)?,
                Field::OptPlatform => wire.record.platform = text(map, budget)?,
                Field::Raw => wire.record.raw = text(map, budget)?,
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// An empty text reads as absent.
fn text<'a, A: MapAccess<'a>>(map: &mut A, budget: &mut Budget) -> Result<Option<Cow<'a, str>>, A::Error> {
    let text: Option<Cow<'a, str>> = value(map, budget)?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn id<'a, A: MapAccess<'a>>(map: &mut A, budget: &mut Budget) -> Result<Option<Cow<'a, str>>, A::Error> {
    let Id(id) = value(map, budget)?;
    Ok(id)
}

fn from_millis(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// The callback that this library is about (the vendor's page on the session-event callback, product 1229, document 68989).
pub(crate) const COMMAND: &str = "Desk.SessionEventNotify";

/// Some programs write it before UTF-8 text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';
