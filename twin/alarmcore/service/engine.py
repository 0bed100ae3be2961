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

from twin.alarmcore.annexb.messages import DeviceState, Event, EventType, instant
from twin.alarmcore.lifecycle import (
    DeviceDisabled,
    DeviceEnabled,
    MessageReceived,
    Rules,
    step,
)
from twin.alarmcore.lifecycle import Event as LifecycleEvent
from twin.alarmcore.service.registry import Known, venue_of
from twin.alarmcore.store.batch import Batch, read_states
from twin.terms import Category, Kind, Ticket

LOW_BATTERY = "low_battery"
"""The fault that opens a battery ticket (6.5)."""

BATTERY = "battery_percent"
"""The measured value that owners see (7.3). All others are in the messages that brought them."""

PULL_SLACK_S = 60.0
"""How much older a pushed word may say that it is and still be newer than a pull (assumption)."""

_ROW_ONLY = {
    EventType.ACTUATION: Kind.ACTUATION,
    EventType.OPERATION: Kind.OPERATION,
}
_TO_LOOK_INTO = {
    EventType.EARLY_WARNING: Kind.EARLY_WARNING,
    EventType.SUPERVISORY: Kind.SUPERVISORY,
}


_STEPS = {EventType.FIRE, EventType.DISABLEMENT}


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


def _venue(device: str, entry: Known | None) -> str:
    return venue_of(device, None if entry is None else entry.venue)


def venues(arrivals: Iterable[Arrival], known: Mapping[str, Known]) -> set[str]:
    """The venues whose states :func:`take` steps."""
    return {
        _venue(device, known.get(device))
        for _, device, event in arrivals
        if event is None or event.type in _STEPS
    }


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
    for arrival in arrivals:
        message, device, event = arrival
        entry = known.get(device)
        if event is None or event.type is EventType.FIRE:
            venue = _venue(device, entry)
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
                (_venue(device, entry), DeviceEnabled(device) if event.phase == "end" else
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
                batch.open_ticket(device, Ticket.HAZARD)
        else:
            _believe(batch, device, event)
    if steps:
        await advance(db, batch, steps, rules)


async def advance(
    db: asyncpg.Connection,
    batch: Batch,
    events: Iterable[tuple[str, LifecycleEvent]],
    rules: Rules,
) -> None:
    """Steps of the lifecycle, in order.

    Time never runs backwards for a venue, whichever worker's clock told it last.

    Raises
    ------
    twin.alarmcore.lifecycle.LifecycleError
        If a venue's state does not allow an event; the caller's transaction must not commit.
    """
    events = list(events)
    batch.held |= await read_states(db, {venue for venue, _ in events} - batch.held.keys())
    for venue, event in events:
        before, at, _ = batch.held[venue]
        now = max(batch.now, at)
        after, decisions = step(before, event, now, rules)
        batch.step(before, after, decisions, now)


# -- what the core believes of devices ---------------------------------------------------------


def _believe(batch: Batch, device: str, event: Event) -> None:
    """What an event tells of its device's state, at the event's own time."""
    if event.parameters and BATTERY in event.parameters:
        batch.measure(device, {BATTERY: event.parameters[BATTERY]})
    if event.type is EventType.STATE:
        return
    began = event.phase == "begin"
    at = instant(event.time).timestamp()
    if event.type is EventType.OFFLINE:
        batch.believe(device, Kind.OFFLINE, "", at)
    elif event.type is EventType.ONLINE:
        batch.believe(device, Kind.ONLINE, "", at)
    elif event.type is EventType.FAULT and event.what == LOW_BATTERY:
        batch.believe(device, Kind.LOW_BATTERY if began else Kind.BATTERY_CHANGED, "", at)
    elif event.type is EventType.FAULT:
        batch.believe(device, Kind.FAULT if began else Kind.FAULT_CLEARED, event.what, at)


def apply_states(batch: Batch, states: Iterable[tuple[str, DeviceState]], asked: float) -> None:
    """What a pull (API 21) tells of registered devices, by the core's names of them.

    ``asked`` is when the vendor was asked, s: what was pushed since is newer, and what was pushed
    in the minute before, for devices tell the time in whole seconds by clocks of their own.
    """
    asked -= PULL_SLACK_S
    for device, state in states:
        batch.believe(device, Kind.ONLINE if state.online else Kind.OFFLINE, "", asked)
        if state.fault is not None:
            word = Kind.FAULT if state.fault else Kind.FAULT_CLEARED
            batch.believe(device, word, state.fault, asked)
        if state.low_battery is not None:
            word = Kind.LOW_BATTERY if state.low_battery else Kind.BATTERY_CHANGED
            batch.believe(device, word, "", asked)
        parameters = dict(state.parameters or {})
        if state.battery is not None:
            parameters[BATTERY] = state.battery
        if parameters:
            batch.measure(device, parameters)
