//! Failures of handlers, and events that reach no handler, which no response reports.

use std::sync::LazyLock;

use tokio::time::Instant;

use super::{
    refusals::Refusals,
    say::{Level, say, say_of_app},
};
use crate::{error::Refusal, event::Event, handler::HandlerError};

pub(crate) fn failed(event: &Event, error: &HandlerError, refusal: Refusal) {
    let code = refusal.code();
    say(Level::Error, Some(event), format_args!("the handler failed, and the sender got {code}: {error:#}"));
}

pub(crate) fn late(event: &Event, refusal: Refusal) {
    let code = refusal.code();
    let what = format_args!("the handler missed the deadline, and the sender got {code}");
    say(Level::Error, Some(event), what);
}

pub(crate) fn failed_late(event: &Event, error: &HandlerError) {
    say(
        Level::Error,
        Some(event),
        format_args!("the handler failed after the sender was answered or had disconnected: {error:#}"),
    );
}

pub(crate) fn lost(event: &Event) {
    let what =
        format_args!("lost: the handler's task was dropped before it ended, as a runtime does at shutdown");
    say(Level::Error, Some(event), what);
}

pub(crate) fn unknown_command(app: u64, command: &str) {
    static LOGGED: LazyLock<Refusals> = LazyLock::new(Refusals::default);
    // Under an unsigned app strangers cause these.
    if LOGGED.admit(UNKNOWN_COMMAND, Instant::now()).is_none() {
        return;
    }
    let command: String = command.chars().take(100).collect();
    let what = format_args!(
        "acknowledged and ignored: the body looks like an event, but its CallbackCommand is {command:?}"
    );
    say_of_app(Level::Warn, Some(app), what);
}

/// No `ErrorCode`: these are acknowledged.
const UNKNOWN_COMMAND: u32 = 0;
