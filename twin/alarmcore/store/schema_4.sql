-- From version 3 to 4: what a worker knows by heart of a venue holds as long as its version does.

ALTER TABLE venue_state ADD COLUMN version bigint NOT NULL DEFAULT 1;
DROP FUNCTION IF EXISTS receive, lock_states, write_steps, take_messages;

-- Notifications are leased together to the worker that writes them: their rows wait for nothing, and
-- what arrives changes no index, as long as there is room on its page. Otherwise a row is due when
-- something has to be done about it: it is to be delivered, or no receipt has come for it.
CREATE TABLE lease (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    until double precision NOT NULL,
    deliveries bigint[] NOT NULL             -- of outbox
);
ALTER TABLE outbox SET (fillfactor = 50);
ALTER TABLE outbox ALTER COLUMN due DROP NOT NULL;
DROP INDEX outbox_due, outbox_sent;
-- The receipts of what was sent are waited for as long as is usual; no other message has one.
UPDATE outbox SET due = CASE WHEN state = 'waiting' THEN due
                             WHEN state = 'sent' AND kind = 'notify' THEN sent + 600 END;
CREATE INDEX outbox_due ON outbox (channel, due, id) WHERE due IS NOT NULL;

-- History is read back page by page, in the order in which it came.
ALTER TABLE history ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX history_id ON history (id);

-- An alarm's record is read page by page: a device that repeats its signal makes it long.
DROP INDEX event_log_alarm;
CREATE INDEX event_log_alarm ON event_log (alarm, seq) WHERE alarm <> 0;

-- What every worker has counted by now, for whoever asks another one; a number is one worker's at a
-- time. Whether the one that told still lives is seen by its connections. Nothing of it has to last.
CREATE UNLOGGED TABLE worker_counts (
    number int PRIMARY KEY,
    worker text NOT NULL,
    counts jsonb NOT NULL
);
