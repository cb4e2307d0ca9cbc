//! Records what became of events.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    busy::busy,
    columns::{Claims, Columns, failures},
    connection::Connection,
    crashes::{self, Crashes},
    failure::Failure,
    release::{LOCK_HELD, RELEASE},
    rows,
    session::{Ending, Step},
    sessions::{self, Written},
};
use crate::inbox::{
    InboxError,
    store::{Claim, Finished, Outcome},
};

const DELETE: &str = "
    DELETE FROM event WHERE id = ANY (ARRAY (
        SELECT done.id FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS done (lane, epoch, id)
        CROSS JOIN LATERAL (
            SELECT FROM lane WHERE lane.lane = done.lane AND lane.epoch = done.epoch OFFSET 0
        ) AS held
    ))";

const MOVE_TO_ARCHIVE: &str = "
    WITH gone AS (
        DELETE FROM event WHERE id = ANY (ARRAY (
            SELECT done.id FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS done (lane, epoch, id)
            CROSS JOIN LATERAL (
                SELECT FROM lane WHERE lane.lane = done.lane AND lane.epoch = done.epoch OFFSET 0
            ) AS held
        ))
        RETURNING id, lane, stored, json
    )
    INSERT INTO archive (id, lane, stored, json) SELECT id, lane, stored, json FROM gone";

const MOVE_TO_DEAD_LETTERS: &str = "
    WITH dead AS MATERIALIZED (
        SELECT dead.id, dead.attempts, dead.error
        FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::integer[], $5::bytea[])
            AS dead (lane, epoch, id, attempts, error)
        CROSS JOIN LATERAL (
            SELECT FROM lane WHERE lane.lane = dead.lane AND lane.epoch = dead.epoch OFFSET 0
        ) AS held
    ), gone AS (
        DELETE FROM event WHERE id = ANY (ARRAY (SELECT id FROM dead)) RETURNING id, lane, stored, json
    )
    INSERT INTO dead_letter (id, lane, stored, attempts, error, json)
    SELECT id, lane, stored, attempts, error, json FROM gone JOIN dead USING (id)";

const RECORD_FAILURE: &str = "
    WITH failed AS MATERIALIZED (
        SELECT failed.id, failed.attempts, failed.error, failed.after
        FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::integer[], $5::bytea[], $6::double precision[])
            AS failed (lane, epoch, id, attempts, error, after)
        CROSS JOIN LATERAL (
            SELECT FROM lane WHERE lane.lane = failed.lane AND lane.epoch = failed.epoch OFFSET 0
        ) AS held
    )
    UPDATE event SET attempts = failed.attempts, error = failed.error, failing = coalesce(failing, now()),
        retry_at = now() + make_interval(secs => after)
    FROM failed WHERE event.id = failed.id AND event.id = ANY (ARRAY (SELECT id FROM failed))";

pub(super) async fn finish(
    connection: &Connection,
    crashes: &Crashes,
    ascii_only: &AtomicBool,
    outcomes: &[Outcome],
) -> Result<Vec<Finished>, InboxError> {
    let mut waiting = HashSet::new();
    let held = match record(connection, ascii_only, outcomes).await {
        Err(failure) if failure.is_locked() => {
            waiting = busy(connection, outcomes).await?;
            let is_free = |outcome: &&Outcome| !waiting.contains(&outcome.claim);
            let free: Vec<Outcome> = outcomes.iter().filter(is_free).cloned().collect();
            record(connection, ascii_only, &free).await?
        }
        held => held?,
    };
    let finished = |outcome: &Outcome| {
        if waiting.contains(&outcome.claim) { Finished::Busy } else { held.contains(&outcome.claim).into() }
    };
    let finished: Vec<Finished> = outcomes.iter().map(finished).collect();
    let mut lost = Vec::new();
    for (outcome, finished) in outcomes.iter().zip(&finished) {
        match finished {
            Finished::Recorded if outcome.release => crashes.over(outcome.claim),
            Finished::Lost => lost.push(outcome.claim),
            Finished::Recorded | Finished::Busy => {}
        }
    }
    // The outcomes are recorded even if this fails, which matters only after a crash.
    let _ = crashes::take_back(connection, crashes, &lost).await;
    Ok(finished)
}

