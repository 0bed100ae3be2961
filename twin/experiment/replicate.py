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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from types import TracebackType
from typing import Any, Self

from twin.kpi import compute, tables
from twin.scenario import Scenario
from twin.world import simulate

Changes = Mapping[str, Any]
"""Settings of a design that differ from the scenario's, by dotted key."""

Figures = Mapping[str, float]
"""Figures of a center's period by name: the ``year`` table of its KPIs, and tickets by kind."""

SEEDS = 2**63
"""Seeds wrap around here."""


def figures(scenario: Scenario, center: str, changes: Changes, seed: int) -> Figures:
    """Simulates one period and computes its figures.

    Parameters
    ----------
    scenario, changes : the design: the scenario with some settings changed.
    center : whose figures.
    seed : of all random streams.
    """
    run = simulate(scenario.changed(**changes, seed=seed), processes=1)
    table = tables(compute(run.log.of_center(center)))
    found = {row["name"]: float(row["value"]) for row in table["year"]}
    for row in table["tickets"]:
        found[f"tickets_{row['kind']}"] = float(row["opened"])
    return found


class Replicator:
    """Runs periods of designs over worker processes; a context manager that ends them.

    Parameters
    ----------
    scenario, center : what every design starts from, and the center that is looked at.
    workers : processes; 1 simulates here. The cores by default.
    ticked : called after every simulated period.

    Attributes
    ----------
    periods : simulated so far.
    """

    def __init__(
        self,
        scenario: Scenario,
        center: str,
        workers: int | None = None,
        ticked: Callable[[], None] = lambda: None,
    ) -> None:
        self.scenario = scenario
        self.center = center
        self.workers = workers or multiprocessing.cpu_count()
        self.ticked = ticked
        self.periods = 0
        self._found: dict[tuple[str, int], Figures] = {}
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

    def seed(self, number: int) -> int:
        """The seed of a period: that of the scenario, then one more each."""
        return (self.scenario.seed + number) % SEEDS

    def run(self, designs: Sequence[Changes], numbers: Sequence[int]) -> list[list[Figures]]:
        """The figures of these periods of each design, in order; known ones are not run again.

        Parameters
        ----------
        designs : what differs from the scenario.
        numbers : of the periods, from 0; the same number has the same luck in every design.
        """
        keys = [json.dumps(design, sort_keys=True) for design in designs]
        open_: dict[tuple[str, int], tuple[Changes, int]] = {}
        for number in numbers:
            for key, design in zip(keys, designs, strict=True):
                if (key, number) not in self._found:
                    open_[key, number] = (design, self.seed(number))
        # The first period is simulated here: what is wrong with the user's files shows in a
        # traceback that says so.
        here = list(open_.items()) if self.workers == 1 else []
        if not self._found and open_ and not here:
            here = [next(iter(open_.items()))]
        for place, (design, seed) in here:
            self._keep(place, figures(self.scenario, self.center, design, seed))
            del open_[place]
        if open_:
            if self._pool is None:
                self._pool = _pool(self.workers, self.scenario, self.center)
            jobs: dict[Future[Figures], tuple[str, int]] = {
                self._pool.submit(_work, *job): place for place, job in open_.items()
            }
            for done in as_completed(jobs):
                self._keep(jobs[done], done.result())
        return [[self._found[key, number] for number in numbers] for key in keys]

    def _keep(self, place: tuple[str, int], found: Figures) -> None:
        self._found[place] = found
        self.periods += 1
        self.ticked()


# -- in the workers ---------------------------------------------------------------------------


_base: list[tuple[Scenario, str]] = []


def _pool(workers: int, scenario: Scenario, center: str) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(scenario, center)
    )


def _begin(scenario: Scenario, center: str) -> None:
    """Prepares a worker: an interrupt is the parent's to handle, its end is the worker's end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _base[:] = [(scenario, center)]
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(changes: Changes, seed: int) -> Figures:
    return figures(*_base[0], changes, seed)
