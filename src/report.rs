//! Failures that nobody else would hear of go to standard error, one line each.
//!
//! A line names the event and its session and says what the handler's error says. The library adds nothing of what a customer
//! wrote or of what signs requests.

use std::io::Write as _;

use crate::{error::Refusal, event::Event, handler::HandlerError};

pub(crate) fn failed(event: &Event, error: &HandlerError, refusal: Refusal) {
    write(event, &format!("the handler failed, and the sender was told {}: {error}", refusal.code()));
}

pub(crate) fn late(event: &Event, refusal: Refusal) {
    write(event, &format!("the handler did not finish in time, and the sender was told {}", refusal.code()));
}

pub(crate) fn failed_late(event: &Event, error: &HandlerError) {
    write(event, &format!("the handler failed with nobody left to be told: {error}"));
}

pub(crate) fn lost(event: &Event) {
    write(event, "lost: the handler's task was dropped before it ended, as a runtime does at shutdown");
}

#[cfg(feature = "inbox")]
pub(crate) use self::inbox::*;

#[cfg(feature = "inbox")]
mod inbox {
    use std::{fmt::Display, time::Duration};

    use super::{Event, line, write};

    pub(crate) fn retried(event: &Event, error: &str, attempts: u32, after: Duration) {
        let after = after.as_millis();
        write(event, &format!("attempt {attempts} failed, the next is in {after} ms: {error}"));
    }

    pub(crate) fn dead(event: Option<&Event>, error: &str, id: i64, attempts: u32) {
        let what = format!("given up after attempt {attempts}, kept as dead letter {id}: {error}");
        match event {
            Some(event) => write(event, &what),
            None => line(&format!("inbox: {what}")),
        }
    }

    /// Something that fails again and again, and is told once until it works again.
    #[derive(Debug, Default)]
    pub(crate) struct Trouble(u32);

    impl Trouble {
        pub(crate) fn is(&mut self, what: &str, error: &dyn Display) {
            self.0 = self.0.saturating_add(1);
            if self.0 == 1 {
                line(&format!("inbox: {what}, and this is tried again and again: {error}"));
            }
        }

        pub(crate) fn over(&mut self) {
            if std::mem::take(&mut self.0) > 0 {
                line("inbox: it works again");
            }
        }

        /// How many times in a row.
        pub(crate) fn count(&self) -> u32 {
            self.0
        }
    }
}

fn write(event: &Event, what: &str) {
    line(&format!("{} of session {}: {what}", event.name, event.session_id));
}

/// Who can send an event can name it, and a handler's error may quote it: neither shall write lines of its own.
fn line(text: &str) {
    let line = one_line(&format!("tencent-desk-webhook: {text}"));
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
