//! Feature `metrics`: the numbers. `docs/watching.md` is their table, and a test holds it to what is served.
//!
//! A recorder that panics takes nothing down.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::isolate::isolated;

/// Tells a recorder what the numbers mean, if it is there already.
pub(crate) fn describe() {
    isolated(|| {
        describe_counter!("desk_webhook_deliveries_total", "Requests, by outcome");
        describe_counter!("desk_webhook_refusals_total", "Requests that were not acknowledged, by reason");
        describe_histogram!(
            "desk_webhook_answer_seconds",
            Unit::Seconds,
            "From the request's arrival to its answer"
        );
        describe_histogram!(
            "desk_webhook_handler_seconds",
            Unit::Seconds,
            "From a handler's start to its end"
        );
        describe_gauge!("desk_webhook_in_flight", "Verified requests that are read or handled");
    });
}

/// `reason`: of what was not acknowledged.
pub(super) fn ended(outcome: &'static str, reason: Option<&'static str>, took: Duration) {
    isolated(|| {
        counter!("desk_webhook_deliveries_total", "outcome" => outcome).increment(1);
        if let Some(reason) = reason {
            counter!("desk_webhook_refusals_total", "reason" => reason).increment(1);
        }
        histogram!("desk_webhook_answer_seconds", "outcome" => outcome).record(took);
    });
}

pub(super) fn handled(category: &'static str, succeeded: bool, took: Duration) {
    let result = if succeeded { "ok" } else { "error" };
    isolated(|| {
        histogram!("desk_webhook_handler_seconds", "category" => category, "result" => result).record(took);
    });
}

pub(crate) fn started() {
    isolated(|| gauge!("desk_webhook_in_flight").increment(1));
}

pub(crate) fn stopped() {
    isolated(|| gauge!("desk_webhook_in_flight").decrement(1));
}

#[cfg(feature = "inbox")]
pub(super) use self::inbox::{attempted, duplicate, record_stats, stored};

#[cfg(feature = "inbox")]
pub(crate) use self::inbox::describe_inbox;

#[cfg(feature = "inbox")]
mod inbox {
    use super::{
        Duration, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
        isolated,
    };
    use crate::inbox::Stats;

    pub(crate) fn describe_inbox() {
        isolated(|| {
            describe_counter!("desk_inbox_stored_total", "Events that were stored");
            describe_counter!(
                "desk_inbox_duplicates_total",
                "Repeats that were acknowledged and not stored again"
            );
            describe_counter!("desk_inbox_attempts_total", "Attempts to deliver a stored event, by outcome");
            describe_histogram!(
                "desk_inbox_handler_seconds",
                Unit::Seconds,
                "From an attempt's start to its end"
            );
            describe_gauge!("desk_inbox_waiting", "Stored events that no attempt has failed for");
            describe_gauge!("desk_inbox_running", "Sessions that a worker has, with an event each");
            describe_gauge!("desk_inbox_retrying", "Stored events that wait for another attempt");
            describe_gauge!("desk_inbox_dead", "Dead letters");
            describe_gauge!("desk_inbox_bytes", Unit::Bytes, "Stored events that are neither done nor dead");
            describe_gauge!(
                "desk_inbox_oldest_age_seconds",
                Unit::Seconds,
                "Age of the oldest event that is not done"
            );
        });
    }

    pub(in crate::telemetry) fn stored() {
        isolated(|| counter!("desk_inbox_stored_total").increment(1));
    }

    pub(in crate::telemetry) fn duplicate() {
        isolated(|| counter!("desk_inbox_duplicates_total").increment(1));
    }

    pub(in crate::telemetry) fn attempted(outcome: &'static str, took: Duration) {
        isolated(|| {
            counter!("desk_inbox_attempts_total", "outcome" => outcome).increment(1);
            histogram!("desk_inbox_handler_seconds", "outcome" => outcome).record(took);
        });
    }

    pub(in crate::telemetry) fn record_stats(stats: &Stats) {
        isolated(|| {
            gauge!("desk_inbox_waiting").set(stats.waiting as f64);
            gauge!("desk_inbox_running").set(stats.running as f64);
            gauge!("desk_inbox_retrying").set(stats.retrying as f64);
            gauge!("desk_inbox_dead").set(stats.dead as f64);
            gauge!("desk_inbox_bytes").set(stats.bytes as f64);
            gauge!("desk_inbox_oldest_age_seconds").set(stats.oldest.unwrap_or_default().as_secs_f64());
        });
    }
}
