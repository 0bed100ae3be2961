-- From version 2 to 3: alarms whose place is unknown are looked for in short intervals.

CREATE INDEX alarm_unplaced ON alarm (id) WHERE closed IS NULL AND venue LIKE '?%';

-- Several devices are changed by one statement, which leaves here what it changed of each: 1 online
-- or offline, 2 fault, 4 battery.
ALTER TABLE device_state ADD COLUMN changed int NOT NULL DEFAULT 0;
ALTER TABLE device_state ALTER COLUMN parameters TYPE jsonb;
ALTER TABLE device_state DROP COLUMN heard;
DROP FUNCTION IF EXISTS lock_devices, believe, open_ticket, measure, take_messages;
