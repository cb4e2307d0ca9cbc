//! The vendor's documented values.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// App, token and time of the documented signature.
pub(crate) const APP: u64 = 1_400_000_000;
pub(crate) const TOKEN: &str = "xxxxyyyy";
pub(crate) const NOW: u64 = 1_669_872_112;

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) const ACKNOWLEDGEMENT: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
