"""The rules of 5.1.1 (reach) and 5.1.2 (hazards, wind) as pure functions.

They measure; the limits (15 min, 8 km, 200 m, 50 m) stand in :mod:`twin.standard` and are applied
by the assessment and by the choice of sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from twin.standard import CHEMICALS_M

if TYPE_CHECKING:
    from shapely import LinearRing, MultiPolygon, Point, Polygon

    from twin.roads.network import Feature, RoadNetwork
    from twin.roads.travel import TravelTimes

Floats = NDArray[np.float64]

BOUNDARY_STEP_M = 500.0
"""Spacing of points on the area's boundary (assumption: 250 m either way is 20 s of driving)."""

NEAR_ROAD_M = 300.0
"""A boundary point within this of a road is where traffic meets the edge (assumption)."""

BORDER_M = 0.1
"""A road node within this of an area's border is in it: a hull runs through its outermost nodes,
and a file's seven decimals are a centimetre off."""

HAZARD_KINDS = ("dangerous_chemicals", "filling_station")
"""Feature kinds that clause 5.1.2 names."""


@dataclass(frozen=True, eq=False)
class EdgePoints:
    """The edge of a response area, as points that a vehicle can be timed to.

    Parameters
    ----------
    x, y : metres, the point itself.
    node : the road node at which it is reached.
    offset_m : from that node to the point.
    """

    x: Floats
    y: Floats
    node: NDArray[np.int64]
    offset_m: Floats

    def __len__(self) -> int:
        """The number of points."""
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Reach:
    """How far the edge of the area is from a site (5.1.1), one value per edge point.

    Parameters
    ----------
    free_flow_s : seconds from the dispatch order (turnout and travel, ordinary vehicle).
    worst_hour_s : the same in the hour of the week in which the slowest point is slowest.
    worst_hour : that hour, Monday 0 h is 0.
    straight_m : straight line from the site to the point: the reading of the service radius.
    road_m : shortest way by road.
    """

    free_flow_s: Floats
    worst_hour_s: Floats
    worst_hour: int
    straight_m: Floats
    road_m: Floats


@dataclass(frozen=True)
class HazardCheck:
    """A hazard as clause 5.1.2 asks about it.

    Parameters
    ----------
    hazard : its name, or its kind and a number; unique among the hazards.
    kind : one of :data:`HAZARD_KINDS`.
    distance_m : from the center's boundary to the hazardous part; 0 if they overlap.
    bearing_deg : compass direction in which the center lies as seen from the hazard, [0, 360).
    """

    hazard: str
    kind: str
    distance_m: float
    bearing_deg: float


def nodes_in(network: RoadNetwork, area: Polygon | MultiPolygon) -> NDArray[np.int64]:
    """The road nodes in an area or on its border, ascending."""
    import shapely

    wide = area.buffer(BORDER_M, quad_segs=1)
    shapely.prepare(wide)
    return np.flatnonzero(shapely.contains_xy(wide, network.x, network.y))


