use std::{error::Error, fmt, sync::Arc};

/// Why the store could not do something, and what can be done about it. No secret is in it.
#[derive(Clone)]
pub struct InboxError(Arc<str>);

impl InboxError {
    /// With this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// With this text, and what `cause` and its own causes say.
    #[must_use]
    pub fn caused(text: impl fmt::Display, cause: &dyn Error) -> Self {
        let mut whole = format!("{text}: {cause}");
        let mut next = cause.source();
        while let Some(cause) = next {
            let said = cause.to_string();
            // Many an error has its cause's text in its own.
            if !whole.contains(&said) {
                whole = format!("{whole}: {said}");
            }
            next = cause.source();
        }
        Self::new(whole)
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
