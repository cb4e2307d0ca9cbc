//! The shared secret.

use std::{fmt, sync::Arc};

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// The secret that signs callbacks. It is shown nowhere, also not by `Debug`.
///
/// Text converts into it; [`Token::new`] is for text that was not written by hand.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// Takes the token as it stands in the console.
    ///
    /// # Errors
    ///
    /// When `token` is blank, as an unset variable or an empty file would make it, or has white space around it, as a file that
    /// ends with a line break does.
    pub fn new(token: impl AsRef<str>) -> Result<Self, InvalidToken> {
        let token = token.as_ref();
        match token.trim() {
            "" => Err(InvalidToken::Blank),
            trimmed if trimmed.len() < token.len() => Err(InvalidToken::Surrounded),
            _ => Ok(Self(token.into())),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Returns whether `received` is the signature of `request_time`, in a time that does not depend on where they differ.
    pub(super) fn signed(&self, request_time: &str, received: &[u8; 32]) -> Choice {
        let expected = Sha256::new().chain_update(self.0.as_bytes()).chain_update(request_time).finalize();
        words(&expected.into()).ct_eq(&words(received))
    }
}

/// Byte by byte a comparison in constant time takes as long as a field of JSON.
fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_ne_bytes(words[at]))
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(_)")
    }
}

/// # Panics
///
/// When the text is blank or has white space around it.
impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self::new(token).unwrap_or_else(|invalid| panic!("{invalid}"))
    }
}

/// # Panics
///
/// When the text is blank or has white space around it.
impl From<String> for Token {
    fn from(token: String) -> Self {
        token.as_str().into()
    }
}

/// Why a text is no token. The text itself is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It is empty or white space.
    Blank,
    /// It has white space before or behind it.
    Surrounded,
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "the callback token is blank, and anyone could sign with it: set it to the console's",
            Self::Surrounded => {
                "the callback token has white space around it, such as the line break at the end of a file: trim it"
            }
        })
    }
}

impl std::error::Error for InvalidToken {}
