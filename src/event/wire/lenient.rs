//! Reading values that may be of another type than documented. Such a value reads as absent, never as an error.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{budget::Budget, member::Name};

/// A value that can be read from any JSON in its place.
pub(crate) trait Lenient<'de>: Sized {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error>;
}

/// Reads the value of the member whose name was read just now.
pub(crate) fn value<'de, T: Lenient<'de>, A: MapAccess<'de>>(
    map: &mut A,
    budget: &mut Budget,
) -> Result<T, A::Error> {
    map.next_value_seed(Seed { budget, of: PhantomData })
}

pub(super) struct Seed<'b, T> {
    pub(super) budget: &'b mut Budget,
    pub(super) of: PhantomData<T>,
}

impl<'de, T: Lenient<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer, self.budget)
    }
}

/// Any value that is neither a list nor an object.
enum Scalar<'de> {
    Text(Cow<'de, str>),
    Integer(i128),
    Float(f64),
    Flag(bool),
    Absent,
}

impl<'de> Scalar<'de> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor { is_number: false })
    }

    /// Of the digits of a number that fits neither `u64` nor `i64`.
    fn of_digits(digits: Cow<'de, str>) -> Self {
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Self::Float(number),
            Ok(_) => Self::Text(digits), // as `mend` leaves it
            Err(_) => Self::Absent,
        }
    }
}

struct ScalarVisitor {
    /// Whether serde_json gives the digits of a number.
    is_number: bool,
}

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Absent)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Absent)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        skip_items(&mut items)?;
        Ok(Scalar::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut number = Scalar::Absent;
        if !self.is_number
            && let Some(Name(name)) = map.next_key()?
        {
            if name == ARBITRARY_NUMBER {
                number = match map.next_value_seed(Self { is_number: true })? {
                    Scalar::Text(digits) => Scalar::of_digits(digits),
                    _ => Scalar::Absent,
                };
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        skip_members(&mut map)?;
        Ok(number)
    }
}

impl<'de> DeserializeSeed<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// If any crate of the program enables `arbitrary_precision`, serde_json gives a number that fits neither `u64` nor `i64` as an
/// object with this member.
pub(super) const ARBITRARY_NUMBER: &str = "$serde_json::private::Number";

impl<'de> Lenient<'de> for Option<Cow<'de, str>> {
    fn read<D: Deserializer<'de>>(deserializer: D, _: &mut Budget) -> Result<Self, D::Error> {
        Ok(match Scalar::read(deserializer)? {
            Scalar::Text(text) => Some(text),
            Scalar::Integer(_) | Scalar::Float(_) | Scalar::Flag(_) | Scalar::Absent => None,
        })
    }
}

impl<'de> Lenient<'de> for Option<String> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        Ok(Option::<Cow<'de, str>>::read(deserializer, budget)?.map(Cow::into_owned))
    }
}

/// A text that reads as absent if it is empty.
#[derive(Default)]
pub(crate) struct Text(pub(crate) Option<String>);

impl<'de> Lenient<'de> for Text {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        let text = Option::<Cow<'de, str>>::read(deserializer, budget)?;
        Ok(Self(text.filter(|text| !text.is_empty()).map(Cow::into_owned)))
    }
}

/// A text that names something. An empty one reads as absent, as 0 does; any other whole number reads as the text of its digits.
#[derive(Default)]
pub(crate) struct Id(pub(crate) Option<String>);

impl<'de> Lenient<'de> for Id {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        let ElementId(id) = ElementId::read(deserializer, budget)?;
        Ok(Self(id.filter(|id| !id.is_empty())))
    }
}

/// An [`Id`] inside an element, where an empty text is kept.
#[derive(Default)]
pub(crate) struct ElementId(pub(crate) Option<String>);

impl<'de> Lenient<'de> for ElementId {
    fn read<D: Deserializer<'de>>(deserializer: D, _: &mut Budget) -> Result<Self, D::Error> {
        Ok(Self(match Scalar::read(deserializer)? {
            Scalar::Text(text) => Some(text.into_owned()),
            Scalar::Integer(number) if number != 0 => Some(number.to_string()),
            Scalar::Integer(_) | Scalar::Float(_) | Scalar::Flag(_) | Scalar::Absent => None,
        }))
    }
}

impl<'de> Lenient<'de> for Option<bool> {
    fn read<D: Deserializer<'de>>(deserializer: D, _: &mut Budget) -> Result<Self, D::Error> {
        Ok(match Scalar::read(deserializer)? {
            Scalar::Flag(flag) => Some(flag),
            Scalar::Integer(1) => Some(true),
            Scalar::Integer(0) => Some(false),
            Scalar::Text(text) => match text.trim_ascii() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            Scalar::Integer(_) | Scalar::Float(_) | Scalar::Absent => None,
        })
    }
}

/// A flag of a body.
#[derive(Default)]
pub(super) struct Flag(pub(super) Option<bool>);

impl<'de> Lenient<'de> for Flag {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        Lenient::read(deserializer, budget).map(Self)
    }
}

/// A rating. 0 reads as absent.
pub(super) struct Stars(pub(super) Option<u8>);

impl<'de> Lenient<'de> for Stars {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        let stars: Option<u8> = Lenient::read(deserializer, budget)?;
        Ok(Self(stars.filter(|stars| *stars != 0)))
    }
}

macro_rules! integers {
    ($($integer:ident)*) => {$(
        impl<'de> Lenient<'de> for Option<$integer> {
            fn read<D: Deserializer<'de>>(deserializer: D, _: &mut Budget) -> Result<Self, D::Error> {
                let whole = |float: f64| {
                    // 5.0 and 5e0 are fives, too. Beyond 2^53 a float is no longer exact.
                    (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i128)
                };
                let number = match Scalar::read(deserializer)? {
                    Scalar::Integer(number) => Some(number),
                    Scalar::Float(float) => whole(float),
                    Scalar::Text(text) => {
                        let digits = text.trim_ascii();
                        digits.parse().ok().or_else(|| whole(digits.parse().ok()?))
                    }
                    Scalar::Flag(_) | Scalar::Absent => None,
                };
                Ok(number.and_then(|number| $integer::try_from(number).ok()))
            }
        }
    )*};
}

integers!(i64 u64 u32 u8);

impl<'de> Lenient<'de> for Option<f64> {
    fn read<D: Deserializer<'de>>(deserializer: D, _: &mut Budget) -> Result<Self, D::Error> {
        let number = match Scalar::read(deserializer)? {
            Scalar::Integer(number) => Some(number as f64),
            Scalar::Float(float) => Some(float),
            Scalar::Text(text) => text.trim_ascii().parse().ok(),
            Scalar::Flag(_) | Scalar::Absent => None,
        };
        Ok(number.filter(|number| number.is_finite()))
    }
}

/// What a visitor makes of any scalar that it has no other method for.
macro_rules! otherwise {
    ($value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

pub(super) use otherwise;

pub(super) fn skip_items<'de, A: SeqAccess<'de>>(items: &mut A) -> Result<(), A::Error> {
    while items.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

pub(super) fn skip_members<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}
