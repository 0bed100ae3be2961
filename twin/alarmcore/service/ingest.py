"""From a vendor's push to its answer: what arrives together is one transaction (group commit).

A push waits in one of two queues, fires in theirs, until a committer takes it. It takes all that
waits, fires first, writes the messages and everything that follows from them in one transaction,
and only then lets the answers go. Few transactions are under way at a time in a worker, so that an
ever longer queue makes ever larger transactions, not more of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import msgspec

from twin.alarmcore.annexb.messages import (
    BATCH,
    EVENTS,
    Event,
    EventType,
    Malformed,
    Received,
    check_nul,
    instant,
    read,
)
from twin.alarmcore.service.engine import Arrival, take, venues
from twin.alarmcore.service.registry import Known
from twin.alarmcore.store.batch import Batch, Message, receive, stored_bodies, take_messages
from twin.alarmcore.store.database import COLLISION, DATABASE_AWAY

if TYPE_CHECKING:
    from twin.alarmcore.service.core import Core

log = logging.getLogger("twin.core")

COMMITTERS = 2
"""Batches under way at a time: while the database writes one, the other is made ready."""

MORE_COMMITTERS = 2
"""And so many more while whole batches wait."""

GATHER_S = 0.001
"""How long a committer waits for more to come: what a transaction takes hardly depends on how much
is in it."""

ENOUGH = 32
"""Pushes that are enough not to wait (assumption)."""

MOST_IN_A_BATCH = 1000
"""Events of one transaction; a fire waits for no longer than one takes (assumption)."""

COMMIT_S = 10.0
"""A batch that is not on disk by then is answered with 502 and Retry-After (assumption)."""

MOST_WAITING = 40_000
"""Events that may wait in a worker; more are answered with 502 and Retry-After (assumption)."""

MOST_WAITING_BYTES = 256_000_000
"""And the bytes that they may have."""

MOST_OF_ONE = 25_000
"""Events of one vendor that may wait: there is room left for the others' fires."""

FIRE_RESERVE = 10_000
"""Room beyond it that only pushes with a fire may use."""

OLDEST_S = 30 * 86400.0
"""A device's time that is older cannot be meant (assumption: a vendor keeps what it could not
deliver for a month)."""

FUTURE_S = 3600.0
"""Nor one that is further ahead: a clock an hour off, or in a wrong time zone."""

_TYPE = re.compile(rb'"type"\s*:\s*"(\w+)"')

_COLLISIONS = 4
"""Times that a batch is tried that met another worker's."""

_NO_FIRE = {kind.value for kind in EventType} - {EventType.FIRE.value}

_parts = msgspec.json.Decoder(list[msgspec.Raw])
_one = msgspec.json.Decoder(Event)


class TooFast(Exception):
    """A vendor pushes faster than it may."""


class Full(Exception):
    """Too much waits; the vendor has to come again later."""


class Item(NamedTuple):
    """An event of a push, or what could not be read.

    Parameters
    ----------
    message_id : empty where it could not be read; it is then kept without one.
    event : None where it cannot be read.
    body : as it came.
    problem : why it cannot be taken as it is; empty: it can.
    fire : it is an alarm, or may be one.
    """

    message_id: str
    device_id: str
    event: Event | None
    body: bytes
    problem: str
    fire: bool


@dataclass(slots=True)
class Push:
    """What one request brought.

    Parameters
    ----------
    vendor, vendor_name : whose it is.
    items : its events.
    settle : is told what became of them when they are on disk, or why they are not.
    """

    vendor: int
    vendor_name: str
    items: list[Item]
    settle: Callable[[Received | Exception], None]
    size: int = field(init=False)
    """Bytes of its events."""

    def __post_init__(self) -> None:
        self.size = sum(len(item.body) for item in self.items)


