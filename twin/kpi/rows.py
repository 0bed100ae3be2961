"""A center's log indexed by kind, its period and calendar, and the intervals that its rows span.

Everything here is vectorised over the log's columns. Times are microseconds as in the log; an
interval's key is a code of the log's ``subject`` column (or a code derived from it).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from twin.log import KIND_CODE, KINDS, MICROSECONDS, VIEW_CODE, Log, LogError
from twin.terms import Kind, View

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

GRAIN_US = 1
"""Times are rounded to 1 us, so a duration may be 1 us off: this much is no delay."""

_LONGEST_S = 200 * 366 * 86400.0  # no period is longer; a number beyond it is a slip


@dataclass(frozen=True)
class Period:
    """The period that a log covers, and its calendar months in the scenario's time zone.

    Attributes
    ----------
    start_us, end_us : microseconds since 1970-01-01 UTC.
    zone : IANA time zone.
    month_edges : (m + 1,) the period cut at the beginnings of months.
    months : m labels, ``2024-01``.
    followed_us : until when its alarms were followed, microseconds; ``end_us``: no longer.
    """

    start_us: int
    end_us: int
    zone: str
    month_edges: I64
    months: tuple[str, ...]
    followed_us: int

    @property
    def seconds(self) -> float:
        """Length of the period."""
        return (self.end_us - self.start_us) / MICROSECONDS

    def month_of(self, time: I64) -> NDArray[np.intp]:
        """The month's number of each time (times outside go to the first or last month)."""
        month = np.searchsorted(self.month_edges, time, side="right") - 1
        return np.clip(month, 0, len(self.months) - 1)

    def hour_of_day(self, time: I64) -> NDArray[np.int64]:
        """Local hour 0-23 of each time, by the zone's offset at the start of its month."""
        offset = np.array(
            [_local(int(edge), self.zone).utcoffset() for edge in self.month_edges[:-1]],
            dtype="timedelta64[us]",
        ).astype(np.int64)
        hours: I64 = (time + offset[self.month_of(time)]) // (3600 * MICROSECONDS) % 24
        return hours


def _local(time_us: int, zone: str) -> datetime:
    seconds, rest = divmod(time_us, MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).astimezone(ZoneInfo(zone))


def period_of(rows: Rows) -> Period:
    """The period of a center's log; without PERIOD_START, from its first row to its last (UTC).

    Raises
    ------
    LogError
        For a time zone that is not known, a period without length, or rows that do not fit it: a
        log that breaks off, one whose ends contradict each other, rows outside.
    """
    log = rows.log
    start, end, zone, followed = int(log.time[0]), int(log.time[-1]), "UTC", 0
    opening, closing = rows.at(Kind.PERIOD_START), rows.at(Kind.PERIOD_END)
    if len(opening):
        row = opening[0]
        start, zone = int(log.time[row]), rows.text(row) or "UTC"
        length = float(log.value[row])
        if 0 < length < _LONGEST_S:
            end = start + round(length * MICROSECONDS)
        elif not np.isnan(length):
            raise LogError(
                f"the log's period_start row says that the period has {length:g} s; more than "
                "nothing and less than 200 years are expected"
            )
    if len(closing):
        closed = int(log.time[closing[-1]])
        if len(opening) and np.isfinite(log.value[opening[0]]) and abs(closed - end) > MICROSECONDS:
            raise LogError(
                f"the log's period_end is at {_shown(closed)}, but by its period_start the period "
                f"ends at {_shown(end)}; are its times in microseconds?"
            )
        end = closed
        beyond = float(log.value[closing[-1]])
        if 0 < beyond < _LONGEST_S:
            followed = end + round(beyond * MICROSECONDS)
    elif int(log.time[-1]) < end:
        raise LogError(
            f"the log breaks off: its period ends at {_shown(end)}, but its last row is at "
            f"{_shown(int(log.time[-1]))} and there is no period_end; give the whole log, or "
            "close it with a period_end row and the length that it covers in period_start"
        )
    followed = max(end, followed)
    last = int(log.time[-1])
    if end < last <= followed:  # what came of the period's alarms
        last = int(log.time[log.alarm == 0][-1])
    for time, side in ((int(log.time[0]), "first"), (last, "last")):
        if not start - GRAIN_US <= time <= end + GRAIN_US:
            raise LogError(
                f"the log's {side} row, at {_shown(time)}, lies outside its period from "
                f"{_shown(start)} to {_shown(end)}; leave out such rows, or correct period_start "
                "and period_end"
            )
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LogError(
            f'the log\'s period_start row names the time zone "{zone}", which is not known; '
            'an IANA name is expected, for example "Asia/Shanghai"'
        ) from error
    if end <= start:
        raise LogError("the log's period has no length: its last row is not after its first")
    edges, months, at = [start], [], _local(start, zone)
    while edges[-1] < end:
        months.append(f"{at.year:04}-{at.month:02}")
        year, month = (at.year, at.month + 1) if at.month < 12 else (at.year + 1, 1)
        at = datetime(year, month, 1, tzinfo=ZoneInfo(zone))
        edges.append(min(end, int(at.timestamp()) * MICROSECONDS))
    return Period(start, end, zone, np.array(edges, np.int64), tuple(months), followed)


