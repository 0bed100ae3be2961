-- From version 3 to 4: what a worker knows by heart of a venue holds as long as its version does.

ALTER TABLE venue_state ADD COLUMN version bigint NOT NULL DEFAULT 1;
DROP FUNCTION IF EXISTS receive, lock_states, write_steps;

-- Notifications are leased together to the worker that writes them: their rows wait for nothing, and
-- what arrives changes no index. Otherwise a row is due when something has to be done about it: it is
-- to be delivered, or no receipt has come for it.
CREATE TABLE lease (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    until double precision NOT NULL,
    deliveries bigint[] NOT NULL             -- of outbox
);
ALTER TABLE outbox ALTER COLUMN due DROP NOT NULL;
DROP INDEX outbox_due, outbox_sent;
UPDATE outbox SET due = CASE state WHEN 'waiting' THEN due WHEN 'sent' THEN sent END;
CREATE INDEX outbox_due ON outbox (channel, due, id) WHERE due IS NOT NULL;
