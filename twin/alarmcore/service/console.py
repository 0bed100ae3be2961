"""The operators' side: what came in, what is open, and the words of clause 6.

Every verb is one event of the lifecycle; what the alarm's state does not allow is refused with
what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import nan
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from msgspec import Meta

from twin.alarmcore import lifecycle as life
from twin.alarmcore.annexb.messages import Name
from twin.alarmcore.lifecycle import missing
from twin.alarmcore.service.endpoint import Call, Endpoint, nothing
from twin.alarmcore.service.engine import advance
from twin.alarmcore.service.pages import Listing, read_page
from twin.alarmcore.service.parameters import BIGGEST, OPEN, PAGE, text, whole, word
from twin.alarmcore.service.tokens import Role
from twin.alarmcore.store.batch import look_at_state, read_states
from twin.alarmcore.store.database import MOST_WORKERS
from twin.terms import Annotation, Verification

READERS = frozenset({Role.OPERATOR, Role.MANAGER, Role.AUDITOR})
OPERATORS = frozenset({Role.OPERATOR})
_MOST = 1000


def _received(id_: int) -> float:
    """When a message was received, by its id; s."""
    return id_ // MOST_WORKERS / 1e6


# -- read-back --------------------------------------------------------------------------------


class StoredEvent(msgspec.Struct, rename="camel"):
    """A message as it was received. ``event`` is as it came; null if it was no JSON."""

    id: str
    vendor: str
    message_id: str | None
    received_at: float
    event: Any
    alarm: str | None


class StoredEvents(msgspec.Struct):
    """A page of messages, in the order of receipt; ``next`` is null when there are no more yet."""

    events: list[StoredEvent]
    next: str | None


_EVENT_COLUMNS = """
    SELECT m.id, v.name, m.message_id, m.body FROM message m JOIN vendor v ON v.id = m.vendor
    """

_ALARMS_OF = """
    SELECT message, min(alarm) FROM event_log
    WHERE message = ANY($1::bigint[]) AND message <> 0 AND alarm <> 0 AND time BETWEEN $2 AND $3
    GROUP BY message
    """

_A_DAY_US = 86_400_000_000
"""A message's row of the log is that much older or younger at most: a step's time is that of its
venue's last one where that was later, and a driven clock is fast (assumption)."""


async def _stored(db: asyncpg.Connection, rows: Sequence[Any]) -> list[StoredEvent]:
    """Messages, in the order of their ids, with their alarms."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    found = await db.fetch(
        _ALARMS_OF,
        ids,
        ids[0] // MOST_WORKERS - _A_DAY_US,
        ids[-1] // MOST_WORKERS + _A_DAY_US,
    )
    alarm_of = {message: str(alarm) for message, alarm in found}
    return [
        StoredEvent(
            str(row["id"]),
            row["name"],
            row["message_id"],
            _received(row["id"]),
            _json(row["body"]),
            alarm_of.get(row["id"]),
        )
        for row in rows
    ]


def _json(body: bytes) -> Any:
    """What a body says, None if it is no JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


_EVENTS = Listing(
    "message", _EVENT_COLUMNS, "m.id", "$4::text IS NULL OR v.name = $4", by_workers=True
)


async def events(call: Call) -> StoredEvents:
    """Messages in the order of receipt."""
    rows, following = await read_page(call, _EVENTS, call.query.get("vendor"))
    async with call.core.pool.acquire() as db:
        return StoredEvents(await _stored(db, rows), following)


async def event(call: Call) -> StoredEvent:
    """One message, by its vendor's id of it."""
    async with call.core.pool.acquire() as db:
        rows = await db.fetch(
            _EVENT_COLUMNS + "WHERE m.id = (SELECT k.id FROM message_key k "
            "JOIN vendor w ON w.id = k.vendor WHERE w.name = $1 AND k.message_id = $2)",
            call.path["vendor"],
            call.path["messageId"],
        )
        stored = await _stored(db, rows)
    if not stored:
        raise nothing("no such message")
    return stored[0]


class HistoryEvent(msgspec.Struct, rename="camel"):
    """An event that a vendor told of afterwards; ``time``: when the device signalled, s."""

    id: str
    vendor: str
    message_id: str
    time: float
    event: Any


class History(msgspec.Struct):
    """A page of such events, in the order in which they were told."""

    events: list[HistoryEvent]
    next: str | None


_HISTORY = Listing(
    "history",
    "SELECT h.id, v.name, h.message_id, h.time, h.body "
    "FROM history h JOIN vendor v ON v.id = h.vendor",
    "h.id",
    "$4::text IS NULL OR v.name = $4",
)


async def history(call: Call) -> History:
    """What vendors told afterwards (extension of B.2.2); none of it has raised an alarm."""
    rows, following = await read_page(call, _HISTORY, call.query.get("vendor"))
    return History(
        [
            HistoryEvent(str(id_), vendor, message_id, at, _json(body))
            for id_, vendor, message_id, at, body in rows
        ],
        following,
    )


