"""What a message, a deadline or a person's word does: the lifecycle on stored states.

Every function here works inside its caller's transaction and gives its effects to a
:class:`twin.alarmcore.store.batch.Batch`, so that a message, the alarm that it raises, its
deadlines and its notifications are on disk together or not at all. A venue's state is locked from
reading to writing, so that any number of workers may work on one database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import NamedTuple

import asyncpg
import msgspec

from twin.alarmcore.annexb.messages import DeviceState, Event, EventType
from twin.alarmcore.device_rules import ticket_deadline_s
from twin.alarmcore.lifecycle import (
    DeviceDisabled,
    DeviceEnabled,
    MessageReceived,
    Rules,
    step,
)
from twin.alarmcore.lifecycle import Event as LifecycleEvent
from twin.alarmcore.service.registry import Known
from twin.alarmcore.store.batch import Batch, StoredVenue, read_states
from twin.terms import Category, Kind, Ticket

LOW_BATTERY = "low_battery"
"""The fault that opens a battery ticket (6.5)."""

_ROW_ONLY = {
    EventType.ACTUATION: Kind.ACTUATION,
    EventType.OPERATION: Kind.OPERATION,
}
_TO_LOOK_INTO = {
    EventType.EARLY_WARNING: Kind.EARLY_WARNING,
    EventType.SUPERVISORY: Kind.SUPERVISORY,
}


class Arrival(NamedTuple):
    """A message that is new, as the lifecycle takes it.

    Parameters
    ----------
    id : the core's own id of it.
    device : ``<vendor>/<the vendor's id>``.
    event : what it says; None: it cannot be read but may be a fire.
    """

    id: int
    device: str
    event: Event | None


def unknown_place(device: str) -> str:
    """The venue under which an alarm is raised whose place nobody knows."""
    return f"?{device}"


async def take(
    db: asyncpg.Connection,
    batch: Batch,
    arrivals: Sequence[Arrival],
    known: Mapping[str, Known],
    rules: Rules,
) -> None:
    """What new messages do, in the order in which they came.

    Alarms and disablements are steps of the lifecycle; the others change what the core believes
    of a device, open a ticket, or are recorded. Messages of unknown devices other than alarms
    change nothing here.
    """
    steps: list[tuple[str, LifecycleEvent]] = []
    states: list[Arrival] = []
    for arrival in arrivals:
        message, device, event = arrival
        entry = known.get(device)
        venue = unknown_place(device) if entry is None or entry.venue is None else entry.venue
        if event is None or event.type is EventType.FIRE:
            category = Category.FIRE if entry is None else entry.category
            if event is not None and event.category is not None:
                category = event.category
            if event is not None and event.phase == "end":
                batch.row(Kind.OPERATION, device, message=message, text="alarm_reset")
            else:
                steps.append((venue, MessageReceived(message, device, category)))
        elif entry is None:
            continue
        elif event.type is EventType.DISABLEMENT:
            steps.append(
                (venue, DeviceEnabled(device) if event.phase == "end" else
                 DeviceDisabled(device, event.what))
            )  # fmt: skip
        elif event.type in _ROW_ONLY:
            value = nan if event.value is None else event.value
            kind = _ROW_ONLY[event.type]
            batch.row(kind, device, message=message, value=value, text=event.what)
        elif event.type in _TO_LOOK_INTO:
            if event.phase == "begin":
                value = nan if event.value is None else event.value
                kind = _TO_LOOK_INTO[event.type]
                batch.row(kind, device, message=message, value=value, text=event.what)
                batch.open_ticket(device, Ticket.HAZARD, ticket_deadline_s(Ticket.HAZARD))
        else:
            states.append(arrival)
    if steps:
        await advance(db, batch, steps, rules)
    if states:
        await _believe(db, batch, [(a.device, _told(a.event)) for a in states if a.event])


async def advance(
    db: asyncpg.Connection,
    batch: Batch,
    events: Iterable[tuple[str, LifecycleEvent]],
    rules: Rules,
) -> dict[str, StoredVenue]:
    """Steps of the lifecycle, in order; returns the venues' states after them.

    Time never runs backwards for a venue, whichever worker's clock told it last.

    Raises
    ------
    twin.alarmcore.lifecycle.LifecycleError
        If a venue's state does not allow an event; the caller's transaction must not commit.
    """
    events = list(events)
    venues = await read_states(db, (venue for venue, _ in events))
    for venue, event in events:
        before, at = venues[venue]
        now = max(batch.now, at)
        after, decisions = step(before, event, now, rules)
        batch.step(before, after, decisions, now)
        venues[venue] = StoredVenue(after, now)
    return venues


# -- what the core believes of devices ---------------------------------------------------------


class Told(NamedTuple):
    """What a message or a pull tells of a device; None: nothing."""

    offline: bool | None = None
    fault: bool | None = None
    low_battery: bool | None = None
    cause: str = ""
    parameters: dict[str, float] | None = None


def _told(event: Event) -> Told:
    began = event.phase == "begin"
    if event.type is EventType.OFFLINE:
        return Told(offline=True)
    if event.type is EventType.ONLINE:
        return Told(offline=False)
    if event.type is EventType.FAULT and event.what == LOW_BATTERY:
        return Told(low_battery=began)
    if event.type is EventType.FAULT:
        return Told(fault=began, cause=event.what)
    return Told(parameters=event.parameters or {})


async def apply_states(
    db: asyncpg.Connection, batch: Batch, states: Sequence[tuple[str, DeviceState]]
) -> None:
    """What a pull (API 21) tells of registered devices, by the core's names of them."""
    told = []
    for device, state in states:
        parameters = dict(state.parameters or {})
        if state.battery is not None:
            parameters["battery_percent"] = state.battery
        told.append(
            (
                device,
                Told(
                    not state.online,
                    None if state.fault is None else bool(state.fault),
                    state.low_battery,
                    state.fault or "",
                    parameters or None,
                ),
            )
        )
    await _believe(db, batch, told)


