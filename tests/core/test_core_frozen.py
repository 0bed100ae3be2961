"""Connections to the database that hang: each is given up, and the service goes on with others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from annexb_support import core_in
from holding import holding
from test_core_events import event

from twin.alarmcore.annexb.codes import PREFIX
from twin.alarmcore.service.config import load_settings
from twin.alarmcore.service.core import HANGS_S, LISTEN_S, open_core
from twin.alarmcore.service.operation import HEALTH_S
from twin.alarmcore.service.serve import database_of
from twin.alarmcore.service.tokens import Seal
from twin.alarmcore.store.database import DATABASE_AWAY, HELD_S, given_up_after
from twin.load.siege import ServedCore

BUSY_S = 10.0
"""What everything may take longer on a busy machine."""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCore]:
    with core_in(tmp_path_factory.mktemp("frozen")) as running:
        yield running


def health(core: ServedCore) -> httpx.Response:
    return httpx.get(f"{core.url}/healthz", verify=core.trust, trust_env=False, timeout=60)


def until(what: Callable[[], Any], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


@contextlib.contextmanager
def frozen(core: ServedCore) -> Iterator[None]:
    """All processes that serve a connection just now are stopped, and stay so."""
    pids = core.backends()
    assert pids
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_the_service_goes_on_beside_connections_that_are_frozen(core: ServedCore) -> None:
    """A fire is taken, its people are notified, its deadline is told, and the alarm is shown."""
    vendor = core.add_vendor("acme")
    operator = core.add_user("wang", "operator")
    with core.client(vendor) as client:
        client.post(f"{PREFIX}/project", {"projectId": "p", "name": "Project"})
        people = [{"name": f"n{k}", "phone": f"10{k}", "channels": ["voice"]} for k in range(5)]
        client.post(
            f"{PREFIX}/venue",
            {"venueId": "v", "projectId": "p", "name": "Shop", "responsible": people},
        )
        device = {"deviceId": "d", "projectId": "p", "venueId": "v", "kind": "smoke_alarm"}
        client.post(f"{PREFIX}/device", {**device, "category": "fire", "conforms": True})
    until(lambda: health(core).is_success, BUSY_S)
    with core.client(vendor) as client, core.client(operator) as desk, frozen(core):
        began = time.monotonic()
        assert health(core).status_code == 503
        assert time.monotonic() - began < 2 * HEALTH_S + BUSY_S
        # Idle connections are found out all at once, those in use each in its own time.
        left = max(HELD_S, LISTEN_S) + BUSY_S
        until(lambda: health(core).is_success, left)
        assert client.post(f"{PREFIX}/event", event("d", "fire"))["accepted"] == 1
        (alarm,) = desk.get("/core/alarm?open=true")["alarms"]
        outbox = core.data / "outbox.jsonl"
        until(lambda: outbox.exists() and len(outbox.read_text().splitlines()) >= 5, left)

        def kinds() -> list[str]:
            record = desk.get(f"/core/alarm/{alarm['id']}")["record"]
            return [line["kind"] for line in record]

        until(lambda: "deadline_missed" in kinds(), left)
        assert kinds().count("notified") == 5


@pytest.mark.parametrize(("table", "what"), [("outbox", "outbox"), ("deadline", "deadlines")])
def test_health_tells_of_what_hangs(core: ServedCore, table: str, what: str) -> None:
    """Though the database answers whoever asks for something else."""
    until(lambda: health(core).is_success, BUSY_S)
    with holding(core.data, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
        until(lambda: health(core).status_code == 503, HANGS_S + BUSY_S)
        assert f"{what}: " in health(core).json()["message"]
    until(lambda: health(core).is_success, BUSY_S)


def test_what_a_lost_connection_may_yet_commit_is_not_settled(core: ServedCore) -> None:
    """Whoever hangs may have a statement that it carries out when it goes on."""

    async def main(url: str) -> None:
        settings = load_settings(core.data / "core.toml")
        async with open_core(url, settings, Seal(core.data / "secret.key")) as worker:
            async with worker.pool.acquire() as db:
                with worker.writing(db):
                    begun_us = worker.floor_us()
                    with given_up_after(0.1, db), pytest.raises(DATABASE_AWAY):
                        await db.execute("SELECT pg_sleep(60)")
            assert worker.floor_us() == begun_us

    with database_of(core.data) as url:
        asyncio.run(main(url))
