"""From a scenario to its event log: roads, venues, then every center in its own environment."""

from __future__ import annotations

import json
import math
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from devices import KINDS, DeviceKind, with_overrides
from twin.log import Log, merge
from twin.roads.load import load_roads
from twin.roads.network import RoadNetwork
from twin.roads.travel import TravelTimes
from twin.scenario import Scenario, ScenarioError
from twin.siting.rules import edge_facts, edge_points, hazard_checks, reach
from twin.streams import Streams
from twin.terms import Kind
from twin.venues.build import Fleet, Venues, build_venues
from twin.world.center_year import CenterRun, run_center
from twin.world.registry import Place
from twin.world.ways import Ways

if TYPE_CHECKING:
    from shapely import Polygon

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Site:
    """Where a center stands and what it serves.

    Attributes
    ----------
    x, y : the center, metres in the network's projection.
    area : its area.
    venue_ids, venue_x, venue_y : its venues.
    """

    x: float
    y: float
    area: Polygon
    venue_ids: Sequence[str]
    venue_x: NDArray[np.float64]
    venue_y: NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    scenario, network : what was simulated, and its roads.
    sites : where each center stands, by its name.
    log : the event log of all centers.
    seconds_by_phase : wall-clock seconds of ``roads``, ``venues``, ``places`` and ``simulation``.
    events : SimPy events that were processed.
    points : networked points in all.
    """

    scenario: Scenario
    network: RoadNetwork
    sites: Mapping[str, Site]
    log: Log
    seconds_by_phase: Mapping[str, float]
    events: int
    points: int


def simulate(
    scenario: Scenario,
    progress: Progress | None = None,
    processes: int | None = None,
    *,
    only: str | None = None,
    travel: TravelTimes | None = None,
) -> Run:
    """Simulates a scenario.

    Parameters
    ----------
    scenario : what to simulate.
    progress : called with the share that is done, 0 to 1.
    processes : over which several centers are spread; the cores at most. The log is the same.
    only : the one center to simulate; its rows are those that it has beside the others.
    travel : the scenario's roads, where they are known from a run before.

    Raises
    ------
    ValueError
        For files of the scenario that cannot be used, with file, place and what is wrong.
    """
    clock = _Clock()
    if travel is None:
        travel = TravelTimes(load_roads(scenario.roads), scenario.roads)
    network = travel.network
    clock.lap("roads")
    kinds = with_overrides(KINDS, scenario.devices)
    venues, fleet = build_venues(scenario.venues, network, Streams(scenario.seed).within("venues"))
    clock.lap("venues")
    sites = _sites(scenario, network)
    areas = _areas(scenario, network, sites)
    of_center = _assign(scenario, venues, sites, areas)
    jobs: list[Job] = []
    found: dict[str, Site] = {}
    for number, name in enumerate(scenario.centers):
        mine = np.flatnonzero(of_center == number)
        if len(mine) == 0:
            raise ScenarioError(f"centers.{name}: no venue lies in its area, so it has no work")
        if only not in (None, name):
            continue
        part = (venues, fleet) if len(mine) == len(venues.ids) else _part(venues, fleet, mine)
        place, ways = _place(scenario, network, travel, name, sites[name], areas[name], part[0])
        own = part[0]
        found[name] = Site(*sites[name], areas[name], own.ids, own.x, own.y)
        jobs.append((scenario, place, ways, *part, kinds))
    clock.lap("places")
    runs = _run_all(jobs, progress, processes)
    log = merge([run.log for run in runs], runs[0].log.meta)
    clock.lap("simulation")
    return Run(
        scenario,
        network,
        found,
        log,
        clock.laps,
        sum(run.events for run in runs),
        sum(run.points for run in runs),
    )


@dataclass
class _Clock:
    """Wall-clock seconds of each phase."""

    laps: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self.since
        self.since = now


Job = tuple[Scenario, Place, Ways, Venues, Fleet, Mapping[str, DeviceKind]]

_jobs: list[Job] = []


def _run_job(number: int) -> CenterRun:
    return run_center(*_jobs[number])


def _run_all(jobs: list[Job], progress: Progress | None, processes: int | None) -> list[CenterRun]:
    """Every center's run, in order; over processes where there are several."""
    cores = multiprocessing.cpu_count() if processes is None else processes
    workers = min(cores, len(jobs))
    if workers <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        runs = []
        for number, job in enumerate(jobs):

            def part(share: float, number: int = number) -> None:
                if progress is not None:
                    progress((number + share) / len(jobs))

            runs.append(run_center(*job, progress=part))
        return runs
    _jobs[:] = jobs  # inherited by the forked processes: nothing is copied
    try:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            runs = []
            for number, run in enumerate(pool.map(_run_job, range(len(jobs)))):
                runs.append(run)
                if progress is not None:
                    progress((number + 1) / len(jobs))
            return runs
    finally:
        _jobs.clear()


