//! Reading values that may be of another type than documented. Such a value reads as absent, never as an error.

use std::marker::PhantomData;

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess},
};

use super::budget::Budget;

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

/// What a visitor makes of values that it has no other method for.
macro_rules! otherwise {
    ($value:expr; $($kind:ident)*) => {
        $($crate::event::wire::lenient::otherwise!(@ $kind $value);)*
    };
    (@ bool $value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@ i64 $value:expr) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@ u64 $value:expr) => {
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@ f64 $value:expr) => {
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@ str $value:expr) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@ unit $value:expr) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (@ seq $value:expr) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            $crate::event::wire::lenient::skip_items(&mut items)?;
            Ok($value)
        }
    };
    (@ map $value:expr) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            $crate::event::wire::lenient::skip_members(&mut map)?;
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
