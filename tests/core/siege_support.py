"""A registered core under load, and what is looked at after each blow."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

from twin.load.account import NOT_EXERCISED, Account
from twin.load.driver import Drive, Load, run
from twin.load.procedure import Aftermath, fire_messages, look, read_alarm
from twin.load.siege import Client, Fleet, ServedCore, SiegeError, register
from twin.load.traffic import Event, encode, events

VENDOR = "acme"
CONNECTIONS = 12
EVENTS_OF_A_ROUND = 2500
"""More than a round has time for, so that the blow falls under load."""

GRACE_S = 2.0
"""How long after its time, on a busy machine, a deadline may take to be recorded."""


def seed() -> int:
    """Of this run: ``SIEGE_SEED`` plays a run's choices again."""
    return int(os.environ.get("SIEGE_SEED", secrets.randbelow(2**31)))


class Siege:
    """A core, its fleet, an operator, and the account of everything that was said to it.

    Parameters
    ----------
    data : the core's data folder, new.
    seed : of all choices.
    database : URL; "": the embedded one.
    """

    def __init__(self, data: Path, seed: int, database: str = "") -> None:
        self.luck = random.Random(seed)
        self.seed = seed
        self.core = ServedCore(data, database=database)
        self.core.start()
        self.core.ready()
        self.vendor = self.core.add_vendor(VENDOR)
        self.operator = self.core.add_user("wang", "operator")
        with self.core.client(self.vendor) as client:
            self.fleet: Fleet = register(client, venues=40, devices_each=5)
        self.account = Account()
        self.down: list[tuple[float, float]] = []
        self.words: Counter[tuple[str, str]] = Counter()
        self.messages: Counter[str] = Counter()
        self.rounds = 0
        self._cursor = "0"

    # -- load -----------------------------------------------------------------------------------

    def storm(self, blow: Callable[[], None], after_s: float, linger_s: float) -> Load:
        """Load from many connections and an operator at work; in it, a blow.

        Parameters
        ----------
        blow : what strikes.
        after_s : so long after the load began.
        linger_s : how long the load goes on after it.
        """
        self.rounds += 1
        again = self.account.unacknowledged
        fresh = events(
            EVENTS_OF_A_ROUND,
            self.fleet.devices,
            self.luck.randrange(2**31),
            prefix=str(self.rounds),
        )
        known = sorted(self.account.acknowledged)
        repeats = [self.account.events[own] for own in self.luck.sample(known, len(known) // 50)]
        line = [*again, *fresh, *repeats[:200]]
        self.luck.shuffle(line)
        line += line[:50]  # some twice in one run
        sent: list[list[Event]] = []
        while line:
            size = 1 if self.luck.random() < 0.8 else self.luck.randint(2, 40)
            sent.append(line[:size])
            del line[:size]
        target = self.core.target(self.vendor)
        requests = [target.request(encode(p[0] if len(p) == 1 else p)) for p in sent]
        over = threading.Event()
        desk = threading.Thread(target=self._work, args=(over,))

        async def main() -> Load:
            drive = Drive(target, requests, CONNECTIONS)
            loop = asyncio.get_running_loop()
            struck = loop.create_future()

            def strike() -> None:
                blow()
                loop.call_later(linger_s, drive.stop)
                struck.set_result(None)

            loop.call_later(after_s, strike)
            load = await drive()
            await struck
            return load

        desk.start()
        try:
            load = run(main)
        finally:
            over.set()
            desk.join()
        self.account.settle(sent, load)
        return load

    def _work(self, over: threading.Event) -> None:
        """An operator's words about open alarms, until the load is over or the core is gone."""
        try:
            with self.core.client(self.operator) as client:
                while not over.is_set():
                    line = client.get("/core/alarm?open=true&limit=100")["alarms"]
                    self.luck.shuffle(line)
                    for alarm in line[:5]:
                        self._handle(client, alarm["id"], alarm["stage"])
        except (OSError, HTTPException, SiegeError):
            return  # the blow has fallen

    def _handle(self, client: Client, alarm: str, stage: str) -> None:
        words: list[dict[str, Any]] = [
            {"verb": "respond"},
            {"verb": "verify", "outcome": "not_a_fire"},
            {"verb": "annotate", "annotation": "false_alarm_nuisance"},
            {"verb": "close"},
        ]
        done = {"raised": 0, "responded": 1, "verified": 2}[stage]
        for word in words[done:]:
            answer = client.call("POST", f"/core/alarm/{alarm}", word)
            if answer.status == 200:
                self.words[alarm, word["verb"]] += 1
            elif answer.status != 400:  # 400: a message has reopened it meanwhile
                raise SiegeError(str(answer))

    # -- after the blow ---------------------------------------------------------------------------

    def canary(self) -> None:
        """The core takes an event again."""
        event = events(1, self.fleet.devices, self.luck.randrange(2**31), prefix="canary")
        until = time.monotonic() + 30
        with self.core.client(self.vendor) as client:
            while True:
                try:
                    answer = client.call("POST", "/thirdPartyApi/event", encode(event[0]))
                except (OSError, HTTPException) as error:
                    said = repr(error)
                else:
                    if answer.status == 200:
                        break
                    said = str(answer)
                    assert answer.status == 502, said
                    assert answer.retry_after, said
                assert time.monotonic() < until, f"nothing is taken any more: {said}"
                time.sleep(0.01)
        self.account.events[event[0]["messageId"]] = event[0]
        self.account.acknowledged.add(event[0]["messageId"])

    def check(self, *, whole: bool = False, delivered: bool = False) -> Aftermath:
        """Everything acknowledged is there once and unchanged; alarms go on. Else it fails.

        Parameters
        ----------
        whole : read everything and look at every alarm, not only at what is new or open.
        delivered : every notification must have its receipt by now.
        """
        with self.core.client(self.operator) as client:
            if whole:
                self.account.read_anew()
                self.messages.clear()
                self._cursor = "0"
            stored = list(client.pages("/core/event", "events", self._cursor))
            if stored:
                self._cursor = stored[-1]["id"]
            self.account.read_back(stored)
            findings = self.account.findings()
            assert findings.ok, f"seed {self.seed}, round {self.rounds}: {findings}"
            found, homeless = fire_messages(stored)
            assert not homeless, f"seed {self.seed}: fire messages without an alarm: {homeless[:5]}"
            self.messages += found
            now = client.get("/healthz")["clock"]
            if whole:
                looked = dict(self.messages)
            else:
                is_open = [line["id"] for line in client.pages("/core/alarm?open=true", "alarms")]
                looked = {alarm: self.messages[alarm] for alarm in is_open}
            if client.put_off_at and self.down:  # the blow was felt only now
                self.down[-1] = (self.down[-1][0], time.time())
            aftermath = look(
                client, looked, self.fleet, now, GRACE_S * self.core.speed, self.down,
                delivered=delivered,
            )  # fmt: skip
            said = "\n".join(aftermath.problems[:10])
            assert not aftermath.problems, f"seed {self.seed}, round {self.rounds}: {said}"
            for (alarm, word), times in self.words.items() if whole else ():
                kind = _KINDS[word]
                record = read_alarm(client, alarm)["record"]
                rows = sum(row["kind"] == kind and row["subject"] == "wang" for row in record)
                assert rows >= times, f"seed {self.seed}: {alarm}: {times} x {word}, {rows} rows"
        return aftermath

    def ripen(self) -> None:
        """Let every deadline fall due: the clock runs fast after another restart."""
        self.core.stop()
        self.core.speed = 60.0
        self.core.start()
        self.core.ready()
        until = time.monotonic() + 30
        with self.core.client(self.operator) as client:
            while (
                client.get("/core/deadline")["deadlines"]
                or client.get("/core/outbox?state=waiting")["messages"]
            ):
                assert time.monotonic() < until, "deadlines or notifications stay open"
                time.sleep(0.05)

    def report(self, what: str, aftermath: Aftermath) -> str:
        """What was exercised, and what was not."""
        down = sum(b - a for a, b in self.down)
        return (
            f"{what} (SIEGE_SEED={self.seed}): {self.account.findings()}; "
            f"answers by status {dict(self.account.answers)} (0: none came); "
            f"{sum(self.words.values())} operator's words; {aftermath.alarms} alarms, "
            f"{aftermath.missed} deadlines missed once each, {aftermath.due_while_down} of them "
            f"due while the core was down ({down:.0f} s in all).\n"
            "Not exercised: " + "; ".join(NOT_EXERCISED) + "."
        )


_KINDS = {
    "respond": "responded", "verify": "verified", "annotate": "annotated", "close": "closed",
}  # fmt: skip
