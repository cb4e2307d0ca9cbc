//! Reading texts, numbers and flags, each also in the form of another.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};

use super::{
    budget::Budget,
    lenient::{Lenient, otherwise, skip_members},
    member::NameSeed,
};
use crate::event::AgentState;

/// Any value that is neither a list nor an object.
enum Scalar<'de> {
    Text(Cow<'de, str>),
    Positive(u64),
    Negative(i64),
    Float(f64),
    Flag(bool),
    Absent,
}

/// What is made of a scalar. [`Scalar::Absent`] stands for lists and objects, too.
trait OfScalar<'de> {
    fn of(scalar: Scalar<'de>) -> Self;
}

macro_rules! read_as_scalars {
    ($($type:ty)*) => {$(
        impl<'de> Lenient<'de> for $type {
            fn read<D: Deserializer<'de>>(deserializer: D, _: &mut Budget) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ScalarVisitor(PhantomData))
            }
        }
    )*};
}

read_as_scalars!(Option<Cow<'de, str>> Option<String> Text Id ElementId Option<bool> Flag Option<f64> Stars Option<AgentState>);

impl<'de> OfScalar<'de> for Option<Cow<'de, str>> {
    fn of(scalar: Scalar<'de>) -> Self {
        if let Scalar::Text(text) = scalar { Some(text) } else { None }
    }
}

impl OfScalar<'_> for Option<String> {
    fn of(scalar: Scalar<'_>) -> Self {
        if let Scalar::Text(text) = scalar { Some(text.into_owned()) } else { None }
    }
}

/// A text that reads as absent if it is empty.
#[derive(Default)]
pub(crate) struct Text(pub(crate) Option<String>);

impl OfScalar<'_> for Text {
    fn of(scalar: Scalar<'_>) -> Self {
        Self(match scalar {
            Scalar::Text(text) if !text.is_empty() => Some(text.into_owned()),
            _ => None,
        })
    }
}

/// A text that names something. An empty one reads as absent, as 0 does; any other whole number reads as the text of its digits.
#[derive(Default)]
pub(crate) struct Id(pub(crate) Option<String>);

impl OfScalar<'_> for Id {
    fn of(scalar: Scalar<'_>) -> Self {
        Self(match scalar {
            Scalar::Text(text) if text.is_empty() => None,
            Scalar::Text(text) => Some(text.into_owned()),
            number => digits(number),
        })
    }
}

/// An [`Id`] inside an element, where an empty text is kept.
pub(crate) struct ElementId(pub(crate) Option<String>);

impl OfScalar<'_> for ElementId {
    fn of(scalar: Scalar<'_>) -> Self {
        Self(match scalar {
            Scalar::Text(text) => Some(text.into_owned()),
            number => digits(number),
        })
    }
}

fn digits(scalar: Scalar<'_>) -> Option<String> {
    match scalar {
        Scalar::Positive(number) if number != 0 => Some(number.to_string()),
        Scalar::Negative(number) => Some(number.to_string()),
        _ => None,
    }
}

impl OfScalar<'_> for Option<bool> {
    fn of(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Flag(flag) => Some(flag),
            Scalar::Positive(1) => Some(true),
            Scalar::Positive(0) => Some(false),
            Scalar::Text(text) => match text.trim_ascii() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A flag of a body.
#[derive(Default)]
pub(crate) struct Flag(pub(crate) Option<bool>);

impl OfScalar<'_> for Flag {
    fn of(scalar: Scalar<'_>) -> Self {
        Self(OfScalar::of(scalar))
    }
}

macro_rules! integers {
    ($($integer:ident)*) => {$(
        read_as_scalars!(Option<$integer>);

        impl OfScalar<'_> for Option<$integer> {
            fn of(scalar: Scalar<'_>) -> Self {
                match scalar {
                    Scalar::Positive(number) => number.try_into().ok(),
                    Scalar::Negative(number) => number.try_into().ok(),
                    Scalar::Float(float) => whole(float)?.try_into().ok(),
                    Scalar::Text(text) => {
                        let digits = text.trim_ascii();
                        digits.parse().ok().or_else(|| whole(digits.parse().ok()?)?.try_into().ok())
                    }
                    Scalar::Flag(_) | Scalar::Absent => None,
                }
            }
        }
    )*};
}

integers!(i64 u64 u32 u8);

/// 5.0 and 5e0 are fives, too. Beyond 2^53 a float is no longer exact.
fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
}

impl OfScalar<'_> for Option<f64> {
    fn of(scalar: Scalar<'_>) -> Self {
        let number = match scalar {
            Scalar::Positive(number) => Some(number as f64),
            Scalar::Negative(number) => Some(number as f64),
            Scalar::Float(float) => Some(float),
            Scalar::Text(text) => text.trim_ascii().parse().ok(),
            Scalar::Flag(_) | Scalar::Absent => None,
        };
        number.filter(|number: &f64| number.is_finite())
    }
}

/// A rating. 0 reads as absent.
pub(crate) struct Stars(pub(crate) Option<u8>);

impl OfScalar<'_> for Stars {
    fn of(scalar: Scalar<'_>) -> Self {
        Self(Option::of(scalar).filter(|stars| *stars != 0))
    }
}

impl OfScalar<'_> for Option<AgentState> {
    fn of(scalar: Scalar<'_>) -> Self {
        Text::of(scalar).0.map(|name| AgentState::from(&*name))
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<'de, T: OfScalar<'de>> Visitor<'de> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::of(Scalar::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::of(Scalar::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::of(Scalar::Positive(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::of(u64::try_from(number).map_or(Scalar::Negative(number), Scalar::Positive)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::of(Scalar::Float(number)))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::of(Scalar::Flag(flag)))
    }

    otherwise!(T::of(Scalar::Absent); unit seq);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut scalar = Scalar::Absent;
        match map.next_key_seed(NameSeed(|name: &str| name == ARBITRARY_NUMBER))? {
            Some(true) => scalar = map.next_value_seed(DigitsVisitor)?,
            Some(false) => {
                map.next_value::<IgnoredAny>()?;
            }
            None => {}
        }
        skip_members(&mut map)?;
        Ok(T::of(scalar))
    }
}

/// If any crate of the program enables `arbitrary_precision`, serde_json gives a number that fits neither `u64` nor `i64` as an
/// object with this member, which has the digits.
pub(super) const ARBITRARY_NUMBER: &str = "$serde_json::private::Number";

struct DigitsVisitor;

impl<'de> DeserializeSeed<'de> for DigitsVisitor {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DigitsVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, digits: &str) -> Result<Self::Value, E> {
        Ok(match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Scalar::Float(number),
            Ok(_) => Scalar::Text(Cow::Owned(digits.to_owned())), // as `mend` leaves it
            Err(_) => Scalar::Absent,
        })
    }

    // A sender can write such an object, too, with anything in it.
    otherwise!(Scalar::Absent; bool i64 u64 f64 unit seq map);
}