async def _believe(db: asyncpg.Connection, batch: Batch, told: Sequence[tuple[str, Told]]) -> None:
    """Changes what the core believes; only a change is a row of the log and opens a ticket."""
    flags = [(device, word) for device, word in told if word[:3] != (None, None, None)]
    if flags:
        await _change_flags(db, batch, flags)
    measured = {device: word.parameters for device, word in told if word.parameters is not None}
    if measured:
        devices = sorted(measured)
        await db.execute(
            """
            INSERT INTO device_state (device, parameters, heard)
            SELECT device, parameters::jsonb, $3
            FROM unnest($1::text[], $2::text[]) AS u (device, parameters)
            ON CONFLICT (device) DO UPDATE
            SET parameters = excluded.parameters, heard = excluded.heard
            """,
            devices,
            [msgspec.json.encode(measured[device]).decode() for device in devices],
            batch.now,
        )


async def _change_flags(
    db: asyncpg.Connection, batch: Batch, told: Sequence[tuple[str, Told]]
) -> None:
    devices = sorted({device for device, _ in told})
    query = (
        "SELECT device, offline, fault, low_battery FROM device_state "
        "WHERE device = ANY($1::text[]) ORDER BY device FOR UPDATE"
    )
    rows = await db.fetch(query, devices)
    if len(rows) < len(devices):
        await db.execute(
            "INSERT INTO device_state (device) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
            devices,
        )
        rows = await db.fetch(query, devices)
    stored = {row[0]: (row[1], row[2], row[3]) for row in rows}
    flags = dict(stored)
    for device, word in told:
        offline, fault, low_battery = flags[device]
        if word.offline is not None and word.offline != offline:
            offline = word.offline
            batch.row(Kind.OFFLINE if offline else Kind.ONLINE, device)
            if offline:
                batch.open_ticket(device, Ticket.OFFLINE, ticket_deadline_s(Ticket.OFFLINE))
        if word.fault is not None and word.fault != fault:
            fault = word.fault
            batch.row(Kind.FAULT if fault else Kind.FAULT_CLEARED, device, text=word.cause)
            if fault:
                batch.open_ticket(device, Ticket.FAULT, ticket_deadline_s(Ticket.FAULT))
        if word.low_battery is not None and word.low_battery != low_battery:
            low_battery = word.low_battery
            batch.row(Kind.LOW_BATTERY if low_battery else Kind.BATTERY_CHANGED, device)
            if low_battery:
                batch.open_ticket(device, Ticket.BATTERY, ticket_deadline_s(Ticket.BATTERY))
        flags[device] = (offline, fault, low_battery)
    changed = [device for device in devices if flags[device] != stored[device]]
    if changed:
        await db.execute(
            "UPDATE device_state s SET offline = u.offline, fault = u.fault, "
            "low_battery = u.low_battery FROM unnest($1::text[], $2::bool[], $3::bool[], "
            "$4::bool[]) AS u (device, offline, fault, low_battery) WHERE s.device = u.device",
            changed,
            *zip(*(flags[device] for device in changed), strict=True),
        )
