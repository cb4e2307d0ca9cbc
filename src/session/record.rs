//! Logs and figures as data, to be stored and read again.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    entry::Entry,
    log::{Appearance, First, SessionLog},
};

/// The version of what is written. Only this one is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Version;

const VERSION: u32 = 1;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(de::Error::custom(format_args!(
                "a session of version {other}; this release reads version {VERSION}"
            ))),
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
                Entry::from_text(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The form in which a log is stored.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    version: Version,
    sdk_app_id: u64,
    session_id: Cow<'a, str>,
    user: Cow<'a, First>,
    account: Cow<'a, First>,
    channel: Cow<'a, First>,
    contacted_by_agent: Option<bool>,
    agents: Cow<'a, [Appearance]>,
    in_charge: Cow<'a, First>,
    rating: Option<(i64, u8)>,
    events: Cow<'a, [Entry]>,
    exact: bool,
}

impl Serialize for SessionLog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = Record {
            version: Version,
            sdk_app_id: self.sdk_app_id,
            session_id: Cow::Borrowed(&self.session_id),
            user: Cow::Borrowed(&self.user),
            account: Cow::Borrowed(&self.account),
            channel: Cow::Borrowed(&self.channel),
            contacted_by_agent: self.contacted_by_agent,
            agents: Cow::Borrowed(&self.agents),
            in_charge: Cow::Borrowed(&self.in_charge),
            rating: self.rating,
            events: Cow::Borrowed(&self.events),
            exact: self.is_exact,
        };
        record.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SessionLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = Record::deserialize(deserializer)?;
        let mut log = Self {
            sdk_app_id: record.sdk_app_id,
            session_id: record.session_id.into_owned(),
            user: record.user.into_owned(),
            account: record.account.into_owned(),
            channel: record.channel.into_owned(),
            contacted_by_agent: record.contacted_by_agent,
            agents: Vec::new(),
            in_charge: record.in_charge.into_owned(),
            rating: record.rating,
            events: record.events.into_owned(),
            is_exact: record.exact,
        };
        // Everything else relies on it, and the data may come from anywhere.
        for (entry, is_new_agent, agent) in &*record.agents {
            log.name_agent(*entry, *is_new_agent, agent);
        }
        log.events.sort_unstable();
        log.events.dedup();
        log.limit();
        Ok(log)
    }
}
