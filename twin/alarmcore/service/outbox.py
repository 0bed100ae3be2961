"""Delivering what the lifecycle decided to send: to people, helpers, supervisors, platforms.

What is to be sent is a row that was written with the decision, most often under a lease of the
worker that wrote it; it leases all other due rows, too, hands them to the channel's adapter and
records what became of them. A worker that dies in between leaves the lease to run out: the delivery
is then repeated with the same key, by which a receiver can tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from twin.alarmcore.lifecycle import (
    ConfirmedSent,
    LifecycleError,
    NotificationFailed,
    NotificationReceipt,
)
from twin.alarmcore.service.channels import FORWARD, TIMEOUT_S, Adapter, FileAdapter, adapter_of
from twin.alarmcore.service.core import LEASE_S, Core
from twin.alarmcore.service.engine import advance
from twin.alarmcore.store.batch import Batch, Delivered, read_states
from twin.alarmcore.store.database import COLLISION, DATABASE_AWAY

log = logging.getLogger("twin.core")

MOST_UNDER_WAY = 64
"""Deliveries of one channel at a time; a channel whose receiver hangs has no more (assumption)."""

MOST_LEASED = 4096
"""Deliveries that wait in a worker for their channel (assumption)."""

IDLE_S = 0.1
"""How often the outbox is looked into, seconds of the machine at speed 1."""

GATHER_S = 0.03
"""What ends within this time is recorded in one transaction, seconds of the machine at speed 1."""

CHANNELS_S = 5.0
"""How often channels are looked for that nobody has told of, s."""

COMMAND = "command"
"""Kind and channel of what a device is told to do."""

COMMAND_S = 60.0
"""A command that has not been handed over by then is not given any more (assumption)."""

_CHANNELS = ("voice", "sms", "app", "wechat", "announcement", "command", FORWARD)
LONGEST_RETRY_S = 300.0
"""Longest time between two tries (assumption): so soon a receiver that is back has everything."""

# Whose receiver hangs has its rows waiting in the same index: each channel is looked up by itself.
_LEASE = """
    UPDATE outbox SET due = $1 + $2 WHERE id IN (
        SELECT due.id FROM unnest($3::text[], $4::int[]) AS lane (channel, room)
        CROSS JOIN LATERAL (
            SELECT id FROM outbox
            WHERE channel = lane.channel AND due <= $1 AND state = 'waiting'
                -- The central platform hears of an alarm's stages in their order.
                AND NOT (kind = 'forward' AND EXISTS (
                    SELECT 1 FROM outbox AS earlier WHERE earlier.alarm = outbox.alarm
                    AND earlier.kind = 'forward' AND earlier.id < outbox.id
                    AND earlier.state = 'waiting'))
            ORDER BY due, id LIMIT lane.room FOR UPDATE SKIP LOCKED
        ) AS due
    ) RETURNING id, kind, channel, alarm, venue, person, body, tries, created, due
    """


_RECORD = "SELECT record_deliveries($1, $2, $3, $4, $5, $6, $7, $8)"


class Delivery(NamedTuple):
    """A message on its way.

    Parameters
    ----------
    id : of the row; part of the key.
    kind : notify, confirmed, escalation, forward or command.
    channel : voice, sms, app and so on.
    alarm : id, None if it is about none.
    venue : where.
    person : to whom.
    body : what is said.
    tries : earlier tries.
    created : when it was decided, s.
    until : when its lease ends, s.
    due : of its row, s; tells this lease from a later one.
    """

    id: int
    kind: str
    channel: str
    alarm: int | None
    venue: str | None
    person: str
    body: Mapping[str, Any]
    tries: int
    created: float = 0.0
    until: float = 0.0
    due: float | None = None

    def told(self, core: Core) -> dict[str, Any]:
        """What an adapter is told; ``key`` is the same in every try.

        A receipt that comes later (``POST /core/receipt``) names ``key`` and ``receipt``.
        """
        key = f"{core.center}-{self.id}"
        return {
            "key": key,
            "receipt": core.seal.sign(key),
            "kind": self.kind,
            "channel": self.channel,
            "alarm": None if self.alarm is None else str(self.alarm),
            "venue": self.venue,
            "to": self.person,
            "time": self.created,
            **self.body,
        }


@dataclass
class _Lane:
    """A channel's deliveries."""

    adapter: Adapter
    waiting: deque[Delivery] = field(default_factory=deque)
    """Leased; what was due goes before what was written just now."""
    under_way: int = 0
    due: int = 0
    """Of those that wait or are under way, how many were due: they have room of their own, so
    that a flood of new ones does not keep them from being tried again."""


