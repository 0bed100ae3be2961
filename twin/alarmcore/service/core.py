"""A worker's parts, in one place: database, clock, settings, registry, counts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from twin.alarmcore.errors import CoreError
from twin.alarmcore.lifecycle import Rules
from twin.alarmcore.service.clock import MOST_AHEAD_S, Clock, ServiceClock
from twin.alarmcore.service.config import CoreSettings
from twin.alarmcore.service.figures import Desk
from twin.alarmcore.service.registry import CHANGED, Registry
from twin.alarmcore.service.tokens import CHANGED as TOKENS_CHANGED
from twin.alarmcore.service.tokens import Gate, Seal
from twin.alarmcore.store.archive import ensure_partitions
from twin.alarmcore.store.batch import Batch, HelperAddress, SupervisorAddress
from twin.alarmcore.store.counts import tell_counts
from twin.alarmcore.store.database import (
    DATABASE_AWAY,
    MOST_WORKERS,
    Pool,
    check_promises,
    connect,
    lost,
    open_pool,
    prepare,
    take_worker_number,
)
from twin.alarmcore.store.settled import connection_name, lowest_floor

if TYPE_CHECKING:
    from twin.alarmcore.service.outbox import Outbox

log = logging.getLogger("twin.core")

_AWAY = "the database is away"

POOL = 9
"""Connections of a worker: its four committers, timers, outbox, pullers, and two for requests."""

PARTITIONS_S = 86400.0
"""How often partitions are looked after, s of the service's clock."""

PARTITIONS_RETRY_S = 120.0
"""How soon it is tried again after somebody who reads was in the way, s (assumption)."""

LEASE_S = 15.0
"""How long a delivery may take before another worker repeats it: within the minute of 6.1."""

LISTENING_S = 1.0
"""How often the listening connection is tried."""

APART_S = 0.5
"""Clocks of two workers are no further apart: each is within 0.2 s of the database's."""

LISTEN_S = 10.0
"""A statement of it takes no longer, or the database hangs (assumption)."""

HANGS_S = 5.0
"""So long no round of deadlines, outbox or pulls takes, or the database hangs (assumption)."""

LISTEN_AGAIN_S = 0.1
"""How soon after it has broken another is opened, or what is being written is looked at again."""

HELD_BACK_S = 0.3
"""What has been written for so long takes long (assumption); a batch takes a tenth of it."""


@dataclass
class Metrics:
    """Counts of a worker since its start, for ``/metrics``."""

    waiting: int = 0
    events: int = 0
    batches: int = 0
    commit_seconds: float = 0.0
    refused: int = 0
    deadlines: int = 0
    delivered: int = 0
    answers: dict[int, int] = field(default_factory=dict)

    def committed(self, events: int, seconds: float) -> None:
        """A transaction is on disk."""
        self.events += events
        self.batches += 1
        self.commit_seconds += seconds

    def answered(self, status: int) -> None:
        """A request was answered."""
        self.answers[status] = self.answers.get(status, 0) + 1


