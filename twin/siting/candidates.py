"""Where a center may stand: candidates from a file, the map's buildings or its road nodes (5.1.2).

What 5.1.2 rules out is taken away before anything is chosen, and each exclusion says why.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twin.roads.geojson import read_geojson
from twin.roads.network import RoadNetwork
from twin.roads.settings import ROAD_CLASSES
from twin.siting.rules import hazard_parts, nodes_in, wind_side
from twin.siting.settings import SitingSettings

Floats = NDArray[np.float64]
Rule = Literal["chemicals", "filling", "wind"]

_STREETS = ("primary", "secondary", "tertiary", "unclassified", "residential", "road")
"""Roads at which a center may have its gate."""

_NO_GATE = ("motorway", "motorway_link", "trunk_link")

_ONE_WIND = 45.0
"""Equally frequent directions within these degrees are one prevailing wind (assumption: an eighth
of the compass, as far as upwind reaches to either side)."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Sites to choose from; arrays have one entry per site.

    Attributes
    ----------
    names : unique; those that stand already come first.
    x, y : metres in the network's projection.
    node : nearest road node.
    standing : centers that stand already.
    """

    names: list[str]
    x: Floats
    y: Floats
    node: NDArray[np.int64]
    standing: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of sites."""
        return len(self.names)

    def take(self, keep: NDArray[np.bool_]) -> Candidates:
        """Only some of them."""
        names = [name for name, kept in zip(self.names, keep.tolist(), strict=True) if kept]
        return Candidates(names, self.x[keep], self.y[keep], self.node[keep], self.standing[keep])


@dataclass(frozen=True)
class Exclusion:
    """A site that 5.1.2 rules out.

    Attributes
    ----------
    site : its name.
    x, y : metres.
    rule : ``chemicals`` or ``filling`` (too near), ``wind`` (downwind).
    hazard : which hazard.
    metres : from the center's boundary to the hazard.
    standing : it stands already, so it is kept: a remark.
    """

    site: str
    x: float
    y: float
    rule: Rule
    hazard: str
    metres: float
    standing: bool


def find_candidates(
    settings: SitingSettings, network: RoadNetwork, road_limit: float
) -> Candidates:
    """All sites that the settings name, standing centers first; hazards are not looked at yet.

    Parameters
    ----------
    settings : where from, and how many.
    network : the roads; sites outside its boundary are left out, but for those of a file.
    road_limit : metres; a site of a file farther than this from any road is an error.

    Raises
    ------
    ValueError
        Naming file and place: a file that cannot be read, a site off the network, a map without
        buildings.
    """
    if settings.candidates == "file":
        names, x, y = _of_file(settings, network, road_limit)
    elif settings.candidates == "buildings":
        names, x, y = _of_buildings(settings.count, network)
    else:
        names, x, y = _of_nodes(settings.count, network)
    stand = list(settings.standing.items())
    sx, sy = network.project([s.lon for _, s in stand], [s.lat for _, s in stand])
    _check_on_roads(
        "siting.standing", [name for name, _ in stand], [""] * len(stand), sx, sy, network,
        road_limit,
    )  # fmt: skip
    for name, _ in stand:
        if name in names:
            raise ValueError(
                f'siting.standing.{name}: "{name}" is the name of a candidate as well; '
                "give it another one"
            )
    x, y = np.concatenate([sx, x]), np.concatenate([sy, y])
    node, _ = network.nearest(x, y)
    standing = np.arange(len(x)) < len(stand)
    return Candidates([*(name for name, _ in stand), *names], x, y, node, standing)


# -- where from ---------------------------------------------------------------------------------

_Sites = tuple[list[str], Floats, Floats]


def _of_file(settings: SitingSettings, network: RoadNetwork, road_limit: float) -> _Sites:
    from twin.roads.coordinates import bd09_to_wgs84, gcj02_to_wgs84

    path = Path(settings.candidates_file or "")
    rows = _rows(path)
    if not rows:
        raise ValueError(f"{path}: no site in it; at least one is needed")
    names: list[str] = []
    lon, lat = np.empty(len(rows)), np.empty(len(rows))
    seen: dict[str, str] = {}
    for k, (place, row) in enumerate(rows):
        lon[k], lat[k] = _position(f"{path}, {place}", row)
        name = str(row.get("name") or "").strip() or f"S{k + 1:04d}"
        if name in seen:
            raise ValueError(f'{path}, {place}: the name "{name}" is already used in {seen[name]}')
        seen[name] = place
        names.append(name)
    if settings.coordinates == "gcj02":
        lon, lat = (np.asarray(axis) for axis in gcj02_to_wgs84(lon, lat))
    elif settings.coordinates == "bd09":
        lon, lat = (np.asarray(axis) for axis in bd09_to_wgs84(lon, lat))
    x, y = network.project(lon, lat)
    _check_on_roads(str(path), names, [place for place, _ in rows], x, y, network, road_limit)
    return names, x, y


