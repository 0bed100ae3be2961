"""How fast the alarm core takes events, beside Alertmanager on the same bodies.

One server process (and its PostgreSQL), 64 connections, one event of about 400 bytes per POST: 95 %
states and faults, 5 % fire, of 20,000 devices in 4,000 venues with five responsible people each.
Nobody is at the desk, so that alarms stay open. An answer means that the event is on disk, with
what follows from it. The load is driven from this process, another than the server's.

Times are reported, not asserted. Asserted is the work: every event is read back, once, unchanged.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from benchmarks.core_peer import PROGRAM, Alertmanager, alert, installed
from twin.load.account import Account
from twin.load.driver import Load, drive
from twin.load.siege import Fleet, ServedCore, children, free_port, register
from twin.load.traffic import Event, Mix, encode, events, pushes, steady, trace

CONNECTIONS = 64
CLOSED_EVENTS = 40_000
PUSHED_EVENTS = 200_000
OPEN_RATE, OPEN_S = 5000.0, 8.0
WARM_UP = 2000
SEGMENTS = 62
"""Of PostgreSQL's log, as many as ``min_wal_size`` keeps."""

TRACE = Path(__file__).parents[1] / "../shared/traces/alarm-receiver-2020-12-28.csv.gz"
REAL_TIME_S = 120.0
FAST, FAST_S = 100.0, 1800.0
"""Half an hour of the record in 18 s."""


class Bench:
    """A core with its fleet, warmed up.

    Parameters
    ----------
    data : a new folder.
    tls : HTTPS.
    """

    def __init__(self, data: Path, *, tls: bool) -> None:
        self.core = ServedCore(data, tls=tls)
        self.core.start()
        self.core.ready()
        self.vendor = self.core.add_vendor("acme")
        self.auditor = self.core.add_user("audit", "auditor")
        with self.core.client(self.vendor) as client:
            self.fleet: Fleet = register(client, venues=4000, devices_each=5)
        asyncio.run(_age(data / "postgres"))
        self.account = Account()
        self.runs = 0
        self.run([[event] for event in self.made(WARM_UP)])

    def made(self, count: int, mix: Mix = Mix()) -> list[Event]:  # noqa: B008 - immutable
        """Events of a run, with ids of their own."""
        self.runs += 1
        return events(count, self.fleet.devices, self.runs, mix)

    def run(self, sent: Sequence[Sequence[Event]], due: Any = None) -> tuple[Load, dict[str, Any]]:
        """Drive a load; returns it and what to report of it."""
        bodies = [encode(part[0] if len(part) == 1 else part) for part in sent]
        count = sum(len(part) for part in sent)
        pids = [os.getpid(), *self.core.worker_pids(), *children(self.core.postmaster())]
        before = {pid: _processor_s(pid) for pid in pids}
        load = drive(self.core.target(self.vendor), bodies, CONNECTIONS, due)
        micros = {pid: (_processor_s(pid) - before[pid]) / count * 1e6 for pid in pids}
        latency = load.latency()
        self.account.settle(sent, load)
        assert set(self.account.answers) == {200}
        return load, {
            "events": count,
            "bytes_per_event": sum(map(len, bodies)) / count,
            "events_per_s": count / load.seconds,
            "p50_ms": latency.p50 * 1e3,
            "p99_ms": latency.p99 * 1e3,
            "slowest_ms": latency.most * 1e3,
            "driver_us_per_event": micros.pop(pids[0]),
            "server_us_per_event": micros.pop(pids[1]),
            "postgresql_us_per_event": sum(micros.values()),
            "load_average": os.getloadavg()[0],
        }

    def read_back(self) -> int:
        """How many messages are there; each once and unchanged, or it fails."""
        self.account.read_anew()
        with self.core.client(self.auditor) as client:
            self.account.read_back(client.pages("/core/event", "events"))
        findings = self.account.findings()
        assert findings.ok, str(findings)
        assert findings.present == findings.acknowledged == len(self.account.events)
        return findings.present