# -- alarms -----------------------------------------------------------------------------------


class AlarmLine(msgspec.Struct, rename="camel"):
    """An alarm in a list. Times are seconds since 1970-01-01 UTC."""

    id: str
    venue: str
    place: str | None
    category: str
    raised: float
    grade: int
    stage: str
    outcome: str | None
    annotation: str | None
    confirmed: float | None
    closed: float | None


class LogRow(msgspec.Struct):
    """A row of the event log about an alarm; ``time`` in seconds."""

    id: str
    time: float
    kind: str
    subject: str
    value: float | None
    text: str


class DeadlineLine(msgspec.Struct):
    """An open deadline; ``at`` in seconds since 1970-01-01 UTC."""

    alarm: str
    name: str
    venue: str
    at: float


class OutboxLine(msgspec.Struct):
    """A message to somebody, and what became of it."""

    id: str
    kind: str
    channel: str
    alarm: str | None
    person: str
    state: str
    tries: int
    created: float
    sent: float | None
    received: float | None
    error: str | None


class AlarmRecord(msgspec.Struct):
    """All that is known of an alarm: its record, contacts (6.1), deadlines and notifications.

    Devices, rows of the record and notifications are the first thousand of each. Where ``next`` is
    not null, the record goes on in ``/core/alarm/{alarm}/record?after=<next>``; all notifications
    are in ``/core/outbox?alarm=<id>``.
    """

    alarm: AlarmLine
    lacks: list[str]
    devices: list[Any]
    contacts: list[Any]
    record: list[LogRow]
    next: str | None
    deadlines: list[DeadlineLine]
    notifications: list[OutboxLine]
    report: Any


class AlarmRows(msgspec.Struct):
    """A page of an alarm's record; ``next`` is null when there are no more rows yet."""

    record: list[LogRow]
    next: str | None


class Alarms(msgspec.Struct):
    """A page of alarms."""

    alarms: list[AlarmLine]
    next: str | None


class Deadlines(msgspec.Struct):
    """Open deadlines."""

    deadlines: list[DeadlineLine]


class OutboxPage(msgspec.Struct):
    """A page of the outbox."""

    messages: list[OutboxLine]
    next: str | None


_ALARM_COLUMNS = (
    "SELECT a.id::text, a.venue, v.name AS place, a.category, a.raised, a.grade, a.stage, "
    "a.outcome, a.annotation, a.confirmed, a.closed "
    "FROM alarm a LEFT JOIN device d ON a.venue LIKE '?%' AND d.id = substr(a.venue, 2) "
    "LEFT JOIN venue v ON v.id = coalesce(d.venue, a.venue) "
)
"""An alarm that was raised at a place unknown has the place that its device has by now."""
_OUTBOX_COLUMNS = (
    "SELECT id::text, kind, channel, alarm::text, person, state, tries, created, sent, received, "
    "error FROM outbox "
)


_ALARMS = Listing("alarm", _ALARM_COLUMNS, "a.id", "a.closed IS NULL OR NOT $4", by_workers=True)
_OUTBOX = Listing(
    "outbox",
    _OUTBOX_COLUMNS,
    "outbox.id",
    "($4::text IS NULL OR state = $4) AND ($5::bigint IS NULL OR alarm = $5)",
)
_ROWS = Listing(
    "event_log",
    "SELECT seq::text, time / 1e6::float8, kind, subject, value, text FROM event_log ",
    "event_log.seq",
    "alarm = $4 AND alarm <> 0",
)


async def alarms(call: Call) -> Alarms:
    """Alarms, the open ones first to be worked on or all of them."""
    rows, following = await read_page(call, _ALARMS, call.query.get("open") == "true")
    return Alarms([AlarmLine(*row) for row in rows], following)


