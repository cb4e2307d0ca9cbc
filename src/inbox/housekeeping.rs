//! What an inbox does by itself from time to time: it counts, and deletes what is too old.

use std::{sync::Weak, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Shared, outage::Outage, telemetry};

const SOON: Duration = Duration::from_secs(1);

/// How often events are counted, for metrics and the backlog limit; every second while the limit is reached.
const COUNT: Duration = Duration::from_secs(10);

/// How often dead letters and the archive are looked through.
const OLD_AGE: Duration = Duration::from_secs(60);

/// Counts, as long as there is an inbox.
pub(super) async fn count(inbox: Weak<Shared>) {
    loop {
        let Some(shared) = inbox.upgrade() else { return };
        let before = shared.backlog.before_count();
        if let Ok(stats) = shared.store.stats().await {
            shared.backlog.counted(before, stats.bytes);
            telemetry::record_stats(&stats);
        }
        let is_full = shared.backlog.bytes() >= shared.settings.backlog_limit();
        drop(shared);
        sleep(if is_full { SOON } else { COUNT }).await;
    }
}

/// Deletes keys past the duplicate horizon, dead letters past their retention, and archived events and kept sessions past
/// their age, as long as there is an inbox.
pub(super) async fn delete_old(inbox: Weak<Shared>) {
    let [mut keys, mut letters, mut archive, mut sessions] = std::array::from_fn(|_| Outage::default());
    // Not at once: the settings may be about to be made.
    let mut pause = SOON;
    let mut old_age = Instant::now();
    loop {
        sleep(pause).await;
        let Some(shared) = inbox.upgrade() else { return };
        let horizon = shared.settings.horizon();
        let forgotten = shared.store.forget(horizon).await;
        log(&mut keys, "keys past the duplicate horizon are not deleted", forgotten);
        if Instant::now() >= old_age {
            old_age = Instant::now() + OLD_AGE;
            let purged = shared.store.purge(shared.settings.retention()).await;
            log(&mut letters, "dead letters past their retention are not deleted", purged);
            if let Some(age) = shared.settings.archive() {
                let purged = shared.store.purge_archive(age).await;
                log(&mut archive, "archived events past their age are not deleted", purged);
            }
            if let Some(age) = shared.settings.sessions() {
                let purged = shared.store.purge_sessions(age).await;
                log(&mut sessions, "kept sessions past their age are not deleted", purged);
            }
        }
        pause = (horizon / 30).clamp(SOON, Duration::from_secs(60));
    }
}

fn log(outage: &mut Outage, what: &str, result: Result<u64, super::InboxError>) {
    match result {
        Ok(_) => outage.end(),
        Err(error) => outage.record(what, &error),
    }
}
