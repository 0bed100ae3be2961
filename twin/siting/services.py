"""Brigades and water around the centers: who is far from a station, where the next hydrant is.

Article 38 of document 004 asks for full-time brigades in towns of economically developed areas, and
for enterprises of some danger and heritage sites that are far from a station. Task 5 of document
000 asks which hydrant an incident gets: the nearest that works, by road.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.roads.geojson import GeoFeature, read_geojson
from twin.roads.network import RoadNetwork
from twin.roads.travel import TravelTimes
from twin.siting.settings import SitingSettings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
PremisesKind = Literal["town", "enterprise", "heritage"]


@dataclass(frozen=True)
class BrigadeAdvice:
    """A place that article 38 asks about.

    Attributes
    ----------
    name, kind : of the place.
    x, y : metres.
    station : the station whose engine is there first; "" where there is none.
    seconds : turnout and travel of its engine in the worst hour; inf without a station.
    advised : a full-time brigade of its own is advised.
    """

    name: str
    kind: PremisesKind
    x: float
    y: float
    station: str
    seconds: float
    advised: bool


def brigade_advice(
    settings: SitingSettings,
    network: RoadNetwork,
    travel: TravelTimes,
    turnout_s: float,
    road_limit: float,
) -> list[BrigadeAdvice]:
    """Which places should have a full-time brigade (document 004, article 38).

    A town of an economically developed area should, whatever stations are near; a map does not say
    whose a station is, so one that is near counts as the town's own (assumption). So should an
    enterprise of some danger (premises with dangerous chemicals of the map, enterprises of the
    file) and a heritage site that is far from a station.

    Parameters
    ----------
    settings : what counts as far, whether the area is economically developed.
    network, travel : its features hold towns, plants and fire stations.
    turnout_s : of an engine.
    road_limit : metres; premises of a file farther than this from any road are an error.

    Raises
    ------
    ValueError
        Naming file and feature, for a file of premises that cannot be used.
    """
    places: list[tuple[str, PremisesKind, float, float]] = []
    if settings.developed:
        towns = network.features_of("town")
        places += [(f.name or "town", "town", f.x, f.y) for f in towns]
    plants = network.features_of("dangerous_chemicals")
    places += [(f.name or "plant", "enterprise", f.x, f.y) for f in plants]
    places += _premises(settings, network, road_limit)
    if not places:
        return []
    stations = network.features_of("fire_station")
    seconds = np.full((1, len(places)), inf)
    if stations:
        seconds = np.zeros((len(stations), len(places)))
        at, _ = network.nearest([f.x for f in stations], [f.y for f in stations])
        to, _ = network.nearest([p[2] for p in places], [p[3] for p in places])
        for hour in travel.slowest_hours():
            times = turnout_s + travel.seconds(at, hour, engine=True)[:, to]
            seconds = np.maximum(seconds, times)
    first = seconds.argmin(axis=0)
    advice = []
    for k, (name, kind, x, y) in enumerate(places):
        least = float(seconds[first[k], k])
        station = stations[int(first[k])].name or "fire station" if stations else ""
        far = least > settings.brigade_far
        advice.append(BrigadeAdvice(name, kind, x, y, station, least, far))
    return advice


def _premises(
    settings: SitingSettings, network: RoadNetwork, road_limit: float
) -> list[tuple[str, PremisesKind, float, float]]:
    if settings.premises_file is None:
        return []
    path = Path(settings.premises_file)
    places: list[tuple[str, PremisesKind, float, float]] = []
    features = read_geojson(path)
    for feature in features:
        kind = feature.properties.get("kind")
        if kind != "enterprise" and kind != "heritage":
            raise ValueError(
                f"{path}, feature {feature.number}: kind is {str(kind)[:60]!r}; write enterprise "
                "or heritage"
            )
        x, y = _middle(feature, network)
        name = str(feature.properties.get("name") or f"{kind} {feature.number}")
        places.append((name, "enterprise" if kind == "enterprise" else "heritage", x, y))
    if places:
        _check_on_map(
            path, "place", features, [p[2] for p in places], [p[3] for p in places], network,
            road_limit,
        )  # fmt: skip
    return places


def _middle(feature: GeoFeature, network: RoadNetwork) -> tuple[float, float]:
    from shapely.geometry import shape

    middle = shape(feature.geometry).centroid
    x, y = network.project(middle.x, middle.y)
    return float(x), float(y)


# -- water --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Hydrants:
    """Hydrants; arrays have one entry each.

    Attributes
    ----------
    names : unique.
    x, y : metres.
    node : nearest road node.
    working : gives water, as far as is known.
    """

    names: list[str]
    x: Floats
    y: Floats
    node: NDArray[np.int64]
    working: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of hydrants."""
        return len(self.names)