def parse(body: bytes, now: float) -> list[Item]:
    """The events of a body of API 22, each judged by itself.

    A body that is no JSON at all is one item with a problem. Nothing is thrown away here.

    Parameters
    ----------
    body : as it came.
    now : what the devices' own times are compared with, s.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            return [_unreadable(body)]
    if body[:1] == b"[" or body.lstrip()[:1] == b"[":
        try:
            parts = _parts.decode(body)
        except (msgspec.DecodeError, RecursionError):
            return [_unreadable(body)]
        if not 1 <= len(parts) <= BATCH:
            what = f"{len(parts)} events in one push; 1 to {BATCH} are taken"
            return [Item("", "", None, body, what, bool(parts) and _may_be_fire(body))]
        return [_item(bytes(part), now) for part in parts]
    return [_item(body, now)]


def _item(body: bytes, now: float) -> Item:
    try:
        event = _one.decode(body)
        check_nul(body)
    except (msgspec.DecodeError, RecursionError, Malformed):
        return _unreadable(body)
    problem = _impossible_time(event.time, now)
    return Item(
        event.message_id, event.device_id, event, body, problem, event.type is EventType.FIRE
    )


def _unreadable(body: bytes) -> Item:
    """What is no event: its problem, and as much of it as can be told.

    It is taken for a fire unless it says that it is something else.
    """
    try:
        read(body, EVENTS)
        check_nul(body)
        problem = "not one event"
    except Malformed as error:
        problem = str(error)
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    fields = said if isinstance(said, dict) else {}

    def text(name: str) -> str:
        value = fields.get(name)
        return value if isinstance(value, str) and len(value) <= 64 and "\0" not in value else ""

    fire = bool(body.strip()) and _may_be_fire(body)
    return Item(text("messageId"), text("deviceId"), None, body, problem, fire)


def _may_be_fire(body: bytes) -> bool:
    """Whether a body that cannot be read says nothing else of itself."""
    types = {found.decode() for found in _TYPE.findall(body)}
    return not (types and types <= _NO_FIRE)


def _impossible_time(text: str, now: float) -> str:
    try:
        at = instant(text).timestamp()
    except Malformed as error:
        return str(error)
    if at > now + FUTURE_S:
        return f"time {text} lies in the future; is the device's clock or its time zone wrong?"
    if at < now - OLDEST_S:
        return f"time {text} is more than 30 days ago; is the device's clock wrong?"
    return ""


class Ingest:
    """The queues of a worker and its committers."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._fires: deque[Push] = deque()
        self._others: deque[Push] = deque()
        self._queued = 0
        """Events that no committer has taken yet."""
        self._wake = asyncio.Event()
        self._much = asyncio.Event()
        self._bytes = 0
        self._held: Counter[int] = Counter()
        self._second = 0
        self._taken: Counter[int] = Counter()

    def submit(self, push: Push) -> None:
        """Takes a push, which is settled when it is on disk.

        Raises
        ------
        Full
            If too much waits already.
        TooFast
            If its vendor has pushed more than its share in this second, and it is no fire.
        DatabaseAway
            If the database cannot be written to.
        """
        if self.core.refusing:
            raise DatabaseAway(self.core.refusing)
        fire = any(item.fire for item in push.items)
        self._hold_to_rate(push, fire)
        reserve = FIRE_RESERVE if fire else 0
        if (
            self.core.metrics.waiting + len(push.items) > MOST_WAITING + reserve
            or self._held[push.vendor] + len(push.items) > MOST_OF_ONE + reserve
            or self._bytes + push.size > MOST_WAITING_BYTES
        ):
            self.core.metrics.refused += 1
            raise Full
        self._count(push, 1)
        (self._fires if fire else self._others).append(push)
        self._queued += len(push.items)
        self._wake.set()
        if self._queued >= MOST_IN_A_BATCH:
            self._much.set()

    def _settle(self, push: Push, result: Received | Exception) -> None:
        self._count(push, -1)
        push.settle(result)

    def _count(self, push: Push, sign: int) -> None:
        """Counts what waits, until it is settled."""
        self.core.metrics.waiting += sign * len(push.items)
        self._held[push.vendor] += sign * len(push.items)
        self._bytes += sign * push.size

    def _hold_to_rate(self, push: Push, fire: bool) -> None:
        """Holds a vendor to its rate."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._taken.clear()
        self._taken[push.vendor] += len(push.items)
        if self._taken[push.vendor] > self.core.settings.most_events_per_s and not fire:
            raise TooFast

    async def run(self) -> None:
        """Commits batches until it is cancelled."""
        async with asyncio.TaskGroup() as committers:
            for _ in range(COMMITTERS):
                committers.create_task(self._commit_batches(self._wake, 1))
            for _ in range(MORE_COMMITTERS):
                committers.create_task(self._commit_batches(self._much, MOST_IN_A_BATCH))

    async def _commit_batches(self, wake: asyncio.Event, least: int) -> None:
        """Commits batches while at least so many events wait."""
        while True:
            await wake.wait()
            wake.clear()
            while self._queued >= least:
                if len(self._fires) + len(self._others) < ENOUGH and self._queued < MOST_IN_A_BATCH:
                    await asyncio.sleep(GATHER_S)
                if pushes := self._next():  # else another committer has them
                    await self._commit(pushes)

    def _next(self) -> list[Push]:
        """What is committed next: fires first, and at least one of the others."""
        pushes: list[Push] = []
        events = 0
        for queue in (self._fires, self._others):
            first = True
            while queue and (first or events + len(queue[0].items) <= MOST_IN_A_BATCH):
                push = queue.popleft()
                events += len(push.items)
                pushes.append(push)
                first = False
        self._queued -= events
        return pushes

    async def _commit(self, pushes: list[Push]) -> None:
        began = time.perf_counter()
        try:
            answers = await self._store_again(pushes)
        except asyncpg.DataError as error:
            await self._one_by_one(pushes, error)
            return
        except (DatabaseAway, *DATABASE_AWAY, *COLLISION) as error:
            # The database is away or full: whoever pushed comes again.
            self.core.lost_database(error)
            for push in pushes:
                self._settle(push, DatabaseAway(str(error) or type(error).__name__))
            return
        except Exception as error:
            await self._one_by_one(pushes, error)
            return
        for push, answer in zip(pushes, answers, strict=True):
            self._settle(push, answer)
        events = sum(len(push.items) for push in pushes)
        self.core.metrics.committed(events, time.perf_counter() - began)

    async def _store_again(self, pushes: list[Push]) -> list[Received]:
        """Stores, also when the batch met another worker's."""
        for tries in range(1, _COLLISIONS):
            try:
                return await self.store(pushes)
            except COLLISION:
                log.warning("a batch met another worker's, try %d", tries)
        return await self.store(pushes)

    async def _one_by_one(self, pushes: list[Push], error: Exception) -> None:
        """One of the pushes spoils the others: each by itself."""
        log.error("a batch of %d pushes failed", len(pushes), exc_info=error)
        if len(pushes) > 1:
            for push in pushes:
                await self._commit([push])
        else:
            self._settle(pushes[0], error)

    async def store(self, pushes: Sequence[Push]) -> list[Received]:
        """Writes pushes and all that follows from them; they are on disk when it returns.

        Raises
        ------
        DatabaseAway
            If the worker has lost its number since they came: another may have it by now.
        """
        core = self.core
        if core.refusing:
            raise DatabaseAway(core.refusing)
        async with core.pool.acquire(COMMIT_S) as db:
            with core.writing(db):
                intake = _Intake(core, pushes)
                await intake.look_up(db)
                with core.registry.deciding(intake.venues) as alone:
                    batch = await intake.store_unseen(db) if alone else None
                    if batch is None:
                        batch = await intake.store(db)
                    core.committed(batch)
        return intake.answers()


