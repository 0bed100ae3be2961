"""A log that tells of a subject again because it changed: the last row of each counts."""

from __future__ import annotations

import json

import pytest
from test_assessment import DAY, Extra, good_center

from twin.assessment import Assessment, Verdict
from twin.log import LogWriter
from twin.terms import Kind


def verdicts(found: Assessment, clause: str) -> set[Verdict]:
    """Of a clause's findings."""
    return {finding.verdict for finding in found.findings if finding.clause == clause}


def venue(people: int) -> Extra:
    """A venue's list of people is another from the third day on."""

    def tell(w: LogWriter) -> None:
        w.row(3 * DAY, Kind.VENUE, "v2", value=people, text="local_alarm_system")

    return tell


def device(conforms: bool) -> Extra:
    """A device is replaced by one of another model."""

    def tell(w: LogWriter) -> None:
        facts = {"kind": "smoke_alarm", "category": "fire", "venue": "v1", "vendor": "a"}
        text = json.dumps({**facts, "conforms": conforms})
        w.row(3 * DAY, Kind.DEVICE, "d0", value=1, text=text)

    return tell


def edge(seconds: float) -> Extra:
    """A road is opened or closed, and another hour is the worst."""

    def tell(w: LogWriter) -> None:
        w.row(3 * DAY, Kind.EDGE_TIME, "edge-001", value=seconds, text="Mon 08:00")

    return tell


def person(trained: bool) -> Extra:
    """Somebody's training is entered, or struck out."""

    def tell(w: LogWriter) -> None:
        facts = {"role": "duty", "trained": trained, "team": "A"}
        w.row(3 * DAY, Kind.PERSON, "p0", value=24, text=json.dumps(facts))

    return tell


@pytest.mark.parametrize(
    ("clause", "before", "better", "worse"),
    [
        ("9.3", {"responsible": 4}, venue(5), venue(4)),
        ("4.10", {"conforms": False}, device(True), device(False)),
        ("5.1.1", {"edge_s": 901.0}, edge(899.0), edge(901.0)),
        ("4.5", {}, person(True), person(False)),
    ],
)
def test_the_last_row_of_a_subject_counts(
    clause: str, before: dict[str, float], better: Extra, worse: Extra
) -> None:
    assert Verdict.NOT_MET not in verdicts(good_center(extra=better, **before), clause)  # type: ignore[arg-type]
    assert Verdict.NOT_MET in verdicts(good_center(extra=worse), clause)


def test_a_venue_that_is_told_twice_is_one() -> None:
    found = good_center(extra=venue(3))
    (finding,) = [one for one in found.findings if one.clause == "9.3" and "units" in one.gave.en]
    assert finding.gave.en.startswith("1 of 2 units")


def test_a_device_that_is_told_twice_is_one() -> None:
    def online(found: Assessment) -> list[str]:
        return [one.gave.en for one in found.findings if one.clause == "4.7"]

    assert online(good_center(extra=device(True))) == online(good_center())
