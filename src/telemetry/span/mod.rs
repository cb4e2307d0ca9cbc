//! Spans. `docs/watching.md` lists them and their fields.

#[cfg(feature = "tracing")]
mod enabled;

#[cfg(not(feature = "tracing"))]
mod disabled;

#[cfg(not(feature = "tracing"))]
pub(crate) use self::disabled::{Span, span};
#[cfg(feature = "tracing")]
pub(crate) use self::enabled::{Span, span};
