-- A claim that ends without being given back leaves its lane careful: so many events are then claimed one at a time, and an
-- end of the process is the fault of the one that was claimed.
ALTER TABLE lane
    ADD COLUMN careful integer NOT NULL DEFAULT 0,
    -- The claimed event is the only one that its process handles.
    ADD COLUMN alone boolean NOT NULL DEFAULT false,
    -- The claim that was last taken for ended, the event that was blamed for it, and whether that was alone: a process that
    -- only stood still takes it back.
    ADD COLUMN blamed bigint,
    ADD COLUMN suspect bigint,
    ADD COLUMN suspect_alone boolean NOT NULL DEFAULT false;
-- For counting those that are held.
CREATE INDEX lane_held ON lane (due) WHERE epoch IS NOT NULL;

ALTER TABLE event
    -- When its first attempt failed.
    ADD COLUMN failing timestamptz,
    -- How many processes have ended while it was claimed, and in how many of them it was alone.
    ADD COLUMN crashes integer NOT NULL DEFAULT 0,
    ADD COLUMN alone integer NOT NULL DEFAULT 0;

-- Events that were delivered and are kept for a time.
CREATE TABLE archive (
    id bigint PRIMARY KEY,
    lane bytea NOT NULL,
    stored timestamptz NOT NULL,
    delivered timestamptz NOT NULL DEFAULT now(),
    json bytea NOT NULL
);
CREATE INDEX archive_delivered ON archive (delivered);

-- One row.
CREATE TABLE setting (paused boolean NOT NULL);
INSERT INTO setting VALUES (false);

-- Counts are the sums of the columns. Every change adds a row, because one row for all would make transactions wait for each
-- other; from time to time the rows become one.
CREATE TABLE tally (
    events bigint NOT NULL,
    bytes bigint NOT NULL,
    failed bigint NOT NULL,
    dead bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

-- Triggers, so that it is also right when an older release or an operator changes the tables.
CREATE FUNCTION tally_stored() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO tally SELECT count(*), sum(octet_length(json)), count(*) FILTER (WHERE attempts > 0), 0
    FROM changed HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION tally_gone() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO tally SELECT -count(*), -sum(octet_length(json)), -count(*) FILTER (WHERE attempts > 0), 0
    FROM changed HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION tally_failed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO tally SELECT 0, 0, count(*), 0
    FROM changed JOIN before USING (id) WHERE changed.attempts > 0 AND before.attempts = 0 HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION tally_dead() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO tally SELECT 0, 0, 0, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER stored AFTER INSERT ON event REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_stored();
CREATE TRIGGER gone AFTER DELETE ON event REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_gone();
CREATE TRIGGER failed AFTER UPDATE ON event REFERENCING OLD TABLE AS before NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_failed();
CREATE TRIGGER died AFTER INSERT ON dead_letter REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_dead();
CREATE TRIGGER gone AFTER DELETE ON dead_letter REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_dead();
INSERT INTO tally SELECT count(*), coalesce(sum(octet_length(json)), 0), count(*) FILTER (WHERE attempts > 0),
    (SELECT count(*) FROM dead_letter) FROM event;
