//! The statements. `search_path` is the inbox's schema.
//!
//! These tables fill and empty all the time, so the planner knows nothing of their size. What it could get wrong is written so
//! that it cannot: `LATERAL … OFFSET 0` and `FOR UPDATE` in a subquery are looked up once a row, and `= ANY (ARRAY (…))` by the
//! index.

/// Sorted, as [`HOLD`] and [`RENEW`] are, so that transactions that lock several lanes never wait for each other in a ring.
/// The update changes nothing: it locks.
pub(super) const LOCK_LANES: &str = "
    INSERT INTO lane (lane) SELECT DISTINCT new.lane FROM unnest($1::bytea[]) AS new (lane) ORDER BY new.lane
    ON CONFLICT (lane) DO UPDATE SET lane = excluded.lane";

pub(super) const STORE: &str = "
    WITH new AS (
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[])
        WITH ORDINALITY AS new (lane, key, request, json, place)
    ), remembered AS (
        INSERT INTO seen (key, request) SELECT key, request FROM new ORDER BY place
        ON CONFLICT DO NOTHING RETURNING id, key
    ), stored AS (
        INSERT INTO event (id, lane, json) SELECT id, lane, json FROM remembered JOIN new USING (key)
    )
    SELECT key FROM remembered";

pub(super) const CLAIM: &str = "
    UPDATE lane SET due = now() + make_interval(secs => $2), epoch = nextval('epoch')
    WHERE lane = ANY (ARRAY (
        SELECT lane FROM lane WHERE due <= now() ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED
    ))
    RETURNING lane, epoch";

pub(super) const READ: &str = "
    SELECT claimed.lane, first.id, first.attempts, first.stored, first.json
    FROM unnest($1::bytea[]) AS claimed (lane)
    CROSS JOIN LATERAL (
        SELECT id, attempts, stored, json FROM event WHERE event.lane = claimed.lane ORDER BY id LIMIT $2
    ) AS first
    ORDER BY first.id";

/// Of claims in the order of their lanes.
pub(super) const RENEW: &str = "
    UPDATE lane SET due = now() + make_interval(secs => $3)
    WHERE lane = ANY (ARRAY (
        SELECT held.lane FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
        CROSS JOIN LATERAL (
            SELECT lane.lane FROM lane WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR UPDATE
        ) AS held
    ))
    RETURNING lane, epoch";

/// The fence: locks those of the lanes that are still held by these claims, which come in the order of their lanes.
pub(super) const HOLD: &str = "
    SELECT held.lane, held.epoch FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
    CROSS JOIN LATERAL (
        SELECT lane.lane, lane.epoch FROM lane
        WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR UPDATE
    ) AS held";

pub(super) const DELETE: &str = "
    DELETE FROM event WHERE id = ANY (ARRAY (
        SELECT done.id FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS done (lane, epoch, id)
        CROSS JOIN LATERAL (
            SELECT FROM lane WHERE lane.lane = done.lane AND lane.epoch = done.epoch OFFSET 0
        ) AS held
    ))";

pub(super) const BURY: &str = "
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

pub(super) const NOTE_FAILURE: &str = "
    WITH failed AS MATERIALIZED (
        SELECT failed.id, failed.attempts, failed.error
        FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::integer[], $5::bytea[])
            AS failed (lane, epoch, id, attempts, error)
        CROSS JOIN LATERAL (
            SELECT FROM lane WHERE lane.lane = failed.lane AND lane.epoch = failed.epoch OFFSET 0
        ) AS held
    )
    UPDATE event SET attempts = failed.attempts, error = failed.error
    FROM failed WHERE event.id = failed.id AND event.id = ANY (ARRAY (SELECT id FROM failed))";

/// A lane without events goes; the next event makes it anew.
pub(super) const RELEASE: &str = "
    WITH released AS MATERIALIZED (
        SELECT released.lane, released.after, held.more
        FROM unnest($1::bytea[], $2::bigint[], $3::double precision[]) AS released (lane, epoch, after)
        CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM event WHERE event.lane = lane.lane) AS more FROM lane
            WHERE lane.lane = released.lane AND lane.epoch = released.epoch OFFSET 0
        ) AS held
    ), gone AS (
        DELETE FROM lane WHERE lane = ANY (ARRAY (SELECT lane FROM released WHERE NOT more))
    )
    UPDATE lane SET due = now() + make_interval(secs => after), epoch = NULL
    FROM released
    WHERE lane.lane = released.lane AND lane.lane = ANY (ARRAY (SELECT lane FROM released WHERE more))";

/// All that wait, sessions that are held, those that have failed and are not held, dead letters, and the oldest's age in
/// seconds.
pub(super) const STATS: &str = "
    SELECT (SELECT count(*) FROM event),
        (SELECT count(*) FROM lane WHERE epoch IS NOT NULL AND due > now()),
        (SELECT count(*) FROM event JOIN lane USING (lane)
            WHERE attempts > 0 AND (epoch IS NULL OR due <= now())),
        (SELECT count(*) FROM dead_letter),
        extract(epoch FROM now() - (SELECT stored FROM event ORDER BY id LIMIT 1))::double precision";

pub(super) const DEAD_LETTERS: &str = "
    SELECT id, attempts, error, json, stored, died FROM dead_letter WHERE id > $1 ORDER BY id LIMIT $2";

pub(super) const REQUEUE: &str = "
    WITH revived AS (DELETE FROM dead_letter WHERE id = $1 RETURNING id, lane, stored, json)
    INSERT INTO event (id, lane, stored, json) SELECT id, lane, stored, json FROM revived RETURNING id";

/// After [`REQUEUE`]: whoever gave the lane up meanwhile did not see the event. What else waits in the lane need not wait for
/// its retry.
pub(super) const REOPEN: &str = "
    INSERT INTO lane (lane) SELECT lane FROM event WHERE id = $1
    ON CONFLICT (lane) DO UPDATE SET due = CASE WHEN lane.epoch IS NULL THEN now() ELSE lane.due END";

/// Some at a time.
pub(super) const PURGE: &str = "
    DELETE FROM dead_letter WHERE id = ANY (ARRAY (
        SELECT id FROM dead_letter WHERE died <= now() - make_interval(secs => $1) LIMIT 1000
    ))
    RETURNING id";

/// Of the next few thousand keys those that are old and of nothing that is still there. Gives the last old one, if there may
/// be more behind it, and how many are gone. Numbers ascend with the time, so the young ones are never looked at.
pub(super) const FORGET: &str = "
    WITH next AS MATERIALIZED (
        SELECT id, stored <= now() - make_interval(secs => $1) AS old FROM seen WHERE id > $2 ORDER BY id LIMIT 5000
    ), gone AS (
        DELETE FROM seen WHERE id = ANY (ARRAY (SELECT id FROM next WHERE old))
            AND NOT EXISTS (SELECT FROM event WHERE event.id = seen.id OFFSET 0)
            AND NOT EXISTS (SELECT FROM dead_letter WHERE dead_letter.id = seen.id OFFSET 0)
        RETURNING id
    )
    SELECT max(id) FILTER (WHERE old), count(*) FILTER (WHERE old) = 5000, (SELECT count(*) FROM gone) FROM next";
