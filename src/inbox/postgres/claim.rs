//! Claims lanes, and reads their first events.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{
    connection::Connection,
    crashes::{self, Crashes, Ended},
    failure::Failure,
    release::give_back,
    rows,
    table::EVENTS,
};
use crate::inbox::{
    InboxError,
    store::{CLAIM_BYTES, Claim, EVENTS_AT_ONCE, LANE_BYTES, Lane, LaneKey, Waiting},
};

/// Epochs are microseconds, so that what a crash of the server undoes is not given out again, with the number of the process
/// in the last ten bits. Returns with each lane the claim that held it before, if that has not given it back.
const CLAIM: &str = "
    WITH due AS MATERIALIZED (
        SELECT lane, due, epoch, alone FROM lane WHERE due <= now() AND NOT EXISTS (SELECT FROM setting WHERE paused)
        ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE lane SET due = now() + make_interval(secs => $2), alone = false, epoch = greatest(
        lane.epoch + 1,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1024 + $3::bigint
    )
    FROM due WHERE lane.lane = due.lane AND lane.lane = ANY (ARRAY (SELECT lane FROM due))
    RETURNING lane.lane, lane.epoch, due.due, due.epoch, due.alone, lane.careful";

/// The first events of each lane: at most so many and so many bytes of each, and so many bytes in all, but at least one event.
/// The first event of every lane comes before any second one, so that a few lanes with much do not keep others from being read.
/// An event that waits for its retry holds back those behind it.
const READ: &str = "
    SELECT lane, id, attempts, extract(epoch FROM now() - failing)::double precision, crashes, alone, stored, json
    FROM (
        SELECT claimed.lane, number, first.*,
            sum(size) OVER (ORDER BY place, number ROWS UNBOUNDED PRECEDING) AS total,
            sum(size) OVER (PARTITION BY number ORDER BY place ROWS UNBOUNDED PRECEDING) AS of_lane
        FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS claimed (lane, most, number)
        CROSS JOIN LATERAL (
            SELECT id, attempts, failing, crashes, alone, stored, json, octet_length(json)::bigint AS size,
                row_number() OVER (ORDER BY id) AS place, bool_or(retry_at > now()) OVER (ORDER BY id) AS waits
            FROM event WHERE event.lane = claimed.lane ORDER BY id LIMIT claimed.most
        ) AS first
        WHERE waits IS NOT TRUE
    ) AS sized
    WHERE (total <= $3::bigint OR (number = 1 AND place = 1)) AND (of_lane <= $4::bigint OR place = 1)
    ORDER BY number, place";

/// The ids of the events that [`READ`] may read.
const FIRST: &str = "
    SELECT first.id FROM unnest($1::bytea[], $2::bigint[]) AS claimed (lane, most)
    CROSS JOIN LATERAL (SELECT id FROM event WHERE event.lane = claimed.lane ORDER BY id LIMIT claimed.most) AS first";

pub(super) async fn claim(
    connection: &Connection,
    crashes: &Crashes,
    limit: usize,
    lease: Duration,
) -> Result<Vec<Lane>, InboxError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut claimed = connection.run((CLAIM, &[&limit, &lease.as_secs_f64(), &crashes.process()])).await?;
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    claimed.sort_by_cached_key(|row| row.get::<_, SystemTime>(2));
    let (mut ended, mut most) = (Vec::new(), Vec::new());
    for row in &claimed {
        let claim = rows::claim(row);
        // A claim of this process, which is alive: a reply was lost, or a task was cut off.
        let before = row.get::<_, Option<i64>>(3).filter(|before| !crashes.is_own(*before));
        ended.extend(before.map(|epoch| Ended { lane: claim.lane, epoch, alone: row.get(4) }));
        let is_careful = before.is_some() || row.get::<_, i32>(5) > 0;
        crashes.claimed(claim, is_careful);
        most.push(if is_careful { 1 } else { EVENTS_AT_ONCE as i64 });
    }
    let keys: Vec<&[u8]> = claimed.iter().map(|row| row.get(0)).collect();
    let claims: Vec<Claim> = claimed.iter().map(rows::claim).collect();
    // In transactions of their own, which see all events that were stored before the claim.
    let read = match crashes::count(connection, &ended).await {
        Ok(()) => read(connection, &keys, &most).await,
        Err(failure) => Err(failure),
    };
    let mut events = match read {
        Ok(events) => events,
        Err(failure) => {
            // If this fails as well, the lanes are free again after the lease.
            let _ = give_back(connection, crashes, &claims).await;
            return Err(failure.into());
        }
    };
    let (lanes, unread): (Vec<Claim>, Vec<Claim>) =
        claims.into_iter().partition(|claim| events.contains_key(&claim.lane));
    let _ = give_back(connection, crashes, &unread).await;
    let lane = |claim: Claim| Lane { claim, events: events.remove(&claim.lane).unwrap_or_default() };
    Ok(lanes.into_iter().map(lane).collect())
}

async fn read(
    connection: &Connection,
    lanes: &[&[u8]],
    most: &[i64],
) -> Result<HashMap<LaneKey, Vec<Waiting>>, Failure> {
    let (in_all, of_lane) = (CLAIM_BYTES as i64, LANE_BYTES as i64);
    let read = match connection.run((READ, &[&lanes, &most, &in_all, &of_lane])).await {
        Err(failure) if failure.is_corrupted() => {
            let first = connection.run((FIRST, &[&lanes, &most])).await?;
            let ids: Vec<i64> = first.iter().map(|row| row.get(0)).collect();
            connection.run((EVENTS.empty_unreadable, &[&ids])).await?;
            connection.run((READ, &[&lanes, &most, &in_all, &of_lane])).await?
        }
        read => read?,
    };
    let mut events: HashMap<LaneKey, Vec<Waiting>> = HashMap::new();
    for row in &read {
        let mut waiting = Waiting::new(row.get(1), row.get(6), rows::text(row, 7));
        waiting.attempts = rows::count(row, 2);
        waiting.failing_for = rows::age(row, 3);
        waiting.crashes = rows::count(row, 4);
        waiting.alone = rows::count(row, 5);
        events.entry(rows::lane(row)).or_default().push(waiting);
    }
    Ok(events)
}
