//! Reading values of the types that the documentation says, in one pass and without a copy. Whatever else comes is an error,
//! after which the body is read again, leniently.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Element, TextElem,
    element::{ELEMENT_LIMIT, Field, Shape},
};

/// A text, or `null`.
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for an `Option`, serde_json would look at the value's beginning twice.
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// `MsgBody`, up to the limit.
pub(super) struct Elements(pub(super) Vec<Element>);

impl<'de> Deserialize<'de> for Elements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ElementsVisitor).map(Self)
    }
}

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Vec<Element>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Element>, A::Error> {
        // Almost every message has one.
        let mut elements = Vec::with_capacity(1);
        while let Some(One(element)) = items.next_element()? {
            if elements.len() < ELEMENT_LIMIT {
                elements.push(element);
            }
        }
        Ok(elements)
    }
}

struct One(Element);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ElementVisitor).map(Self)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element")
    }

    /// A text, if it says so first, is read where it stands; of any other the content is cut out until its type is known.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let (mut name, mut content, mut text) = (None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::MsgType if name.is_none() => name = map.next_value::<Text<'de>>()?.0,
                Field::MsgContent if content.is_none() && text.is_none() => {
                    if name.as_deref() == Some("TIMTextElem") {
                        text = Some(map.next_value::<Words<'de>>()?.0);
                    } else {
                        content = Some(map.next_value::<&'de RawValue>()?.get());
                    }
                }
                Field::MsgType | Field::MsgContent => return Err(A::Error::custom("a name stands twice")),
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let Some(text) = text {
            return Ok(Element::Text(TextElem { text: text.map(Cow::into_owned) }));
        }
        let name = name.ok_or_else(|| A::Error::missing_field("MsgType"))?;
        let content = content.filter(|content| *content != "null").unwrap_or("{}");
        Shape { name, content }.read(0).ok_or_else(|| A::Error::custom("an element of no known type"))
    }
}

/// The content of a text.
struct Words<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Words<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WordsVisitor).map(Self)
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text's content")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier)]
        enum Field {
            Text,
            #[serde(other)]
            Other,
        }
        let mut words = None;
        while let Some(field) = map.next_key()? {
            match field {
                Field::Text if words.is_none() => words = Some(map.next_value::<Text<'de>>()?.0),
                Field::Text => return Err(A::Error::custom("a name stands twice")),
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(words.flatten())
    }
}
