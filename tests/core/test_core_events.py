"""What pushes do: the lifecycle over HTTPS, device states, tickets, and bad input."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from served_support import Served

_numbers = itertools.count(1)


def event(device: str, type_: str, **more: Any) -> dict[str, Any]:
    """An event of a device, now."""
    return {
        "messageId": f"e{next(_numbers)}",
        "deviceId": device,
        "type": type_,
        "time": datetime.now(UTC).isoformat(),
        **more,
    }


def eventually(what: Callable[[], Any]) -> Any:
    """What comes true within ten seconds."""
    until = time.monotonic() + 10
    while not (found := what()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)
    return found


def open_alarm(served: Served, venue: str) -> dict[str, Any]:
    """The venue's open alarm."""
    alarms = served.data("/core/alarm?open=true")["alarms"]
    (alarm,) = [a for a in alarms if a["venue"] == venue]
    return dict(alarm)


def act(served: Served, alarm: str, verb: str, **more: Any) -> Any:
    """An operator's word about an alarm."""
    return served.call("POST", f"/core/alarm/{alarm}", "operator", json={"verb": verb, **more})


def kinds(served: Served, alarm: str) -> list[str]:
    """Kinds of the rows of an alarm's record."""
    return [row["kind"] for row in served.data(f"/core/alarm/{alarm}")["record"]]


def close(served: Served, venue: str) -> None:
    """Works an open alarm off as a test."""
    alarm = open_alarm(served, venue)["id"]
    for verb in (
        {"verb": "respond"},
        {"verb": "verify", "outcome": "test"},
        {"verb": "annotate", "annotation": "test"},
        {"verb": "close"},
    ):
        served.call("POST", f"/core/alarm/{alarm}", "operator", json=verb)


def test_a_fire_from_its_signal_to_its_closed_record(served: Served) -> None:
    fire = event("d1", "fire")
    assert served.push(fire).json()["data"] == {"accepted": 1, "repeated": 0, "quarantined": 0}
    assert served.push(fire).json()["data"] == {"accepted": 0, "repeated": 1, "quarantined": 0}
    assert served.push(event("d2", "fire")).status_code == 200
    alarm = open_alarm(served, "acme/v1")
    assert (alarm["grade"], alarm["stage"], alarm["place"]) == (2, "raised", "Shop")
    number = alarm["id"]
    record = served.data(f"/core/alarm/{number}")
    assert {d["name"] for d in record["deadlines"]} >= {"verify"}
    assert [c["name"] for c in record["contacts"]] == ["n0", "n1", "n2", "n3", "n4"]
    eventually(lambda: kinds(served, number).count("notified") == 5)
    assert act(served, number, "close").status_code == 400
    assert act(served, number, "verify", outcome="confirmed").status_code == 400
    for verb, more in (
        ("respond", {}),
        ("verify", {"outcome": "confirmed"}),
        ("start_plan", {}),
        ("dispatch", {"person": "li", "vehicle": "van"}),
        ("call_119", {}),
        ("arrive", {"who": "li"}),
        ("evacuate", {}),
        ("file_report", {"cause": "cooking", "course": "a pan"}),
        ("annotate", {"annotation": "confirmed_fire"}),
        ("close", {}),
    ):
        assert act(served, number, verb, **more).status_code == 200, verb
    record = served.data(f"/core/alarm/{number}")
    assert record["alarm"]["closed"] is not None
    assert record["lacks"] == []
    assert record["deadlines"] == []
    assert record["report"]["course"] == "a pan"
    assert "dispatched" in kinds(served, number)
    audit = served.data("/core/audit?limit=1000", "auditor")["entries"]
    assert sum(e["target"] == number and e["who"] == "operator" for e in audit) == 10


