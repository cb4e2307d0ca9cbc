//! Renews leases.

use std::{collections::HashMap, time::Duration};

use tokio_postgres::Row;

use super::{
    columns::Claims,
    connection::Connection,
    crashes::{self, Crashes},
    rows,
};
use crate::inbox::{
    InboxError,
    store::{Claim, Renewed},
};

/// Returns for each claim whether it is renewed, and whether it is still held: a lane whose row is locked is not renewed, and
/// not lost.
const RENEW: &str = "
    WITH held AS MATERIALIZED (
        SELECT held.lane FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
        CROSS JOIN LATERAL (
            SELECT lane.lane FROM lane
            WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR NO KEY UPDATE SKIP LOCKED
        ) AS held
    ), renewed AS (
        UPDATE lane SET due = now() + make_interval(secs => $3) WHERE lane = ANY (ARRAY (SELECT lane FROM held))
        RETURNING lane
    )
    SELECT claim.lane, claim.epoch,
        EXISTS (SELECT FROM renewed WHERE renewed.lane = claim.lane),
        EXISTS (SELECT FROM lane WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch OFFSET 0)
    FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)";

pub(super) async fn renew(
    connection: &Connection,
    crashes: &Crashes,
    claims: &[Claim],
    lease: Duration,
) -> Result<Vec<Renewed>, InboxError> {
    let columns = Claims::sorted(claims.iter().copied());
    let answers = connection.run((RENEW, &[&columns.lanes(), &columns.epochs, &lease.as_secs_f64()])).await?;
    let answer = |row: &Row| match (row.get(2), row.get(3)) {
        (true, _) => Renewed::Renewed,
        (false, true) => Renewed::Unknown,
        (false, false) => Renewed::Lost,
    };
    let answers: HashMap<Claim, Renewed> =
        answers.iter().map(|row| (rows::claim(row), answer(row))).collect();
    let answer = |claim: &Claim| answers.get(claim).copied().unwrap_or(Renewed::Unknown);
    let lost: Vec<Claim> = claims.iter().filter(|claim| answer(claim) == Renewed::Lost).copied().collect();
    // The leases are renewed even if these fail, which matters only after a crash.
    let _ = crashes::take_back(connection, crashes, &lost).await;
    let _ = crashes::exempt(connection, crashes).await;
    Ok(claims.iter().map(answer).collect())
}
