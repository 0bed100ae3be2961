"""A rollout year by year: centers, people and spares on top of what stands already.

Each year sites anew for all that is connected by then, with last year's centers standing
(:mod:`twin.planning`), and sizes every center anew for the points that it then has, by simulated
periods: nothing is divided by points. A center keeps the people, vans and spares that it has; where
a target is not met, what it lacks is added until it is. Where it is undecided although the mean
meets it, nothing is added for want of evidence: the center is then not shown to be enough. What
is shown to be enough is so by fresh periods, which have not led to the size.

    people on a shift   for the 5 s and the 1 min of 6.1
    maintenance people  for maintenance in time and the online rate
    a van, then people  for the handling rate
    spares              for repairs that wait for one

"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from twin.center.sizing import SizeSettings
from twin.center.spares import LEAST_STOCK
from twin.experiment.design import MOST_CREW, Design
from twin.experiment.evidence import Decision
from twin.experiment.replicate import Replicator, Workers
from twin.experiment.size import Bench, Tell, Trial, in_reach, untold
from twin.experiment.targets import targets
from twin.planning import plan_sites
from twin.planning.handover import write_scenarios
from twin.planning.plan import SitePlan
from twin.roads.load import load_roads
from twin.scenario import Scenario, ScenarioError, load_scenario
from twin.standard import SHIFT_MIN
from twin.streams import Streams
from twin.venues.build import build_venues
from twin.venues.files import POINT_KINDS
from twin.venues.rollout import SMALL, shares

FULL = 20_000
"""Points at which the settings' numbers of periods are simulated; a period of fewer points says
less, so there are more of them, up to :data:`MORE` times as many."""

MORE = 4


@dataclass(frozen=True)
class CenterYear:
    """A center in a year.

    Attributes
    ----------
    name, near, lon, lat : which, and where.
    since : the year since which it stands.
    points : networked points that it serves.
    design : its size; people : everybody; spares : spare devices in stock, in pieces.
    trial : the periods that say so; unreached : targets that plenty of everything does not meet,
        or leaves undecided.
    """

    name: str
    near: str
    lon: float
    lat: float
    since: str
    points: int
    design: Design
    people: int
    spares: int
    trial: Trial
    unreached: tuple[str, ...]


@dataclass(frozen=True)
class Year:
    """A year of the rollout.

    Attributes
    ----------
    name : the stage's; connected : shares of the venues, by kind.
    points : connected; smoke_alarms : in the nine-small and combined-use premises.
    centers : at its end.
    uncovered : points that no center reaches within both limits of 5.1.1.
    status, gap : of the choice of sites.
    """

    name: str
    connected: Mapping[str, float]
    points: int
    smoke_alarms: int
    centers: tuple[CenterYear, ...]
    uncovered: int
    status: str
    gap: float

    @property
    def people(self) -> int:
        """Everybody."""
        return sum(center.people for center in self.centers)

    @property
    def new(self) -> int:
        """Centers that this year adds."""
        return sum(center.since == self.name for center in self.centers)

    @property
    def undecided(self) -> int:
        """Centers whose size is not shown to be enough."""
        return sum(center.trial.decision is not Decision.MET for center in self.centers)


@dataclass(frozen=True)
class Rollout:
    """A rollout.

    Attributes
    ----------
    scenario : what was asked; settings : how centers are sized.
    years : in order; plan : the last year's, with roads and areas.
    periods : simulated; seconds : wall-clock, by part.
    """

    scenario: Scenario
    settings: SizeSettings
    years: tuple[Year, ...]
    plan: SitePlan
    periods: int
    seconds: dict[str, float]


def roll_out(scenario: Scenario, workers: int | None = None, tell: Tell = untold) -> Rollout:
    """Plans and sizes the centers of a district, year by year.

    Parameters
    ----------
    scenario : with the table ``[rollout]``; ``[siting]`` and ``[size]`` say how.
    workers : processes; the cores by default. The result is the same.
    tell : called with what is being done, and the share that is done.

    Raises
    ------
    ValueError
        For a stage that the district cannot have, and as ``plan_sites`` does.
    """
    if scenario.rollout is None:
        raise ScenarioError("rollout: the scenario has no stages; write [rollout.stages.2026]")
    settings = scenario.size or SizeSettings()
    stages = scenario.rollout.stages
    network = load_roads(scenario.roads)
    streams = Streams(scenario.seed).within("venues")
    venues, fleet = build_venues(
        scenario.venues.model_copy(update={"connected": {}}), network, streams
    )
    connected = {}
    for name, stage in stages.items():
        try:
            connected[name] = shares(stage, venues, fleet)
        except ValueError as error:
            raise ScenarioError(f"rollout.stages.{name}: {error}") from error
    years: list[Year] = []
    standing: dict[str, CenterYear] = {}
    seconds = {"siting": 0.0, "sizing": 0.0}
    with Workers(workers) as hands, tempfile.TemporaryDirectory() as place:
        for number, name in enumerate(stages):
            done = number / len(stages)
            tell(f"{name}: sites", done)
            since = time.perf_counter()
            plan = plan_sites(_stage(scenario, connected[name], standing))
            sited = time.perf_counter()
            folder = Path(place) / str(number)
            folder.mkdir()
            write_scenarios(folder, plan)
            centers: list[CenterYear] = []
            for k, center in enumerate(plan.centers):
                if center.points == 0:
                    continue
                tell(
                    f"{name}: {center.name}",
                    done + (0.1 + 0.9 * k / len(plan.centers)) / len(stages),
                )
                file = folder / f"center-{k + 1}.toml"
                centers.append(
                    _center(
                        name, center.name, center.near, (center.lon, center.lat), center.points,
                        file, standing.get(center.name), settings, hands,
                    )
                )  # fmt: skip
            standing = {center.name: center for center in centers}
            years.append(_year(name, connected[name], plan, tuple(centers)))
            seconds["siting"] += sited - since
            seconds["sizing"] += time.perf_counter() - sited
        return Rollout(scenario, settings, tuple(years), plan, hands.periods, seconds)


def _stage(
    scenario: Scenario, connected: Mapping[str, float], standing: Mapping[str, CenterYear]
) -> Scenario:
    """The district's scenario of a year, with what stands already."""
    stand = {c.name: {"lon": c.lon, "lat": c.lat} for c in standing.values()}
    siting = {} if scenario.siting is None else scenario.siting.model_dump(mode="json")
    siting = {key: value for key, value in siting.items() if value is not None}
    siting["standing"] = {**siting.get("standing", {}), **stand}
    siting["front"] = 0
    data = scenario.model_dump(mode="json", exclude_none=True)
    data.pop("rollout")
    data["siting"] = siting
    data["venues"]["connected"] = dict(connected)
    return Scenario.model_validate(data)


