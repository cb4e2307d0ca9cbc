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
    /// # Errors
    ///
    /// When `token` is blank, as an unset variable or an empty file would make it.
    pub fn new(token: impl AsRef<str>) -> Result<Self, BlankToken> {
        let token = token.as_ref();
        if token.trim().is_empty() { Err(BlankToken) } else { Ok(Self(token.into())) }
    }

    /// Whether `received` is what this token makes of `request_time`, compared in full whatever it is.
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
/// When the text is blank.
impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self::new(token).unwrap_or_else(|blank| panic!("{blank}"))
    }
}

/// # Panics
///
/// When the text is blank.
impl From<String> for Token {
    fn from(token: String) -> Self {
        token.as_str().into()
    }
}

/// The token is empty or white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlankToken;

impl fmt::Display for BlankToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the callback token is blank: anybody could sign with it; take the one that stands in the console")
    }
}

impl std::error::Error for BlankToken {}
