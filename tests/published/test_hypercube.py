"""The hypercube model of Larson & Odoni (Urban Operations Research, 5.4.4) with the Dispatcher."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
import pytest
import simpy
from simpy.events import Event

from twin.center.dispatch import Dispatcher
from twin.streams import Streams

ATOMS = (  # area, calls in a time unit, units in the order of preference
    (0, 0.50, (0, 1, 2)),
    (0, 0.25, (0, 2, 1)),
    (1, 0.35, (1, 0, 2)),
    (2, 0.40, (2, 0, 1)),
)
CALLS = 90_000
BATCHES = 20
T_999 = 3.883  # two-sided 99.9 % point of Student's t with 19 degrees of freedom


@dataclass
class Car:
    """A unit whose travel times are its ranks in the table of preferences."""

    number: int
    busy: bool = False
    worked: float = 0.0

    def seconds_to(self, place: int, now: float) -> float:
        assert now >= 0.0
        return inf if self.busy else float(ATOMS[place][2].index(self.number))


class Cars(Dispatcher[Car]):
    def take(self, unit: Car, event: Event) -> None:
        unit.busy = True
        super().take(unit, event)


@dataclass
class Result:
    """By batch of calls: share of time that each unit works, share of calls that wait, share
    of dispatches out of a unit's own area."""

    workload: np.ndarray[Any, Any]
    waits: np.ndarray[Any, Any]
    inter_area: np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def result() -> Result:
    env = simpy.Environment()
    cars = Cars(env, [Car(number) for number in range(3)])
    waits, outside, begun, intervals = [], [], [], []

    def call(atom: int, service: float) -> Generator[Any, Any, None]:
        order = cars.order(atom)
        waits.append(not order.triggered)
        car: Car = yield order
        outside.append(car.number != ATOMS[atom][0])
        intervals.append((car.number, env.now, env.now + service))
        yield env.timeout(service)
        car.busy = False
        cars.available()

    def source() -> Generator[Any, Any, None]:
        rate = np.array([atom[1] for atom in ATOMS])
        rng = Streams(1).generator("hypercube")
        gaps = rng.exponential(1 / rate.sum(), CALLS).tolist()
        atoms = rng.choice(len(ATOMS), CALLS, p=rate / rate.sum()).tolist()
        services = rng.exponential(1.0, CALLS).tolist()
        for gap, atom, service in zip(gaps, atoms, services, strict=True):
            yield env.timeout(gap)
            begun.append(env.now)
            env.process(call(atom, service))

    env.process(source())
    env.run()
    assert len(cars) == 0
    # Time in batches of equal length, the first one (it warms up) left out.
    edges = np.linspace(0, begun[-1], BATCHES + 2)
    workload = np.zeros((3, BATCHES + 1))
    for car, start, end in intervals:
        first, last = np.searchsorted(edges, [start, end]) - 1
        for batch in range(max(first, 0), min(last, BATCHES) + 1):
            workload[car, batch] += min(end, edges[batch + 1]) - max(start, edges[batch])
    workload /= np.diff(edges)

    def batches(series: list[bool]) -> np.ndarray[Any, Any]:
        return np.array([part.mean() for part in np.array_split(series, BATCHES + 1)[1:]])

    return Result(workload[:, 1:], batches(waits), batches(outside))


def assert_estimates(means: np.ndarray[Any, Any], published: float, narrow: float) -> None:
    half = T_999 * means.std(ddof=1) / sqrt(BATCHES)
    assert half < narrow * published, f"{half / published:.3f} of the value: the run is too short"
    assert abs(means.mean() - published) < half, f"{means.mean():.5f} +- {half:.5f}"


@pytest.mark.parametrize(("car", "published"), [(0, 0.5574), (1, 0.4734), (2, 0.4693)])
def test_workloads(result: Result, car: int, published: float) -> None:
    # Units 1 and 2 differ by 18 %, 2 and 3 by 1 %.
    assert_estimates(result.workload[car], published, 0.03)


def test_share_of_calls_that_wait(result: Result) -> None:
    assert_estimates(result.waits, 0.23684, 0.08)


def test_dispatches_out_of_the_own_area(result: Result) -> None:
    # Share of all dispatches, those from the queue included.
    assert_estimates(result.inter_area, 0.43529, 0.03)
