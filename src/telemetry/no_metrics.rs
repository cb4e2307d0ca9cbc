//! Without feature `metrics` nothing is counted.

use std::time::Duration;

pub(crate) fn describe() {}

pub(super) fn ended(_: &'static str, _: Option<&'static str>, _: Duration) {}

pub(super) fn handled(_: &'static str, _: bool, _: Duration) {}

pub(crate) fn started() {}

pub(crate) fn stopped() {}

#[cfg(feature = "inbox")]
pub(super) use self::inbox::{attempted, duplicate, record_stats, stored};

#[cfg(feature = "inbox")]
pub(crate) use self::inbox::describe_inbox;

#[cfg(feature = "inbox")]
mod inbox {
    use super::Duration;
    use crate::inbox::Stats;

    pub(crate) fn describe_inbox() {}

    pub(in crate::telemetry) fn stored() {}

    pub(in crate::telemetry) fn duplicate() {}

    pub(in crate::telemetry) fn attempted(_: &'static str, _: Duration) {}

    pub(in crate::telemetry) fn record_stats(_: &Stats) {}
}
