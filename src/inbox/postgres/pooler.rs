//! Detects a pooler that shares connections between transactions.

use super::connection::Connection;
use crate::inbox::InboxError;

/// # Errors
///
/// When both connections are served by the same process of the server, or either by changing ones.
pub(super) async fn check(one: &Connection, other: &Connection) -> Result<(), InboxError> {
    let mut pairs = Vec::new();
    for _ in 0..3 {
        pairs.push((one.backend().await?, other.backend().await?));
    }
    let is_direct = |pair: &(_, _)| pair.0 != pair.1 && *pair == pairs[0];
    if pairs.iter().all(is_direct) {
        return Ok(());
    }
    Err(InboxError::new(
        "this PostgreSQL is reached through a pooler that shares connections between transactions, which breaks \
         notifications and settings: connect to the server itself, or let the pooler share sessions (PgBouncer: \
         pool_mode = session)",
    ))
}