def edge_points(network: RoadNetwork, area: Polygon | MultiPolygon) -> EdgePoints:
    """The points at which 5.1.1 is judged: the area's boundary and its outermost road points.

    The boundary is sampled every 500 m where a road comes near (300 m), and at its outermost
    corners (of its convex hull), so that the farthest point of the area in a straight line is among
    the points whichever site is chosen; likewise the outermost road points are the corners of the
    convex hull of the area's nodes. A boundary point off the road counts as reached at the area's
    road node next to it, which is as near as a vehicle gets on its own ground; ``offset_m`` tells
    how far that is, it is not driven.

    Parameters
    ----------
    network : the roads.
    area : the response area in the network's metres; of several parts (villages apart, an island)
        each has its edge.

    Raises
    ------
    ValueError
        If no road lies in the area.
    """
    import shapely
    from scipy.spatial import cKDTree

    inside = nodes_in(network, area)
    if len(inside) == 0:
        raise ValueError(
            f"the response area has no road of {network.name!r} in it; give an area within the map"
        )
    # a road across the border belongs to somebody else, who may be a long way round away
    own = cKDTree(np.column_stack([network.x, network.y])[inside])
    area = shapely.normalize(area)  # the same points wherever a file begins its rings
    boundary = np.concatenate([_along(part.exterior) for part in getattr(area, "geoms", [area])])
    offset, _ = own.query(boundary)
    corners = shapely.get_coordinates(shapely.convex_hull(area))[:-1]
    boundary = np.unique(np.concatenate([boundary[offset <= NEAR_ROAD_M], corners]), axis=0)
    offset, place = own.query(boundary)
    node = inside[place]

    roads = np.column_stack([network.x, network.y])[inside]
    hull = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(roads)))
    outer = np.unique(inside[own.query(hull)[1]])
    outer = outer[~np.isin(outer, node)]
    return EdgePoints(
        x=np.concatenate([boundary[:, 0], network.x[outer]]),
        y=np.concatenate([boundary[:, 1], network.y[outer]]),
        node=np.concatenate([node, outer]),
        offset_m=np.concatenate([offset, np.zeros(len(outer))]),
    )


def _along(ring: LinearRing) -> Floats:
    """Points (k, 2) along a ring, evenly spaced by at most the step."""
    import shapely

    samples = max(4, int(np.ceil(ring.length / BOUNDARY_STEP_M)))
    along = np.arange(samples) * (ring.length / samples)
    return np.asarray(shapely.get_coordinates(shapely.line_interpolate_point(ring, along)))


def edge_facts(network: RoadNetwork, points: EdgePoints) -> list[dict[str, float | str]]:
    """Where the points of an edge lie, in words a reader of the map knows.

    Returns
    -------
    One dict per point: ``lon`` and ``lat``, degrees; where the map has a named village or town,
    ``near`` is the nearest one's name, ``metres`` and ``bearing`` (compass degrees) lead from it to
    the point.
    """
    lon, lat = network.unproject(points.x, points.y)
    facts: list[dict[str, float | str]] = [
        {"lon": round(a, 5), "lat": round(b, 5)}
        for a, b in zip(lon.tolist(), lat.tolist(), strict=True)
    ]
    named = [place for place in network.features_of("village", "town") if place.name]
    if named:
        east = points.x[:, None] - np.array([place.x for place in named])
        north = points.y[:, None] - np.array([place.y for place in named])
        away = np.hypot(east, north)
        for number, nearest in enumerate(away.argmin(axis=1).tolist()):
            step = (east[number, nearest], north[number, nearest])
            facts[number] |= {
                "near": named[nearest].name,
                "metres": round(float(away[number, nearest])),
                "bearing": round(float(np.degrees(np.arctan2(*step)) % 360.0)),
            }
    return facts


def reach(
    network: RoadNetwork,
    travel: TravelTimes,
    site_node: int,
    site_xy: tuple[float, float],
    points: EdgePoints,
    turnout_s: float,
) -> Reach:
    """Times and distances from a site to the edge of its area (5.1.1).

    The 15 min run from the dispatch order: turnout and the travel of an ordinary vehicle, alarm
    handling not included.

    Parameters
    ----------
    network, travel : the roads and their times.
    site_node : the road node of the center.
    site_xy : the center, metres; straight lines start here.
    points : the edge.
    turnout_s : from the dispatch order to the vehicle's start.
    """
    if not 0 <= site_node < len(network):
        raise ValueError(f"site_node = {site_node}: the network has {len(network)} nodes")
    hour, worst = travel.worst_hour(site_node, points.node)
    return Reach(
        free_flow_s=turnout_s + travel.seconds([site_node])[0][points.node],
        worst_hour_s=turnout_s + worst,
        worst_hour=hour,
        straight_m=np.hypot(points.x - site_xy[0], points.y - site_xy[1]),
        road_m=travel.metres([site_node])[0][points.node],
    )


