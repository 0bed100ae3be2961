"""The core's event log as a :class:`twin.log.Log`: what a simulation writes, from a real center.

The part of a period stands alone: what was registered and what lasted when it began has its row at
the beginning. An alarm counts in the period in which it was raised. So that each is judged, what
came of the period's alarms after its end is there, too, for as long as a record may be open; of
alarms that were raised before it only the messages of the period count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from twin.kpi.alarms import RECORD_S
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

_LASTING_ROWS = """
    SELECT $1::bigint, seq, center, subject, kind, view, message, alarm, value, text FROM (
        SELECT DISTINCT ON (k.pair, l.subject, CASE WHEN k.by_text THEN l.text END)
            k.pair, k.begins, l.*
        FROM event_log l
        JOIN unnest($2::text[], $3::int[], $4::bool[], $5::bool[])
            AS k (kind, pair, begins, by_text) ON k.kind = l.kind
        WHERE l.time < $1
        ORDER BY k.pair, l.subject, CASE WHEN k.by_text THEN l.text END,
            l.time DESC, l.seq DESC
    ) AS last WHERE begins ORDER BY pair, seq
    """
"""What lasts when a period begins, with that as its time; the log is gone through once."""

_OPEN_ALARMS = """
    SELECT $1::bigint, a.id, c.center, a.venue, 'alarm_open', 'platform', 0::bigint, a.id,
        $1 / 1e6::float8 - a.raised, coalesce(nullif(last.kind, 'reopened'), 'raised')
    FROM core c CROSS JOIN alarm a LEFT JOIN LATERAL (
        SELECT kind FROM event_log l WHERE l.alarm = a.id AND l.time < $1
            AND l.kind IN ('responded', 'verified', 'reopened')
        ORDER BY l.time DESC, l.seq DESC LIMIT 1
    ) AS last ON true
    WHERE round(a.raised * 1e6) < $1 AND (a.closed IS NULL OR round(a.closed * 1e6) >= $1)
    ORDER BY a.id
    """
"""Alarms that were raised before a period and are open when it begins."""

_FOLLOWED = f"""
    SELECT {_COLUMNS} FROM event_log WHERE time >= $1 AND time < $2 AND kind <> 'fire_alarm'
        AND alarm IN (SELECT id FROM alarm WHERE round(raised * 1e6) < $1)
    ORDER BY time, seq
    """
"""What came of alarms after the end of the period; the messages are those of the next one."""

_FOLLOWED_US = round((RECORD_S + 1.0) * MICROSECONDS)
"""For so long: then an alarm whose record is not closed counts as one that is not handled."""

_FETCH = 20_000
"""Rows that are in memory as rows at once."""

_LONGEST_S = 3600.0
"""A query of a log of 30 years may take so long."""


async def read_period(
    db: asyncpg.Connection, zone: str, start_us: int, end_us: int, now_us: int
) -> Log:
    """The log of a period.

    Parameters
    ----------
    db : the database, in a transaction that sees one state of it.
    zone : IANA time zone of the center.
    start_us, end_us : microseconds since 1970-01-01 UTC; what lies before the core's first start
        is left out.
    now_us : until when the log is written.

    Raises
    ------
    ValueError
        If the period has no length.
    """
    center, started = await db.fetchrow("SELECT center, started FROM core")
    start_us = max(start_us, round(started * MICROSECONDS))
    if end_us <= start_us:
        raise ValueError("the period ends before the core's first start, or before it begins")
    columns = _Columns()
    followed_us = min(max(now_us, end_us), end_us + _FOLLOWED_US)
    closing = (end_us, 0, center, center, Kind.PERIOD_END, View.PLATFORM, 0, 0,
               (followed_us - end_us) / MICROSECONDS, "")  # fmt: skip
    columns.add([(start_us, 0, center, center, Kind.PERIOD_START, View.PLATFORM, 0, 0,
                  (end_us - start_us) / MICROSECONDS, zone)])  # fmt: skip
    kinds = [
        (kind, pair, kind is begin, begin in _BY_TEXT)
        for pair, (begin, end) in enumerate(_LASTING)
        for kind in (begin, end)
        if kind is not None
    ]
    for query, *parameters in (
        (_LASTING_ROWS, start_us, *zip(*kinds, strict=True)),
        (_OPEN_ALARMS, start_us),
        (
            f"SELECT {_COLUMNS} FROM event_log WHERE time >= $1 AND time < $2 ORDER BY time, seq",
            start_us,
            end_us,
        ),
        (_FOLLOWED, end_us, followed_us),
    ):
        if query is _FOLLOWED:
            columns.add([closing])
        cursor = await db.cursor(query, *parameters, timeout=_LONGEST_S)
        while rows := await cursor.fetch(_FETCH, timeout=_LONGEST_S):
            columns.add(rows)
    return columns.log(
        {
            "source": f"alarm core of {center}",
            "edges": "an alarm counts in the period in which it was raised, and is followed for "
            f"{(followed_us - end_us) / MICROSECONDS:g} s after its end; of alarms that were open "
            "when it began only the period's messages count",
        }
    )


class _Columns:
    """Rows of the log, turned to columns as they come."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[Any], ...]] = []
        self._centers: dict[str, int] = {}
        self._subjects: dict[str, int] = {}
        self._texts: dict[str, int] = {}

    def add(self, rows: Sequence[Any]) -> None:
        """Takes rows, at least one."""
        time, _, center, subject, kind, view, message, alarm, value, text = zip(*rows, strict=True)
        self._parts.append(
            (
                np.array(time, np.int64),
                _codes(self._centers, center),
                _codes(self._subjects, subject),
                np.array([KIND_CODE[one] for one in kind], np.uint8),
                np.array([VIEW_CODE[one] for one in view], np.uint8),
                np.array(message, np.int64),
                np.array(alarm, np.int64),
                np.array(value, np.float64),  # null is not a number
                _codes(self._texts, text),
            )
        )

    def log(self, meta: dict[str, str]) -> Log:
        """The log of all rows."""
        time, center, subject, kind, view, message, alarm, value, text = (
            np.concatenate(parts) for parts in zip(*self._parts, strict=True)
        )
        return Log(
            time=time,
            seq=np.arange(len(time), dtype=np.int64),
            center=Words(center, tuple(self._centers)),
            subject=Words(subject, tuple(self._subjects)),
            kind=kind,
            view=view,
            message=message,
            alarm=alarm,
            value=value,
            text=Words(text, tuple(self._texts)),
            meta=meta,
        )


def _codes(known: dict[str, int], texts: Iterable[str]) -> NDArray[np.int32]:
    return np.array([known.setdefault(one, len(known)) for one in texts], np.int32)
