"""Pulling vendor platforms: who is due, one worker per vendor, one task each, backing off.

A vendor is pulled by the worker that holds its advisory lock; when that worker dies, or loses the
connection that holds its locks, any other takes over where it broke off. Each vendor has a task of
its own: a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from pathlib import Path

import asyncpg
import msgspec

from twin.alarmcore.errors import CoreError
from twin.alarmcore.service.core import Core
from twin.alarmcore.service.pushes import PROJECTS_PUSHED
from twin.alarmcore.service.vendor_client import VendorClient, VendorError
from twin.alarmcore.service.walk import Job, Progress, Walk
from twin.alarmcore.store.database import DATABASE_AWAY, connect
from twin.alarmcore.store.registry import Vendor

log = logging.getLogger("twin.core")

PULL_LOCK = 0x7417_0003
"""First key of the advisory lock on pulling a vendor; the second is its id."""

LOOK_S = 1.0
"""How often vendors that are due are looked for, in real seconds."""

LOCKS_S = 10.0
"""A statement of the connection that holds the locks takes no longer, or the database hangs
(assumption)."""

MOST_AT_ONCE = 64
"""Vendors that one worker pulls at a time; other workers, or later, the rest (assumption)."""

UNKNOWN_DEVICE = "unknown device "
"""How the reason begins for which an event of an unknown device is in quarantine."""

ASK_AGAIN_S = 3600.0
"""A vendor is asked about the same unknown device no sooner (assumption)."""

_MOST_ASKED = 10_000
_MOST_HINTS = 500

_DUE = """
    SELECT id FROM vendor v
    WHERE url IS NOT NULL AND token_sealed IS NOT NULL AND NOT id = ANY($2::int[])
        AND (pull_due <= $1 OR (pull_failures = 0 AND (id = ANY($3::int[])
            OR EXISTS (SELECT FROM project p WHERE p.vendor = v.id AND p.follow))))
    ORDER BY pull_due
    """


class Puller:
    """A worker's pulls.

    Parameters
    ----------
    core : the worker's.
    url : of the database.
    data : folder in which a relative ``trust`` is looked for.
    """

    def __init__(self, core: Core, url: str, data: Path) -> None:
        self.core = core
        self._url = url
        self._tls = trust(core.settings.pull.trust, data)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(1)
        self._wake = asyncio.Event()
        self._unknown: dict[int, set[str]] = {}
        """Devices to ask vendors about."""
        self._asked: dict[tuple[int, str], float] = {}
        self._quarantined = 0
        """The last entry of the quarantine that was looked at."""

    async def run(self) -> None:
        """Pulls until it is cancelled."""
        logging.getLogger("httpx").setLevel(logging.WARNING)
        while True:
            try:
                locks = await connect(self._url, statement_s=LOCKS_S)
                try:
                    await locks.add_listener(PROJECTS_PUSHED, lambda *_: self._wake.set())
                    await self._watch(locks)
                finally:
                    await self._stop()
                    await locks.close(timeout=1)
            except (*DATABASE_AWAY, CoreError) as error:
                self.core.lost_database(error)
            except Exception:
                log.exception("vendors could not be pulled")
            await asyncio.sleep(LOOK_S)

    async def _watch(self, locks: asyncpg.Connection) -> None:
        """Starts a task for every vendor that is due and that nobody else pulls."""
        last = await locks.fetchval("SELECT coalesce(max(id), 0) FROM quarantine")
        self._quarantined = max(0, last - _MOST_HINTS)
        while not locks.is_closed():
            self._wake.clear()
            with self.core.round("pulls"):
                await self._start_due(locks)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_S)

    async def _start_due(self, locks: asyncpg.Connection) -> None:
        await self._look_into_quarantine(locks)
        for vendor in [vendor for vendor, task in self._tasks.items() if task.done()]:
            del self._tasks[vendor]
            await locks.execute("SELECT pg_advisory_unlock($1, $2)", PULL_LOCK, vendor)
        due = await locks.fetch(_DUE, self.core.clock.now(), list(self._tasks), list(self._unknown))
        for (vendor,) in due[: max(0, MOST_AT_ONCE - len(self._tasks))]:
            if await locks.fetchval("SELECT pg_try_advisory_lock($1, $2)", PULL_LOCK, vendor):
                task = asyncio.create_task(self._pull(vendor), name=f"pull vendor {vendor}")
                task.add_done_callback(lambda _: self._wake.set())
                self._tasks[vendor] = task

    async def _look_into_quarantine(self, db: asyncpg.Connection) -> None:
        """Events of unknown devices: their vendors are asked what they are."""
        rows = await db.fetch(
            "SELECT id, vendor, reason FROM quarantine WHERE id > $1 ORDER BY id LIMIT $2",
            self._quarantined,
            _MOST_HINTS,
        )
        for entry, vendor, reason in rows:
            self._quarantined = entry
            if vendor is not None and reason.startswith(UNKNOWN_DEVICE):
                self._ask_about(vendor, reason.removeprefix(UNKNOWN_DEVICE))

    def _ask_about(self, vendor: int, device: str) -> None:
        now = time.monotonic()
        if now - self._asked.get((vendor, device), -ASK_AGAIN_S) < ASK_AGAIN_S:
            return
        waiting = self._unknown.setdefault(vendor, set())
        if len(waiting) >= _MOST_HINTS:
            return
        if len(self._asked) >= _MOST_ASKED:
            self._asked.clear()
        self._asked[vendor, device] = now
        waiting.add(device)

    async def _stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    async def _pull(self, vendor: int) -> None:
        """Does all that is due with a vendor, and says when the next is."""
        try:
            async with self._turn, self.core.pool.acquire() as db:
                row = await db.fetchrow("SELECT * FROM vendor WHERE id = $1", vendor)
            if row["url"] is None:
                return  # since a moment ago it is not pulled any more
            progress = _progress(row["pull_cursor"])
            problems, remarks = await self._checked_round(row, progress)
            await self._finish(row, progress, problems, remarks)
        except DATABASE_AWAY as error:
            self.core.lost_database(error)
        except Exception:
            log.exception("what came of pulling vendor %d could not be recorded", vendor)
            await asyncio.sleep(self.core.settings.pull.first_retry)  # it is due at once

    async def _checked_round(
        self, row: asyncpg.Record, progress: Progress
    ) -> tuple[list[str], list[str]]:
        """A round; a mistake of ours in it is logged, and tried again like the vendor's."""
        try:
            return await self._round(row, progress)
        except DATABASE_AWAY:
            raise
        except Exception as error:
            log.exception("vendor %s could not be pulled", row["name"])
            return [f"an error inside the server: {type(error).__name__}"], []

    async def _round(self, row: asyncpg.Record, progress: Progress) -> tuple[list[str], list[str]]:
        """The jobs that are due; what ended one early, and what was odd."""
        problems: list[str] = []
        remarks: list[str] = []
        settings = self.core.settings.pull
        try:
            token = self._token(row["token_sealed"])
            client = VendorClient(row["url"], token, self._tls, settings.timeout)
        except VendorError as error:
            return [str(error)], remarks
        async with client:
            vendor = Vendor(row["id"], row["name"])
            walk = Walk(self.core, self._turn, vendor, client, progress)
            jobs: list[Job] = ["contact", "follow", "states"]
            for job in jobs:
                if not await self._is_due(job, row, progress):
                    continue
                try:
                    await self._do(walk, job)
                except VendorError as error:
                    problems.append(f"{job}: {error}")
                if job == "contact" and problems:
                    break  # there is nothing yet to follow, or to have states
            if not problems:
                problems += await self._look_up(walk)
            for device in walk.unknown:
                self._ask_about(vendor.id, device)
            remarks = walk.remarks
        return problems, remarks

    async def _look_up(self, walk: Walk) -> list[str]:
        """Asks about devices that nobody registered; what ended it early."""
        wanted = self._unknown.get(walk.vendor.id, set())
        try:
            for device in sorted(wanted):
                await walk.look_up(device)
                wanted.discard(device)
        except VendorError as error:
            return [f"look up: {error}"]
        if not wanted:
            self._unknown.pop(walk.vendor.id, None)
        return []

    async def _is_due(self, job: Job, row: asyncpg.Record, progress: Progress) -> bool:
        if job == "contact":
            return row["contacted"] is None
        if job == "states":
            due = progress.states_at + row["pull_period"] <= self.core.clock.now()
            return due or progress.states is not None
        async with self._turn, self.core.pool.acquire() as db:
            pushed = await db.fetchval(
                "SELECT EXISTS (SELECT FROM project WHERE vendor = $1 AND follow)", row["id"]
            )
        return bool(pushed) or progress.follow is not None

    async def _do(self, walk: Walk, job: Job) -> None:
        """One job; with the vendor's new token if the old one has ended meanwhile (B.4.1)."""
        try:
            await walk.run(job)
        except VendorError as error:
            if error.status != 401:
                raise
            async with self._turn, self.core.pool.acquire() as db:
                sealed = await db.fetchval(
                    "SELECT token_sealed FROM vendor WHERE id = $1", walk.vendor.id
                )
            walk.client.present(self._token(sealed))
            await walk.run(job)

    def _token(self, sealed: bytes | None) -> str:
        """What is presented to a vendor.

        Raises
        ------
        VendorError
            If its token was ended meanwhile and it has got no new one.
        """
        if sealed is None:
            raise VendorError("it has no token; it gets one with its masterSecret (B.4.1)")
        return self.core.seal.open(sealed)

    async def _finish(
        self, row: asyncpg.Record, progress: Progress, problems: list[str], remarks: list[str]
    ) -> None:
        """Says when the vendor is due again, and what an operator should know."""
        now = self.core.clock.now()
        failures = row["pull_failures"] + 1 if problems else 0
        due = max(now, progress.states_at + row["pull_period"])
        if problems:
            due = now + self._backoff(failures)
            log.warning("vendor %s: %s", row["name"], "; ".join(problems))
        async with self._turn, self.core.pool.acquire() as db:
            await db.execute(
                # Else `twin core vendor set` has changed it meanwhile, and made it due at once.
                "UPDATE vendor SET pull_due = $2, pull_failures = $3, pull_error = $4 "
                "WHERE id = $1 AND url = $5 AND pull_period = $6",
                row["id"],
                due,
                failures,
                "; ".join((*problems, *remarks)) or None,
                row["url"],
                row["pull_period"],
            )

    def _backoff(self, failures: int) -> float:
        """Doubles from failure to failure, with jitter, so that not all come at once."""
        settings = self.core.settings.pull
        longest = min(settings.longest_retry, settings.first_retry * 2.0 ** min(failures - 1, 30))
        return longest * random.uniform(0.5, 1.0)


def trust(file: str, data: Path) -> ssl.SSLContext:
    """What vendor platforms' certificates are checked against.

    Parameters
    ----------
    file : PEM file of certificates that are trusted beside the system's; empty: none.
    data : folder in which a relative one is looked for.

    Raises
    ------
    CoreError
        If the file cannot be used.
    """
    context = ssl.create_default_context()
    if file:
        path = data / file
        try:
            context.load_verify_locations(path)
        except OSError as error:  # SSLError is one
            raise CoreError(
                f"{path}: not a file of certificates in PEM: {error.strerror or error}"
            ) from error
    return context


def _progress(stored: str | None) -> Progress:
    return msgspec.json.decode(stored, type=Progress) if stored else Progress()
