//! Why a text is no event.

use std::{error::Error, fmt};

/// Why a text is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// It is not one JSON object. Reading stopped there: both count from 1, and column 0 is before a line's first character.
    NotJson { line: usize, column: usize },
    /// A field that every event has is missing, empty or of a wrong type.
    MissingField { name: &'static str },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => {
                write!(f, "it is not one JSON object: reading stopped at line {line}, column {column}")
            }
            Self::MissingField { name } => write!(f, "{name} is missing, empty or of a wrong type"),
        }
    }
}

impl Error for ParseError {}