def _rows(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Rows of the file with the place where they stand."""
    if path.suffix.lower() in (".geojson", ".json"):
        found: list[tuple[str, Mapping[str, Any]]] = []
        for feature in read_geojson(path):
            place = f"feature {feature.number}"
            if feature.geometry["type"] != "Point":
                raise ValueError(
                    f"{path}, {place}: a Point with [lon, lat] is expected, found a "
                    f"{feature.geometry['type']}"
                )
            lon, lat = feature.geometry["coordinates"][:2]
            found.append((place, dict(feature.properties) | {"lon": lon, "lat": lat}))
        return found
    if path.suffix.lower() != ".csv" or path.is_dir():
        raise ValueError(f"{path}: a file of sites ends in .csv or .geojson")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text; save it as CSV UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    try:
        columns = [(name or "").strip().lower() for name in reader.fieldnames or []]
        reader.fieldnames = columns
        rows = [(f"row {reader.line_num}", row) for row in reader if any(row.values())]
    except csv.Error as error:
        raise ValueError(f"{path}, row {reader.line_num}: not CSV: {error}") from error
    for name in ("lon", "lat", "name"):
        if columns.count(name) > 1:
            raise ValueError(
                f'{path}: column "{name}" is there {columns.count(name)} times; once is expected'
            )
        if name not in columns and name != "name":
            there = ", ".join(columns)[:300] or "none"
            raise ValueError(f'{path}: column "{name}" is missing; there are {there}')
    return [(place, row) for place, row in rows]


def _position(where: str, row: Mapping[str, Any]) -> tuple[float, float]:
    values = []
    for column, most in (("lon", 180.0), ("lat", 90.0)):
        try:
            value = float(row[column])
        except (TypeError, ValueError):
            value = math.nan
        if not abs(value) <= most:
            raise ValueError(
                f'{where}, column "{column}": {str(row[column])[:40]!r} is not in degrees up to '
                f"{most:g}; WGS-84 degrees are expected, lon and lat not swapped"
            )
        values.append(value)
    return values[0], values[1]


def _check_on_roads(
    source: str,
    names: Sequence[str],
    places: Sequence[str],
    x: Floats,
    y: Floats,
    network: RoadNetwork,
    road_limit: float,
) -> None:
    if len(x) == 0:
        return
    _, distance = network.nearest(x, y)
    far = np.flatnonzero(~(distance <= road_limit))
    if len(far):
        i = int(far[0])
        more = f" ({len(far) - 1} more like it)" if len(far) > 1 else ""
        where = f"{source}, {places[i]}" if places[i] else f"{source}.{names[i]}"
        raise ValueError(
            f'{where}: site "{names[i]}" is {distance[i] / 1000:.1f} km from the nearest road of '
            f"{network.source}{more}; are its coordinates WGS-84, and of this map?"
        )


def _of_buildings(count: int, network: RoadNetwork) -> _Sites:
    import shapely

    found = network.features_of("building")
    x, y = np.array([f.x for f in found], float), np.array([f.y for f in found], float)
    inside = np.flatnonzero(shapely.contains_xy(network.boundary, x, y))
    if len(inside) == 0:
        raise ValueError(
            f"siting.candidates: {network.source} has no buildings within its area; "
            'take candidates = "nodes", or a file'
        )
    chosen = inside[_spread(x[inside], y[inside], count)]
    width = len(str(len(chosen)))
    names = [f"B{k + 1:0{width}d}" for k in range(len(chosen))]
    return names, x[chosen], y[chosen]


def _of_nodes(count: int, network: RoadNetwork) -> _Sites:
    street = np.isin(network.road_class, [ROAD_CLASSES.index(name) for name in _STREETS])
    usable = np.zeros(len(network), bool)
    usable[network.start[street]] = True
    # nobody has a gate on a motorway or its ramps
    motorway = np.isin(network.road_class, [ROAD_CLASSES.index(name) for name in _NO_GATE])
    usable[network.start[motorway]] = usable[network.end[motorway]] = False
    inside = np.zeros(len(network), bool)
    inside[nodes_in(network, network.boundary)] = True
    usable = usable & inside if (usable & inside).any() else inside
    nodes = np.flatnonzero(usable)
    chosen = nodes[_spread(network.x[nodes], network.y[nodes], count)]
    width = len(str(len(chosen)))
    names = [f"N{k + 1:0{width}d}" for k in range(len(chosen))]
    return names, network.x[chosen], network.y[chosen]


def _spread(x: Floats, y: Floats, count: int) -> NDArray[np.int64]:
    """At most so many of the points, evenly over the area: one in each square of a grid.

    The squares are as small as the count allows; each gives the point nearest to its middle.
    """
    if len(x) <= count:
        return np.arange(len(x))
    u, v = x - x.min(), y - y.min()
    low, high = 0.0, float(max(u.max(), v.max())) + 1.0
    for _ in range(30):
        side = (low + high) / 2
        if len(_cells(u, v, side)[0]) > count:
            low = side
        else:
            high = side
    _, cell = _cells(u, v, high)
    apart = np.hypot(u % high - high / 2, v % high - high / 2)
    order = np.lexsort((apart, cell))
    first = np.ones(len(order), bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    return np.sort(order[first])


def _cells(u: Floats, v: Floats, side: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if side <= 0:
        return np.arange(len(u)), np.arange(len(u))
    key = (u // side).astype(np.int64) * 10_000_000 + (v // side).astype(np.int64)
    cells, cell = np.unique(key, return_inverse=True)
    return cells, cell


# -- 5.1.2 --------------------------------------------------------------------------------------


def exclude(
    candidates: Candidates,
    network: RoadNetwork,
    settings: SitingSettings,
    site_radius: float,
    wind: Mapping[float, float],
) -> tuple[Candidates, list[Exclusion]]:
    """Takes away the sites that 5.1.2 rules out; standing ones stay and are remarked on.

    Parameters
    ----------
    candidates : all of them.
    network : its features hold the hazards.
    settings : distances.
    site_radius : a center's ground as a circle, metres.
    wind : long-term rose: degrees where it comes from, and share.

    Raises
    ------
    ValueError
        There are dangerous chemicals but no wind rose, or one without a direction; no candidate
        is left.
    """
    import shapely

    hazards = hazard_parts(network.features)
    chemicals = [hazard for hazard in hazards if hazard.kind == "dangerous_chemicals"]
    if chemicals:
        _check_wind(wind, chemicals[0].name, len(chemicals))
    at = np.asarray(shapely.points(candidates.x, candidates.y))
    found: list[Exclusion] = []
    good = np.ones(len(candidates), bool)

    def rule_out(sites: NDArray[np.int64], rule: Rule, hazard: str, metres: Floats) -> None:
        for i in sites.tolist():
            if good[i] or candidates.standing[i]:  # one reason is enough; a remark needs all
                found.append(
                    Exclusion(
                        candidates.names[i], float(candidates.x[i]), float(candidates.y[i]),
                        rule, hazard, float(metres[i]), bool(candidates.standing[i]),
                    )
                )  # fmt: skip
        good[sites] = False

    away = [
        np.maximum(0.0, np.asarray(shapely.distance(at, hazard.part)) - site_radius)
        for hazard in hazards
    ]
    for hazard, metres in zip(hazards, away, strict=True):
        near = settings.filling_distance
        rule: Rule = "filling"
        if hazard.kind == "dangerous_chemicals":
            near, rule = settings.chemicals_distance, "chemicals"
        rule_out(np.flatnonzero(metres < near), rule, hazard.name, metres)
    for hazard, metres in zip(hazards, away, strict=True):
        if hazard.kind != "dangerous_chemicals":
            continue
        east, north = candidates.x - hazard.x, candidates.y - hazard.y
        bearing = np.degrees(np.arctan2(east, north)) % 360.0
        matters = np.flatnonzero(metres <= settings.wind_range)
        down = [i for i in matters.tolist() if wind_side(float(bearing[i]), wind) == "downwind"]
        rule_out(np.array(down, int), "wind", hazard.name, metres)
    keep = good | candidates.standing
    if not keep.any():
        raise ValueError(_none_left(found, len(candidates), settings))
    return candidates.take(keep), found


def _check_wind(wind: Mapping[float, float], hazard: str, count: int) -> None:
    what = f"{count} premises with dangerous chemicals (the first: {hazard})"
    if not wind:
        raise ValueError(
            f"siting.wind: the district has {what}, and 5.1.2 asks for the long-term prevailing "
            'wind; give a wind rose, for example wind = { E = "60 %", W = "40 %" }'
        )
    top = sorted(d for d, share in wind.items() if share > max(wind.values()) - 1e-9)
    apart = max(abs((d - top[0] + 180.0) % 360.0 - 180.0) for d in top)
    if apart > _ONE_WIND:
        raise ValueError(
            f"siting.wind: the wind comes equally often from "
            f"{', '.join(f'{d:g}' for d in top)} degrees, so no wind prevails; the district has "
            f"{what}, and 5.1.2 needs a direction"
        )


def _none_left(found: Sequence[Exclusion], total: int, settings: SitingSettings) -> str:
    counts = {
        f"{settings.chemicals_distance:g} m from dangerous chemicals": "chemicals",
        f"{settings.filling_distance:g} m from filling stations": "filling",
        "downwind of dangerous chemicals": "wind",
    }
    why = ", ".join(
        f"{sum(e.rule == rule for e in found)} {'less than ' if rule != 'wind' else ''}{text}"
        for text, rule in counts.items()
        if any(e.rule == rule for e in found)
    )
    return (
        f"siting: no candidate is left after 5.1.2: of {total}, {why}; give other candidates, a "
        "larger count, or a smaller wind_range"
    )
