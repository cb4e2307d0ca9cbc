//! The names of members.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Visitor},
};

/// Reads a name as what the function makes of it, so that no name is copied.
pub(super) struct NameSeed<F>(pub(super) F);

impl<'de, T, F: Fn(&str) -> T> DeserializeSeed<'de> for NameSeed<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<T, F: Fn(&str) -> T> Visitor<'_> for NameSeed<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<T, E> {
        Ok(self.0(name))
    }
}
