"""What a worker knows by heart is checked by the statement that writes: nothing is decided on less.

Two hosts on one database are two workers that can be told apart; what is looked at is the public
interface.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from holding import holding
from receiver import Receiver, broken, taken
from test_core_archive import push
from test_core_schema import cluster, database
from test_core_settled import work_off

from twin.alarmcore.lifecycle import DEFAULT_RULES, DeviceEnabled, MessageReceived
from twin.alarmcore.service.engine import advance
from twin.alarmcore.service.serve import database_of
from twin.alarmcore.store.batch import Batch, Message, read_states, receive
from twin.alarmcore.store.database import prepare
from twin.load.account import Account
from twin.load.driver import Drive, Load, Target, run
from twin.load.procedure import fire_messages, look
from twin.load.siege import Client, Fleet, ServedCore, register
from twin.load.traffic import Event, Mix, encode, events
from twin.terms import Category

__all__ = ["cluster"]

SETTINGS = """
notify_tries = 100
notify_retry = "0.1 s"
receipt_wait = "3 s"
[channels]
voice = "{voice}"
"""
PEOPLE = 2
CHANNELS = ("voice", "sms")

_ENABLED = DeviceEnabled("d")
"""Changes nothing."""

_venues = itertools.count()


def eventually(what: Callable[[], Any], seconds: float = 15.0) -> Any:
    """What comes true in time."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)
    return found


class Hosts(NamedTuple):
    """Two hosts, a vendor's client at each, an operator, and a gateway of voice for each host."""

    one: Client
    other: Client
    desk: Client
    receiver: Receiver
    cores: tuple[ServedCore, ServedCore]

    def record(self, alarm: str, kind: str) -> list[Any]:
        """Rows of a kind in an alarm's record."""
        rows = self.desk.get(f"/core/alarm/{alarm}")["record"]
        return [row for row in rows if row["kind"] == kind]

    def open_alarm(self, venue: str) -> Any:
        """The open alarm of a venue."""
        lines = self.desk.get("/core/alarm?open=true&limit=1000")["alarms"]
        (line,) = [line for line in lines if line["venue"] == f"acme/{venue}"]
        return line


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder: Path = tmp_path_factory.mktemp("by-heart")
    with Receiver() as receiver:
        first, second = folder / "one", folder / "other"
        for data in (first, second):
            data.mkdir()
            (data / "core.toml").write_text(SETTINGS.format(voice=receiver.url(data.name)))
        one = ServedCore(first)
        one.start()
        try:
            one.ready()
            (second / "secret.key").write_bytes((first / "secret.key").read_bytes())
            with database_of(first) as url:
                other = ServedCore(second, database=url)
            other.start()
            try:
                other.ready()
                vendor, operator = one.add_vendor("acme"), one.add_user("wang", "operator")
                with (
                    one.client(vendor) as at_one,
                    other.client(vendor) as at_other,
                    one.client(operator) as desk,
                ):
                    register(at_one, venues=8, devices_each=1, people=PEOPLE, channels=("voice",))
                    yield Hosts(at_one, at_other, desk, receiver, (one, other))
            finally:
                other.stop()
        finally:
            one.stop()


@pytest.fixture
def venue(hosts: Hosts) -> Iterator[tuple[str, str]]:
    """A venue of which nobody knows anything yet, and its device."""
    hosts.receiver.does.clear()
    number = next(_venues)
    yield f"v{number:05d}", f"smoke-{number:06d}"
    work_off(hosts.desk)


def test_a_receipt_that_another_worker_gets_is_in_the_record(
    hosts: Hosts, venue: tuple[str, str]
) -> None:
    """It knows the venue by heart as it was before the alarm."""
    place, device = venue
    push(hosts.other, device, "fire")
    work_off(hosts.desk)
    hosts.receiver.does["one"] = broken  # whom the first host tells in vain, the other one reaches
    push(hosts.one, device, "fire")
    alarm = hosts.open_alarm(place)["id"]
    eventually(
        lambda: (
            {line["state"] for line in hosts.desk.get(f"/core/alarm/{alarm}")["notifications"]}
            == {"received"}
        )
    )
    notified = hosts.record(alarm, "notified")
    assert {row["subject"] for row in notified} == {f"acme/{place}#{n}" for n in (1, 2)}


def test_a_word_that_changes_nothing_any_more_changes_what_has_changed_since(
    hosts: Hosts, venue: tuple[str, str]
) -> None:
    """A device is disabled, enabled at another worker, and disabled again: it is disabled."""
    place, device = venue
    push(hosts.one, device, "disablement", what="painting", phase="begin")
    push(hosts.one, device, "fire")
    push(hosts.other, device, "fire")  # the other one knows the state, too
    push(hosts.one, device, "disablement", phase="end")
    push(hosts.other, device, "disablement", what="painting", phase="begin")
    alarm = hosts.open_alarm(place)["id"]
    for word in ({"verb": "respond"}, {"verb": "verify", "outcome": "test"}):
        hosts.desk.post(f"/core/alarm/{alarm}", word)
    push(hosts.one, device, "fire")
    assert not hosts.record(alarm, "reopened")  # a disabled device reopens none


