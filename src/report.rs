//! Failures that nobody else would hear of go to standard error, one line each.
//!
//! A line names the event and its session and says what the handler's error says. The library adds nothing of what a customer
//! wrote or of what signs requests.

use std::io::Write as _;

use crate::{error::Refusal, event::Event, handler::HandlerError};

pub(crate) fn failed(event: &Event, error: &HandlerError, refusal: Refusal) {
    write(event, &format!("the handler failed, and the sender was told {}: {error}", refusal.code()));
}

pub(crate) fn failed_late(event: &Event, error: &HandlerError) {
    write(event, &format!("the handler failed with nobody left to be told: {error}"));
}

pub(crate) fn lost(event: &Event) {
    write(event, "lost: the handler's task was dropped before it ended, as a runtime does at shutdown");
}

fn write(event: &Event, what: &str) {
    // Who can send an event can name it, and a handler's error may quote it: neither shall write lines of its own.
    let line =
        one_line(&format!("tencent-desk-webhook: {} of session {}: {what}", event.name, event.session_id));
    // Where standard error has gone there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn one_line(text: &str) -> String {
    text.chars().take(LINE_LIMIT).flat_map(escape).collect()
}

fn escape(c: char) -> impl Iterator<Item = char> {
    let (escaped, plain) = if c.is_control() { (Some(c.escape_default()), None) } else { (None, Some(c)) };
    escaped.into_iter().flatten().chain(plain)
}

const LINE_LIMIT: usize = 2000;

#[cfg(test)]
mod tests {
    use super::{LINE_LIMIT, one_line};

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("会话 \"s\": \n\u{1b}[31m\u{85}"), "会话 \"s\": \\n\\u{1b}[31m\\u{85}");
        assert_eq!(one_line(&"x".repeat(1 << 20)).len(), LINE_LIMIT);
    }
}
