//! The fields of a body, and the event that they make.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::{
    budget::{Budget, Reading},
    element::Elements,
    error::ParseError,
    lenient::value,
    member::NameSeed,
    mend::mend,
    object::{Object, WriteMembers as _, write},
    scalar::{Flag, Id, Stars, Text},
};
use crate::event::{Command, Event, EventKind, EventName, OtherFields, agent_status::STATUS_CHANGE};

/// Makes one table the only place that knows the names of fields: how they are read, and how they are written.
///
/// A field of `any event` has the place in [`Event`] that the row names. One of `some categories` is in [`OtherFields`] until the
/// event's category [takes](EventKind::of_session) it, and is found again by the method of `Event` that the row names.
macro_rules! fields {
    (
        any event { $($name:literal => $field:ident: $reader:ident,)* }
        some categories { $($own_name:literal => $own:ident: $own_reader:ident,)* }
    ) => {
        /// The fields of a body, as far as they can be read. If a name occurs twice, the last value counts.
        #[derive(Default)]
        pub(crate) struct Fields {
            command: Option<Cow<'static, str>>,
            session_id: Id,
            name: Option<EventName>,
            time: Option<i64>,
            $($field: $reader,)*
            other: OtherFields,
            /// Of the commands that have fields of their own.
            own: Option<EventKind>,
        }

        #[allow(non_camel_case_types)]
        pub(crate) enum Member {
            command,
            session_id,
            name,
            time,
            $($field,)*
            $($own,)*
        }

        impl<'de> Object<'de> for Fields {
            type Member = Member;

            fn member(name: &str) -> Option<Member> {
                Some(match name {
                    "CallbackCommand" => Member::command,
                    "SessionId" => Member::session_id,
                    "Event" => Member::name,
                    "EventTime" => Member::time,
                    $($name => Member::$field,)*
                    $($own_name => Member::$own,)*
                    _ => return None,
                })
            }

            fn read<A: MapAccess<'de>>(
                &mut self,
                member: Member,
                map: &mut A,
                budget: &mut Budget,
            ) -> Result<(), A::Error> {
                match member {
                    Member::command => self.command = text(map, budget)?.map(command),
                    Member::session_id => self.session_id = value(map, budget)?,
                    Member::name => self.name = text(map, budget)?.map(|name| EventName::from(&*name)),
                    Member::time => self.time = value(map, budget)?,
                    $(Member::$field => self.$field = value(map, budget)?,)*
                    $(Member::$own => self.other.$own = value::<$own_reader, _>(map, budget)?.0,)*
                }
                Ok(())
            }
        }

        impl Fields {
            /// Completes the event.
            ///
            /// # Errors
            ///
            /// When a field that every event has is missing.
            pub(crate) fn into_event(self, origin: Origin) -> Result<Event, ParseError> {
                let required = |name| ParseError::MissingField { name };
                let name = self.name.ok_or(required("Event"))?;
                let mut other_fields = self.other;
                let (command, kind) = match self.own {
                    None => (Command::SessionEvent, EventKind::of_session(&name, &mut other_fields)),
                    Some(EventKind::TaskFlow(flow)) => (Command::TaskFlow, EventKind::TaskFlow(flow)),
                    Some(own) if name == STATUS_CHANGE => (Command::AgentStatus, own),
                    Some(_) => (Command::AgentStatus, EventKind::Unknown),
                };
                let session_id = match self.session_id.0 {
                    None if command == Command::SessionEvent => return Err(required("SessionId")),
                    session_id => session_id.unwrap_or_default(),
                };
                Ok(Event {
                    command,
                    session_id,
                    time: self.time.and_then(from_millis).ok_or(required("EventTime"))?,
                    $($field: self.$field.0,)*
                    kind,
                    name,
                    other_fields,
                    sdk_app_id: origin.sdk_app_id.ok_or(required("SdkAppid"))?,
                    request_id: origin.request_id,
                    client_ip: origin.client_ip,
                    platform: origin.platform,
                    raw: without_byte_order_mark(origin.raw.unwrap_or_default()),
                })
            }

            /// Writes the fields of `event` as a body has them.
            pub(super) fn write<M: SerializeMap>(event: &Event, object: &mut M) -> Result<(), M::Error> {
                object.serialize_entry("CallbackCommand", event.command.as_str())?;
                write(object, "SessionId", &event.session())?;
                object.serialize_entry("Event", &event.name)?;
                object.serialize_entry("EventTime", &event.time_millis())?;
                $(write(object, $name, &event.$field)?;)*
                $(write(object, $own_name, event.$own())?;)*
                match &event.kind {
                    EventKind::AgentStatus(status) => status.write_members(object),
                    EventKind::TaskFlow(flow) => flow.write_members(object),
                    _ => Ok(()),
                }
            }
        }
    };
}

// The vendor's page on the session-event callback (product 1229, document 68989); ForwardFromAgentId its newer Chinese edition
// (product 269, document 111212).
fields! {
    any event {
        "ChannelType" => channel: Text,
        "ClientUserId" => client_user_id: Id,
        "CustomerServiceId" => customer_service_id: Id,
        "AgentId" => agent_id: Id,
        "CloudCustomData" => cloud_custom_data: Text,
        "IsContactUser" => is_contact_user: Flag,
    }
    some categories {
        "MsgKey" => msg_key: Id,
        "MsgBody" => elements: Elements,
        "SatisfactionSelected" => stars: Stars,
        "ForwardFromAgentId" => from_agent_id: Id,
    }
}

