"""How findings are worded: rounding, where the edge is, what to do about what is not judged."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.assessment import Finding, Verdict, assess
from twin.assessment.finding import LACKING, number, percent, points, signed
from twin.log import LogError, LogWriter
from twin.terms import Kind, Verification

START_US = 1_704_038_400_000_000
DAY = 86400.0


@given(st.floats(0.0, 2.0), st.sampled_from([0.9, 0.97, 0.99, 1.0]), st.integers(0, 3))
def test_a_rate_never_reads_as_on_the_other_side(rate: float, limit: float, digits: int) -> None:
    read = float(percent(rate, digits, limit).removesuffix(" %")) / 100
    for bound in (limit, 1.0):
        if abs(rate - bound) > 1e-8:
            assert (read < bound) == (rate < bound)
            assert (read > bound) == (rate > bound)
    assert abs(read - rate) <= 0.5001 * 10 ** -(digits + 2)


@given(st.floats(-2.0, 2.0))
def test_a_margin_has_its_sign_and_is_not_0_unless_it_is(gap: float) -> None:
    text = points(gap).en.removesuffix(" points")
    assert text[0] in "+-"
    if abs(gap) > 1e-8:
        assert float(text) != 0
        assert (float(text) > 0) == (gap > 0)


@pytest.mark.parametrize(
    ("value", "digits", "limits", "text"),
    [
        (96.7593, 2, (97.0,), "96.76"),
        (96.9996, 2, (97.0,), "96.9996"),
        (97.0004, 2, (97.0,), "97.0004"),
        (97.0, 2, (97.0,), "97.00"),
        (15.04, 1, (15.0,), "15.04"),
        (14.96, 1, (15.0,), "14.96"),
        (8.0062, 3, (8.0,), "8.006"),
        (0.02, 1, (0.0,), "0.02"),
        (0.02, 1, (), "0.0"),
    ],
)
def test_numbers(value: float, digits: int, limits: tuple[float, ...], text: str) -> None:
    assert number(value, digits, *limits) == text


def test_rate_and_margin_add_up() -> None:
    """209 of 216 against 97 %: 96.76 and -0.24, not 96.75 and -0.24."""
    rate = 209 / 216
    shown = float(percent(rate, limit=0.97).removesuffix(" %"))
    assert shown + 0.24 == pytest.approx(97.0)
    assert points(rate - 0.97).en == "-0.24 points"
    assert signed(-0.0, 1) == "+0.0"


# -- 4.6, strictly --------------------------------------------------------------------------------


def verification(*told: tuple[float, Kind, dict[str, Any]], days: float = 30.0) -> Finding:
    """4.6 of a log with one fire alarm on day 1, answered as told (seconds after it)."""
    w = LogWriter("c", START_US)
    w.row(0.0, Kind.PERIOD_START, "c", value=days * DAY, text="Asia/Shanghai")
    w.row(days * DAY, Kind.PERIOD_END, "c")
    w.row(DAY, Kind.FIRE_ALARM, "d1", message=1, alarm=1, value=1, text="fire")
    for after, kind, more in told:
        w.row(DAY + after, kind, "p1", alarm=1, **more)
    return assess(w.finish())[0].finding("4.6", "verification_rate")


def ended(word: Verification, after: float = 40.0) -> tuple[float, Kind, dict[str, Any]]:
    return after, Kind.VERIFIED, {"text": word}


def came(after: float) -> tuple[float, Kind, dict[str, Any]]:
    return after, Kind.ON_SCENE, {"value": 300.0, "text": "center"}


@pytest.mark.parametrize(
    ("told", "ever", "at_once"),
    [
        ([ended(Verification.NOT_A_FIRE)], True, True),
        ([ended(Verification.TEST, 61.0)], True, False),
        ([ended(Verification.NOBODY_REACHED)], False, False),
        ([ended(Verification.UNCLEAR)], False, False),
        ([ended(Verification.NOBODY_REACHED), came(600.0)], True, False),
        ([ended(Verification.NOBODY_REACHED), came(55.0)], True, True),
        ([ended(Verification.NOBODY_REACHED), ended(Verification.CONFIRMED, 500.0)], True, False),
    ],
)
def test_verification_that_reached_nobody_is_none_strictly(
    told: list[tuple[float, Kind, dict[str, Any]]], ever: bool, at_once: bool
) -> None:
    finding = verification(*told)
    assert finding.verdict is Verdict.MET  # the deciding reading: the verification ended
    assert finding.stricter is not None
    first, second = finding.stricter.en.split("; the same within 1 min")
    assert first.endswith("100.00 %: met") is ever
    assert first.endswith("0.00 %: not met") is not ever
    assert second.endswith("100.00 %: met") is at_once
    assert ("符合；" in finding.stricter.zh) is True


def test_who_is_on_the_way_at_the_end_is_pending() -> None:
    """Ten minutes after the message the log ends: neither strictly verified nor not."""
    early = verification(ended(Verification.NOBODY_REACHED), days=1 + 600 / DAY)
    assert early.stricter is None


# -- 5.1.1, by name -------------------------------------------------------------------------------


def reach(point: str | None) -> list[Finding]:
    """The findings of 5.1.1 of a log whose only edge point is described so."""
    w = LogWriter("c", START_US)
    w.row(9.0, Kind.PERIOD_END, "c")
    w.row(0.0, Kind.EDGE_TIME, "edge-001", value=1182.0, text="Mon 17:00")
    w.row(0.0, Kind.EDGE_DISTANCE, "edge-001", value=8006.2, text="straight")
    if point is not None:
        w.row(0.0, Kind.EDGE_POINT, "edge-001", text=point)
    found = assess(w.finish())[0]
    return [found.finding("5.1.1", item) for item in ("travel", "radius")]


def test_the_worst_points_say_where_they_are() -> None:
    facts = {"lon": 119.5345, "lat": 32.0434, "near": "陈家村", "metres": 1240, "bearing": 50}
    for finding in reach(json.dumps(facts)):
        assert "edge-001, 1.2 km north-east of 陈家村 (119.5345, 32.0434)" in finding.gave.en
        assert "陈家村东北1.2km处，经度119.5345、纬度32.0434" in finding.gave.zh
    travel, radius = reach(json.dumps({"lon": 1.5, "lat": 42.5}))
    assert "to edge-001, 1.5000, 42.5000;" in travel.gave.en
    assert "周一17:00" in travel.gave.zh
    assert radius.margin is not None
    assert radius.margin.en == "-6 m"
    assert "to edge-001; Mon 17:00" in reach(None)[0].gave.en


@pytest.mark.parametrize("bad", ["", "[]", "{}", '{"lon": "east", "lat": 1}', "null"])
def test_an_edge_point_without_a_place_is_refused(bad: str) -> None:
    with pytest.raises(LogError, match=r'edge_point row "edge-001".*lon and lat'):
        reach(bad)


# -- what is not judged ---------------------------------------------------------------------------


def test_every_reason_says_what_can_be_done() -> None:
    """Whoever reads why something is not judged finds a thing to add, to answer or to change."""
    w = LogWriter("c", START_US)
    w.row(0.0, Kind.OPERATION, "d1", text="self_test")
    w.row(10.0, Kind.OPERATION, "d1", text="self_test")
    (found,) = assess(w.finish())
    kinds = {kind.value for kind in Kind}
    for finding in found.findings:
        assert finding.reason is not None
        assert "the log has no" not in finding.reason.en
        for quoted in re.findall("`([a-z_]+)`", finding.reason.en):
            assert quoted in kinds | {"conforms", "wind", "periodic"}
    for key, text in LACKING.items():
        asks = re.search(r"add |give |take |enter |answer|check |simulate ", text.en)
        assert asks, f"{key}: {text.en}"
        assert re.search("请|填写|写入|未填写", text.zh), f"{key}: {text.zh}"
