"""Delivering what the lifecycle decided to send: notifications, confirmed alarms, forwards.

What is to be sent is a row that was written with the decision. A worker leases due rows, hands
them to the channel's adapter and records what became of them. A worker that dies in between leaves
the lease to run out: the delivery is then repeated with the same key, by which a receiver can tell.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import asyncpg

from twin.alarmcore.annexb.codes import PREFIX, TOKEN_HEADER, ReturnCode
from twin.alarmcore.lifecycle import ConfirmedSent, NotificationFailed, NotificationReceipt
from twin.alarmcore.service.config import Upstream
from twin.alarmcore.service.core import Core
from twin.alarmcore.service.engine import advance
from twin.alarmcore.store.database import DATABASE_AWAY

log = logging.getLogger("twin.core")

LEASE_S = 30.0
"""How long a delivery may take before another worker repeats it."""

TIMEOUT_S = 10.0
"""How long an adapter waits for its receiver (assumption)."""

MOST_AT_ONCE = 100
IDLE_S = 0.1
_LONGEST_RETRY_S = 3600.0


class Delivery(NamedTuple):
    """A message on its way.

    Parameters
    ----------
    id : of the row; part of the key.
    kind : notify, confirmed, forward or command.
    channel : voice, sms, app and so on.
    alarm : id, None if it is about none.
    venue : where.
    person : to whom.
    body : what is said.
    tries : earlier tries.
    created : when it was decided, s.
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
    """Appends messages to a file, one JSON object a line: for development. It gives receipts.

    Parameters
    ----------
    path : the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Appends a line."""
        line = json.dumps(message, ensure_ascii=False) + "\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
        return True


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
        answer = await self._client.post(
            self._url, json=message, headers={"Idempotency-Key": message["key"]}
        )
        answer.raise_for_status()
        try:
            told = answer.json()
        except ValueError:
            return False
        return isinstance(told, dict) and told.get("receipt") is True


class UpstreamAdapter:
    """Tells a central platform of alarms as a vendor platform would: API 22 (4.3).

    Parameters
    ----------
    upstream : where it is.
    """

    def __init__(self, upstream: Upstream) -> None:
        import httpx

        self._url = f"{upstream.url.rstrip('/')}{PREFIX}/event"
        trust = ssl.create_default_context(cafile=upstream.trust or None)
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S, headers={TOKEN_HEADER: upstream.token}, verify=trust
        )

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Pushes an event; success is status 200 and ``000000``."""
        at = datetime.fromtimestamp(message["time"], UTC).isoformat()
        answer = await self._client.post(
            self._url,
            json={
                "messageId": message["key"][-64:],
                "deviceId": (message["venue"] or "?")[-64:],
                "type": "fire",
                "time": at,
                "phase": "end" if message["stage"] == "closed" else "begin",
                "category": message["category"],
                "what": f"{message['stage']}: {message['place'] or ''}"[:200],
                "value": message["grade"],
            },
        )
        answer.raise_for_status()
        told = answer.json()
        if told.get("code") != ReturnCode.OK:
            raise RuntimeError(f"{told.get('code')}: {told.get('message')}")
        return True


class Outbox:
    """The deliveries of a worker.

    Parameters
    ----------
    core : the worker's.
    folder : where file adapters write.
    """

    def __init__(self, core: Core, folder: Path) -> None:
        self.core = core
        self._folder = folder
        self._adapters: dict[str, Adapter] = {}

    def _adapter(self, channel: str) -> Adapter:
        adapter = self._adapters.get(channel)
        if adapter is None:
            where = self.core.settings.channel(channel)
            upstream = self.core.settings.upstream
            if channel == "forward" and upstream is not None:
                adapter = UpstreamAdapter(upstream)
            elif where.startswith("file:"):
                adapter = FileAdapter(self._folder / where.removeprefix("file:"))
            else:
                adapter = WebhookAdapter(where)
            self._adapters[channel] = adapter
        return adapter

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        while True:
            try:
                while await self.deliver_due() == MOST_AT_ONCE:
                    pass
            except DATABASE_AWAY as error:
                self.core.lost_database(error)
                await asyncio.sleep(1.0)
            except Exception:
                log.exception("the outbox could not be worked on")
                await asyncio.sleep(1.0)
            await asyncio.sleep(IDLE_S / self.core.clock.speed)

    async def deliver_due(self) -> int:
        """Delivers what is due, side by side; returns how many there were."""
        now = self.core.clock.now()
        async with self.core.pool.acquire() as db:
            rows = await db.fetch(
                """
                UPDATE outbox SET due = $1 + $3 WHERE id IN (
                    SELECT id FROM outbox WHERE state = 'waiting' AND due <= $1
                    ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED
                ) RETURNING id, kind, channel, alarm, venue, person, body, tries, created
                """,
                now,
                MOST_AT_ONCE,
                LEASE_S * self.core.clock.speed,
            )
        due = [
            Delivery(i, kind, channel, alarm, venue, person, json.loads(body), tries, created)
            for i, kind, channel, alarm, venue, person, body, tries, created in sorted(rows)
        ]
        results = await asyncio.gather(*(self._deliver(delivery) for delivery in due))
        if due:
            await self._record(list(zip(due, results, strict=True)))
        return len(due)

    async def _deliver(self, delivery: Delivery) -> bool | str:
        """Whether a receipt came with it, or what went wrong."""
        try:
            message = delivery.told(self.core)
            return await self._adapter(delivery.channel).deliver(message)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:500]

    async def _record(self, results: list[tuple[Delivery, bool | str]]) -> None:
        settings, speed = self.core.settings, self.core.clock.speed
        async with self.core.transaction() as (db, batch):
            rows: list[tuple[Any, ...]] = []
            receipts, given_up = [], []
            for delivery, result in results:
                tries = delivery.tries + 1
                if isinstance(result, str):
                    last = tries >= settings.notify_tries
                    wait = min(settings.notify_retry * 2**delivery.tries, _LONGEST_RETRY_S) * speed
                    state = "failed" if last else "waiting"
                    rows.append((delivery.id, state, batch.now + wait, tries, None, None, result))
                    if last:
                        given_up.append(delivery)
                else:
                    state = "received" if result else "sent"
                    received = batch.now if result else None
                    rows.append((delivery.id, state, batch.now, tries, batch.now, received, None))
                    if result:
                        receipts.append(delivery)
            await db.executemany(
                "UPDATE outbox SET state = $2, due = $3, tries = $4, sent = coalesce(sent, $5), "
                "received = $6, error = $7 WHERE id = $1 AND state IN ('waiting', 'sent')",
                rows,
            )
            await take_receipts(self.core, db, batch, receipts)
            await self._give_up(db, batch, given_up)
        self.core.metrics.delivered += len(results)

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


async def take_receipts(
    core: Core, db: asyncpg.Connection, batch: Any, deliveries: list[Delivery]
) -> None:
    """Receipts of notifications and of confirmed alarms go to the lifecycle."""
    events: list[tuple[str, NotificationReceipt | ConfirmedSent]] = []
    for delivery in deliveries:
        _, kind, channel, alarm, venue, person, *_ = delivery
        if alarm is None or venue is None:
            continue
        if kind == "notify":
            events.append((venue, NotificationReceipt(alarm, person, channel)))
        elif kind == "confirmed" and await db.fetchval(
            "SELECT closed IS NULL FROM alarm WHERE id = $1", alarm
        ):
            events.append((venue, ConfirmedSent(alarm, person)))
    if events:
        await advance(db, batch, events, core.rules)
