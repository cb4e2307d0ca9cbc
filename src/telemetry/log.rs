//! Log lines: events of `tracing`, or else lines on standard error.
//!
//! A line names the app, or the event and its session, and has the text of the handler's error. The library adds nothing of
//! what a customer wrote or of what signs requests.

use std::{fmt, io::Write as _};

use crate::{event::Event, isolate::isolated};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Warn,
    #[cfg(feature = "inbox")]
    Info,
    Debug,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    app: Option<u64>,
    event: Option<&'a str>,
    session_id: Option<&'a str>,
}

impl Subject<'_> {
    pub(crate) fn of_app(app: Option<u64>) -> Self {
        Self { app, ..Self::default() }
    }
}

impl<'a> From<&'a Event> for Subject<'a> {
    fn from(event: &'a Event) -> Self {
        Self { app: Some(event.sdk_app_id), event: Some(event.name.as_str()), session_id: event.session() }
    }
}

/// How a line on standard error begins.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.event, self.session_id, self.app) {
            (Some(event), Some(session), _) => write!(f, "{event} of session {session}: "),
            (Some(event), None, _) => write!(f, "{event}: "),
            (None, _, Some(app)) => write!(f, "app {app}: "),
            (None, _, None) => Ok(()),
        }
    }
}

/// Logs what an operator has to know: to the program's subscriber, or else to standard error.
pub(crate) fn log(level: Level, subject: Subject<'_>, what: fmt::Arguments<'_>) {
    // An error of a handler can panic when it is shown.
    let what = isolated(|| what.to_string()).unwrap_or_else(|| "a failure whose text panicked".to_owned());
    let is_traced = isolated(|| traced(level, subject, format_args!("{what}"))).unwrap_or_default();
    // A filter that names only the program's own modules must not silence failures that were visible without it.
    if is_traced || level != Level::Error && has_subscriber() {
        return;
    }
    let line = format!("tencent-desk-webhook: {}{}", one_line(&subject.to_string()), one_line(&what));
    // There is no other place to report that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Logs what is for the program's subscriber only.
pub(crate) fn log_to_subscriber(level: Level, subject: Subject<'_>, what: fmt::Arguments<'_>) {
    isolated(|| traced(level, subject, what));
}

/// Returns whether a subscriber wanted the line.
#[cfg(feature = "tracing")]
fn traced(level: Level, subject: Subject<'_>, what: fmt::Arguments<'_>) -> bool {
    use std::cell::Cell;

    use tracing::{Level as L, event};

    use super::TARGET;

    // A field's value is asked for only where the event is wanted. To ask beforehand (`event_enabled!`) would spoil the state
    // of filters of single layers, and the program's own next event would be lost to them.
    let wanted = Cell::new(false);
    let text = || {
        wanted.set(true);
        one_line(&what.to_string())
    };
    macro_rules! trace {
        ($level:expr) => {
            event!(
                target: TARGET,
                $level,
                app = subject.app,
                event = subject.event.map(one_line),
                session_id = subject.session_id.map(one_line),
                "{}",
                text(),
            )
        };
    }
    match level {
        Level::Error => trace!(L::ERROR),
        Level::Warn => trace!(L::WARN),
        #[cfg(feature = "inbox")]
        Level::Info => trace!(L::INFO),
        Level::Debug => trace!(L::DEBUG),
    }
    wanted.get()
}

#[cfg(feature = "tracing")]
fn has_subscriber() -> bool {
    use tracing::{dispatcher, subscriber::NoSubscriber};

    !dispatcher::get_default(|subscriber| subscriber.is::<NoSubscriber>())
}

#[cfg(not(feature = "tracing"))]
fn traced(_: Level, _: Subject<'_>, _: fmt::Arguments<'_>) -> bool {
    false
}

#[cfg(not(feature = "tracing"))]
fn has_subscriber() -> bool {
    false
}

/// Senders choose the names of events and sessions, and a handler's error may quote them: neither can write lines of its own,
/// or what a terminal would obey or hide.
pub(super) fn one_line(text: &str) -> String {
    text.chars().take(LINE_LIMIT).flat_map(escape).collect()
}

fn escape(c: char) -> impl Iterator<Item = char> {
    let (escaped, plain) = if is_invisible(c) { (Some(c.escape_default()), None) } else { (None, Some(c)) };
    escaped.into_iter().flatten().chain(plain)
}

/// Control characters, line and paragraph separators, and what has no width or turns the direction of text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

const LINE_LIMIT: usize = 2000;

#[cfg(test)]
mod tests {
    use super::{LINE_LIMIT, one_line};

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("会话 \"s\": \n\u{1b}[31m\u{85}"), "会话 \"s\": \\n\\u{1b}[31m\\u{85}");
        for hidden in [
            '\u{9b}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200b}',
            '\u{feff}',
        ] {
            assert_eq!(one_line(&hidden.to_string()), hidden.escape_default().to_string());
        }
        assert_eq!(one_line(&"x".repeat(1 << 20)).len(), LINE_LIMIT);
    }
}
