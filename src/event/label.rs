//! Enums with stable names.

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

pub(super) use labels;
