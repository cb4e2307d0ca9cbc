//! An event as one JSON object, to be stored and read again: the names of its body, with what the query said and the body itself.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::Value;

use super::{
    error::ParseError,
    fields::{Fields, Origin},
    object::{members, write},
};
use crate::event::Event;

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("SdkAppid", &self.sdk_app_id)?;
        write(&mut object, "RequestID", &self.request_id)?;
        write(&mut object, "ClientIP", &self.client_ip)?;
        write(&mut object, "OptPlatform", &self.platform)?;
        Fields::write(self, &mut object)?;
        // As text: white space in embedded JSON could break a line of JSON in two.
        object.serialize_entry("Raw", &self.raw)?;
        object.end()
    }
}

// In the body of a sender these names mean nothing.
members! {
    Origin {
        "SdkAppid" => sdk_app_id,
        "RequestID" => request_id: Text,
        "ClientIP" => client_ip: Text,
        "OptPlatform" => platform: Text,
        "Raw" => raw: Text,
    }
}

/// From any self-describing format. It goes by way of JSON text, because only that can be read as leniently as a body.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?.to_string();
        Self::from_json(&json).map_err(de::Error::custom)
    }
}

impl Event {
    /// Reads what `Serialize` wrote as JSON.
    pub(crate) fn from_json(json: &str) -> Result<Self, ParseError> {
        let mut origin = Origin::default();
        Fields::read_beside(json, None, &mut origin)?.into_event(origin)
    }
}
