//! Why a command did not succeed.

use std::process::ExitCode;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments make no sense. Exit status 2.
    Usage(String),
    /// Something was refused or failed. Exit status 1.
    Failed(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Usage(text) | Self::Failed(text) => text,
        }
    }
}

/// Exit status 0 or 1.
pub(crate) fn exit(succeeded: bool) -> ExitCode {
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