/// What an event has from its delivery beside the fields of its body.
#[derive(Default)]
pub(crate) struct Origin {
    pub(crate) sdk_app_id: Option<u64>,
    pub(crate) request_id: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) platform: Option<String>,
    /// The body.
    pub(crate) raw: Option<String>,
}

impl Fields {
    /// Reads a sender's body by the names that the query's command has. Without one, the body's own command counts.
    ///
    /// # Errors
    ///
    /// When it is not one JSON object.
    pub(crate) fn read(body: &str, command: Option<Command>) -> Result<Self, ParseError> {
        Self::read_beside(body, command, &mut ())
    }

    /// Reads the fields, and those of `more` beside them.
    pub(super) fn read_beside<T>(
        body: &str,
        command: Option<Command>,
        more: &mut T,
    ) -> Result<Self, ParseError>
    where
        T: for<'de> Object<'de>,
    {
        let Some(command) = command else {
            // Almost every event is a session event.
            let fields = Self::read_as(body, Command::SessionEvent, more)?;
            return match fields.command().and_then(Command::named) {
                None | Some(Command::SessionEvent) => Ok(fields),
                Some(command) => Self::read_as(body, command, more),
            };
        };
        Self::read_as(body, command, more)
    }

    fn read_as<T>(body: &str, command: Command, more: &mut T) -> Result<Self, ParseError>
    where
        T: for<'de> Object<'de>,
    {
        fn read_own<T, U>(body: &str, more: &mut T, kind: fn(U) -> EventKind) -> Result<Fields, ParseError>
        where
            T: for<'de> Object<'de>,
            U: for<'de> Object<'de>,
        {
            let mut both = <(T, U)>::default();
            let fields = Fields::read_with(body, &mut both)?;
            let own = Some(kind(both.1));
            *more = both.0;
            Ok(Fields { own, ..fields })
        }

        match command {
            Command::SessionEvent => Self::read_with(body, more),
            Command::AgentStatus => read_own(body, more, EventKind::AgentStatus),
            Command::TaskFlow => read_own(body, more, |flow| EventKind::TaskFlow(Box::new(flow))),
        }
    }

    fn read_with<T>(body: &str, more: &mut T) -> Result<Self, ParseError>
    where
        T: for<'de> Object<'de>,
    {
        let mut read = |json: &str, reading| {
            let mut fields = Self::default();
            *more = T::default();
            let mut budget = Budget::of(body, reading);
            let mut deserializer = serde_json::Deserializer::from_str(json);
            deserializer.deserialize_map(BodyVisitor { fields: &mut fields, more, budget: &mut budget })?;
            deserializer.end()?;
            Ok(fields)
        };
        let json = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        // Almost every body is as documented, and read in one pass.
        let fields = read(json, Reading::InPlace).or_else(|_| read(json, Reading::CutOut)).or_else(|error| {
            let mended = mend(json);
            mended.map_or(Err(error), |mended| read(&mended, Reading::CutOut))
        });
        fields.map_err(|error: serde_json::Error| ParseError::NotJson {
            line: error.line(),
            column: error.column(),
        })
    }

    /// `CallbackCommand`, which a body need not have.
    pub(crate) fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// Whether it has what every event has.
    pub(crate) fn is_event(&self) -> bool {
        self.session_id.0.is_some() && self.name.is_some() && self.time.is_some()
    }
}

/// Reads the members of a body that `T` has.
///
/// # Errors
///
/// When it is not one JSON object.
pub(crate) fn read_object<T>(body: &str) -> Result<T, ParseError>
where
    T: for<'de> Object<'de>,
{
    let mut object = T::default();
    Fields::read_with(body, &mut object)?;
    Ok(object)
}

/// Fills the fields where they are: to move them from call to call would cost more than to read them.
struct BodyVisitor<'b, T> {
    fields: &'b mut Fields,
    more: &'b mut T,
    budget: &'b mut Budget,
}

impl<'de, T: Object<'de>> Visitor<'de> for BodyVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, more, budget } = self;
        let named = |name: &str| match T::member(name) {
            Some(member) => Name::More(member),
            None => Fields::member(name).map_or(Name::Unknown, Name::Field),
        };
        while let Some(name) = map.next_key_seed(NameSeed(named))? {
            match name {
                Name::Field(member) => fields.read(member, &mut map, budget)?,
                Name::More(member) => more.read(member, &mut map, budget)?,
                Name::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

enum Name<M> {
    Field(Member),
    More(M),
    Unknown,
}

/// An empty text reads as absent.
fn text<'de, A: MapAccess<'de>>(map: &mut A, budget: &mut Budget) -> Result<Option<Cow<'de, str>>, A::Error> {
    let text: Option<Cow<'de, str>> = value(map, budget)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// Allocates nothing for the command that almost every body has.
fn command(text: Cow<'_, str>) -> Cow<'static, str> {
    let usual = Command::SessionEvent.as_str();
    if text == usual { Cow::Borrowed(usual) } else { Cow::Owned(text.into_owned()) }
}

fn from_millis(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

fn without_byte_order_mark(mut body: String) -> String {
    if body.starts_with(BYTE_ORDER_MARK) {
        body.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    body
}

/// Some programs write it before UTF-8 text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';
