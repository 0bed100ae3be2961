"""Lists that are read by cursor, and exports: what commits late is not passed over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from holding import holding
from test_core_archive import push

from twin.load.siege import TWIN, Client, ServedCore, register
from twin.log import KIND_CODE, read_log
from twin.terms import Kind

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="finds processes in /proc, which Linux has"
)

LOCK_VENUE = "SELECT FROM venue_state WHERE venue = 'acme/v00000' FOR UPDATE"
HELD = "smoke-000000"
"""A device of that venue: its fire cannot be committed meanwhile."""


class Two(NamedTuple):
    """A core of two workers."""

    core: ServedCore
    vendor: str
    operator: str
    auditor: str


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    core = ServedCore(tmp_path_factory.mktemp("settled") / "core", workers=2)
    core.start()
    try:
        core.ready()
        made = Two(
            core, core.add_vendor("acme"), core.add_user("wang", "operator"),
            core.add_user("li", "auditor"),
        )  # fmt: skip
        with core.client(made.vendor) as client:
            register(client, venues=3, devices_each=2, channels=("voice",))
            push(client, HELD, "fire")  # there is a state to lock
        yield made
    finally:
        core.stop()


def taken_by_the_other(two: Two, device: str) -> list[threading.Thread]:
    """Pushes a fire over new connections until the worker that is not held up takes one.

    Returns the pushes, some of which the other one has.
    """
    taken = threading.Event()
    pushes = []

    def try_it() -> None:
        # A worker that is stopped and killed answers nothing.
        with contextlib.suppress(OSError, HTTPException), two.core.client(two.vendor) as client:
            push(client, device, "fire")
            taken.set()

    for _ in range(40):
        pushes.append(threading.Thread(target=try_it, daemon=True))
        pushes[-1].start()
        if taken.wait(0.2):
            return pushes
    raise AssertionError("no worker takes anything")


def read_on(client: Client, path: str, key: str, after: str) -> tuple[list[Any], str]:
    """All entries that there are now, and where to read on."""
    found: list[Any] = []
    while True:
        page = client.get(f"{path}?after={after}&limit=1000")
        found += page[key]
        after = found[-1]["id"] if found else after
        if page["next"] is None or not page[key]:
            return found, after


def late_fire(two: Two) -> threading.Thread:
    """A fire whose transaction waits for the lock; it is under way when this returns."""

    def fire() -> None:
        with two.core.client(two.vendor) as client:
            push(client, HELD, "fire")

    thread = threading.Thread(target=fire)
    thread.start()
    time.sleep(0.5)
    return thread


@pytest.mark.parametrize(("path", "key"), [("/core/event", "events"), ("/core/alarm", "alarms")])
def test_what_another_worker_commits_late_is_not_passed_over(two: Two, path: str, key: str) -> None:
    with two.core.client(two.operator) as desk:
        _, start = read_on(desk, path, key, "0")
        if key == "alarms":  # the late one has to be an alarm of its own
            work_off(desk)
            _, start = read_on(desk, path, key, "0")
        with holding(two.core.data, LOCK_VENUE):
            pushes = [late_fire(two), *taken_by_the_other(two, "smoke-000002")]
            before, cursor = read_on(desk, path, key, start)
        for one in pushes:
            one.join()
        after, _ = read_on(desk, path, key, cursor)
        whole, _ = read_on(desk, path, key, start)
    assert [one["id"] for one in before + after] == [one["id"] for one in whole]
    devices = {one.get("venue") or one["event"]["deviceId"] for one in whole}
    assert devices >= ({"acme/v00000", "acme/v00001"} if key == "alarms" else {HELD})


def work_off(desk: Client) -> None:
    """Closes all open alarms."""
    for line in desk.get("/core/alarm?open=true&limit=1000")["alarms"]:
        path = f"/core/alarm/{line['id']}"
        for word in (
            {"verb": "respond"}, {"verb": "verify", "outcome": "test"},
            {"verb": "annotate", "annotation": "test"}, {"verb": "close"},
        ):  # fmt: skip
            desk.call("POST", path, word)


def test_a_number_that_is_committed_late_is_not_passed_over(two: Two) -> None:
    written = (
        "INSERT INTO audit (time, who, role, action) VALUES (1, 'somebody', '', 'slow') RETURNING 1"
    )
    complaint = {"venue": "v", "matter": "noise"}
    with two.core.client(two.auditor) as audit, two.core.client(two.operator) as desk:
        _, start = read_on(audit, "/core/audit", "entries", "0")
        with holding(two.core.data, written, commit=True):
            desk.post("/core/complaint", complaint)
            before, cursor = read_on(audit, "/core/audit", "entries", start)
        after, _ = read_on(audit, "/core/audit", "entries", cursor)
    actions = [one["action"] for one in before + after]
    assert actions == ["slow", "registerComplaint"]


def test_an_export_has_the_rows_that_are_being_written(two: Two, tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    command = [*TWIN, "core", "export", "--data", str(two.core.data), "--out", str(out)]
    with two.core.client(two.operator) as desk:
        messages = len(read_on(desk, "/core/event", "events", "0")[0])
    with holding(two.core.data, LOCK_VENUE):
        pushes = [late_fire(two), *taken_by_the_other(two, "smoke-000003")]
        export = subprocess.Popen(command)
        time.sleep(2.0)
        assert export.poll() is None  # it waits
    for one in pushes:
        one.join()
    assert export.wait(30) == 0
    rows = read_log(out).kind
    assert (rows == KIND_CODE[Kind.FIRE_ALARM]).sum() >= messages + 2


def test_a_worker_that_stands_still_is_waited_for_and_its_end_is_not(two: Two) -> None:
    still, other = two.core.worker_pids()
    os.kill(still, signal.SIGSTOP)
    try:
        taken_by_the_other(two, "smoke-000004")
        # What it may have made ids for is behind what the other has written meanwhile.
        assert not soon(two, "smoke-000004")
    finally:
        os.kill(still, signal.SIGKILL)
    assert soon(two, "smoke-000004")
    assert other in two.core.worker_pids()


def soon(two: Two, device: str) -> bool:
    """Whether the list has a device's event, asked over connections that are answered."""
    found: list[bool] = []

    def look() -> None:
        with contextlib.suppress(OSError, HTTPException), two.core.client(two.operator) as desk:
            entries, _ = read_on(desk, "/core/event", "events", "0")
            found.append(any(one["event"]["deviceId"] == device for one in entries))

    end = time.monotonic() + 30
    while not found and time.monotonic() < end:
        threading.Thread(target=look, daemon=True).start()
        time.sleep(0.5)
    return found[0]
