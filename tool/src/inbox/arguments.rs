//! The arguments of `desk inbox`.

use clap::{Args, Subcommand};

use super::selection::{Selection, State};
use crate::age::Age;

#[derive(Debug, Args)]
pub(crate) struct InboxArgs {
    /// File or postgres:// URL of the inbox
    #[arg(long, global = true, env = "DESK_INBOX", hide_env_values = true, value_name = "FILE|URL")]
    pub(super) at: Option<String>,
    /// Schema in a PostgreSQL
    #[arg(long, global = true, value_name = "NAME", default_value = "desk_inbox")]
    pub(super) schema: String,
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Count events
    Stats,
    /// List events that are neither delivered nor deleted, by number
    List {
        #[command(flatten)]
        selection: Selection,
        /// Only events in these states
        #[arg(long, value_enum, value_delimiter = ',')]
        state: Vec<State>,
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,
        /// Only events above this number
        #[arg(long, value_name = "ID", default_value_t = 0)]
        after: i64,
        /// Show users, agents and what they wrote
        #[arg(long)]
        reveal: bool,
    },
    /// Show one event
    Show {
        /// Its number
        id: i64,
        /// Show users, agents and what they wrote
        #[arg(long)]
        reveal: bool,
    },
    /// Deliver dead letters again
    Requeue(Which),
    /// Delete events: those with these numbers, or all dead letters that are selected
    Discard(Which),
    /// Let sessions that wait for a retry go on at once
    Retry {
        /// All sessions with a selected event
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Delete dead letters that were given up long ago
    Purge {
        /// Longer ago than this, such as 30d
        #[arg(long, value_name = "TIME")]
        older_than: Age,
    },
    /// Delete everything stored of a user or a session
    #[command(group = clap::ArgGroup::new("whose").required(true))]
    Forget {
        /// ClientUserId
        #[arg(long, value_name = "ID", group = "whose")]
        user: Option<String>,
        /// SessionId
        #[arg(long, value_name = "ID", group = "whose")]
        session: Option<String>,
    },
    /// Pause delivery, also across restarts. Events are still accepted
    Pause,
    /// Resume delivery
    Resume,
    /// Check that an event could be stored now
    Check,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Their numbers
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(super) ids: Vec<i64>,
    /// All dead letters that are selected
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
}
