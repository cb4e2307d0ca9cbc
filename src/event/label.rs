//! Enums with names.

/// Gives each variant a name for logs, metrics and JSON.
macro_rules! labels {
    ($type:ident { $($variant:ident => $label:literal,)* }) => {
        impl $type {
            /// Its name for logs, metrics and JSON: stable, and one of a fixed list.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        /// As the text of [`as_str`](Self::as_str).
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

/// For an enum of the names that the wire has, any other name included: it has `as_str` and `From<&str>`.
macro_rules! text {
    ($type:ident) => {
        /// Never fails: an unknown name is `Other`.
        impl std::str::FromStr for $type {
            type Err = std::convert::Infallible;

            fn from_str(wire: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(wire))
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, wire: &str) -> bool {
                self.as_str() == wire
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, wire: &&str) -> bool {
                self.as_str() == *wire
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        /// As the name on the wire.
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        /// From the name on the wire.
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(|wire| Self::from(&*wire))
            }
        }
    };
}

pub(super) use {labels, text};
