-- From version 2 to 3: alarms whose place is unknown are looked for in short intervals.

CREATE INDEX alarm_unplaced ON alarm (id) WHERE closed IS NULL AND venue LIKE '?%';
