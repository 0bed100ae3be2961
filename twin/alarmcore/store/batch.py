"""What one transaction writes: collected in memory, then written with few statements.

A batch belongs to a transaction: either all of it is on disk or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan, nan
from typing import Any, NamedTuple

import asyncpg
import msgspec

from twin.alarmcore.lifecycle import (
    CENTER,
    Alarm,
    CancelDeadline,
    Decision,
    Notify,
    Record,
    SendConfirmed,
    SetDeadline,
    VenueState,
)
from twin.log import MICROSECONDS
from twin.terms import Kind, Ticket

_decode_state = msgspec.msgpack.Decoder(VenueState).decode
_encode_state = msgspec.msgpack.Encoder().encode


class Message(NamedTuple):
    """A message as it came."""

    id: int
    vendor: int
    message_id: str
    body: bytes


class HelperAddress(NamedTuple):
    """Somebody who gets confirmed alarms (4.9)."""

    name: str
    role: str
    channel: str
    address: str


class StoredVenue(NamedTuple):
    """A venue's state as it is stored, with the time of its last step."""

    state: VenueState
    at: float


async def insert_messages(db: asyncpg.Connection, messages: Sequence[Message]) -> set[int]:
    """Stores messages once; returns the ids of those that were not known before."""
    columns = tuple(zip(*messages, strict=True))
    rows = await db.fetch(
        """
        WITH given AS (
            SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::bytea[])
                AS given (id, vendor, message_id, body)
        ), fresh AS (
            INSERT INTO message_key (id, vendor, message_id)
            SELECT id, vendor, message_id FROM given ORDER BY vendor, message_id
            ON CONFLICT DO NOTHING RETURNING id
        )
        INSERT INTO message (id, vendor, body)
        SELECT id, vendor, body FROM given JOIN fresh USING (id) RETURNING id
        """,
        *columns,
    )
    return {row[0] for row in rows}


async def stored_bodies(
    db: asyncpg.Connection, keys: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], bytes]:
    """The bodies of messages that are known already, by vendor and message id."""
    vendors, ids = zip(*keys, strict=True)
    rows = await db.fetch(
        """
        SELECT k.vendor, k.message_id, m.body
        FROM unnest($1::int[], $2::text[]) AS k0 (vendor, message_id)
        JOIN message_key k USING (vendor, message_id) JOIN message m ON m.id = k.id
        """,
        vendors,
        ids,
    )
    return {(vendor, message_id): body for vendor, message_id, body in rows}


async def read_states(db: asyncpg.Connection, venues: Iterable[str]) -> dict[str, StoredVenue]:
    """The states of venues, locked until the transaction ends; new ones are made.

    The number of responsible people follows the registry as long as no alarm is open.
    """
    wanted = sorted(set(venues))
    query = """
        SELECT s.venue, s.state, s.at, v.responsible FROM venue_state s
        LEFT JOIN venue v ON v.id = s.venue
        WHERE s.venue = ANY($1::text[]) ORDER BY s.venue FOR UPDATE OF s
        """
    rows = await db.fetch(query, wanted)
    if len(rows) < len(wanted):
        found = {row[0] for row in rows}
        fresh = [venue for venue in wanted if venue not in found]
        await db.execute(
            "INSERT INTO venue_state (venue, state, at) SELECT *, 0 FROM unnest($1::text[], "
            "$2::bytea[]) ON CONFLICT DO NOTHING",
            fresh,
            [_encode_state(VenueState(venue, 0)) for venue in fresh],
        )
        rows = await db.fetch(query, wanted)
    states = {}
    for venue, state, at, responsible in rows:
        known: VenueState = _decode_state(state)
        if known.alarm is None and responsible is not None:
            known = known._replace(responsible=responsible)
        states[venue] = StoredVenue(known, at)
    return states


