"""Published results of queueing theory with the center's own desk.

Every figure is estimated from one long run with a fixed seed. The published value has to lie in
the 99.9 % confidence interval by batch means, and the interval has to be narrow enough to tell it
from what a desk with an error would give.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from math import exp, sqrt
from typing import Any

import numpy as np
import pytest
import simpy
from numpy.typing import ArrayLike

from twin.center.desk import Desk, DeskFullError
from twin.streams import Streams

BATCHES = 20
T_999 = 3.883  # two-sided 99.9 % point of Student's t with 19 degrees of freedom


def assert_estimates(values: ArrayLike, published: float, narrow: float) -> None:
    """The mean of a stationary series agrees with a published value, within a narrow interval."""
    batches = np.array_split(np.asarray(values, float), BATCHES + 1)[1:]  # the first warms up
    means = np.array([batch.mean() for batch in batches])
    half = T_999 * means.std(ddof=1) / sqrt(BATCHES)
    assert half < narrow * published, f"{half / published:.3f} of the value: the run is too short"
    assert abs(means.mean() - published) < half, f"{means.mean():.5f} +- {half:.5f}"


@dataclass
class Customers:
    """Customers of one priority: how many come in a time unit, and what became of each."""

    rate: float
    priority: int = 0
    wait: list[float] = field(default_factory=list)
    stay: list[float] = field(default_factory=list)
    lost: list[bool] = field(default_factory=list)
    found: list[int] = field(default_factory=list)


def run(
    name: str,
    servers: int,
    mean_service: float,
    customers: int,
    *classes: Customers,
    places: int | None = None,
) -> None:
    """Runs a desk with Poisson arrivals and exponential service."""
    env = simpy.Environment()
    desk = Desk(env, places)
    present = 0

    def customer(of: Customers, service: float) -> Generator[Any, Any, None]:
        nonlocal present
        came = env.now
        of.found.append(present)
        try:
            request = desk.request(of.priority)
        except DeskFullError:
            of.lost.append(True)
            return
        of.lost.append(False)
        present += 1
        operator = yield request
        of.wait.append(env.now - came)
        yield env.timeout(service)
        desk.release(operator)
        present -= 1
        of.stay.append(env.now - came)

    def source(
        of: Customers, gaps: list[float], services: list[float]
    ) -> Generator[Any, Any, None]:
        for gap, service in zip(gaps, services, strict=True):
            yield env.timeout(gap)
            env.process(customer(of, service))

    for number in range(servers):
        desk.arrive(f"operator-{number}")
    total = sum(of.rate for of in classes)
    for number, of in enumerate(classes):
        n = round(customers * of.rate / total)
        rng = Streams(1).generator("queue", name, number)
        gaps = rng.exponential(1 / of.rate, n).tolist()
        env.process(source(of, gaps, rng.exponential(mean_service, n).tolist()))
    env.run()


@pytest.mark.parametrize(
    ("servers", "arrivals", "service", "mean_wait", "delayed"),
    [(2, 1.6, 1.0, 1.777778, 0.711111), (3, 0.2, 0.1, 4.444444, 0.444444)],
)
def test_erlang_c(
    servers: int, arrivals: float, service: float, mean_wait: float, delayed: float
) -> None:
    calls = Customers(arrivals)
    run(f"M/M/{servers}", servers, 1 / service, 200_000, calls)
    assert_estimates(calls.wait, mean_wait, 0.12)
    assert_estimates(np.array(calls.wait) > 0, delayed, 0.05)
    # First come, first served: the wait is exponential for those who wait at all. In any other
    # order its mean is the same and its tail is not.
    spare = servers * service - arrivals
    late = 2.0 / spare
    assert_estimates(np.array(calls.wait) > late, delayed * exp(-spare * late), 0.25)


def test_two_priorities_without_preemption() -> None:
    urgent, plain = Customers(0.2, 0), Customers(0.6, 1)
    run("priorities", 1, 1.0, 120_000, urgent, plain)
    assert_estimates(urgent.stay, 2.0, 0.08)
    assert_estimates(plain.stay, 6.0, 0.20)


@pytest.mark.parametrize(("servers", "offered", "blocked"), [(2, 1.0, 0.2), (3, 2.0, 0.210526)])
def test_erlang_b(servers: int, offered: float, blocked: float) -> None:
    calls = Customers(offered)
    run(f"loss/{servers}", servers, 1.0, 80_000, calls, places=0)
    assert_estimates(calls.lost, blocked, 0.05)
    assert max(calls.wait) == 0.0


def test_m_m_2_3() -> None:
    calls = Customers(3.0)
    run("M/M/2/3", 2, 1 / 4, 80_000, calls, places=1)
    # Poisson arrivals see time averages.
    found = np.array(calls.found)
    for number, published in enumerate((0.46801, 0.35101, 0.13163, 0.04936)):
        assert_estimates(found == number, published, 0.10)
    assert_estimates(found, 0.762340, 0.04)
    assert found.max() == 3
