-- Events that are to be delivered. `retry_at`: not before this Unix time, in milliseconds.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    lane BLOB NOT NULL,
    stored INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER,
    error TEXT,
    json TEXT NOT NULL
);

-- Events that were given up.
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    lane BLOB NOT NULL,
    stored INTEGER NOT NULL,
    died INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    json TEXT NOT NULL
);
-- For deleting the old ones, and for counting all of them without reading what they hold.
CREATE INDEX dead_letter_died ON dead_letter (died);

-- Identifies duplicates of these events and of events that are done. AUTOINCREMENT: no number is used twice.
CREATE TABLE seen (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stored INTEGER NOT NULL,
    key BLOB NOT NULL UNIQUE,
    request BLOB UNIQUE
);
