"""What few periods allow to say: against tables, closed forms and known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.experiment.evidence import Decision, Sample, estimate, looks, t_quantile


@pytest.mark.parametrize(
    ("freedom", "error", "table"),
    [(1, 0.05, 6.314), (7, 0.05, 1.895), (9, 0.025, 2.262), (30, 0.01, 2.457), (1000, 0.05, 1.646)],
)
def test_t_is_that_of_the_tables(freedom: int, error: float, table: float) -> None:
    """One-sided quantiles as any table of Student's t has them."""
    assert t_quantile(freedom, error) == pytest.approx(table, abs=5e-4)


def test_no_failure_yet_is_not_never() -> None:
    """60 trials without a failure: the 95 % bound is 1 - 0.05^(1/60) = 4.87 %, not 0."""
    found = estimate([Sample(1.0, 0, 20)] * 3, 0.99, 0.05)
    assert found.mean == 1.0
    assert found.lower == pytest.approx(0.05 ** (1 / 60), rel=1e-9)
    assert found.decision is Decision.UNDECIDED
    assert estimate([Sample(1.0, 0, 20)] * 3, 0.95, 0.05).decision is Decision.MET


def test_counts_have_the_published_interval() -> None:
    """Clopper and Pearson's 95 % interval for 4 of 20 is 5.73 % to 43.66 %."""
    found = estimate([Sample(0.8, 1, 5)] * 4, 0.5, 0.025)
    assert 1 - found.upper == pytest.approx(0.0573, abs=5e-5)
    assert 1 - found.lower == pytest.approx(0.4366, abs=5e-5)


def test_the_mean_bound_by_hand() -> None:
    """Values 1, 2, 3: mean 2, standard error 1/sqrt(3), t(2; 5 %) = 2.920."""
    found = estimate([Sample(1.0), Sample(2.0), Sample(3.0)], 0.0, 0.05)
    assert found.lower == pytest.approx(2 - 2.920 / math.sqrt(3), abs=1e-3)
    assert found.upper == pytest.approx(2 + 2.920 / math.sqrt(3), abs=1e-3)
    assert found.decision is Decision.MET


@pytest.mark.parametrize(("spread", "short"), [(0.0, 0.002), (0.0085, 0.015), (0.02, 0.05)])
def test_the_bound_covers(spread: float, short: float) -> None:
    """The true mean of 97.5 % lies above the lower 95 % bound about 95 times of 100.

    Years of 250 alarms; with ``spread`` the odds themselves differ from year to year (beta):
    0.0085 is what a simulated township shows, 0.02 has one year in six below 95.5 %. Ten skewed
    values cannot do better than fall a little short.
    """
    random = np.random.default_rng(1)
    mean, alarms, years, times = 0.975, 250, 10, 2000
    odds = np.full((times, years), mean)
    if spread:
        scale = mean * (1 - mean) / spread**2 - 1
        odds = random.beta(mean * scale, (1 - mean) * scale, (times, years))
    failed = random.binomial(alarms, 1 - odds)
    covered_below = covered_above = 0
    for row in failed.tolist():
        found = estimate([Sample(1 - f / alarms, f, alarms) for f in row], 0.97, 0.05)
        covered_below += found.lower <= mean
        covered_above += found.upper >= mean
    noise = 2.5 * math.sqrt(0.05 * 0.95 / times)
    assert covered_below / times >= 0.95 - noise - short
    assert covered_above / times >= 0.95 - noise
    assert covered_below / times < 0.9999  # it is no bound that says nothing


def test_several_looks_do_not_raise_the_error() -> None:
    """A figure whose true mean is just below what is asked is called "met" at most 5 % of the
    time, although one may stop at any of the looks."""
    random = np.random.default_rng(2)
    after, wrong, times = looks(4, 32), 0, 2000
    values = random.normal(0.97 - 1e-6, 0.01, (times, after[-1]))
    for row in values:
        wrong += any(
            estimate([Sample(v) for v in row[:n].tolist()], 0.97, 0.05 / len(after)).decision
            is Decision.MET
            for n in after
        )
    assert wrong / times <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / times)


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=12),
    st.floats(0.001, 0.4),
    st.floats(0.0, 1.0),
)
def test_bounds_hold_the_mean_between_them(failed: list[int], error: float, least: float) -> None:
    """Never "met" and "not met" at once; a smaller error gives a wider interval."""
    samples = [Sample(1 - f / 40, f, 40) for f in failed]
    wide, narrow = estimate(samples, least, error / 2), estimate(samples, least, error)
    assert wide.lower <= narrow.lower <= narrow.mean + 1e-12
    assert wide.upper >= narrow.upper >= narrow.mean - 1e-12
    if narrow.decision is Decision.UNDECIDED:
        assert wide.decision is Decision.UNDECIDED


def test_without_values_nothing_is_said() -> None:
    """Periods with nothing to count are left out; fewer than two with a value decide nothing."""
    nan = float("nan")
    assert estimate([], 0.5, 0.05).decision is Decision.UNDECIDED
    assert estimate([Sample(1.0), Sample(nan)], 0.5, 0.05).decision is Decision.UNDECIDED
    found = estimate([Sample(1.0, 0, 900), Sample(nan), Sample(1.0, 0, 900)], 0.5, 0.05)
    assert (found.periods, found.decision) == (2, Decision.MET)


@pytest.mark.parametrize(
    ("first", "most", "expected"),
    [
        (8, 32, [8, 16, 32]),
        (8, 8, [8]),
        (8, 5, [5]),
        (8, 40, [8, 16, 40]),
    ],
)
def test_looks(first: int, most: int, expected: list[int]) -> None:
    """Twice as many periods each time, the greatest number at the end."""
    assert looks(first, most) == expected
