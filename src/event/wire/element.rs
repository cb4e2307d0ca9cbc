//! Reading and writing elements.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
    ser::SerializeStruct as _,
};
use serde_json::{Value, value::RawValue};

use super::{
    budget::{Budget, Reading},
    lenient::{Lenient, skip_members, value},
    object::Content,
    unknown::unknown,
};
use crate::event::Element;

impl Element {
    /// Reads one item of `MsgBody`. One of no known type or shape is [`Unknown`](Self::Unknown).
    ///
    /// # Errors
    ///
    /// When it holds what only [`mend`](super::mend) can read.
    pub(super) fn read(json: &str, budget: &mut Budget) -> serde_json::Result<Self> {
        if json.starts_with('{') {
            let known = match Shape::of(json, false, budget)? {
                Shape::Known(element) => Some(element),
                Shape::Unknown => None,
                // Cut out, the content can wait for the last of several names.
                Shape::Repeated => match Shape::of(json, true, budget)? {
                    Shape::Known(element) => Some(element),
                    Shape::Unknown | Shape::Repeated => None,
                },
            };
            if let Some(element) = known {
                return Ok(element);
            }
        }
        unknown(json, budget).map(Self::Unknown)
    }
}

/// An element, as far as its type and content are known.
#[allow(clippy::large_enum_variant)] // almost every element is known
enum Shape {
    Known(Element),
    /// It is of no known type, or its content is no object.
    Unknown,
    /// `MsgType` or `MsgContent` occurs twice.
    Repeated,
}

impl Shape {
    fn of(json: &str, cut: bool, budget: &mut Budget) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let visitor = ShapeVisitor { name: None, content: None, cut, budget };
        deserializer.deserialize_map(visitor)
    }
}

/// Reads the content in place if the type is known by then. Otherwise the content is cut out until the type is known.
struct ShapeVisitor<'b, 'de> {
    name: Option<Cow<'de, str>>,
    content: Option<&'de str>,
    cut: bool,
    budget: &'b mut Budget,
}

impl<'de> Visitor<'de> for ShapeVisitor<'_, 'de> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Shape, A::Error> {
        let mut known = None;
        while let Some(field) = map.next_key()? {
            match field {
                Field::MsgType if self.name.is_none() || self.cut => {
                    self.name = value(&mut map, self.budget)?;
                }
                Field::MsgContent if self.cut || self.name.is_none() && self.content.is_none() => {
                    let content = map.next_value::<&'de RawValue>()?.get();
                    if !self.budget.take_reread(content) {
                        skip_members(&mut map)?;
                        return Ok(Shape::Unknown);
                    }
                    self.content = Some(content);
                }
                Field::MsgContent if known.is_none() && self.content.is_none() => {
                    let name = self.name.as_deref().unwrap_or_default();
                    known = Some(map.next_value_seed(ContentSeed { name, budget: self.budget })?);
                }
                Field::MsgType | Field::MsgContent => {
                    skip_rest(&mut map)?;
                    return Ok(Shape::Repeated);
                }
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(name) = self.name.as_deref() else { return Ok(Shape::Unknown) };
        let known = match known {
            Some(known) => known,
            None => {
                let mut content = serde_json::Deserializer::from_str(self.content.unwrap_or("null"));
                let seed = ContentSeed { name, budget: self.budget };
                seed.deserialize(&mut content).map_err(A::Error::custom)?
            }
        };
        Ok(known.map_or(Shape::Unknown, Shape::Known))
    }
}

/// The value of a member has not been read yet, nor have the members behind it.
fn skip_rest<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>()?;
    skip_members(map)
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    MsgType,
    MsgContent,
    #[serde(other)]
    Other,
}

/// Reads the content of an element of the type `name`.
struct ContentSeed<'b, 'n> {
    name: &'n str,
    budget: &'b mut Budget,
}

/// The documented types of elements that nest nothing.
macro_rules! elements {
    ($($name:literal => $element:ident,)*) => {
        impl<'de> DeserializeSeed<'de> for ContentSeed<'_, '_> {
            type Value = Option<Element>;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Element>, D::Error> {
                let Self { name, budget } = self;
                Ok(match name {
                    $($name => Content::read(deserializer, budget)?.0.map(Element::$element),)*
                    RELAY if budget.enter_relay() => {
                        let relay = Content::read(deserializer, budget)?.0.map(Element::Relay);
                        budget.leave_relay();
                        relay
                    }
                    _ => {
                        IgnoredAny::deserialize(deserializer)?;
                        None
                    }
                })
            }
        }

        impl Serialize for Element {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$element(content) => write(serializer, $name, content),)*
                    Self::Relay(content) => write(serializer, RELAY, content),
                    Self::Unknown(json) => json.serialize(serializer),
                }
            }
        }
    };
}

elements! {
    "TIMTextElem" => Text,
    "TIMLocationElem" => Location,
    "TIMFaceElem" => Face,
    "TIMCustomElem" => Custom,
    "TIMSoundElem" => Sound,
    "TIMImageElem" => Image,
    "TIMFileElem" => File,
    "TIMVideoFileElem" => Video,
    "TIMStreamElem" => Stream,
}

/// The one type that can nest.
const RELAY: &str = "TIMRelayElem";

/// From JSON text alone: what is cut out of it is borrowed.
impl<'de> Lenient<'de> for Option<Element> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        if budget.reading() == Reading::InPlace {
            let visitor = ShapeVisitor { name: None, content: None, cut: false, budget };
            return match deserializer.deserialize_map(visitor)? {
                Shape::Known(element) => Ok(Some(element)),
                Shape::Unknown | Shape::Repeated => Err(D::Error::custom("an element of no known shape")),
            };
        }
        let json = <&'de RawValue>::deserialize(deserializer)?.get();
        if !budget.take_reread(json) {
            return Ok(Some(Element::Unknown(Value::String(json.to_owned()))));
        }
        Element::read(json, budget).map(Some).map_err(D::Error::custom)
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
        let json = Value::deserialize(deserializer)?.to_string();
        Self::read(&json, &mut Budget::unlimited()).map_err(D::Error::custom)
    }
}

/// `MsgBody`.
pub(super) struct Elements(pub(super) Vec<Element>);

impl<'de> Lenient<'de> for Elements {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        Lenient::read(deserializer, budget).map(Self)
    }
}
