"""A sizing study: a center's size, and the threshold of two people on each shift."""

from __future__ import annotations

import time
from dataclasses import dataclass

from twin.center.sizing import SizeSettings
from twin.experiment.curve import Curve, curve
from twin.experiment.design import Design, center_of
from twin.experiment.replicate import Replicator, Workers
from twin.experiment.size import Sizing, Tell, size, untold
from twin.scenario import Scenario


@dataclass(frozen=True)
class Study:
    """What `twin size` found out.

    Attributes
    ----------
    scenario : that was sized; sizing : its center's size.
    curve : the threshold; None where none is asked for, or where whole venues of the center come
        to none of the numbers of points.
    periods : simulated in all; seconds : wall-clock, by part.
    """

    scenario: Scenario
    sizing: Sizing
    curve: Curve | None
    periods: int
    seconds: dict[str, float]

    def recommended(self) -> Scenario | None:
        """The scenario with the size that was found; None where there is none."""
        sizing = self.sizing
        if sizing.design is None:
            return None
        return self.scenario.changed(**sizing.design.changes(self.scenario, sizing.center))


def study(scenario: Scenario, workers: int | None = None, tell: Tell = untold) -> Study:
    """Sizes a scenario's center.

    Parameters
    ----------
    scenario : ``[size]`` says what is tried and asked.
    workers : processes; the cores by default. The result is the same.
    tell : called with what is being done, and the share that is done.

    Raises
    ------
    ValueError
        For files that cannot be used; for several centers of which none is named.
    """
    settings = scenario.size or SizeSettings()
    center = center_of(scenario, settings.center)
    wanted = bool(settings.curve)
    part = 0.45 if wanted else 1.0
    since = time.perf_counter()
    with Workers(workers) as hands:
        replicator = Replicator(scenario, center, hands)
        sizing = size(replicator, settings, lambda what, share: tell(what, part * share))
        sized = time.perf_counter()
        threshold = None
        if wanted:
            threshold = curve(
                replicator,
                settings,
                sizing.design or _like(sizing),
                sizing.points,
                lambda what, share: tell(what, part + (1.0 - part) * share),
            )
        done = time.perf_counter()
        return Study(
            scenario, sizing, threshold, hands.periods,
            {"sizing": sized - since, "curve": done - sized},
        )  # fmt: skip


def _like(sizing: Sizing) -> Design:
    return sizing.present.design
