//! What can be sent by name.

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use tencent_desk_webhook::{
    event::EventName,
    testing::{self, EventFixture},
};

/// The names that the library knows.
pub(crate) fn names() -> Vec<String> {
    EventName::documented().map(|name| name.as_str().to_owned()).collect()
}

/// The body to be sent under `name`, and whether the library knows the name. Case does not matter for names that it knows.
pub(crate) fn fixture(name: &str) -> (EventFixture, bool) {
    let known = names().into_iter().find(|known| known.eq_ignore_ascii_case(name));
    (testing::event(known.as_deref().unwrap_or(name)), known.is_some())
}

/// Takes any name, and offers the known ones to shells.
#[derive(Clone, Debug)]
pub(crate) struct NameParser;

impl TypedValueParser for NameParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(names().into_iter().map(PossibleValue::new)))
    }
}
