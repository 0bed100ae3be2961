"""Delivering what the lifecycle decided to send: to people, helpers, supervisors, platforms.

What is to be sent is a row that was written with the decision, most often under a lease of the
worker that wrote it; it leases all other due rows, too, hands them to the channel's adapter and
records what became of them. A worker that dies in between leaves the lease to run out: the delivery
is then repeated with the same key, by which a receiver can tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import asyncpg
import msgspec

from twin.alarmcore.annexb.codes import PREFIX, TOKEN_HEADER, ReturnCode
from twin.alarmcore.lifecycle import ConfirmedSent, NotificationFailed, NotificationReceipt
from twin.alarmcore.service.config import Upstream
from twin.alarmcore.service.core import LEASE_S, Core
from twin.alarmcore.service.engine import advance
from twin.alarmcore.service.puller import trust
from twin.alarmcore.store.batch import Batch, Delivered, read_states
from twin.alarmcore.store.database import COLLISION, DATABASE_AWAY

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("twin.core")

TIMEOUT_S = 10.0
"""How long a delivery waits for its receiver, from the first byte to the last (assumption)."""

MOST_ANSWER_BYTES = 65_536
"""Of what a receiver answers (assumption); a receipt has twenty."""

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

FORWARD = "forward"
"""Kind and channel of what goes to the central platform (4.3)."""

UNSENT = "unsent.jsonl"
"""Where messages of a channel go that core.toml does not name; nobody has them then."""

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


class Adapter(Protocol):
    """Hands a message to a channel."""

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Delivers; True: the receiver has it and a receipt came with the answer.

        Raises
        ------
        Exception
            Whatever kept it from being delivered; it is tried again.
        """
        ...


class FileAdapter:
    """Appends messages to a file, one JSON object a line: for development.

    Parameters
    ----------
    path : the file.
    receipts : whether what is in the file has reached somebody.
    """

    def __init__(self, path: Path, *, receipts: bool = True) -> None:
        self._path = path
        self._receipts = receipts

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Appends a line."""
        return self.append([message])

    def append(self, messages: Iterable[Mapping[str, Any]]) -> bool:
        """Appends a line for each, all at once."""
        lines = b"".join(msgspec.json.encode(message) + b"\n" for message in messages)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(handle, lines) < len(lines):
                raise OSError(f"{self._path} takes no more")
        finally:
            os.close(handle)
        return self._receipts


async def _posted(
    client: httpx.AsyncClient,
    url: str,
    message: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """What a receiver answers to a message.

    It is tried twice where the connection breaks: a receiver may end a kept one in the moment in
    which it is used again, and the message's key is the same.

    Raises
    ------
    RuntimeError
        If it does not take it (any status but 2xx; its URL, which may hold a secret, is not told),
        or answers without end.
    """
    import httpx

    # A packed answer of a few bytes may be of any size.
    given = {"Accept-Encoding": "identity", **(headers or {})}
    try:
        return await _posted_once(client, url, message, given)
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        return await _posted_once(client, url, message, given)


async def _posted_once(
    client: httpx.AsyncClient, url: str, message: Mapping[str, Any], headers: Mapping[str, str]
) -> bytes:
    async with client.stream("POST", url, json=message, headers=headers) as answer:
        if not answer.is_success:
            raise RuntimeError(f"the receiver answered {answer.status_code}")
        body = b""
        async for part in answer.aiter_raw():
            body += part
            if len(body) > MOST_ANSWER_BYTES:
                raise RuntimeError(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
    return body


class WebhookAdapter:
    """POSTs messages to a URL. An answer ``{"receipt": true}`` is the receipt; else it comes later.

    Parameters
    ----------
    url : of the gateway of the channel.
    """

    def __init__(self, url: str) -> None:
        import httpx

        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """POSTs; any status but 2xx is a failure."""
        body = await _posted(self._client, self._url, message, {"Idempotency-Key": message["key"]})
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return False
        return isinstance(told, dict) and told.get("receipt") is True


class UpstreamAdapter:
    """Tells a central platform of alarms as a vendor platform would: API 22 (4.3).

    Parameters
    ----------
    upstream : where it is.
    folder : in which a relative ``trust`` is looked for.

    Raises
    ------
    CoreError
        If the file ``trust`` cannot be used.
    """

    def __init__(self, upstream: Upstream, folder: Path) -> None:
        import httpx

        self._url = f"{upstream.url.rstrip('/').removesuffix(PREFIX)}{PREFIX}/event"
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            headers={TOKEN_HEADER: upstream.token},
            verify=trust(upstream.trust, folder),
            trust_env=False,  # a token goes to the platform and to nobody in between
        )

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Pushes an event; success is status 200 and ``000000``."""
        at = datetime.fromtimestamp(message["time"], UTC).isoformat()
        body = await _posted(
            self._client,
            self._url,
            {
                "messageId": message["key"][-64:],
                "deviceId": _short(message["venue"] or "?"),
                # A confirmation is no further alarm.
                "type": "operation" if message["stage"] == "confirmed" else "fire",
                "time": at,
                "phase": "end" if message["stage"] == "closed" else "begin",
                "category": message["category"],
                "what": f"{message['stage']}: {message['place'] or ''}"[:200],
                "value": message["grade"],
            },
        )
        told = json.loads(body)
        if told.get("code") != ReturnCode.OK:
            raise RuntimeError(f"{told.get('code')}: {told.get('message')}")
        return True


