//! The statements. `search_path` is the inbox's schema.

/// Sorted, here and in [`HOLD`] and [`RENEW`], so that transactions that lock several lanes never wait for each other in a
/// ring. The update changes nothing: it locks.
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
    FROM (
        SELECT lane FROM lane WHERE due <= now() ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED
    ) AS ready
    WHERE lane.lane = ready.lane RETURNING lane.lane, lane.epoch";

pub(super) const READ: &str = "
    SELECT claimed.lane, first.id, first.attempts, first.json
    FROM unnest($1::bytea[]) AS claimed (lane)
    CROSS JOIN LATERAL (
        SELECT id, attempts, json FROM event WHERE event.lane = claimed.lane ORDER BY id LIMIT $2
    ) AS first
    ORDER BY first.id";

pub(super) const RENEW: &str = "
    UPDATE lane SET due = now() + make_interval(secs => $3)
    FROM (
        SELECT lane FROM lane JOIN unnest($1::bytea[], $2::bigint[]) AS held (lane, epoch) USING (lane, epoch)
        ORDER BY lane FOR UPDATE OF lane
    ) AS held
    WHERE lane.lane = held.lane RETURNING lane.lane, lane.epoch";

/// The fence: locks those of the lanes that are still held by these claims.
pub(super) const HOLD: &str = "
    SELECT lane, epoch FROM lane JOIN unnest($1::bytea[], $2::bigint[]) AS held (lane, epoch) USING (lane, epoch)
    ORDER BY lane FOR UPDATE OF lane";

pub(super) const DELETE: &str = "
    DELETE FROM event
    USING unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS done (lane, epoch, id) JOIN lane USING (lane, epoch)
    WHERE event.id = done.id";

pub(super) const BURY: &str = "
    WITH gone AS (
        DELETE FROM event
        USING unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::integer[], $5::bytea[])
            AS dead (lane, epoch, id, attempts, error)
            JOIN lane USING (lane, epoch)
        WHERE event.id = dead.id
        RETURNING event.id, event.lane, event.stored, event.json, dead.attempts, dead.error
    )
    INSERT INTO dead_letter (id, lane, stored, attempts, error, json)
    SELECT id, lane, stored, attempts, error, json FROM gone";

pub(super) const NOTE_FAILURE: &str = "
    UPDATE event SET attempts = failed.attempts, error = failed.error
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::integer[], $5::bytea[])
        AS failed (lane, epoch, id, attempts, error)
        JOIN lane USING (lane, epoch)
    WHERE event.id = failed.id";

/// A lane without events goes; the next event makes it anew.
pub(super) const RELEASE: &str = "
    WITH released AS (
        SELECT lane, after, EXISTS (SELECT 1 FROM event WHERE event.lane = lane.lane) AS more
        FROM unnest($1::bytea[], $2::bigint[], $3::double precision[]) AS released (lane, epoch, after)
        JOIN lane USING (lane, epoch)
    ), gone AS (
        DELETE FROM lane USING released WHERE lane.lane = released.lane AND NOT more
    )
    UPDATE lane SET due = now() + make_interval(secs => after), epoch = NULL
    FROM released WHERE lane.lane = released.lane AND more";

/// All that wait, sessions that are held, those that have failed and are not held, dead letters, and the oldest's age in
/// seconds.
pub(super) const STATS: &str = "
    SELECT (SELECT count(*) FROM event),
        (SELECT count(*) FROM lane WHERE epoch IS NOT NULL AND due > now()),
        (SELECT count(*) FROM event JOIN lane USING (lane)
            WHERE attempts > 0 AND (epoch IS NULL OR due <= now())),
        (SELECT count(*) FROM dead_letter),
        extract(epoch FROM now() - (SELECT min(stored) FROM event))::double precision";

pub(super) const DEAD_LETTERS: &str = "
    SELECT id, attempts, error, json, stored, died FROM dead_letter WHERE id > $1 ORDER BY id LIMIT $2";

/// As [`LOCK_LANES`] does, for the lane of a dead letter; what else waits in the lane need not wait for its retry.
pub(super) const LOCK_DEAD: &str = "
    INSERT INTO lane (lane) SELECT lane FROM dead_letter WHERE id = $1
    ON CONFLICT (lane) DO UPDATE SET due = CASE WHEN lane.epoch IS NULL THEN now() ELSE lane.due END";

pub(super) const REQUEUE: &str = "
    WITH revived AS (DELETE FROM dead_letter WHERE id = $1 RETURNING id, lane, stored, json)
    INSERT INTO event (id, lane, stored, json) SELECT id, lane, stored, json FROM revived RETURNING id";

pub(super) const PURGE: &str = "
    DELETE FROM dead_letter WHERE died <= now() - make_interval(secs => $1) RETURNING id";

/// Of the next few thousand keys those that are old and of nothing that is still there. Gives the last old one, if there may
/// be more behind it, and how many are gone. Numbers ascend with the time, so the young ones are never looked at.
pub(super) const FORGET: &str = "
    WITH next AS (
        SELECT id, stored <= now() - make_interval(secs => $1) AS old FROM seen WHERE id > $2 ORDER BY id LIMIT 5000
    ), gone AS (
        DELETE FROM seen USING next
        WHERE seen.id = next.id AND old
            AND NOT EXISTS (SELECT 1 FROM event WHERE event.id = seen.id)
            AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE dead_letter.id = seen.id)
        RETURNING seen.id
    )
    SELECT max(id) FILTER (WHERE old), count(*) FILTER (WHERE old) = 5000, (SELECT count(*) FROM gone) FROM next";
