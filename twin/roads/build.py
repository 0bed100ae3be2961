"""From raw map ways to a :class:`~twin.roads.network.RoadNetwork`, one way for all sources.

A source (OSM file, GraphML, place, built-in township) gives a :class:`RawMap`: nodes, tagged ways
and tagged places, in degrees. What a motor vehicle may use, in which direction and how fast, which
places matter and what they are is decided here only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.roads.network import Feature, RoadNetwork, projection
from twin.roads.settings import ROAD_CLASSES, RoadSettings

if TYPE_CHECKING:
    from shapely import Polygon

Tags = Mapping[str, str]
Floats = NDArray[np.float64]


@dataclass
class RawMap:
    """What a source knows, before anything is decided.

    Parameters
    ----------
    name, source : for reports and messages.
    lon, lat : nodes, degrees.
    signals : indices of nodes with traffic signals.
    ways : node indices and tags of ways that have a ``highway`` tag; -1 is a node that the
        (clipped) source does not hold.
    places : tags and corner coordinates (k, 2) in degrees of everything else; k = 1 is a point.
    boundary : the district's corners (k, 2) in degrees, where the source knows them.
    """

    name: str
    source: str
    lon: Sequence[float]
    lat: Sequence[float]
    signals: list[int] = field(default_factory=list)
    ways: list[tuple[list[int], Tags]] = field(default_factory=list)
    places: list[tuple[Tags, Floats]] = field(default_factory=list)
    boundary: Floats | None = None


# -- which way, which direction, how fast ------------------------------------------------------

# Access values that keep the public's vehicles out.
_FORBIDDEN = frozenset({"no", "private", "agricultural", "forestry", "military", "emergency"})
# An engine may go against a one-way street, but not sensibly against a motorway.
_NEVER_AGAINST = frozenset({"motorway", "motorway_link"})
# The junction delay is for junctions of streets: a drive that ends on a road delays nobody there.
_NO_JUNCTION = frozenset({"service", "track"})


def drivable(tags: Tags) -> bool:
    """Whether an ordinary motor vehicle may use the way.

    The most specific of the access tags decides. A track counts only if it is firm (tracktype
    grade 1 or 2) or expressly open: a response time should not hang on a field path.
    """
    highway = tags.get("highway", "")
    if highway not in ROAD_CLASSES or tags.get("area") == "yes" or "construction" in tags:
        return False
    keys = ("motorcar", "motor_vehicle", "vehicle", "access")
    access = next((tags[key] for key in keys if key in tags), "")
    if all(value.strip() in _FORBIDDEN for value in access.split(";")):
        return False
    if highway == "track" and not access:
        return tags.get("tracktype") in ("grade1", "grade2")
    return True


def directions(tags: Tags) -> tuple[bool, bool]:
    """Whether ordinary traffic may go (along, against) the way as it is drawn.

    A reversible lane is read as one-way as drawn, an alternating one as open both ways.
    """
    value = tags.get("oneway", "")
    if value in ("-1", "reverse"):
        return False, True
    implied = tags.get("junction") in ("roundabout", "circular") or tags["highway"] == "motorway"
    if value in ("yes", "true", "1", "reversible") or (implied and value not in ("no", "false")):
        return True, False
    return True, True


_SPEED = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(km/h|kmh|kph|mph)?\s*\Z")


def max_speed(tags: Tags) -> float | None:
    """The tagged maxspeed in m/s; None if there is none or it cannot be read as a number.

    Of several values the lowest counts; values below 5 or above 150 km/h are slips.
    """
    found = []
    for text in tags.get("maxspeed", "").split(";"):
        match = _SPEED.match(text)
        if match:
            found.append(float(match[1]) * (0.44704 if match[2] == "mph" else 1 / 3.6))
    speed = min(found, default=0.0)
    return speed if 5 / 3.6 <= speed <= 150 / 3.6 else None


# -- places ------------------------------------------------------------------------------------

_CHEMICALS = frozenset(
    {"chemical", "chemicals", "oil", "refinery", "gas", "petroleum", "petrochemical", "explosives",
     "fireworks", "fertilizer", "fuel", "lpg", "lng", "natural_gas", "ammonia", "hydrogen"}
)  # fmt: skip
# Radius in metres of a place that the map has as a point only (assumption).
_PLACES = {
    "isolated_dwelling": ("village", 60.0),
    "hamlet": ("village", 150.0),
    "village": ("village", 350.0),
    "suburb": ("town", 700.0),
    "town": ("town", 900.0),
    "city": ("town", 2500.0),
}


def place_kind(tags: Tags) -> tuple[str, str, float] | None:
    """Kind, use and default radius of a tagged place; None for what does not matter here."""
    if tags.get("amenity") == "fire_station":
        return "fire_station", "", 0.0
    if tags.get("amenity") == "fuel":
        return "filling_station", "", 0.0
    words = {tags.get(key, "") for key in ("industrial", "product", "content", "substance")}
    works = "works" in (tags.get("man_made"), tags.get("industrial"))
    named = "化工" in tags.get("name", "") or "chemical" in tags.get("name", "").lower()
    industrial = tags.get("landuse") == "industrial"
    stores = tags.get("man_made") in ("storage_tank", "gasometer", "works") or industrial
    if (stores and words & _CHEMICALS) or ((works or industrial) and named):
        return "dangerous_chemicals", "", 0.0
    if tags.get("emergency") == "fire_hydrant":
        return "hydrant", "", 0.0
    if tags.get("place") in _PLACES:
        kind, radius = _PLACES[tags["place"]]
        return kind, "", radius
    if tags.get("building", "no") != "no":
        shop = "shop" if "shop" in tags else None
        return "building", tags.get("amenity") or shop or tags["building"], 0.0
    if industrial:
        return "industrial", "", 300.0
    return None


def _feature(tags: Tags, x: Floats, y: Floats) -> Feature | None:
    found = place_kind(tags)
    if found is None:
        return None
    kind, use, radius = found
    name = tags.get("name", "")
    if len(x) > 1 and x[0] == x[-1] and y[0] == y[-1]:
        x, y = x[:-1], y[:-1]
    if len(x) < 3:
        return Feature(kind, name, float(x.mean()), float(y.mean()), None, use, radius)
    # the area's centroid and size by the shoelace formula, about the first corner
    u, v = x - x[0], y - y[0]
    cross = u * np.roll(v, -1) - np.roll(u, -1) * v
    twice = float(cross.sum())
    if abs(twice) < 1e-6:
        middle = (float(x.mean()), float(y.mean()))
    else:
        middle = (
            float(x[0] + ((u + np.roll(u, -1)) * cross).sum() / (3 * twice)),
            float(y[0] + ((v + np.roll(v, -1)) * cross).sum() / (3 * twice)),
        )
    if kind in ("village", "town", "industrial"):
        radius = float(np.sqrt(abs(twice) / 2 / np.pi))
    return Feature(kind, name, *middle, np.column_stack([x, y]), use, radius)


# -- the network -------------------------------------------------------------------------------


def build_network(raw: RawMap, settings: RoadSettings) -> RoadNetwork:
    """The road network of a raw map.

    Parameters
    ----------
    raw : the map; segments to nodes that it does not hold are dropped.
    settings : class speeds for ways without a readable maxspeed.

    Raises
    ------
    ValueError
        If a node is not on the earth, or no drivable road is left.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    _check_degrees(raw)
    start, end, way, against, missing = _segments(raw)
    if len(start) == 0:
        if missing:
            why = (
                f"its drivable ways refer to {missing} nodes that the file does not hold (a "
                "clipped extract); cut it with complete ways"
            )
        elif raw.ways:
            why = "none of its roads may be used by a motor vehicle; take another extract"
        else:
            why = "it has no way with a highway tag; take an extract that includes roads"
        raise ValueError(f"{raw.source}: no drivable road left: {why}")

    n = len(raw.lon)
    ordinary = ~against
    graph = csr_array(
        (np.ones(int(ordinary.sum())), (start[ordinary], end[ordinary])), shape=(n, n)
    )
    _, part = connected_components(graph, directed=True, connection="strong")
    keep = part == np.bincount(part).argmax()
    if keep.sum() < 2:
        raise ValueError(
            f"{raw.source}: no drivable road left: no two points can be reached from each other; "
            "take a larger extract"
        )
    inside = keep[start] & keep[end]
    start, end, way, against = start[inside], end[inside], way[inside], against[inside]
    renumber = np.cumsum(keep) - 1
    start, end = renumber[start], renumber[end]
    n = int(keep.sum())

    lon, lat = np.asarray(raw.lon, float)[keep], np.asarray(raw.lat, float)[keep]
    origin = (float((lon.min() + lon.max()) / 2), float((lat.min() + lat.max()) / 2))
    local = projection(*origin)
    x, y = (np.asarray(axis) for axis in local(lon, lat))

    used, of_used = np.unique(way, return_inverse=True)
    tags_of = [raw.ways[index][1] for index in used.tolist()]
    road_class = np.array([ROAD_CLASSES.index(tags["highway"]) for tags in tags_of], np.int8)
    speed = np.array([max_speed(tags) or settings.speeds[tags["highway"]] for tags in tags_of])
    road_class, speed = road_class[of_used], speed[of_used]
    # two nodes at one place still are two: an edge of no length would vanish from a sparse matrix
    length = np.maximum(np.hypot(x[end] - x[start], y[end] - y[start]), 0.01)

    # one edge per pair: ordinary before contraflow, then the fastest
    order = np.lexsort((length / speed, against, end, start))
    start, end = start[order], end[order]
    first = np.ones(len(start), bool)
    first[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1])
    order, start, end = order[first], start[first], end[first]
    road_class, speed = road_class[order], speed[order]
    length, against = length[order], against[order]

    signals = np.zeros(len(raw.lon), bool)
    signals[raw.signals] = True
    return RoadNetwork(
        lon=lon,
        lat=lat,
        x=x,
        y=y,
        start=start.astype(np.int32),
        end=end.astype(np.int32),
        length=length,
        road_class=road_class,
        speed=speed,
        contraflow=against,
        junction=_junctions(n, start, end, road_class) | signals[keep],
        boundary=_boundary(raw, x, y, origin),
        features=_features(raw, origin),
        origin=origin,
        name=raw.name,
        source=raw.source,
    )


