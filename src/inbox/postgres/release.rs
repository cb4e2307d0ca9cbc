//! Gives lanes back.

use super::{
    columns::Claims,
    connection::Connection,
    crashes::Crashes,
    session::{Ending, Step},
};
use crate::inbox::{InboxError, store::Claim};

/// The fence: locks the lanes that these claims still hold.
pub(super) const LOCK_HELD: &str = "
    SELECT held.lane, held.epoch FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
    CROSS JOIN LATERAL (
        SELECT lane.lane, lane.epoch FROM lane
        WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR UPDATE
    ) AS held";

/// After [`LOCK_HELD`], so that it sees every event that was stored before it. Deletes lanes without events; the next event
/// creates them anew. The others are due when their first events are. `worked` says whether events of the lane were handled: a
/// careful lane then comes nearer to being trusted.
pub(super) const RELEASE: &str = "
    WITH released AS MATERIALIZED (
        SELECT released.lane, released.worked, held.due
        FROM unnest($1::bytea[], $2::bigint[], $3::boolean[]) AS released (lane, epoch, worked)
        CROSS JOIN LATERAL (
            SELECT (
                SELECT greatest(retry_at, now()) FROM event WHERE event.lane = lane.lane ORDER BY id LIMIT 1
            ) AS due FROM lane
            WHERE lane.lane = released.lane AND lane.epoch = released.epoch OFFSET 0
        ) AS held
    ), gone AS (
        DELETE FROM lane WHERE lane = ANY (ARRAY (SELECT lane FROM released WHERE due IS NULL))
    )
    UPDATE lane SET due = released.due, epoch = NULL, alone = false,
        careful = greatest(careful - worked::integer, 0)
    FROM released
    WHERE lane.lane = released.lane AND lane.lane = ANY (ARRAY (SELECT lane FROM released WHERE due IS NOT NULL))";

/// Gives back claimed lanes of which no event was read.
pub(super) async fn give_back(
    connection: &Connection,
    crashes: &Crashes,
    claims: &[Claim],
) -> Result<(), InboxError> {
    if claims.is_empty() {
        return Ok(());
    }
    let columns = Claims::sorted(claims.iter().copied());
    let worked = vec![false; claims.len()];
    let lanes = columns.lanes();
    let steps: [Step<'_>; 2] =
        [(LOCK_HELD, &[&lanes, &columns.epochs]), (RELEASE, &[&lanes, &columns.epochs, &worked])];
    connection.all(&steps, Ending::Commit).await?;
    claims.iter().for_each(|claim| crashes.over(*claim));
    Ok(())
}