def test_everybody_who_is_responsible_by_now_is_notified(
    hosts: Hosts, venue: tuple[str, str]
) -> None:
    """The people of a venue changed while an alarm was open."""
    place, device = venue
    push(hosts.one, device, "fire")
    people = [{"name": f"n{n}", "phone": f"10{n}", "channels": ["voice"]} for n in range(4)]
    hosts.one.post(
        "/thirdPartyApi/venue",
        {"venueId": place, "projectId": "p", "name": "Shop", "responsible": people},
    )
    push(hosts.one, device, "fire")
    work_off(hosts.desk)
    push(hosts.one, device, "fire")
    alarm = hosts.open_alarm(place)["id"]
    notified = eventually(lambda: len(r := hosts.record(alarm, "notified")) >= PEOPLE and r)
    told = hosts.desk.get(f"/core/alarm/{alarm}")["notifications"]
    assert len(told) == 4
    eventually(lambda: len(hosts.record(alarm, "notified")) == 4)
    assert notified


def test_a_message_that_comes_to_two_workers_at_once_holds_up_neither(cluster: str) -> None:
    """One decides by heart, the other one with locks: they take them in the same order."""

    async def scenario() -> None:
        async with database(cluster, "by_heart") as db:
            await prepare(db, "center")
            name = await db.fetchval("SELECT current_database()")
            by_heart, locking = [await asyncpg.connect(cluster, database=name) for _ in range(2)]
            async with db.transaction():
                await advance(db, Batch("center", 0.0), [("shop", _ENABLED)], DEFAULT_RULES)
            known = await read_states(db, ["shop"])
            batch = Batch("center", 1.0)
            batch.held = known
            fire = MessageReceived(1, "d", Category.FIRE)
            await advance(by_heart, batch, [("shop", fire)], DEFAULT_RULES)
            async with locking.transaction():
                async with db.transaction():
                    await read_states(db, ["shop"])
                    one = asyncio.create_task(
                        batch.write_unseen(by_heart, [Message(1, 1, "m", b"{}")])
                    )
                    await asyncio.sleep(0.2)
                    other = asyncio.create_task(
                        receive(
                            locking, Batch("center", 1.0), [Message(2, 1, "m", b"{}")], ["shop"]
                        )
                    )
                    await asyncio.sleep(0.2)
                assert await one
                assert await other == {2}  # it is known
            for connection in (by_heart, locking):
                await connection.close()

    asyncio.run(scenario())


def test_a_receipt_while_what_became_of_deliveries_is_written(
    hosts: Hosts, venue: tuple[str, str]
) -> None:
    """Both change a message and its venue: they take them in the same order."""
    place, device = venue
    answered = threading.Event()

    def later(message: dict[str, Any]) -> Any:
        answered.wait(10)
        return {"receipt": message["to"].endswith("#1")}

    hosts.receiver.does["one"] = later
    push(hosts.one, device, "fire")
    alarm = hosts.open_alarm(place)["id"]
    got = eventually(lambda: len(g := hosts.receiver.of(alarm)) == PEOPLE and g)
    (second,) = (one.message for one in got if one.message["to"].endswith("#2"))
    lock = f"SELECT FROM venue_state WHERE venue = 'acme/{place}' FOR UPDATE"
    said: list[int] = []

    def tell() -> None:
        told = {"key": second["key"], "receipt": second["receipt"]}
        with hosts.cores[0].client() as anybody:
            said.append(anybody.call("POST", "/core/receipt", told).status)

    with holding(hosts.cores[0].data, lock):
        answered.set()
        time.sleep(0.5)  # the results wait for the venue
        teller = threading.Thread(target=tell)
        teller.start()
        time.sleep(0.5)
    teller.join()
    assert said == [200]
    eventually(lambda: len(hosts.record(alarm, "notified")) == PEOPLE)
    for core in hosts.cores:
        assert "Deadlock" not in core.log.read_text()


def test_whose_receipt_does_not_come_in_time_is_not_notified_until_it_comes(
    hosts: Hosts, venue: tuple[str, str]
) -> None:
    place, device = venue
    hosts.receiver.does["one"] = taken
    push(hosts.one, device, "fire")
    alarm = hosts.open_alarm(place)["id"]
    eventually(lambda: len(hosts.record(alarm, "not_notified")) == PEOPLE)
    assert not hosts.record(alarm, "notified")
    got, *_ = hosts.receiver.of(alarm)
    with hosts.cores[1].client() as anybody:
        anybody.post("/core/receipt", {key: got.message[key] for key in ("key", "receipt")})
    (row,) = hosts.record(alarm, "notified")
    assert row["subject"] == got.message["to"]