def _check_degrees(raw: RawMap) -> None:
    lon, lat = np.asarray(raw.lon, float), np.asarray(raw.lat, float)
    wrong = np.flatnonzero(~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)))
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(
            f"{raw.source}: {len(wrong)} of {len(lon)} nodes are not on the earth, the first at "
            f"lon {lon[i]:g}, lat {lat[i]:g}; degrees are expected (WGS-84)"
        )


def _segments(
    raw: RawMap,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], int]:
    """Directed segments of the drivable ways: start, end, way, contraflow; and missing nodes."""
    used = [index for index, (_, tags) in enumerate(raw.ways) if drivable(tags)]
    lines = [raw.ways[index][0] for index in used]
    # for the line as drawn and against it: not open to all, and not even to an engine
    closed = ~np.array([directions(raw.ways[index][1]) for index in used], bool).reshape(-1, 2)
    motorway = np.array([raw.ways[index][1]["highway"] in _NEVER_AGAINST for index in used], bool)
    node = np.array(list(chain.from_iterable(lines)), int)
    line = np.repeat(np.arange(len(used)), [len(nodes) for nodes in lines])
    pair = (line[1:] == line[:-1]) & (node[1:] != node[:-1]) & (node[1:] >= 0) & (node[:-1] >= 0)
    first, second, line = node[:-1][pair], node[1:][pair], line[:-1][pair]
    start, end = np.concatenate([first, second]), np.concatenate([second, first])
    way = np.concatenate([line, line])
    against = np.concatenate([closed[line, 0], closed[line, 1]])
    order = np.argsort(way, kind="stable")  # way by way, along it and then against it
    order = order[~(against & motorway[way])[order]]
    missing = int(np.count_nonzero(node < 0))
    return start[order], end[order], np.array(used, int)[way[order]], against[order], missing


