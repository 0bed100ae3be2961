-- What the service does with many rows at once, each in one call.

-- Stores messages once, by vendor and message id; returns the ids of those that are new.
CREATE OR REPLACE FUNCTION take_messages(
    ids bigint[], vendors int[], message_ids text[], bodies bytea[]
) RETURNS SETOF bigint LANGUAGE sql AS $$
    WITH fresh AS (
        INSERT INTO message_key (id, vendor, message_id)
        SELECT id, vendor, message_id
        FROM unnest(ids, vendors, message_ids) AS given (id, vendor, message_id)
        WHERE message_id <> '' ORDER BY vendor, message_id
        ON CONFLICT DO NOTHING RETURNING id
    )
    INSERT INTO message (id, vendor, message_id, body)
    SELECT id, vendor, nullif(message_id, ''), body FROM unnest(ids, vendors, message_ids, bodies)
        AS given (id, vendor, message_id, body)
    WHERE message_id = '' OR id IN (SELECT id FROM fresh)
    RETURNING id
$$;

-- Devices' states, made where they are new and locked in their order.
CREATE OR REPLACE FUNCTION lock_devices(devices text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO device_state (device) SELECT DISTINCT d FROM unnest(devices) AS d ORDER BY d
        ON CONFLICT DO NOTHING;
    PERFORM 1 FROM device_state WHERE device = ANY (devices) ORDER BY device FOR UPDATE;
END
$$;

-- What the core believes of devices, word by word in their order: offline, online, fault,
-- fault_cleared, low_battery, battery_changed, as in the log. Only a change is a row of the log
-- and opens a ticket; its time to the deadline, s, is given with it (NaN: none; null: no ticket).
-- A word that was said before the last one of its kind was comes too late to change anything.
CREATE OR REPLACE FUNCTION believe(
    center_ text, now_ float8, devices text[], words text[], causes text[], tickets text[],
    seconds float8[], ats float8[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed boolean;
BEGIN
    PERFORM lock_devices(devices);
    FOR i IN 1 .. cardinality(devices) LOOP
        changed := NULL;
        CASE words[i]
            WHEN 'offline', 'online' THEN
                SELECT offline <> (words[i] = 'offline') INTO changed FROM device_state
                    WHERE device = devices[i] AND coalesce(offline_at, '-inf') <= ats[i];
                IF changed IS NOT NULL THEN
                    UPDATE device_state SET offline = (words[i] = 'offline'), offline_at = ats[i]
                        WHERE device = devices[i];
                END IF;
            WHEN 'fault', 'fault_cleared' THEN
                SELECT fault <> (words[i] = 'fault') INTO changed FROM device_state
                    WHERE device = devices[i] AND coalesce(fault_at, '-inf') <= ats[i];
                IF changed IS NOT NULL THEN
                    UPDATE device_state SET fault = (words[i] = 'fault'), fault_at = ats[i]
                        WHERE device = devices[i];
                END IF;
            WHEN 'low_battery', 'battery_changed' THEN
                SELECT low_battery <> (words[i] = 'low_battery') INTO changed FROM device_state
                    WHERE device = devices[i] AND coalesce(low_battery_at, '-inf') <= ats[i];
                IF changed IS NOT NULL THEN
                    UPDATE device_state
                        SET low_battery = (words[i] = 'low_battery'), low_battery_at = ats[i]
                        WHERE device = devices[i];
                END IF;
        END CASE;
        IF changed THEN
            INSERT INTO event_log (time, center, subject, kind, text)
                VALUES (round(now_ * 1e6)::bigint, center_, devices[i], words[i], causes[i]);
            IF tickets[i] IS NOT NULL THEN
                PERFORM open_ticket(center_, now_, devices[i], tickets[i], seconds[i]);
            END IF;
        END IF;
    END LOOP;
END
$$;

-- Opens a ticket unless the device has an open one of the kind.
CREATE OR REPLACE FUNCTION open_ticket(
    center_ text, now_ float8, device_ text, kind_ text, seconds float8
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ticket (device, kind, opened, due)
        VALUES (device_, kind_, now_, now_ + nullif(seconds, 'NaN'))
        ON CONFLICT (device, kind) WHERE closed IS NULL DO NOTHING;
    IF FOUND THEN
        INSERT INTO event_log (time, center, subject, kind, value, text)
            VALUES (round(now_ * 1e6)::bigint, center_, device_, 'ticket_opened',
                    nullif(seconds, 'NaN'), kind_);
    END IF;
END
$$;

-- The latest measured values of devices; a device stands in the arrays once.
CREATE OR REPLACE FUNCTION measure(now_ float8, devices text[], parameters_ text[])
RETURNS void LANGUAGE sql AS $$
    INSERT INTO device_state (device, parameters, heard)
    SELECT device, p::json, now_ FROM unnest(devices, parameters_) AS u (device, p) ORDER BY device
    ON CONFLICT (device) DO UPDATE SET parameters = excluded.parameters, heard = excluded.heard
$$;

-- Everything that steps of the lifecycle decided. Person "<venue>#<n>" is notified of an alarm
-- over each of their channels (9.3), with what 6.1 asks for: place and contacts.
CREATE OR REPLACE FUNCTION write_steps(
    now_ float8,
    venues text[], states bytea[], ats float8[],
    alarms bigint[], alarm_venues text[], categories text[], raiseds float8[], grades int[],
    stages text[], outcomes text[], annotations text[], confirmeds float8[], closeds float8[],
    ended bigint[], ended_names text[],
    due bigint[], due_names text[], due_venues text[], due_ats float8[],
    told bigint[], told_venues text[], told_numbers int[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE venue_state s SET state = u.state, at = u.at
        FROM unnest(venues, states, ats) AS u (venue, state, at) WHERE s.venue = u.venue;
    IF cardinality(alarms) > 0 THEN
        INSERT INTO alarm (id, venue, category, raised, grade, stage, outcome, annotation,
                           confirmed, closed)
            SELECT * FROM unnest(alarms, alarm_venues, categories, raiseds, grades, stages,
                                 outcomes, annotations, confirmeds, closeds)
            ON CONFLICT (id) DO UPDATE SET category = excluded.category, grade = excluded.grade,
                stage = excluded.stage, outcome = excluded.outcome,
                annotation = excluded.annotation, confirmed = excluded.confirmed,
                closed = excluded.closed
            -- Repeats of a device change nothing that is shown.
            WHERE (alarm.category, alarm.grade, alarm.stage, alarm.outcome, alarm.annotation,
                   alarm.confirmed, alarm.closed)
                IS DISTINCT FROM
                  (excluded.category, excluded.grade, excluded.stage, excluded.outcome,
                   excluded.annotation, excluded.confirmed, excluded.closed);
    END IF;
    IF cardinality(ended) > 0 THEN
        DELETE FROM deadline d USING unnest(ended, ended_names) AS u (alarm, name)
            WHERE d.alarm = u.alarm AND d.name = u.name;
    END IF;
    IF cardinality(due) > 0 THEN
        INSERT INTO deadline (alarm, name, venue, at)
            SELECT * FROM unnest(due, due_names, due_venues, due_ats)
            ON CONFLICT (alarm, name) DO UPDATE SET at = excluded.at;
    END IF;
    IF cardinality(told) > 0 THEN
        INSERT INTO outbox (kind, channel, alarm, venue, person, body, created, due)
            SELECT 'notify', c.channel, u.alarm, u.venue, u.venue || '#' || u.n,
                   jsonb_build_object('name', r.name, 'phone', r.phone, 'place', v.name,
                                      'category', a.category),
                   now_, now_
            FROM unnest(told, told_venues, told_numbers) AS u (alarm, venue, n)
            JOIN responsible r ON r.venue = u.venue AND r.n = u.n
            JOIN venue v ON v.id = u.venue
            JOIN alarm a ON a.id = u.alarm
            CROSS JOIN LATERAL unnest(r.channels) AS c (channel);
    END IF;
END
$$;

-- Rows of the event log, view platform, in their order.
CREATE OR REPLACE FUNCTION write_log(
    times bigint[], centers text[], subjects text[], kinds text[], messages bigint[],
    alarms bigint[], values_ float8[], texts text[]
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event_log (time, center, subject, kind, message, alarm, value, text)
    SELECT * FROM unnest(times, centers, subjects, kinds, messages, alarms, values_, texts)
$$;
