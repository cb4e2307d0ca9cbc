use std::{error::Error, fmt, sync::Arc};

use crate::handler::with_sources;

/// Why the store could not do something, and what can be done about it. No secret is in it.
#[derive(Clone)]
pub struct InboxError(Arc<str>);

impl InboxError {
    /// With this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// With this text, and the texts of `cause` and its sources.
    #[must_use]
    pub fn caused(text: impl fmt::Display, cause: &dyn Error) -> Self {
        Self::new(format!("{text}: {}", with_sources(cause)))
    }
}

impl fmt::Display for InboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InboxError({self})")
    }
}

impl Error for InboxError {}
