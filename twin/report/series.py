"""The figures of a log laid out over time, for drawing: same rows, same definitions as the KPIs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.kpi.alarms import ANNOTATIONS
from twin.kpi.devices import registry, state
from twin.kpi.maintenance import TICKETS
from twin.kpi.rates import online_rate
from twin.kpi.rows import Intervals, Rows, clip_to, intervals, steps
from twin.log import MICROSECONDS
from twin.standard import SHIFT_MIN
from twin.terms import Category, Kind, Role, Ticket, View

Floats = NDArray[np.float64]

DAY_US = 86_400 * MICROSECONDS
HOUR_US = 3_600 * MICROSECONDS
_GRID_US = 300 * MICROSECONDS


def online_by_day(rows: Rows) -> dict[View, Floats]:
    """The online rate's mean of each day since the period's start, by view; views without any
    offline row are left out."""
    devices = registry(rows)
    found = {}
    for view in View:
        if rows.has(Kind.OFFLINE, view=view):
            out = clip_to(state(rows, Kind.OFFLINE, Kind.ONLINE, view), devices.present)
            step = steps(rows.period, devices.present, out)
            there = _mean_by_day(rows, step.edges, step.counts[0])
            gone = _mean_by_day(rows, step.edges, step.counts[1])
            found[view] = np.asarray(online_rate(gone, np.maximum(there, 1e-9)), np.float64)
    return found


def _mean_by_day(rows: Rows, edges: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    """Time-weighted mean of a step function, day by day; a last broken day is cut off."""
    start, end = rows.period.start_us, rows.period.end_us
    area = np.concatenate([[0.0], np.cumsum(counts * (np.diff(edges) / MICROSECONDS))])
    at = np.arange(start, end + 1, DAY_US)
    if len(at) < 2:
        at = np.array([start, end])
    upto = np.interp((at - start) / MICROSECONDS, (edges - start) / MICROSECONDS, area)
    mean: Floats = np.diff(upto) / (np.diff(at) / MICROSECONDS)
    return mean


def waits(rows: Rows) -> tuple[Floats, Floats]:
    """Seconds from each fire alarm message to its response and to its verification (6.1).

    A message that joins while somebody is at its alarm is responded to as it comes; inf where
    there was none.
    """
    log = rows.log
    messages = rows.where_text(rows.at(Kind.FIRE_ALARM), Category.FIRE)
    messages = messages[log.alarm[messages] != 0]
    responded, last_response = _next(rows, messages, rows.at(Kind.RESPONDED))
    verified, last_verified = _next(rows, messages, rows.at(Kind.VERIFIED))
    responded[last_response > last_verified] = 0.0
    return responded, verified


def _next(
    rows: Rows, messages: NDArray[np.intp], marks: NDArray[np.intp]
) -> tuple[Floats, NDArray[np.int64]]:
    """Seconds to the next mark of the message's alarm, and the row of the last one before."""
    log, size = rows.log, len(rows.log)
    keys = np.sort(log.alarm[marks] * size + marks)
    wanted = log.alarm[messages] * size + messages
    place = np.searchsorted(keys, wanted)
    wait = np.full(len(messages), np.inf)
    before = np.full(len(messages), -1, np.int64)
    if len(keys):
        after = keys[np.minimum(place, len(keys) - 1)]
        good = (place < len(keys)) & (after // size == log.alarm[messages])
        wait[good] = (log.time[after[good] % size] - log.time[messages[good]]) / MICROSECONDS
        ahead = keys[np.maximum(place - 1, 0)]
        there = (place > 0) & (ahead // size == log.alarm[messages])
        before[there] = ahead[there] % size
    return wait, before


def alarms_by_hour(
    rows: Rows, raised_us: NDArray[np.int64], annotation: NDArray[np.int8]
) -> Floats:
    """Fire alarms by annotation (and a last row for none) and local hour: (annotations + 1, 24)."""
    hour = rows.period.hour_of_day(raised_us)
    counts = np.zeros((len(ANNOTATIONS) + 1, 24))
    np.add.at(counts, (annotation.astype(np.int64) % (len(ANNOTATIONS) + 1), hour), 1)
    return counts


def open_tickets_by_day(rows: Rows) -> dict[Ticket, Floats]:
    """Tickets open on the average over each day, by kind; kinds without any are left out."""
    found = {}
    for kind in TICKETS:
        opened = rows.where_text(rows.at(Kind.TICKET_OPENED), kind)
        if len(opened):
            closed = rows.where_text(rows.at(Kind.TICKET_CLOSED), kind)
            step = steps(rows.period, intervals(rows, opened, closed))
            found[kind] = _mean_by_day(rows, step.edges, step.counts[0])
    return found


def desk_week(rows: Rows) -> dict[str, Floats] | None:
    """How the desk is staffed over the week (4.4): shares of the time by state, best first.

    Each is (168,), by hour of the week from Monday 0 h; in every hour that the period has they add
    up to 1. None without duty rows.
    """
    on, off = rows.at(Kind.ON_DUTY), rows.at(Kind.OFF_DUTY)
    if not len(on):
        return None
    duty = intervals(rows, rows.where_text(on, Role.DUTY), off)
    left, back = rows.at(Kind.LEFT_DESK), rows.at(Kind.BACK_AT_DESK, Kind.OFF_DUTY)
    out = clip_to(intervals(rows, left, back), duty)
    at = np.arange(rows.period.start_us, rows.period.end_us, _GRID_US) + _GRID_US // 2
    present = _open_at(duty, at)
    there = present - _open_at(out, at)
    day = (at - rows.period.start_us) // DAY_US + _weekday(rows)
    hour = (day % 7) * 24 + rows.period.hour_of_day(at)
    counts = np.maximum(np.bincount(hour, minlength=168), 1)
    empty, thin = there <= 0, present < SHIFT_MIN
    states = {
        "two or more at the desk": there >= SHIFT_MIN,
        "two or more on duty, one at the desk": (there < SHIFT_MIN) & ~thin & ~empty,
        "fewer than two on duty": thin & ~empty,
        "nobody at the desk": empty,
    }
    return {name: np.bincount(hour, mask, 168) / counts for name, mask in states.items()}


def _open_at(family: Intervals, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many intervals are open at each time."""
    number: NDArray[np.int64] = np.searchsorted(
        np.sort(family.start_us), at, side="right"
    ) - np.searchsorted(np.sort(family.end_us), at, side="right")
    return number


def _weekday(rows: Rows) -> int:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    start = datetime.fromtimestamp(rows.period.start_us / MICROSECONDS, UTC)
    return start.astimezone(ZoneInfo(rows.period.zone)).weekday()