class Outbox:
    """The deliveries of a worker.

    Every channel has a lane of its own, so that a receiver that hangs holds up neither other
    channels nor, until its lane is full, other messages of its channel.

    Parameters
    ----------
    core : the worker's.
    folder : where file adapters write.

    Raises
    ------
    CoreError
        If the settings of the central platform cannot be used.
    """

    def __init__(self, core: Core, folder: Path) -> None:
        self.core = core
        self._folder = folder
        self._lanes: dict[str, _Lane] = {}
        helpers = (helper.channel for helper in core.settings.helpers.values())
        supervisors = (one.channel for one in core.settings.supervisors.values())
        for channel in (*_CHANNELS, *helpers, *supervisors):
            self._lane(channel)
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[tuple[Delivery, bool | str]] = []
        self._wake = asyncio.Event()
        self._looked = -CHANNELS_S

    def _lane(self, channel: str) -> _Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            lane = _Lane(adapter_of(channel, self.core.settings, self._folder))
            self._lanes[channel] = lane
        return lane

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        try:
            while True:
                try:
                    with self.core.round("outbox"):
                        await self._record_done()
                        await self._start_due()
                    await self._something_done()
                except DATABASE_AWAY as error:
                    self.core.lost_database(error)
                    await asyncio.sleep(1.0)
                except Exception:
                    log.exception("the outbox could not be worked on")
                    await asyncio.sleep(1.0)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _something_done(self) -> None:
        """Waits until deliveries have ended, or it is time to look again."""
        speed = min(self.core.clock.speed, 10.0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), IDLE_S / speed)
            await asyncio.sleep(GATHER_S / speed)
        self._wake.clear()

    async def _start_due(self) -> None:
        """Leases what is due."""
        core, now = self.core, self.core.clock.now()
        async with core.pool.acquire() as db:
            if time.monotonic() - self._looked >= CHANNELS_S:
                # Those of another host's settings, or of settings that were changed.
                self._looked = time.monotonic()
                await self._expire()
                for (channel,) in await db.fetch(
                    "SELECT DISTINCT channel FROM outbox WHERE due IS NOT NULL"
                ):
                    self._lane(channel)
            await db.execute("SELECT end_leases($1)", now)
            rows = await db.fetch(
                _LEASE,
                now,
                LEASE_S * core.clock.speed,
                list(self._lanes),
                [max(0, MOST_UNDER_WAY - lane.due) for lane in self._lanes.values()],
            )
        due = [
            Delivery(i, kind, channel, alarm, venue, person, json.loads(body), tries, made, at, at)
            for i, kind, channel, alarm, venue, person, body, tries, made, at in sorted(rows)
        ]
        for delivery in reversed(self._to_files(due)):
            lane = self._lane(delivery.channel)
            lane.due += 1
            lane.waiting.appendleft(delivery)
        self._begin()

    def room(self) -> int:
        """How many more deliveries the worker may lease before it has begun those that it has."""
        return max(0, MOST_LEASED - sum(len(lane.waiting) for lane in self._lanes.values()))

    def start(self, batch: Batch) -> None:
        """Delivers what a batch has leased."""
        now, until = batch.now, batch.lease
        leased = [
            Delivery(i, "notify", channel, alarm, venue, person, body, 0, now, until)
            for i, channel, alarm, venue, person, body in batch.leased
        ]
        for delivery in self._to_files(leased):
            self._lane(delivery.channel).waiting.append(delivery)
        self._begin()

    def _to_files(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Writes what goes to files, each file's at once; returns all others."""
        to_files: dict[FileAdapter, list[Delivery]] = defaultdict(list)
        others = []
        for delivery in deliveries:
            adapter = self._lane(delivery.channel).adapter
            if isinstance(adapter, FileAdapter) and delivery.kind != COMMAND:
                to_files[adapter].append(delivery)
            else:
                others.append(delivery)
        for file, of_file in to_files.items():
            self._append(file, of_file)
        return others

    def _begin(self) -> None:
        """Begins what waits, as far as its channel has room."""
        for lane in self._lanes.values():
            while lane.waiting and lane.under_way < MOST_UNDER_WAY:
                delivery = lane.waiting.popleft()
                left = (delivery.until - self.core.clock.now()) / self.core.clock.speed
                if left < TIMEOUT_S:  # it would end after its lease; then it is leased anew
                    lane.due -= delivery.due is not None
                    continue
                lane.under_way += 1
                task = asyncio.create_task(self._deliver(delivery, lane))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _append(self, file: FileAdapter, deliveries: list[Delivery]) -> None:
        result: bool | str
        try:
            result = file.append(delivery.told(self.core) for delivery in deliveries)
        except OSError as error:
            result = f"{type(error).__name__}: {error}"[:500]
        self._done += [(delivery, result) for delivery in deliveries]
        self._wake.set()

    async def _deliver(self, delivery: Delivery, lane: _Lane) -> None:
        """Hands a message over: whether a receipt came with it, or what went wrong."""
        result: bool | str
        try:
            if delivery.kind == COMMAND and self.core.clock.now() - delivery.created > COMMAND_S:
                raise TimeoutError("too late; a command is given anew")
            async with asyncio.timeout(TIMEOUT_S):
                result = await lane.adapter.deliver(delivery.told(self.core))
        except Exception as error:
            result = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
        lane.under_way -= 1
        lane.due -= delivery.due is not None
        self._begin()
        self._done.append((delivery, result))
        self._wake.set()

    async def _record_done(self) -> None:
        """Writes what became of deliveries; while the database is away it is remembered."""
        done, self._done = self._done, []
        if done:
            try:
                await self._record(done)
            except (*DATABASE_AWAY, *COLLISION):
                self._done += done
                raise
            except Exception:
                log.exception("what became of deliveries is recorded one by one")
                for number, one in enumerate(done):
                    try:
                        await self._record_alone(one)
                    except (*DATABASE_AWAY, *COLLISION):
                        self._done += done[number:]
                        raise

    async def _record_alone(self, one: tuple[Delivery, bool | str]) -> None:
        """What became of a delivery, without its step of the lifecycle where that refuses it."""
        try:
            await self._record([one])
        except (*DATABASE_AWAY, *COLLISION):
            raise
        except LifecycleError:
            log.exception("message %d: the lifecycle does not take what became of it", one[0].id)
            await self._record([one], told=False)
        except Exception:
            log.exception("message %d is delivered again when its lease ends", one[0].id)

    async def _expire(self) -> None:
        """Notifications that were sent and have had no receipt in time have failed (9.3)."""
        async with self.core.transaction() as (db, batch):
            late = await db.fetch(
                "SELECT id, venue FROM outbox WHERE due <= $1 AND state = 'sent' LIMIT 1000",
                batch.now,
            )
            if not late:
                return
            batch.held |= await read_states(db, {venue for _, venue in late if venue})
            rows = await db.fetch(
                "UPDATE outbox SET state = 'failed', due = NULL, error = 'no receipt' "
                "WHERE id = ANY($2::bigint[]) AND due <= $1 AND state = 'sent' "
                "RETURNING id, kind, channel, alarm, venue, person, tries",
                batch.now,
                [number for number, _ in late],
            )
            await self._give_up(
                db,
                batch,
                [
                    Delivery(i, kind, channel, alarm, venue, person, {}, tries)
                    for i, kind, channel, alarm, venue, person, tries in rows
                ],
            )

    async def _record(
        self, results: list[tuple[Delivery, bool | str]], *, told: bool = True
    ) -> None:
        if not (told and await self._record_receipts(results)):
            async with self.core.transaction() as (db, batch):
                receipts, given_up, rows = [], [], []
                for delivery, result in results:
                    if not isinstance(result, str):
                        rows.append(self._arrived(delivery, batch.now, receipt=result))
                        if result:
                            receipts.append(delivery)
                    else:
                        rows.append(await self._failed(db, batch.now, delivery, result))
                        if rows[-1].state == "failed":
                            given_up.append(delivery)
                if told:  # venues before messages: else two transactions may wait for each other
                    about = {one.venue for one in (*receipts, *given_up) if one.alarm and one.venue}
                    batch.held |= await read_states(db, about)
                await db.execute(_RECORD, *zip(*rows, strict=True))
                if told:
                    await take_receipts(self.core, db, batch, receipts)
                    await self._give_up(db, batch, given_up)
        self.core.metrics.delivered += len(results)

    async def _record_receipts(self, results: list[tuple[Delivery, bool | str]]) -> bool:
        """Records notifications that have arrived, as most do, in one statement; else: False."""
        core = self.core
        if not all(one.kind == "notify" and not isinstance(result, str) for one, result in results):
            return False
        receipts = [delivery for delivery, receipt in results if receipt]
        async with core.pool.acquire() as db:
            with core.writing(db):
                batch = core.batch()
                for delivery, receipt in results:
                    batch.deliver(self._arrived(delivery, batch.now, receipt=receipt is True))
                venues = {delivery.venue or "" for delivery in receipts}
                with core.registry.deciding(venues) as alone:
                    if not alone:
                        return False
                    batch.held = await core.registry.states(db, venues)
                    try:
                        await take_receipts(core, db, batch, receipts)
                    except LifecycleError:  # of a state that has changed since, may be
                        return False
                    if not await batch.write_unseen(db):
                        return False
                    core.committed(batch)
                    return True

    def _arrived(self, delivery: Delivery, now: float, *, receipt: bool) -> Delivered:
        """A delivery that somebody has. Of a notification without a receipt we want to hear."""
        i, tries = delivery.id, delivery.tries + 1
        if receipt:
            return Delivered(i, "received", None, tries, now, now, None, delivery.due)
        until = now + self.core.settings.receipt_wait if delivery.kind == "notify" else None
        return Delivered(i, "sent", until, tries, now, None, None, delivery.due)

    async def _failed(
        self, db: asyncpg.Connection, now: float, delivery: Delivery, error: str
    ) -> Delivered:
        """A failure: when it is tried again, or that it was the last one."""
        settings = self.core.settings
        # What the central platform has to know waits for as long as it is away.
        # Who helps and who supervises is told for as long as the alarm is open.
        lasting = delivery.kind == FORWARD or (
            delivery.kind in ("confirmed", "escalation") and await _is_open(db, delivery.alarm)
        )
        tries = delivery.tries + 1
        last = tries >= settings.notify_tries and not lasting
        last |= delivery.kind == COMMAND and now - delivery.created > COMMAND_S
        wait = min(settings.notify_retry * 2.0 ** min(delivery.tries, 30), LONGEST_RETRY_S)
        if last:
            return Delivered(delivery.id, "failed", None, tries, None, None, error, delivery.due)
        due = now + wait * self.core.clock.speed
        return Delivered(delivery.id, "waiting", due, tries, None, None, error, delivery.due)

    async def _give_up(self, db: asyncpg.Connection, batch: Any, given_up: list[Delivery]) -> None:
        """Whom no channel can reach any more is NOT_NOTIFIED (9.3)."""
        events = []
        for delivery in given_up:
            if delivery.kind != "notify" or delivery.alarm is None or delivery.venue is None:
                continue
            left = await db.fetchval(
                "SELECT count(*) FROM outbox WHERE kind = 'notify' AND alarm = $1 AND person = $2 "
                "AND state <> 'failed'",
                delivery.alarm,
                delivery.person,
            )
            if not left:
                event = NotificationFailed(delivery.alarm, delivery.person, "no channel reached")
                events.append((delivery.venue, event))
        if events:
            await advance(db, batch, dict.fromkeys(events), self.core.rules)


async def _is_open(db: asyncpg.Connection, alarm: int | None) -> bool:
    return bool(await db.fetchval("SELECT closed IS NULL FROM alarm WHERE id = $1", alarm))


async def take_receipts(
    core: Core, db: asyncpg.Connection, batch: Any, deliveries: list[Delivery]
) -> None:
    """Receipts of notifications and of confirmed alarms go to the lifecycle."""
    events: list[tuple[str, NotificationReceipt | ConfirmedSent]] = []
    reached = set()
    for delivery in deliveries:
        _, kind, channel, alarm, venue, person, *_ = delivery
        if alarm is None or venue is None:
            continue
        if kind == "notify":
            if (alarm, person) not in reached:  # one channel is enough
                reached.add((alarm, person))
                events.append((venue, NotificationReceipt(alarm, person, channel)))
        elif kind == "confirmed" and await db.fetchval(
            "SELECT closed IS NULL FROM alarm WHERE id = $1", alarm
        ):
            events.append((venue, ConfirmedSent(alarm, person)))
    if events:
        await advance(db, batch, events, core.rules)
