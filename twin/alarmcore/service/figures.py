"""Figures, over connections of their own: a period's in a process of its own, too.

They take seconds of reading and computing, in which a worker takes hundreds of fires.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from twin.alarmcore.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from twin.log import Log

KEPT_S = 10.0
"""A period's figures are given again for so long, s (assumption)."""

_NICE = 10
"""The process leaves the processor to whoever takes messages."""

_AWAY = 3


class Figures(msgspec.Struct):
    """Tables of figures by name: ``year`` (the whole period), ``monthly``, ``kinds``, ``tickets``.

    A value is null where there is nothing to compute it from.
    """

    start: float
    end: float
    tables: dict[str, list[dict[str, Any]]]


class Period(msgspec.Struct, frozen=True):
    """A period to compute; times in microseconds since 1970-01-01 UTC.

    Parameters
    ----------
    database : URL.
    zone : IANA time zone of the center.
    parent : process id of who asks; the computation ends with it.
    now_us : until when the log is written.
    """

    database: str
    zone: str
    start_us: int
    end_us: int
    parent: int
    now_us: int


class _Answer(msgspec.Struct):
    """What the process says: figures, or why there are none."""

    figures: Figures | None = None
    problem: str = ""


class NoFigures(ValueError):
    """The period has none; says why."""


class Desk:
    """Has figures computed, one period at a time, and knows the last ones for a while."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._kept: dict[tuple[str | None, ...], tuple[float, Figures]] = {}
        self._counting = asyncio.Lock()
        self._counted: tuple[float, Any] = (-inf, None)

    async def figures(self, asked: tuple[str | None, ...], period: Callable[[], Period]) -> Figures:
        """The figures of a period.

        Parameters
        ----------
        asked : how the period was asked for; the same again is the same period.
        period : tells the period when it is its turn.

        Raises
        ------
        NoFigures
            If the period has none.
        ConnectionError
            If the database is away.
        """
        async with self._turn:
            now = time.monotonic()
            self._kept = {k: kept for k, kept in self._kept.items() if now - kept[0] < KEPT_S}
            if asked not in self._kept:
                found = await _computed(period())
                self._kept[asked] = (time.monotonic(), found)
            return self._kept[asked][1]

    async def counts(self, url: str, query: str, *values: Any) -> Any:
        """The row of a query that counts, as of now; who asks meanwhile has the next one's row.

        Raises
        ------
        ConnectionError
            If the database is away.
        """
        from twin.alarmcore.store.database import connect

        asked = time.monotonic()
        async with self._counting:
            if self._counted[0] < asked:
                began = time.monotonic()
                try:
                    db = await connect(url)
                except DatabaseUnreachable as error:
                    raise ConnectionError(str(error)) from error
                try:
                    self._counted = (began, await db.fetchrow(query, *values))
                finally:
                    await db.close(timeout=1)
            return self._counted[1]


async def _computed(period: Period) -> Figures:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "twin.alarmcore.service.figures",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate(msgspec.json.encode(period))
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode == _AWAY:
        raise ConnectionError("the database is away from who computes figures")
    if process.returncode:
        raise RuntimeError(f"computing figures ended with {process.returncode}")
    answer = msgspec.json.decode(said, type=_Answer)
    if answer.figures is None:
        raise NoFigures(answer.problem)
    return answer.figures


# -- in the process that computes -----------------------------------------------------------------


async def _read(period: Period) -> Log:
    from twin.alarmcore.service.export import read_period
    from twin.alarmcore.store.database import connect

    db = await connect(period.database)
    try:
        async with db.transaction(isolation="repeatable_read", readonly=True):
            return await read_period(db, period.zone, period.start_us, period.end_us, period.now_us)
    finally:
        await db.close(timeout=1)


def _tables(log: Log) -> Figures:
    from twin.kpi import compute, tables

    kpis = compute(log)
    found = {
        name: [
            {key: _plain(value) for key, value in row.items() if key != "center"} for row in rows
        ]
        for name, rows in tables(kpis).items()
    }
    return Figures(kpis.period.start_us / 1e6, kpis.period.end_us / 1e6, found)


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


def main() -> int:
    """Computes the period that comes on standard input; the answer goes to standard output."""
    from twin.alarmcore.service.operation import log_to_stderr
    from twin.alarmcore.service.serve import end_with_parent
    from twin.alarmcore.store.database import DATABASE_AWAY

    log_to_stderr()
    period = msgspec.json.decode(sys.stdin.buffer.read(), type=Period)
    end_with_parent(period.parent)
    os.nice(_NICE)
    try:
        log = asyncio.run(_read(period))
    except (*DATABASE_AWAY, DatabaseUnreachable):
        return _AWAY
    except ValueError as error:
        answer = _Answer(problem=str(error))
    else:
        answer = _Answer(_tables(log))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