SPEED = 20.0
"""So that the minute of 6.1 is over in three seconds."""
EVENTS = 1500
WAVES = 4
CONNECTIONS = 24


def heated(seed: int) -> list[Event]:
    """Events of few devices, a third of them fires, with disablements; some come again."""
    made = events(EVENTS, [f"smoke-{n:06d}" for n in range(6)], seed, Mix(0.35, 0.2))
    for number, event in enumerate(made):
        if event["type"] == "state" and number % 3 == 0:
            event.update(type="disablement", what="painting", phase=("begin", "end")[number & 1])
            del event["parameters"]
    line = [*made, *made[: EVENTS // 5]]
    random.Random(seed).shuffle(line)
    return line


def test_few_venues_under_many_pushes(tmp_path: Path) -> None:
    """Two workers, each of which knows three venues by heart, and an operator; all at once."""
    data = tmp_path / "core"
    core = ServedCore(data, workers=2, speed=SPEED)
    statuses: set[int] = set()

    def receipt_first(message: dict[str, Any]) -> Any:
        """The receipt is there before the channel has answered."""
        told = {"key": message["key"], "receipt": message["receipt"]}
        with core.client() as anybody:
            statuses.add(anybody.call("POST", "/core/receipt", told).status)
        return {}

    with Receiver() as receiver:
        receiver.does["sms"] = receipt_first
        data.mkdir()
        (data / "core.toml").write_text(
            f'[channels]\nvoice = "{receiver.url("voice")}"\nsms = "{receiver.url("sms")}"\n'
        )
        core.start()
        try:
            core.ready()
            vendor, operator = core.add_vendor("acme"), core.add_user("wang", "operator")
            with core.client(vendor) as client:
                fleet = register(client, venues=3, devices_each=2, people=3, channels=CHANNELS)
            account = storm(core, vendor, operator)
            with core.client(operator) as desk:
                check(desk, receiver, account, fleet)
            assert statuses == {200}
            assert '"level": "error"' not in core.log.read_text()
        finally:
            core.stop()


def storm(core: ServedCore, vendor: str, operator: str) -> Account:
    """Waves of pushes from many connections, each taken at once; an operator works off alarms."""
    account, target, line = Account(), core.target(vendor), heated(seed=8)
    for first in range(0, len(line), len(line) // WAVES):
        left, sent = line[first : first + len(line) // WAVES], []
        while left:
            size = 1 + len(left) % 3
            sent.append(left[:size])
            del left[:size]
        with working(core, operator):
            load = run(partial(driven, target, sent))
        assert set(load.status.tolist()) == {200}
        account.settle(sent, load)
    return account


async def driven(target: Target, sent: Sequence[Sequence[Event]]) -> Load:
    """Pushes from many connections."""
    return await Drive(target, [target.request(encode(some)) for some in sent], CONNECTIONS)()


@contextlib.contextmanager
def working(core: ServedCore, operator: str) -> Iterator[None]:
    """An operator works off alarms meanwhile, and those that are left at the end."""
    over = threading.Event()

    def work() -> None:
        with core.client(operator) as desk:
            while not over.is_set():
                work_off(desk)
                time.sleep(0.05)
            work_off(desk)

    desk = threading.Thread(target=work)
    desk.start()
    try:
        yield
    finally:
        over.set()
        desk.join()


def check(desk: Client, receiver: Receiver, account: Account, fleet: Fleet) -> None:
    """Every message is there once, and what follows from it; nothing is left."""

    def open_ones() -> Any:
        return (
            desk.get("/core/outbox?state=waiting&limit=1")["messages"]
            or desk.get("/core/outbox?state=sent&limit=1")["messages"]
            or desk.get("/core/deadline?limit=1")["deadlines"]
        )

    eventually(lambda: not open_ones())
    stored = list(desk.pages("/core/event", "events"))
    account.read_back(stored)
    assert account.findings().ok, str(account.findings())
    found, homeless = fire_messages(stored)
    assert not homeless
    now = desk.get("/healthz")["clock"]
    aftermath = look(desk, found, fleet, now, SPEED, delivered=True)
    assert not aftermath.problems, aftermath.problems[:10]
    alarms = list(desk.pages("/core/alarm", "alarms"))
    assert {line["id"] for line in alarms} == set(found)
    assert len(alarms) >= WAVES * len(fleet.venues)  # they are closed after every wave
    by_venue = sorted(alarms, key=lambda line: (line["venue"], line["raised"]))
    for before, after in itertools.pairwise(by_venue):
        if before["venue"] == after["venue"]:
            assert before["closed"] is not None
            assert before["closed"] <= after["raised"]
    sent = {line["id"] for line in desk.pages("/core/outbox", "messages")}
    told = receiver.keys()
    assert {key.rpartition("-")[2] for key in told} == sent
