"""Two logs, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import isnan

from twin.log import KINDS, VIEWS, Log
from twin.terms import Kind

Row = tuple[int, str, str, str, int, int, float | None, str]
"""Microseconds, subject, kind, view, message, alarm, value (None: none), text."""


def rows_of(log: Log, kinds: Iterable[Kind]) -> list[Row]:
    """The rows of some kinds in an order that does not depend on who wrote them."""
    wanted = set(kinds)
    rows: list[Row] = []
    for time, subject, kind, view, message, alarm, value, text in zip(
        log.time.tolist(), log.subject.array().tolist(), log.kind.tolist(), log.view.tolist(),
        log.message.tolist(), log.alarm.tolist(), log.value.tolist(), log.text.array().tolist(),
        strict=True,
    ):  # fmt: skip
        if KINDS[kind] in wanted:
            number = None if isnan(value) else round(value, 6)
            rows.append((time, subject, KINDS[kind], VIEWS[view], message, alarm, number, text))
    return sorted(rows, key=lambda r: (r[1:6], r[7], r[0], r[6] or 0.0))


def differences(one: list[Row], other: list[Row]) -> tuple[list[Row], list[Row]]:
    """Rows of one without a partner in the other, and the other way round.

    Partners have the same subject, kind, view, message, alarm, value and text; their times are
    equal to the microsecond, where the last bit of a float may round either way.
    """
    waiting: dict[tuple[object, ...], list[Row]] = {}
    for row in other:
        waiting.setdefault((*row[1:6], row[7]), []).append(row)
    alone: list[Row] = []
    for row in one:
        partners = waiting.get((*row[1:6], row[7]), [])
        for number, partner in enumerate(partners):
            if abs(partner[0] - row[0]) <= 1 and _same(partner[6], row[6]):
                del partners[number]
                break
        else:
            alone.append(row)
    return alone, sorted(row for rows in waiting.values() for row in rows)


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 2e-6 + 1e-9 * abs(one)


def counts(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """How many rows there are of each kind and view."""
    return Counter((row[2], row[3]) for row in rows)
