//! What makes two deliveries the same event.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::Event;

/// Tells a repeated delivery of an event from another event. For a unique column, or a set of what was handled.
///
/// It is made of the app, `SessionId`, `Event`, `EventTime`, `MsgKey` and the body, and of nothing that can change without
/// changing the event: `RequestID` and the other parameters of the query are unsigned. 24 bytes: the event's time first, so
/// that an index of keys grows at its end, then 128 bits of a SHA-256. `Display` gives 48 hexadecimal digits.
///
/// ```
/// use tencent_desk_webhook::Event;
///
/// let of = |session| format!(r#"{{"SdkAppid":7,"SessionId":"{session}","Event":"SessionBegin","EventTime":0}}"#);
/// let first: Event = serde_json::from_str(&of("s-1"))?;
/// let other: Event = serde_json::from_str(&of("s-2"))?;
/// assert_eq!(first.dedup_key(), first.clone().dedup_key());
/// assert_ne!(first.dedup_key(), other.dedup_key());
/// assert_eq!(first.dedup_key().to_string().len(), 48);
/// # Ok::<(), serde_json::Error>(())
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
        let millis = self.time_millis();
        let digest = digest([
            self.sdk_app_id.to_be_bytes().as_slice(),
            self.session_id.as_bytes(),
            self.name.as_str().as_bytes(),
            &millis.to_be_bytes(),
            self.msg_key().as_deref().unwrap_or_default().as_bytes(),
            self.raw.as_bytes(),
        ]);
        let mut key = [0; 24];
        // With the sign's bit turned, bytes sort as times do.
        key[..8].copy_from_slice(&(millis ^ i64::MIN).to_be_bytes());
        key[8..].copy_from_slice(&digest);
        DedupKey(key)
    }
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