def _junctions(
    n: int, start: NDArray[np.int64], end: NDArray[np.int64], road_class: NDArray[np.int8]
) -> NDArray[np.bool_]:
    counted = [name not in _NO_JUNCTION for name in ROAD_CLASSES]
    street = np.array(counted)[road_class]
    low, high = np.minimum(start, end)[street], np.maximum(start, end)[street]
    pairs = np.unique(low * n + high)
    neighbours = np.bincount(pairs // n, minlength=n) + np.bincount(pairs % n, minlength=n)
    return np.asarray(neighbours >= 3)


def _boundary(raw: RawMap, x: Floats, y: Floats, origin: tuple[float, float]) -> Polygon:
    import shapely

    if raw.boundary is None:
        # convex: concave hulls claim far more reach than the roads have
        hull = shapely.convex_hull(shapely.multipoints(np.column_stack([x, y])))
        # roads on one straight line have no area of their own
        return hull if hull.geom_type == "Polygon" else hull.buffer(50.0)
    polygon = shapely.Polygon(np.column_stack(projection(*origin)(*raw.boundary.T)))
    if not polygon.is_valid:
        raise ValueError(
            f"{raw.source}: the district's boundary crosses itself; give it as a simple ring"
        )
    return polygon


def _features(raw: RawMap, origin: tuple[float, float]) -> tuple[Feature, ...]:
    if not raw.places:
        return ()
    local = projection(*origin)
    corners = np.concatenate([outline for _, outline in raw.places])
    x, y = (np.asarray(axis) for axis in local(corners[:, 0], corners[:, 1]))
    found = []
    last = 0
    for tags, outline in raw.places:
        first, last = last, last + len(outline)
        found.append(_feature(tags, x[first:last], y[first:last]))
    return tuple(feature for feature in found if feature is not None)
