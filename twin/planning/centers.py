"""What is known of a chosen center: its points, its people, its area and how that is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from twin.center.settings import CenterSettings
from twin.planning.demand import Demand
from twin.roads.network import RoadNetwork
from twin.roads.travel import TravelTimes
from twin.siting.candidates import Candidates
from twin.siting.cells import Cells
from twin.siting.reached import nearest_within, partition, reached_area, reached_roads
from twin.siting.rules import (
    EdgePoints,
    HazardCheck,
    Reach,
    edge_points,
    hazard_checks,
    nodes_in,
)
from twin.siting.settings import SitingSettings
from twin.standard import SHIFT_MIN
from twin.terms import Role

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from shapely import MultiPolygon, Polygon

Limit = Literal["time", "radius"]


@dataclass(frozen=True)
class Binding:
    """One of the limits of 5.1.1 where it is nearest to being broken.

    Attributes
    ----------
    value : seconds in the worst hour, or metres in a straight line.
    share : of the limit; above 1 it is broken.
    x, y : the point, metres.
    broken : points of the edge beyond the limit.
    """

    value: float
    share: float
    x: float
    y: float
    broken: int


@dataclass(frozen=True, eq=False)
class CenterPlan:
    """A center of the plan.

    Attributes
    ----------
    name, near : its name, and the nearest named town or village.
    site : index among the candidates that were left.
    x, y, lon, lat, node : where it stands.
    standing : it stands already.
    venues : indices of the venues of which it serves all or part.
    points_of : points that it serves in each of these.
    points : in all.
    people_per_shift, duty, maintenance : people that it needs.
    slowest_s, mean_s : to its venues in the worst hour, turnout included; nan without venues.
    area, reached : its area, and what is reached by road in the worst hour within both limits.
    edge, measured : the edge of the area, and how that is reached; None where the area is empty.
    time, radius : the two limits at the edge; None likewise.
    hazards : the dangerous places that lie within the wind range.
    """

    name: str
    near: str
    site: int
    x: float
    y: float
    lon: float
    lat: float
    node: int
    standing: bool
    venues: NDArray[np.int64]
    points_of: NDArray[np.int64]
    points: int
    people_per_shift: int
    duty: int
    maintenance: int
    slowest_s: float
    mean_s: float
    area: Polygon | MultiPolygon
    reached: Polygon | MultiPolygon
    edge: EdgePoints | None
    measured: Reach | None
    time: Binding | None
    radius: Binding | None
    hazards: Sequence[HazardCheck]

    @property
    def binds(self) -> Limit | None:
        """Which of the two limits is nearer to being broken at the edge."""
        if self.time is None or self.radius is None:
            return None
        return "time" if self.time.share >= self.radius.share else "radius"


def people_of(template: CenterSettings, settings: SitingSettings, points: int) -> tuple[int, int]:
    """People per shift, and duty people in all, of a center with so many points (4.4, 5.1.12).

    As many as the scenario's own center has, one more per shift for each started 20,000 points
    (the capacity) beyond the first.
    """
    base, teams = base_shift(template), template.roster.team_count
    per_shift = base + max(0, ceil(points / settings.capacity) - 1)
    return per_shift, per_shift * teams


def base_shift(template: CenterSettings) -> int:
    """People on each shift of the scenario's own center, at least two (4.4)."""
    roster = template.roster
    duty = sum(person.role is Role.DUTY for person in roster.roster().values())
    return max(SHIFT_MIN, duty // roster.team_count)


def place_name(network: RoadNetwork, x: float, y: float) -> str:
    """The nearest named town or village; "" where the map names none."""
    names, east, north = _named(network)
    return names[int(np.hypot(east - x, north - y).argmin())] if names else ""


@lru_cache(maxsize=4)
def _named(
    network: RoadNetwork,
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Names of towns and villages, and where they lie; looked up once for many places."""
    named = [place for place in network.features_of("village", "town") if place.name]
    east, north = (np.array([getattr(p, axis) for p in named], float) for axis in "xy")
    return [place.name for place in named], east, north


def centers_of(
    network: RoadNetwork,
    travel: TravelTimes,
    settings: SitingSettings,
    template: CenterSettings,
    candidates: Candidates,
    sites: NDArray[np.int64],
    demand: Demand,
    served: csr_array,
    seconds: NDArray[np.float32],
    slowest: NDArray[np.float32],
    free: NDArray[np.float32],
    cells: Cells,
    held: NDArray[np.bool_],
    by_demand: bool,
) -> list[CenterPlan]:
    """The chosen centers with their areas.

    Parameters
    ----------
    network, travel : the roads.
    settings, template : limits; the scenario's own center, whose people and turnout they share.
    candidates, sites : the sites, and which of them were chosen.
    demand, served : (venues, sites) points of each venue that each chosen site serves.
    seconds : (demand, sites) turnout and travel in the worst hour.
    slowest, free : (sites, nodes) travel in the worst hour and in free flow.
    cells, held : of the road nodes, and (cells, sites) which site has them within both limits.
    by_demand : the roads around a venue belong to the venue's center even if another is faster.
    """
    turnout = template.response.turnout
    main = _main_sites(served)
    of_cell = _sites_of_cells(network, slowest, demand, main, cells, held, by_demand)
    _keep_own_ground(of_cell, network, candidates, sites, cells)
    # a venue goes with the land around it, but for those that the choice gives to somebody else
    own = np.full(len(network), -1)
    own[cells.node] = of_cell
    apart = np.flatnonzero(own[demand.node[: demand.venues]] != main)
    areas = partition(
        network,
        np.append(network.x[cells.node], demand.x[apart]),
        np.append(network.y[cells.node], demand.y[apart]),
        np.append(of_cell, main[apart]),
        len(sites),
    )
    hours = travel.slowest_hours()
    by_site = served.tocsc()
    names = _names(candidates, sites)
    centers = []
    for k, site in enumerate(sites.tolist()):
        x, y = float(candidates.x[site]), float(candidates.y[site])
        node = int(candidates.node[site])
        inner = slice(by_site.indptr[k], by_site.indptr[k + 1])
        venues, points_of = by_site.indices[inner].astype(np.int64), by_site.data[inner]
        order = np.argsort(venues)
        venues, points_of = venues[order], points_of[order].astype(np.int64)
        points = int(points_of.sum())
        per_shift, duty = people_of(template, settings, points)
        edge, measured = None, None
        if not areas[k].is_empty:
            edge = _edge(network, areas[k])
        if edge is not None:
            hour = hours[0] if len(hours) == 1 else travel.worst_hour(node, edge.node)[0]
            measured = Reach(
                free_flow_s=turnout + free[k, edge.node].astype(float),
                worst_hour_s=turnout + slowest[k, edge.node].astype(float),
                worst_hour=hour,
                straight_m=np.hypot(edge.x - x, edge.y - y),
                road_m=travel.metres([node])[0][edge.node],
            )
        roads = reached_roads(
            travel, slowest[k], node, (x, y), turnout, settings.travel_limit, settings.radius,
            hours,
        )  # fmt: skip
        times = seconds[venues, k]
        lon, lat = network.unproject(x, y)
        checks = hazard_checks(network.features, (x, y), template.site_radius)
        standing = bool(candidates.standing[site])
        centers.append(
            CenterPlan(
                name=names[k],
                near=place_name(network, x, y),
                site=site,
                x=x,
                y=y,
                lon=float(lon),
                lat=float(lat),
                node=node,
                standing=standing,
                venues=venues,
                points_of=points_of,
                points=points,
                people_per_shift=per_shift,
                duty=duty,
                maintenance=max(1, ceil(points / settings.points_per_maintainer)),
                slowest_s=float(times.max()) if len(times) else float("nan"),
                mean_s=float(np.average(times, weights=points_of)) if points else float("nan"),
                area=areas[k],
                reached=reached_area(roads, settings.verge),
                edge=edge,
                measured=measured,
                time=_binding(edge, measured, "time", settings.travel_limit),
                radius=_binding(edge, measured, "radius", settings.radius),
                hazards=[c for c in checks if c.distance_m <= settings.wind_range],
            )
        )
    return centers


def _edge(network: RoadNetwork, area: Polygon | MultiPolygon) -> EdgePoints | None:
    """The edge of an area; None where no road lies in it."""
    return edge_points(network, area) if len(nodes_in(network, area)) else None


def _binding(
    edge: EdgePoints | None, measured: Reach | None, which: Limit, limit: float
) -> Binding | None:
    if edge is None or measured is None:
        return None
    values = measured.worst_hour_s if which == "time" else measured.straight_m
    worst = int(np.argmax(values))
    value = float(values[worst])
    broken = int((values > limit).sum())
    return Binding(value, value / limit, float(edge.x[worst]), float(edge.y[worst]), broken)


def _names(candidates: Candidates, sites: NDArray[np.int64]) -> list[str]:
    """Names of the chosen centers, all different: standing ones keep theirs."""
    standing = [site for site in sites.tolist() if candidates.standing[site]]
    names = [candidates.names[site] for site in standing]  # they are the first of the candidates
    for number in range(len(standing) + 1, len(sites) + 1):
        name = f"center-{number}"
        while name in names[: len(standing)]:
            name += "-new"
        names.append(name)
    return names


def _main_sites(served: csr_array) -> NDArray[np.int64]:
    """The site that serves most of each venue; of a venue without points the one it belongs to."""
    entries = served.tocoo()
    order = np.lexsort((-entries.col, entries.data))  # the last one of a venue counts
    main = np.zeros(served.shape[0], np.int64)
    main[entries.row[order]] = entries.col[order]
    return main


def _keep_own_ground(
    of_cell: NDArray[np.int64],
    network: RoadNetwork,
    candidates: Candidates,
    sites: NDArray[np.int64],
    cells: Cells,
) -> None:
    """Gives each center the cell that it stands on, or the nearest one that is no other center's.

    Where venues decide whose the land is, a center's own might go to another one.
    """
    x, y = network.x[cells.node], network.y[cells.node]
    free = np.ones(len(of_cell), bool)
    for k, site in enumerate(sites.tolist()):
        away = np.hypot(x - candidates.x[site], y - candidates.y[site])
        own = int(np.argmin(np.where(free, away, np.inf)))
        of_cell[own], free[own] = k, False


def _sites_of_cells(
    network: RoadNetwork,
    slowest: NDArray[np.float32],
    demand: Demand,
    main: NDArray[np.int64],
    cells: Cells,
    held: NDArray[np.bool_],
    by_demand: bool,
) -> NDArray[np.int64]:
    """The chosen site that each cell belongs to."""
    from scipy.spatial import cKDTree

    of_cell = nearest_within(slowest[:, cells.node].T, held)
    if by_demand:
        places = np.column_stack([demand.x, demand.y])[: demand.venues]
        at = np.column_stack([network.x, network.y])[cells.node]
        wanted = main[cKDTree(places).query(at)[1]]
        of_cell = np.where(held[np.arange(len(wanted)), wanted], wanted, of_cell)
    return of_cell
