//! Finds out which outcomes have to wait, because another transaction has locked their lane or event.

use std::collections::HashSet;

use super::{columns::Claims, connection::Connection, rows};
use crate::inbox::{
    InboxError,
    store::{Claim, Outcome},
};

/// Returns the claims whose lanes are locked.
const BUSY_LANES: &str = "
    WITH free AS MATERIALIZED (
        SELECT free.lane FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
        CROSS JOIN LATERAL (
            SELECT lane.lane FROM lane
            WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR UPDATE SKIP LOCKED
        ) AS free
    )
    SELECT claim.lane, claim.epoch FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
    WHERE claim.lane NOT IN (SELECT lane FROM free)
        AND EXISTS (SELECT FROM lane WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch OFFSET 0)";

/// Returns the events that are locked, for instance by the transaction of a handler with a receipt.
const BUSY_EVENTS: &str = "
    WITH free AS MATERIALIZED (SELECT id FROM event WHERE id = ANY ($1::bigint[]) FOR UPDATE SKIP LOCKED)
    SELECT id FROM event WHERE id = ANY ($1::bigint[]) AND id NOT IN (SELECT id FROM free)";

/// Returns the claims of the outcomes that have to wait.
pub(super) async fn busy(
    connection: &Connection,
    outcomes: &[Outcome],
) -> Result<HashSet<Claim>, InboxError> {
    let columns = Claims::sorted(outcomes.iter().map(|outcome| outcome.claim));
    let busy = connection.run((BUSY_LANES, &[&columns.lanes(), &columns.epochs])).await?;
    let mut busy: HashSet<Claim> = busy.iter().map(rows::claim).collect();
    let all: Vec<i64> = outcomes.iter().flat_map(ids).collect();
    let locked = connection.run((BUSY_EVENTS, &[&all])).await?;
    let locked: HashSet<i64> = locked.iter().map(|row| row.get(0)).collect();
    let is_locked = |outcome: &&Outcome| ids(outcome).any(|id| locked.contains(&id));
    busy.extend(outcomes.iter().filter(is_locked).map(|outcome| outcome.claim));
    Ok(busy)
}

/// The events of an outcome.
fn ids(outcome: &Outcome) -> impl Iterator<Item = i64> {
    let dead = outcome.dead.iter().map(|failure| failure.id);
    let failed = outcome.retry.iter().map(|(failure, _)| failure.id);
    outcome.done.iter().copied().chain(dead).chain(failed)
}