def test_a_missed_deadline_is_recorded_once(served: Served) -> None:
    def not_handled() -> set[str]:
        """Open alarms whose response or verification is late, by the lists."""
        due = {
            (d["alarm"], d["name"]) for d in served.data("/core/deadline?limit=1000")["deadlines"]
        }
        return {
            a["id"]
            for a in served.data("/core/alarm?open=true&limit=1000")["alarms"]
            if (a["stage"] == "raised" and (a["id"], "respond") not in due)
            or (a["stage"] in ("raised", "responded") and (a["id"], "verify") not in due)
        }

    def counted() -> bool:
        overview = served.data("/core/overview", "manager")
        return bool(overview["alarmsNotHandled"] == len(not_handled()))

    served.push(event("d3", "fire"))
    number = open_alarm(served, "acme/v2")["id"]
    eventually(lambda: "deadline_missed" in kinds(served, number))
    assert number in not_handled()
    eventually(counted)  # the others' deadlines pass meanwhile
    act(served, number, "respond")
    assert number not in not_handled()  # the verification still has time
    eventually(counted)
    time.sleep(0.5)
    assert kinds(served, number).count("deadline_missed") == 1
    told = {line["kind"] for line in served.data(f"/core/alarm/{number}")["notifications"]}
    assert told == {"notify"}  # nobody supervises: core.toml names nobody
    close(served, "acme/v2")


def test_what_devices_tell_is_believed_and_opens_tickets(served: Served) -> None:
    push = [
        event("d3", "offline"), event("d3", "offline"),
        event("d3", "fault", what="sensor"), event("d3", "fault", what="low_battery"),
        event("d3", "early_warning", value=61.0, what="temperature"),
        event("d3", "state", parameters={"battery_percent": 12.0}),
    ]  # fmt: skip
    assert served.push(push).json()["data"]["accepted"] == 6
    tickets = served.data("/core/ticket?open=true")["tickets"]
    mine = {t["kind"]: t for t in tickets if t["device"] == "acme/d3"}
    assert set(mine) == {"offline", "fault", "battery", "hazard"}
    hours = {kind: t["due"] and round((t["due"] - t["opened"]) / 3600) for kind, t in mine.items()}
    assert hours == {"offline": 48, "fault": 48, "battery": 24, "hazard": None}
    path = f"/core/ticket/{mine['offline']['id']}"
    assert served.call("POST", path, "operator", json={}).status_code == 400
    assert "6.5" in served.call("POST", path, "operator", json={"close": True}).text
    work = {"finding": "no power", "close": True}
    assert served.call("POST", path, "operator", json=work).json()["data"]["finding"] == "no power"
    ends = [event("d3", "online"), event("d3", "fault", what="sensor", phase="end")]
    assert served.push(ends).json()["data"]["accepted"] == 2
    overview = served.data("/core/overview", "manager")
    assert (overview["offline"], overview["faulty"], overview["lowBattery"]) == (0, 0, 1)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"messageId": "\xff"}', "UTF-8"),
        (b"[]", "1 to 1000"),
        (b"[" * 5000, ""),
        (b'{"messageId": "b1", "deviceId": "d1", "type": "melt", "time": "2020-01-01"}', "melt"),
        (b'{"messageId": 7, "deviceId": "d1", "type": "state"}', "$.messageId"),
        (b'{"deviceId": "d1", "type": "state"}', "messageId"),
        (b'{"messageId": "", "deviceId": "d1", "type": "state", "time": "x"}', "length"),
    ],
)
def test_what_cannot_be_read_is_refused_and_kept(served: Served, body: bytes, what: str) -> None:
    before = len(served.data("/core/quarantine?limit=1000")["kept"])
    answer = served.push(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "P01000")
    assert what in answer.json()["message"]
    kept = served.data("/core/quarantine?limit=1000")["kept"]
    assert len(kept) == before + 1
    assert kept[-1]["body"].encode() in (body, b'{"messageId": "\\xff"}')


@pytest.mark.parametrize(
    ("at", "what"),
    [
        ("1970-01-01T00:00:00Z", "30 days"),
        ("tomorrow", "future"),
        ("2024-01-01T00:00:00", "offset"),
        ("yesterday, about noon", "ISO 8601"),
    ],
)
def test_an_impossible_time_is_refused_and_yet_raises_the_alarm(
    served: Served, at: str, what: str
) -> None:
    if at == "tomorrow":
        at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    answer = served.push(event("d3", "fire", time=at))
    assert answer.status_code == 400
    assert what in answer.json()["message"]
    assert open_alarm(served, "acme/v2")["category"] == "fire"
    close(served, "acme/v2")


