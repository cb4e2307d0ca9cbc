//! What a message is made of: `MsgBody`, an array of `{MsgType, MsgContent}`.
//!
//! Field names and types: the vendor's page on message formats (trtc.io document 74355), the older fields of custom
//! elements its earlier edition (product 1047, document 33527). Every field is optional: clients of different ages leave
//! out different ones, and a value of an unexpected type reads as absent.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeStruct as _,
};
use serde_json::{Value, value::RawValue};

use super::{
    CustomElem, FaceElem, FileElem, ImageElem, LocationElem, RelayElem, SoundElem, StreamElem, TextElem,
    VideoElem,
    lenient::{items, last_counts, read, read_text},
};

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Element {
    /// `TIMTextElem`
    Text(TextElem),
    /// `TIMLocationElem`
    Location(LocationElem),
    /// `TIMFaceElem`
    Face(FaceElem),
    /// `TIMCustomElem`
    Custom(CustomElem),
    /// `TIMSoundElem`
    Sound(SoundElem),
    /// `TIMImageElem`
    Image(ImageElem),
    /// `TIMFileElem`
    File(FileElem),
    /// `TIMVideoFileElem`
    Video(VideoElem),
    /// `TIMRelayElem`
    Relay(RelayElem),
    /// `TIMStreamElem`
    Stream(StreamElem),
    /// Of another type, or of no known shape: its JSON. What [`Value`] cannot hold (nested deeper than 127 levels, or a
    /// number beyond `f64`) is a string that has the JSON text.
    Unknown(Value),
}

impl Element {
    /// What a person would read of it, if that is anything.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let text = match self {
            Self::Text(text) => text.text.as_deref()?.into(),
            Self::Location(location) => location.desc.as_deref()?.into(),
            Self::Custom(custom) => custom.text()?.into(),
            Self::File(file) => file.file_name.as_deref()?.into(),
            Self::Relay(relay) => relay.text()?.into(),
            Self::Stream(stream) => stream.text()?,
            Self::Face(_) | Self::Sound(_) | Self::Image(_) | Self::Video(_) | Self::Unknown(_) => {
                return None;
            }
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// The items of an array become elements, up to the limit; what is no array has none. `depth` counts the relays around it.
    pub(super) fn parse_all(json: &str, depth: usize) -> Vec<Self> {
        items(json).into_iter().take(ELEMENT_LIMIT).map(|item| Self::parse(item.get(), depth)).collect()
    }

    fn parse(json: &str, depth: usize) -> Self {
        let known = |json: &str| {
            let shape: Shape<'_> = serde_json::from_str(json).ok()?;
            shape.read(depth)
        };
        last_counts(json, known).unwrap_or_else(|| {
            // A string is what JSON that no `Value` can hold becomes, also when it comes back.
            Self::Unknown(serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned())))
        })
    }
}

/// The elements' texts, one a line.
pub(super) fn text_of(elements: &[Element]) -> String {
    let texts: Vec<_> = elements.iter().filter_map(Element::text).collect();
    texts.join("\n")
}

/// An element before its type has been looked at.
pub(super) struct Shape<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) content: &'a str,
}

impl Shape<'_> {
    /// `None` if it is of no known type, or its content is no object.
    pub(super) fn read(&self, depth: usize) -> Option<Element> {
        let content = self.content;
        Some(match &*self.name {
            "TIMTextElem" => Element::Text(read(content)?),
            "TIMLocationElem" => Element::Location(read(content)?),
            "TIMFaceElem" => Element::Face(read(content)?),
            "TIMCustomElem" => Element::Custom(read(content)?),
            "TIMSoundElem" => Element::Sound(read(content)?),
            "TIMImageElem" => Element::Image(read(content)?),
            "TIMFileElem" => Element::File(read(content)?),
            "TIMVideoFileElem" => Element::Video(read(content)?),
            "TIMRelayElem" => Element::Relay(RelayElem::parse(content, depth)?),
            "TIMStreamElem" => Element::Stream(read(content)?),
            _ => return None,
        })
    }
}

/// By hand, because a derived one would take an array as well.
impl<'de: 'a, 'a> Deserialize<'de> for Shape<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape<'de>, A::Error> {
        let (mut name, mut content) = (None, "{}");
        while let Some(field) = map.next_key()? {
            let json = map.next_value::<&'de RawValue>()?.get();
            match field {
                Field::MsgType => name = read_text(json),
                Field::MsgContent if json != "null" => content = json,
                Field::MsgContent | Field::Other => {}
            }
        }
        let name = name.ok_or_else(|| de::Error::missing_field("MsgType"))?;
        Ok(Shape { name, content })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier)]
pub(super) enum Field {
    MsgType,
    MsgContent,
    #[serde(other)]
    Other,
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(content) => write(serializer, "TIMTextElem", content),
            Self::Location(content) => write(serializer, "TIMLocationElem", content),
            Self::Face(content) => write(serializer, "TIMFaceElem", content),
            Self::Custom(content) => write(serializer, "TIMCustomElem", content),
            Self::Sound(content) => write(serializer, "TIMSoundElem", content),
            Self::Image(content) => write(serializer, "TIMImageElem", content),
            Self::File(content) => write(serializer, "TIMFileElem", content),
            Self::Video(content) => write(serializer, "TIMVideoFileElem", content),
            Self::Relay(content) => write(serializer, "TIMRelayElem", content),
            Self::Stream(content) => write(serializer, "TIMStreamElem", content),
            Self::Unknown(json) => json.serialize(serializer),
        }
    }
}

fn write<S: Serializer>(serializer: S, name: &str, content: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut element = serializer.serialize_struct("Element", 2)?;
    element.serialize_field("MsgType", name)?;
    element.serialize_field("MsgContent", content)?;
    element.end()
}

/// From any self-describing format, by way of JSON text.
impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&Value::deserialize(deserializer)?.to_string(), 0))
    }
}

/// Far above any message that a person makes: an item of two bytes on the wire takes up a hundred times that here.
pub(super) const ELEMENT_LIMIT: usize = 1000;
