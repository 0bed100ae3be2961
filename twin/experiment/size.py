"""Sizing: the smallest center that meets its targets, by simulated periods.

    plenty ─► which targets people, vans and spares can meet at all
       └─► fewest people: on the shifts and for maintenance ─► vans ─► spares ─► heartbeat
                                                                   └─► confirmed on fresh periods

Each step looks for the smallest option with which everything holds, the options of later steps at
their greatest, those of earlier steps as found. People are counted in all: one more on each shift
is as many as there are teams, and the people of the shift may do the maintenance as well, with no
maintenance people at all. The figures get no worse with more people, vans or spares, so not every
option is tried. Searching picks what happened to look good, so what comes out is simulated once
more for periods that the search has not seen, and only those periods carry the final statement.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from twin.center.sizing import SizeSettings
from twin.experiment.design import MOST_CREW, Design, duration, present
from twin.experiment.evidence import Decision, Estimate, looks
from twin.experiment.replicate import Changes, Figures, Replicator
from twin.experiment.targets import Target, targets
from twin.scenario import Scenario, ScenarioError
from twin.standard import SHIFT_MIN

FRESH = 1_000_000
"""Number of the first period that only the confirmation uses."""

MORE = 4
"""People on a shift that plenty has beside the most that are tried."""

Tell = Callable[[str, float], None]
"""Called with what is being done, and the share that is done."""


def untold(_what: str, _share: float) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Trial:
    """A design that was put to the test.

    Attributes
    ----------
    step : of the search; design : what was tried.
    numbers : of the periods (the seed is the scenario's plus this); estimates : by target.
    decision : met where every target that counts is met, not met where one of them is missed.
    found : the periods' figures; plenty : those of the same periods with plenty of everything.
    """

    step: str
    design: Design
    numbers: Sequence[int]
    estimates: dict[str, Estimate]
    decision: Decision
    found: tuple[Figures, ...]
    plenty: tuple[Figures, ...]

    @property
    def periods(self) -> int:
        """How many were simulated."""
        return len(self.found)

    def mean(self, name: str) -> float:
        """Mean of a figure over the periods."""
        return sum(figures[name] for figures in self.found) / len(self.found)


@dataclass(frozen=True)
class Sizing:
    """What sizing a center came to.

    Attributes
    ----------
    center : its name; settings : what was asked; points : networked points.
    targets : all of them; reached : names of those that plenty of everything meets; what is put
        against plenty is met there by definition.
    plenty : the trial of plenty of everything; present : of the scenario as it is.
    trials : everything tried, in order.
    design : the smallest that meets the targets in reach; None where there is none.
    final : its trial on fresh periods; None likewise.
    """

    center: str
    settings: SizeSettings
    points: int
    targets: tuple[Target, ...]
    reached: frozenset[str]
    plenty: Trial
    present: Trial
    trials: tuple[Trial, ...]
    design: Design | None
    final: Trial | None

    @property
    def decision(self) -> Decision:
        """Whether the design is confirmed; missed where no design is left."""
        return Decision.MISSED if self.final is None else self.final.decision


class Bench:
    """Puts designs to the test against their targets, each beside the same periods of plenty.

    Parameters
    ----------
    replicator : simulates.
    settings : confidence and numbers of periods.
    plenty : the changes of the design with plenty of everything.
    """

    def __init__(self, replicator: Replicator, settings: SizeSettings, plenty: Changes) -> None:
        self.replicator = replicator
        self.settings = settings
        self.plenty = plenty
        self.looks = looks(settings.first, settings.replications)

    def test(
        self, step: str, design: Design, changes: Changes, against: Sequence[Target], *,
        each: bool = False,
    ) -> Trial:  # fmt: skip
        """Simulates until the targets are decided, or the periods are used up.

        Parameters
        ----------
        step, design : of the trial.
        changes : of the design.
        against : the targets that count.
        each : go on until every target is decided, not only all of them together; of plenty, whose
            paired targets compare it with itself.
        """
        error = (1.0 - self.settings.confidence) / len(self.looks)
        for number in self.looks:
            trial = self._trial(step, design, changes, against, range(number), error)
            if each:
                decided = all(
                    trial.estimates[t.name].decision is not Decision.UNDECIDED
                    for t in against
                    if not t.paired
                )
            else:
                decided = trial.decision is not Decision.UNDECIDED
            if decided:
                break
        return trial

    def confirm(self, design: Design, changes: Changes, against: Sequence[Target]) -> Trial:
        """Simulates the greatest number of fresh periods, looked at once."""
        numbers = range(FRESH, FRESH + self.settings.replications)
        error = 1.0 - self.settings.confidence
        return self._trial("confirmed", design, changes, against, numbers, error)

    def _trial(
        self, step: str, design: Design, changes: Changes, against: Sequence[Target],
        numbers: Sequence[int], error: float,
    ) -> Trial:  # fmt: skip
        paired = any(target.paired for target in against)
        wanted = [changes, self.plenty] if paired else [changes]
        found, *rest = self.replicator.run(wanted, numbers)
        plenty = rest[0] if rest else found
        # "All met" is wrong at most as often as one of its parts; "one missed" as all together.
        above = error / max(len(against), 1)
        estimates = {t.name: t.estimate(found, plenty, error, above) for t in against}
        decisions = {estimate.decision for estimate in estimates.values()}
        if Decision.MISSED in decisions:
            decision = Decision.MISSED
        elif Decision.UNDECIDED in decisions:
            decision = Decision.UNDECIDED
        else:
            decision = Decision.MET
        return Trial(step, design, tuple(numbers), estimates, decision, tuple(found), tuple(plenty))


def smallest(options: Sequence[Design], test: Callable[[Design], bool]) -> Design | None:
    """The first of ordered options that passes, where every option after a passing one passes.

    What is clearly too small shows that in few periods, and what passes takes many, so the search
    begins at the small end: the first two, then steps that double until an option passes, then by
    halves, the smaller first, between it and the last that did not.

    Returns
    -------
    The option, or None where not even the last passes. At most about 2 log2(k) + 3 are tested where
    the answer is the k-th.
    """
    low, high, step = 0, len(options), 1
    while low < high:
        place = min(low + step - 1, high - 1)
        if test(options[place]):
            high = place
            break
        step *= 2 if low else 1
        low = place + 1
    while low < high:
        middle = (low + high - 1) // 2
        if test(options[middle]):
            high = middle
        else:
            low = middle + 1
    return options[low] if low < len(options) else None


def fewest(most: Design, teams: int, test: Callable[[str, Design], bool]) -> Design | None:
    """The fewest people in all, on the shifts and for maintenance, with which a test passes.

    For each number on a shift, the maintenance is tried as the work of the shift (0 people), then
    with as few people of its own as do, as long as that is fewer in all than what is known already.

    Parameters
    ----------
    most : the most of both that is tried, and of everything else what is taken.
    teams : duty people for one more on each shift.
    test : whether a design passes, with the step that asks: more people never fail where fewer
        pass, nor do maintenance people beside the shift at their most fail where the shift passes.
    """
    best: Design | None = None
    for people in range(SHIFT_MIN, most.people + 1):
        known = math.inf if best is None else best.people * teams + best.maintenance
        room = int(min(most.maintenance, known - 1 - people * teams))
        full = replace(most, people=people)
        if room < 0:
            break
        if best is None and not test("people", full):
            continue
        if test("maintenance", replace(full, maintenance=0)):
            return replace(full, maintenance=0)
        options = [replace(full, maintenance=n) for n in range(1, room + 1)]
        best = smallest(options, partial(test, "maintenance")) or best
    return best


def size(replicator: Replicator, settings: SizeSettings, tell: Tell = untold) -> Sizing:
    """Looks for the smallest center that meets the targets.

    Parameters
    ----------
    replicator : of the scenario and the center.
    settings : what is tried, and what is asked.
    tell : called with what is being done, and the share that is done.
    """
    scenario, center = replicator.scenario, replicator.center

    def changes(design: Design) -> Changes:
        return design.changes(scenario, center)

    _check_heartbeats(scenario, center, settings)
    now = present(scenario, center)
    points = int(figures_now(replicator, now)["points"])
    crew = min(max(2, points // settings.points_per_maintainer), MOST_CREW)
    most = Design(settings.people, crew, settings.vans, settings.spares[-1])
    ample = replace(
        most, people=settings.people + MORE, vans=2 * settings.vans, maintenance=2 * crew
    )

    bench = Bench(replicator, settings, changes(ample))
    every = targets(settings)
    tell("plenty of everything", 0.0)
    plenty = bench.test("plenty", ample, changes(ample), every, each=True)
    asked = in_reach(every, plenty)
    trials: list[Trial] = [plenty]

    def passes(step: str, design: Design) -> bool:
        trial = bench.test(step, design, changes(design), asked)
        trials.append(trial)
        return trial.decision is Decision.MET

    design = final = None
    if asked:
        tell("people", 0.1)
        teams = scenario.centers[center].roster.team_count
        design = fewest(most, teams, passes)
    if design is not None:
        tell("vans", 0.4)
        vans = [replace(design, vans=n) for n in range(1, design.vans + 1)]
        # the last option of each step is what the step before has found
        design = smallest(vans, partial(passes, "vans")) or design
        tell("spares", 0.55)
        stocks = [replace(design, spares=share) for share in settings.spares]
        design = smallest(stocks, partial(passes, "spares")) or design
        tell("heartbeat", 0.7)
        beats = [replace(design, heartbeat=interval) for interval in reversed(settings.heartbeats)]
        # nothing says that shorter intervals hold where a longer one does: one by one
        design = next((d for d in beats if passes("heartbeat", d)), design)
        tell("confirming", 0.8)
        final = bench.confirm(design, changes(design), asked)
        trials.append(final)
    tell("the scenario as it is", 0.95)
    as_is = bench.test("as it is", now, changes(now), every, each=False)
    trials.append(as_is)
    return Sizing(
        center=center,
        settings=settings,
        points=points,
        targets=tuple(every),
        reached=frozenset(target.name for target in asked),
        plenty=plenty,
        present=as_is,
        trials=tuple(trials),
        design=design,
        final=final,
    )


def _check_heartbeats(scenario: Scenario, center: str, settings: SizeSettings) -> None:
    """Refuses an interval that the vendors cannot have now, and not when it is tried."""
    for interval in settings.heartbeats:
        try:
            Design(SHIFT_MIN, 0, 1, 0.0, interval).changes(scenario, center)
        except ScenarioError as error:
            raise ScenarioError(f"size.heartbeats: {duration(interval)}: {error}") from error


def in_reach(every: Sequence[Target], plenty: Trial) -> list[Target]:
    """The targets that plenty of everything meets."""
    return [t for t in every if t.paired or plenty.estimates[t.name].decision is Decision.MET]


def figures_now(replicator: Replicator, now: Design) -> Figures:
    """The figures of the first period of the scenario as it is."""
    changes = now.changes(replicator.scenario, replicator.center)
    return replicator.run([changes], [0])[0][0]
