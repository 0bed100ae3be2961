-- From version 3 to 4: what a worker knows by heart of a venue holds as long as its version does.

ALTER TABLE venue_state ADD COLUMN version bigint NOT NULL DEFAULT 1;
DROP FUNCTION IF EXISTS receive, lock_states, write_steps;
