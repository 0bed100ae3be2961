"""Who supervises is told of every missed deadline of an alarm, once, whatever dies meanwhile."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from holding import holding
from receiver import Receiver, broken, receipt

from twin.load.siege import ServedCore, register

SPEED = 20.0
"""So that the minute of 6.1 is over in three seconds."""
SETTINGS = """
notify_tries = 2
notify_retry = "0.05 s"
[channels]
voice = "{voice}"
duty = "{duty}"
[supervisors.chief]
channel = "duty"
address = "13900002222"
[supervisors.deputy]
channel = "duty"
"""
SUPERVISORS = {"chief", "deputy"}
PEOPLE = 5
VENUE = "acme/v00000"

_numbers = itertools.count(1)


class Center(NamedTuple):
    """A core of two workers whose channels are a receiver's."""

    core: ServedCore
    receiver: Receiver
    vendor: str
    operator: str

    def fire(self, device: str) -> str:
        """A device signals a fire; the alarm's id."""
        own = f"m{next(_numbers)}"
        with self.core.client(self.vendor) as client:
            client.post(
                "/thirdPartyApi/event",
                {
                    "messageId": own,
                    "deviceId": device,
                    "type": "fire",
                    "time": datetime.now(UTC).isoformat(),
                },
            )
        with self.core.client(self.operator) as client:
            alarm: str = client.get(f"/core/event/acme/{own}")["alarm"]
        return alarm

    def of(self, alarm: str) -> dict[str, Any]:
        """An alarm's record."""
        with self.core.client(self.operator) as client:
            return dict(client.get(f"/core/alarm/{alarm}"))

    def rows(self, alarm: str, kind: str) -> list[Any]:
        """Rows of a kind in an alarm's record."""
        return [row for row in self.of(alarm)["record"] if row["kind"] == kind]

    def missed(self, alarm: str) -> list[str]:
        """What the log calls the deadlines that are recorded as missed."""
        return [row["text"] for row in self.rows(alarm, "deadline_missed")]

    def say(self, alarm: str, verb: str, **more: Any) -> None:
        """The operator's word about an alarm."""
        with self.core.client(self.operator) as client:
            client.post(f"/core/alarm/{alarm}", {"verb": verb, **more})

    def escalations(self, alarm: str) -> list[Any]:
        """The deliveries to supervisors in an alarm's record."""
        lines = self.of(alarm)["notifications"]
        return [line for line in lines if line["kind"] == "escalation"]

    def close(self, alarm: str) -> None:
        """Works an alarm off."""
        with self.core.client(self.operator) as client:
            for verb, more in (
                ("respond", {}), ("verify", {"outcome": "test"}),
                ("annotate", {"annotation": "test"}), ("close", {}),
            ):  # fmt: skip
                answer = client.call("POST", f"/core/alarm/{alarm}", {"verb": verb, **more})
                assert answer.status == 200 or verb in ("respond", "verify"), answer


@pytest.fixture(scope="module")
def center(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Center]:
    folder: Path = tmp_path_factory.mktemp("escalation")
    core = ServedCore(folder / "core", workers=2, speed=SPEED)
    core.data.mkdir()
    with Receiver() as receiver:
        urls = {name: receiver.url(name) for name in ("voice", "duty")}
        (core.data / "core.toml").write_text(SETTINGS.format(**urls))
        core.start()
        try:
            core.ready()
            made = Center(
                core, receiver, core.add_vendor("acme"), core.add_user("duty", "operator")
            )
            with core.client(made.vendor) as vendor:
                register(vendor, venues=3, devices_each=1, people=PEOPLE, channels=("voice",))
            yield made
        finally:
            core.stop()


