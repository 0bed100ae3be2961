"""The area that the roads themselves reach from a site, and the areas of several sites.

Reached is what lies beside a road that a vehicle gets to in time: every road piece is buffered, and
a road that is driven only in part is cut where the time is over. A hull around the reached points
would claim the fields between the roads as well, about three times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.roads.network import RoadNetwork
from twin.roads.travel import TravelTimes
from twin.siting.cells import corners_around

if TYPE_CHECKING:
    from shapely import MultiLineString, MultiPolygon, Polygon

Floats = NDArray[np.float64]


def reached_roads(
    travel: TravelTimes,
    travel_s: ArrayLike,
    site_node: int,
    site_xy: tuple[float, float],
    turnout_s: float,
    limit_s: float,
    radius_m: float,
    hours: Sequence[int | None],
) -> MultiLineString:
    """The road pieces that an ordinary vehicle reaches within the time and the radius.

    Parameters
    ----------
    travel : what an edge takes.
    travel_s : (nodes,) from the site to every node, the slowest of the hours.
    site_node, site_xy : the center's road node, and its place in metres.
    turnout_s, limit_s, radius_m : of 5.1.1.
    hours : hours of the week that ``travel_s`` is of; None is free flow.
    """
    import shapely

    network = travel.network
    at = turnout_s + np.asarray(travel_s, float)
    # whoever drives loses the time of starting and stopping, also on the first road
    at[site_node] += travel.settings.start_stop
    driving = np.max([travel.edge_seconds(hour)[0] for hour in hours], axis=0)
    use = ~network.contraflow & (at[network.start] < limit_s)
    start, end = network.start[use], network.end[use]
    share = np.minimum(1.0, (limit_s - at[start]) / driving[use])
    x0, y0 = network.x[start], network.y[start]
    x1, y1 = x0 + share * (network.x[end] - x0), y0 + share * (network.y[end] - y0)
    # both directions of a road driven whole are one line
    both = np.sort(np.column_stack([start, end]), axis=1) @ np.array([len(network), 1])
    order = np.lexsort((-share, both))
    again = np.zeros(len(order), bool)
    again[1:] = (both[order][1:] == both[order][:-1]) & (share[order][:-1] >= 1.0)
    keep = order[~again]
    lines = shapely.linestrings(
        np.stack([np.stack([x0, y0], 1), np.stack([x1, y1], 1)], axis=1)[keep]
    )
    circle = shapely.Point(site_xy).buffer(radius_m, quad_segs=64)
    far = np.maximum(
        np.hypot(x0 - site_xy[0], y0 - site_xy[1]), np.hypot(x1 - site_xy[0], y1 - site_xy[1])
    )[keep]
    over = far > radius_m
    lines[over] = shapely.intersection(lines[over], circle)
    lines = lines[~shapely.is_empty(lines)]
    merged: MultiLineString = shapely.multilinestrings(
        [part for part in shapely.get_parts(lines) if part.geom_type == "LineString"]
    )
    return merged


def reached_area(roads: MultiLineString, verge_m: float) -> Polygon | MultiPolygon:
    """What lies within ``verge_m`` of the roads."""
    import shapely

    merged = shapely.get_parts(shapely.line_merge(roads))
    # a metre is nothing beside the verge, and spares most of the corners
    pieces = shapely.buffer(shapely.simplify(merged, 1.0), verge_m, quad_segs=3)
    area: Polygon | MultiPolygon = shapely.union_all(pieces)
    return area


def nearest_within(seconds: ArrayLike, within: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The site of each place: the fastest that reaches it within the limits, or else of all.

    Parameters
    ----------
    seconds : (places, sites) turnout and travel.
    within : (places, sites) both limits hold.
    """
    times = np.asarray(seconds)
    best = np.where(within, times, np.inf).argmin(axis=1)
    site: NDArray[np.int64] = np.where(within.any(axis=1), best, times.argmin(axis=1))
    return site


def partition(
    network: RoadNetwork,
    x: Floats,
    y: Floats,
    of_site: NDArray[np.int64],
    sites: int,
) -> list[Polygon | MultiPolygon]:
    """The district divided among sites: every spot goes with the place nearest to it.

    Parameters
    ----------
    network : its boundary is what is divided.
    x, y, of_site : places (road nodes, demand points) and the site that each belongs to.
    sites : their number; a site without places gets an empty area.
    """
    import shapely
    from scipy.spatial import cKDTree

    places = np.column_stack([x, y])
    district = network.boundary
    if sites == 1 or len(np.unique(of_site)) == 1:
        return [district if site == of_site[0] else shapely.MultiPolygon() for site in range(sites)]
    faces = _faces(district, places, of_site)
    inside = np.array([(face.x, face.y) for face in (f.representative_point() for f in faces)])
    _, nearest = cKDTree(places).query(inside)
    owner = of_site[nearest]
    return [
        _polygons(shapely.union_all([faces[k] for k in np.flatnonzero(owner == site)]))
        for site in range(sites)
    ]


def _faces(district: Polygon, places: Floats, of_site: NDArray[np.int64]) -> list[Polygon]:
    """The pieces into which the borders between the sites' places cut the district."""
    import shapely
    from scipy.spatial import Voronoi

    around = corners_around(district.bounds)
    cells = Voronoi(np.concatenate([places, around]))
    site = np.append(of_site, [-1] * len(around))
    border = site[cells.ridge_points[:, 0]] != site[cells.ridge_points[:, 1]]
    ridges = [cells.ridge_vertices[k] for k in np.flatnonzero(border).tolist()]
    ends = np.array([ridge for ridge in ridges if -1 not in ridge])
    lines = shapely.line_merge(shapely.multilinestrings(cells.vertices[ends]))
    # cut off at the boundary first, a border might end a hair's breadth before it
    noded = shapely.union_all([lines, district.boundary])
    faces = shapely.get_parts(shapely.polygonize(list(shapely.get_parts(noded))))
    shapely.prepare(district)
    return [f for f in faces if district.contains(f.representative_point())]


def _polygons(shape: object) -> Polygon | MultiPolygon:
    """Without the lines and points along which two shapes only touch."""
    import shapely

    parts = shapely.get_parts(shape)
    kept = [part for part in parts if part.geom_type == "Polygon"]
    area: Polygon | MultiPolygon = kept[0] if len(kept) == 1 else shapely.MultiPolygon(kept)
    return area
