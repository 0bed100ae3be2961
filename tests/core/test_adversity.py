"""Database away, disk or queue full, clock set back, late events: nothing taken is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from siege_support import Siege, seed

from twin.alarmcore.service.clock import ServiceClock
from twin.alarmcore.store.database import Cluster
from twin.load.driver import Drive, Load, drive, run
from twin.load.procedure import RESPOND_S
from twin.load.siege import children, kill
from twin.load.traffic import Mix, encode, events, pushes

LINUX = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="finds processes in /proc, which Linux has"
)
RESUME_S = 4.0
EVENT = "/thirdPartyApi/event"


@pytest.fixture
def siege(tmp_path: Path) -> Iterator[Siege]:
    with serving(Siege(tmp_path / "core", seed())) as siege:
        yield siege


@contextlib.contextmanager
def serving(siege: Siege) -> Iterator[Siege]:
    try:
        yield siege
    finally:
        siege.core.stop()


def test_database_goes_away_and_comes_back(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "cluster")
    tmp_path.chmod(0o711)
    url = cluster.start()
    try:
        with serving(Siege(tmp_path / "core", seed(), url)) as siege:
            # PostgreSQL ends in mid-load as an administrator ends it, and stays away for a while.
            siege.storm(cluster.stop, 0.2, linger_s=0.5)
            with siege.core.client() as client:
                assert client.call("GET", "/healthz").status == 503
            refused = siege.account.answers[502]
            assert refused > 0
            assert siege.account.refused_without_retry == 0
            assert set(siege.account.answers) <= {0, 200, 502}
            cluster.ensure()
            siege.core.ready()
            siege.canary()
            siege.check(whole=True)
            # What was refused is sent again, and now taken.
            again = siege.account.unacknowledged
            load = drive(siege.core.target(siege.vendor), [encode(event) for event in again], 8)
            siege.account.settle([[event] for event in again], load)
            assert not siege.account.unacknowledged
            siege.check(whole=True)
    finally:
        cluster.stop()


@LINUX
def test_number_of_a_dead_postmaster_that_is_anothers(tmp_path: Path) -> None:
    """After a power cut: the file is there, and the number belongs to somebody else."""
    tmp_path.chmod(0o711)
    Cluster(tmp_path / "cluster").start()
    file = tmp_path / "cluster" / "postmaster.pid"
    first = int(file.read_text().split()[0])
    kill([first, *children(first)])
    while Cluster(tmp_path / "cluster").running():
        time.sleep(0.01)
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            file.write_text(file.read_text().replace(str(first), str(other.pid), 1))
            cluster = Cluster(tmp_path / "cluster")
            assert not cluster.running()
            asyncio.run(_answers(cluster.start()))
            cluster.stop()
            assert other.poll() is None
        finally:
            other.terminate()


async def _answers(url: str) -> None:
    db = await asyncpg.connect(url)
    assert await db.fetchval("SELECT 1") == 1
    await db.close()


@LINUX
def test_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs", str(disk)],
        capture_output=True, text=True, check=False,
    ) if os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("needs a small disk: run as root, where tmpfs can be mounted")
    tmp_path.chmod(0o711)
    try:
        with serving(Siege(disk / "core", seed())) as siege:
            ballast = disk / "ballast"

            def fill() -> None:
                with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(1 << 16))

            rounds = 0
            while not siege.account.answers[502]:
                # The log has room in its present segments: it takes a few rounds to fill them.
                siege.storm(fill if rounds == 0 else lambda: None, 0.05, linger_s=1.0)
                rounds += 1
                assert rounds < 60, "a full disk was never noticed"
            assert siege.account.refused_without_retry == 0
            assert set(siege.account.answers) <= {0, 200, 502}
            ballast.unlink()
            siege.core.ready()
            siege.canary()
            siege.check(whole=True)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@LINUX
def test_full_queue_answers_502_and_takes_fires(siege: Siege) -> None:
    core, account = siege.core, siege.account
    plain = [
        {key: event[key] for key in ("messageId", "deviceId", "time")} | {"type": "online"}
        for event in events(70_000, siege.fleet.devices, 1, Mix(fire=0.0), prefix="plain")
    ]
    fires = events(5, siege.fleet.devices, 2, Mix(fire=1.0), prefix="fire")
    sent = [*pushes(plain, 1000), *([fire] for fire in fires)]
    target = core.target(siege.vendor)
    requests = [target.request(encode(part)) for part in sent]
    # The fires come when the queue is full; each push has a connection of its own.
    due = np.concatenate([np.zeros(70), np.full(len(fires), 3.0)])
    database = [core.postmaster(), *children(core.postmaster())]

    async def main() -> Load:
        kill(database, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(RESUME_S, kill, database, signal.SIGCONT)
        return await Drive(target, requests, len(sent), due)()

    try:
        load = run(main)
    finally:
        kill(database, signal.SIGCONT)
    account.settle(sent, load)
    assert account.answers[502] > 0
    assert account.refused_without_retry == 0
    assert set(account.answers) == {200, 502}
    refused = load.answers(502)
    assert (load.answered[refused] < RESUME_S).all(), "a refusal does not wait for the database"
    # The fires found room, and went before the plain pushes that had waited longer.
    assert (load.status[-len(fires) :] == 200).all()
    taken = load.answers(200)
    last_plain = load.answered[taken[taken < 70]].max()
    assert (load.answered[-len(fires) :] < last_plain).all()
    siege.check(whole=True)


def test_clock_set_back_while_running_and_while_down(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: ticks[0])
    clock = ServiceClock(1000.0)
    ticks[0] = 10.0
    clock.agree(1010.0 - 500.0)  # set back by 500 s: goes on, a tenth slower
    assert clock.now() == pytest.approx(1010.0)
    ticks[0] = 110.0
    assert clock.now() == pytest.approx(1010.0 + 90.0)
    assert clock.calendar() == pytest.approx(610.0)
    ticks[0] = 10_010.0
    assert clock.now() == pytest.approx(clock.calendar())  # they have agreed again
    clock.agree(clock.calendar() + 3600.0)  # set forward: followed at once
    assert clock.now() == pytest.approx(510.0 + 10_000.0 + 3600.0)
    again = ServiceClock(1000.0, not_before=4600.0)
    assert again.ahead_s == pytest.approx(3600.0)
    assert again.now() == 4600.0
    ticks[0] += 1.0
    assert again.now() == pytest.approx(4600.9)
    driven = ServiceClock(1000.0, 0.0, 60.0, (5000.0, 990.0))
    assert driven.now() == pytest.approx(5600.0)


def test_deadline_is_missed_once_after_the_clock_was_set_back(siege: Siege) -> None:
    """A clock an hour behind what the core has told already, as after a restart by a dead battery.

    The machine's clock cannot be set in a test, so the core's mark is set ahead instead.
    """
    siege.storm(lambda: None, 0.3, linger_s=0.0)
    siege.check(whole=True)
    siege.core.stop()
    cluster = Cluster(siege.core.data / "postgres")

    async def ahead(url: str) -> float:
        db = await asyncpg.connect(url)
        try:
            told: float = await db.fetchval("UPDATE core SET clock = clock + 3600 RETURNING clock")
        finally:
            await db.close()
        return told

    told = asyncio.run(ahead(cluster.start()))
    cluster.stop()
    siege.core.start()
    siege.core.ready()
    with siege.core.client(siege.operator) as client:
        assert told <= client.get("/healthz")["clock"] < told + 60.0
    siege.canary()
    time.sleep(0.5)
    aftermath = siege.check(whole=True)
    assert aftermath.missed > 0


def test_clock_does_not_go_back_when_the_core_dies(tmp_path: Path) -> None:
    with serving(Siege(tmp_path / "core", seed())) as siege:
        siege.core.stop()
        siege.core.speed = 120.0
        siege.core.start()
        siege.core.ready()
        siege.storm(siege.core.kill, 0.3, linger_s=0.02)
        siege.core.start()
        siege.core.ready()
        siege.canary()
        with siege.core.client(siege.operator) as client:
            told = list(client.pages("/core/event", "events"))
        ids = [int(entry["id"]) for entry in told]
        assert ids == sorted(ids)
        assert told[-1]["messageId"].startswith("canary"), "the last received has the last id"
        siege.check(whole=True)


def test_late_and_out_of_order_events(siege: Siege) -> None:
    now = time.time()
    first, second = siege.fleet.devices[0], siege.fleet.devices[-1]

    def at(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now + seconds))

    told = [
        # The end of a fault comes before its beginning, a fire twenty days late, another first.
        {"messageId": "a", "deviceId": first, "type": "fault", "phase": "end", "time": at(-60)},
        {"messageId": "b", "deviceId": first, "type": "fault", "phase": "begin", "time": at(-120)},
        {"messageId": "c", "deviceId": second, "type": "fire", "time": at(-20 * 86400)},
        {"messageId": "d", "deviceId": first, "type": "fire", "time": at(600)},
        {"messageId": "e", "deviceId": first, "type": "online", "time": at(-30)},
        {"messageId": "f", "deviceId": first, "type": "offline", "time": at(-300)},
    ]
    with siege.core.client(siege.vendor) as client:
        assert client.post(EVENT, told) == {"accepted": 6, "repeated": 0, "quarantined": 0}
    for event in told:
        siege.account.events[event["messageId"]] = event
        siege.account.acknowledged.add(event["messageId"])
    siege.check(whole=True)
    with siege.core.client(siege.operator) as client:
        raised = [line["raised"] for line in client.pages("/core/alarm", "alarms")]
        assert len(raised) == 2
        respond = [
            line["at"] for line in client.get("/core/deadline")["deadlines"]
            if line["name"] == "respond"
        ]  # fmt: skip
    # The deadline runs from the receipt, whatever the device says of its time.
    assert sorted(respond) == pytest.approx([at + RESPOND_S for at in sorted(raised)], abs=1e-3)
    # The core's clock is the database's to 0.2 s.
    assert all(now - 0.2 <= at <= time.time() + 0.2 for at in raised)
