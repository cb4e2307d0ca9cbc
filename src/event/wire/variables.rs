//! Variables of a bot, by name.

use std::collections::BTreeMap;

use serde::{
    Deserializer,
    de::{Error, MapAccess},
};
use serde_json::value::RawValue;

use super::{
    budget::Budget,
    lenient::Lenient,
    object::{Content, Object},
};

/// Texts by name. A value that is not a text has the text of its JSON, and `null` is an empty text.
#[derive(Default)]
pub(crate) struct Variables(pub(crate) BTreeMap<String, String>);

impl<'de> Object<'de> for Variables {
    type Member = String;

    fn member(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn read<A: MapAccess<'de>>(
        &mut self,
        name: String,
        map: &mut A,
        budget: &mut Budget,
    ) -> Result<(), A::Error> {
        let json = map.next_value::<Box<RawValue>>()?;
        let text = match json.get() {
            "null" => String::new(),
            text if text.starts_with('"') => serde_json::from_str(text).map_err(A::Error::custom)?,
            other => other.to_owned(),
        };
        if budget.take_bytes(VARIABLE + name.len() + text.len()) {
            self.0.insert(name, text);
        }
        Ok(())
    }
}

impl<'de> Lenient<'de> for Variables {
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        Ok(Content::<Self>::read(deserializer, budget)?.0.unwrap_or_default())
    }
}

/// What a variable takes in the map beside its texts.
const VARIABLE: usize = 160;
