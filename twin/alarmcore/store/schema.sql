-- The alarm core's database, version 2; schema_3.sql and so on bring it up to date: what has once
-- been released here does not change. Times are seconds since 1970-01-01 UTC of the service's clock,
-- except event_log.time, which is in microseconds as in every event log.
--
-- Ids of messages are made by the service: microseconds of receipt * 1024 + worker, so that they
-- order and partition by time. The id of an alarm is that of its first message.

CREATE TABLE core (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_version int NOT NULL,
    center text NOT NULL,
    started double precision NOT NULL,       -- first start: the log's period begins
    clock double precision NOT NULL,        -- the latest time the clock has told
    run_speed double precision,              -- a driven run: the speed of its clock, and the time
    run_told double precision,               -- that it told at a real time
    run_real double precision,
    seal bytea                               -- a word, sealed with secret.key
);

-- Who may come in -------------------------------------------------------------------------------

CREATE TABLE vendor (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE               -- part of ids: "<vendor>/<the vendor's id>"
        CHECK (name ~ '^[^/?#[:cntrl:][:space:]]{1,32}$'),
    appkey text NOT NULL UNIQUE,
    secret_hash bytea NOT NULL,
    token_hash bytea UNIQUE,                 -- what the vendor presents
    token_sealed bytea,                      -- the same token encrypted: what the platform presents
    url text,                                -- where its APIs are; null: it is not pulled
    pull_period double precision NOT NULL DEFAULT 86400 CHECK (pull_period BETWEEN 3600 AND 86400),
    contacted double precision,              -- base data have been pulled whole
    pull_cursor jsonb,                       -- where an interrupted pull goes on
    pull_due double precision NOT NULL DEFAULT 0,
    pull_failures int NOT NULL DEFAULT 0,
    pull_error text
);

CREATE TABLE account (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('operator', 'manager', 'owner', 'upstream', 'auditor')),
    venues text[],                           -- an owner's venues
    token_hash bytea UNIQUE
);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time double precision NOT NULL,
    who text NOT NULL,
    role text NOT NULL,
    action text NOT NULL,
    target text NOT NULL DEFAULT '',
    detail jsonb
);

-- Registry: ids are "<vendor>/<the vendor's id>" ----------------------------------------------------

CREATE TABLE project (
    id text PRIMARY KEY,
    vendor int NOT NULL REFERENCES vendor,
    body jsonb NOT NULL,
    follow boolean NOT NULL DEFAULT false    -- pushed: to be followed with a GET (B.2.4)
);
CREATE INDEX ON project (vendor);

