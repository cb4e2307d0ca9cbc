-- Sessions that are kept, one row each. Times are milliseconds since the Unix epoch, durations milliseconds; NULL: not known.
CREATE TABLE desk_session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of app and session, whatever their names consist of.
    key BLOB NOT NULL UNIQUE,
    sdk_app_id INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    client_user_id TEXT,
    account TEXT,
    channel TEXT,
    contacted_by_agent INTEGER,
    opened_at INTEGER,
    closed_at INTEGER,
    -- user, agent, user_timeout, agent_timeout, left_queue or unstated.
    end_reason TEXT,
    user_messages INTEGER NOT NULL,
    bot_messages INTEGER NOT NULL,
    agent_messages INTEGER NOT NULL,
    agent_requests INTEGER NOT NULL,
    no_agent_online INTEGER NOT NULL,
    queue_ms INTEGER,
    first_answer_ms INTEGER,
    handling_ms INTEGER,
    longest_user_wait_ms INTEGER,
    -- A JSON array of texts, in the order of their appearance.
    agents TEXT NOT NULL,
    rating INTEGER,
    -- Whether the figures are those of all events.
    exact INTEGER NOT NULL,
    -- When an event was last recorded.
    changed_at INTEGER NOT NULL,
    -- The events that the figures are computed from; for the inbox alone.
    log TEXT NOT NULL
);
CREATE INDEX desk_session_named ON desk_session (session_id);
CREATE INDEX desk_session_user ON desk_session (client_user_id);
CREATE INDEX desk_session_opened ON desk_session (opened_at);
CREATE INDEX desk_session_changed ON desk_session (changed_at);

-- The messages of these sessions.
CREATE TABLE desk_message (
    -- The key of its session.
    session BLOB NOT NULL,
    -- The event's dedup key, which begins with its time.
    event BLOB NOT NULL,
    sdk_app_id INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    client_user_id TEXT,
    agent_id TEXT,
    sent_at INTEGER NOT NULL,
    -- bot or human: who served the user then.
    stage TEXT NOT NULL,
    -- user, bot or agent.
    sender TEXT NOT NULL,
    message_key TEXT,
    -- Whether it is one of Desk's control messages, which sessions do not count.
    is_control INTEGER NOT NULL,
    text TEXT,
    PRIMARY KEY (session, event)
) WITHOUT ROWID;
CREATE INDEX desk_message_user ON desk_message (client_user_id);
