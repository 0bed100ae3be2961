-- What the service does with many rows at once, each in one call.

-- Stores messages that are all new, by vendor and message id; else none, and the answer is false.
CREATE OR REPLACE FUNCTION take_new_messages(
    ids bigint[], vendors int[], message_ids text[], bodies bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO message_key (id, vendor, message_id)
        SELECT * FROM unnest(ids, vendors, message_ids) AS u (id, vendor, message_id)
        ORDER BY vendor, message_id;
    INSERT INTO message (id, vendor, message_id, body)
        SELECT * FROM unnest(ids, vendors, message_ids, bodies);
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END
$$;

-- Stores messages once; returns the ids of those that are there already.
CREATE OR REPLACE FUNCTION take_messages(
    ids bigint[], vendors int[], message_ids text[], bodies bytea[]
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    IF take_new_messages(ids, vendors, message_ids, bodies) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(ids, vendors, message_ids, bodies)
            AS given (id, vendor, message_id, body)
    ), fresh AS (
        INSERT INTO message_key (id, vendor, message_id)
        SELECT id, vendor, message_id FROM given ORDER BY vendor, message_id
        ON CONFLICT DO NOTHING RETURNING message_key.id
    ), stored AS (
        INSERT INTO message (id, vendor, message_id, body)
        SELECT * FROM given WHERE id IN (SELECT fresh.id FROM fresh)
    )
    SELECT given.id FROM given WHERE id NOT IN (SELECT fresh.id FROM fresh);
END
$$;

-- The states of venues, locked until the transaction ends; venues that have none yet are left out.
CREATE OR REPLACE FUNCTION lock_states(venues text[])
RETURNS TABLE (venue text, state bytea, at float8, version bigint, responsible int)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT s.venue, s.state, s.at, s.version, v.responsible FROM venue_state s
        LEFT JOIN venue v ON v.id = s.venue
        WHERE s.venue = ANY (venues) ORDER BY s.venue FOR UPDATE OF s;
END
$$;

-- What pushes bring: the venues that they may be about are locked, and then their messages taken, as
-- in take_unseen: else two workers may wait for each other.
-- Rows: a venue and its state, or the id of a message that is there already.
CREATE OR REPLACE FUNCTION receive(
    ids bigint[], vendors int[], message_ids text[], bodies bytea[], venues text[]
) RETURNS TABLE (
    id bigint, venue text, state bytea, at float8, version bigint, responsible int
) LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(venues) > 0 THEN
        RETURN QUERY SELECT NULL::bigint, s.* FROM lock_states(venues) AS s;
    END IF;
    RETURN QUERY SELECT taken, NULL, NULL::bytea, NULL::float8, NULL::bigint, NULL::int
        FROM take_messages(ids, vendors, message_ids, bodies) AS taken;
END
$$;

-- Begins a statement that writes what was decided without a look: on states of venues that the
-- caller knows by heart, by their versions (0: there is none yet), and on messages that are taken for
-- new. Where one is not as supposed, nothing is taken and the answer is false; else nobody changes
-- the venues until the transaction ends.
CREATE OR REPLACE FUNCTION take_unseen(
    ids bigint[], vendors int[], message_ids text[], bodies bytea[],
    venues text[], versions bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(venues) > 0 AND EXISTS (
        SELECT FROM (
            SELECT s.venue, s.version FROM venue_state s
            WHERE s.venue = ANY (venues) ORDER BY s.venue FOR UPDATE
        ) AS now JOIN unnest(venues, versions) AS by_heart (venue, version) USING (venue)
        WHERE now.version <> by_heart.version
    ) THEN
        RETURN false;
    END IF;
    RETURN cardinality(ids) = 0 OR take_new_messages(ids, vendors, message_ids, bodies);
END
$$;

-- What the core believes of devices, word by word: offline, online, fault, fault_cleared,
-- low_battery, battery_changed, as in the log, or state, which brings measured values alone. Only a
-- change is a row of the log and opens a ticket; its time to the deadline, s, is given with it (NaN:
-- none; null: no ticket). A word that was said before the last one of its kind was comes too late to
-- change anything. The words stand in rounds, in which a device has one word of a kind; "ends" says
-- where each round ends. Within a round devices are locked in their order, by the one statement that
-- also changes them: else two workers may wait for each other.
CREATE OR REPLACE FUNCTION believe(
    center_ text, now_ float8, ends int[], devices text[], words text[], causes text[],
    tickets text[], seconds_ float8[], ats float8[], parameters_ text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first int := 1;
    last int;
BEGIN
    FOREACH last IN ARRAY ends LOOP
        WITH word AS MATERIALIZED (
            SELECT *, CASE WHEN w IN ('offline', 'online') THEN 1
                           WHEN w IN ('fault', 'fault_cleared') THEN 2
                           WHEN w IN ('low_battery', 'battery_changed') THEN 4 ELSE 0 END AS bit,
                   w IN ('offline', 'fault', 'low_battery') AS began
            FROM unnest(devices[first:last], words[first:last], causes[first:last],
                        tickets[first:last], seconds_[first:last], ats[first:last],
                        parameters_[first:last])
                WITH ORDINALITY AS u (device, w, cause, ticket, seconds, at, measured, n)
        ), told AS (
            INSERT INTO device_state AS s
                (device, offline, offline_at, fault, fault_at, low_battery, low_battery_at,
                 parameters, changed)
            SELECT device,
                   coalesce(bool_or(began) FILTER (WHERE bit = 1), false),
                   max(at) FILTER (WHERE bit = 1),
                   coalesce(bool_or(began) FILTER (WHERE bit = 2), false),
                   max(at) FILTER (WHERE bit = 2),
                   coalesce(bool_or(began) FILTER (WHERE bit = 4), false),
                   max(at) FILTER (WHERE bit = 4),
                   max(measured)::jsonb,
                   coalesce(bit_or(bit) FILTER (WHERE began), 0)
            FROM word GROUP BY device ORDER BY device
            ON CONFLICT (device) DO UPDATE SET
                offline = CASE WHEN excluded.offline_at >= coalesce(s.offline_at, '-Infinity')
                               THEN excluded.offline ELSE s.offline END,
                offline_at = greatest(s.offline_at, excluded.offline_at),
                fault = CASE WHEN excluded.fault_at >= coalesce(s.fault_at, '-Infinity')
                             THEN excluded.fault ELSE s.fault END,
                fault_at = greatest(s.fault_at, excluded.fault_at),
                low_battery =
                    CASE WHEN excluded.low_battery_at >= coalesce(s.low_battery_at, '-Infinity')
                         THEN excluded.low_battery ELSE s.low_battery END,
                low_battery_at = greatest(s.low_battery_at, excluded.low_battery_at),
                parameters = coalesce(s.parameters || excluded.parameters,
                                      excluded.parameters, s.parameters),
                changed =
                    CASE WHEN excluded.offline_at >= coalesce(s.offline_at, '-Infinity')
                              AND excluded.offline <> s.offline THEN 1 ELSE 0 END
                    | CASE WHEN excluded.fault_at >= coalesce(s.fault_at, '-Infinity')
                                AND excluded.fault <> s.fault THEN 2 ELSE 0 END
                    | CASE WHEN excluded.low_battery_at >= coalesce(s.low_battery_at, '-Infinity')
                                AND excluded.low_battery <> s.low_battery THEN 4 ELSE 0 END
            RETURNING s.device, s.changed
        ), news AS MATERIALIZED (
            SELECT word.* FROM word JOIN told USING (device) WHERE told.changed & bit > 0
        ), opened AS (
            INSERT INTO ticket (device, kind, opened, due)
            SELECT device, ticket, now_, now_ + nullif(seconds, 'NaN') FROM news
            WHERE ticket IS NOT NULL ORDER BY device, ticket
            ON CONFLICT (device, kind) WHERE closed IS NULL DO NOTHING
            RETURNING ticket.device, ticket.kind
        )
        INSERT INTO event_log (time, center, subject, kind, value, text)
        SELECT round(now_ * 1e6)::bigint, center_, device, kind, value, text FROM (
            SELECT n, 1 AS place, device, w AS kind, NULL::float8 AS value, cause AS text FROM news
            UNION ALL
            SELECT n, 2, device, 'ticket_opened', nullif(seconds, 'NaN'), ticket
            FROM news JOIN opened USING (device) WHERE news.ticket = opened.kind
        ) AS rows ORDER BY n, place;
        first := last + 1;
    END LOOP;
END
$$;

-- Opens tickets, of devices that have no open one of the kind.
CREATE OR REPLACE FUNCTION open_tickets(
    center_ text, now_ float8, devices text[], kinds text[], seconds_ float8[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH opened AS (
        INSERT INTO ticket (device, kind, opened, due)
        SELECT device, kind, now_, now_ + nullif(seconds, 'NaN')
        FROM unnest(devices, kinds, seconds_) AS u (device, kind, seconds) ORDER BY device, kind
        ON CONFLICT (device, kind) WHERE closed IS NULL DO NOTHING
        RETURNING device, kind, due - opened AS seconds
    )
    INSERT INTO event_log (time, center, subject, kind, value, text)
    SELECT round(now_ * 1e6)::bigint, center_, device, 'ticket_opened', seconds, kind FROM opened;
END
$$;

-- What cannot be placed, for an operator to read.
CREATE OR REPLACE FUNCTION put_aside(
    now_ float8, vendors int[], reasons text[], bodies bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quarantine (vendor, received, reason, body)
        SELECT vendor, now_, reason, body
        FROM unnest(vendors, reasons, bodies) AS u (vendor, reason, body);
END
$$;

-- Everything that steps of the lifecycle decided. Person "<venue>#<n>" is notified of an alarm
-- over each of their channels (9.3), with what 6.1 asks for: place and contacts. The first "room" of
-- these are leased to the caller until "until_" and returned: a JSON array of [id, channel, alarm,
-- venue, person, body], null where there are none.
CREATE OR REPLACE FUNCTION write_steps(
    now_ float8,
    venues text[], states bytea[], ats float8[], versions bigint[],
    alarms bigint[], alarm_venues text[], categories text[], raiseds float8[], grades int[],
    stages text[], outcomes text[], annotations text[], confirmeds float8[], closeds float8[],
    ended bigint[], ended_names text[],
    due bigint[], due_names text[], due_venues text[], due_ats float8[],
    told bigint[], told_venues text[], told_numbers int[], room int, until_ float8
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    leased text;
    changed int;
BEGIN
    INSERT INTO venue_state AS s (venue, state, at, version)
        SELECT * FROM unnest(venues, states, ats, versions)
        ON CONFLICT (venue) DO UPDATE
            SET state = excluded.state, at = excluded.at, version = excluded.version
            WHERE s.version = excluded.version - 1;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed < cardinality(venues) THEN
        RAISE EXCEPTION 'another worker has made the first step of a venue'
            USING ERRCODE = 'serialization_failure';
    END IF;
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
        DELETE FROM deadline d WHERE d.alarm = ANY (ended)
            AND (d.alarm, d.name) IN (SELECT * FROM unnest(ended, ended_names));
    END IF;
    IF cardinality(due) > 0 THEN
        INSERT INTO deadline (alarm, name, venue, at)
            SELECT * FROM unnest(due, due_names, due_venues, due_ats)
            ON CONFLICT (alarm, name) DO UPDATE SET at = excluded.at;
    END IF;
    IF cardinality(told) > 0 THEN
        WITH made AS (
            INSERT INTO outbox (kind, channel, alarm, venue, person, body, created, due)
            SELECT 'notify', c.channel, u.alarm, u.venue, u.venue || '#' || u.n,
                   jsonb_build_object('name', r.name, 'phone', r.phone, 'place', v.name,
                                      'category', a.category),
                   now_, CASE WHEN row_number() OVER () > room THEN now_ END
            FROM unnest(told, told_venues, told_numbers) AS u (alarm, venue, n)
            JOIN responsible r ON r.venue = u.venue AND r.n = u.n
            JOIN venue v ON v.id = u.venue
            JOIN alarm a ON a.id = u.alarm
            CROSS JOIN LATERAL unnest(r.channels) AS c (channel)
            RETURNING outbox.*
        ), kept AS (
            INSERT INTO lease (until, deliveries)
            SELECT until_, array_agg(m.id) FROM made AS m WHERE m.due IS NULL HAVING count(*) > 0
        )
        SELECT json_agg(json_build_array(m.id, m.channel, m.alarm, m.venue, m.person, m.body))
            INTO leased FROM made AS m WHERE m.due IS NULL;
    END IF;
    RETURN leased;
END
$$;

-- Confirmed alarms go to grid workers, micro fire stations and the brigade (4.9).
CREATE OR REPLACE FUNCTION send_confirmed(
    now_ float8, alarms bigint[], venues text[],
    names text[], roles text[], channels text[], addresses text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, channel, alarm, venue, person, body, created, due)
        SELECT 'confirmed', h.channel, u.alarm, u.venue, h.name,
               jsonb_build_object('role', h.role, 'address', h.address, 'place', v.name,
                                  'category', a.category, 'details', v.body),
               now_, now_
        FROM unnest(alarms, venues) AS u (alarm, venue)
        JOIN alarm a ON a.id = u.alarm
        -- It may wait for its venue, which has another: there is where to go nevertheless.
        LEFT JOIN device d ON u.venue LIKE '?%' AND d.id = substr(u.venue, 2)
        LEFT JOIN venue v ON v.id = coalesce(d.venue, u.venue)
        CROSS JOIN unnest(names, roles, channels, addresses) AS h (name, role, channel, address);
END
$$;

-- Missed deadlines go to supervisors, each once: with its row of the log or not at all.
CREATE OR REPLACE FUNCTION escalate(
    now_ float8, alarms bigint[], venues text[], deadlines text[], dues float8[], misses float8[],
    names text[], channels text[], addresses text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, channel, alarm, venue, person, body, created, due)
        SELECT 'escalation', s.channel, u.alarm, u.venue, s.name,
               jsonb_build_object('address', s.address, 'deadline', u.name, 'due', u.at,
                                  'late', round((u.missed - u.at)::numeric, 3), 'place', v.name,
                                  'category', a.category),
               now_, now_
        FROM unnest(alarms, venues, deadlines, dues, misses) AS u (alarm, venue, name, at, missed)
        JOIN alarm a ON a.id = u.alarm
        LEFT JOIN device d ON u.venue LIKE '?%' AND d.id = substr(u.venue, 2)
        LEFT JOIN venue v ON v.id = coalesce(d.venue, u.venue)
        CROSS JOIN unnest(names, channels, addresses) AS s (name, channel, address);
END
$$;

-- An alarm's beginning, confirmation and end go to the central platform (4.3).
CREATE OR REPLACE FUNCTION forward(
    now_ float8, upstream text, alarms bigint[], venues text[], stages text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, channel, alarm, venue, person, body, created, due)
        SELECT 'forward', 'forward', u.alarm, u.venue, upstream,
               jsonb_build_object('stage', u.stage, 'place', v.name, 'category', a.category,
                                  'grade', a.grade),
               now_, now_
        FROM unnest(alarms, venues, stages) AS u (alarm, venue, stage)
        JOIN alarm a ON a.id = u.alarm LEFT JOIN venue v ON v.id = u.venue;
END
$$;

-- What became of deliveries. A failure is that of its own lease; what has arrived has arrived.
CREATE OR REPLACE FUNCTION record_deliveries(
    ids bigint[], states text[], dues float8[], tries_ int[], sents float8[], receiveds float8[],
    errors text[], leases float8[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE outbox o SET state = u.state, due = u.due, tries = u.tries,
        sent = coalesce(o.sent, u.sent), received = u.received, error = u.error
    FROM unnest(ids, states, dues, tries_, sents, receiveds, errors, leases)
        AS u (id, state, due, tries, sent, received, error, lease)
    WHERE o.id = u.id AND o.state IN ('waiting', 'sent')
        AND (u.error IS NULL OR o.due IS NOT DISTINCT FROM u.lease);
END
$$;

-- Deliveries whose lease has run out are due, if nothing is known of them.
CREATE OR REPLACE FUNCTION end_leases(now_ float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH ended AS (
        DELETE FROM lease WHERE id IN (
            SELECT id FROM lease WHERE until <= now_ ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
        ) RETURNING deliveries
    )
    UPDATE outbox o SET due = now_ FROM (SELECT unnest(deliveries) AS id FROM ended) AS e
        WHERE o.id = e.id AND o.state = 'waiting' AND o.due IS NULL;
END
$$;

-- Rows of the event log, view platform, in their order.
CREATE OR REPLACE FUNCTION write_log(
    times bigint[], centers text[], subjects text[], kinds text[], messages bigint[],
    alarms bigint[], values_ float8[], texts text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_log (time, center, subject, kind, message, alarm, value, text)
        SELECT * FROM unnest(times, centers, subjects, kinds, messages, alarms, values_, texts);
END
$$;
