"""What one transaction writes: collected in memory, then written with few statements.

A batch belongs to a transaction: either all of it is on disk or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from math import inf, isnan, nan
from typing import Any, NamedTuple

import asyncpg
import msgspec

from twin.alarmcore.device_rules import ticket_deadline_s
from twin.alarmcore.lifecycle import (
    CENTER,
    HANDLE,
    Alarm,
    CancelDeadline,
    Decision,
    Notify,
    Record,
    SendConfirmed,
    SetDeadline,
    VenueState,
    open_deadlines,
)
from twin.log import MICROSECONDS
from twin.terms import Kind, Ticket

_encode_json = msgspec.json.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(VenueState).decode
_encode_state = msgspec.msgpack.Encoder().encode


def _columns(rows: Iterable[tuple[Any, ...]], count: int) -> list[Sequence[Any]]:
    """Rows as columns, of which there are ``count`` also where there is no row."""
    return list(zip(*rows, strict=True)) or [()] * count


class Message(NamedTuple):
    """A message as it came."""

    id: int
    vendor: int
    message_id: str
    body: bytes


_TICKETS = {
    Kind.OFFLINE: Ticket.OFFLINE,
    Kind.FAULT: Ticket.FAULT,
    Kind.LOW_BATTERY: Ticket.BATTERY,
}


_STATES = {
    Kind.OFFLINE: "offline",
    Kind.ONLINE: "offline",
    Kind.FAULT: "fault",
    Kind.FAULT_CLEARED: "fault",
    Kind.LOW_BATTERY: "battery",
    Kind.BATTERY_CHANGED: "battery",
}
"""What a word is about."""


class HelperAddress(NamedTuple):
    """Somebody who gets confirmed alarms (4.9)."""

    name: str
    role: str
    channel: str
    address: str


class SupervisorAddress(NamedTuple):
    """Somebody who is told when a deadline of an alarm is missed."""

    name: str
    channel: str
    address: str


class Leased(NamedTuple):
    """A notification that was written under a lease of the worker that wrote it."""

    id: int
    channel: str
    alarm: int
    venue: str
    person: str
    body: dict[str, Any]


class Delivered(NamedTuple):
    """What became of a delivery, as ``record_deliveries`` has it.

    Parameters
    ----------
    id : of its row.
    state : received, sent, failed; waiting: it is tried again.
    due : when something has to be done about it, s; None: nothing.
    tries : how many there were.
    sent, received : when, s.
    error : why it failed.
    lease : when it was due while it was tried, s.
    """

    id: int
    state: str
    due: float | None
    tries: int
    sent: float | None
    received: float | None
    error: str | None
    lease: float | None


_decode_leased = msgspec.json.Decoder(list[Leased]).decode


class StoredVenue(NamedTuple):
    """A venue's state as it is stored, with the time of its last step and its version."""

    state: VenueState
    at: float
    version: int


async def take_messages(db: asyncpg.Connection, messages: Sequence[Message]) -> set[int]:
    """Stores messages once; returns the ids of those that are there already."""
    rows = await db.fetch("SELECT take_messages($1, $2, $3, $4)", *zip(*messages, strict=True))
    return {row[0] for row in rows}


async def receive(
    db: asyncpg.Connection, batch: Batch, messages: Sequence[Message], venues: Iterable[str]
) -> set[int]:
    """As :func:`take_messages`, and the batch holds the states of venues, where they have one."""
    rows = await db.fetch(
        "SELECT * FROM receive($1, $2, $3, $4, $5)", *zip(*messages, strict=True), list(venues)
    )
    known = set()
    for id_, *state in rows:
        if id_ is None:
            batch.held[state[0]] = stored(*state[1:])
        else:
            known.add(id_)
    return known


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
    if not wanted:
        return {}
    query = "SELECT * FROM lock_states($1)"
    rows = await db.fetch(query, wanted)
    if len(rows) < len(wanted):
        found = {row[0] for row in rows}
        fresh = [venue for venue in wanted if venue not in found]
        await db.execute(f"{_NEW_STATES} DO NOTHING", *_new_states(fresh))
        rows = await db.fetch(query, wanted)
    return {venue: stored(*state) for venue, *state in rows}


def stored(encoded: bytes, at: float, version: int, responsible: int | None) -> StoredVenue:
    """A row of ``venue_state``, with the number of responsible people in the registry.

    It is the alarm's as long as one is open.
    """
    state: VenueState = _decode_state(encoded)
    if state.alarm is None and responsible is not None:
        state = state._replace(responsible=responsible)
    return StoredVenue(state, at, version)


