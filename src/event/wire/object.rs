//! Reading and writing objects by a table of their members' names.

use std::{collections::BTreeMap, convert::Infallible, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::Value;

use super::{
    budget::Budget,
    lenient::{Lenient, otherwise, skip_members},
    member::NameSeed,
    scalar::ARBITRARY_NUMBER,
};

/// An object that is read member by member. If a name occurs twice, the last value counts.
pub(crate) trait Object<'de>: Default {
    /// One of the members that it has.
    type Member;

    /// The member of this name.
    fn member(name: &str) -> Option<Self::Member>;

    /// Reads the value of a member.
    fn read<A: MapAccess<'de>>(
        &mut self,
        member: Self::Member,
        map: &mut A,
        budget: &mut Budget,
    ) -> Result<(), A::Error>;
}

impl<'de, T: Object<'de>> Lenient<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor { budget, null: None })
    }
}

/// No members.
impl<'de> Object<'de> for () {
    type Member = Infallible;

    fn member(_: &str) -> Option<Infallible> {
        None
    }

    fn read<A: MapAccess<'de>>(
        &mut self,
        member: Infallible,
        _: &mut A,
        _: &mut Budget,
    ) -> Result<(), A::Error> {
        match member {}
    }
}

/// The members of both. The first one wins a name that both have.
impl<'de, T: Object<'de>, U: Object<'de>> Object<'de> for (T, U) {
    type Member = Either<T::Member, U::Member>;

    fn member(name: &str) -> Option<Self::Member> {
        T::member(name).map(Either::First).or_else(|| U::member(name).map(Either::Second))
    }

    fn read<A: MapAccess<'de>>(
        &mut self,
        member: Self::Member,
        map: &mut A,
        budget: &mut Budget,
    ) -> Result<(), A::Error> {
        match member {
            Either::First(member) => self.0.read(member, map, budget),
            Either::Second(member) => self.1.read(member, map, budget),
        }
    }
}

pub(crate) enum Either<T, U> {
    First(T),
    Second(U),
}

/// An object that may be absent: `null` reads as an empty one.
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
        while let Some(name) = map.next_key_seed(NameSeed(named::<T>))? {
            match name {
                Name::Member(member) => object.read(member, &mut map, self.budget)?,
                Name::Number => {
                    map.next_value::<IgnoredAny>()?;
                    skip_members(&mut map)?;
                    return Ok(None);
                }
                Name::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(object))
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(self.null)
    }

    otherwise!(None; bool i64 u64 f64 str seq);
}

enum Name<M> {
    Member(M),
    /// It is a number instead of an object.
    Number,
    Unknown,
}

fn named<'de, T: Object<'de>>(name: &str) -> Name<T::Member> {
    match T::member(name) {
        Some(member) => Name::Member(member),
        None if name == ARBITRARY_NUMBER => Name::Number,
        None => Name::Unknown,
    }
}

/// Reads a struct by the names that its fields have on the wire. A field can name a [reader](super::lenient) that is not that of its
/// own type.
macro_rules! members {
    ($object:ident { $($name:literal => $field:ident $(: $reader:ident)?),* $(,)? }) => {
        const _: () = {
            #[allow(non_camel_case_types)]
            pub(crate) enum Member {
                $($field,)*
            }

            impl<'de> $crate::event::wire::Object<'de> for $object {
                type Member = Member;

                fn member(name: &str) -> Option<Member> {
                    match name {
                        $($name => Some(Member::$field),)*
                        _ => None,
                    }
                }

                fn read<A: serde::de::MapAccess<'de>>(
                    &mut self,
                    member: Member,
                    map: &mut A,
                    budget: &mut $crate::event::wire::Budget,
                ) -> Result<(), A::Error> {
                    match member {
                        $(Member::$field => self.$field = $crate::event::wire::read!(map, budget $(, $reader)?),)*
                    }
                    Ok(())
                }
            }
        };
    };
}

/// Reads and writes a struct as [`members`] reads it. What is absent is not written.
macro_rules! object {
    ($object:ident { $($name:literal => $field:ident $(: $reader:ident)?),* $(,)? }) => {
        $crate::event::wire::members!($object { $($name => $field $(: $reader)?),* });

        impl<'de> serde::Deserialize<'de> for $object {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::event::wire::deserialize(deserializer)
            }
        }

        impl serde::Serialize for $object {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;

                let mut object = serializer.serialize_map(None)?;
                $crate::event::wire::WriteMembers::write_members(self, &mut object)?;
                object.end()
            }
        }

        impl $crate::event::wire::WriteMembers for $object {
            fn write_members<M: serde::ser::SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
                $($crate::event::wire::write(object, $name, &self.$field)?;)*
                Ok(())
            }
        }
    };
}

/// Reads a value as the type that is expected, or by the reader that is named.
macro_rules! read {
    ($map:ident, $budget:ident) => {
        $crate::event::wire::value($map, $budget)?
    };
    ($map:ident, $budget:ident, $reader:ident) => {
        $crate::event::wire::value::<$crate::event::wire::$reader, _>($map, $budget)?.0
    };
}

pub(crate) use {members, object, read};

/// Writes the members of an object, also among those of another.
pub(crate) trait WriteMembers {
    fn write_members<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error>;
}

/// A field that may be absent.
pub(crate) trait Field: Serialize {
    fn is_absent(&self) -> bool;
}

impl<T: Serialize> Field for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Serialize> Field for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<K: Serialize, V: Serialize> Field for BTreeMap<K, V> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// Writes a member unless it is absent.
pub(crate) fn write<M: SerializeMap>(
    object: &mut M,
    name: &'static str,
    field: &impl Field,
) -> Result<(), M::Error> {
    if field.is_absent() { Ok(()) } else { object.serialize_entry(name, field) }
}

/// Deserializes from any self-describing format, by way of JSON text: only that can be read leniently. Anything but an object is an
/// error.
pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: for<'json> Object<'json>,
    D: Deserializer<'de>,
{
    let json = Value::deserialize(deserializer)?.to_string();
    let mut json = serde_json::Deserializer::from_str(&json);
    let object = Option::<T>::read(&mut json, &mut Budget::unlimited()).map_err(D::Error::custom)?;
    object.ok_or_else(|| D::Error::custom("an object is expected"))
}
