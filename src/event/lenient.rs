//! Reading a value that may be of another type than the documentation says: it reads as absent, never as an error.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Text, or `None` for whatever else stands there.
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<'a>(PhantomData<&'a str>);

impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Text::deserialize(deserializer)?.0.map(Cow::into_owned))
}

/// Taken as JSON text, for a number may stand in a string, be too large for its type, or be no number at all.
pub(super) fn number<'de, D: Deserializer<'de>, N: Number>(deserializer: D) -> Result<Option<N>, D::Error> {
    Ok(N::read(Box::<RawValue>::deserialize(deserializer)?.get()))
}

pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(read_flag(Box::<RawValue>::deserialize(deserializer)?.get()))
}

/// The texts of an array, or none at all.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let json = Box::<RawValue>::deserialize(deserializer)?;
    Ok(items(json.get()).iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect())
}

/// The items of an array of objects, but for those that are no objects.
pub(super) fn list<'de, D: Deserializer<'de>, T: for<'item> Deserialize<'item>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let json = Box::<RawValue>::deserialize(deserializer)?;
    Ok(items(json.get()).iter().filter_map(|item| read(item.get())).collect())
}

/// A JSON object as a `T`. A derived `Deserialize` alone would take an array as well.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    json.starts_with('{').then(|| serde_json::from_str(json).ok()).flatten()
}

/// The items of an array as JSON, none if it is not an array.
pub(super) fn items(json: &str) -> Vec<&RawValue> {
    serde_json::from_str(json).unwrap_or_default()
}

pub(super) fn read_flag(json: &str) -> Option<bool> {
    match unquoted(json) {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A number that may be written as a string.
pub(super) trait Number: Sized {
    fn read(json: &str) -> Option<Self>;
}

macro_rules! integers {
    ($($integer:ident)*) => {$(
        impl Number for $integer {
            fn read(json: &str) -> Option<Self> {
                let digits = unquoted(json);
                digits.parse().ok().or_else(|| {
                    // 5.0 and 5e0 are fives, too. Beyond 2^53 a float is no longer exact.
                    let float = f64::read(digits).filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
                    $integer::try_from(float as i64).ok()
                })
            }
        }
    )*};
}

integers!(i64 u64 u32 u8);

impl Number for f64 {
    fn read(json: &str) -> Option<Self> {
        unquoted(json).parse().ok().filter(|float: &f64| float.is_finite())
    }
}

fn unquoted(json: &str) -> &str {
    json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json)
}
