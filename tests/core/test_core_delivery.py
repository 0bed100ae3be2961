"""Notifications, confirmed alarms and forwards reach real receivers over HTTP (9.2, 9.3, 4.9, 4.3).

The receivers answer, answer later, fail and hang; the central platform is a second core.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from receiver import Receiver, broken, receipt, taken

from twin.load.siege import Client, ServedCore, register

SETTINGS = """
center = "east"
notify_tries = 4
notify_retry = "0.2 s"
[channels]
voice = "{voice}"
sms = "{sms}"
app = "{app}"
brigade = "{brigade}"
[helpers.grid-east]
role = "grid_worker"
address = "13900001111"
[helpers.station-2]
role = "micro_fire_station"
[helpers.brigade]
role = "brigade"
channel = "brigade"
"""
UPSTREAM = """
[upstream]
url = "{url}"
token = "{token}"
trust = "central.crt"
"""
PEOPLE = 5

_numbers = itertools.count(1)


class Center(NamedTuple):
    """A core whose channels are a receiver's, the vendor's client and an operator's."""

    core: ServedCore
    vendor: Client
    operator: Client
    receiver: Receiver
    central: ServedCore
    upstream: str
    """An operator's token at the central platform."""

    def fire(self, device: str) -> str:
        """A device signals a fire; the alarm's id."""
        own = f"m{next(_numbers)}"
        now = datetime.now(UTC).isoformat()
        self.vendor.post(
            "/thirdPartyApi/event",
            {"messageId": own, "deviceId": device, "type": "fire", "time": now},
        )
        alarm: str = self.operator.get(f"/core/event/acme/{own}")["alarm"]
        return alarm

    def say(self, alarm: str, verb: str, **more: Any) -> None:
        """The operator's word about an alarm."""
        self.operator.post(f"/core/alarm/{alarm}", {"verb": verb, **more})

    def record(self, alarm: str, kind: str) -> list[Any]:
        """Rows of a kind in an alarm's record."""
        rows = self.operator.get(f"/core/alarm/{alarm}")["record"]
        return [row for row in rows if row["kind"] == kind]

    def sent(self, alarm: str, channel: str) -> list[Any]:
        """An alarm's messages in the outbox, of a channel."""
        lines = self.operator.get(f"/core/alarm/{alarm}")["notifications"]
        return [line for line in lines if line["channel"] == channel]


@pytest.fixture(scope="module")
def center(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Center]:
    folder: Path = tmp_path_factory.mktemp("delivery")
    central = ServedCore(folder / "central", tls=True)
    core = ServedCore(folder / "core")
    try:
        central.start()
        central.ready()
        token, upstream = central.add_vendor("east"), central.add_user("duty", "operator")
        central.stop()
        core.data.mkdir()
        (core.data / "central.crt").write_bytes((central.data / "server.crt").read_bytes())
        with Receiver() as receiver:
            urls = {name: receiver.url(name) for name in ("voice", "sms", "app", "brigade")}
            (core.data / "core.toml").write_text(
                SETTINGS.format(**urls) + UPSTREAM.format(url=central.url, token=token)
            )
            core.start()
            core.ready()
            vendor_token, operator_token = (
                core.add_vendor("acme"),
                core.add_user("wang", "operator"),
            )
            with core.client(vendor_token) as vendor, core.client(operator_token) as operator:
                register(vendor, venues=80, devices_each=1, people=PEOPLE)
                yield Center(core, vendor, operator, receiver, central, upstream)
    finally:
        core.stop()
        central.stop()


@pytest.fixture(autouse=True)
def _as_ever(center: Center) -> Iterator[None]:
    yield
    center.receiver.does.clear()


_devices = (f"smoke-{number:06d}" for number in itertools.count())


