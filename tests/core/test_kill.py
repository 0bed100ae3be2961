"""The core and its PostgreSQL are killed at random moments under load; nothing promised is lost.

Everything is looked at through the public interface. ``SIEGE_SEED`` repeats a run's choices (not
its timing). What killing processes cannot show is printed at the end (``pytest -s``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from siege_support import Siege, seed

from twin.load.siege import children, kill

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="finds processes in /proc, which Linux has"
)

KILLS = 50


@pytest.fixture
def siege(tmp_path: Path) -> Iterator[Siege]:
    siege = Siege(tmp_path / "core", seed())
    try:
        yield siege
    finally:
        siege.core.stop()


def test_service_killed_at_fifty_random_moments(siege: Siege) -> None:
    core = siege.core
    for _ in range(KILLS):
        how = siege.luck.choice(("all", "all", "all", "worker", "supervisor"))
        workers: list[int] = []

        def blow(how: str = how, workers: list[int] = workers) -> None:
            workers += core.worker_pids()
            siege.down.append((time.time(), time.time()))
            if how == "all":
                core.kill()
            elif how == "worker":
                kill(workers)
            else:
                core.kill_supervisor()

        siege.storm(blow, siege.luck.uniform(0.05, 0.5), linger_s=0.02)
        if how == "supervisor":
            _gone(workers)
        if how != "worker":
            core.start()
        core.ready()
        siege.down[-1] = (siege.down[-1][0], time.time())
        siege.canary()
        siege.check()
    siege.ripen()
    aftermath = siege.check(whole=True, delivered=True)
    print("\n" + siege.report(f"{KILLS} x SIGKILL of the service", aftermath))
    assert siege.account.unanswered > 0, "no blow fell while a push was under way"
    assert aftermath.due_while_down > 0


def test_postgresql_killed_at_fifty_random_moments(siege: Siege) -> None:
    core = siege.core

    def postmaster() -> list[int]:
        return [core.postmaster()]

    def cluster() -> list[int]:
        first = core.postmaster()
        return [first, *children(first)]

    def backend() -> list[int]:
        return [siege.luck.choice(core.backends())]

    def helper() -> list[int]:
        return [siege.luck.choice(children(core.postmaster()))]

    def everything() -> list[int]:
        return [core.pid, *core.worker_pids(), *cluster()]

    choices: tuple[Callable[[], list[int]], ...] = (
        postmaster, cluster, backend, backend, helper, everything,
    )  # fmt: skip
    for _ in range(KILLS):
        choose = siege.luck.choice(choices)

        def blow(choose: Callable[[], list[int]] = choose) -> None:
            pids = choose()
            siege.down.append((time.time(), time.time()))
            kill(pids)

        siege.storm(blow, siege.luck.uniform(0.05, 0.4), linger_s=0.2)
        if choose is everything:
            core.kill()
            core.start()
        core.ready()
        siege.canary()
        siege.down[-1] = (siege.down[-1][0], time.time())
        siege.check()
    siege.ripen()
    aftermath = siege.check(whole=True, delivered=True)
    print("\n" + siege.report(f"{KILLS} x SIGKILL of PostgreSQL", aftermath))
    answers = siege.account.answers
    assert answers[502] + siege.account.unanswered > 0, "no blow fell while a push was under way"
    assert siege.account.refused_without_retry == 0
    assert answers[500] == 0, "a database that is away is 502, not an error of the server's own"


def _gone(pids: list[int]) -> None:
    """Wait until processes have ended; the worker of a dead supervisor ends by itself."""
    until = time.monotonic() + 30
    for pid in pids:
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < until, f"worker {pid} outlives its supervisor"
            time.sleep(0.01)
