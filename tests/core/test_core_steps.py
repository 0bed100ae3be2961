"""What steps of the lifecycle leave in the database, without a service that would tidy up."""

from __future__ import annotations

import asyncio

import asyncpg
from test_core_schema import cluster, database

from twin.alarmcore.lifecycle import DEFAULT_RULES, Event, MessageReceived, Responded
from twin.alarmcore.service.engine import advance
from twin.alarmcore.store.batch import Batch
from twin.alarmcore.store.database import prepare
from twin.terms import Category

__all__ = ["cluster"]


async def at(db: asyncpg.Connection, now: float, event: Event) -> dict[str, float]:
    """An event at a venue; the deadlines that are open after it."""
    async with db.transaction():
        batch = Batch("center", now)
        await advance(db, batch, [("shop", event)], DEFAULT_RULES)
        await batch.write(db)
    return dict(await db.fetch("SELECT name, at FROM deadline"))


def test_an_answer_that_comes_too_late_ends_the_deadline_that_it_misses(cluster: str) -> None:
    async def scenario() -> None:
        async with database(cluster, "steps") as db:
            await prepare(db, "center")
            due = await at(db, 0.0, MessageReceived(1, "d", Category.FIRE))
            assert due == {"respond": 5.0, "verify": 60.0}
            assert await at(db, 6.0, Responded(1, "li")) == {"verify": 60.0}
            kinds = await db.fetch("SELECT kind FROM event_log ORDER BY seq")
            assert [row[0] for row in kinds] == ["fire_alarm", "deadline_missed", "responded"]

    asyncio.run(scenario())