@dataclass(frozen=True)
class HazardPart:
    """A hazard of clause 5.1.2 and its dangerous part.

    Attributes
    ----------
    name : its name, or its kind and a number; unique among the hazards.
    kind : one of :data:`HAZARD_KINDS`.
    x, y : its middle, metres: wind carries from here.
    part : where the map has its outline, that (its fence, hence on the safe side); else its point.
    """

    name: str
    kind: str
    x: float
    y: float
    part: Polygon | Point


def hazard_parts(
    features: Iterable[Feature], area: Polygon | MultiPolygon | None = None
) -> list[HazardPart]:
    """The hazards among the features, in their order; other kinds are passed over.

    Parameters
    ----------
    features : of the network.
    area : a center's area: 5.1.2 asks about the premises in it; those just beyond its border
        (200 m) count as well. None: all of them.
    """
    import shapely

    hazards = [feature for feature in features if feature.kind in HAZARD_KINDS]
    names = [feature.name for feature in hazards]
    parts = []
    for number, feature in enumerate(hazards, 1):
        unique = feature.name and names.count(feature.name) == 1
        name = feature.name if unique else f"{feature.name or feature.kind}-{number:02d}"
        part = shapely.Point(feature.x, feature.y)
        if feature.outline is not None:
            part = shapely.Polygon(feature.outline)
        if area is None or shapely.dwithin(area, part, CHEMICALS_M):
            parts.append(HazardPart(name, feature.kind, feature.x, feature.y, part))
    return parts


def hazard_checks(
    features: Iterable[Feature],
    site_xy: tuple[float, float],
    site_radius_m: float,
    area: Polygon | MultiPolygon | None = None,
) -> list[HazardCheck]:
    """Distance and bearing of a center to each hazard of clause 5.1.2.

    The distance is from the center's boundary to the hazardous part.

    Parameters
    ----------
    features : of the network; other kinds are passed over.
    site_xy : the center's middle, metres.
    site_radius_m : the center's ground as a circle.
    area : as in :func:`hazard_parts`.
    """
    import shapely

    site = shapely.Point(site_xy)
    return [
        HazardCheck(
            hazard=hazard.name,
            kind=hazard.kind,
            distance_m=max(0.0, float(shapely.distance(site, hazard.part)) - site_radius_m),
            bearing_deg=float(
                np.degrees(np.arctan2(site_xy[0] - hazard.x, site_xy[1] - hazard.y)) % 360.0
            ),
        )
        for hazard in hazard_parts(features, area)
    ]


def wind_side(
    bearing_deg: float, wind: Mapping[float, float]
) -> Literal["upwind", "crosswind", "downwind"]:
    """On which side of a hazard the center lies in the long-term prevailing wind (5.1.2).

    The prevailing direction is the most frequent sector (of equally frequent ones the first from
    north clockwise); wind directions are where the wind comes from. The center is upwind within
    45 degrees of it as seen from the hazard, downwind within 45 degrees of the opposite, else
    crosswind.

    Parameters
    ----------
    bearing_deg : direction of the center as seen from the hazard.
    wind : long-term frequency by direction in degrees.

    Raises
    ------
    ValueError
        If there is no wind rose, or a frequency is negative.

    Examples
    --------
    >>> wind_side(100.0, {90.0: 0.3, 270.0: 0.2})
    'upwind'
    """
    if not wind or min(wind.values()) < 0 or max(wind.values()) <= 0:
        raise ValueError(
            "wind: no prevailing direction; give long-term frequencies by direction, for example "
            "{90: 0.12, 135: 0.15}"
        )
    prevailing = min(wind, key=lambda direction: (-wind[direction], direction % 360.0))
    apart = abs((bearing_deg - prevailing + 180.0) % 360.0 - 180.0)
    if apart <= 45.0:
        return "upwind"
    return "downwind" if apart >= 135.0 else "crosswind"
