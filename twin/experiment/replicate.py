"""Replications: the same periods, with the same luck, for every design; over the cores.

A worker simulates one period of one design, computes its KPIs and gives back their numbers, never
the log. A result depends on the design and the seed alone, so that any number of workers gives the
same results, and each one can be run again by ``twin run`` with that seed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from twin.kpi import compute, tables
from twin.roads.load import load_roads
from twin.roads.settings import RoadSettings
from twin.roads.travel import TravelTimes
from twin.scenario import Scenario
from twin.world import simulate

Changes = Mapping[str, Any]
"""Settings of a design that differ from the scenario's, by dotted key."""

Figures = Mapping[str, float]
"""Figures of a center's period by name: the ``year`` table of its KPIs, and tickets by kind."""

Job = tuple[Scenario, str, Changes, int]
"""What :func:`figures` takes."""

SEEDS = 2**63
"""Seeds wrap around here."""


def _nothing() -> None:
    """Tells nobody."""


def figures(scenario: Scenario, center: str, changes: Changes, seed: int) -> Figures:
    """Simulates one period and computes its figures.

    Parameters
    ----------
    scenario, changes : the design: the scenario with some settings changed.
    center : whose figures.
    seed : of all random streams.
    """
    changed = scenario.changed(**changes, seed=seed)
    run = simulate(changed, processes=1, only=center, travel=travel_of(changed))
    table = tables(compute(run.log.of_center(center)))
    found = {row["name"]: float(row["value"]) for row in table["year"]}
    for row in table["tickets"]:
        found[f"tickets_{row['kind']}"] = float(row["opened"])
    return found


def travel_of(scenario: Scenario) -> TravelTimes:
    """The scenario's roads, which no design changes: read once by each process."""
    return _travel(scenario.roads.model_dump_json())


@lru_cache(maxsize=2)
def _travel(settings: str) -> TravelTimes:
    roads = RoadSettings.model_validate_json(settings)
    return TravelTimes(load_roads(roads), roads)


class Workers:
    """Worker processes that simulate periods; a context manager that ends them.

    Parameters
    ----------
    number : of processes; 1 simulates here. The cores by default.
    ticked : called after every simulated period.

    Attributes
    ----------
    periods : simulated so far.
    """

    def __init__(self, number: int | None = None, ticked: Callable[[], None] = _nothing) -> None:
        self.number = number or multiprocessing.cpu_count()
        self.ticked = ticked
        self.periods = 0
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            if error is not None:  # nobody waits for what is still running
                for process in processes:
                    process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def figures(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Figures]]:
        """The number of each job and its figures, in the order in which they are done.

        The very first period is simulated here: what is wrong with the user's files then shows in
        a traceback that says so.
        """
        here = len(jobs) if self.number == 1 else min(len(jobs), int(self.periods == 0))
        for number, job in enumerate(jobs[:here]):
            yield number, self._tick(figures(*job))
        if here == len(jobs):
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.number, multiprocessing.get_context("spawn"), initializer=_begin
            )
        with _uninterrupted():
            running: dict[Future[Figures], int] = {
                self._pool.submit(figures, *jobs[number]): number
                for number in range(here, len(jobs))
            }
        for done in as_completed(running):
            yield running[done], self._tick(done.result())

    def _tick(self, found: Figures) -> Figures:
        self.periods += 1
        self.ticked()
        return found


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Holds an interrupt back while workers are started, which begin with what is held back here:
    one that comes while they import is not theirs to report."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Prepares a worker: an interrupt is the parent's to handle, its end is the worker's end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Replicator:
    """Periods of the designs of one center; what is known is not simulated again.

    Parameters
    ----------
    scenario, center : what every design starts from, and the center that is looked at.
    workers : who simulate.
    """

    def __init__(self, scenario: Scenario, center: str, workers: Workers) -> None:
        self.scenario = scenario
        self.center = center
        self.workers = workers
        self._found: dict[tuple[str, int], Figures] = {}

    def seed(self, number: int) -> int:
        """The seed of a period: that of the scenario, then one more each."""
        return (self.scenario.seed + number) % SEEDS

    def run(self, designs: Sequence[Changes], numbers: Sequence[int]) -> list[list[Figures]]:
        """The figures of these periods of each design, in order.

        Parameters
        ----------
        designs : what differs from the scenario.
        numbers : of the periods, from 0; the same number has the same luck in every design.
        """
        keys = [json.dumps(design, sort_keys=True) for design in designs]
        missing: dict[tuple[str, int], Job] = {}
        for number in numbers:
            for key, design in zip(keys, designs, strict=True):
                if (key, number) not in self._found:
                    job = (self.scenario, self.center, design, self.seed(number))
                    missing[key, number] = job
        places = list(missing)
        for done, found in self.workers.figures(list(missing.values())):
            self._found[places[done]] = found
        return [[self._found[key, number] for number in numbers] for key in keys]