class Core:
    """What the parts of a worker share.

    Parameters
    ----------
    pool : connections to the database.
    settings : of the service.
    clock : of the service.
    seal : encrypts what has to be presented.
    url : of the database.
    name : of the worker; no other has ever had it.
    """

    def __init__(
        self,
        pool: Pool,
        settings: CoreSettings,
        clock: Clock,
        seal: Seal,
        url: str,
        name: str,
    ) -> None:
        self.pool = pool
        self.url = url
        self.name = name
        self.settings = settings
        self.center = settings.center
        self.rules: Rules = settings.rules.rules()
        self.clock = clock
        self.number = -1
        """Of this worker: no other on the database has it while :attr:`refusing` is empty."""
        self.refusing = "it has just started"
        """Why nothing may be acknowledged just now; empty: it may."""
        self.seal = seal
        self.registry = Registry()
        self.gate = Gate(pool)
        self.metrics = Metrics()
        self.figures = Desk()
        self.outbox: Outbox | None = None
        """Delivers what the worker writes under a lease of its own."""
        self.database_error = ""
        """Why the database cannot be used just now; empty: it can."""
        self.settled: dict[str, int] = {}
        """By table, the id up to which nothing can be committed any more, as far as is known."""
        self._rounds: dict[str, float] = {}
        """Since when, by the machine's own clock, what is under way that is done time and again."""
        self._failed: dict[str, str] = {}
        """Of these, whose last round the database failed, and how."""
        self._last_us = 0
        self._writing: dict[int, int] = {}
        """By backend, from when on are the ids and times of what it is writing, us."""
        self._lost: dict[int, tuple[int, float]] = {}
        """The same of lost connections, and when they were lost, s."""
        self._upstream = settings.upstream.name if settings.upstream else ""
        self._helpers = [
            HelperAddress(name, helper.role, helper.channel, helper.address)
            for name, helper in settings.helpers.items()
        ]
        self._supervisors = [
            SupervisorAddress(name, one.channel, one.address)
            for name, one in settings.supervisors.items()
        ]

    def new_ids(self, count: int) -> range:
        """Message ids: microseconds of receipt * 1024 + the worker's number, ever larger.

        They are made while :meth:`writing`: see :meth:`floor_us`.
        """
        first_us = max(int(self.clock.now() * 1e6), self._last_us + 1)
        self._last_us = first_us + count - 1
        first = first_us * MOST_WORKERS + self.number
        return range(first, first + count * MOST_WORKERS, MOST_WORKERS)

    def floor_us(self) -> int:
        """From when on are the ids and times of what is written from now on, us."""
        under_way = (*self._writing.values(), *(floor for floor, _ in self._lost.values()))
        return min(under_way, default=int(self.clock.now() * 1e6))

    @contextlib.contextmanager
    def writing(self, db: asyncpg.Connection) -> Iterator[None]:
        """Ids and times are made that are written on a connection before this ends."""
        backend = db.get_server_pid()
        self._writing[backend] = floor = int(self.clock.now() * 1e6)
        try:
            yield
        finally:
            del self._writing[backend]
            if lost(db):  # a backend that hangs may have a statement yet, and commit it
                self._lost[backend] = floor, time.monotonic()

    async def _forget_lost(self, db: asyncpg.Connection) -> None:
        """Backends that have ended since their connections were lost write nothing any more."""
        if asked := dict(self._lost):
            now = time.monotonic()
            left = await db.fetch(
                "SELECT pid FROM pg_stat_activity JOIN unnest($1::int[], $2::float8[]) "
                "AS lost (pid, seconds) USING (pid) "
                "WHERE clock_timestamp() - backend_start >= make_interval(secs => seconds)",
                list(asked),
                [now - since for _, since in asked.values()],
            )
            for backend in asked.keys() - {row[0] for row in left}:
                if self._lost[backend] == asked[backend]:
                    del self._lost[backend]

    def lost_database(self, error: BaseException) -> None:
        """Remembers why the database could not be used."""
        if not self.database_error:
            log.error("the database is away: %s", error)
        self.database_error = str(error) or type(error).__name__
        self.gate.forget()
        self.registry.forget()

    @contextlib.contextmanager
    def round(self, what: str) -> Iterator[None]:
        """A round of what is done time and again; :meth:`ailing` tells if the database fails it."""
        self._rounds[what] = time.monotonic()
        try:
            yield
        except DATABASE_AWAY as error:
            self._failed[what] = str(error) or type(error).__name__
            raise
        else:
            self._failed.pop(what, None)
        finally:
            del self._rounds[what]

    def ailing(self) -> str:
        """What the database does not let the worker do just now; empty: it lets it do everything.

        A round that fails for another reason, a venue's of which the state is spoilt, say, is
        logged: to send the worker's callers elsewhere would help nobody.
        """
        late = time.monotonic() - HANGS_S
        said = dict(self._failed)
        said |= {what: "the database hangs" for what, at in self._rounds.items() if at < late}
        return "; ".join(f"{what}: {why}" for what, why in sorted(said.items()))

    def batch(self, now: float | None = None) -> Batch:
        """An empty batch; ``now``: the time of everything in it, s; None: this moment."""
        now = self.clock.now() if now is None else now
        room = 0 if self.outbox is None else self.outbox.room()
        lease = now + LEASE_S * self.clock.speed
        return Batch(
            self.center, now, self._helpers, self._upstream, room, lease, self._supervisors
        )

    def committed(self, batch: Batch) -> None:
        """What a batch wrote is on disk: it is known by heart, and what it leased is delivered."""
        self.registry.keep(batch.after())
        if batch.leased and self.outbox is not None:
            self.outbox.start(batch)

    async def keep_partitions(self) -> None:
        """Makes the months' partitions ahead of time, until it is cancelled."""
        while True:
            made = False
            try:
                async with self.pool.acquire() as db:
                    made = await ensure_partitions(db, self.clock.now())
            except DATABASE_AWAY as error:
                self.lost_database(error)
            pause = PARTITIONS_S / self.clock.speed
            await asyncio.sleep(pause if made else min(pause, PARTITIONS_RETRY_S))

    async def learn_registry(self) -> None:
        """Knows the registry by heart, until it is cancelled."""
        while True:
            try:
                await self.registry.learn(self.pool)
            except DATABASE_AWAY as error:
                self.lost_database(error)
                await asyncio.sleep(1.0)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[Any, Batch]]:
        """A transaction whose batch is written at its end."""
        async with self.pool.acquire() as db, db.transaction():
            batch = self.batch()
            yield db, batch
            await batch.write(db)
        self.committed(batch)

    async def listen(self, url: str) -> None:
        """Holds the worker's number, hears of what others change, follows the database's time.

        Nothing is acknowledged while there is no number, or while the database may lose what it
        has committed; and nothing is known by heart for longer than a second then.
        """
        while True:
            try:
                db = await connect(url, connection_name(self.name), LISTEN_S)
                try:
                    await self._listen(db)
                finally:
                    self.refusing = _AWAY
                    await db.close(timeout=1)
            except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self.lost_database(error)
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def _listen(self, db: asyncpg.Connection) -> None:
        broken = asyncio.Event()

        def end(_: object) -> None:
            self.refusing = _AWAY  # the number is free for another worker from now on
            broken.set()

        db.add_termination_listener(end)
        await db.add_listener(CHANGED, lambda *_: self.registry.forget())
        await db.add_listener(TOKENS_CHANGED, lambda *_: self.gate.forget())
        self.gate.forget()
        self.registry.forget()
        self.number = await take_worker_number(db)
        while not db.is_closed():
            self.clock.agree(
                await db.fetchval(
                    "UPDATE core SET clock = greatest(clock, $1) "
                    "RETURNING extract(epoch FROM clock_timestamp())::float8, "
                    "set_config('application_name', $2, false)",
                    self.clock.now(),
                    connection_name(self.name, self.floor_us()),
                )
            )
            counts = msgspec.json.encode(self.metrics).decode()
            await tell_counts(db, self.number, self.name, counts)
            await check_promises(db)
            await self._forget_lost(db)
            if self.refusing and await lowest_floor(db, self.name) is not None:
                # What others took for settled before they saw this worker is over then.
                await asyncio.sleep(APART_S)
            if not broken.is_set():
                self.refusing = self.database_error = ""
            # Who reads waits for what takes long, and is told soon when it is over.
            behind_s = (self.clock.now() - self.floor_us() / 1e6) / self.clock.speed
            pause = LISTENING_S if behind_s < HELD_BACK_S else LISTEN_AGAIN_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(broken.wait(), pause)


