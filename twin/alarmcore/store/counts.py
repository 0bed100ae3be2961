"""What the workers on a database have counted, so that any one of them can tell of all."""

from __future__ import annotations

import asyncpg

from twin.alarmcore.store.settled import WORKER


async def tell_counts(db: asyncpg.Connection, number: int, worker: str, counts: str) -> None:
    """Leaves a worker's counts for the others, in the place of whoever had its number before.

    Parameters
    ----------
    number, worker : of the worker, which holds the number meanwhile; its name.
    counts : a JSON object.
    """
    await db.execute(
        "INSERT INTO worker_counts (number, worker, counts) VALUES ($1, $2, $3) "
        "ON CONFLICT (number) DO UPDATE SET worker = excluded.worker, counts = excluded.counts",
        number,
        worker,
        counts,
    )


async def others_counts(db: asyncpg.Connection, number: int, worker: str) -> list[tuple[int, str]]:
    """Numbers and counts of the other workers that are connected, as they told them last.

    Parameters
    ----------
    number, worker : of the one that asks.
    """
    rows = await db.fetch(
        "SELECT number, counts::text AS counts FROM worker_counts "
        "WHERE number <> $1 AND worker <> $2 AND worker IN ("
        "SELECT split_part(application_name, ' ', 3) FROM pg_stat_activity "
        "WHERE application_name LIKE $3 || '%' AND datname = current_database()) ORDER BY number",
        number,
        worker,
        WORKER,
    )
    return [(row["number"], row["counts"]) for row in rows]
