//! What a query claims, read so that its faults can be named.

/// The names that the library knows.
pub(super) const NAMES: [&str; 8] = [
    "SdkAppid",
    "CallbackCommand",
    "contenttype",
    "ClientIP",
    "OptPlatform",
    "RequestID",
    "Sign",
    "RequestTime",
];

/// Those that decide something.
pub(super) const DECIDING: [&str; 4] = ["SdkAppid", "CallbackCommand", "Sign", "RequestTime"];

/// Names and values, decoded, in order.
pub(super) struct Claims(pub(super) Vec<(String, String)>);

impl Claims {
    pub(super) fn of(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub(super) fn all<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c str> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value, if there is one that is not empty.
    pub(super) fn present(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    /// Whether it has any parameter of the sender.
    pub(super) fn has_any(&self) -> bool {
        NAMES.iter().any(|name| self.first(name).is_some())
    }
}
