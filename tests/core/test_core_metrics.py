"""One scrape of any worker tells the counts of all that live."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from twin.load.siege import Client, ServedCore, kill

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="finds processes in /proc, which Linux has"
)

_SAMPLE = re.compile(r'(twin_core_\w+){worker="(\d+)"(?:,status="(\d+)")?} (\d+(?:\.\d+)?)')


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCore]:
    core = ServedCore(tmp_path_factory.mktemp("metrics") / "core", workers=3)
    core.start()
    try:
        core.ready()
        yield core
    finally:
        core.stop()


def scrape(core: ServedCore, name: str) -> dict[str, float]:
    """A metric by worker, of one scrape over a new connection; statuses are added up."""
    with core.client() as client:
        answer = client.call("GET", "/metrics")
    assert answer.status == 200
    lines = str(answer.body["message"]).splitlines()
    found: dict[str, float] = {}
    kinds = set()
    for line in lines:
        if line.startswith("#"):
            _, _, kind, _ = line.split()
            assert kind not in kinds  # all samples of a metric stand together
            kinds.add(kind)
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        assert sample[1] in kinds
        if sample[1] == f"twin_core_{name}":
            found[sample[2]] = found.get(sample[2], 0.0) + float(sample[4])
    return found


def eventually(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What comes true in time."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)
    return found


def push(client: Client, name: str, count: int) -> bool:
    """Pushes events of a device that nobody knows; False: to a worker that has just started."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    answer = client.call(
        "POST",
        "/thirdPartyApi/event",
        [
            {"messageId": f"{name}-{n}", "deviceId": "d", "type": "state", "time": at}
            for n in range(count)
        ],
    )
    assert answer.status == 200 or answer.retry_after
    return answer.status == 200


@contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    """Processes that take no connection meanwhile."""
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_every_scrape_tells_of_every_worker(core: ServedCore) -> None:
    token = core.add_vendor("acme")
    eventually(lambda: set(scrape(core, "events_total")) == {"0", "1", "2"})
    total = 0
    for number in range(60):  # the system gives each connection to any one of the workers
        with core.client(token) as client:
            total += 7 * push(client, f"m{number}", 7)
    # Whoever answers tells the same, as soon as the others have told of the last ones.
    eventually(lambda: all(sum(scrape(core, "events_total").values()) == total for _ in range(12)))
    assert sum(scrape(core, "answers_total").values()) >= total / 7
    assert set(scrape(core, "events_waiting").values()) == {0.0}


def test_a_worker_that_is_gone_is_left_out(core: ServedCore) -> None:
    eventually(lambda: len(scrape(core, "batches_total")) == 3)
    first = core.worker_pids()
    kill([first[0]])
    eventually(lambda: len(core.worker_pids()) == 3 and set(core.worker_pids()) != set(first))
    eventually(lambda: len(scrape(core, "batches_total")) == 3)
    core.stop()
    core.workers = 1
    core.start()
    core.ready()
    for _ in range(3):
        assert set(scrape(core, "batches_total")) == {"0"}
        time.sleep(0.5)
    core.stop()
    core.workers = 3
    core.start()
    core.ready()


def test_while_the_database_hangs_the_worker_tells_its_own(core: ServedCore) -> None:
    eventually(lambda: len(scrape(core, "batches_total")) == 3)
    with standing_still([core.postmaster(), *core.backends()]):
        for _ in range(2):
            assert len(scrape(core, "batches_total")) == 1
    eventually(lambda: len(scrape(core, "batches_total")) == 3)
