"""The core's event log as a :class:`twin.log.Log`: what a simulation writes, from a real center.

The part of a period stands alone: what was registered and what lasted when it began has its row at
the beginning.
"""

from __future__ import annotations

from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from twin.log import KIND_CODE, MICROSECONDS, VIEW_CODE, Log, Words
from twin.terms import Kind, View

_LASTING: tuple[tuple[Kind, Kind | None], ...] = (
    (Kind.VENUE, None),
    (Kind.DEVICE, Kind.DEVICE_REMOVED),
    (Kind.PERSON, None),
    (Kind.CHECKLIST, None),
    (Kind.EDGE_POINT, None),
    (Kind.EDGE_TIME, None),
    (Kind.EDGE_DISTANCE, None),
    (Kind.VENUE_TIME, None),
    (Kind.HAZARD_DISTANCE, None),
    (Kind.HAZARD_BEARING, None),
    (Kind.WIND, None),
    (Kind.OFFLINE, Kind.ONLINE),
    (Kind.FAULT, Kind.FAULT_CLEARED),
    (Kind.DISABLED, Kind.ENABLED),
    (Kind.LOW_BATTERY, Kind.BATTERY_CHANGED),
    (Kind.TICKET_OPENED, Kind.TICKET_CLOSED),
    (Kind.ON_DUTY, Kind.OFF_DUTY),
    (Kind.LEFT_DESK, Kind.BACK_AT_DESK),
)
"""What lasts: its beginning and its end."""

_BY_TEXT = (Kind.TICKET_OPENED, Kind.EDGE_TIME, Kind.EDGE_DISTANCE, Kind.VENUE_TIME)
"""Of these a subject may have several at once, told apart by their text."""

_COLUMNS = "time, seq, center, subject, kind, view, message, alarm, value, text"


async def read_period(db: asyncpg.Connection, zone: str, start_us: int, end_us: int) -> Log:
    """The log of a period.

    Parameters
    ----------
    db : the database, best in a transaction that sees one state of it.
    zone : IANA time zone of the center.
    start_us, end_us : microseconds since 1970-01-01 UTC; what lies before the core's first start
        is left out.

    Raises
    ------
    ValueError
        If the period has no length.
    """
    center, started = await db.fetchrow("SELECT center, started FROM core")
    start_us = max(start_us, round(started * MICROSECONDS))
    if end_us <= start_us:
        raise ValueError("the period ends before the core's first start, or before it begins")
    opening = (start_us, 0, center, center, Kind.PERIOD_START, View.PLATFORM, 0, 0,
               (end_us - start_us) / MICROSECONDS, zone)  # fmt: skip
    rows = [opening]
    for begin, end in _LASTING:
        rows += await _lasting(db, begin, end, start_us)
    rows += await db.fetch(
        f"SELECT {_COLUMNS} FROM event_log WHERE time >= $1 AND time < $2 ORDER BY time, seq",
        start_us,
        end_us,
    )
    rows.append((end_us, 0, center, center, Kind.PERIOD_END, View.PLATFORM, 0, 0, float("nan"), ""))
    return _as_log(rows, {"source": f"alarm core of {center}"})


async def _lasting(
    db: asyncpg.Connection, begin: Kind, end: Kind | None, start_us: int
) -> list[Any]:
    """What of a kind lasts when the period begins, with that as its time."""
    key = "subject, text" if begin in _BY_TEXT else "subject"
    kinds = [begin] if end is None else [begin, end]
    rows: list[Any] = await db.fetch(
        f"""
        SELECT $1::bigint, seq, center, subject, kind, view, message, alarm, value, text FROM (
            SELECT DISTINCT ON ({key}) * FROM event_log WHERE time < $1 AND kind = ANY($2::text[])
            ORDER BY {key}, time DESC, seq DESC
        ) AS last WHERE kind = $3 ORDER BY seq
        """,
        start_us,
        kinds,
        begin,
    )
    return rows


def _as_log(rows: list[Any], meta: dict[str, str]) -> Log:
    time, _, center, subject, kind, view, message, alarm, value, text = zip(*rows, strict=True)
    order = np.arange(len(rows), dtype=np.int64)
    return Log(
        time=np.array(time, np.int64),
        seq=order,
        center=_words(center),
        subject=_words(subject),
        kind=np.array([KIND_CODE[Kind(one)] for one in kind], np.uint8),
        view=np.array([VIEW_CODE[View(one)] for one in view], np.uint8),
        message=np.array(message, np.int64),
        alarm=np.array(alarm, np.int64),
        value=np.array([np.nan if one is None else one for one in value], np.float64),
        text=_words(text),
        meta=meta,
    )


def _words(texts: tuple[str, ...]) -> Words:
    codes: dict[str, int] = {}
    coded: NDArray[np.int32] = np.array(
        [codes.setdefault(one, len(codes)) for one in texts], np.int32
    )
    return Words(coded, tuple(codes))