def _shown(time_us: int) -> str:
    return f"{_local(time_us, 'UTC'):%Y-%m-%d %H:%M:%S} UTC"


_REPLACED = frozenset(
    {
        Kind.VENUE, Kind.PERSON, Kind.CHECKLIST, Kind.EDGE_POINT, Kind.EDGE_TIME,
        Kind.EDGE_DISTANCE, Kind.VENUE_TIME, Kind.HAZARD_DISTANCE, Kind.HAZARD_BEARING, Kind.WIND,
    }
)  # fmt: skip
"""Kinds of row that describe a subject: a real center writes one anew where something changed."""


class Rows:
    """The rows of one center, in order, with an index by kind.

    Parameters
    ----------
    log : the rows of one center; sorted here by ``(time, seq)`` if they are not.

    Raises
    ------
    LogError
        For an empty log.
    """

    def __init__(self, log: Log) -> None:
        if len(log) == 0:
            raise LogError("the log has no rows, so there is nothing to judge")
        time, seq = log.time, log.seq
        later = (time[1:] > time[:-1]) | ((time[1:] == time[:-1]) & (seq[1:] >= seq[:-1]))
        self.log = log if later.all() else log[np.lexsort((seq, time))]
        self._order = np.argsort(self.log.kind, kind="stable")
        counts = np.bincount(self.log.kind, minlength=len(KINDS))
        self._bounds = np.concatenate([[0], np.cumsum(counts)])
        self._codes = {word: code for code, word in enumerate(self.log.text.words)}
        self.period = period_of(self)

    def at(self, *kinds: Kind, view: View | None = None) -> NDArray[np.intp]:
        """Row numbers of these kinds, in the log's order; of one view where it is named.

        Of rows that describe a subject (:data:`_REPLACED`) only the last one of each is there.
        """
        parts = []
        for kind in kinds:
            code = KIND_CODE[kind]
            part = self._order[self._bounds[code] : self._bounds[code + 1]]
            parts.append(self._latest(kind, part) if kind in _REPLACED else part)
        rows = parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
        if view is not None:
            rows = rows[self.log.view[rows] == VIEW_CODE[view]]
        return rows

    def _latest(self, kind: Kind, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The last row of each subject; of times, one in free flow and one in the worst hour."""
        key = self.log.subject.codes[rows].astype(np.int64)
        if kind is Kind.EDGE_DISTANCE:
            key = key * len(self.log.text.words) + self.log.text.codes[rows]
        elif kind in (Kind.EDGE_TIME, Kind.VENUE_TIME):
            key = key * 2 + (self.log.text.codes[rows] == self.text_code("free_flow"))
        last = np.unique(key[::-1], return_index=True)[1]
        return rows if len(last) == len(rows) else rows[np.sort(len(rows) - 1 - last)]

    def has(self, *kinds: Kind, view: View | None = None) -> bool:
        """Whether the log holds any row of these kinds."""
        return len(self.at(*kinds, view=view)) > 0

    def text_code(self, word: str) -> int:
        """The code of a text, -1 where it does not occur."""
        return self._codes.get(word, -1)

    def has_view(self, view: View) -> bool:
        """Whether the log holds any row of this view."""
        return bool((self.log.view == VIEW_CODE[view]).any())

    def text(self, row: int | np.intp) -> str:
        """The text of one row."""
        return self.log.text.words[int(self.log.text.codes[row])]

    def texts(self, rows: NDArray[np.intp]) -> list[str]:
        """The texts of these rows."""
        words = self.log.text.words
        return [words[code] for code in self.log.text.codes[rows].tolist()]

    def subjects(self, rows: NDArray[np.intp]) -> list[str]:
        """The subjects of these rows."""
        words = self.log.subject.words
        return [words[code] for code in self.log.subject.codes[rows].tolist()]

    def where_text(self, rows: NDArray[np.intp], *words: str) -> NDArray[np.intp]:
        """Those of these rows whose text is one of the words."""
        codes = [self.text_code(word) for word in words]
        return rows[np.isin(self.log.text.codes[rows], codes)]


@dataclass(frozen=True)
class Intervals:
    """Times during which something held, each of one key, none longer than the period.

    Attributes
    ----------
    key : (n,) whose; start_us, end_us : (n,); closed : (n,) False where the log ends first.
    start_row, end_row : (n,) row numbers; ``end_row`` is the length of the log where not closed.
    """

    key: I64
    start_us: I64
    end_us: I64
    closed: Mask
    start_row: I64
    end_row: I64

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, rows: NDArray[np.intp] | Mask) -> Intervals:
        return Intervals(
            self.key[rows],
            self.start_us[rows],
            self.end_us[rows],
            self.closed[rows],
            self.start_row[rows],
            self.end_row[rows],
        )


def intervals(
    rows: Rows,
    begins: NDArray[np.intp],
    ends: NDArray[np.intp],
    begin_key: I64 | None = None,
    end_key: I64 | None = None,
) -> Intervals:
    """Pairs rows that begin something with the rows that end it, per key.

    A second beginning while one is open, and an end of nothing, are ignored. What is not ended
    ends with the period.

    Parameters
    ----------
    begins, ends : row numbers.
    begin_key, end_key : whose rows they are; the subject by default.
    """
    log, period = rows.log, rows.period
    codes = log.subject.codes
    row = np.concatenate([begins, ends])
    key = np.concatenate(
        [
            codes[begins] if begin_key is None else begin_key,
            codes[ends] if end_key is None else end_key,
        ]
    ).astype(np.int64)
    opens = np.zeros(len(row), dtype=bool)
    opens[: len(begins)] = True
    order = np.argsort(key * (len(log) + 1) + row)
    row, key, opens = row[order], key[order], opens[order]
    after_open = np.zeros(len(row), dtype=bool)
    after_open[1:] = opens[:-1] & (key[1:] == key[:-1])
    turns = np.flatnonzero(opens != after_open)  # beginnings and their ends, alternating per key
    row, key, opens = row[turns], key[turns], opens[turns]
    start = np.flatnonzero(opens)
    closed = np.zeros(len(start), dtype=bool)
    inner = start + 1 < len(opens)
    closed[inner] = ~opens[start[inner] + 1]
    end_row = np.full(len(start), len(log), np.int64)
    end_row[closed] = row[start[closed] + 1]
    end = np.full(len(start), period.end_us, np.int64)
    end[closed] = log.time[end_row[closed]]
    start_us = log.time[row[start]]
    return Intervals(
        key[start],
        np.clip(start_us, period.start_us, period.end_us),
        np.clip(end, period.start_us, period.end_us),
        closed,
        row[start].astype(np.int64),
        end_row,
    )


def _last_before(table: Intervals, key: I64, time: I64) -> tuple[NDArray[np.intp], Mask]:
    """For each (key, time) the last interval of the key that begins by then, and if there is one.

    ``table`` is ordered by key and start, as :func:`intervals` leaves it.
    """
    if not len(table) or not len(key):
        return np.zeros(len(key), np.intp), np.zeros(len(key), dtype=bool)
    origin = min(int(table.start_us.min()), int(time.min()))
    span = max(int(table.start_us.max()), int(time.max())) - origin + 1
    begins = np.concatenate([[True], table.key[1:] != table.key[:-1]])
    names = table.key[begins]
    _check_size(len(names), span)
    place = np.clip(np.searchsorted(names, key), 0, len(names) - 1)
    known = names[place] == key
    ordered = (np.cumsum(begins) - 1) * span + (table.start_us - origin)
    found = np.searchsorted(ordered, place * span + (time - origin), side="right") - 1
    inside = np.clip(found, 0, None)
    return inside, known & (found >= 0) & (table.key[inside] == key)


def _check_size(keys: int, span: int) -> None:
    """Key and time are joined into one int64, which holds 290,000 devices x years."""
    if keys * span >= 2**63:
        raise LogError(
            f"the log has {keys} devices over {span / MICROSECONDS / 86400:.0f} days, which is "
            "more than one judgement can hold; cut it by center or by year"
        )


def clip_to(inner: Intervals, outer: Intervals) -> Intervals:
    """The parts of the intervals that lie within an interval of the same key of ``outer``."""
    place, there = _last_before(outer, inner.key, inner.end_us)
    start = np.maximum(inner.start_us, outer.start_us[place]) if len(outer) else inner.start_us
    end = np.minimum(inner.end_us, outer.end_us[place]) if len(outer) else inner.end_us
    keep = there & (end > start)
    return Intervals(
        inner.key[keep],
        start[keep],
        end[keep],
        inner.closed[keep],
        inner.start_row[keep],
        inner.end_row[keep],
    )


def covered(table: Intervals, key: I64, start_us: I64, end_us: I64) -> Mask:
    """Which spans of a key touch one of the key's intervals."""
    place, there = _last_before(table, key, end_us)
    if not len(table):
        return there
    return there & (table.end_us[place] >= start_us)


def union(*families: Intervals) -> Intervals:
    """The times at which at least one of the families holds, per key."""
    key = np.concatenate([family.key for family in families])
    start = np.concatenate([family.start_us for family in families])
    end = np.concatenate([family.end_us for family in families])
    if not len(key):
        return families[0]
    order = np.lexsort((start, key))
    key, start, end = key[order], start[order], end[order]
    # ends counted from a base that grows by more than the longest span from key to key, so that
    # one running maximum serves all keys
    span = int(end.max() - start.min()) + 1
    base = np.concatenate([[0], np.cumsum(key[1:] != key[:-1])]) * span
    _check_size(int(base[-1]) // span + 1, span)
    reach = np.maximum.accumulate(end + base)
    first = np.ones(len(key), dtype=bool)
    first[1:] = (start[1:] + base[1:] > reach[:-1]) | (key[1:] != key[:-1])
    begins = np.flatnonzero(first)
    lasts = np.append(begins[1:], len(key)) - 1
    none = np.zeros(len(begins), np.int64)
    return Intervals(
        key[begins], start[begins], (reach - base)[lasts], none.astype(bool), none, none
    )


@dataclass(frozen=True)
class Steps:
    """Counts of open intervals as step functions of time, cut at the beginnings of months.

    Attributes
    ----------
    edges : (k + 1,) times in us; seconds : (k,) lengths; month : (k,) month numbers.
    counts : for each family, (k,) how many of its intervals are open.
    """

    edges: I64
    seconds: NDArray[np.float64]
    month: NDArray[np.intp]
    counts: tuple[I64, ...]

    def seconds_where(self, mask: Mask) -> float:
        """Length of the time in which the mask holds."""
        return float(self.seconds[mask].sum())

    def by_month(self, mask: Mask, months: int) -> NDArray[np.float64]:
        """The same, month by month."""
        return np.bincount(self.month[mask], self.seconds[mask], months).astype(np.float64)


def steps(period: Period, *families: Intervals) -> Steps:
    """How many intervals of each family are open, over the period."""
    bounds = [(np.sort(family.start_us), np.sort(family.end_us)) for family in families]
    times = np.concatenate([period.month_edges, *(end for both in bounds for end in both)])
    edges = np.sort(times, kind="stable")  # merges the sorted runs, in near linear time
    edges = edges[np.concatenate([[True], edges[1:] != edges[:-1]])]
    counts = [
        np.searchsorted(start, edges[:-1], side="right")
        - np.searchsorted(end, edges[:-1], side="right")
        for start, end in bounds
    ]
    return Steps(edges, np.diff(edges) / MICROSECONDS, period.month_of(edges[:-1]), tuple(counts))
