//! The connections of an inbox. Each is made when it is first needed, and something slow on one does not delay the others.

use std::sync::Arc;

use super::{connection::Connection, schema, url::Target};
use crate::inbox::InboxError;

/// The tables fill and empty all the time, so the planner has no useful statistics: it would read a table from end to end that
/// was empty when it was analyzed. Where there is no index it expects the worst, and would compile.
const PLANNER: &str = "SET enable_seqscan TO off; SET enable_mergejoin TO off; SET jit TO off";

/// Acknowledgements are synced even where asynchronous commits are the default.
const SYNCED: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                      WHERE current_setting('synchronous_commit') = 'off'";

/// A crash of the server may undo what was recorded: events are then delivered again.
const NOT_SYNCED: &str = "SET synchronous_commit TO off";

/// A row that is locked for longer than this counts as busy, and is tried again later.
const SHORT_WAITS: &str = "SET lock_timeout TO '250ms'";

pub(super) struct Connections {
    /// Stores events.
    pub(super) arrivals: Connection,
    /// Claims lanes, and listens for new events.
    pub(super) claims: Connection,
    /// Records outcomes.
    pub(super) outcomes: Connection,
    /// Renews leases, and records which handlers start.
    pub(super) leases: Connection,
    /// For operators and housekeeping.
    pub(super) operations: Connection,
}

impl Connections {
    pub(super) fn new(url: &str, schema: &str) -> Result<Self, InboxError> {
        schema::check_name(schema)?;
        let target = Arc::new(Target::parse(url)?);
        let connection = |settings: &[&str], notice: Option<&str>| {
            let greeting = format!("SET search_path TO \"{schema}\"; {PLANNER}; {}", settings.join("; "));
            Connection::new(Arc::clone(&target), &greeting, notice.map(str::to_owned))
        };
        let notice = format!("BEGIN; SET LOCAL synchronous_commit TO off; NOTIFY \"{schema}\"; COMMIT");
        let listen = format!("LISTEN \"{schema}\"");
        Ok(Self {
            arrivals: connection(&[SYNCED], Some(&notice)),
            claims: connection(&[NOT_SYNCED, SHORT_WAITS, &listen], None),
            outcomes: connection(&[NOT_SYNCED, SHORT_WAITS], None),
            leases: connection(&[NOT_SYNCED, SHORT_WAITS], None),
            operations: connection(&[], Some(&notice)),
        })
    }
}