def eventually(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What comes true in time."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)
    return found


def states(lines: list[Any]) -> dict[str, int]:
    """How many messages are in which state."""
    return dict(Counter(line["state"] for line in lines))


def test_a_receipt_that_comes_with_the_answer(center: Center) -> None:
    alarm = center.fire(next(_devices))
    rows = eventually(lambda: len(r := center.record(alarm, "notified")) == PEOPLE and r)
    assert {row["subject"][-2:] for row in rows} == {f"#{n}" for n in range(1, PEOPLE + 1)}
    eventually(lambda: len(center.receiver.of(alarm)) == 3 * PEOPLE)
    told = center.receiver.of(alarm, "voice")[0].message
    assert told["place"].startswith("shop")
    assert told["category"] == "fire"
    assert told["phone"].startswith("139")
    eventually(lambda: {line["state"] for line in center.sent(alarm, "sms")} == {"received"})
    assert not center.record(alarm, "not_notified")


def test_a_receipt_that_comes_later(center: Center) -> None:
    for channel in ("voice", "sms", "app"):
        center.receiver.does[channel] = taken
    alarm = center.fire(next(_devices))
    eventually(lambda: len(center.receiver.of(alarm)) == 3 * PEOPLE)
    eventually(lambda: {line["state"] for line in center.sent(alarm, "voice")} == {"sent"})
    assert not center.record(alarm, "notified")
    one, other = center.receiver.of(alarm, "voice")[:2]
    with center.core.client() as anybody:
        forged = {"key": one.message["key"], "receipt": other.message["receipt"]}
        assert anybody.call("POST", "/core/receipt", forged).status == 401
        for _ in range(2):  # the second time it is known
            anybody.post(
                "/core/receipt", {"key": one.message["key"], "receipt": one.message["receipt"]}
            )
        anybody.post(
            "/core/receipt",
            {"key": other.message["key"], "receipt": other.message["receipt"], "received": False},
        )
    (row,) = center.record(alarm, "notified")
    assert (row["subject"], row["text"]) == (one.message["to"], "voice")
    states = {line["person"]: line["state"] for line in center.sent(alarm, "voice")}
    assert states[one.message["to"]] == "received"
    assert states[other.message["to"]] == "failed"
    assert not center.record(alarm, "not_notified")  # sms and app may reach that person yet


def test_a_channel_that_fails_is_tried_again_and_given_up(center: Center) -> None:
    center.receiver.does["voice"] = broken
    alarm = center.fire(next(_devices))
    eventually(lambda: {line["state"] for line in center.sent(alarm, "voice")} == {"failed"})
    assert len(center.record(alarm, "notified")) == PEOPLE  # by the other channels
    assert not center.record(alarm, "not_notified")
    person = center.receiver.of(alarm, "voice")[0].message["to"]
    tries = [got for got in center.receiver.of(alarm, "voice") if got.message["to"] == person]
    assert len({got.message["key"] for got in tries}) == 1
    gaps = [after.at - before.at for before, after in itertools.pairwise(tries)]
    assert len(gaps) == 3  # notify_tries = 4
    for gap, wait in zip(gaps, (0.2, 0.4, 0.8), strict=True):
        assert gap >= wait - 0.05
    (line, *_) = center.sent(alarm, "voice")
    assert line["tries"] == 4
    assert "503" in line["error"]


def test_a_flood_of_alarms_holds_up_no_further_try(center: Center) -> None:
    def slow(message: dict[str, Any]) -> Any:
        time.sleep(1.0)
        return receipt(message)

    center.receiver.does["voice"] = broken
    again = center.fire(next(_devices))
    eventually(lambda: len(center.receiver.of(again, "voice")) == 3 * PEOPLE)
    center.receiver.does["voice"] = slow  # the last try is due 0.8 s from now
    flood = {center.fire(next(_devices)) for _ in range(40)}
    eventually(lambda: sum(len(center.receiver.of(a, "voice")) for a in flood) == 40 * PEOPLE)
    order = [got.message["alarm"] for got in center.receiver.got if got.channel == "voice"]
    tries = [k for k, alarm in enumerate(order) if alarm == again]
    assert len(tries) == 4 * PEOPLE
    assert sum(alarm in flood for alarm in order[tries[-1] :]) > 2 * PEOPLE


def test_whom_no_channel_reaches_is_not_notified_once(center: Center) -> None:
    for channel in ("voice", "sms", "app"):
        center.receiver.does[channel] = broken
    alarm = center.fire(next(_devices))
    rows = eventually(lambda: len(r := center.record(alarm, "not_notified")) == PEOPLE and r)
    assert len({row["subject"] for row in rows}) == PEOPLE
    assert not center.record(alarm, "notified")
    time.sleep(0.3)
    assert len(center.record(alarm, "not_notified")) == PEOPLE


def test_a_channel_that_comes_back_reaches_everybody(center: Center) -> None:
    for channel in ("voice", "sms", "app"):
        center.receiver.does[channel] = broken
    alarm = center.fire(next(_devices))
    eventually(lambda: center.receiver.of(alarm, "voice"))
    for channel in ("voice", "sms", "app"):
        center.receiver.does[channel] = receipt
    eventually(lambda: len(center.record(alarm, "notified")) == PEOPLE)
    assert not center.record(alarm, "not_notified")


def test_a_channel_that_hangs_holds_up_nobody(center: Center) -> None:
    center.receiver.does["voice"] = center.receiver.hang
    alarms = [center.fire(next(_devices)) for _ in range(3)]
    began = time.monotonic()
    eventually(lambda: all(len(center.receiver.of(alarm, "app")) == PEOPLE for alarm in alarms))
    eventually(lambda: all(len(center.record(alarm, "notified")) == PEOPLE for alarm in alarms))
    took = time.monotonic() - began
    assert all(line["state"] == "waiting" for line in center.sent(alarms[0], "voice"))
    # Nothing of voice had ended by then: a delivery is broken off after ten seconds.
    voice = center.sent(alarms[0], "voice")
    assert all(line["tries"] == 0 for line in voice), (took, voice)


def test_a_message_that_hangs_holds_up_no_other_of_its_channel(center: Center) -> None:
    hung = center.fire(next(_devices))
    eventually(lambda: len(center.record(hung, "notified")) == PEOPLE)
    stuck = ("#1", "#2")

    def some_hang(message: dict[str, Any]) -> Any:
        slow = message["to"].endswith(stuck)
        return center.receiver.hang(message) if slow else {"receipt": True}

    center.receiver.does["voice"] = some_hang
    alarms = [center.fire(next(_devices)) for _ in range(2)]
    some = {"received": PEOPLE - 2, "waiting": 2}
    eventually(lambda: all(states(center.sent(alarm, "voice")) == some for alarm in alarms))
    assert all(
        line["tries"] == 0
        for alarm in alarms
        for line in center.sent(alarm, "voice")
        if line["state"] == "waiting"
    )


def test_a_confirmed_fire_goes_to_helpers_and_the_brigade(center: Center) -> None:
    alarm = center.fire(next(_devices))
    center.say(alarm, "respond")
    assert not [got for got in center.receiver.of(alarm) if got.message["kind"] == "confirmed"]
    center.say(alarm, "verify", outcome="confirmed")
    rows = eventually(lambda: len(r := center.record(alarm, "confirmed_sent")) == 3 and r)
    assert {row["subject"] for row in rows} == {"grid-east", "station-2", "brigade"}
    told = [got for got in center.receiver.of(alarm) if got.message["kind"] == "confirmed"]
    assert {(got.channel, got.message["role"], got.message["address"]) for got in told} == {
        ("app", "grid_worker", "13900001111"),
        ("app", "micro_fire_station", ""),
        ("brigade", "brigade", ""),
    }
    assert told[0].message["place"].startswith("shop")


@pytest.mark.parametrize("known", ["before", "after"])
def test_helpers_are_told_where_a_device_is_while_its_alarm_waits_for_its_venue(
    center: Center, known: str
) -> None:
    busy = center.fire(next(_devices))
    venue = center.operator.get(f"/core/alarm/{busy}")["alarm"]
    own = f"installed-{known}"
    alarm = center.fire(own)
    device = {
        "deviceId": own, "projectId": "p", "venueId": venue["venue"].partition("/")[2],
        "kind": "smoke_alarm", "category": "fire", "conforms": True,
    }  # fmt: skip
    center.say(alarm, "respond")
    if known == "before":
        center.vendor.post("/thirdPartyApi/device", device)
    center.say(alarm, "verify", outcome="confirmed")
    untold = 0
    if known == "after":
        untold = 3
        eventually(lambda: len(center.record(alarm, "confirmed_sent")) == untold)
        assert {one.message["place"] for one in center.receiver.of(alarm)} == {None}
        center.vendor.post("/thirdPartyApi/device", device)
        center.vendor.post("/thirdPartyApi/device", device)  # again, which is no news
    eventually(lambda: len(center.record(alarm, "confirmed_sent")) == untold + 3)
    assert center.operator.get(f"/core/alarm/{alarm}")["alarm"]["venue"] == f"?acme/{own}"
    told = center.receiver.of(alarm)[untold:]
    assert len(told) == 3
    for _, _, message in told:
        assert message["kind"] == "confirmed"
        assert message["place"] == venue["place"]
        assert message["details"]["venueId"] == device["venueId"]


def test_alarms_are_stored_while_the_central_platform_is_away_and_forwarded(
    center: Center,
) -> None:
    alarm = center.fire(next(_devices))
    eventually(lambda: len(center.record(alarm, "notified")) == PEOPLE)  # before any forward
    line = eventually(lambda: (lines := center.sent(alarm, "forward")) and lines[0])
    eventually(lambda: center.sent(alarm, "forward")[0]["tries"] >= 1)
    assert line["state"] == "waiting"
    center.say(alarm, "respond")
    center.say(alarm, "verify", outcome="confirmed")
    center.central.start()
    center.central.ready()
    with center.central.client(center.upstream) as upstream:

        def told() -> list[Any]:
            stored = upstream.pages("/core/event", "events")
            return [one["event"] for one in stored if one["event"]["deviceId"] == place]

        place = center.operator.get(f"/core/alarm/{alarm}")["alarm"]["venue"]
        events = eventually(lambda: len(found := told()) == 2 and found, 30.0)
        assert {event["what"].partition(":")[0] for event in events} == {"raised", "confirmed"}
        (line,) = [
            one for one in upstream.get("/core/alarm?open=true&limit=1000")["alarms"]
            if one["venue"] == f"?east/{place}"
        ]  # fmt: skip
        assert line["category"] == "fire"
        center.say(alarm, "call_119")
        center.say(alarm, "file_report", cause="cooking")
        center.say(alarm, "annotate", annotation="confirmed_fire")
        center.say(alarm, "close")
        events = eventually(lambda: len(found := told()) == 3 and found, 30.0)
        assert sorted(event.get("phase", "begin") for event in events) == ["begin", "begin", "end"]
    eventually(lambda: {one["state"] for one in center.sent(alarm, "forward")} == {"received"})
