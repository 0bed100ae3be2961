"""A driven run: the clock of ``--speed 60`` brings every deadline sixty times as soon."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from twin.load.siege import ServedCore, register

SPEED = 60.0


def test_deadlines_come_as_fast_as_the_clock(tmp_path: Path) -> None:
    core = ServedCore(tmp_path / "core", speed=SPEED)
    core.start()
    try:
        core.ready()
        vendor, operator = core.add_vendor("acme"), core.add_user("wang", "operator")
        with core.client(vendor) as pushes, core.client(operator) as desk:
            register(pushes, venues=1, devices_each=1)
            before, began = desk.get("/healthz")["clock"], time.monotonic()
            now = datetime.now(UTC).isoformat()
            fire = {"messageId": "m", "deviceId": "smoke-000000", "type": "fire", "time": now}
            pushes.post("/thirdPartyApi/event", fire)
            alarm = desk.get("/core/event/acme/m")["alarm"]
            # A minute of 6.1 at the speed of the wall would not be over in this time.
            while desk.get("/core/deadline")["deadlines"]:
                assert time.monotonic() - began < 45
                time.sleep(0.02)
            passed, told = time.monotonic() - began, desk.get("/healthz")["clock"] - before
            rows = desk.get(f"/core/alarm/{alarm}")["record"]
        assert told == pytest.approx(SPEED * passed, rel=0.1, abs=SPEED * 0.5)
        raised = rows[0]["time"]
        missed = {
            row["text"]: row["time"] - raised for row in rows if row["kind"] == "deadline_missed"
        }
        assert missed.keys() >= {"respond", "verify"}
        for name, seconds in (("respond", 5.0), ("verify", 60.0)):
            assert missed[name] >= seconds - 1e-3
        kinds = [row["text"] for row in rows if row["kind"] == "deadline_missed"]
        assert len(kinds) == len(set(kinds))
    finally:
        core.stop()
