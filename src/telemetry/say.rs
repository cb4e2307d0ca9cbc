//! Telling something in words: to `tracing`, or else on standard error.
//!
//! It names the event and its session and says what the handler's error says. The library adds nothing of what a customer
//! wrote or of what signs requests.

use std::{fmt, io::Write as _};

use crate::{event::Event, isolate::isolated};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warn,
    #[cfg(feature = "inbox")]
    Info,
    Debug,
}

/// What somebody has to hear, one way or the other.
pub(super) fn say(level: Level, event: Option<&Event>, what: fmt::Arguments<'_>) {
    // A handler's error says what it likes, or panics.
    let what = isolated(|| what.to_string()).unwrap_or_else(|| "a failure whose text panicked".to_owned());
    let told = isolated(|| traced(level, event, format_args!("{what}"))).unwrap_or_default();
    // A filter that names only the program's own modules must not silence failures that were heard without it.
    if told || level != Level::Error && somebody_listens() {
        return;
    }
    let of = event.map(|event| format!("{} of session {}: ", event.name, event.session_id));
    let line = format!("tencent-desk-webhook: {}{}", one_line(&of.unwrap_or_default()), one_line(&what));
    // Where standard error has gone there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// What is worth knowing where somebody listens.
pub(super) fn note(level: Level, event: Option<&Event>, what: fmt::Arguments<'_>) {
    isolated(|| traced(level, event, what));
}

/// Whether anybody wanted it.
#[cfg(feature = "tracing")]
fn traced(level: Level, event: Option<&Event>, what: fmt::Arguments<'_>) -> bool {
    use std::cell::Cell;

    use tracing::{Level as L, event};

    use super::TARGET;

    // A field's value is asked for only where the event is wanted. To ask beforehand (`event_enabled!`) would spoil the state
    // of filters of single layers, and the next event, whoever's, would be lost to them.
    let wanted = Cell::new(false);
    let text = || {
        wanted.set(true);
        one_line(&what.to_string())
    };
    macro_rules! tell {
        ($level:expr) => {
            event!(
                target: TARGET,
                $level,
                event = event.map(|event| one_line(event.name.as_str())),
                session_id = event.map(|event| one_line(&event.session_id)),
                "{}",
                text(),
            )
        };
    }
    match level {
        Level::Error => tell!(L::ERROR),
        Level::Warn => tell!(L::WARN),
        #[cfg(feature = "inbox")]
        Level::Info => tell!(L::INFO),
        Level::Debug => tell!(L::DEBUG),
    }
    wanted.get()
}

#[cfg(feature = "tracing")]
fn somebody_listens() -> bool {
    use tracing::{dispatcher, subscriber::NoSubscriber};

    !dispatcher::get_default(|subscriber| subscriber.is::<NoSubscriber>())
}

#[cfg(not(feature = "tracing"))]
fn traced(_: Level, _: Option<&Event>, _: fmt::Arguments<'_>) -> bool {
    false
}

#[cfg(not(feature = "tracing"))]
fn somebody_listens() -> bool {
    false
}

/// Who can send an event can name it, and a handler's error may quote it: neither shall write lines of its own.
pub(super) fn one_line(text: &str) -> String {
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
