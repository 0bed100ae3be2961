"""The threshold: at how many points do two people on each shift stop being enough?

5.1.12 says 20,000. The model's answer: the fleet of the center is scaled
(:mod:`twin.experiment.fleets`), the area stays, and at each number of points two people on each
shift are put to the test as in :mod:`twin.experiment.size`, but looked at once: all targets are
wanted, not the first that decides. Where the mean of a figure crosses what is asked lies the
threshold; it is interpolated between the two numbers of points beside it, and so is where its
bounds do: the threshold lies between these. It is stated with the greatest number up to which
everything is *met* and the least from which on something is *not met*; each is found going from one
end, stopping at the first number that is not, so that many numbers tried cost no confidence.

The base line is the least staffing that 4.4 allows: the two people of the shift do everything, the
maintenance as well. What drives the threshold is changed one at a time: the maintenance (a crew of
its own), nuisance alarms, the odds that somebody answers the telephone, the night, the planned
maintenance.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from twin.assessment.finding import Text
from twin.center.sizing import SizeSettings
from twin.experiment.design import MOST_CREW, Design
from twin.experiment.evidence import Decision
from twin.experiment.fleets import fleets_of, generated
from twin.experiment.replicate import Changes, Replicator
from twin.experiment.size import Bench, Tell, Trial, untold
from twin.experiment.targets import Target, targets
from twin.scenario import Scenario
from twin.standard import SHIFT_MIN

NOT_OF_PEOPLE = ("spares",)
"""Targets that more people on a shift would do nothing for."""

LEAST_PERIODS = 4
"""Periods at least, however many points: of fewer, no spread can be told."""


@dataclass(frozen=True)
class Variation:
    """One thing that is changed against the base line.

    Attributes
    ----------
    name : in tables; says : in words.
    change : the scenario's changes; own_crew : whether maintenance people do the maintenance.
    """

    name: str
    says: Text
    change: Callable[[Scenario, str], Changes]
    own_crew: bool = False


@dataclass(frozen=True)
class Threshold:
    """Where two people on each shift stop being enough under a variation.

    Attributes
    ----------
    variation : which; trials : by number of points; targets : those that count.
    crossings : by target, the points at which its mean falls below what is asked, interpolated;
        -inf or inf where that lies below or above everything tried.
    between : by target, where its lower bound first does, and from where on its upper bound does.
    enough : the greatest number of points up to which every target is met (0: none).
    too_many : the least number from which on one is missed (inf: none).
    """

    variation: Variation
    trials: Mapping[int, Trial]
    targets: Sequence[Target]
    crossings: Mapping[str, float]
    between: Mapping[str, tuple[float, float]]
    enough: int
    too_many: float

    @property
    def points(self) -> float:
        """Where the first target gives way."""
        return min(self.crossings.values())

    @property
    def binding(self) -> str:
        """The target that gives way first; "" where none does."""
        name, points = min(self.crossings.items(), key=lambda item: item[1])
        return "" if points == math.inf else name

    def with_plenty(self, name: str) -> float:
        """A target's mean with plenty of people, at the number of points next above the threshold
        (the greatest tried where there is none): what no number of people improves."""
        above = [n for n in sorted(self.trials) if n >= self.crossings[name]]
        trial = self.trials[above[0] if above else max(self.trials)]
        target = next(target for target in self.targets if target.name == name)
        values = [target.sample(found, found).value for found in trial.plenty]
        return sum(values) / len(values)


@dataclass(frozen=True)
class Curve:
    """The curve.

    Attributes
    ----------
    targets : those that count.
    base, crew : the two arrangements over all numbers of points; drivers : the others' thresholds.
    points_per_maintainer : that one maintenance person looks after, where there is any.
    left_out : numbers of points that whole venues of the center do not come to.
    generated : whether the venues are made for each number of points; else the center's own ones
        are taken in turn.
    """

    targets: tuple[Target, ...]
    base: Threshold
    crew: Threshold
    drivers: tuple[Threshold, ...]
    points_per_maintainer: int
    left_out: tuple[int, ...]
    generated: bool


def _nothing(_: Scenario, __: str) -> Changes:
    return {}


def _nuisance(factor: float) -> Callable[[Scenario, str], Changes]:
    def change(scenario: Scenario, _: str) -> Changes:
        from devices import KINDS, tunables

        table: dict[str, dict[str, float]] = {k: dict(v) for k, v in scenario.devices.items()}
        for name, kind in KINDS.items():
            own = tunables(kind).get("nuisance_factor")
            if own is not None:
                numbers = table.setdefault(name, {})
                numbers["nuisance_factor"] = factor * numbers.get("nuisance_factor", own.value)
        return {"devices": table}

    return change


def _answer(odds: float) -> Callable[[Scenario, str], Changes]:
    def change(scenario: Scenario, _: str) -> Changes:
        return {"venues.answer": dict.fromkeys(scenario.venues.answer, odds)}

    return change


def _in_center(table: str, **values: Any) -> Callable[[Scenario, str], Changes]:
    def change(scenario: Scenario, center: str) -> Changes:
        centers = scenario.model_dump(mode="json", exclude_none=True)["centers"]
        centers[center][table] |= values
        return {"centers": centers}

    return change


def _as_by_day(scenario: Scenario, center: str) -> Changes:
    by_day = _in_center("response", night_factor=1.0)(scenario, center)
    return {**by_day, "venues.night_answer": 1.0}


BASE = Variation(
    "base",
    Text("the two people of the shift do everything", "每班2人承担全部工作（含维保）"),
    _nothing,
)
CREW = Variation(
    "own_crew",
    Text("maintenance people of their own", "另设维保人员"),
    _nothing,
    own_crew=True,
)
DRIVERS = (
    Variation("nuisance_double", Text("twice the nuisance alarms", "非火灾误报加倍"), _nuisance(2)),
    Variation("answer_50", Text("telephone answered: 50 %", "电话接通率50%"), _answer(0.5)),
    Variation("no_night", Text("nights like days", "夜间反应与接通率同白天"), _as_by_day),
    Variation(
        "yearly",
        Text("planned maintenance every year", "每年定期维保一次"),
        _in_center("maintenance", period="1 year"),
    ),
)
"""What is changed one at a time against the base line; the ranges are those of the settings."""


class _Prober:
    """Puts two people on each shift to the test at a number of points, under a variation."""

    def __init__(
        self,
        replicator: Replicator,
        settings: SizeSettings,
        fleets: Mapping[int, Changes],
        like: Design,
        per_maintainer: int,
    ) -> None:
        self.replicator = replicator
        self.settings = settings
        self.fleets = fleets
        self.like = like
        self.per_maintainer = per_maintainer
        self.against = [t for t in targets(settings) if t.name not in NOT_OF_PEOPLE]

    def changes(self, variation: Variation, points: int) -> Changes | None:
        """What a variation changes at so many points; None where the scenario is like that."""
        center, fleet = self.replicator.center, self.fleets[points]
        scenario = self.replicator.scenario.changed(**fleet)
        change = variation.change(scenario, center)
        if variation.change is not _nothing and scenario.changed(**change) == scenario:
            return None
        return {**fleet, **change}

    def test(self, variation: Variation, points: int, periods: float) -> Trial:
        """Two people on each shift for so many points.

        Parameters
        ----------
        periods : at most, at 10,000 points; more at fewer points, whose periods say less.
        """
        center = self.replicator.center
        change = self.changes(variation, points) or self.fleets[points]
        varied = self.replicator.scenario.changed(**change)
        crew = min(math.ceil(points / self.per_maintainer), MOST_CREW)
        own = crew if variation.own_crew else 0
        # Vans and spares are not the question here: everybody has one, nothing is missing.
        two = Design(SHIFT_MIN, own, SHIFT_MIN + own, max(self.like.spares, 0.1))
        ample = replace(two, people=3 * SHIFT_MIN, maintenance=2 * crew, vans=2 * (crew + 3))
        two_changes, ample_changes = (
            {**change, **design.changes(varied, center)} for design in (two, ample)
        )
        often = min(
            self.settings.replications, max(LEAST_PERIODS, round(periods * 10_000 / points))
        )
        once = self.settings.model_copy(update={"first": often, "replications": often})
        bench = Bench(self.replicator, once, ample_changes)
        return bench.test(variation.name, two, two_changes, self.against)


def curve(
    replicator: Replicator,
    settings: SizeSettings,
    like: Design,
    points: int,
    tell: Tell = untold,
) -> Curve | None:
    """Looks for the threshold under the base line and under each variation.

    Parameters
    ----------
    replicator : of the scenario and the center.
    settings : the numbers of points, and what is asked.
    like : the size found for the center, and ``points`` its points: they give the points that one
        maintenance person looks after.
    tell : called with what is being done, and the share that is done.

    Returns
    -------
    The curve; None where whole venues of the center come to none of the numbers of points.
    """
    scenario, center = replicator.scenario, replicator.center
    with tempfile.TemporaryDirectory() as folder:
        fleet = fleets_of(scenario, center, Path(folder))
        fleets = {n: changes for n in settings.curve if (changes := fleet(n)) is not None}
        if not fleets:
            return None
        grid = list(fleets)
        per_maintainer = math.ceil(points / like.maintenance) if like.maintenance else 3000
        prober = _Prober(replicator, settings, fleets, like, per_maintainer)
        drivers = [one for one in DRIVERS if prober.changes(one, grid[0]) is not None]
        arrangements: list[Threshold] = []
        done, total = 0, len(grid) * 2 + 3 * len(drivers)
        for variation in (BASE, CREW):
            trials: dict[int, Trial] = {}
            for number in grid:
                tell(f"{number} points", done / total)
                trials[number] = prober.test(variation, number, settings.replications / 4)
                done += 1
            arrangements.append(threshold(variation, trials, prober.against))
        base, crew = arrangements
        near = _nearest(grid, base.crossings["handling"])
        moved = []
        for variation in drivers:
            tell(variation.says.en, done / total)
            probe = partial(prober.test, variation, periods=settings.replications / 6)
            moved.append(threshold(variation, _around(grid, near, probe), prober.against))
            done += 3
    return Curve(
        tuple(prober.against),
        base,
        crew,
        tuple(moved),
        per_maintainer,
        tuple(n for n in settings.curve if n not in fleets),
        generated(scenario),
    )


def _nearest(grid: Sequence[int], points: float) -> int:
    """The place in the grid of the number of points that is nearest."""
    return min(range(len(grid)), key=lambda k: abs(grid[k] - min(max(points, 0), 1e9)))


def _around(grid: Sequence[int], near: int, test: Callable[[int], Trial]) -> dict[int, Trial]:
    """Trials from a place of the grid on, up or down, until the mean has crossed what is asked."""
    trials = {grid[near]: test(grid[near])}
    step = 1 if _margin(trials[grid[near]])[0] >= 0 else -1
    place = near + step
    while 0 <= place < len(grid):
        trials[grid[place]] = test(grid[place])
        if (_margin(trials[grid[place]])[0] >= 0) != (step == 1):
            break
        place += step
    return dict(sorted(trials.items()))


def _margin(trial: Trial) -> tuple[float, str]:
    """The least distance of a mean from what is asked, and of which target."""
    return min((e.mean - e.least, name) for name, e in trial.estimates.items())


def threshold(
    variation: Variation, trials: Mapping[int, Trial], against: Sequence[Target]
) -> Threshold:
    """Where each target gives way, interpolated between the numbers of points tried."""
    grid = sorted(trials)
    crossings, between = {}, {}
    for target in against:
        found = [trials[number].estimates[target.name] for number in grid]
        lower, mean, upper = (
            [bound - target.least for bound in bounds]
            for bounds in zip(*((e.lower, e.mean, e.upper) for e in found), strict=True)
        )
        crossings[target.name] = crossing_of(grid, mean)
        between[target.name] = crossing_of(grid, lower), last_crossing_of(grid, upper)
    met = takewhile(lambda number: trials[number].decision is Decision.MET, grid)
    missed = takewhile(lambda number: trials[number].decision is Decision.MISSED, reversed(grid))
    enough, too_many = max(met, default=0), min(missed, default=math.inf)
    return Threshold(variation, trials, against, crossings, between, enough, too_many)


def crossing_of(points: Sequence[float], margins: Sequence[float]) -> float:
    """Where margins first fall below 0, interpolated linearly.

    Returns
    -------
    -inf where the first is below 0, inf where none is.

    Examples
    --------
    >>> crossing_of([10.0, 20.0, 40.0], [3.0, 1.0, -3.0])
    25.0
    """
    for k, margin in enumerate(margins):
        if margin < 0:
            if k == 0:
                return -math.inf
            share = margins[k - 1] / (margins[k - 1] - margin)
            return points[k - 1] + share * (points[k] - points[k - 1])
    return math.inf


def last_crossing_of(points: Sequence[float], margins: Sequence[float]) -> float:
    """From where on margins stay below 0; as :func:`crossing_of`, seen from the other end.

    Examples
    --------
    >>> last_crossing_of([10.0, 20.0, 40.0], [-1.0, 1.0, -3.0])
    25.0
    """
    above = [k for k, margin in enumerate(margins) if not margin < 0]
    return crossing_of(points[above[-1] :], margins[above[-1] :]) if above else -math.inf
