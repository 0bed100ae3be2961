"""What may not stall a fire or end the service: figures, partitions, settings, connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from annexb_support import core_in, database
from connections_support import GET, served_by
from holding import holding

from twin.alarmcore.annexb.codes import PREFIX
from twin.alarmcore.errors import CoreError
from twin.alarmcore.service import console
from twin.alarmcore.service.connections import Loop
from twin.alarmcore.service.serve import (
    Serving,
    _check_connections,
    database_of,
    needed_connections,
)
from twin.alarmcore.store.archive import ensure_partitions
from twin.alarmcore.store.database import MOST_WORKERS, Cluster
from twin.load.siege import ServedCore, kill

SOON_S = 20.0
"""On a busy machine; what waits for a lock that the test holds waits for ever."""


@dataclass
class Running:
    """A core, and everybody's tokens."""

    core: ServedCore
    tokens: dict[str, str]
    secret: str

    def get(self, path: str, role: str = "operator") -> Any:
        """The ``data`` of a GET that succeeds soon."""
        return self._data(self._call("GET", path, role))

    def fire(self, own: str) -> None:
        """A fire's push that is acknowledged soon."""
        event = {
            "messageId": own,
            "deviceId": f"device of {own}",
            "type": "fire",
            "time": datetime.now(UTC).isoformat(),
        }
        assert self._data(self._call("POST", f"{PREFIX}/event", "vendor", event))["accepted"] == 1

    def _call(self, method: str, path: str, role: str, body: Any = None) -> httpx.Response:
        with httpx.Client(verify=self.core.trust, trust_env=False, timeout=SOON_S) as client:
            return client.request(
                method, self.core.url + path, json=body, headers={"API_TOKEN": self.tokens[role]}
            )

    @staticmethod
    def _data(answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def healthy(self) -> bool:
        """Whether it serves."""
        with contextlib.suppress(httpx.HTTPError):
            url = f"{self.core.url}/healthz"
            return httpx.get(url, verify=self.core.trust, trust_env=False, timeout=5).is_success
        return False


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with core_in(tmp_path_factory.mktemp("mended")) as core:
        appkey, secret = core.register_vendor("acme")
        tokens = {role: core.add_user(role, role) for role in ("operator", "auditor")}
        body = {"appkey": appkey, "masterSecret": secret}
        answer = httpx.post(
            f"{core.url}{PREFIX}/auth/getToken", json=body, verify=core.trust, trust_env=False
        )
        tokens["vendor"] = answer.json()["data"]["token"]
        yield Running(core, tokens, secret)


def test_where_it_serves_is_told_in_one_line(running: Running) -> None:
    core = running.core
    end = time.monotonic() + SOON_S
    while not (said := [x for x in core.log.read_text().splitlines() if " serves" in x]):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert said == [f"{core.url} serves; its certificate is {core.data / 'server.crt'}"]


# -- figures -------------------------------------------------------------------------------------


def asked_by_ten(running: Running, path: str, table: str) -> list[Any]:
    """What ten callers are answered who all wait for a table, while a fire does not."""
    with ThreadPoolExecutor(10) as callers:
        # Who computes waits for the table, and nobody else for who computes.
        with holding(running.core.data, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
            asked = [callers.submit(running.get, path) for _ in range(10)]
            time.sleep(1.0)
            assert not any(one.done() for one in asked)
            running.fire(f"while {table} is locked")
        return [one.result() for one in asked]


def test_figures_keep_no_fire_waiting_and_are_computed_once(running: Running) -> None:
    running.fire("before figures")
    answers = asked_by_ten(running, "/core/figures", "core")
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["tables"]["year"]


def test_counting_keeps_no_fire_waiting(running: Running) -> None:
    answers = asked_by_ten(running, "/core/overview", "complaint")
    assert all(answer["openAlarms"] >= 1 for answer in answers)
    alarms = running.get("/core/overview")["alarms"]
    running.fire("and once more")
    assert running.get("/core/overview")["alarms"] == alarms + 1  # it is never that of before


def test_a_period_without_length_is_the_callers_mistake(running: Running) -> None:
    for query in ("from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z",
                  "from=2100-01-01T00:00:00Z"):  # fmt: skip
        answer = running._call("GET", f"/core/figures?{query}", "operator")
        assert answer.status_code == 400
        assert "period ends before" in answer.json()["message"]


# -- partitions, read-back, looking ---------------------------------------------------------------


def test_partitions_wait_for_no_reader(running: Running) -> None:
    later = time.time() + 400 * 86400.0

    async def make() -> bool:
        async with database(running.core) as db:
            return await asyncio.wait_for(ensure_partitions(db, later), SOON_S)

    with holding(running.core.data, "SELECT count(*) FROM event_log"):
        assert not asyncio.run(make())
        running.fire("while somebody reads")
    assert asyncio.run(make())
    assert asyncio.run(make())

    async def parts() -> int:
        async with database(running.core) as db:
            found: int = await db.fetchval(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event_log'::regclass"
            )
            return found

    assert asyncio.run(parts()) == 1 + 3 + 3


def test_looking_for_a_message_goes_through_indexes(running: Running) -> None:
    running.fire("looked for/1")
    found = running.get("/core/event/acme/looked%20for%2F1")
    assert found["messageId"] == "looked for/1"
    (alarm,) = [
        line for line in running.get("/core/alarm?open=true&limit=1000")["alarms"]
        if line["venue"] == "?acme/device of looked for/1"
    ]  # fmt: skip
    assert found["alarm"] == alarm["id"]
    # The list needs no key of any message.
    with holding(running.core.data, "LOCK TABLE message_key IN ACCESS EXCLUSIVE MODE"):
        listed = running.get("/core/event?limit=1000")["events"]
    assert found in listed

    async def plan() -> str:
        at = int(found["id"]) // MOST_WORKERS
        async with database(running.core) as db:
            await db.execute("SET enable_seqscan = off")
            rows = await db.fetch("EXPLAIN " + console._ALARMS_OF, [int(found["id"])], at, at)
            return "\n".join(row[0] for row in rows)

    said = asyncio.run(plan())
    assert "event_log_rest" in said or f"event_log_{datetime.now(UTC):%Y_%m}" in said
    assert "Seq Scan" not in said
    assert said.count(" on event_log") <= 3  # of the partitions, only those of the day


def test_looking_at_an_alarm_locks_nothing(running: Running) -> None:
    running.fire("looked at")
    id_ = running.get("/core/event/acme/looked%20at")["alarm"]
    with holding(running.core.data, "SELECT 1 FROM venue_state FOR UPDATE"):
        assert running.get(f"/core/alarm/{id_}")["alarm"]["id"] == id_


# -- the audit trail ------------------------------------------------------------------------------


def test_who_is_let_in_is_in_the_audit_trail(running: Running) -> None:
    entries = running.get("/core/audit?limit=1000", "auditor")["entries"]
    told = {(entry["action"], entry["target"]) for entry in entries}
    assert {("vendor add", "acme"), ("user add", "auditor"), ("user add", "operator")} <= told
    (token,) = [entry for entry in entries if entry["action"] == "getToken"]
    assert (token["who"], token["role"], token["target"]) == ("acme", "vendor", "127.0.0.1")
    text = json.dumps(entries)
    assert running.secret not in text
    assert not any(secret in text for secret in running.tokens.values())


# -- settings and workers -------------------------------------------------------------------------


def test_a_wrong_edit_of_the_settings_hurts_no_running_service(running: Running) -> None:
    settings = running.core.data / "core.toml"
    good = settings.read_text()
    settings.write_text("center = \n")
    try:
        kill(running.core.worker_pids())
        end = time.monotonic() + 30
        time.sleep(0.5)
        while not running.healthy():
            assert running.core.runs, "the service ended"
            assert time.monotonic() < end
            time.sleep(0.1)
        running.fire("after a wrong edit")
    finally:
        settings.write_text(good)


def test_a_worker_that_refuses_later_does_not_end_the_service(running: Running) -> None:
    key = running.core.data / "secret.key"
    good = key.read_bytes()
    key.write_bytes(b"no key")
    try:
        kill(running.core.worker_pids())
        end = time.monotonic() + 30
        while "a worker ended with 2" not in running.core.log.read_text():
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(1.0)
        assert running.core.runs
    finally:
        key.write_bytes(good)
    end = time.monotonic() + 30
    while not running.healthy():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_database_with_few_connections_is_refused(running: Running) -> None:
    need = needed_connections(64)
    assert need > 100
    with (
        database_of(running.core.data) as url,
        pytest.raises(CoreError, match=f"max_connections = 100, and 64 workers need {need}"),
    ):
        asyncio.run(_check_connections(Serving(running.core.data, workers=64), url))


def test_the_embedded_database_is_sized_for_the_workers(tmp_path: Path) -> None:
    async def most(url: str) -> int:
        db = await asyncpg.connect(url)
        try:
            return int(await db.fetchval("SHOW max_connections"))
        finally:
            await db.close()

    cluster = Cluster(tmp_path)
    try:
        assert asyncio.run(most(cluster.start())) == 100
        # Left by a service that was killed, it is started again with more ...
        assert asyncio.run(most(Cluster(tmp_path).start(130))) == 130
        # ... and a command beside the service changes nothing.
        assert asyncio.run(most(Cluster(tmp_path).start())) == 130
    finally:
        cluster.stop()


# -- connections ----------------------------------------------------------------------------------


def test_the_longest_silent_makes_room() -> None:
    asyncio.run(_the_longest_silent_makes_room())


async def _the_longest_silent_makes_room() -> None:
    async with served_by() as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, writer = opened[0]
        writer.write(GET)  # the oldest one speaks, the second has been silent for longest
        assert b"200" in await reader.readline()
        new_reader, new_writer = await asyncio.open_connection("127.0.0.1", port)
        new_writer.write(GET)
        assert b"200" in await new_reader.readline()
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(opened[1][0].read(), 0.4) == b""
        writer.write(GET)
        assert b"200" in await reader.readuntil(b"200")
        for _, one in (*opened, (new_reader, new_writer)):
            one.close()


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_a_request_that_does_not_come_ends(said: bytes) -> None:
    async def main() -> None:
        async with served_by() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), SOON_S) == b""
            writer.close()

    asyncio.run(main())


def test_a_handshake_that_does_not_come_ends(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twin.alarmcore.service.connections.HANDSHAKE_S", 0.3)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(running.core.data / "server.crt", running.core.data / "server.key")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listening = socket.create_server(("127.0.0.1", 0))
        server = await loop.create_server(asyncio.Protocol, sock=listening, ssl=tls)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), SOON_S) == b""
        writer.close()
        server.close()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())