async def _age(cluster: Path) -> None:
    """Gives a new database what one has that has run for a day: log segments to use again.

    A new one makes each when it is needed, which takes some 45 ms every half second of full load.
    """
    db = await asyncpg.connect(f"postgresql://postgres@/postgres?host={cluster}")
    for _ in range(SEGMENTS):
        await db.execute("SELECT pg_logical_emit_message(false, '', '')")
        await db.execute("SELECT pg_switch_wal()")
    await db.execute("CHECKPOINT")
    await db.close()


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(params=[False, True], ids=["http", "https"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "core", tls=request.param)
    try:
        yield bench
    finally:
        bench.core.stop()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "core", tls=False)
    try:
        yield bench
    finally:
        bench.core.stop()


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="finds processes in /proc, which Linux has"
)


def test_an_event_per_post(benchmark: Any, bench: Bench) -> None:
    sent = [[event] for event in bench.made(CLOSED_EVENTS)]
    _, told = benchmark.pedantic(lambda: bench.run(sent), rounds=1)
    benchmark.extra_info.update(told, flush_us=_flush_us(bench.core.data))
    assert bench.read_back() == CLOSED_EVENTS + WARM_UP


def test_five_thousand_a_second(benchmark: Any, bench: Bench) -> None:
    due = steady(OPEN_RATE, OPEN_S, 1)
    sent = [[event] for event in bench.made(len(due))]
    _, told = benchmark.pedantic(lambda: bench.run(sent, due), rounds=1)
    benchmark.extra_info.update(told)
    assert bench.read_back() == len(due) + WARM_UP


def test_pushes_of_a_hundred(benchmark: Any, plain: Bench) -> None:
    sent = list(pushes(plain.made(PUSHED_EVENTS), 100))
    _, told = benchmark.pedantic(lambda: plain.run(sent), rounds=1)
    benchmark.extra_info.update(told)
    assert plain.read_back() == PUSHED_EVENTS + WARM_UP


@pytest.mark.parametrize(
    ("speed", "seconds"), [(1.0, REAL_TIME_S), (FAST, FAST_S)], ids=["real time", "100 x"]
)
@pytest.mark.skipif(
    not TRACE.exists(),
    reason="no recorded day; put the project's shared folder beside the checkout",
)
def test_recorded_day(benchmark: Any, plain: Bench, speed: float, seconds: float) -> None:
    piece = trace(TRACE, 12 * 3600.0, seconds, speed, 1)
    fires = iter(plain.made(len(piece.due), Mix(fire=1.0)))
    others = iter(plain.made(len(piece.due), Mix(fire=0.0)))
    sent = [[next(fires if fire else others)] for fire in piece.fire.tolist()]
    _, told = benchmark.pedantic(lambda: plain.run(sent, piece.due), rounds=1)
    benchmark.extra_info.update(told, alarm_messages=int(piece.fire.sum()))
    assert plain.read_back() == len(sent) + WARM_UP


@pytest.mark.skipif(not installed(), reason=f"no {PROGRAM}; apt-get install {PROGRAM}")
@pytest.mark.parametrize("rate", [None, OPEN_RATE], ids=["closed", "5000 a second"])
def test_alertmanager_on_the_same_events(
    benchmark: Any, tmp_path: Path, rate: float | None
) -> None:
    devices = [f"smoke-{number:06d}" for number in range(20_000)]
    count = CLOSED_EVENTS if rate is None else round(rate * OPEN_S)
    warm = [alert(event) for event in events(WARM_UP, devices, 1)]
    bodies = [alert(event) for event in events(count, devices, 2)]
    due = None if rate is None else steady(rate, OPEN_S, 1)
    with Alertmanager(tmp_path, free_port()) as peer:
        drive(peer.target, warm, CONNECTIONS)
        load: Load = benchmark.pedantic(
            lambda: drive(peer.target, bodies, CONNECTIONS, due), rounds=1
        )
        assert (load.status == 200).all()
        assert peer.received() == count + WARM_UP
    latency = load.latency()
    benchmark.extra_info.update(
        events=count,
        bytes_per_event=sum(map(len, bodies)) / count,
        events_per_s=count / load.seconds,
        p50_ms=latency.p50 * 1e3,
        p99_ms=latency.p99 * 1e3,
        slowest_ms=latency.most * 1e3,
        load_average=os.getloadavg()[0],
    )


def _flush_us(folder: Path) -> float:
    """What this disk takes to flush 8 kB: the least that a commit can take."""
    taken = []
    with (folder / "flush.tmp").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(8192))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return sorted(taken)[len(taken) // 2] * 1e6