class _Intake:
    """Pushes that are stored together, with what follows from them."""

    def __init__(self, core: Core, pushes: Sequence[Push]) -> None:
        self._core = core
        self._now = core.clock.now()
        """Whatever the database makes them wait for: deadlines run from here (6.1)."""
        self._pushes = pushes
        ids = iter(core.new_ids(sum(len(push.items) for push in pushes)))
        self._rows = [
            (push, item, _message(next(ids), push, item)) for push in pushes for item in push.items
        ]
        self._messages = [message for _, _, message in self._rows]
        self._fresh = {message.id for message in self._messages}
        """Those that are new, as far as is known; and of these, whose ids were used before."""
        self._reused: set[int] = set()
        self._known: Mapping[str, Known] = {}
        self._arrivals: list[Arrival] = []
        self._kept: list[tuple[int, str, bytes]] = []
        self.venues: set[str] = set()
        """Whose states it may change."""

    async def look_up(self, db: asyncpg.Connection) -> None:
        """Looks up devices and their places."""
        named = [f"{push.vendor_name}/{item.device_id or '?'}" for push, item, _ in self._rows]
        self._known = await self._core.registry.devices(db, set(named))
        self._arrivals = [
            Arrival(message.id, device, item.event)
            for (_, item, message), device in zip(self._rows, named, strict=True)
        ]
        self.venues = venues(self._arrivals, self._known)

    async def store_unseen(self, db: asyncpg.Connection) -> Batch | None:
        """Stores all in one statement, if what is known by heart holds; None: it does not."""
        batch = self._core.batch(self._now)
        batch.held = await self._core.registry.states(db, self.venues)
        await self._decide(db, batch)
        return batch if await batch.write_unseen(db, self._messages) else None

    async def store(self, db: asyncpg.Connection) -> Batch:
        """Stores what is new, in a transaction that holds the states of venues."""
        async with db.transaction():
            batch = self._core.batch(self._now)
            known = await receive(db, batch, self._messages, self.venues)
            old = [row for row in self._rows if row[2].id in known]
            self._reused = await _reused(db, old)
            self._fresh -= known - self._reused
            await self._decide(db, batch)
            await batch.write(db)
        return batch

    async def _decide(self, db: asyncpg.Connection, batch: Batch) -> None:
        """What new messages do, and which are put aside."""
        taken, kept = [], []
        for (push, item, message), arrival in zip(self._rows, self._arrivals, strict=True):
            if message.id not in self._fresh:
                continue
            if item.problem:
                kept.append((push.vendor, item.problem, item.body))
            elif message.id in self._reused:
                kept.append((push.vendor, f"messageId {item.message_id} reused", item.body))
            elif arrival.device not in self._known and not item.fire:
                kept.append((push.vendor, f"unknown device {item.device_id}", item.body))
                continue
            if item.fire or not item.problem:
                taken.append(arrival)
        await take(db, batch, taken, self._known, self._core.rules)
        for aside in kept:
            batch.put_aside(*aside)
        self._kept = kept

    def answers(self) -> list[Received]:
        """What became of each push."""
        if len(self._fresh) == len(self._rows) and not self._kept:
            return [Received(len(push.items), 0, 0) for push in self._pushes]
        put_aside = {id(body) for _, _, body in self._kept}
        answers, at = [], 0
        for push in self._pushes:
            mine = self._rows[at : at + len(push.items)]
            at += len(push.items)
            new = [message for _, _, message in mine if message.id in self._fresh]
            aside = sum(id(message.body) in put_aside for message in new)
            answers.append(Received(len(new) - aside, len(mine) - len(new), aside))
        return answers


