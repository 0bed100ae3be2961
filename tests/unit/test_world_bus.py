"""Buses at work against a host that polls its slaves one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from twin.network.rs485 import exchange_s, poll_cycle_s, silent_poll_s
from twin.network.settings import Rs485Settings
from twin.world.bus import Buses

SLAVES = 12
SETTINGS = Rs485Settings()
FIRST = 2
"""Devices 0 and 1 hang on nothing; the host is the last."""


def buses(settings: Rs485Settings = SETTINGS) -> Buses:
    gateway = np.array([-1] * FIRST + [FIRST + SLAVES] * SLAVES + [-1])
    turn = np.arange(-FIRST, SLAVES + 1) / SLAVES % 1.0
    return Buses(settings, gateway, turn)


def polled(dead: set[int], shown_by: int, shown_at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds until a slave is read (or found dead), poll by poll, from random moments on."""
    cost = [silent_poll_s() if k in dead else exchange_s(10) for k in range(SLAVES)]
    begins = np.cumsum([0.0, *cost])[shown_by]
    turns = begins + sum(cost) * np.arange(int(shown_at.max() / sum(cost)) + 3)
    return np.asarray(turns[np.searchsorted(turns, shown_at)] + cost[shown_by] - shown_at)


@pytest.mark.parametrize("dead", [set(), {3}, {1, 3, 9}])
def test_telegrams_wait_as_if_the_host_polled_one_by_one(dead: set[int]) -> None:
    shown_at = np.random.default_rng(1).uniform(0.0, 1e6, 20_000)
    device = np.full(shown_at.size, FIRST + 5)
    bus = buses()
    read = bus.reads_after(device, shown_at) + bus.waits(device, shown_at, len(dead))
    counted = polled(dead, 5, shown_at)
    assert read.mean() == pytest.approx(counted.mean(), rel=0.02)
    cycle = poll_cycle_s(SLAVES, 10, dead=len(dead))
    quantiles = np.linspace(0.0, 1.0, 11)
    assert np.allclose(
        np.quantile(read, quantiles), np.quantile(counted, quantiles), atol=0.03 * cycle
    )


def test_three_dead_slaves_cost_their_neighbours_half_of_nine_seconds_on_average() -> None:
    # Tries x timeout, 3 s, for each in every round, less the 0.1 s that it takes while it lives.
    time = np.random.default_rng(2).uniform(0.0, 1e6, 20_000)
    waits = buses().waits(np.full(time.size, FIRST + 5), time, 3)
    assert waits.mean() == pytest.approx(4.4, abs=0.05)
    assert waits.max() == pytest.approx(8.8, abs=0.05)


@pytest.mark.parametrize("others", [0, 2])
def test_a_dead_slave_is_found_in_its_turn_after_all_tries(others: int) -> None:
    died_at = np.random.default_rng(3).uniform(0.0, 1e6, 20_000)
    found = buses().finds_dead_after(np.full(died_at.size, FIRST + 5), died_at, others)
    counted = polled({5, *range(6, 6 + others)}, 5, died_at)
    # The round in which it dies is the first that it slows down.
    assert found.min() >= silent_poll_s()
    assert found.mean() == pytest.approx(
        silent_poll_s() + (counted.mean() - silent_poll_s()) * poll_cycle_s(SLAVES, 10, dead=others)
        / poll_cycle_s(SLAVES, 10, dead=others + 1), rel=0.03,
    )  # fmt: skip


def test_timeout_and_tries_are_the_scenarios() -> None:
    patient = buses(Rs485Settings.model_validate({"timeout": "2 s", "tries": 5}))
    assert patient.silent_poll == pytest.approx(10.0, abs=0.1)
    assert patient.lost_per_dead == pytest.approx(10.0 - exchange_s(10), abs=0.1)
    assert patient.slaves.tolist() == [0] * FIRST + [SLAVES] * SLAVES + [0]
