"""From a scenario to a plan: candidates, times, the choice, what each center gets and reaches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.center.settings import CenterSettings
from twin.planning.centers import CenterPlan, base_shift, centers_of
from twin.planning.demand import Demand, demand_of
from twin.roads.load import load_roads
from twin.roads.network import RoadNetwork
from twin.roads.travel import TravelTimes
from twin.scenario import Scenario, ScenarioError
from twin.siting import choose
from twin.siting.candidates import Candidates, Exclusion, exclude, find_candidates
from twin.siting.cells import Cells, node_cells
from twin.siting.choose import Choice, FrontPoint
from twin.siting.reached import nearest_within
from twin.siting.rules import HAZARD_KINDS
from twin.siting.services import (
    BrigadeAdvice,
    Hydrants,
    brigade_advice,
    find_hydrants,
    water_metres,
)
from twin.siting.settings import SitingSettings
from twin.siting.times import (
    Matrix,
    cell_matrix,
    decisive_rows,
    node_times,
    reach_matrix,
)
from twin.streams import Streams
from twin.venues.build import Fleet, Venues, build_venues

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Progress = Callable[[str, float], None]

_FRONT_MOST = 8  # centers up to which the front is worked out where the settings leave it open
_HAZARD_FAR_M = 100_000.0  # a list of a whole prefecture's hazards reaches less far (assumption)
_FRONT_OF = 24  # with more centers than this, eight say nothing, and cost a minute


@dataclass(frozen=True)
class Uncovered:
    """A demand point that no chosen center reaches within both limits.

    Attributes
    ----------
    demand : its index.
    coverable : a candidate would reach it, but was not chosen.
    candidate : the site that comes nearest to reaching it, as an index: of the chosen ones where it
        is coverable, else of all candidates.
    seconds : turnout and travel from there in the worst hour; inf where no road leads.
    straight_m, road_m : from there, as the crow flies and by road.
    """

    demand: int
    coverable: bool
    candidate: int
    seconds: float
    straight_m: float
    road_m: float


@dataclass(frozen=True, eq=False)
class SitePlan:
    """A finished plan.

    Attributes
    ----------
    scenario, settings : what was asked.
    network : the roads of the district.
    venues, fleet, demand : what has to be reached.
    candidates : the sites that 5.1.2 leaves.
    offered : how many there were before.
    excluded : what 5.1.2 ruled out, and remarks on standing centers.
    choice : the chosen sites with bound, gap and status.
    centers : what each of them gets.
    served : (venues, centers) points of each venue by center.
    seconds, metres : (demand, centers) turnout and travel in the worst hour, straight line.
    uncovered : demand that no chosen center reaches; what no candidate reaches comes first.
    covered_points, covered_free_flow : points reached within both limits, worst hour and free flow.
    front : the trade-off of centers against coverage and mean time.
    price : of the centers a year, by the settings' prices.
    brigades : advice by article 38.
    hydrants, water_m : the hydrants, and from each venue to the nearest that works, by road.
    seconds_by_phase : wall-clock seconds.
    """

    scenario: Scenario
    settings: SitingSettings
    network: RoadNetwork
    venues: Venues
    fleet: Fleet
    demand: Demand
    candidates: Candidates
    offered: int
    excluded: Sequence[Exclusion]
    choice: Choice
    centers: Sequence[CenterPlan]
    served: csr_array
    seconds: NDArray[np.float32]
    metres: NDArray[np.float32]
    uncovered: Sequence[Uncovered]
    covered_points: int
    covered_free_flow: int
    front: Sequence[FrontPoint]
    price: float
    brigades: Sequence[BrigadeAdvice]
    hydrants: Hydrants
    water_m: NDArray[np.float64]
    seconds_by_phase: Mapping[str, float]

    @property
    def points(self) -> int:
        """Networked points of the district."""
        return int(self.demand.points.sum())

    def site_name(self, site: int) -> str:
        """What a candidate is called: by its center where it was chosen."""
        for center in self.centers:
            if center.site == site:
                return center.name
        return self.candidates.names[site]

    def reached_from(self, demand: int) -> tuple[list[int], float, float]:
        """Which centers serve a demand point, and seconds and metres from the slowest of them.

        A point of the edge is reached from the center that is there first within both limits.
        """
        if demand < self.demand.venues:
            inner = slice(self.served.indptr[demand], self.served.indptr[demand + 1])
            centers = [int(c) for c in self.served.indices[inner]]
        else:
            row = slice(demand, demand + 1)
            within = self.seconds[row] <= self.settings.travel_limit
            within &= self.metres[row] <= self.settings.radius
            centers = [int(nearest_within(self.seconds[row], within)[0])]
        slowest = max(centers, key=lambda c: float(self.seconds[demand, c]))
        return centers, float(self.seconds[demand, slowest]), float(self.metres[demand, slowest])

    @property
    def mean_s(self) -> float:
        """Mean time to a point in the worst hour, turnout included, as the plan serves them."""
        total = sum(c.mean_s * c.points for c in self.centers if c.points)
        return total / self.points

    @property
    def template(self) -> CenterSettings:
        """The scenario's own center, which the planned ones are like."""
        return next(iter(self.scenario.centers.values()))