class DatabaseAway(Exception):
    """Nothing can be kept just now; the vendor has to come again later."""


def _message(id_: int, push: Push, item: Item) -> Message:
    """An item as it is stored. One without an id is known again by what it says; a fire never."""
    key = item.message_id or (f"#{id_}" if item.fire else f"#{_digest(item.body)}")
    return Message(id_, push.vendor, key, item.body)


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


async def _reused(db: asyncpg.Connection, rows: Sequence[tuple[Push, Item, Message]]) -> set[int]:
    """Of messages whose id is known, those that say something new: they are stored, too."""
    if not rows:
        return set()
    stored = await stored_bodies(db, {(m.vendor, m.message_id) for _, _, m in rows})
    other = [
        message._replace(message_id=f"{message.message_id}#{_digest(message.body)}")
        for _, item, message in rows
        if not _same(stored[message.vendor, message.message_id], message.body, item.event)
    ]
    if not other:
        return set()
    return {message.id for message in other} - await take_messages(db, other)


def _same(stored: bytes, body: bytes, event: Event | None) -> bool:
    """Whether two bodies say the same, though they may be written differently."""
    if stored == body:
        return True
    try:
        if event is not None:
            return _one.decode(stored) == event
        return bool(msgspec.json.decode(stored) == msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
