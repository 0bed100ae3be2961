"""An alarm that was raised at a place unknown, and whose place becomes known while it is open."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from holding import holding
from served_support import Served
from test_core_events import act, event, eventually, kinds

from twin.alarmcore.annexb.codes import PREFIX
from twin.alarmcore.service.serve import database_of
from twin.alarmcore.store.batch import look_at_state

_numbers = itertools.count(1)


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
        assert answer.status_code == 200 or verb in ("respond", "verify"), answer.text


@pytest.fixture
def venue(served: Served) -> Iterator[str]:
    """A venue of the test's own; its devices go afterwards, so that other tests count right."""
    own = f"place-{next(_numbers)}"
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


def test_a_word_about_an_alarm_that_is_being_moved_is_taken(served: Served, venue: str) -> None:
    register(served, f"{venue}-known", venue)
    first = raised(served, f"{venue}-known")
    second = raised(served, f"{venue}-late")
    register(served, f"{venue}-late", venue)
    answers: list[Any] = []
    word = threading.Thread(target=lambda: answers.append(act(served, second, "respond")))
    lock = f"SELECT FROM venue_state WHERE venue = '?acme/{venue}-late' FOR UPDATE"
    with holding(served.core.data, lock):
        close(served, first)
        time.sleep(0.6)  # whoever moves it is the first that waits
        word.start()
        time.sleep(0.3)
    word.join()
    assert answers[0].status_code == 200, answers[0].text
    eventually(lambda: "placed" in kinds(served, second))
    assert kinds(served, second).count("responded") == 1
    close(served, second)


def disabled(served: Served, *venues: str) -> list[set[str]]:
    """The devices that are disabled in the states of venues."""

    async def look() -> list[set[str]]:
        with database_of(served.core.data) as url:
            db = await asyncpg.connect(url)
            states = [await look_at_state(db, venue) for venue in venues]
            await db.close()
        return [set(state.disabled) for state in states]

    return asyncio.run(look())


def reopens(served: Served, device: str) -> bool:
    """Whether a message of a device that comes after a verification reopens the alarm."""
    alarm = raised(served, device)
    assert act(served, alarm, "respond").status_code == 200
    assert act(served, alarm, "verify", outcome="not_a_fire").status_code == 200
    assert raised(served, device) == alarm
    found = "reopened" in kinds(served, alarm)
    close(served, alarm)
    return found


@pytest.mark.parametrize("way", ["moved", "installed", "back"])
def test_a_disablement_goes_with_its_device(served: Served, venue: str, way: str) -> None:
    own, device = f"{venue}-known", f"acme/{venue}-known"
    push(served, "venue", venueId=f"{venue}-b", name="Cellar")
    first = f"?{device}" if way == "installed" else f"acme/{venue}"
    if way == "installed":  # it had no venue yet (API 16)
        push(
            served, "device/unplaced", deviceId=own, kind="smoke_alarm", category="fire",
            conforms=True,
        )  # fmt: skip
    else:
        register(served, own, venue)
        register(served, f"{venue}-late", venue)
        assert served.push(event(f"{venue}-late", "disablement")).status_code == 200
    assert served.push(event(own, "disablement", what="renovation")).status_code == 200
    (before,) = disabled(served, first)
    assert device in before
    if way == "back":
        served.call("POST", f"{PREFIX}/device/delete", "vendor", json={"deviceId": own})
    register(served, own, f"{venue}-b")
    assert disabled(served, first, f"acme/{venue}-b") == [before - {device}, {device}]
    assert not reopens(served, own)
    # Whoever ends it ends it where the device is now.
    assert served.push(event(own, "disablement", phase="end")).status_code == 200
    assert disabled(served, f"acme/{venue}-b") == [set()]
    assert reopens(served, own)
    register(served, own, venue)
    assert disabled(served, f"acme/{venue}", f"acme/{venue}-b") == [before - {device}, set()]
