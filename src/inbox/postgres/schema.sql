-- Sessions that have waiting events. A transaction that adds an event to a session, or deletes one, holds the lock on the
-- session's row, so that a session's events become visible in the order of their ids.
CREATE TABLE lane (
    lane bytea PRIMARY KEY,
    -- When it may be claimed: at once, when a retry is due, or when the lease of who has claimed it ends.
    due timestamptz NOT NULL DEFAULT now(),
    -- The claim that holds it, if one does.
    epoch bigint
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lane_due ON lane (due);
CREATE SEQUENCE epoch;

-- Events that are to be delivered. `json` and `error` are UTF-8, whatever the database's encoding is.
CREATE TABLE event (
    id bigint PRIMARY KEY,
    lane bytea NOT NULL,
    stored timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    error bytea,
    json bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX event_lane ON event (lane, id);
CREATE INDEX event_failed ON event (lane) WHERE attempts > 0;

-- Events that were given up.
CREATE TABLE dead_letter (
    id bigint PRIMARY KEY,
    lane bytea NOT NULL,
    stored timestamptz NOT NULL,
    died timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL,
    error bytea NOT NULL,
    json bytea NOT NULL
);
-- For deleting the old ones, and for counting all of them without reading what they hold.
CREATE INDEX dead_letter_died ON dead_letter (died);

-- Identifies duplicates of these events and of events that are done.
CREATE TABLE seen (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stored timestamptz NOT NULL DEFAULT now(),
    key bytea NOT NULL UNIQUE,
    request bytea UNIQUE
) WITH (autovacuum_vacuum_scale_factor = 0.05);
