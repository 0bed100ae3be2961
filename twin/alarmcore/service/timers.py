"""What is looked after in short intervals: deadlines that have come, places that became known.

Each is told to the lifecycle once, by whichever worker is first.
"""

from __future__ import annotations

import asyncio
import logging

from twin.alarmcore.lifecycle import DeadlineDue, place
from twin.alarmcore.service.core import Core
from twin.alarmcore.service.engine import advance
from twin.alarmcore.store.batch import read_states
from twin.alarmcore.store.database import COLLISION, DATABASE_AWAY
from twin.terms import Kind

log = logging.getLogger("twin.core")

LOOK_S = 0.2
"""How often deadlines are looked at, seconds of the service's clock at speed 1."""

MOST_AT_ONCE = 500


async def run(core: Core) -> None:
    """Reports deadlines until it is cancelled."""
    while True:
        try:
            more = True
            while more:
                with core.round("deadlines"):
                    more = await report_due(core) == MOST_AT_ONCE
            with core.round("deadlines"):
                await miss_tickets(core)
                await place_alarms(core)
        except (*DATABASE_AWAY, *COLLISION) as error:
            core.lost_database(error)
            await asyncio.sleep(1.0)
        except Exception:
            log.exception("deadlines are reported venue by venue")
            await _report_singly(core)
        await asyncio.sleep(LOOK_S / core.clock.speed)


async def _report_singly(core: Core) -> None:
    """Reports deadlines so that a venue whose state refuses them holds up no other."""
    async with core.pool.acquire() as db:
        rows = await db.fetch(
            "SELECT DISTINCT venue FROM deadline WHERE at <= $1 ORDER BY venue", core.clock.now()
        )
    for (venue,) in rows:
        try:
            await report_due(core, venue)
        except (*DATABASE_AWAY, *COLLISION):
            raise
        except Exception:
            log.exception("a deadline of %s cannot be reported", venue)
    await asyncio.sleep(1.0)


async def report_due(core: Core, only: str | None = None) -> int:
    """Reports deadlines that have come, of all venues or only one; returns how many.

    The venue's state is locked before the deadline's row, as everywhere; one that another worker
    is busy with is left to it.
    """
    async with core.transaction() as (db, batch):
        venues = await db.fetch(
            """
            SELECT venue FROM venue_state WHERE venue IN (
                SELECT venue FROM deadline
                WHERE at <= $1 AND ($3::text IS NULL OR venue = $3) ORDER BY at LIMIT $2
            ) ORDER BY venue FOR UPDATE SKIP LOCKED
            """,
            batch.now,
            MOST_AT_ONCE,
            only,
        )
        if not venues:
            return 0
        due = await db.fetch(
            "SELECT alarm, name, venue FROM deadline WHERE at <= $1 AND venue = ANY($2::text[]) "
            "ORDER BY at, alarm, name",
            batch.now,
            [row[0] for row in venues],
        )
        events = [(venue, DeadlineDue(alarm, name)) for alarm, name, venue in due]
        await advance(db, batch, events, core.rules)
        for alarm, name, _ in due:
            batch.end_deadline(alarm, name)
    core.metrics.deadlines += len(due)
    return len(due)


async def place_alarms(core: Core) -> None:
    """Moves alarms that were raised at a place unknown to the venues that their devices have now.

    A venue that has an open alarm is looked at again when it is closed.
    """
    async with core.transaction() as (db, batch):
        rows = await db.fetch(
            """
            SELECT DISTINCT ON (d.venue) a.venue, d.venue
            FROM alarm a JOIN device d ON d.id = substr(a.venue, 2)
            WHERE a.closed IS NULL AND a.venue LIKE '?%' AND d.removed IS NULL
                AND d.venue IS NOT NULL AND NOT EXISTS (
                    SELECT FROM alarm b WHERE b.venue = d.venue AND b.closed IS NULL)
            ORDER BY d.venue, a.id LIMIT $1
            """,
            MOST_AT_ONCE,
        )
        if not rows:
            return
        states = await read_states(db, {venue for row in rows for venue in row})
        batch.held |= states
        for unknown, venue in rows:
            (was, was_at, _), (there, there_at, _) = states[unknown], states[venue]
            left, taken, decisions = place(was, there)
            if taken.alarm is None or left is was:  # somebody else was first
                continue
            now = max(batch.now, was_at, there_at)
            batch.step(was, left, (), now)
            batch.step(there, taken, decisions, now)
            for what in (
                "alarm SET venue = $2 WHERE id = $1",
                "deadline SET venue = $2 WHERE alarm = $1",
                "outbox SET venue = $2 WHERE alarm = $1 AND kind IN ('confirmed', 'escalation')",
            ):
                await db.execute(f"UPDATE {what}", taken.alarm.id, venue)


async def miss_tickets(core: Core) -> None:
    """Records maintenance deadlines that have passed (6.5), each once."""
    async with core.transaction() as (db, batch):
        rows = await db.fetch(
            """
            UPDATE ticket SET missed = true WHERE id IN (
                SELECT id FROM ticket WHERE closed IS NULL AND NOT missed AND due <= $1
                LIMIT $2 FOR UPDATE SKIP LOCKED
            ) RETURNING device, kind, due - opened
            """,
            batch.now,
            MOST_AT_ONCE,
        )
        for device, kind, seconds in rows:
            batch.row(Kind.DEADLINE_MISSED, device, value=seconds, text=kind)