@dataclass
class _Steps:
    """Reports each step, and keeps its wall-clock seconds."""

    report: Progress | None
    laps: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.perf_counter)

    def done(self, step: str, share: float, following: str) -> None:
        now = time.perf_counter()
        self.laps[step] = now - self.since
        self.since = now
        if self.report is not None:
            self.report(following, share)


def plan_sites(scenario: Scenario, progress: Progress | None = None) -> SitePlan:
    """Plans the centers of a district.

    Parameters
    ----------
    scenario : its roads are the district, its venues the demand, its first center the model of all
        centers; ``[siting]`` says what is asked (the fewest centers if absent).
    progress : called with what is going on and the share that is done, 0 to 1.

    Raises
    ------
    ValueError
        For files that cannot be used; where 5.1.2 leaves no candidate; for chemicals without wind;
        for a place that is larger than a center may be and may not be divided.
    """
    if scenario.siting is None:
        scenario = scenario.changed(siting={})
    settings = scenario.siting
    assert settings is not None  # an empty table has all defaults
    template = next(iter(scenario.centers.values()))
    steps = _Steps(progress)
    network = load_roads(scenario.roads)
    _check_hazards(scenario, network)
    travel = TravelTimes(network, scenario.roads)
    steps.done("roads", 0.05, "venues")
    venues, fleet = build_venues(scenario.venues, network, Streams(scenario.seed).within("venues"))
    demand = demand_of(network, venues, fleet, settings.edge)
    steps.done("venues", 0.1, "candidates")
    limit = scenario.venues.road_limit
    offered = find_candidates(settings, network, limit)
    wind = settings.rose or {float(d): share for d, share in template.wind.items()}
    candidates, excluded = exclude(offered, network, settings, template.site_radius, wind)
    if settings.k is not None and settings.k > len(candidates):
        raise ScenarioError(
            f"siting.k = {settings.k}, but only {len(candidates)} sites are left to choose from "
            f"(of {len(offered)}); lower k, or give more candidates"
        )
    hydrants = find_hydrants(settings, network, limit)
    steps.done("candidates", 0.15, "travel times")
    times = node_times(travel, candidates.node, travel.slowest_hours())
    sites_at = (candidates.x, candidates.y)
    rule = (template.response.turnout, settings.travel_limit, settings.radius)
    cells = node_cells(network)
    held = cell_matrix(times, sites_at, cells, *rule)
    roads = _decisive_roads(held) if settings.edge else np.empty(0, np.int64)
    demand = demand.with_roads(network, cells.node[roads])
    matrix = reach_matrix(times, sites_at, (demand.node, demand.x, demand.y), *rule)
    if len(roads):
        _judge_by_cells(matrix, sites_at, cells, held, roads)
    steps.done("times", 0.35, "choosing sites")
    choice = _choose(settings, template, candidates, demand, matrix)
    sites = np.asarray(choice.sites, np.int64)
    if len(sites) == 0:
        raise ScenarioError(_no_choice(settings, choice, demand))
    steps.done("choice", 0.6, "areas")
    by_demand = settings.objective in ("capacitated", "cheapest")
    held = held[:, sites]
    served = _served(choice if by_demand else None, network, sites, demand, matrix, cells, held)
    free = node_times(travel, candidates.node[sites], [None])
    centers = centers_of(
        network, travel, settings, template, candidates, sites, demand, served,
        matrix.seconds[:, sites], times[sites], free, cells, held, by_demand,
    )  # fmt: skip
    steps.done("areas", 0.75, "trade-off")
    front = _front(settings, demand, matrix, candidates, len(sites))
    steps.done("front", 0.9, "brigades and water")
    reached = np.asarray(matrix.covers[:, sites].any(axis=1))
    return SitePlan(
        scenario=scenario,
        settings=settings,
        network=network,
        venues=venues,
        fleet=fleet,
        demand=demand,
        candidates=candidates,
        offered=len(offered),
        excluded=excluded,
        choice=choice,
        centers=centers,
        served=served,
        seconds=matrix.seconds[:, sites],
        metres=matrix.metres[:, sites],
        uncovered=_uncovered(travel, settings, demand, candidates, matrix, sites),
        covered_points=int(demand.points[reached].sum()),
        covered_free_flow=_in_free_flow(settings, template, demand, free, matrix.metres[:, sites]),
        front=front,
        price=sum(settings.price_center + settings.price_person * c.duty for c in centers),
        brigades=brigade_advice(settings, network, travel, template.helpers.brigade_turnout, limit),
        hydrants=hydrants,
        water_m=water_metres(network, hydrants, venues.node),
        seconds_by_phase=steps.laps,
    )