def eventually(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What comes true in time."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)
    return found


def names(got: list[Any]) -> list[tuple[str, str]]:
    """Who was told of which deadline."""
    return sorted((one.message["to"], one.message["deadline"]) for one in got)


def everybody(*deadlines: str) -> list[tuple[str, str]]:
    """Every supervisor, told once of each of these."""
    return sorted(itertools.product(SUPERVISORS, deadlines))


def test_every_supervisor_is_told_of_each_missed_deadline_once(center: Center) -> None:
    center.receiver.does["voice"] = broken  # so that nobody is notified in time either
    alarm = center.fire("smoke-000000")
    first = eventually(lambda: len(got := center.receiver.of(alarm, "duty")) >= 2 and got[:2])
    assert center.missed(alarm)[0] == "respond"
    assert names(first) == everybody("respond")
    (told,) = (one.message for one in first if one.message["to"] == "chief")
    assert told["kind"] == "escalation"
    assert told["address"] == "13900002222"
    assert told["place"].startswith("shop")
    assert told["category"] == "fire"
    raised = center.of(alarm)["alarm"]["raised"]
    assert told["due"] == pytest.approx(raised + 5.0, abs=1e-3)  # 6.1: responded to in 5 s
    assert 0 <= told["late"] == pytest.approx(told["time"] - told["due"], abs=0.01)
    eventually(lambda: len(center.receiver.of(alarm, "duty")) == 6)
    assert sorted(center.missed(alarm)) == ["handle", "respond", "verify"]
    assert names(center.receiver.of(alarm, "duty")) == everybody("respond", "verify", "notify")
    eventually(lambda: {line["state"] for line in center.escalations(alarm)} == {"received"})
    time.sleep(0.5)
    assert len(center.escalations(alarm)) == len(center.receiver.of(alarm, "duty")) == 6
    center.receiver.does.clear()
    center.close(alarm)


def test_an_answer_that_comes_too_late_is_escalated_too(center: Center) -> None:
    alarm = center.fire("smoke-000000")
    center.say(alarm, "respond")
    eventually(lambda: len(center.rows(alarm, "notified")) == PEOPLE)
    verify = threading.Thread(target=center.say, args=(alarm, "verify"), kwargs={"outcome": "test"})
    lock = f"SELECT FROM venue_state WHERE venue = '{VENUE}' FOR UPDATE"
    with holding(center.core.data, lock):  # whoever reports deadlines passes it by
        time.sleep(70 / SPEED)
        verify.start()
        time.sleep(0.5)  # it waits
        assert "verify" not in center.missed(alarm)
    verify.join()
    # The answer was the first: the deadline is missed with it.
    (missed,) = (row for row in center.rows(alarm, "deadline_missed") if row["text"] == "verify")
    (verified,) = center.rows(alarm, "verified")
    assert missed["time"] == verified["time"]

    def told() -> list[Any]:
        got = center.receiver.of(alarm, "duty")
        return [one for one in got if one.message["deadline"] == "verify"]

    eventually(lambda: len(told()) == len(SUPERVISORS))
    assert min(one.message["late"] for one in told()) > 5.0
    center.close(alarm)
    eventually(lambda: {line["state"] for line in center.escalations(alarm)} == {"received"})
    assert len(told()) == len(SUPERVISORS)
    assert len(center.escalations(alarm)) == len(SUPERVISORS) * len(center.missed(alarm))


def test_it_is_told_when_all_was_dead_and_for_as_long_as_the_alarm_is_open(center: Center) -> None:
    center.receiver.does["duty"] = broken
    alarm = center.fire("smoke-000001")
    # The next try is a second away then: none is under way when it dies.
    eventually(lambda: min((line["tries"] for line in center.escalations(alarm)), default=0) >= 5)
    center.core.kill()
    center.core.start()
    center.core.ready()
    eventually(lambda: {"respond", "verify"} <= {*center.missed(alarm)})
    eventually(lambda: min(line["tries"] for line in center.escalations(alarm)) > 3)
    assert {line["state"] for line in center.escalations(alarm)} == {"waiting"}  # notify_tries = 2
    center.receiver.does["duty"] = receipt
    eventually(lambda: {line["state"] for line in center.escalations(alarm)} == {"received"})
    sent = [line["person"] for line in center.escalations(alarm)]
    missed = center.missed(alarm)
    assert sorted(sent) == sorted([*SUPERVISORS] * len(missed))
    keys = {one.message["key"] for one in center.receiver.of(alarm, "duty")}
    assert len(keys) == len(sent)
    center.receiver.does["duty"] = broken
    other = center.fire("smoke-000002")
    eventually(lambda: center.escalations(other))
    center.close(other)
    # Nobody has to come any more: it is given up as other messages are.
    eventually(lambda: {line["state"] for line in center.escalations(other)} == {"failed"})
    center.receiver.does.clear()
    center.close(alarm)


def test_the_place_is_told_as_soon_as_it_is_known(center: Center) -> None:
    other = center.fire("smoke-000000")
    alarm = center.fire("nobodys")
    eventually(lambda: len(center.receiver.of(alarm, "duty")) == 2)
    assert {one.message["place"] for one in center.receiver.of(alarm, "duty")} == {None}
    assert {one.message["venue"] for one in center.receiver.of(alarm, "duty")} == {"?acme/nobodys"}
    device = {
        "deviceId": "nobodys", "projectId": "p", "venueId": VENUE.partition("/")[2],
        "kind": "smoke_alarm", "category": "fire", "conforms": True,
    }  # fmt: skip
    with center.core.client(center.vendor) as client:
        client.post("/thirdPartyApi/device", device)
    # The alarm waits for its venue, which has another; the next deadline passes meanwhile.
    told = eventually(lambda: center.receiver.of(alarm, "duty")[2:])
    assert {one.message["deadline"] for one in told} == {"verify"}
    assert {one.message["place"] for one in told} == {center.of(other)["alarm"]["place"]}
    assert center.of(alarm)["alarm"]["venue"] == "?acme/nobodys"
    center.close(alarm)
    center.close(other)