async def alarm(call: Call) -> AlarmRecord:
    """One alarm's record."""
    number = call.numbered("alarm", "alarm")
    async with (
        call.core.pool.acquire() as db,
        db.transaction(isolation="repeatable_read", readonly=True),
    ):
        row = await db.fetchrow(_ALARM_COLUMNS + "WHERE a.id = $1", number)
        if row is None:
            raise nothing(f"no alarm {number}")
        venue = row["venue"]
        state = await look_at_state(db, venue)
        now = state.alarm if state.alarm is not None and state.alarm.id == number else None
        rows, following = await _rows(db, number, 0, _MOST)
        devices = await db.fetch(
            "SELECT id, kind, body FROM device WHERE id IN ("
            "SELECT subject FROM event_log "
            "WHERE alarm = $1 AND alarm <> 0 AND kind = 'fire_alarm') "
            "ORDER BY id LIMIT $2",
            number,
            _MOST,
        )
        contacts = await db.fetch(
            "SELECT n, name, phone, channels FROM responsible WHERE venue = coalesce("
            "(SELECT venue FROM device WHERE $1::text LIKE '?%' AND id = substr($1, 2)), $1) "
            "ORDER BY n",
            venue,
        )
        due = await db.fetch(
            "SELECT alarm::text, name, venue, at FROM deadline WHERE alarm = $1 ORDER BY at", number
        )
        sent = await db.fetch(_OUTBOX.query, 0, BIGGEST, _MOST, None, number)
        report = await db.fetchval("SELECT report FROM alarm WHERE id = $1", number)
    return AlarmRecord(
        AlarmLine(*row),
        [] if now is None else list(missing(now)),
        [{"id": d["id"], "kind": d["kind"], **json.loads(d["body"])} for d in devices],
        [dict(contact) for contact in contacts],
        rows,
        following,
        [DeadlineLine(*entry) for entry in due],
        [OutboxLine(*entry) for entry in sent],
        None if report is None else json.loads(report),
    )


async def alarm_rows(call: Call) -> AlarmRows:
    """An alarm's record, page by page."""
    number = call.numbered("alarm", "alarm")
    after, limit = call.number("after", 0), call.number("limit", 100)
    async with call.core.pool.acquire() as db:
        return AlarmRows(*await _rows(db, number, after, limit))


async def _rows(
    db: asyncpg.Connection, alarm: int, after: int, limit: int
) -> tuple[list[LogRow], str | None]:
    """Rows of an alarm and where its record goes on.

    They are in the order of their commits, so nothing has to be waited for: whoever writes one has
    locked the state of the alarm's venue.
    """
    rows = [LogRow(*row) for row in await db.fetch(_ROWS.query, after, BIGGEST, limit, alarm)]
    return rows, rows[-1].id if len(rows) == limit else None


async def deadlines(call: Call) -> Deadlines:
    """Open deadlines, the next one first."""
    limit = call.number("limit", _MOST)
    async with call.core.pool.acquire() as db:
        rows = await db.fetch(
            "SELECT alarm::text, name, venue, at FROM deadline ORDER BY at, alarm, name LIMIT $1",
            limit,
        )
    return Deadlines([DeadlineLine(*row) for row in rows])


async def outbox(call: Call) -> OutboxPage:
    """What was sent or waits to be, in the order in which it was decided."""
    of = call.query.get("alarm")
    rows, following = await read_page(
        call, _OUTBOX, call.query.get("state"), None if of is None else int(of)
    )
    return OutboxPage([OutboxLine(*row) for row in rows], following)


# -- the verbs of clause 6 ----------------------------------------------------------------------

Text = Annotated[str, Meta(max_length=4000)]


class Respond(msgspec.Struct, frozen=True, tag_field="verb", tag="respond"):
    """The alarm, its place and contacts are on the screen (6.1)."""


class Verify(msgspec.Struct, frozen=True, tag_field="verb", tag="verify"):
    """The verification ended (6.1)."""

    outcome: Verification
    how: Literal["phone", "video"] = "phone"


class Confirm(msgspec.Struct, frozen=True, tag_field="verb", tag="confirm"):
    """The fire is confirmed outside a verification (6.2)."""

    how: Literal["phone", "video", "on_scene"] = "on_scene"


class StartPlan(msgspec.Struct, frozen=True, tag_field="verb", tag="start_plan"):
    """The emergency plan (6.2)."""


class Dispatch(msgspec.Struct, frozen=True, tag_field="verb", tag="dispatch"):
    """A person is ordered to go (6.2)."""

    person: Name
    vehicle: Name = ""


class StandDown(msgspec.Struct, frozen=True, tag_field="verb", tag="stand_down"):
    """An order is withdrawn."""

    person: Name
    why: Name = ""


class Arrive(msgspec.Struct, frozen=True, tag_field="verb", tag="arrive"):
    """Somebody is on scene."""

    who: Name
    role: Literal["center", "grid_worker", "micro_fire_station", "owner", "brigade"] = "center"


class Evacuate(msgspec.Struct, frozen=True, tag_field="verb", tag="evacuate"):
    """People are led out (6.2)."""


class Call119(msgspec.Struct, frozen=True, tag_field="verb", tag="call_119"):
    """119 was called (6.2)."""


class FileReport(msgspec.Struct, frozen=True, tag_field="verb", tag="file_report", rename="camel"):
    """The report of Annex C; ``cause`` may be ``scene_sealed``."""

    cause: Name
    course: Text = ""
    analysis: Text = ""
    conclusion: Text = ""
    handled_by: Name = ""


class Annotate(msgspec.Struct, frozen=True, tag_field="verb", tag="annotate"):
    """The class of 6.4."""

    annotation: Annotation


