-- Sessions that are kept, one row each. Times are milliseconds since the Unix epoch, durations milliseconds; NULL: not known.
CREATE TABLE desk_session (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of app and session, whatever their names consist of.
    key bytea NOT NULL UNIQUE,
    sdk_app_id bigint NOT NULL,
    session_id text NOT NULL,
    client_user_id text,
    account text,
    channel text,
    contacted_by_agent boolean,
    opened_at bigint,
    closed_at bigint,
    -- user, agent, user_timeout, agent_timeout, left_queue or unstated.
    end_reason text,
    user_messages integer NOT NULL,
    bot_messages integer NOT NULL,
    agent_messages integer NOT NULL,
    agent_requests integer NOT NULL,
    no_agent_online integer NOT NULL,
    queue_ms bigint,
    first_answer_ms bigint,
    handling_ms bigint,
    longest_user_wait_ms bigint,
    -- In the order of their appearance.
    agents text[] NOT NULL,
    rating smallint,
    -- Whether the figures are those of all events.
    exact boolean NOT NULL,
    -- When an event was last recorded.
    changed_at bigint NOT NULL,
    -- Another one after each change.
    revision bigint NOT NULL,
    -- The events that the figures are computed from; for the inbox alone.
    log text NOT NULL
);
-- Hashes: names can be of any length.
CREATE INDEX desk_session_named ON desk_session USING hash (session_id);
CREATE INDEX desk_session_user ON desk_session USING hash (client_user_id);
CREATE INDEX desk_session_opened ON desk_session (opened_at);
CREATE INDEX desk_session_changed ON desk_session (changed_at);

-- The messages of these sessions.
CREATE TABLE desk_message (
    -- The event's dedup key, which begins with its time.
    event bytea PRIMARY KEY,
    -- The key of its session.
    session bytea NOT NULL,
    sdk_app_id bigint NOT NULL,
    session_id text NOT NULL,
    client_user_id text,
    agent_id text,
    sent_at bigint NOT NULL,
    -- bot or human: who served the user then.
    stage text NOT NULL,
    -- user, bot or agent.
    sender text NOT NULL,
    message_key text,
    -- Whether it is one of Desk's control messages, which sessions do not count.
    is_control boolean NOT NULL,
    text text
);
CREATE INDEX desk_message_session ON desk_message USING hash (session);
CREATE INDEX desk_message_user ON desk_message USING hash (client_user_id);
