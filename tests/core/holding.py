"""A transaction of somebody else's, which keeps what it has locked or written to itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from twin.alarmcore.service.serve import database_of

_SOON_S = 20.0


@contextlib.contextmanager
def holding(data: Path, statement: str, *, commit: bool = False) -> Iterator[None]:
    """Holds what a statement has done meanwhile, in the database of a data folder.

    Parameters
    ----------
    commit : at the end; else nothing of it stays.
    """
    held, over = threading.Event(), threading.Event()

    async def hold(url: str) -> None:
        db = await asyncpg.connect(url)
        try:
            transaction = db.transaction()
            await transaction.start()
            await db.execute(statement)
            held.set()
            await asyncio.to_thread(over.wait)
            await (transaction.commit() if commit else transaction.rollback())
        finally:
            await db.close()

    with database_of(data) as url:
        thread = threading.Thread(target=lambda: asyncio.run(hold(url)))
        thread.start()
        try:
            assert held.wait(_SOON_S)
            yield
        finally:
            over.set()
            thread.join()
