"""Several workers, and several hosts, on one database: nothing twice, and nothing left.

A second host is a second service with a data folder of its own. What is looked at is the public
interface and what the receiver of a channel got.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annexb_support import contacted, core_in, database, registry, until, vendor_of
from receiver import Receiver
from siege_support import GRACE_S

from twin.load.account import Account
from twin.load.driver import Drive, run
from twin.load.procedure import fire_messages, look
from twin.load.siege import Fleet, ServedCore, SiegeError, kill, register
from twin.load.traffic import encode, events

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="finds processes in /proc, which Linux has"
)

EVENTS = 1500
SPEED = 20.0
"""So that the minute of 6.1 is over in three seconds."""
SETTINGS = """
[channels]
voice = "{voice}"
sms = "{sms}"
"""


Blow = Callable[[], None]


class Party:
    """Services on one database, a fleet, and the account of what was said to them.

    Parameters
    ----------
    folder : for their data.
    receiver : of the channels.
    workers : of each service.
    hosts : services.
    """

    def __init__(self, folder: Path, receiver: Receiver, workers: int, hosts: int) -> None:
        self.receiver = receiver
        self.cores: list[ServedCore] = []
        settings = SETTINGS.format(voice=receiver.url("voice"), sms=receiver.url("sms"))
        for number in range(hosts):
            data = folder / f"host-{number}"
            data.mkdir()
            (data / "core.toml").write_text(settings)
            database = ""
            if number:
                first = self.cores[0]
                database = url_of(first.data)
                (data / "secret.key").write_bytes((first.data / "secret.key").read_bytes())
            core = ServedCore(data, workers=workers, database=database, speed=SPEED)
            self.cores.append(core)
            core.start()
            core.ready()
        first = self.cores[0]
        self.vendor, self.operator = first.add_vendor("acme"), first.add_user("wang", "operator")
        with first.client(self.vendor) as client:
            self.fleet: Fleet = register(
                client, venues=25, devices_each=4, people=5, channels=("voice", "sms")
            )
        self.account = Account()
        self.alarms: dict[str, int] = {}

    def stop(self) -> None:
        """Stops all, the one with the database last."""
        for core in reversed(self.cores):
            core.stop()

    def storm(self, seed: int, blow: Blow | None = None) -> None:
        """Load on all of them at once; what is not acknowledged is pushed again, to the next."""
        fresh = events(EVENTS, self.fleet.devices, seed)
        parts = [fresh[number :: len(self.cores)] for number in range(len(self.cores))]
        parts = [[*part, *fresh[:50]] for part in parts]  # some to every host
        for _ in range(20):
            sents = [[part[i : i + 4] for i in range(0, len(part), 4)] for part in parts]

            async def main(sents: list[Any] = sents, blow: Blow | None = blow) -> list[Any]:
                drives = []
                for core, sent in zip(self.cores, sents, strict=True):
                    target = core.target(self.vendor)
                    requests = [target.request(encode(some)) for some in sent]
                    drives.append(Drive(target, requests, 8)())
                if blow is not None:
                    asyncio.get_running_loop().call_later(0.3, blow)
                return list(await asyncio.gather(*drives))

            for sent, load in zip(sents, run(main), strict=True):
                self.account.settle(sent, load)
            left, blow = self.account.unacknowledged, None
            if not left:
                return
            parts = [left, *([] for _ in self.cores[1:])]
            time.sleep(0.2)
        raise AssertionError(f"{len(left)} events are not taken")

    def check(self) -> None:
        """Every event is there once, every alarm goes on, and nobody is told anything twice."""
        with self.cores[-1].client(self.operator) as client:
            stored = list(client.pages("/core/event", "events"))
            self.account.read_anew()
            self.account.read_back(stored)
            findings = self.account.findings()
            assert findings.ok, str(findings)
            found, homeless = fire_messages(stored)
            assert not homeless
            until = time.monotonic() + 45
            while (
                client.get("/core/outbox?state=waiting&limit=1")["messages"]
                or client.get("/core/deadline?limit=1")["deadlines"]
            ):
                assert time.monotonic() < until, "deadlines or messages stay open"
                time.sleep(0.1)
            now = client.get("/healthz")["clock"]
            aftermath = look(client, found, self.fleet, now, GRACE_S, delivered=True)
            assert not aftermath.problems, aftermath.problems[:10]
            sent = {line["id"] for line in client.pages("/core/outbox", "messages")}
        keys = self.receiver.keys()
        assert {key.rpartition("-")[2] for key in keys} == sent
        self.alarms = dict(found)

    def repeated(self) -> int:
        """Messages that a receiver got more than once."""
        return sum(times > 1 for times in self.receiver.keys().values())


def url_of(data: Path) -> str:
    """The URL of the PostgreSQL in a data folder."""
    from twin.alarmcore.service.serve import database_of

    with database_of(data) as url:
        return url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def party(tmp_path: Path, receiver: Receiver, request: pytest.FixtureRequest) -> Iterator[Party]:
    workers, hosts = request.param
    party = Party(tmp_path, receiver, workers, hosts)
    try:
        yield party
    finally:
        party.stop()


@pytest.mark.parametrize("party", [(3, 1), (1, 2)], indirect=True, ids=["3-workers", "2-hosts"])
def test_nothing_is_done_twice(party: Party) -> None:
    party.storm(1)
    party.check()
    assert party.repeated() == 0


@pytest.mark.parametrize("party", [(3, 1)], indirect=True, ids=["3-workers"])
def test_a_worker_that_is_killed_leaves_nothing(party: Party) -> None:
    (core,) = party.cores
    killed: list[int] = []

    def blow() -> None:
        killed.append(core.worker_pids()[0])
        kill(killed)

    party.storm(2, blow)
    party.check()
    assert killed[0] not in core.worker_pids()
    assert len(core.worker_pids()) == 3
    # What it had under way is told again, with the same key; nothing else is.
    assert party.repeated() <= 200


def test_a_vendor_is_pulled_by_one_worker_at_a_time(tmp_path: Path) -> None:
    async def scenario(core: ServedCore) -> None:
        async with vendor_of(core, "acme", registry(devices=20)) as vendor, database(core) as db:
            await contacted(db, "acme")
            assert vendor.calls.count("getProjectList") == 1
            assert vendor.calls.count("getChannelList") == 20
            vendor.calls.clear()
            await vendor.push("pushProject", vendor.data.projects)
            await until(lambda: asyncio.sleep(0, vendor.calls.count("getChannelList") == 20))
            await asyncio.sleep(1.5)  # all workers have looked again
            assert vendor.calls.count("getProject") == 1
            assert vendor.calls.count("getChannelList") == 20

    with core_in(tmp_path, workers=3) as core:
        asyncio.run(scenario(core))


def test_hosts_on_one_database_need_the_same_key(tmp_path: Path) -> None:
    first = ServedCore(tmp_path / "first")
    try:
        first.start()
        first.ready()
        second = ServedCore(tmp_path / "second", database=url_of(first.data))
        second.start()
        with pytest.raises(SiegeError) as refusal:
            second.ready()
        said = str(refusal.value)
        assert "ended with 2" in said
        assert str(tmp_path / "second" / "secret.key") in said
        assert "copy secret.key" in said
    finally:
        first.stop()