CREATE TABLE venue (
    id text PRIMARY KEY,
    vendor int NOT NULL REFERENCES vendor,
    project text NOT NULL REFERENCES project,
    name text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT '',
    responsible int NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX ON venue (vendor);

CREATE TABLE responsible (
    venue text NOT NULL REFERENCES venue ON DELETE CASCADE,
    n int NOT NULL CHECK (n >= 1),           -- person "<venue>#<n>"
    name text NOT NULL,
    phone text NOT NULL DEFAULT '',
    channels text[] NOT NULL,                -- voice, sms, app, wechat, announcement
    PRIMARY KEY (venue, n)
);

CREATE TABLE gateway (
    id text PRIMARY KEY,
    vendor int NOT NULL REFERENCES vendor,
    project text NOT NULL REFERENCES project,
    venue text REFERENCES venue,
    body jsonb NOT NULL
);
CREATE INDEX ON gateway (vendor);

CREATE TABLE device (
    id text PRIMARY KEY,
    vendor int NOT NULL REFERENCES vendor,
    project text NOT NULL REFERENCES project,
    venue text REFERENCES venue,             -- null: a device of a project without venues (API 16)
    gateway text REFERENCES gateway,         -- null: a standalone device
    kind text NOT NULL,
    category text NOT NULL,
    conforms boolean NOT NULL DEFAULT true,
    removed double precision,
    body jsonb NOT NULL
);
CREATE INDEX ON device (vendor);
CREATE INDEX ON device (venue);

CREATE TABLE channel (
    device text NOT NULL REFERENCES device ON DELETE CASCADE,
    id text NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (device, id)
);

-- What the core believes of a device ----------------------------------------------------------------

CREATE TABLE device_state (
    device text PRIMARY KEY,
    offline boolean NOT NULL DEFAULT false,
    fault boolean NOT NULL DEFAULT false,
    low_battery boolean NOT NULL DEFAULT false,
    offline_at double precision,             -- the device's or vendor's time of the last word
    fault_at double precision,
    low_battery_at double precision,
    parameters json,
    heard double precision
) WITH (fillfactor = 70);

CREATE TABLE ticket (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device text NOT NULL,
    kind text NOT NULL,
    opened double precision NOT NULL,
    due double precision,
    missed boolean NOT NULL DEFAULT false,
    finding text,
    closed double precision
);
CREATE UNIQUE INDEX ticket_open ON ticket (device, kind) WHERE closed IS NULL;
CREATE INDEX ticket_due ON ticket (due) WHERE closed IS NULL AND NOT missed AND due IS NOT NULL;

-- Every message that was acknowledged -----------------------------------------------------------------

CREATE TABLE message_key (
    vendor int NOT NULL,
    message_id text NOT NULL,
    id bigint NOT NULL,
    PRIMARY KEY (vendor, message_id)
);

CREATE TABLE message (
    id bigint NOT NULL,
    vendor int NOT NULL,
    message_id text,                         -- null: none, or one that another message has
    body bytea NOT NULL,                     -- as it came
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE message_rest PARTITION OF message DEFAULT;

CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor int,
    received double precision NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    seen_by text
);

-- What a vendor told afterwards (extension of B.2.2), apart from messages: the push of one of these
-- that comes yet is still new and may be a fire.
CREATE TABLE history (
    vendor int NOT NULL REFERENCES vendor,
    message_id text NOT NULL,
    time double precision NOT NULL,          -- when the device signalled
    body bytea NOT NULL,
    PRIMARY KEY (vendor, message_id)
);

-- The lifecycle ---------------------------------------------------------------------------------------

CREATE TABLE venue_state (
    venue text PRIMARY KEY,
    state bytea NOT NULL,                    -- msgpack of twin.alarmcore.state.VenueState
    at double precision NOT NULL             -- of its last step
) WITH (fillfactor = 70);

CREATE TABLE alarm (
    id bigint PRIMARY KEY,
    venue text NOT NULL,
    category text NOT NULL,
    raised double precision NOT NULL,
    grade int NOT NULL,
    stage text NOT NULL,                     -- raised, responded, verified, closed
    outcome text,
    annotation text,
    confirmed double precision,
    closed double precision,
    report jsonb                             -- Annex C
) WITH (fillfactor = 70);
CREATE INDEX alarm_open ON alarm (id) WHERE closed IS NULL;
CREATE INDEX ON alarm (venue);

CREATE TABLE deadline (
    alarm bigint NOT NULL,
    name text NOT NULL,
    venue text NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (alarm, name)
);
CREATE INDEX ON deadline (at);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,                      -- notify, confirmed, forward, command
    channel text NOT NULL,
    alarm bigint,
    venue text,
    person text NOT NULL,                    -- to whom: person, grid worker, station, platform
    body jsonb NOT NULL,
    created double precision NOT NULL,
    due double precision NOT NULL,           -- not before; a lease while it is being delivered
    tries int NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'waiting',   -- waiting, sent, received, failed
    sent double precision,
    received double precision,
    error text
) WITH (fillfactor = 80);
CREATE INDEX outbox_due ON outbox (channel, due, id) WHERE state = 'waiting';
CREATE INDEX ON outbox (alarm);
CREATE INDEX outbox_sent ON outbox (sent) WHERE state = 'sent';
CREATE INDEX outbox_commands ON outbox (person, id) WHERE kind = 'command';

CREATE TABLE complaint (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received double precision NOT NULL,
    venue text NOT NULL,
    matter text NOT NULL,
    upheld boolean,
    answer text
);

-- The event log: the columns of twin.log ------------------------------------------------------------------

CREATE TABLE event_log (
    time bigint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    center text NOT NULL,
    subject text NOT NULL,
    kind text NOT NULL,
    view text NOT NULL DEFAULT 'platform',
    message bigint NOT NULL DEFAULT 0,
    alarm bigint NOT NULL DEFAULT 0,
    value double precision,
    text text NOT NULL DEFAULT ''
) PARTITION BY RANGE (time);
CREATE TABLE event_log_rest PARTITION OF event_log DEFAULT;
CREATE INDEX event_log_alarm ON event_log (alarm) WHERE alarm <> 0;
CREATE INDEX event_log_message ON event_log (message) WHERE message <> 0;
CREATE INDEX event_log_time ON event_log USING brin (time);
