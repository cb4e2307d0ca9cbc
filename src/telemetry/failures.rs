//! Failures of handlers that nobody else would hear of.

use super::say::{Level, say};
use crate::{error::Refusal, event::Event, handler::HandlerError};

pub(crate) fn failed(event: &Event, error: &HandlerError, refusal: Refusal) {
    let code = refusal.code();
    say(
        Level::Error,
        Some(event),
        format_args!("the handler failed, and the sender was told {code}: {error:#}"),
    );
}

pub(crate) fn late(event: &Event, refusal: Refusal) {
    let code = refusal.code();
    let what = format_args!("the handler did not finish in time, and the sender was told {code}");
    say(Level::Error, Some(event), what);
}

pub(crate) fn failed_late(event: &Event, error: &HandlerError) {
    say(Level::Error, Some(event), format_args!("the handler failed with nobody left to be told: {error:#}"));
}

pub(crate) fn lost(event: &Event) {
    let what =
        format_args!("lost: the handler's task was dropped before it ended, as a runtime does at shutdown");
    say(Level::Error, Some(event), what);
}
