"""Random access of NB-IoT against its published ceilings and closed forms."""

import math

import numpy as np
import pytest

from twin.network.nbiot import (
    NPRACH_PERIOD_S,
    PREAMBLE_REPETITIONS,
    PREAMBLE_S,
    access_ceiling,
    mass_arrivals,
    random_access,
)


@pytest.mark.parametrize(("level", "published"), [(0, 13.8), (1, 6.9), (2, 1.7)])
def test_ceiling_of_a_cell_by_coverage_level(level: int, published: float) -> None:
    assert round(access_ceiling(level), 1) == published


@pytest.mark.parametrize("level", [0, 1, 2])
def test_saturated_cell_reaches_its_ceiling_and_stays_below(level: int) -> None:
    # 10 % more than the ceiling, for long: what gets through is the ceiling, the rest piles up.
    rng = np.random.default_rng(level)
    ready = np.cumsum(rng.exponential(1 / (1.1 * access_ceiling(level)), 30_000))
    access = random_access(ready, level, rng)
    half, end = ready[-1] / 2, ready[-1]
    served = np.count_nonzero((access > half) & (access < end)) / (end - half)
    # Sampling error about 0.8 % (12 subcarriers, each a success with chance 1/e).
    assert served == pytest.approx(access_ceiling(level), rel=0.02)
    assert access.max() > 1.05 * end


def test_cell_below_its_ceiling_keeps_up() -> None:
    rng = np.random.default_rng(5)
    ready = np.cumsum(rng.exponential(1 / (0.8 * access_ceiling(0)), 10_000))
    assert np.mean(random_access(ready, 0, rng) - ready) < 5.0


@pytest.mark.parametrize("seed", range(5))
def test_5000_devices_after_a_power_restore_need_at_least_six_minutes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ready = mass_arrivals(5000, rng)
    access = random_access(ready, 0, rng)
    assert np.all(access > ready)
    # Not far above either: a cell that controls its load loses little.
    assert 360.0 <= access.max() < 1.1 * 5000 / access_ceiling(0)


def test_mass_arrivals_follow_the_traffic_model() -> None:
    t = mass_arrivals(200_000, np.random.default_rng(1))
    edges = np.linspace(0, 10, 21)
    share, _ = np.histogram(t, edges)
    middle = (edges[:-1] + edges[1:]) / 2
    density = 6e-5 * middle**2 * (10 - middle) ** 3
    assert np.allclose(share / t.size / 0.5, density, atol=0.004)


def test_two_devices_collide_once_in_twelve() -> None:
    # Both try until they differ: the number of opportunities is geometric with mean 12/11.
    rng = np.random.default_rng(2)
    rounds = [
        (random_access(np.zeros(2), 0, rng).max() - PREAMBLE_S) / NPRACH_PERIOD_S[0] + 1
        for _ in range(4000)
    ]
    assert np.mean(rounds) == pytest.approx(12 / 11, abs=4 * math.sqrt(12) / 11 / math.sqrt(4000))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_lone_device_takes_the_next_opportunity(level: int) -> None:
    period = NPRACH_PERIOD_S[level]
    access = random_access(np.array([3.1 * period]), level, np.random.default_rng(0))
    assert access[0] == pytest.approx(4 * period + PREAMBLE_REPETITIONS[level] * PREAMBLE_S)


def test_no_opportunity_serves_more_than_its_subcarriers() -> None:
    rng = np.random.default_rng(3)
    level = rng.choice([0, 1, 2], 900, p=[0.5, 0.3, 0.2])
    access = random_access(mass_arrivals(900, rng), level, rng)
    _, served = np.unique(access[level == 2].round(6), return_counts=True)
    assert served.max() <= 12
    assert np.all(np.isfinite(access))


def test_ten_collisions_send_a_device_to_the_next_level() -> None:
    # At the ceiling a try succeeds with chance 1/e: (1 - 1/e)^10 = 1 % of the devices fail ten
    # times, and their preambles end off the grid of level 0.
    rng = np.random.default_rng(4)
    ready = np.cumsum(rng.exponential(1 / (1.1 * access_ceiling(0)), 30_000))
    access = random_access(ready, 0, rng)
    slots = (access - PREAMBLE_S) / NPRACH_PERIOD_S[0]
    escalated = np.mean(np.abs(slots - slots.round()) > 1e-3)
    assert escalated == pytest.approx((1 - 1 / math.e) ** 10, rel=0.3)


def test_nobody_reports() -> None:
    assert random_access(np.zeros(0), 0, np.random.default_rng(0)).size == 0
