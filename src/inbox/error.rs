use std::{error::Error, fmt, sync::Arc};

/// Why the store could not do something, and what can be done about it. It contains no secret.
///
/// Its text includes the texts of its [sources](Error::source), so a log needs no more than the text.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # async fn open() -> Result<(), tencent_desk_webhook::inbox::InboxError> {
/// use tencent_desk_webhook::inbox::Inbox;
///
/// match Inbox::open("desk.db").await {
///     Err(error) if error.is_locked() => println!("another process has it: {error}"),
///     inbox => drop(inbox?),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct InboxError(Arc<Inner>);

struct Inner {
    kind: Kind,
    text: String,
    source: Option<Arc<Cause>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Locked,
    NewerSchema,
    Unavailable,
    Other,
}

/// The text of an error of an engine, whose types are not public.
#[derive(Debug)]
struct Cause {
    text: String,
    source: Option<Arc<Self>>,
}

impl InboxError {
    /// An error with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self::of_kind(Kind::Other, text, None)
    }

    /// An error with this text, followed by the texts of `cause` and its sources. It is of the kind of `cause`, if that is an
    /// `InboxError`.
    #[must_use]
    pub fn caused(text: impl fmt::Display, cause: &(dyn Error + 'static)) -> Self {
        let kind = cause.downcast_ref::<Self>().map_or(Kind::Other, |error| error.0.kind);
        let whole = format!("{text}: {}", crate::handler::with_sources(cause));
        Self::of_kind(kind, whole, Some(Arc::new(Cause::of(cause))))
    }

    fn of_kind(kind: Kind, text: impl Into<String>, source: Option<Arc<Cause>>) -> Self {
        Self(Arc::new(Inner { kind, text: text.into(), source }))
    }

    /// The same error, [locked](Self::is_locked).
    #[must_use]
    pub fn locked(self) -> Self {
        self.with_kind(Kind::Locked)
    }

    /// The same error, about a [newer schema](Self::is_newer_schema).
    #[must_use]
    pub fn newer_schema(self) -> Self {
        self.with_kind(Kind::NewerSchema)
    }

    /// The same error, [unavailable](Self::is_unavailable).
    #[must_use]
    pub fn unavailable(self) -> Self {
        self.with_kind(Kind::Unavailable)
    }

    fn with_kind(self, kind: Kind) -> Self {
        Self::of_kind(kind, self.0.text.clone(), self.0.source.clone())
    }

    /// Whether another process, or another [`Inbox`](super::Inbox) of this one, has the SQLite file.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.kind == Kind::Locked
    }

    /// Whether a later release has written the file or the schema. Use that release, or a later one.
    #[must_use]
    pub fn is_newer_schema(&self) -> bool {
        self.0.kind == Kind::NewerSchema
    }

    /// Whether the same call may succeed later: the store cannot be reached, does not answer in time, is busy, or its disk is
    /// full.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.0.kind == Kind::Unavailable
    }
}

impl Cause {
    fn of(error: &dyn Error) -> Self {
        let source = error.source().map(|source| Arc::new(Self::of(source)));
        Self { text: error.to_string(), source }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &dyn Error)
    }
}

impl fmt::Display for InboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for InboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InboxError({self})")
    }
}

impl Error for InboxError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &dyn Error)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{error::Error as _, io};

    use super::InboxError;

    #[test]
    fn an_error_has_its_kind_its_whole_text_and_its_sources() {
        let first =
            InboxError::caused("the file cannot be read", &io::Error::other("a bad sector")).unavailable();
        let second = InboxError::caused("the inbox cannot be opened", &first);
        assert!(second.is_unavailable() && !second.is_locked() && !second.is_newer_schema());
        assert!(second.to_string().starts_with("the inbox cannot be opened: the file cannot be read"));
        assert_eq!(second.source().unwrap().to_string(), first.to_string());
        assert_eq!(first.source().unwrap().to_string(), "a bad sector");
        assert!(InboxError::new("of its own").source().is_none());
    }
}
