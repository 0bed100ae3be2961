"""Keeping for 30 years (clause 10): partitions by month, backup and restore."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from twin.alarmcore.errors import CoreError
from twin.alarmcore.store.database import MOST_WORKERS, programs
from twin.log import MICROSECONDS

_AHEAD = 3
"""Months whose partitions exist before they begin."""

_PARTITION_LOCK = 0x7417_0003

_LOCK_TIMEOUT = "200ms"
"""Whoever waits for a lock keeps all who come after it waiting, a fire's transaction too: it gives
up after so long (assumption)."""


def _months(first: datetime, count: int) -> Iterator[tuple[str, int, int]]:
    """Months with their beginning and end, microseconds since 1970-01-01 UTC."""
    year, month = first.year, first.month
    for _ in range(count):
        begin = datetime(year, month, 1, tzinfo=UTC)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        end = datetime(year, month, 1, tzinfo=UTC)
        yield (
            f"{begin:%Y_%m}",
            int(begin.timestamp()) * MICROSECONDS,
            int(end.timestamp()) * MICROSECONDS,
        )


async def ensure_partitions(db: asyncpg.Connection, now: float) -> bool:
    """Makes the partitions of this month and the next ones, in UTC.

    A month for which the default partition has rows already stays there: moving them would lock
    the table, and nothing but the month's own export would be the faster for it.

    Parameters
    ----------
    db : a connection without a transaction.
    now : the service's clock, s.

    Returns
    -------
    False if somebody reads for long (a backup, say): nothing was made, and it is to be tried again.
    """
    try:
        async with db.transaction():
            await db.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            await _make_partitions(db, now)
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def _make_partitions(db: asyncpg.Connection, now: float) -> None:
    await db.execute("SELECT pg_advisory_xact_lock($1, 0)", _PARTITION_LOCK)
    for name, begin, end in _months(datetime.fromtimestamp(now, UTC), _AHEAD):
        for table, unit, column in (
            ("message", MOST_WORKERS, "id"),
            ("event_log", 1, "time"),
        ):
            part = f"{table}_{name}"
            if await db.fetchval("SELECT to_regclass($1)", part) is not None:
                continue
            if await db.fetchval(
                f"SELECT EXISTS (SELECT 1 FROM {table}_rest "
                f"WHERE {column} >= $1 AND {column} < $2)",
                begin * unit,
                end * unit,
            ):
                continue
            # Made first and attached then: that keeps nobody from writing to the table.
            await db.execute(f"CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS)")
            await db.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {part} "
                f"FOR VALUES FROM ({begin * unit}) TO ({end * unit})"
            )


def backup(url: str, path: Path) -> None:
    """Writes everything that the database holds to a file, as of one moment; the service runs on.

    Raises
    ------
    CoreError
        If PostgreSQL refuses; nothing is left behind.
    """
    part = path.with_name(path.name + ".part")
    try:
        _run("pg_dump", "--format=custom", "--no-owner", f"--dbname={url}", f"--file={part}")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, path: Path) -> None:
    """Fills an empty database from a backup.

    Raises
    ------
    CoreError
        If PostgreSQL refuses.
    """
    _run("pg_restore", "--no-owner", "--single-transaction", f"--dbname={url}", str(path))


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(programs() / program), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise CoreError(f"{program}: {lines[-1]}")
