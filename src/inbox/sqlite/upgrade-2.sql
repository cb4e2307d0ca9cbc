-- Since when an event has been failing: the Unix time of its first failure, in milliseconds.
ALTER TABLE event ADD COLUMN failing_since INTEGER;

-- Claims up to this one do not hold the event any more; nor do those of earlier runs, whose numbers are lower.
ALTER TABLE event ADD COLUMN fenced INTEGER NOT NULL DEFAULT 0;

-- Events during whose handling a process has died; `alone`: how often nothing else was handled at the time.
CREATE TABLE crash (
    id INTEGER PRIMARY KEY,
    crashes INTEGER NOT NULL,
    alone INTEGER NOT NULL
);

-- Rows of `event`, `dead_letter` and `archive` that are damaged so that SQLite cannot delete them. They count as deleted.
CREATE TABLE damaged (
    place TEXT NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (place, id)
) WITHOUT ROWID;

-- Events that were delivered, if the archive is switched on.
CREATE TABLE archive (
    id INTEGER PRIMARY KEY,
    lane BLOB NOT NULL,
    stored INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    json TEXT NOT NULL
);
CREATE INDEX archive_delivered ON archive (delivered);

-- One row. `run`: how many times the inbox was opened.
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    run INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0
);
INSERT INTO state (one) VALUES (1);

-- Takes up free pages for a moment, to overwrite what was in them.
CREATE TABLE scratch (zeros BLOB NOT NULL);

-- What another process asks of the one that has the inbox, and the answer, both as JSON.
CREATE TABLE command (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asked INTEGER NOT NULL,
    request TEXT NOT NULL,
    answer TEXT
);

-- Events that a handler has recorded as done in its own transaction. They are deleted from `event` afterwards.
CREATE TABLE desk_done (
    id INTEGER PRIMARY KEY,
    archive INTEGER NOT NULL,
    epoch INTEGER NOT NULL
);
CREATE TRIGGER desk_done_once BEFORE INSERT ON desk_done
BEGIN
    SELECT RAISE(ROLLBACK, 'this event is not held by this delivery any more')
    WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.id = NEW.id AND event.fenced < NEW.epoch)
        OR NOT EXISTS (SELECT 1 FROM state WHERE state.run = NEW.epoch >> 40)
        OR EXISTS (SELECT 1 FROM desk_done WHERE desk_done.id = NEW.id);
END;