def find_hydrants(settings: SitingSettings, network: RoadNetwork, road_limit: float) -> Hydrants:
    """The hydrants of the file, or those of the map, which are taken to work.

    Raises
    ------
    ValueError
        Naming file and feature: no point, ``working`` neither true nor false, off the network.
    """
    if settings.hydrants_file is None:
        found = network.features_of("hydrant")
        x, y = np.array([f.x for f in found], float), np.array([f.y for f in found], float)
        names = _unique([f.name for f in found])
        working = np.ones(len(found), bool)
    else:
        path = Path(settings.hydrants_file)
        features = read_geojson(path)
        for feature in features:
            _check_hydrant(path, feature)
        positions = [feature.geometry["coordinates"][:2] for feature in features]
        x, y = network.project([p[0] for p in positions], [p[1] for p in positions])
        names = _unique([str(feature.properties.get("name") or "") for feature in features])
        working = np.array([f.properties.get("working", True) for f in features], bool)
        _check_on_map(path, "hydrant", features, x, y, network, road_limit)
    node = network.nearest(x, y)[0] if len(x) else np.empty(0, np.int64)
    return Hydrants(names, x, y, node, working)


def _check_on_map(
    path: Path,
    what: str,
    features: Sequence[GeoFeature],
    x: ArrayLike,
    y: ArrayLike,
    network: RoadNetwork,
    road_limit: float,
) -> None:
    """Refuses features of a file that lie farther than the limit from any road."""
    far = np.flatnonzero(~(network.nearest(x, y)[1] <= road_limit))
    if len(far):
        raise ValueError(
            f"{path}, feature {features[int(far[0])].number}: the {what} is more than "
            f"{road_limit / 1000:g} km from any road of {network.source}; are its coordinates "
            "WGS-84, and of this map?"
        )


def _check_hydrant(path: Path, feature: GeoFeature) -> None:
    where = f"{path}, feature {feature.number}"
    if feature.geometry["type"] != "Point":
        raise ValueError(f"{where}: a Point is expected, found a {feature.geometry['type']}")
    working = feature.properties.get("working", True)
    if not isinstance(working, bool):
        raise ValueError(f"{where}: working is {str(working)[:40]!r}; write true or false")


def _unique(names: Sequence[str]) -> list[str]:
    times = Counter(names)
    return [
        name if name and times[name] == 1 else f"{name or 'H'}-{k:03d}"
        for k, name in enumerate(names, 1)
    ]


def water_metres(network: RoadNetwork, hydrants: Hydrants, nodes: ArrayLike) -> Floats:
    """From each node to the nearest working hydrant by road, metres; inf where there is none.

    A hose and people on foot mind no one-way street, so roads count both ways.
    """
    from scipy.sparse.csgraph import dijkstra

    at = np.asarray(nodes, int)
    if not hydrants.working.any():
        return np.full(len(at), inf)
    metres = np.asarray(
        dijkstra(
            _both_ways(network), indices=np.unique(hydrants.node[hydrants.working]), min_only=True
        )
    )
    return np.asarray(metres[at])


def check_incident(network: RoadNetwork, lon: float, lat: float, road_limit: float) -> None:
    """Refuses an incident that is not on the map.

    Parameters
    ----------
    network : the roads.
    lon, lat : the incident, degrees (WGS-84).
    road_limit : metres; an incident farther than this from any road is an error.

    Raises
    ------
    ValueError
        It is farther.
    """
    if not network.nearest(*network.project(lon, lat))[1] <= road_limit:
        raise ValueError(
            f"--incident {lon:g},{lat:g}: more than {road_limit / 1000:g} km from any road of "
            f"{network.source}; give a place of this map, in WGS-84"
        )


def nearest_hydrants(
    network: RoadNetwork, hydrants: Hydrants, x: float, y: float, count: int = 3
) -> list[tuple[int, float]]:
    """The working hydrants nearest to an incident by road: index and metres, nearest first.

    Parameters
    ----------
    network, hydrants : the roads and the hydrants on them.
    x, y : the incident, metres.
    count : how many.
    """
    from scipy.sparse.csgraph import dijkstra

    node = network.nearest([x], [y])[0]
    metres = np.asarray(dijkstra(_both_ways(network), indices=node))[0, hydrants.node]
    metres = np.where(hydrants.working, metres, inf)
    order = np.argsort(metres, kind="stable")[:count]
    return [(int(k), float(metres[k])) for k in order if np.isfinite(metres[k])]


def _both_ways(network: RoadNetwork) -> csr_array:
    from scipy.sparse import csr_array

    n = len(network)
    low = np.minimum(network.start, network.end)
    high = np.maximum(network.start, network.end)
    _, first = np.unique(low.astype(np.int64) * n + high, return_index=True)
    length, low, high = network.length[first], low[first], high[first]
    return csr_array(
        (np.tile(length, 2), (np.append(low, high), np.append(high, low))), shape=(n, n)
    )
