"""What is kept for 30 years (clause 10): the log, backups; and what is refused at the start."""

from __future__ import annotations

import asyncio
import csv
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import numpy as np
import pytest

from twin.alarmcore.service.serve import database_of
from twin.assessment import Verdict, assess
from twin.kpi import compute
from twin.load.siege import TWIN, Client, ServedCore, register
from twin.log import KIND_CODE, Log, read_log
from twin.terms import Kind

SPEED = 60.0


def twin(*words: str, code: int = 0) -> str:
    """The command's output; what it says on standard error where it must fail."""
    with subprocess.Popen(
        [*TWIN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            out, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err = process.communicate()
            raise AssertionError(f"{words} goes on: {err[-2000:]}") from None
    assert process.returncode == code, err
    return err if code else out


class Kept(NamedTuple):
    """A core that has gone through two alarms, a fault and a period boundary between them."""

    core: ServedCore
    operator: str
    boundary: float
    """Between the first half and the second, s; then a device is offline and people on duty."""


def push(client: Client, device: str, kind: str, **more: Any) -> None:
    """An event of a device, now."""
    now = datetime.now(UTC).isoformat()
    own = f"{device}-{kind}-{time.monotonic_ns()}"
    event = {"messageId": own, "deviceId": device, "type": kind, "time": now, **more}
    client.post("/thirdPartyApi/event", event)


def handle(client: Client, annotation: str, *, responded: bool = False) -> None:
    """Works off all open alarms."""
    for line in client.get("/core/alarm?open=true")["alarms"]:
        path = f"/core/alarm/{line['id']}"
        if not responded:
            client.post(path, {"verb": "respond"})
        client.post(path, {"verb": "verify", "outcome": "not_a_fire"})
        client.post(path, {"verb": "annotate", "annotation": annotation})
        client.post(path, {"verb": "close"})


def facts(role: str, **more: Any) -> str:
    """A person's, as text of a row."""
    return json.dumps({"role": role, "trained": True, "team": "A", **more})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    core = ServedCore(tmp_path_factory.mktemp("archive") / "core", speed=SPEED)
    core.start()
    try:
        core.ready()
        vendor, operator = core.add_vendor("acme"), core.add_user("wang", "operator")
        with core.client(vendor) as pushes, core.client(operator) as desk:
            register(pushes, venues=3, devices_each=3, channels=("voice",))
            rows = [
                {"kind": "person", "subject": name, "value": 24, "text": facts("duty")}
                for name in ("wang", "li", "zhao", "sun")
            ]
            rows += [{"kind": "on_duty", "subject": n, "text": "duty"} for n in ("wang", "li")]
            rows += [
                {"kind": "checklist", "subject": "5.1.5.floor_area", "value": 81},
                {"kind": "edge_time", "subject": "edge-001", "value": 600, "text": "free_flow"},
                {"kind": "edge_time", "subject": "edge-001", "value": 880, "text": "Fri 17:00"},
            ]
            assert desk.post("/core/record", rows)["rows"] == len(rows)
            push(pushes, "smoke-000000", "fire")
            handle(desk, "false_alarm_nuisance")
            push(pushes, "smoke-000001", "offline")
            push(pushes, "smoke-000002", "fault", what="sensor")
            push(pushes, "smoke-000008", "fire")  # its alarm is open at the boundary
            (line,) = desk.get("/core/alarm?open=true")["alarms"]
            desk.post(f"/core/alarm/{line['id']}", {"verb": "respond"})
            time.sleep(0.1)
            boundary = desk.get("/healthz")["clock"]
            time.sleep(0.1)
            push(pushes, "smoke-000007", "fire")  # joins it
            handle(desk, "false_alarm_fault", responded=True)
            push(pushes, "smoke-000005", "fire")
            handle(desk, "test")
            push(pushes, "smoke-000002", "fault", what="sensor", phase="end")
            rows = [{"kind": "checklist", "subject": "5.1.5.floor_area", "value": 79}]
            desk.post("/core/record", rows)
        yield Kept(core, operator, boundary)
    finally:
        core.stop()


def exported(kept: Kept, out: Path, *more: str) -> Log:
    """The log that ``twin core export`` writes."""
    twin("core", "export", "--data", str(kept.core.data), "--out", str(out), *more)
    return read_log(out)


def of(log: Log, kind: Kind) -> list[tuple[str, float, str]]:
    """Subject, value and text of rows of a kind."""
    at = np.flatnonzero(log.kind == KIND_CODE[kind])
    return [
        (
            log.subject.words[log.subject.codes[row]],
            float(log.value[row]),
            log.text.words[log.text.codes[row]],
        )
        for row in at.tolist()
    ]


def test_an_export_is_judged_as_any_log(kept: Kept, tmp_path: Path) -> None:
    log = exported(kept, tmp_path / "log.parquet")
    assert len(of(log, Kind.FIRE_ALARM)) == 4
    assert len(of(log, Kind.PERSON)) == 4
    assert len(of(log, Kind.CHECKLIST)) == 2  # the last of them was a moment ago
    assert [row[0] for row in of(log, Kind.OFFLINE)] == ["acme/smoke-000001"]
    judged = tmp_path / "judged"
    said = twin("evaluate", str(tmp_path / "log.parquet"), "--out", str(judged))
    assert "not judged" in said
    with (judged / "assessment.csv").open(encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file))
    verdicts = {row["clause"]: row["verdict"] for row in table}
    assert verdicts["4.6"] == "met"  # four messages, all verified
    assert verdicts["4.7"] == "not met"  # one of nine devices is offline
    assert (judged / "report.html").exists()


def test_a_period_in_the_middle_stands_alone(kept: Kept, tmp_path: Path) -> None:
    at = datetime.fromtimestamp(kept.boundary, UTC).isoformat()
    first = exported(kept, tmp_path / "first.parquet", "--to", at)
    second = exported(kept, tmp_path / "second.parquet", "--from", at)
    # What was known and what lasted at the boundary begins the second half.
    for kind in (Kind.VENUE, Kind.DEVICE, Kind.PERSON, Kind.ON_DUTY, Kind.OFFLINE, Kind.FAULT,
                 Kind.EDGE_TIME, Kind.TICKET_OPENED):  # fmt: skip
        assert sorted(map(str, of(first, kind))) == sorted(map(str, of(second, kind))), kind
    assert [row[1] for row in of(second, Kind.CHECKLIST)] == [81.0, 79.0]
    assert len(of(first, Kind.FIRE_ALARM)) == len(of(second, Kind.FIRE_ALARM)) == 2
    assert not of(first, Kind.FAULT_CLEARED)
    assert len(of(second, Kind.FAULT_CLEARED)) == 1
    assert abs(int(second.time[0]) - kept.boundary * 1e6) < 2  # its text has whole microseconds
    for log in (first, second):
        (found,) = assess(log)
        assert {one.verdict for one in found.findings if one.clause == "4.6"} >= {Verdict.MET}


def test_every_message_and_alarm_counts_in_one_period(kept: Kept, tmp_path: Path) -> None:
    at = datetime.fromtimestamp(kept.boundary, UTC).isoformat()
    whole = compute(exported(kept, tmp_path / "whole.parquet")).alarms
    first_log = exported(kept, tmp_path / "first.parquet", "--to", at)
    second_log = exported(kept, tmp_path / "second.parquet", "--from", at)
    first, second = compute(first_log).alarms, compute(second_log).alarms
    # The alarm of the boundary counts in the first, with all that came of it; its second message,
    # which came while somebody was at it, in the second.
    assert (whole.alarms, first.alarms, second.alarms) == (2, 2, 0)
    assert (whole.tests, first.tests, second.tests) == (1, 0, 1)
    assert (whole.messages, first.messages, second.messages) == (4, 2, 2)
    for figure in ("verified", "handled", "alarms_all", "responded_late", "verified_late"):
        parts = getattr(first, figure) + getattr(second, figure)
        assert parts == getattr(whole, figure), figure
    assert first.alarms_pending == second.alarms_pending == 0
    ((venue, age, stage),) = of(second_log, Kind.ALARM_OPEN)
    assert (venue, stage) == ("acme/v00002", "responded")
    assert 0 < age < SPEED * 10
    assert "counts in the period in which it was raised" in first_log.meta["edges"]


def test_a_backup_is_the_same_core_in_another_folder(kept: Kept, tmp_path: Path) -> None:
    before = exported(kept, tmp_path / "before.parquet")
    backup = tmp_path / "core.backup"
    data = str(kept.core.data)
    assert "secret.key" in twin("core", "backup", "--data", data, "--out", str(backup))
    restored = tmp_path / "restored"
    twin("core", "restore", str(backup), "--data", str(restored))
    end = datetime.fromtimestamp(int(before.time[-1]) / 1e6, UTC).isoformat()
    twin(
        "core", "export", "--data", str(restored), "--out", str(tmp_path / "after.parquet"),
        "--to", end,
    )  # fmt: skip
    after = read_log(tmp_path / "after.parquet")
    shorter = after.time[:-1]
    assert np.array_equal(shorter, before.time[: len(shorter)])
    for kind in Kind:
        if kind not in (Kind.PERIOD_START, Kind.PERIOD_END):
            assert str(of(after, kind)) == str(of(before, kind)), kind
    again = twin("core", "restore", str(backup), "--data", str(restored), code=2)
    assert "restore into a new folder" in again
    core = ServedCore(restored)
    said = twin("core", "serve", "--data", str(restored), "--port", str(core.port), code=2)
    assert "copy secret.key" in said  # the backup's tokens are sealed with the old one
    (restored / "secret.key").write_bytes((kept.core.data / "secret.key").read_bytes())
    core.start()
    try:
        core.ready()
        with core.client(kept.operator) as desk:
            assert len(desk.get("/core/alarm")["alarms"]) == 3
    finally:
        core.stop()


def test_a_backup_that_is_none_leaves_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / "new"
    said = twin("core", "restore", str(tmp_path / "none"), "--data", str(data), code=2)
    assert "no such file" in said
    assert not data.exists()
    (tmp_path / "torn").write_bytes(b"PGDMP torn")
    said = twin("core", "restore", str(tmp_path / "torn"), "--data", str(data), code=2)
    assert "pg_restore" in said
    assert not (data / "postgres").exists()


# -- what is refused at the start, with one message and exit code 2 ------------------------------


async def _tell(url: str, *statements: str) -> None:
    db = await asyncpg.connect(url)
    try:
        for statement in statements:
            await db.execute(statement)
    finally:
        await db.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL of its own."""
    with database_of(tmp_path_factory.mktemp("cluster")) as url:
        yield url


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_database_that_may_lose_what_it_says_is_refused(
    cluster: str, tmp_path: Path, setting: str
) -> None:
    set_, reset = f"ALTER SYSTEM SET {setting} = off", f"ALTER SYSTEM RESET {setting}"
    asyncio.run(_tell(cluster, set_, "SELECT pg_reload_conf()"))
    try:
        time.sleep(0.2)
        said = twin(
            "core", "serve", "--data", str(tmp_path / "core"), "--http", "--database", cluster,
            "--port", str(_port()), code=2,
        )  # fmt: skip
    finally:
        asyncio.run(_tell(cluster, reset, "SELECT pg_reload_conf()"))
    assert f"{setting} = off" in said
    assert f"set {setting} = on" in said


def test_another_centers_database_is_refused(kept: Kept, tmp_path: Path) -> None:
    data = tmp_path / "other"
    data.mkdir()
    (data / "core.toml").write_text('center = "west"\n')
    with database_of(kept.core.data) as url:
        said = twin(
            "core", "serve", "--data", str(data), "--http", "--database", url,
            "--port", str(_port()), code=2,
        )  # fmt: skip
    assert "belongs to center 'center', not to 'west'" in said


def test_a_port_or_folder_in_use_is_refused(kept: Kept, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = twin("core", "serve", "--data", str(tmp_path / "c"), "--port", port, code=2)
    assert f"127.0.0.1:{port} cannot be listened on" in said
    said = twin("core", "serve", "--data", str(kept.core.data), "--port", port, code=2)
    assert "runs on this data folder already" in said


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("centre = 'x'\n", "centre"),
        ("notify_retry = '5 km'\n", "notify_retry"),
        ("notify_tries = 0\n", "notify_tries"),
        ("time_zone = 'Mars/Olympus'\n", "time_zone"),
        ("center = \n", "not TOML"),
        ("[upstream]\ntoken = 'x'\n", "upstream"),
        ("[channels]\nvoice = 'ftp://x'\n", "channels"),
        ("[upstream]\nurl = 'https://x'\ntoken = 'x'\ntrust = 'none.pem'\n", "none.pem"),
        ("[helpers.grid]\nrole = 'cook'\n", "helpers.grid.role"),
    ],
)
def test_settings_that_are_wrong_are_refused(tmp_path: Path, text: str, what: str) -> None:
    data = tmp_path / "core"
    data.mkdir()
    (data / "core.toml").write_text(text)
    said = twin("core", "serve", "--data", str(data), "--port", str(_port()), code=2)
    (message,) = [line for line in said.splitlines() if line.startswith("twin")][:1]
    assert what in message
    assert "Traceback" not in said


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
