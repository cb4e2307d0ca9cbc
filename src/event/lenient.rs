//! Reading a value that may be of another type than the documentation says: it reads as absent, never as an error.
//! A value is taken as JSON text first, because a number may stand in a string or be too large for any type, and a string
//! may hold half of an emoji; any of these would fail a whole body.

use std::borrow::Cow;

use memchr::memchr;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(read_text(Box::<RawValue>::deserialize(deserializer)?.get()).map(Cow::into_owned))
}

pub(super) fn number<'de, D: Deserializer<'de>, N: Number>(deserializer: D) -> Result<Option<N>, D::Error> {
    Ok(N::read(Box::<RawValue>::deserialize(deserializer)?.get()))
}

pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(read_flag(Box::<RawValue>::deserialize(deserializer)?.get()))
}

/// The texts of an array, or none at all.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let json = Box::<RawValue>::deserialize(deserializer)?;
    Ok(items(json.get()).iter().filter_map(|item| Some(read_text(item.get())?.into_owned())).collect())
}

/// The items of an array of objects, but for those that are no objects.
pub(super) fn list<'de, D: Deserializer<'de>, T: for<'item> Deserialize<'item>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let json = Box::<RawValue>::deserialize(deserializer)?;
    Ok(items(json.get()).iter().filter_map(|item| last_counts(item.get(), |json| read(json))).collect())
}

/// Reads again, where need be, what a derived `Deserialize` refuses: of a name that stands twice the last value counts, and
/// half of an emoji in a name is replaced.
pub(super) fn last_counts<T>(json: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let value = |json: &str| serde_json::from_str::<Value>(json);
    let again = || value(json).or_else(|_| value(&replace_lone_surrogates(json)));
    read(json).or_else(|| read(&again().ok()?.to_string()))
}

/// A JSON object as a `T`. A derived `Deserialize` alone would take an array as well.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    json.starts_with('{').then(|| serde_json::from_str(json).ok()).flatten()
}

/// The items of an array as JSON, none if it is not an array.
pub(super) fn items(json: &str) -> Vec<&RawValue> {
    serde_json::from_str(json).unwrap_or_default()
}

pub(super) fn read_text(json: &str) -> Option<Cow<'_, str>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr(b'\\', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let unescaped =
        serde_json::from_str(json).or_else(|_| serde_json::from_str(&replace_lone_surrogates(json)));
    unescaped.ok().map(Cow::Owned)
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
    json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json).trim_ascii()
}

/// Clients cut texts without regard to UTF-16 pairs, and half of an emoji makes text that no Rust string can hold.
fn replace_lone_surrogates(json: &str) -> String {
    let mut mended = String::new();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let length = match (code_unit(escape), escape.get(6..).and_then(code_unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    mended.push_str(rest);
    mended
}

/// The code unit of the `\uXXXX` at the start of `escape`.
fn code_unit(escape: &str) -> Option<u32> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}
