//! Where results go: standard output, as text or JSON; and remarks: standard error.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

use serde_json::{Value, json};

use crate::{failure::Failure, text::printable_json};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    colours: bool,
    remark_colours: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
    Grey = 90,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        // https://no-color.org: any value that is not empty.
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            json,
            colours: wanted && io::stdout().is_terminal(),
            remark_colours: wanted && io::stderr().is_terminal(),
        }
    }

    /// `text` in a colour, where standard output shows colours.
    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        paint(self.colours, colour, text)
    }

    /// One line of a result. A closed pipe is no error: its reader has seen enough.
    pub(crate) fn line(&self, line: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(format!("{line}\n").as_bytes());
        let _ = stdout.flush();
    }

    /// One line of JSON.
    pub(crate) fn json_line(&self, json: &str) {
        self.line(&printable_json(json));
    }

    /// A result as one line of JSON.
    pub(crate) fn value(&self, value: &Value) {
        self.json_line(&value.to_string());
    }

    /// What is worth knowing beside the result.
    pub(crate) fn warn(&self, text: &str) {
        let label = paint(self.remark_colours, Colour::Yellow, "warning:");
        let _ = writeln!(io::stderr(), "{label} {text}");
    }

    /// What is going on.
    pub(crate) fn remark(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    pub(crate) fn fail(&self, failure: &Failure) {
        let label = paint(self.remark_colours, Colour::Red, "error:");
        let _ = writeln!(io::stderr(), "{label} {}", failure.text());
        if self.json {
            self.value(&json!({"error": failure.text()}));
        }
    }
}

fn paint(colours: bool, colour: Colour, text: &str) -> String {
    if colours { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
}
