//! Numbers, each a constant with its name and description. `docs/watching.md` lists them, and a test compares that list with
//! what a program serves.

#[cfg(feature = "metrics")]
mod enabled;

#[cfg(not(feature = "metrics"))]
mod disabled;

/// A label's name and value. Values come from fixed lists.
pub(crate) type Label = (&'static str, &'static str);

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[cfg_attr(not(feature = "metrics"), allow(dead_code))]
        pub(crate) struct $kind {
            name: &'static str,
            description: &'static str,
        }

        impl $kind {
            pub(crate) const fn new(name: &'static str, description: &'static str) -> Self {
                Self { name, description }
            }
        }
    )*};
}

kinds! {
    /// A number that only grows.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// Durations, in seconds.
    Histogram,
}
