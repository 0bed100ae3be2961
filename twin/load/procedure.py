"""Whether a core's alarms went on as clause 6 has it, whatever happened to its processes.

From the read-back alone: every fire message is in exactly one alarm; every deadline of an alarm
is open, met, or missed exactly once and not before its time; every responsible person has one
message for each channel, and one receipt in the record.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from twin.load.siege import Client, Fleet

RESPOND_S, VERIFY_S = 5.0, 60.0
"""The deadlines of 6.1."""

_DEADLINES = (("respond", RESPOND_S, "responded"), ("verify", VERIFY_S, "verified"))
"""Name, length, and the row of the record that meets it."""

_LOOKS = 5

_ROUNDING_S = 1e-3
"""Times of the record are rounded to the microsecond."""


class Aftermath(NamedTuple):
    """What the alarms show.

    Parameters
    ----------
    problems : what is wrong, a sentence each; empty: nothing.
    alarms : looked at.
    missed, open : deadlines missed, and still open.
    due_while_down : missed deadlines that fell due while the core was down.
    """

    problems: tuple[str, ...]
    alarms: int
    missed: int
    open: int
    due_while_down: int


def fire_messages(stored: Iterable[Mapping[str, Any]]) -> tuple[Counter[str], list[str]]:
    """How many fire messages each alarm has, and the ids of those that are in none."""
    alarms: Counter[str] = Counter()
    homeless: list[str] = []
    for entry in stored:
        if entry["event"]["type"] == "fire":
            if entry["alarm"] is None:
                homeless.append(entry["messageId"])
            else:
                alarms[entry["alarm"]] += 1
    return alarms, homeless


def look(
    client: Client,
    messages: Mapping[str, int],
    fleet: Fleet,
    now: float,
    grace_s: float,
    down: Sequence[tuple[float, float]] = (),
    *,
    delivered: bool = False,
) -> Aftermath:
    """Look at alarms through the core's interface, while no load runs.

    Parameters
    ----------
    client : of an operator or auditor.
    messages : alarms to look at, with how many fire messages the read-back puts into each.
    fleet : as registered: whom the core must notify.
    now : the core's clock before the look, s.
    grace_s : how long after its time a deadline may take to be recorded, while the core is up.
    down : when the core was down, in its clock.
    delivered : every notification must have its receipt by now.
    """
    problems: list[str] = []
    missed = is_open = due_while_down = 0
    up = max((b for _, b in down), default=0.0)
    for alarm, count in messages.items():
        for left in reversed(range(_LOOKS)):
            told = read_alarm(client, alarm)
            found = _of_alarm(told, count, fleet, now, up, grace_s, delivered)
            if not found or not left:
                break
            # A deadline may have been recorded while the record was being read.
            time.sleep(0.05)
        problems += [f"alarm {alarm}: {problem}" for problem in found]
        is_open += len(told["deadlines"])
        for name, seconds, answer in _DEADLINES:
            for start, _, misses, _ in _rounds(told["record"], name, answer):
                missed += len(misses)
                due_while_down += any(a <= start + seconds <= b for a, b in down if misses)
    return Aftermath(tuple(problems), len(messages), missed, is_open, due_while_down)


def read_alarm(client: Client, alarm: str) -> dict[str, Any]:
    """What the core tells of an alarm, with its whole record, which comes in pages."""
    told: dict[str, Any] = client.get(f"/core/alarm/{alarm}")
    if told["next"] is not None:
        told["record"] += client.pages(f"/core/alarm/{alarm}/record", "record", told["next"])
    return told


def _of_alarm(
    told: Mapping[str, Any],
    count: int,
    fleet: Fleet,
    now: float,
    up: float,
    grace_s: float,
    delivered: bool,
) -> list[str]:
    problems = []
    rows = told["record"]
    received = sum(row["kind"] == "fire_alarm" for row in rows)
    if received != count:
        problems.append(f"{received} messages in its record, {count} read back")
    names = {line["name"] for line in told["deadlines"]}
    for name, seconds, answer in _DEADLINES:
        for start, answered, misses, last in _rounds(rows, name, answer):
            due, is_open = start + seconds, last and name in names
            fault = _fault(due, answered, misses, is_open, now, up, grace_s)
            if fault:
                problems.append(f"deadline {name}: {fault}")
    return problems + _notifications(told, fleet, delivered)


def _rounds(
    rows: Sequence[Mapping[str, Any]], name: str, answer: str
) -> list[tuple[float, float | None, list[float], bool]]:
    """Start, time of the answer, times of misses of each round of an alarm; whether the last."""
    rounds: list[tuple[float, float | None, list[float]]] = []
    for row in rows:
        if row["kind"] == "reopened" or not rounds:
            rounds.append((row["time"], None, []))
        start, _, misses = rounds[-1]
        if row["kind"] == answer:
            rounds[-1] = (start, row["time"], misses)
        elif row["kind"] == "deadline_missed" and row["text"] == name:
            misses.append(row["time"])
    return [(*entry, number == len(rounds) - 1) for number, entry in enumerate(rounds)]


def _fault(
    due: float, answered: float | None, misses: list[float], is_open: bool, now: float,
    up: float, grace_s: float,
) -> str:  # fmt: skip
    if len(misses) > 1:
        return f"missed {len(misses)} times"
    if misses and misses[0] < due - _ROUNDING_S:
        return f"missed {due - misses[0]:.3f} s before its time"
    if misses and is_open:
        return "missed and still open"
    if answered is not None:
        late = answered > due + _ROUNDING_S
        if late and not misses:
            return f"answered {answered - due:.3f} s late, and not recorded as missed"
        if not late and misses:
            return "missed although the answer came in time"
        return "still open although answered" if is_open else ""
    if not misses and not is_open:
        return "forgotten: neither open nor missed nor met"
    if is_open and now > max(due, up) + grace_s:
        return f"still open {now - due:.1f} s after its time"
    return ""


def _notifications(told: Mapping[str, Any], fleet: Fleet, delivered: bool) -> list[str]:
    venue = told["alarm"]["venue"]
    if venue.startswith("?"):
        return []
    lines = [line for line in told["notifications"] if line["kind"] == "notify"]
    ways = Counter((line["person"], line["channel"]) for line in lines)
    wanted = {
        (f"{venue}#{number}", channel)
        for number in range(1, fleet.people + 1)
        for channel in fleet.channels
    }
    problems: list[str] = []
    if ways.keys() != wanted or max(ways.values(), default=1) > 1:
        problems.append(
            f"{len(wanted)} notifications are due once each, "
            f"{sum(ways.values())} of {len(ways)} kinds are in the outbox"
        )
    receipts = Counter(row["subject"] for row in told["record"] if row["kind"] == "notified")
    if any(times > 1 for times in receipts.values()):
        problems.append("somebody is recorded as notified twice")
    if delivered:
        waiting = sum(line["state"] != "received" for line in lines)
        if waiting or len(receipts) != fleet.people:
            problems.append(
                f"{waiting} notifications without receipt, "
                f"{len(receipts)} of {fleet.people} people recorded as notified"
            )
    return problems
