//! Reading values that may be of another type than documented: such a value reads as absent, and never as an error.
//!
//! Everything is read in one pass. What serde_json cannot read at all, half an emoji or a number beyond `f64`, is an error, and
//! the body is read again after [`mend`](super::mend).

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use serde_json::Value;

use super::budget::{Budget, push};

/// What a visitor makes of any value that it has no other method for.
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

/// A value that can be read from whatever is on the wire in its place.
pub(super) trait Lenient<'de>: Sized {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error>;
}

/// Reads the value of the member whose name was read just now.
pub(super) fn value<'de, T: Lenient<'de>, A: MapAccess<'de>>(
    map: &mut A,
    budget: &mut Budget,
) -> Result<T, A::Error> {
    map.next_value_seed(Seed { budget, of: PhantomData })
}

struct Seed<'b, T> {
    budget: &'b mut Budget,
    of: PhantomData<T>,
}

impl<'de, T: Lenient<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer, self.budget)
    }
}

/// Any value that is no list and no object.
pub(super) enum Scalar<'de> {
    Text(Cow<'de, str>),
    Integer(i128),
    Float(f64),
    Flag(bool),
    Absent,
}

impl<'de> Lenient<'de> for Scalar<'de> {
    fn read<D: Deserializer<'de>>(deserializer: D, _: &mut Budget) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

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
        skip_members(&mut map)?;
        Ok(Scalar::Absent)
    }
}

impl<'de> Lenient<'de> for Option<Cow<'de, str>> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        Ok(match Scalar::read(deserializer, budget)? {
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

/// A text that names something. An empty one and 0 are absent, and any other whole number is the text of its digits.
pub(super) struct Id<'de>(pub(super) Option<Cow<'de, str>>);

impl<'de> Lenient<'de> for Id<'de> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        Ok(Self(match Scalar::read(deserializer, budget)? {
            Scalar::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Scalar::Integer(number) if number != 0 => Some(Cow::Owned(number.to_string())),
            Scalar::Integer(_) | Scalar::Float(_) | Scalar::Flag(_) | Scalar::Absent => None,
        }))
    }
}

impl<'de> Lenient<'de> for Option<bool> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        Ok(match Scalar::read(deserializer, budget)? {
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

macro_rules! integers {
    ($($integer:ident)*) => {$(
        impl<'de> Lenient<'de> for Option<$integer> {
            fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
                let whole = |float: f64| {
                    // 5.0 and 5e0 are fives, too. Beyond 2^53 a float is no longer exact.
                    (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i128)
                };
                let number = match Scalar::read(deserializer, budget)? {
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
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        let number = match Scalar::read(deserializer, budget)? {
            Scalar::Integer(number) => Some(number as f64),
            Scalar::Float(float) => Some(float),
            Scalar::Text(text) => text.trim_ascii().parse().ok(),
            Scalar::Flag(_) | Scalar::Absent => None,
        };
        Ok(number.filter(|number| number.is_finite()))
    }
}

/// The items of a list that can be read, as far as the budget goes. What is no list has none.
impl<'de, T> Lenient<'de> for Vec<T>
where
    Option<T>: Lenient<'de>,
{
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor { budget, of: PhantomData })
    }
}

struct ListVisitor<'b, T> {
    budget: &'b mut Budget,
    of: PhantomData<T>,
}

impl<'de, T> Visitor<'de> for ListVisitor<'_, T>
where
    Option<T>: Lenient<'de>,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while self.budget.take::<T>() {
            let seed = Seed { budget: &mut *self.budget, of: PhantomData::<Option<T>> };
            match items.next_element_seed(seed)? {
                Some(Some(item)) => push(&mut list, item),
                Some(None) => self.budget.give_back::<T>(),
                None => {
                    self.budget.give_back::<T>();
                    return Ok(list);
                }
            }
        }
        skip_items(&mut items)?;
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
        skip_members(&mut map)?;
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    otherwise!(Vec::new());
}

/// An object that is read member by member. Of a name that stands twice the last value counts.
pub(super) trait Object<'de>: Default {
    /// Reads the value of the member `name`.
    fn read_member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        budget: &mut Budget,
    ) -> Result<(), A::Error>;
}

impl<'de, T: Object<'de>> Lenient<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor { budget, null: None })
    }
}

/// An object that may be absent: `null` is an empty one.
pub(super) struct Content<T>(pub(super) Option<T>);

impl<'de, T: Object<'de>> Lenient<'de> for Content<T> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor { budget, null: Some(T::default()) }).map(Self)
    }
}

struct ObjectVisitor<'b, T> {
    budget: &'b mut Budget,
    null: Option<T>,
}

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut object = T::default();
        while let Some(Name(name)) = map.next_key()? {
            object.read_member(&name, &mut map, self.budget)?;
        }
        Ok(Some(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<T>, A::Error> {
        skip_items(&mut items)?;
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(self.null)
    }

    otherwise!(None);
}

/// The name of a member, borrowed where it can be.
pub(super) struct Name<'de>(pub(super) Cow<'de, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(ScalarVisitor)? {
            Scalar::Text(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("a name is a text")),
        }
    }
}

/// Reads and writes a struct by the names that its fields have on the wire. What is absent is not written.
macro_rules! object {
    ($object:ident { $($name:literal => $field:ident),* $(,)? }) => {
        impl<'de> $crate::event::lenient::Object<'de> for $object {
            fn read_member<A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                map: &mut A,
                budget: &mut $crate::event::budget::Budget,
            ) -> Result<(), A::Error> {
                match name {
                    $($name => self.$field = $crate::event::lenient::value(map, budget)?,)*
                    _ => {
                        map.next_value::<serde::de::IgnoredAny>()?;
                    }
                }
                Ok(())
            }
        }

        impl<'de> serde::Deserialize<'de> for $object {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::event::lenient::deserialize(deserializer)
            }
        }

        impl serde::Serialize for $object {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                use $crate::event::lenient::Field as _;

                let mut object = serializer.serialize_map(None)?;
                $(
                    if !self.$field.is_absent() {
                        object.serialize_entry($name, &self.$field)?;
                    }
                )*
                object.end()
            }
        }
    };
}

pub(super) use object;

/// A field that may be absent.
pub(super) trait Field {
    fn is_absent(&self) -> bool;
}

impl<T> Field for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T> Field for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// From any self-describing format, by way of JSON text: only that can be read leniently. Anything but an object is an error.
pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: for<'json> Object<'json>,
    D: Deserializer<'de>,
{
    let json = Value::deserialize(deserializer)?.to_string();
    let mut json = serde_json::Deserializer::from_str(&json);
    let object = Option::<T>::read(&mut json, &mut Budget::unlimited()).map_err(D::Error::custom)?;
    object.ok_or_else(|| D::Error::custom("an object is expected"))
}

pub(super) fn skip_items<'de, A: SeqAccess<'de>>(items: &mut A) -> Result<(), A::Error> {
    while items.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

pub(super) fn skip_members<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}