# -- sites and areas --------------------------------------------------------------------------


def _sites(scenario: Scenario, network: RoadNetwork) -> dict[str, tuple[float, float]]:
    """Where each center stands, metres; the network's middle where the scenario does not say."""
    sites = {}
    for name, center in scenario.centers.items():
        if center.lon is None or center.lat is None:
            node = network.middle
            sites[name] = (float(network.x[node]), float(network.y[node]))
            continue
        x, y = network.project(center.lon, center.lat)
        _, distance = network.nearest(x, y)
        if float(np.max(distance)) > scenario.venues.road_limit:
            raise ScenarioError(
                f"centers.{name}: lon {center.lon}, lat {center.lat} lies "
                f"{float(np.max(distance)) / 1000:.1f} km from the nearest road of "
                f"{network.source}; give a place on the network"
            )
        sites[name] = (float(np.asarray(x).item()), float(np.asarray(y).item()))
    return sites


def _areas(
    scenario: Scenario, network: RoadNetwork, sites: Mapping[str, tuple[float, float]]
) -> dict[str, Polygon]:
    """Each center's area: its file, or the part of the district nearest to it."""
    from shapely import Point

    from twin.roads.areas import nearest_parts, read_area

    district = network.boundary
    shares = nearest_parts(district, list(sites.values()))
    areas: dict[str, Polygon] = {}
    for (name, center), share in zip(scenario.centers.items(), shares, strict=True):
        areas[name] = share if center.area is None else read_area(center.area, network)
        if areas[name].is_empty or not areas[name].buffer(2000.0).contains(Point(sites[name])):
            raise ScenarioError(f"centers.{name}: the center lies outside its area")
    return areas


def _assign(
    scenario: Scenario,
    venues: Venues,
    sites: Mapping[str, tuple[float, float]],
    areas: Mapping[str, Polygon],
) -> NDArray[np.int64]:
    """The center of each venue: by the file of venues, else whose file's area has it, else the
    nearest."""
    import shapely

    places = np.array(list(sites.values()))
    distance = np.hypot(
        venues.x[:, None] - places[None, :, 0], venues.y[:, None] - places[None, :, 1]
    )
    of_center: NDArray[np.int64] = distance.argmin(axis=1)
    for number, (name, center) in enumerate(scenario.centers.items()):
        if center.area is not None:
            of_center[shapely.contains_xy(areas[name], venues.x, venues.y)] = number
    names = list(scenario.centers)
    for venue, name in enumerate(venues.center):
        if name and name not in names:
            raise ScenarioError(
                f'{scenario.venues.file}: venue "{venues.ids[venue]}" has center "{name}", which '
                f"is none of this scenario's: {', '.join(names)}"
            )
        if name:
            of_center[venue] = names.index(name)
    return of_center


