"""What a planner reads of a sizing study: figures on the right side of what is asked."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.center.sizing import SizeSettings
from twin.experiment.evidence import Estimate
from twin.experiment.targets import targets
from twin.report.size_figures import thousands
from twin.report.size_table import asked, between, value

TARGETS = {target.name: target for target in targets(SizeSettings())}


def number(text: str) -> float:
    return float(text.removesuffix(" %"))


@given(st.floats(-0.05, 0.05))
def test_a_share_that_is_lost_is_never_negative_and_never_looks_better(mean: float) -> None:
    """Lost for want of people: at most so much; rounded up, and none where plenty loses more."""
    target = TARGETS["response"]
    assert asked(target) == "≤ 1 %"
    shown = number(value(target, mean))
    assert shown >= 0.0
    assert shown >= -100 * mean - 1e-6
    assert shown <= max(-100 * mean, 0.0) + 0.01 + 1e-6


@given(st.floats(0.9, 1.0))
def test_a_rate_is_rounded_down(mean: float) -> None:
    target = TARGETS["handling"]
    assert asked(target) == "≥ 97 %"
    shown = number(value(target, mean))
    assert 100 * mean - 0.01 - 1e-6 <= shown <= 100 * mean + 1e-6


@given(st.floats(-0.04, 0.0), st.floats(0.0, 0.02), st.floats(0.0, 0.02))
def test_bounds_stand_in_the_order_of_the_numbers(mean: float, down: float, up: float) -> None:
    found = Estimate(8, mean, mean - down, mean + up, -0.01, 0.5)
    low, high = map(float, re.findall(r"[\d.]+\d", between(TARGETS["response"], found)))
    assert low <= number(value(TARGETS["response"], mean)) <= high
    rate = Estimate(8, 0.96 + mean, 0.96 + mean - down, 0.96 + mean + up, 0.97, 0.5)
    low, high = map(float, re.findall(r"[\d.]+\d", between(TARGETS["handling"], rate)))
    assert low <= number(value(TARGETS["handling"], 0.96 + mean)) <= high


def test_no_figure_is_a_dash() -> None:
    assert value(TARGETS["response"], math.nan) == value(TARGETS["handling"], math.nan) == "-"


@pytest.mark.parametrize(
    ("points", "en", "zh"), [(0, "0", "0"), (5000, "5k", "0.5万"), (60_000, "60k", "6万")]
)
def test_large_numbers_on_an_axis(points: int, en: str, zh: str) -> None:
    assert thousands(points, "en") == en
    assert thousands(points, "zh") == zh
