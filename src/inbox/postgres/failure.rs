//! Why something could not be done, and whether it may be tried again.

use tokio_postgres::{Error, error::SqlState};

use crate::inbox::InboxError;

#[derive(Debug)]
pub(super) struct Failure {
    error: InboxError,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It may succeed on a new connection.
    Transient,
    /// A lock was held for longer than the connection's `lock_timeout`.
    Locked,
    /// Part of a row is lost.
    Corrupted,
    /// A row has changed since it was read.
    Changed,
    /// The database's encoding lacks a character.
    Untranslatable,
    Permanent,
}

impl Failure {
    pub(super) fn permanent(text: &str) -> Self {
        Self { error: InboxError::new(text), kind: Kind::Permanent }
    }

    /// On this connection it is not tried again.
    pub(super) fn silent(text: &str) -> Self {
        Self { error: InboxError::new(text).unavailable(), kind: Kind::Permanent }
    }

    pub(super) fn is_transient(&self) -> bool {
        self.kind == Kind::Transient
    }

    pub(super) fn is_locked(&self) -> bool {
        self.kind == Kind::Locked
    }

    pub(super) fn is_corrupted(&self) -> bool {
        self.kind == Kind::Corrupted
    }

    pub(super) fn is_changed(&self) -> bool {
        self.kind == Kind::Changed
    }

    pub(super) fn is_untranslatable(&self) -> bool {
        self.kind == Kind::Untranslatable
    }

    /// The most likely failure of a first start over a network says what to do.
    pub(super) fn of_connecting(error: Error) -> Self {
        let failure = Self::from(error);
        if !failure.error.to_string().contains("does not support TLS") {
            return failure;
        }
        let error = InboxError::new(format!(
            "{}: switch TLS on there, or add sslmode=disable to the URL if everything on the way may read what it sends",
            failure.error
        ));
        Self { error, kind: Kind::Permanent }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let again = [
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::ADMIN_SHUTDOWN,
            &SqlState::CRASH_SHUTDOWN,
            &SqlState::CANNOT_CONNECT_NOW,
        ];
        let kind = match error.code() {
            // Errors without a code are about the connection.
            None => Kind::Transient,
            Some(code) if again.contains(&code) => Kind::Transient,
            Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Kind::Locked,
            Some(code) if *code == SqlState::DATA_CORRUPTED => Kind::Corrupted,
            // Raised by statements that check for changes.
            Some(code) if *code == SqlState::INVALID_TEXT_REPRESENTATION => Kind::Changed,
            Some(code) if *code == SqlState::UNTRANSLATABLE_CHARACTER => Kind::Untranslatable,
            Some(_) => Kind::Permanent,
        };
        let error = InboxError::caused("PostgreSQL could not do it", &error);
        Self { error: if kind == Kind::Transient { error.unavailable() } else { error }, kind }
    }
}

impl From<Failure> for InboxError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}