def _center(
    year: str, name: str, near: str, at: tuple[float, float], points: int, file: Path,
    before: CenterYear | None, settings: SizeSettings, hands: Workers,
) -> CenterYear:  # fmt: skip
    """Sizes a center for a year, from what it has."""
    scenario = load_scenario(file)
    replicator = Replicator(scenario, name, hands)
    start = Design(SHIFT_MIN, 1, 1, settings.spares[0]) if before is None else before.design
    trial, unreached = grow(replicator, settings, start, points)
    stock = _stock(file.with_name(f"{file.stem}-venues.csv"), trial.design.spares)
    return CenterYear(
        name=name,
        near=near,
        lon=at[0],
        lat=at[1],
        since=year if before is None else before.since,
        points=points,
        design=trial.design,
        people=trial.design.staff(scenario, name),
        spares=stock if before is None else max(stock, before.spares),
        trial=trial,
        unreached=unreached,
    )


def grow(
    replicator: Replicator, settings: SizeSettings, start: Design, points: int
) -> tuple[Trial, tuple[str, ...]]:
    """Adds what a center lacks until no target in reach is missed, nor its mean below it.

    Parameters
    ----------
    start : what it has; nothing is taken away.
    points : its points.

    Returns
    -------
    The trial of the size that it comes to (not *met* where that, or the greatest that may be tried,
    is not shown to be enough), and the targets that plenty of everything is not shown to meet.
    """
    often = min(max(FULL / points, 1.0), MORE)
    settings = settings.model_copy(
        update={
            "first": round(settings.first * often),
            "replications": round(settings.replications * often),
        }
    )
    scenario, center = replicator.scenario, replicator.center
    crew = max(2, start.maintenance, ceil(points / settings.points_per_maintainer))
    crew = min(crew, MOST_CREW)
    most = Design(
        max(settings.people, start.people), crew, max(settings.vans, start.vans),
        max(settings.spares[-1], start.spares), start.heartbeat,
    )  # fmt: skip
    ample = replace(most, people=3 * most.people, vans=most.people + 2 * crew, maintenance=2 * crew)
    bench = Bench(replicator, settings, ample.changes(scenario, center))
    every = targets(settings)
    plenty = bench.test("plenty", ample, bench.plenty, every, each=True)
    asked = in_reach(every, plenty)
    unreached = tuple(t.name for t in every if t not in asked)
    design = start
    while True:
        trial = bench.test("grown", design, design.changes(scenario, center), asked)
        lacking = [
            name
            for name, found in trial.estimates.items()
            if found.decision is Decision.MISSED or found.mean < found.least
        ]
        more = design
        for name in lacking:
            more = _more(more, design, name, most, settings)
        if not lacking or more == design:
            break
        design = more
    if trial.decision is Decision.MET:  # by the periods that have led here: others have to say so
        trial = bench.confirm(design, design.changes(scenario, center), asked)
    return trial, unreached


def _more(
    more: Design, design: Design, target: str, most: Design, settings: SizeSettings
) -> Design:
    """What a target asks for on top; each part grows by one step at most."""
    if target in ("response", "verification"):
        return replace(more, people=min(design.people + 1, most.people))
    if target in ("maintenance", "online", "truly_online"):
        crew = design.maintenance + max(1, design.maintenance // 3)
        return replace(more, maintenance=min(crew, most.maintenance))
    if target == "spares":
        larger = [share for share in settings.spares if share > design.spares]
        return replace(more, spares=larger[0] if larger else design.spares)
    if design.vans < most.vans:
        return replace(more, vans=design.vans + 1)
    return replace(more, people=min(design.people + 1, most.people))


def _stock(venues: Path, share: float) -> int:
    """Spare devices that a share of each kind comes to, in pieces."""
    count = dict.fromkeys(POINT_KINDS, 0)
    with venues.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for kind in POINT_KINDS:
                count[kind] += int(row[kind] or 0)
    return sum(max(LEAST_STOCK, ceil(share * n)) for n in count.values() if n)


def _year(
    name: str, connected: Mapping[str, float], plan: SitePlan, centers: tuple[CenterYear, ...]
) -> Year:
    import numpy as np

    from twin.venues.kinds import VENUE_KIND_NAMES

    small = np.isin(plan.venues.kind, [VENUE_KIND_NAMES.index(kind) for kind in SMALL])
    alarms = plan.fleet.venue[plan.fleet.kind_slices["smoke_alarm"]]
    return Year(
        name=name,
        connected=connected,
        points=plan.points,
        smoke_alarms=int(small[alarms].sum()),
        centers=centers,
        uncovered=plan.points - plan.covered_points,
        status=plan.choice.status,
        gap=float(plan.choice.gap),
    )