async def renew_states(db: asyncpg.Connection, venues: Iterable[str]) -> None:
    """Venues have states from their registration on; what workers know of these by heart ends."""
    renewed = f"{_NEW_STATES} (venue) DO UPDATE SET version = venue_state.version + 1"
    await db.execute(renewed, *_new_states(sorted(venues)))


_NEW_STATES = (
    "INSERT INTO venue_state (venue, state, at) SELECT *, 0 FROM unnest($1::text[], $2::bytea[]) "
    "ON CONFLICT"
)


def _new_states(venues: Sequence[str]) -> tuple[Sequence[str], list[bytes]]:
    return venues, [_encode_state(VenueState(venue, 0)) for venue in venues]


async def look_at_state(db: asyncpg.Connection, venue: str) -> VenueState:
    """A venue's state, to be shown: it is not locked."""
    state = await db.fetchval("SELECT state FROM venue_state WHERE venue = $1", venue)
    return VenueState(venue, 0) if state is None else _decode_state(state)


class Batch:
    """What one transaction writes.

    Parameters
    ----------
    center : the center's name in the log.
    now : the time of everything in the batch, s.
    helpers : who gets confirmed alarms.
    upstream : name of the platform that alarms are forwarded to; empty: none.
    room : how many notifications it may lease to this worker.
    lease : until when, s.
    supervisors : who is told of missed deadlines.
    """

    def __init__(
        self,
        center: str,
        now: float,
        helpers: Sequence[HelperAddress] = (),
        upstream: str = "",
        room: int = 0,
        lease: float = inf,
        supervisors: Sequence[SupervisorAddress] = (),
    ) -> None:
        self.center = center
        self.supervisors = supervisors
        self._missed: list[tuple[int, str, str, float, float]] = []
        self.now = now
        self.room = room
        self.lease = lease
        self.leased: list[Leased] = []
        """Notifications that this worker delivers once the transaction is committed."""
        self.helpers = helpers
        self.upstream = upstream
        self._forwards: list[tuple[int, str, str]] = []
        self.held: dict[str, StoredVenue] = {}
        """States of venues as they are by now: locked by the transaction, or known by heart."""
        self.states: dict[str, StoredVenue] = {}
        """Those of them that it changes."""
        self._decided: dict[str, int] = {}
        """Versions of the states that something was decided on, though it may be to do nothing."""
        self.people: list[tuple[str, int]] = []
        """To notify of an alarm: person and alarm."""
        self.confirmed: list[tuple[int, str]] = []
        """Confirmed alarms to send on, with their venues."""
        self._log: list[tuple[int, str, str, str, int, int, float | None, str]] = []
        self._alarms: dict[int, tuple[Alarm, str, float | None]] = {}
        """Alarms that changed, with their venues, and when they were closed."""
        self._shown: dict[int, tuple[Any, ...]] = {}
        """What was shown before the batch of those that were there then."""
        self._deadlines: dict[tuple[int, str], tuple[str, float] | None] = {}
        self._opened: list[tuple[str, Ticket, float]] = []
        self._words: list[list[tuple[Any, ...]]] = []
        self._said: Counter[tuple[str, str]] = Counter()
        self._measured: dict[str, Mapping[str, float]] = {}
        self._aside: list[tuple[int, str, bytes]] = []
        self._delivered: list[Delivered] = []

    def row(
        self,
        kind: Kind,
        subject: str,
        *,
        message: int = 0,
        alarm: int = 0,
        value: float = nan,
        text: str = "",
        at: float | None = None,
    ) -> None:
        """A row of the event log, view platform; ``at``: now."""
        time_us = round((self.now if at is None else at) * MICROSECONDS)
        worth = None if isnan(value) else value
        self._log.append((time_us, self.center, subject, kind, message, alarm, worth, text))

    def believe(self, device: str, word: Kind, cause: str = "", at: float = inf) -> None:
        """A word about a device: OFFLINE, FAULT, LOW_BATTERY, or their ends.

        Only a change of what the core believes is recorded, and opens a ticket (6.5, 8.1). A word
        that was said before the last one was (``at``, s; now at the latest) changes nothing.
        """
        ticket = _TICKETS.get(word)
        seconds = nan if ticket is None else ticket_deadline_s(ticket)
        self._say(device, _STATES[word], (word, cause, ticket, seconds, min(at, self.now), None))

    def measure(self, device: str, parameters: Mapping[str, float]) -> None:
        """The latest measured values of a device."""
        self._measured[device] = parameters

    def _say(self, device: str, state: str, word: tuple[Any, ...]) -> None:
        """In every round of words, a device has at most one about each of its states."""
        said = self._said[device, state]
        self._said[device, state] += 1
        if said == len(self._words):
            self._words.append([])
        self._words[said].append((device, *word))

    def put_aside(self, vendor: int, reason: str, body: bytes) -> None:
        """What cannot be placed is kept for an operator."""
        self._aside.append((vendor, reason, body))

    def deliver(self, one: Delivered) -> None:
        """What became of a delivery."""
        self._delivered.append(one)

    def open_ticket(self, device: str, kind: Ticket) -> None:
        """Opens a maintenance ticket unless the device has an open one of the kind.

        Its TICKET_OPENED row is written with it.
        """
        self._opened.append((device, kind, ticket_deadline_s(kind)))

    def step(
        self,
        before: VenueState,
        after: VenueState,
        decisions: Collection[Decision],
        now: float,
    ) -> None:
        """Takes a step of the lifecycle: the venue's next state and what is to be done."""
        venue = after.venue
        version = self._decided[venue] = self.held[venue].version
        if after is before and not decisions:
            return
        self.held[venue] = self.states[venue] = StoredVenue(after, now, version)
        for decision in decisions:
            if type(decision) is Record:
                kind, subject, alarm, message, value, text = decision
                who = self.center if subject == CENTER else subject
                # At the step's time: another transaction, which began later, may have had the
                # venue first, and the log must tell what came after what.
                self.row(kind, who, message=message, alarm=alarm, value=value, text=text, at=now)
                if kind is Kind.DEADLINE_MISSED:  # it may be an answer that came too late
                    for gone in {*open_deadlines(before)} - {*open_deadlines(after)}:
                        self.end_deadline(gone.alarm, gone.name)
                        if gone.alarm == alarm and text in (gone.name, HANDLE):
                            self._missed.append((alarm, venue, gone.name, gone.at, now))
            elif type(decision) is SetDeadline:
                self._deadlines[decision.alarm, decision.name] = (venue, decision.at)
            elif type(decision) is CancelDeadline:
                self._deadlines[decision.alarm, decision.name] = None
            elif type(decision) is Notify:
                self.people += [(person, decision.alarm) for person in decision.people]
            elif type(decision) is SendConfirmed:
                self.confirmed.append((decision.alarm, venue))
        if self.upstream:
            self._forward(before, after)
        was, became = before.alarm, after.alarm
        if was is not None and was is not became:
            if was.id not in self._alarms:
                self._shown[was.id] = _shown(was, venue)
            if became is None or became.id != was.id:
                self._alarms[was.id] = (was, venue, now)
        if became is not None and became is not was:
            self._alarms[became.id] = (became, venue, None)

    def end_deadline(self, alarm: int, name: str) -> None:
        """A deadline that was reported does not come again, unless the step set it anew."""
        self._deadlines.setdefault((alarm, name), None)

    def _forward(self, before: VenueState, after: VenueState) -> None:
        """The central platform is told of an alarm's beginning, confirmation and end (4.3)."""
        was, now = before.alarm, after.alarm
        if was is not None and (now is None or now.id != was.id):
            self._forwards.append((was.id, after.venue, "closed"))
        if now is not None and (was is None or was.id != now.id):
            self._forwards.append((now.id, after.venue, "raised"))
        if now is not None and now.confirmed_at is not None:
            known = was is not None and was.id == now.id and was.confirmed_at is not None
            if not known:
                self._forwards.append((now.id, after.venue, "confirmed"))

    def _to_show(self) -> list[tuple[Any, ...]]:
        """Alarms of which something else is shown than before."""
        rows = [(id_, _shown(*alarm)) for id_, alarm in self._alarms.items()]
        return [row for id_, row in rows if row != self._shown.get(id_)]

    async def write(self, db: asyncpg.Connection) -> None:
        """Writes everything; the caller's transaction makes it one."""
        calls = self._calls()
        if calls:
            told, values = _together(calls)
            self._leased(await db.fetchval(f"SELECT {told}", *values))

    async def write_unseen(self, db: asyncpg.Connection, messages: Sequence[Message] = ()) -> bool:
        """Writes everything, in one statement that is a transaction of its own.

        What the steps began with need not have been read within it.

        Parameters
        ----------
        messages : that the batch follows from; they are stored with it.

        Returns
        -------
        False where a message was known already, or a venue has changed since: nothing is written
        then.
        """
        taken: Sequence[Any] = ()
        if messages or self._decided:
            versions = self._decided
            taken = (*_columns(messages, 4), list(versions), list(versions.values()))
        calls = self._calls()
        told, values = _together(calls, len(taken)) if calls else ("''", [])
        if taken:
            told = f"CASE WHEN take_unseen({_numbered(taken)}) THEN {told} END"
        leased = await db.fetchval(f"SELECT {told}", *taken, *values)
        if leased is None:
            return False
        self._leased(leased)
        return True

    def _leased(self, told: str) -> None:
        if told:
            self.leased = _decode_leased(told)

    def after(self) -> dict[str, StoredVenue]:
        """The venues that the batch changed, as they are stored once it is committed."""
        return {
            name: venue._replace(version=venue.version + 1) for name, venue in self.states.items()
        }

    def _calls(self) -> list[tuple[str, Sequence[Any]]]:
        """What is to be written: functions of the database and what they are given."""
        calls: list[tuple[str, Sequence[Any]]] = []
        if self.states:  # venues before devices: else two transactions may wait for each other
            calls.append(("write_steps", self._steps()))
        measured = [
            (device, "state", "", None, nan, self.now, _encode_json(parameters).decode())
            for device, parameters in self._measured.items()
        ]
        if measured or self._words:
            first, *later = self._words or [[]]
            rounds = [[*measured, *first], *later]
            words = [word for round_ in rounds for word in round_]
            ends = list(accumulate(map(len, rounds)))
            calls.append(("believe", (self.center, self.now, ends, *zip(*words, strict=True))))
        if self._opened:
            tickets = zip(*self._opened, strict=True)
            calls.append(("open_tickets", (self.center, self.now, *tickets)))
        if self.confirmed and self.helpers:
            sent = (*zip(*self.confirmed, strict=True), *zip(*self.helpers, strict=True))
            calls.append(("send_confirmed", (self.now, *sent)))
        if self._missed and self.supervisors:
            late = (*zip(*self._missed, strict=True), *zip(*self.supervisors, strict=True))
            calls.append(("escalate", (self.now, *late)))
        if self._forwards:
            stages = zip(*self._forwards, strict=True)
            calls.append(("forward", (self.now, self.upstream, *stages)))
        if self._delivered:
            calls.append(("record_deliveries", [*zip(*self._delivered, strict=True)]))
        if self._log:
            calls.append(("write_log", [*zip(*self._log, strict=True)]))
        if self._aside:
            calls.append(("put_aside", (self.now, *zip(*self._aside, strict=True))))
        return calls

    def _steps(self) -> Sequence[Any]:
        venues = sorted(self.states)
        ended = [key for key, value in self._deadlines.items() if value is None]
        due = [(*key, *value) for key, value in self._deadlines.items() if value is not None]
        told = [(alarm, *person.rpartition("#")[::2]) for person, alarm in self.people]
        return (
            self.now,
            venues,
            [_encode_state(self.states[venue].state) for venue in venues],
            [self.states[venue].at for venue in venues],
            [self.states[venue].version + 1 for venue in venues],
            *_columns(self._to_show(), 10),
            *_columns(ended, 2),
            *_columns(due, 4),
            *_columns(((alarm, venue, int(n)) for alarm, venue, n in told), 3),
            self.room,
            self.lease,
        )


def _shown(alarm: Alarm, venue: str, closed: float | None = None) -> tuple[Any, ...]:
    """The alarm as lists and pages show it."""
    if closed is not None:
        stage = "closed"
    elif alarm.verified_at is not None:
        stage = "verified"
    else:
        stage = "raised" if alarm.responded_at is None else "responded"
    return (
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


def _numbered(values: Sequence[Any], after: int = 0) -> str:
    """Their places in a statement, in which ``after`` come before them."""
    return ", ".join(f"${after + number}" for number in range(1, len(values) + 1))


def _together(calls: Sequence[tuple[str, Sequence[Any]]], after: int = 0) -> tuple[str, list[Any]]:
    """Calls as one expression, and its values: what a commit takes is mostly its round trips.

    It is a text, of what the calls return.
    """
    told: list[str] = []
    values: list[Any] = []
    for name, given in calls:
        told.append(f"{name}({_numbered(given, after + len(values))})")
        values += given
    return f"concat({', '.join(told)})", values
