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

/// Epochs are microseconds, so that what a crash of the server undoes is not given out again, with the number of the process
/// in the last ten bits. Returns with each lane the claim that held it before, if that has not given it back.
pub(super) const CLAIM: &str = "
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

/// The first events of each lane, so many of each, and so many bytes in all and of each lane; but at least one in all. First
/// events come first, so that a few lanes with much do not keep others from being read. An event that waits for its retry holds
/// back those behind it.
pub(super) const READ: &str = "
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

/// Of claims in the order of their lanes: which are renewed, and which are held still, though their rows are locked just now.
pub(super) const RENEW: &str = "
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

/// The fence: locks those of the lanes that are still held by these claims, which come in the order of their lanes.
pub(super) const HOLD: &str = "
    SELECT held.lane, held.epoch FROM unnest($1::bytea[], $2::bigint[]) AS claim (lane, epoch)
    CROSS JOIN LATERAL (
        SELECT lane.lane, lane.epoch FROM lane
        WHERE lane.lane = claim.lane AND lane.epoch = claim.epoch FOR UPDATE
    ) AS held";

/// Of these claims those whose lanes are locked.
pub(super) const BUSY_LANES: &str = "
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

/// Of these events those that are locked, by the transaction of a handler with a receipt for instance.
pub(super) const BUSY_EVENTS: &str = "
    WITH free AS MATERIALIZED (SELECT id FROM event WHERE id = ANY ($1::bigint[]) FOR UPDATE SKIP LOCKED)
    SELECT id FROM event WHERE id = ANY ($1::bigint[]) AND id NOT IN (SELECT id FROM free)";

pub(super) const DELETE: &str = "
    DELETE FROM event WHERE id = ANY (ARRAY (
        SELECT done.id FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS done (lane, epoch, id)
        CROSS JOIN LATERAL (
            SELECT FROM lane WHERE lane.lane = done.lane AND lane.epoch = done.epoch OFFSET 0
        ) AS held
    ))";

pub(super) const ARCHIVE: &str = "
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

/// A lane without events goes; the next event makes it anew. The others are due when their first events are. One with less to be
/// careful about comes nearer to being trusted.
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

/// After something has changed which events these lanes have, or when they may be tried again.
pub(super) const RESCHEDULE: &str = "
    UPDATE lane SET due = (
        SELECT greatest(retry_at, now()) FROM event WHERE event.lane = lane.lane ORDER BY id LIMIT 1
    )
    WHERE lane = ANY (ARRAY (SELECT lane FROM lane WHERE lane = ANY ($1::bytea[]) AND epoch IS NULL ORDER BY lane FOR UPDATE))
        AND EXISTS (SELECT FROM event WHERE event.lane = lane.lane OFFSET 0)";

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
