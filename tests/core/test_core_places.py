"""An alarm that was raised at a place unknown, and whose place becomes known while it is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from served_support import Served
from test_core_events import act, event, eventually, kinds

from twin.alarmcore.annexb.codes import PREFIX


def push(served: Served, what: str, **body: Any) -> None:
    """Registers a venue or a device of project ``p``."""
    answer = served.call("POST", f"{PREFIX}/{what}", "vendor", json={"projectId": "p", **body})
    assert answer.status_code == 200, answer.text


def register(served: Served, device: str, venue: str) -> None:
    """Registers a smoke alarm at a venue."""
    push(
        served, "device", deviceId=device, venueId=venue, kind="smoke_alarm", category="fire",
        conforms=True, location="attic",
    )  # fmt: skip


def close(served: Served, alarm: str) -> None:
    """Works an alarm off, from wherever it stands."""
    for verb, more in (
        ("respond", {}), ("verify", {"outcome": "test"}), ("annotate", {"annotation": "test"}),
        ("close", {}),
    ):  # fmt: skip
        answer = act(served, alarm, verb, **more)
        assert answer.status_code == 200 or verb == "respond", answer.text


@pytest.fixture
def venue(served: Served, request: pytest.FixtureRequest) -> Iterator[str]:
    """A venue of the test's own; its devices go afterwards, so that other tests count right."""
    own = f"place-{request.node.name[:40]}"
    people = [{"name": f"p{k}", "phone": f"20{k}", "channels": ["voice"]} for k in range(5)]
    push(served, "venue", venueId=own, name="Attic", responsible=people)
    yield own
    for device in ("new", "late", "known"):
        served.call(
            "POST", f"{PREFIX}/device/delete", "vendor", json={"deviceId": f"{own}-{device}"}
        )


def raised(served: Served, device: str) -> str:
    """The id of the open alarm that a fire of a device is in."""
    fire = event(device, "fire")
    assert served.push(fire).status_code == 200
    stored = served.data(f"/core/event/acme/{fire['messageId']}")
    return str(stored["alarm"])


def test_an_alarm_moves_to_its_venue_and_people_are_notified(served: Served, venue: str) -> None:
    device = f"{venue}-new"
    alarm = raised(served, device)
    before = served.data(f"/core/alarm/{alarm}")
    assert (before["alarm"]["venue"], before["alarm"]["place"]) == (f"?acme/{device}", None)
    assert (before["contacts"], before["notifications"]) == ([], [])
    register(served, device, venue)
    eventually(lambda: kinds(served, alarm).count("notified") == 5)
    after = served.data(f"/core/alarm/{alarm}")
    assert (after["alarm"]["venue"], after["alarm"]["place"]) == (f"acme/{venue}", "Attic")
    assert [one["name"] for one in after["contacts"]] == ["p0", "p1", "p2", "p3", "p4"]
    assert [one["location"] for one in after["devices"]] == ["attic"]
    # Nothing is lost, nothing begins anew: its record goes on, and so do its deadlines.
    assert after["alarm"]["raised"] == before["alarm"]["raised"]
    for line in after["deadlines"]:
        assert line["venue"] == f"acme/{venue}"
    due = {line["name"]: line["at"] for line in before["deadlines"]}
    for line in after["deadlines"]:
        assert line["at"] == due.get(line["name"], line["at"])
    assert [row["subject"] for row in after["record"] if row["kind"] == "placed"] == [
        f"acme/{venue}"
    ]
    assert raised(served, device) == alarm  # a repeat joins it
    close(served, alarm)
    assert kinds(served, alarm).count("fire_alarm") == 2
    assert served.data(f"/core/alarm/{alarm}")["alarm"]["closed"] is not None


def test_an_alarm_waits_while_its_venue_has_another(served: Served, venue: str) -> None:
    register(served, f"{venue}-known", venue)
    first = raised(served, f"{venue}-known")
    second = raised(served, f"{venue}-late")
    register(served, f"{venue}-late", venue)
    line = served.data(f"/core/alarm/{second}")
    assert line["alarm"]["place"] == "Attic"  # the operator sees it at once
    assert len(line["contacts"]) == 5
    assert "placed" not in kinds(served, second)
    close(served, first)
    eventually(lambda: kinds(served, second).count("notified") == 5)
    assert served.data(f"/core/alarm/{second}")["alarm"]["venue"] == f"acme/{venue}"
    close(served, second)
