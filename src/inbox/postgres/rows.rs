//! Reads columns of rows. Nothing that is stored makes it fail.

use std::time::Duration;

use tokio_postgres::Row;

use crate::inbox::store::{Claim, LaneKey};

/// Of columns 0 and 1.
pub(super) fn claim(row: &Row) -> Claim {
    Claim { lane: lane(row), epoch: row.get(1) }
}

/// Of column 0.
pub(super) fn lane(row: &Row) -> LaneKey {
    let mut lane = LaneKey([0; 16]);
    let bytes: &[u8] = row.get(0);
    if bytes.len() == lane.0.len() {
        lane.0.copy_from_slice(bytes);
    }
    lane
}

pub(super) fn count(row: &Row, column: usize) -> u32 {
    u32::try_from(row.get::<_, i32>(column)).unwrap_or(0)
}

pub(super) fn text(row: &Row, column: usize) -> String {
    String::from_utf8_lossy(row.get(column)).into_owned()
}

pub(super) fn optional_text(row: &Row, column: usize) -> Option<String> {
    row.get::<_, Option<&[u8]>>(column).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// Of a number of seconds, which is below zero if the server's clock was set back.
pub(super) fn age(row: &Row, column: usize) -> Option<Duration> {
    row.get::<_, Option<f64>>(column).and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok())
}