class Batch:
    """What one transaction writes.

    Parameters
    ----------
    center : the center's name in the log.
    now : the time of everything in the batch, s.
    helpers : who gets confirmed alarms.
    """

    def __init__(self, center: str, now: float, helpers: Sequence[HelperAddress] = ()) -> None:
        self.center = center
        self.now = now
        self.helpers = helpers
        self.states: dict[str, tuple[bytes, float]] = {}
        self.people: list[tuple[str, int]] = []
        """To notify of an alarm: person and alarm."""
        self.confirmed: list[tuple[int, str]] = []
        """Confirmed alarms to send on, with their venues."""
        self._log: list[tuple[int, str, str, str, int, int, float | None, str]] = []
        self._alarms: dict[int, tuple[Any, ...]] = {}
        self._deadlines: dict[tuple[int, str], tuple[str, float] | None] = {}
        self._opened: list[tuple[str, str, float | None]] = []

    def row(
        self,
        kind: Kind,
        subject: str,
        *,
        message: int = 0,
        alarm: int = 0,
        value: float = nan,
        text: str = "",
    ) -> None:
        """A row of the event log, view platform, now."""
        time_us = round(self.now * MICROSECONDS)
        worth = None if isnan(value) else value
        self._log.append((time_us, self.center, subject, kind, message, alarm, worth, text))

    def open_ticket(self, device: str, kind: Ticket, deadline_s: float) -> None:
        """Opens a maintenance ticket unless the device has an open one of the kind.

        Its TICKET_OPENED row is written with it. NaN: it has no deadline.
        """
        self._opened.append((device, kind, None if isnan(deadline_s) else deadline_s))

    def step(
        self,
        before: VenueState,
        after: VenueState,
        decisions: Iterable[Decision],
        now: float,
    ) -> None:
        """Takes a step of the lifecycle: the venue's next state and what is to be done."""
        venue = after.venue
        self.states[venue] = (_encode_state(after), now)
        for decision in decisions:
            if type(decision) is Record:
                kind, subject, alarm, message, value, text = decision
                who = self.center if subject == CENTER else subject
                self.row(kind, who, message=message, alarm=alarm, value=value, text=text)
            elif type(decision) is SetDeadline:
                self._deadlines[decision.alarm, decision.name] = (venue, decision.at)
            elif type(decision) is CancelDeadline:
                self._deadlines[decision.alarm, decision.name] = None
            elif type(decision) is Notify:
                self.people += [(person, decision.alarm) for person in decision.people]
            elif type(decision) is SendConfirmed:
                self.confirmed.append((decision.alarm, venue))
        if before.alarm is not None and (after.alarm is None or after.alarm.id != before.alarm.id):
            self._project(before.alarm, venue, closed=now)
        if after.alarm is not None and after.alarm is not before.alarm:
            self._project(after.alarm, venue, closed=None)

    def end_deadline(self, alarm: int, name: str) -> None:
        """A deadline that was reported does not come again, unless the step set it anew."""
        self._deadlines.setdefault((alarm, name), None)

    def _project(self, alarm: Alarm, venue: str, closed: float | None) -> None:
        """The alarm as lists and pages show it."""
        if closed is not None:
            stage = "closed"
        elif alarm.verified_at is not None:
            stage = "verified"
        else:
            stage = "raised" if alarm.responded_at is None else "responded"
        self._alarms[alarm.id] = (
            alarm.id,
            venue,
            alarm.category,
            alarm.raised_at,
            alarm.grade,
            stage,
            alarm.outcome,
            alarm.annotation,
            alarm.confirmed_at,
            closed,
        )

    async def write(self, db: asyncpg.Connection) -> None:
        """Writes everything; the caller's transaction makes it one."""
        if self._opened:
            await self._write_tickets(db)
        if self.states:
            venues = sorted(self.states)
            await db.execute(
                "UPDATE venue_state s SET state = u.state, at = u.at FROM unnest($1::text[], "
                "$2::bytea[], $3::float8[]) AS u (venue, state, at) WHERE s.venue = u.venue",
                venues,
                [self.states[venue][0] for venue in venues],
                [self.states[venue][1] for venue in venues],
            )
        if self._alarms:
            await db.execute(
                """
                INSERT INTO alarm (id, venue, category, raised, grade, stage, outcome, annotation,
                                   confirmed, closed)
                SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::float8[], $5::int[],
                    $6::text[], $7::text[], $8::text[], $9::float8[], $10::float8[])
                ON CONFLICT (id) DO UPDATE SET category = excluded.category,
                    grade = excluded.grade, stage = excluded.stage, outcome = excluded.outcome,
                    annotation = excluded.annotation, confirmed = excluded.confirmed,
                    closed = excluded.closed
                """,
                *zip(*self._alarms.values(), strict=True),
            )
        if self._deadlines:
            await self._write_deadlines(db)
        if self.people:
            await self._write_notifications(db)
        if self.confirmed and self.helpers:
            await self._write_confirmed(db)
        if self._log:
            await db.execute(
                """
                INSERT INTO event_log (time, center, subject, kind, message, alarm, value, text)
                SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[],
                    $5::bigint[], $6::bigint[], $7::float8[], $8::text[])
                """,
                *zip(*self._log, strict=True),
            )

    async def _write_tickets(self, db: asyncpg.Connection) -> None:
        devices, kinds, seconds = zip(*self._opened, strict=True)
        rows = await db.fetch(
            """
            INSERT INTO ticket (device, kind, opened, due)
            SELECT device, kind, $4, $4 + s FROM unnest($1::text[], $2::text[], $3::float8[])
                AS u (device, kind, s) ORDER BY device, kind
            ON CONFLICT (device, kind) WHERE closed IS NULL DO NOTHING RETURNING device, kind, due
            """,
            devices,
            kinds,
            seconds,
            self.now,
        )
        for device, kind, due in rows:
            left = nan if due is None else due - self.now
            self.row(Kind.TICKET_OPENED, device, value=left, text=kind)

    async def _write_deadlines(self, db: asyncpg.Connection) -> None:
        gone = [key for key, value in self._deadlines.items() if value is None]
        if gone:
            await db.execute(
                "DELETE FROM deadline d USING unnest($1::bigint[], $2::text[]) AS u (alarm, name) "
                "WHERE d.alarm = u.alarm AND d.name = u.name",
                *zip(*gone, strict=True),
            )
        due = [(*key, *value) for key, value in self._deadlines.items() if value is not None]
        if due:
            await db.execute(
                "INSERT INTO deadline (alarm, name, venue, at) SELECT * FROM unnest($1::bigint[], "
                "$2::text[], $3::text[], $4::float8[]) "
                "ON CONFLICT (alarm, name) DO UPDATE SET at = excluded.at",
                *zip(*due, strict=True),
            )

    async def _write_notifications(self, db: asyncpg.Connection) -> None:
        """One message per person and channel, with what 6.1 asks for: place, room, contacts."""
        split = [person.rpartition("#") for person, _ in self.people]
        await db.execute(
            """
            INSERT INTO outbox (kind, channel, alarm, venue, person, body, created, due)
            SELECT 'notify', c.channel, u.alarm, u.venue, u.venue || '#' || u.n,
                   jsonb_build_object('name', r.name, 'phone', r.phone, 'place', v.name,
                                      'category', a.category),
                   $4, $4
            FROM unnest($1::text[], $2::int[], $3::bigint[]) AS u (venue, n, alarm)
            JOIN responsible r ON r.venue = u.venue AND r.n = u.n
            JOIN venue v ON v.id = u.venue
            JOIN alarm a ON a.id = u.alarm
            CROSS JOIN LATERAL unnest(r.channels) AS c (channel)
            """,
            [venue for venue, _, _ in split],
            [int(number) for _, _, number in split],
            [alarm for _, alarm in self.people],
            self.now,
        )

    async def _write_confirmed(self, db: asyncpg.Connection) -> None:
        """Confirmed alarms to grid workers, micro fire stations and the brigade (4.9)."""
        await db.execute(
            """
            INSERT INTO outbox (kind, channel, alarm, venue, person, body, created, due)
            SELECT 'confirmed', h.channel, u.alarm, u.venue, h.name,
                   jsonb_build_object('role', h.role, 'address', h.address, 'place', v.name,
                                      'category', a.category, 'details', v.body),
                   $7, $7
            FROM unnest($1::bigint[], $2::text[]) AS u (alarm, venue)
            JOIN alarm a ON a.id = u.alarm
            LEFT JOIN venue v ON v.id = u.venue
            CROSS JOIN unnest($3::text[], $4::text[], $5::text[], $6::text[])
                AS h (name, role, channel, address)
            """,
            *zip(*self.confirmed, strict=True),
            *zip(*self.helpers, strict=True),
            self.now,
        )