@contextlib.asynccontextmanager
async def open_core(
    url: str, settings: CoreSettings, seal: Seal, speed: float = 1.0
) -> AsyncIterator[Core]:
    """A worker's core on a database, which is made ready if it is new.

    Parameters
    ----------
    url : of the database.
    settings : of the service.
    seal : of the data folder.
    speed : of the clock.

    Raises
    ------
    CoreError
        If the database cannot be used, or its times were written by a wrong clock.
    """
    db = await connect(url)
    try:
        await prepare(db, settings.center)
        await seal.check(db)
        clock = await _clock(db, speed)
        await ensure_partitions(db, clock.now())
    finally:
        await db.close(timeout=1)
    name = secrets.token_hex(4)
    pool = await open_pool(url, POOL, connection_name(name))
    try:
        yield Core(pool, settings, clock, seal, url, name)
    finally:
        await pool.close()


async def _clock(db: asyncpg.Connection, speed: float) -> ServiceClock:
    """The clock, which goes on from the latest time that is on record."""
    # The mark is up to a second old; a message or a step may have been told a later time.
    real, told, *origin = await db.fetchrow(
        "SELECT extract(epoch FROM clock_timestamp())::float8, "
        "greatest(clock, (SELECT max(id) FROM message) / ($1::int8 * 1e6::float8), "
        "(SELECT max(at) FROM venue_state)), run_speed, run_told, run_real FROM core",
        MOST_WORKERS,
    )
    if speed == 1.0:
        if told - real > MOST_AHEAD_S:
            raise CoreError(
                f"the database's records reach {(told - real) / 3600:.1f} h into the future: its "
                "clock is behind, or was ahead when they were written; set it right, or start anew"
            )
        clock = ServiceClock(real, told)
        if clock.ahead_s > 1:
            log.warning("the clock was set back by %.1f s; ours goes on, slower", clock.ahead_s)
        return clock
    if origin[0] != speed:  # a new driven run: its first worker says from when
        await db.execute(
            "UPDATE core SET run_speed = $1, run_told = $2, run_real = $3 "
            "WHERE run_speed IS DISTINCT FROM $1",
            speed,
            max(told, real),
            real,
        )
    row = await db.fetchrow("SELECT run_told, run_real FROM core")
    return ServiceClock(real, told, speed, (row[0], row[1]))