def _part(venues: Venues, fleet: Fleet, mine: NDArray[np.int64]) -> tuple[Venues, Fleet]:
    """The venues of one center and their devices."""
    part = replace(
        venues,
        ids=[venues.ids[v] for v in mine.tolist()],
        kind=venues.kind[mine],
        x=venues.x[mine],
        y=venues.y[mine],
        node=venues.node[mine],
        road_offset_m=venues.road_offset_m[mine],
        responsible=venues.responsible[mine],
        video=venues.video[mine],
        fire_rate_per_year=venues.fire_rate_per_year[mine],
        contract_end_s=venues.contract_end_s[mine],
        center=[venues.center[v] for v in mine.tolist()],
    )
    new_venue = np.full(len(venues.ids), -1)
    new_venue[mine] = np.arange(len(mine))
    kept = np.flatnonzero(new_venue[fleet.venue] >= 0)
    new_device = np.full(len(fleet.venue) + 1, -1)
    new_device[kept] = np.arange(len(kept))
    slices = {
        name: slice(*np.searchsorted(kept, [old.start, old.stop]).tolist())
        for name, old in fleet.kind_slices.items()
    }
    return part, Fleet(
        kind=fleet.kind[kept],
        venue=new_venue[fleet.venue[kept]].astype(np.int32),
        gateway=new_device[fleet.gateway[kept]].astype(np.int32),
        number=fleet.number[kept],
        kind_slices=slices,
        venue_ids=part.ids,
    )


def _place(
    scenario: Scenario,
    network: RoadNetwork,
    travel: TravelTimes,
    name: str,
    site: tuple[float, float],
    area: Polygon,
    venues: Venues,
) -> tuple[Place, Ways]:
    """What the roads say about a center: ways, brigades, reach and hazards."""
    settings = scenario.centers[name]
    node = int(np.asarray(network.nearest(*site)[0]).item())
    nodes, place_of = np.unique(venues.node, return_inverse=True)
    ways = Ways(travel, node, nodes, scenario.start.weekday() * 24)
    stations = [(f.x, f.y) for f in network.features if f.kind == "fire_station"]
    engine: list[list[float]] = []
    if stations:
        at, _ = network.nearest(*np.array(stations).T)
        engine = travel.seconds(at, engine=True)[:, ways.nodes].tolist()
    turnout = settings.response.turnout
    edge = edge_points(network, area)
    measured = reach(network, travel, node, site, edge, turnout)
    worst = f"{DAYS[measured.worst_hour // 24]} {measured.worst_hour % 24:02d}:00"
    rows: list[tuple[Kind, str, float, str]] = []
    for i, facts in enumerate(edge_facts(network, edge)):
        subject = f"edge-{i + 1:03d}"
        where = json.dumps(facts, ensure_ascii=False)
        rows.append((Kind.EDGE_POINT, subject, math.nan, where))
        rows.append((Kind.EDGE_TIME, subject, float(measured.free_flow_s[i]), "free_flow"))
        rows.append((Kind.EDGE_TIME, subject, float(measured.worst_hour_s[i]), worst))
        rows.append((Kind.EDGE_DISTANCE, subject, float(measured.straight_m[i]), "straight"))
        rows.append((Kind.EDGE_DISTANCE, subject, float(measured.road_m[i]), "road"))
    hour = measured.worst_hour
    free, slow = travel.seconds([node])[0] + turnout, travel.seconds([node], hour)[0] + turnout
    for venue, at_node in zip(venues.ids, venues.node.tolist(), strict=True):
        rows.append((Kind.VENUE_TIME, venue, float(free[at_node]), "free_flow"))
        rows.append((Kind.VENUE_TIME, venue, float(slow[at_node]), worst))
    for check in hazard_checks(network.features, site, settings.site_radius, area):
        rows.append((Kind.HAZARD_DISTANCE, check.hazard, check.distance_m, check.kind))
        rows.append((Kind.HAZARD_BEARING, check.hazard, check.bearing_deg, check.kind))
    # Place 0 is the center itself.
    return Place(name, place_of.astype(np.int64) + 1, engine, tuple(rows)), ways