class CloseRecord(msgspec.Struct, frozen=True, tag_field="verb", tag="close"):
    """The record is complete (8.3)."""


Verb = (
    Respond | Verify | Confirm | StartPlan | Dispatch | StandDown | Arrive | Evacuate | Call119
    | FileReport | Annotate | CloseRecord
)  # fmt: skip


def _lifecycle_event(verb: Verb, alarm: int, by: str, ordered_at: float) -> life.Event:
    match verb:
        case Respond():
            return life.Responded(alarm, by)
        case Verify(outcome, how):
            return life.Verified(alarm, by, outcome, how)
        case Confirm(how):
            return life.FireConfirmed(alarm, by, how)
        case StartPlan():
            return life.PlanStarted(alarm, by)
        case Dispatch(person, vehicle):
            return life.Dispatched(alarm, person, vehicle)
        case StandDown(person, why):
            return life.StoodDown(alarm, person, why)
        case Arrive(who, role):
            return life.OnScene(alarm, who, role, ordered_at)
        case Evacuate():
            return life.Evacuation(alarm, by)
        case Call119():
            return life.EmergencyCall(alarm, by)
        case FileReport():
            return life.ReportFiled(alarm, by, verb.cause)
        case Annotate(annotation):
            return life.Annotated(alarm, by, annotation)
        case CloseRecord():
            return life.Close(alarm, by)


_VENUE_OF = "SELECT venue FROM alarm WHERE id = $1"


async def act(call: Call) -> AlarmLine:
    """A person's word about an alarm."""
    number, verb = call.numbered("alarm", "alarm"), call.body
    by = call.principal.name
    async with call.transaction() as (db, batch):
        venue = await db.fetchval(_VENUE_OF, number)
        if venue is None:
            raise nothing(f"no alarm {number}")
        if venue.startswith("?"):  # its place may become known just now
            batch.held |= await read_states(db, {venue})
            venue = await db.fetchval(_VENUE_OF, number)
        ordered_at = nan
        if isinstance(verb, Arrive):
            last = await db.fetchval(
                "SELECT time / 1e6::float8 FROM event_log WHERE alarm = $1 AND kind = 'dispatched' "
                "AND subject = $2 ORDER BY time DESC LIMIT 1",
                number,
                verb.who,
            )
            ordered_at = nan if last is None else last
        event = _lifecycle_event(verb, number, by, ordered_at)
        await advance(db, batch, [(venue, event)], call.core.rules)
        if isinstance(verb, FileReport):
            await db.execute(
                "UPDATE alarm SET report = $2 WHERE id = $1",
                number,
                msgspec.json.encode(verb).decode(),
            )
    async with call.core.pool.acquire() as db:
        row = await db.fetchrow(_ALARM_COLUMNS + "WHERE a.id = $1", number)
    return AlarmLine(*row)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET", "/core/event", "getReceivedEvents", "Every received message, as it came",
        READERS, events, answer=StoredEvents,
        query={**PAGE, "vendor": text("only this vendor's", 32)},
    ),
    Endpoint(
        "GET", "/core/event/{vendor}/{messageId}", "getReceivedEvent", "One received message",
        READERS, event, answer=StoredEvent,
    ),
    Endpoint(
        "GET", "/core/history", "getHistory", "Every event that a vendor told of afterwards",
        READERS, history, answer=History,
        query={**PAGE, "vendor": text("only this vendor's", 32)},
    ),
    Endpoint(
        "GET", "/core/alarm", "getAlarms", "Alarms, open ones only with open=true",
        READERS, alarms, answer=Alarms,
        query={**PAGE, **OPEN},
    ),
    Endpoint(
        "GET", "/core/alarm/{alarm}", "getAlarm", "An alarm's record, contacts and deadlines",
        READERS, alarm, answer=AlarmRecord,
    ),
    Endpoint(
        "GET", "/core/alarm/{alarm}/record", "getAlarmRows", "An alarm's record, page by page",
        READERS, alarm_rows, answer=AlarmRows, query={**PAGE},
    ),
    Endpoint(
        "POST", "/core/alarm/{alarm}", "actOnAlarm", "A word of clause 6 about an alarm",
        OPERATORS, act, request=Verb, answer=AlarmLine, writes=True,
    ),
    Endpoint(
        "GET", "/core/deadline", "getDeadlines", "Open deadlines, the next one first",
        READERS, deadlines, answer=Deadlines, query={"limit": PAGE["limit"]},
    ),
    Endpoint(
        "GET", "/core/outbox", "getOutbox", "Messages to people, and their receipts",
        READERS, outbox, answer=OutboxPage,
        query={
            **PAGE,
            "state": word("only these", "waiting", "sent", "received", "failed"),
            "alarm": whole("only those about this alarm, its id", 0, BIGGEST),
        },
    ),
)  # fmt: skip