def test_a_fire_of_an_unknown_device_has_no_place_but_an_alarm(served: Served) -> None:
    assert served.push(event("nobody", "fire")).json()["data"]["accepted"] == 1
    alarm = open_alarm(served, "?acme/nobody")
    assert alarm["place"] is None
    close(served, "?acme/nobody")


@pytest.mark.parametrize(("kind", "alarms"), [("state", 0), ("fire", 1)])
def test_too_many_events_at_once_are_an_alarm_if_they_may_be_one(
    served: Served, kind: str, alarms: int
) -> None:
    def opened() -> list[str]:
        return [alarm["venue"] for alarm in served.data("/core/alarm?open=true")["alarms"]]

    for venue in opened():
        close(served, venue)
    answer = served.push([event("d3", "state")] * 1000 + [event("d3", kind)])
    assert answer.status_code == 400
    assert "1 to 1000" in answer.json()["message"]
    assert opened() == ["?acme/?"] * alarms


def test_a_fire_that_is_malformed_is_one_at_its_place(served: Served) -> None:
    answer = served.push({**event("d3", "fire"), "value": "hot"})
    assert answer.status_code == 400
    assert "$.value" in answer.json()["message"]
    assert open_alarm(served, "acme/v2")["category"] == "fire"
    close(served, "acme/v2")


def test_what_may_be_a_fire_is_one(served: Served) -> None:
    assert served.push(b'{"type": "fire", "deviceId": 12').status_code == 400
    assert open_alarm(served, "?acme/?")["category"] == "fire"
    close(served, "?acme/?")


def test_one_bad_event_does_not_take_the_others_with_it(served: Served) -> None:
    push = [event("d3", "state", parameters={"a": 1.0}), {"type": "state"}, event("x", "online")]
    answer = served.push(push)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"accepted": 1, "repeated": 0, "quarantined": 2}
    assert answer.json()["message"].startswith("event 1:")


def test_a_message_id_that_says_something_else_is_not_lost(served: Served) -> None:
    first = event("d3", "state", parameters={"a": 1.0})
    again = dict(reversed(first.items()))  # the same, written differently
    other = {**first, "type": "fire"}
    assert served.push(first).json()["data"]["accepted"] == 1
    assert served.push(again).json()["data"]["repeated"] == 1
    assert served.push(other).json()["data"]["quarantined"] == 1
    assert open_alarm(served, "acme/v2")["category"] == "fire"
    close(served, "acme/v2")


def test_too_large_a_body_is_refused(served: Served) -> None:
    answer = served.push(b"[" + b" " * 1_100_000 + b"]")
    assert answer.status_code == 413


def test_every_message_is_found_again_as_it_came(served: Served) -> None:
    sent = [event("d3", "state", parameters={"n": float(n)}, note="中文") for n in range(30)]
    served.push(sent)
    found: dict[str, Any] = {}
    after = "0"
    while after:
        page = served.data(f"/core/event?after={after}&limit=7&vendor=acme", "auditor")
        found |= {e["messageId"]: e["event"] for e in page["events"]}
        after = page["next"]
    for one in sent:
        assert found[one["messageId"]] == one
    one = served.data(f"/core/event/acme/{sent[0]['messageId']}", "auditor")
    assert one["event"] == sent[0]


def test_a_command_is_given_twice(served: Served) -> None:
    def give(**more: str) -> Any:
        body = {"device": "acme/d1", "command": "remote_trip", **more}
        return served.call("POST", "/core/command", "operator", json=body)

    asked = give().json()["data"]
    assert asked["outbox"] is None
    assert give(confirmation="0" * 32).status_code == 400
    assert give(confirmation=asked["confirmation"]).json()["data"]["outbox"] is not None
    assert give(device="acme/none").status_code == 404


def test_figures_are_those_of_the_log(served: Served) -> None:
    tables = served.data("/core/figures", "manager")["tables"]
    year = {row["name"]: row["value"] for row in tables["year"]}
    assert year["components"] == 3
    assert year["alarms_all"] >= 4
    assert year["verification_rate"] == 1.0
