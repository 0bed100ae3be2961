"""Lists that are read page by page: whoever reads on from ``next`` passes over nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import asyncpg

from twin.alarmcore.service.endpoint import Call
from twin.alarmcore.service.parameters import BIGGEST
from twin.alarmcore.store.database import MOST_WORKERS
from twin.alarmcore.store.settled import (
    ended,
    lowest_floor,
    workers_transactions,
    writers_transactions,
)

SETTLE_S = 3.0
"""How long a page waits for what may still come before its end (assumption); then it ends before,
and the reader comes again. Workers that have nothing to do tell every second."""

_LOOK_S = 0.01

Connect = Callable[[], contextlib.AbstractAsyncContextManager[asyncpg.Connection]]
"""Gives a connection for a look; none is held while somebody waits."""


class Listing(NamedTuple):
    """A list in the order of its ids.

    Parameters
    ----------
    table : whose list it is.
    select : its columns, the id first.
    id : the id's column.
    where : further conditions on ``$4`` and so on; empty: none.
    by_workers : the ids are made by workers, and are not numbers that the database gave.
    """

    table: str
    select: str
    id: str
    where: str = ""
    by_workers: bool = False

    @property
    def query(self) -> str:
        """With the id after which the page begins, the last one that is settled, and the limit."""
        return (
            f"{self.select} WHERE {self.id} > $1 AND {self.id} <= $2 "
            + (f"AND ({self.where}) " if self.where else "")
            + f"ORDER BY {self.id} LIMIT $3"
        )


async def read_page(call: Call, listing: Listing, *values: Any) -> tuple[list[Any], str | None]:
    """A page's rows and where the next one begins; None: there is nothing more as yet.

    Parameters
    ----------
    call : with the query parameters ``after`` and ``limit``.
    values : for ``where``.
    """
    core, after, limit = call.core, call.number("after", 0), call.number("limit", 100)

    async def rows(until: int) -> list[Any]:
        async with core.pool.acquire() as db:
            found: list[Any] = await db.fetch(listing.query, after, until, limit, *values)
        return found

    settled = core.settled.get(listing.table, 0)
    page = await rows(BIGGEST)
    last = int(page[-1][0]) if page else 0
    if last > settled:
        settled = max(settled, await _settled(call, listing, last))
        core.settled[listing.table] = max(settled, core.settled.get(listing.table, 0))
        page = await rows(settled)
    if len(page) == limit:
        return page, str(page[-1][0])
    return page, None if last <= settled else str(page[-1][0] if page else after)


async def _settled(call: Call, listing: Listing, wanted: int) -> int:
    """The id up to which a list is settled: the wanted one, unless something takes too long."""
    core = call.core
    if listing.by_workers:
        until_us = wanted // MOST_WORKERS + 1
        floor_us = await settled_us(core.pool.acquire, until_us, core.name, core.floor_us)
        return floor_us * MOST_WORKERS - 1
    async with core.pool.acquire() as db:
        transactions = await writers_transactions(db, listing.table)
    done = await _over(core.pool.acquire, transactions, time.monotonic() + SETTLE_S)
    return wanted if done else 0


async def settled_us(
    connect: Connect,
    until_us: int,
    own: str = "",
    own_floor_us: Callable[[], int] | None = None,
) -> int:
    """Until when nothing can be written any more by workers, microseconds of their clocks.

    Parameters
    ----------
    connect : gives a connection to the database.
    until_us : what is wanted; it is waited for, for :data:`SETTLE_S` at most.
    own, own_floor_us : name of the worker that asks, and its floor; none: it is no worker.

    Returns
    -------
    ``until_us``, or less where somebody takes too long.
    """
    end = time.monotonic() + SETTLE_S
    while True:
        mine = None if own_floor_us is None else own_floor_us()
        async with connect() as db:
            others = await lowest_floor(db, own)
            transactions = await workers_transactions(db)
        floor_us = min((one for one in (mine, others) if one is not None), default=until_us)
        if not await _over(connect, transactions, end):
            return 0
        if floor_us >= until_us or time.monotonic() >= end:
            return min(max(floor_us, 0), until_us)
        await asyncio.sleep(_LOOK_S)


async def _over(connect: Connect, transactions: list[str], end: float) -> bool:
    """Waits until transactions are over; False: they are not at the end of the time."""
    while True:
        async with connect() as db:
            if await ended(db, transactions):
                return True
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(_LOOK_S)