/// How often a record may find that something has changed.
const CHANGES: u32 = 20;

/// Records outcomes in one transaction, and returns the claims that are held. If a session or an event was changed meanwhile, it
/// begins anew.
async fn record(
    connection: &Connection,
    ascii_only: &AtomicBool,
    outcomes: &[Outcome],
) -> Result<HashSet<Claim>, Failure> {
    let mut changed = 0;
    loop {
        let written = sessions::merge(connection, ascii_only, outcomes).await?;
        match record_with(connection, outcomes, written.as_ref()).await {
            Err(failure) if failure.is_changed() && changed < CHANGES => changed += 1,
            Err(failure) if failure.is_untranslatable() && !ascii_only.swap(true, Ordering::Relaxed) => {}
            result => return result,
        }
    }
}

async fn record_with(
    connection: &Connection,
    outcomes: &[Outcome],
    written: Option<&Written>,
) -> Result<HashSet<Claim>, Failure> {
    let claims = Claims::sorted(outcomes.iter().map(|outcome| outcome.claim));
    let lanes = claims.lanes();
    let done_with = |archive| {
        Columns::of(outcomes, move |outcome| {
            outcome.done.iter().copied().filter(move |_| outcome.archive == archive)
        })
    };
    let (deleted, archived) = (done_with(false), done_with(true));
    let dead = Columns::of(outcomes, |outcome| &outcome.dead);
    let failed = Columns::of(outcomes, |outcome| outcome.retry.iter().map(|(failure, _)| failure));
    let retries = outcomes.iter().filter_map(|outcome| outcome.retry.as_ref());
    let after: Vec<f64> = retries.map(|(_, after)| after.as_secs_f64()).collect();
    let released = Columns::of(outcomes, |outcome| {
        let worked = !outcome.done.is_empty() || !outcome.dead.is_empty() || outcome.retry.is_some();
        outcome.release.then_some(worked)
    });
    let (dead_ids, dead_attempts, dead_errors) = failures(&dead.items);
    let (failed_ids, failed_attempts, failed_errors) = failures(&failed.items);
    let nothing = Written::default();
    let Written { events, sessions, messages } = written.unwrap_or(&nothing);
    let [still_there, write_sessions, write_messages] = sessions::STATEMENTS;
    let steps: [(bool, Step<'_>); 9] = [
        (true, (LOCK_HELD, &[&lanes, &claims.epochs])),
        (written.is_some(), (still_there, &[&events.ids, &events.lanes, &events.epochs])),
        (written.is_some(), (write_sessions, &[sessions])),
        (written.is_some(), (write_messages, &[messages])),
        (!deleted.items.is_empty(), (DELETE, &[&deleted.lanes, &deleted.epochs, &deleted.items])),
        (
            !archived.items.is_empty(),
            (MOVE_TO_ARCHIVE, &[&archived.lanes, &archived.epochs, &archived.items]),
        ),
        (
            !dead_ids.is_empty(),
            (MOVE_TO_DEAD_LETTERS, &[&dead.lanes, &dead.epochs, &dead_ids, &dead_attempts, &dead_errors]),
        ),
        (
            !failed_ids.is_empty(),
            (
                RECORD_FAILURE,
                &[&failed.lanes, &failed.epochs, &failed_ids, &failed_attempts, &failed_errors, &after],
            ),
        ),
        (!released.items.is_empty(), (RELEASE, &[&released.lanes, &released.epochs, &released.items])),
    ];
    let steps: Vec<Step<'_>> =
        steps.into_iter().filter_map(|(needed, step)| needed.then_some(step)).collect();
    let answers = connection.all(&steps, Ending::Commit).await?;
    Ok(answers.first().into_iter().flatten().map(rows::claim).collect())
}
