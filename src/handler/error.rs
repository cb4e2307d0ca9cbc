//! Why a handler failed, and whether a retry can help.

use std::{any::Any, error::Error, fmt, time::Duration};

use crate::isolate::discard;

/// Why a handler failed. Any error becomes one by `?`; it is not an [`Error`] itself, because that makes `?` possible.
///
/// `{}` shows the error alone, `{:#}` also its sources, outermost first: logs and dead letters have the latter.
///
/// ```
/// use tencent_desk_webhook::HandlerError;
///
/// #[derive(Debug)]
/// struct Closed(std::io::Error);
/// # impl std::fmt::Display for Closed {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("the ticket was not closed") }
/// # }
/// impl std::error::Error for Closed {
///     fn source(&self) -> Option<&(dyn std::error::Error + 'static)> { Some(&self.0) }
/// }
///
/// let error = HandlerError::from(Closed(std::io::Error::other("connection reset")));
/// assert_eq!(error.to_string(), "the ticket was not closed");
/// assert_eq!(format!("{error:#}"), "the ticket was not closed: connection reset");
/// ```
pub struct HandlerError {
    cause: Box<dyn Error + Send + Sync>,
    retry: Retry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    Useful,
    After(Duration),
    Useless,
    BySender,
}

impl HandlerError {
    /// A retry cannot help: the handler cannot take this event.
    #[must_use]
    pub fn permanent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), retry: Retry::Useless }
    }

    /// The event was not taken, and the sender gets status 503. It may never repeat the event.
    #[must_use]
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), retry: Retry::BySender }
    }

    /// The event should be tried again no sooner than in `delay`, as a rate limit demands. Behind the inbox that replaces
    /// the usual back-off; without it, the error is like any other. [`caused_by`](Self::caused_by) adds the reason.
    #[must_use]
    pub fn retry_after(delay: Duration) -> Self {
        Self { cause: format!("to be tried again in {delay:?}").into(), retry: Retry::After(delay) }
    }

    /// The same advice on retries, with `cause` as the error.
    #[must_use]
    pub fn caused_by(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), retry: self.retry }
    }

    /// Whether it was made by [`permanent`](Self::permanent).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.retry == Retry::Useless
    }

    /// Whether it was made by [`unavailable`](Self::unavailable).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.retry == Retry::BySender
    }

    /// The delay that [`retry_after`](Self::retry_after) asked for.
    #[must_use]
    pub fn retry_delay(&self) -> Option<Duration> {
        match self.retry {
            Retry::After(delay) => Some(delay),
            Retry::Useful | Retry::Useless | Retry::BySender => None,
        }
    }

    /// The error that it was made of.
    #[must_use]
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }

    pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let error = Self::from(format!("panicked: {}", text.unwrap_or("(no text)")));
        discard(panic);
        error
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    fn from(cause: E) -> Self {
        Self { cause: cause.into(), retry: Retry::Useful }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { f.write_str(&with_sources(&*self.cause)) } else { self.cause.fmt(f) }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError").field("cause", &self.cause).field("retry", &self.retry).finish()
    }
}

/// An error's text and those of its sources. Many errors repeat their source's text in their own, so a text that is
/// already there is left out.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let sources = std::iter::successors(error.source(), |&error| error.source());
    for source in sources.take(SOURCES).map(ToString::to_string) {
        if !text.contains(&source) {
            text = format!("{text}: {source}");
        }
    }
    text
}

/// A chain of sources may be circular.
const SOURCES: usize = 16;