def _check_hazards(scenario: Scenario, network: RoadNetwork) -> None:
    """Refuses a file of hazards of somewhere else: 5.1.2 would hold everywhere without a word."""
    for hazard in network.features_of(*HAZARD_KINDS):
        away = float(network.nearest(hazard.x, hazard.y)[1])
        if not away <= _HAZARD_FAR_M:
            raise ScenarioError(
                f'{scenario.roads.hazards_file}: the hazard "{hazard.name or hazard.kind}" is '
                f"{away / 1000:.0f} km from any road of {network.source}; are its coordinates "
                "WGS-84, and of this map?"
            )


def _decisive_roads(held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Cells such that whoever reaches them reaches every road of the district.

    An area's edge may run anywhere; where every road is reached, every edge is. Roads that no
    candidate reaches are among them.
    """
    missed = np.flatnonzero(~held.any(axis=1))
    return np.sort(np.append(decisive_rows(held), missed))


def _judge_by_cells(
    matrix: Matrix,
    sites: tuple[NDArray[np.float64], NDArray[np.float64]],
    cells: Cells,
    held: NDArray[np.bool_],
    roads: NDArray[np.int64],
) -> None:
    """Puts the distances of the roads, which come last, to the farthest corner of their cells."""
    for site, (x, y) in enumerate(zip(*sites, strict=True)):
        matrix.metres[-len(roads) :, site] = cells.farthest(float(x), float(y))[roads]
    matrix.covers[-len(roads) :] = held[roads]


def _choose(
    settings: SitingSettings,
    template: CenterSettings,
    candidates: Candidates,
    demand: Demand,
    matrix: Matrix,
) -> Choice:
    """The choice that the objective asks for; the edge has no points, it only has to be reached."""
    standing = np.flatnonzero(candidates.standing).tolist()
    limit, weight, k = settings.time_limit, demand.points.astype(float), settings.k
    covers, seconds = matrix.covers, matrix.seconds.astype(float)
    if settings.objective == "fewest":
        return choose.fewest_sites(
            covers, weight, seconds=seconds, standing=standing, time_limit_s=limit
        )
    if settings.objective == "capacitated":
        if not settings.split:
            _check_size(settings.capacity, demand, covers)
        return choose.fewest_capacitated(
            covers,
            demand.points,
            settings.capacity,
            split=settings.split,
            seconds=seconds,
            standing=standing,
            time_limit_s=limit,
        )
    if settings.objective == "cheapest":
        return choose.fewest_people(
            covers,
            demand.points,
            price_center=settings.price_center,
            price_person=settings.price_person,
            people_per_shift=base_shift(template),
            extra_per=settings.capacity,
            shifts=template.roster.team_count,
            seconds=seconds,
            standing=standing,
            time_limit_s=limit,
        )
    assert k is not None  # the settings ask for it with the other objectives
    if settings.objective == "best":
        return choose.best_coverage(
            covers, weight, k, seconds=seconds, standing=standing, time_limit_s=limit
        )
    if settings.objective == "mean":
        return choose.least_mean_time(seconds, weight, k, standing=standing, time_limit_s=limit)
    return choose.least_worst_time(seconds, k, standing=standing, time_limit_s=limit)


def _check_size(capacity: int, demand: Demand, covers: NDArray[np.bool_]) -> None:
    """Refuses a place that fits into no center and may not be divided."""
    points = np.where(covers.any(axis=1), demand.points, 0)
    largest = int(np.argmax(points))
    if points[largest] > capacity:
        raise ScenarioError(
            f"siting: {demand.names[largest]} alone has {points[largest]} points, more than the "
            f"capacity of {capacity}; set split = true, or raise the capacity"
        )


def _no_choice(settings: SitingSettings, choice: Choice, demand: Demand) -> str:
    """Why there is no plan, for a planner."""
    if len(choice.uncovered) == len(demand):
        return (
            "siting: no candidate reaches any venue within "
            f"{settings.travel_limit / 60:g} min and {settings.radius / 1000:g} km; give other "
            "candidates"
        )
    if choice.status != "infeasible":
        return (
            f"siting: no plan was found within {settings.time_limit:g} s; raise siting.time_limit"
        )
    return (
        f'siting: objective = "{settings.objective}" has no solution with these candidates '
        "(proven); give more of them, or a larger k or capacity"
    )


def _served(
    choice: Choice | None,
    network: RoadNetwork,
    sites: NDArray[np.int64],
    demand: Demand,
    matrix: Matrix,
    cells: Cells,
    held: NDArray[np.bool_],
) -> csr_array:
    """Points of each venue by chosen site (venues, sites), whole numbers.

    As the choice shares them out; else, and for venues that it leaves out because nobody reaches
    them in time, by the fastest site that holds the land around within both limits, or reaches
    the venue within them, or is the fastest of all.
    """
    from scipy.sparse import csr_array

    n = demand.venues
    within = matrix.covers[:n, sites]
    row_of = np.full(len(network), -1)
    row_of[cells.node] = np.arange(len(cells.node))
    row = row_of[demand.node[:n]]
    around = within & held[row] & (row >= 0)[:, None]
    within = np.where(around.any(axis=1)[:, None], around, within)
    fastest = nearest_within(matrix.seconds[:n, sites], within)
    points = demand.points[:n]
    if choice is None:
        rows = np.arange(n)
        return csr_array((points, (rows, fastest)), shape=(n, len(sites)))
    part = csr_array(choice.share)[:n][:, sites]
    rows_, columns, data = [], [], []
    for venue in range(n):
        inner = slice(part.indptr[venue], part.indptr[venue + 1])
        shares = np.asarray(part.data[inner], float)
        if shares.sum() <= 0.0:
            rows_.append(venue)
            columns.append(int(fastest[venue]))
            data.append(int(points[venue]))
            continue
        whole = _whole_points(shares, int(points[venue]))
        for column, value in zip(part.indices[inner].tolist(), whole, strict=True):
            if value or len(whole) == 1:
                rows_.append(venue)
                columns.append(column)
                data.append(value)
    return csr_array((data, (rows_, columns)), shape=(n, len(sites)), dtype=np.int64)


def _whole_points(shares: NDArray[np.float64], points: int) -> list[int]:
    """Whole points by share, largest remainder first; they add up."""
    exact = shares / shares.sum() * points
    whole = np.floor(exact + 1e-6).astype(int)
    left = points - int(whole.sum())
    for k in np.argsort(-(exact - whole), kind="stable")[: max(0, left)].tolist():
        whole[k] += 1
    return [int(value) for value in whole]


def _uncovered(
    travel: TravelTimes,
    settings: SitingSettings,
    demand: Demand,
    candidates: Candidates,
    matrix: Matrix,
    sites: NDArray[np.int64],
) -> list[Uncovered]:
    """What no chosen site reaches, with the site that comes nearest to it.

    First what no candidate reaches; the most points first.
    """
    missed = np.flatnonzero(~matrix.covers[:, sites].any(axis=1))
    if len(missed) == 0:
        return []
    share = np.maximum(
        matrix.seconds[missed] / settings.travel_limit, matrix.metres[missed] / settings.radius
    )
    coverable = np.asarray(matrix.covers[missed].any(axis=1))
    nearest = np.where(coverable, sites[share[:, sites].argmin(axis=1)], share.argmin(axis=1))
    road = np.empty(len(missed))
    for site in np.unique(nearest).tolist():
        mine = nearest == site
        metres = travel.metres([int(candidates.node[site])])[0]
        road[mine] = metres[demand.node[missed[mine]]]
    order = np.lexsort((missed, -demand.points[missed], coverable))
    return [
        Uncovered(
            demand=int(missed[k]),
            coverable=bool(coverable[k]),
            candidate=int(nearest[k]),
            seconds=float(matrix.seconds[missed[k], nearest[k]]),
            straight_m=float(matrix.metres[missed[k], nearest[k]]),
            road_m=float(road[k]),
        )
        for k in order.tolist()
    ]


def _in_free_flow(
    settings: SitingSettings,
    template: CenterSettings,
    demand: Demand,
    free: NDArray[np.float32],
    metres: NDArray[np.float32],
) -> int:
    """Points that the chosen sites reach within both limits in free flow."""
    within = template.response.turnout + free[:, demand.node].T <= settings.travel_limit
    within &= metres <= settings.radius
    return int(demand.points[within.any(axis=1)].sum())


def _front(
    settings: SitingSettings,
    demand: Demand,
    matrix: Matrix,
    candidates: Candidates,
    chosen: int,
) -> list[FrontPoint]:
    """The trade-off of centers against coverage and mean time."""
    most = settings.front
    if most is None:
        most = min(_FRONT_MOST, chosen + 2) if chosen <= _FRONT_OF else 0
    most = min(most, len(candidates))
    if most == 0:
        return []
    n = demand.venues
    standing = np.flatnonzero(candidates.standing).tolist()
    return choose.pareto_front(
        matrix.covers[:n],
        matrix.seconds[:n].astype(float),
        demand.points[:n].astype(float),
        most,
        standing=standing,
        time_limit_s=settings.time_limit / (2 * most),  # two choices for each number of centers
    )