def _short(name: str) -> str:
    """A name that fits an id of Annex B, and is no other's."""
    if len(name) <= 64:
        return name
    return f"{name[:47]}#{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"


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
        self._adapters: dict[str, Adapter] = {}
        upstream = core.settings.upstream
        if upstream is not None:
            self._adapters[FORWARD] = UpstreamAdapter(upstream, folder)
        helpers = (helper.channel for helper in core.settings.helpers.values())
        supervisors = (one.channel for one in core.settings.supervisors.values())
        self._under_way = dict.fromkeys((*_CHANNELS, *helpers, *supervisors), 0)
        """Deliveries under way, by channel."""
        self._leased: dict[str, deque[Delivery]] = defaultdict(deque)
        """Those that wait for their channel."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[tuple[Delivery, bool | str]] = []
        self._wake = asyncio.Event()
        self._looked = -CHANNELS_S

    def _adapter(self, channel: str) -> Adapter:
        adapter = self._adapters.get(channel)
        if adapter is None:
            where = self.core.settings.channels.get(channel)
            if where is None:
                adapter = FileAdapter(self._folder / UNSENT, receipts=False)
            elif where.startswith("file:"):
                adapter = FileAdapter(self._folder / where.removeprefix("file:"))
            else:
                adapter = WebhookAdapter(where)
            self._adapters[channel] = adapter
        return adapter

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
        core, lanes = self.core, self._under_way
        now = core.clock.now()
        async with core.pool.acquire() as db:
            if time.monotonic() - self._looked >= CHANNELS_S:
                # Those of another host's settings, or of settings that were changed.
                self._looked = time.monotonic()
                await self._expire()
                for (channel,) in await db.fetch(
                    "SELECT DISTINCT channel FROM outbox WHERE due IS NOT NULL"
                ):
                    lanes.setdefault(channel, 0)
            await db.execute("SELECT end_leases($1)", now)
            rows = await db.fetch(
                _LEASE,
                now,
                LEASE_S * core.clock.speed,
                list(lanes),
                [
                    max(0, MOST_UNDER_WAY - number - len(self._leased[channel]))
                    for channel, number in lanes.items()
                ],
            )
        self._take(
            Delivery(
                i, kind, channel, alarm, venue, person, json.loads(body), tries, made, due, due
            )
            for i, kind, channel, alarm, venue, person, body, tries, made, due in sorted(rows)
        )

    def room(self) -> int:
        """How many more deliveries the worker may lease before it has begun those that it has."""
        return max(0, MOST_LEASED - sum(map(len, self._leased.values())))

    def start(self, batch: Batch) -> None:
        """Delivers what a batch has leased."""
        self._take(
            Delivery(i, "notify", channel, alarm, venue, person, body, 0, batch.now, batch.lease)
            for i, channel, alarm, venue, person, body in batch.leased
        )

    def _take(self, deliveries: Iterable[Delivery]) -> None:
        to_files: dict[FileAdapter, list[Delivery]] = defaultdict(list)
        for delivery in deliveries:
            adapter = self._adapter(delivery.channel)
            if isinstance(adapter, FileAdapter) and delivery.kind != COMMAND:
                to_files[adapter].append(delivery)
            else:
                self._leased[delivery.channel].append(delivery)
                self._begin(delivery.channel)
        for file, of_file in to_files.items():
            self._append(file, of_file)

    def _begin(self, channel: str) -> None:
        """Begins what waits for a channel, as far as it has room."""
        leased = self._leased[channel]
        while leased and self._under_way.setdefault(channel, 0) < MOST_UNDER_WAY:
            delivery = leased.popleft()
            left = (delivery.until - self.core.clock.now()) / self.core.clock.speed
            if left < TIMEOUT_S:  # it would end after its lease, under which it is leased anew
                continue
            self._under_way[channel] += 1
            task = asyncio.create_task(self._deliver(delivery))
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

    async def _deliver(self, delivery: Delivery) -> None:
        """Hands a message over: whether a receipt came with it, or what went wrong."""
        result: bool | str
        try:
            if delivery.kind == COMMAND and self.core.clock.now() - delivery.created > COMMAND_S:
                raise TimeoutError("too late; a command is given anew")
            async with asyncio.timeout(TIMEOUT_S):
                adapter = self._adapter(delivery.channel)
                result = await adapter.deliver(delivery.told(self.core))
        except Exception as error:
            result = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
        self._under_way[delivery.channel] -= 1
        self._begin(delivery.channel)
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
                for one in done:
                    await self._record_alone(one)

    async def _record_alone(self, one: tuple[Delivery, bool | str]) -> None:
        """What became of a delivery, without its step of the lifecycle where that refuses it."""
        try:
            await self._record([one])
        except (*DATABASE_AWAY, *COLLISION):
            self._done.append(one)
            raise
        except Exception:
            log.exception("message %d: the lifecycle does not take what became of it", one[0].id)
            await self._record([one], told=False)

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
                    await take_receipts(core, db, batch, receipts)
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
