//! The engine for one machine: an SQLite file. Events and keys are on disk, the state of the lanes is in memory.

mod files;

mod lock;

mod file;

mod presence;

mod log;

mod reserve;

mod upkeep;

mod commit;

mod thread;

mod queue;

mod crashes;

mod lanes;

mod slots;

mod memory;

mod rows;

mod finish;

mod forget;

mod sessions;

mod sweep;

mod owner;

mod command;

mod operator;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) use self::{operator::Operator, owner::Owner};

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// What was stored, or given up, before this is older than `age`.
fn before(age: Duration) -> i64 {
    millis(SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH))
}
