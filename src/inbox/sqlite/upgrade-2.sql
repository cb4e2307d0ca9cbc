-- Since when an event has been failing: the Unix time of its first failure, in milliseconds.
ALTER TABLE event ADD COLUMN failing_since INTEGER;

-- Events during whose handling a process has died; `alone`: how often nothing else was handled at the time.
CREATE TABLE crash (
    id INTEGER PRIMARY KEY,
    crashes INTEGER NOT NULL,
    alone INTEGER NOT NULL
);

-- Events whose rows are damaged so that SQLite cannot delete them. They are not delivered any more.
CREATE TABLE damaged (id INTEGER PRIMARY KEY);

-- Events that were delivered, if the archive is switched on.
CREATE TABLE archive (
    id INTEGER PRIMARY KEY,
    lane BLOB NOT NULL,
    stored INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    json TEXT NOT NULL
);
CREATE INDEX archive_delivered ON archive (delivered);

-- One row. `run`: how many times the inbox was opened; `checked`: when a health check has last written; `cleaned`: whether the
-- file was rewritten since the first release, which did not overwrite what it deleted.
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    run INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0,
    cleaned INTEGER NOT NULL DEFAULT 0,
    checked INTEGER
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
    archive INTEGER NOT NULL DEFAULT 0
);
CREATE TRIGGER desk_done_once BEFORE INSERT ON desk_done
BEGIN
    SELECT RAISE(ROLLBACK, 'this event is not held by this delivery any more')
    WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.id = NEW.id)
        OR EXISTS (SELECT 1 FROM desk_done WHERE desk_done.id = NEW.id);
END;
