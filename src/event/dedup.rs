//! What makes two deliveries the same event.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use super::{Command, Event, EventKind};

/// Identifies an event, however often it is delivered: for a unique column, or for a set of the events that were handled.
///
/// It is made of the app, `SessionId`, `Event`, `EventTime`, `MsgKey`, the body, and the command unless it is that of session events.
/// The key of a task flow's step is made of the app, the command, `ExecutionId` and `Seq`. `RequestID` and the other parameters of
/// the query are not signed, so they have no part in it.
///
/// 24 bytes: the event's time first, so that an index of keys grows at its end, then 128 bits of a SHA-256. The key of a task flow's
/// step has the time 0. Its text, also in serde, is 48 hexadecimal digits.
///
/// ```
/// use tencent_desk_webhook::{Event, event::DedupKey};
///
/// let of = |session| format!(r#"{{"SdkAppid":7,"SessionId":"{session}","Event":"SessionBegin","EventTime":0}}"#);
/// let first: Event = serde_json::from_str(&of("s-1"))?;
/// let other: Event = serde_json::from_str(&of("s-2"))?;
/// assert_eq!(first.dedup_key(), first.clone().dedup_key());
/// assert_ne!(first.dedup_key(), other.dedup_key());
/// let stored = first.dedup_key().to_string();
/// assert_eq!(stored.parse::<DedupKey>()?, first.dedup_key());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupKey([u8; 24]);

impl DedupKey {
    /// The 24 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }
}

impl Event {
    /// Equal for repeated deliveries of this event, and different for any other event.
    #[must_use]
    pub fn dedup_key(&self) -> DedupKey {
        let (app, command) = (self.sdk_app_id.to_be_bytes(), self.command.as_str().as_bytes());
        if let EventKind::TaskFlow(flow) = &self.kind
            && let (Some(execution), Some(seq)) = (&flow.execution_id, flow.seq)
        {
            return key(0, digest([&app[..], command, execution.as_bytes(), &seq.to_be_bytes()]));
        }
        let millis = self.time_millis();
        let parts = [
            &app[..],
            self.session_id.as_bytes(),
            self.name.as_str().as_bytes(),
            &millis.to_be_bytes(),
            self.msg_key().as_deref().unwrap_or_default().as_bytes(),
            self.raw.as_bytes(),
        ];
        match self.command {
            // Inboxes have stored these keys since before there was another command.
            Command::SessionEvent => key(millis, digest(parts)),
            _ => key(millis, digest(parts.into_iter().chain([command]))),
        }
    }
}

fn key(millis: i64, digest: [u8; 16]) -> DedupKey {
    let mut key = [0; 24];
    // With the sign's bit turned, bytes sort as times do.
    key[..8].copy_from_slice(&(millis ^ i64::MIN).to_be_bytes());
    key[8..].copy_from_slice(&digest);
    DedupKey(key)
}

/// Each part goes in with its length, so that no two lists of parts are the same text.
pub(crate) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

impl From<[u8; 24]> for DedupKey {
    fn from(bytes: [u8; 24]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for DedupKey {
    type Error = InvalidDedupKey;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidDedupKey> {
        bytes.try_into().map(Self).map_err(|_| InvalidDedupKey(()))
    }
}

/// From hexadecimal digits in either case.
impl FromStr for DedupKey {
    type Err = InvalidDedupKey;

    fn from_str(text: &str) -> Result<Self, InvalidDedupKey> {
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(InvalidDedupKey(()));
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut key = [0; 24];
        if pairs.len() != key.len() || !rest.is_empty() {
            return Err(InvalidDedupKey(()));
        }
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        }
        Ok(Self(key))
    }
}

/// A text or bytes that are no [`DedupKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDedupKey(());

impl fmt::Display for InvalidDedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key of an event is 24 bytes, or 48 hexadecimal digits")
    }
}

impl Error for InvalidDedupKey {}

impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupKey({self})")
    }
}

impl Serialize for DedupKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DedupKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
