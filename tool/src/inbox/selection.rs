//! Which events an operator means.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use tencent_desk_webhook::inbox::Filter;

use crate::{age::Age, failure::Failure};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    /// Not delivered yet
    Waiting,
    /// In a session that a worker holds
    Running,
    /// Failed, and to be tried again
    Retrying,
    /// Given up
    Dead,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Dead => "dead",
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct Selection {
    /// Only of this SessionId
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only of this ClientUserId, of the app --app
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only with this name, such as Human.UserSendMsg
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Only with an error that contains this
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only stored longer ago than this, such as 1h or 7d
    #[arg(long, value_name = "TIME")]
    older_than: Option<Age>,
    /// Only stored within this time
    #[arg(long, value_name = "TIME")]
    newer_than: Option<Age>,
}

impl Selection {
    /// Whether there is any condition.
    pub(super) fn selects(&self) -> bool {
        let Self { session, user, event, error, older_than, newer_than } = self;
        [session, user, event, error].iter().any(|text| text.is_some())
            || older_than.is_some()
            || newer_than.is_some()
    }

    pub(super) fn refuse_with_ids(&self) -> Result<(), Failure> {
        if self.selects() {
            return Err(Failure::Usage("a selection goes with --all, and not with numbers".to_owned()));
        }
        Ok(())
    }

    pub(super) fn filter(&self, app: u64, named_app: Option<u64>) -> Result<Filter, Failure> {
        let mut filter = match (&self.user, &self.session, named_app) {
            (Some(user), ..) => Filter::user(app, user),
            (None, Some(session), Some(app)) => Filter::session(app, session),
            _ => Filter::all(),
        };
        if let Some(session) = &self.session {
            filter = filter.in_session(session);
        }
        if let Some(name) = &self.event {
            filter = filter.named(name);
        }
        if let Some(text) = &self.error {
            filter = filter.error_contains(text);
        }
        let ago = |Age(age)| SystemTime::now().checked_sub(age);
        let too_long = || Failure::Usage("that is longer ago than time goes back".to_owned());
        if let Some(age) = self.older_than {
            filter = filter.stored_before(ago(age).ok_or_else(too_long)?);
        }
        if let Some(age) = self.newer_than {
            filter = filter.stored_since(ago(age).ok_or_else(too_long)?);
        }
        Ok(filter)
    }
}
