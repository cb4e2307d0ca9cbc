//! Failures that nobody else would hear of go to standard error, one line each.
//!
//! The lines name the event and its session; what a customer wrote, and what signs requests, is in none of them.

use crate::{error::Refusal, event::Event, handler::HandlerError};

pub(crate) fn failed(event: &Event, error: &HandlerError, refusal: Refusal) {
    write(event, format_args!("the handler failed, and the sender was told {}: {error}", refusal.code()));
}

pub(crate) fn failed_late(event: &Event, error: &HandlerError) {
    write(event, format_args!("the handler failed after the sender had been answered: {error}"));
}

pub(crate) fn lost(event: &Event) {
    write(
        event,
        format_args!("lost: the handler's task was dropped before it ended, as a runtime does at shutdown"),
    );
}

fn write(event: &Event, what: std::fmt::Arguments<'_>) {
    eprintln!("tencent-desk-webhook: {} of session {:?}: {what}", event.name, event.session_id);
}
