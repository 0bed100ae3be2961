"""Up to where a list is settled: nothing can be committed there any more.

Who reads a list by cursor, or the log period by period, would else pass over what commits late:
ids and times are made before their transaction commits, by several workers at a time.

- Rows that the database numbers: what has a smaller id than one that can be seen was numbered by a
  transaction that holds the table's lock for writing until it ends. Those are waited for.
- Messages, alarms and rows of the log: a worker makes their ids and times by its clock, within the
  transaction or just before. It tells every second from when on it will write (its *floor*, not
  later than what it is writing just then), as a part of the name of its listening connection, which
  everybody sees at once and which ends with it. What is before all floors was made by transactions
  that began before they were told; those are waited for.

No clocks are compared, and nothing is written for it.
"""

from __future__ import annotations

import asyncpg

WORKER = "twin core "
"""How the names of workers' connections begin. The name of the worker follows, and, on the
connection on which it listens, its floor in microseconds since 1970-01-01 UTC of its clock."""

NOT_TOLD = -1
"""A floor before everything: a worker is connected that has not told its own."""

_WORKERS = """
    SELECT split_part(application_name, ' ', 3),
        coalesce(max(nullif(split_part(application_name, ' ', 4), '')::bigint), $2)
    FROM pg_stat_activity WHERE application_name LIKE $1 || '%' AND datname = current_database()
    GROUP BY 1
    """
_OF_WORKERS = """
    SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.pid <> pg_backend_pid()
        AND a.application_name LIKE $1 || '%' AND a.datname = current_database()
    """
_OF_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = $1::text::regclass AND mode = 'RowExclusiveLock'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
_ENDED = """
    SELECT NOT EXISTS (SELECT FROM pg_locks WHERE virtualtransaction = ANY($1::text[]))
    """


def connection_name(worker: str, floor_us: int | None = None) -> str:
    """The name of a worker's connection; ``floor_us``: of the one on which it listens."""
    return f"{WORKER}{worker}" + ("" if floor_us is None else f" {floor_us}")


async def lowest_floor(db: asyncpg.Connection, without: str = "") -> int | None:
    """The lowest floor of the workers on the database, but one; microseconds, None: there are none.

    :data:`NOT_TOLD` where one has not told.
    """
    floors = [
        floor for name, floor in await db.fetch(_WORKERS, WORKER, NOT_TOLD) if name != without
    ]
    return min(floors, default=None)


async def workers_transactions(db: asyncpg.Connection) -> list[str]:
    """The transactions of all workers that are under way."""
    return [row[0] for row in await db.fetch(_OF_WORKERS, WORKER)]


async def writers_transactions(db: asyncpg.Connection, table: str) -> list[str]:
    """The transactions under way that may have written to a table."""
    return [row[0] for row in await db.fetch(_OF_WRITERS, table)]


async def ended(db: asyncpg.Connection, transactions: list[str]) -> bool:
    """Whether all of these are over."""
    return not transactions or bool(await db.fetchval(_ENDED, transactions))
