"""Reads a list of venues: CSV or GeoJSON, in any of the coordinates that Chinese maps use."""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from devices.kinds import KINDS
from twin.roads.geojson import read_geojson
from twin.venues.kinds import VENUE_KIND_NAMES
from twin.venues.settings import VenueSettings

if TYPE_CHECKING:
    from twin.roads.network import RoadNetwork

POINT_KINDS = tuple(name for name, kind in KINDS.items() if kind.is_point)
"""Device kinds that a file may count; gateways follow from the RS485 devices."""


_COLUMNS = frozenset({"id", "lon", "lat", "kind", "responsible", "center", *KINDS})
"""Columns that are read; capitals are accepted."""


@dataclass(frozen=True)
class VenueList:
    """Venues of a file, in its order.

    Parameters
    ----------
    ids : unique names.
    kind : index into :data:`~twin.venues.kinds.VENUE_KIND_NAMES`.
    x, y : metres in the road network's projection.
    responsible : responsible people registered.
    counts : (n, number of :data:`POINT_KINDS`) devices, or None where the file counts none.
    center : the center that each belongs to; "" where its place decides.
    """

    ids: list[str]
    kind: NDArray[np.int8]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    responsible: NDArray[np.int16]
    counts: NDArray[np.int32] | None
    center: list[str]


def read_venues(settings: VenueSettings, network: RoadNetwork) -> VenueList:
    """The venues of ``settings.file``.

    A CSV file has the columns ``lon``, ``lat``, ``kind``, and optionally ``id``, ``responsible``,
    ``center`` and one column per device kind (then all devices are counted there, blank is 0);
    other columns are left alone. A GeoJSON file has point features with the same names as
    properties.

    Raises
    ------
    ValueError
        Naming file and row, for a file that cannot be read, a missing column, a value that is not
        what it should be, an unknown kind, a venue outside the road network.
    """
    path = Path(settings.file or "")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; a file of venues ends in .csv or .geojson")
    if path.suffix.lower() == ".csv":
        columns, rows = _csv_rows(path)
    elif path.suffix.lower() in (".geojson", ".json"):
        columns, rows = _geojson_rows(path)
    else:
        raise ValueError(f"{path}: a file of venues ends in .csv or .geojson")
    if not rows:
        raise ValueError(f"{path}: no venue in it; at least one is needed")
    _check_columns(path, columns)
    counted = [name for name in POINT_KINDS if name in columns]

    ids: list[str] = []
    seen: dict[str, str] = {}
    kind, lon, lat, responsible, counts, center = [], [], [], [], [], []
    for place, row in rows:
        where = f"{path}, {place}"
        name = str(row.get("id") or "").strip() or f"V{len(ids) + 1:05d}"
        if name in seen:
            raise ValueError(f'{where}: id "{name}" is already used in {seen[name]}')
        seen[name] = place
        ids.append(name)
        kind.append(_kind(where, row))
        east, north = _position(where, row)
        lon.append(east)
        lat.append(north)
        responsible.append(_count(where, row, "responsible", settings.responsible))
        counts.append([_count(where, row, c, 0) if c in counted else 0 for c in POINT_KINDS])
        center.append(str(row.get("center") or "").strip())
    if counted and not np.any(counts):
        raise ValueError(
            f"{path}: counts no device at all, so there would be nothing to watch; fill the "
            f"columns {', '.join(counted)}, or leave them out to have devices drawn"
        )
    x, y = _metres(settings, network, np.array(lon), np.array(lat))
    _check_reach(path, settings, network, ids, [p for p, _ in rows], x, y)
    return VenueList(
        ids,
        np.array(kind, np.int8),
        x,
        y,
        np.array(responsible, np.int16),
        np.array(counts, np.int32) if counted else None,
        center,
    )


Row = tuple[str, Mapping[str, Any]]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text; save it as CSV UTF-8") from error


def _csv_rows(path: Path) -> tuple[list[str], list[Row]]:
    reader = csv.DictReader(io.StringIO(_text(path)), skipinitialspace=True, strict=True)
    try:
        columns = [(name or "").strip() for name in reader.fieldnames or []]
        columns = [name.lower() if name.lower() in _COLUMNS else name for name in columns]
        reader.fieldnames = columns
        return columns, [(f"row {reader.line_num}", row) for row in _filled(reader)]
    except csv.Error as error:
        raise ValueError(f"{path}, row {reader.reader.line_num}: not CSV: {error}") from error


def _filled(reader: Any) -> Iterator[Mapping[str, Any]]:
    for row in reader:
        if any(value for value in row.values()):
            yield row


def _geojson_rows(path: Path) -> tuple[list[str], list[Row]]:
    rows: list[Row] = []
    columns: dict[str, None] = {"lon": None, "lat": None}
    for feature in read_geojson(path):
        place = f"feature {feature.number}"
        if feature.geometry["type"] != "Point":
            raise ValueError(
                f"{path}, {place}: a Point with [lon, lat] is expected, found a "
                f"{feature.geometry['type']}"
            )
        lon, lat = feature.geometry["coordinates"][:2]
        row = dict(feature.properties) | {"lon": lon, "lat": lat}
        columns |= dict.fromkeys(row)
        rows.append((place, row))
    return list(columns), rows


def _check_columns(path: Path, columns: list[str]) -> None:
    for name in ("lon", "lat", "kind"):
        if name not in columns:
            there = ", ".join(columns)[:500] or "none"
            hint = "; separate the columns by commas" if ";" in there else ""
            raise ValueError(f'{path}: column "{name}" is missing; there are {there}{hint}')
    for name in columns:
        close = difflib.get_close_matches(name, POINT_KINDS, n=1, cutoff=0.85)
        if close and name not in KINDS:
            raise ValueError(f'{path}: unknown column "{name}"; is "{close[0]}" meant?')


def _kind(where: str, row: Mapping[str, Any]) -> int:
    name = str(row.get("kind") or "").strip()
    if name not in VENUE_KIND_NAMES:
        raise ValueError(f'{where}: unknown kind "{name}"; known are {", ".join(VENUE_KIND_NAMES)}')
    return VENUE_KIND_NAMES.index(name)


def _number(where: str, row: Mapping[str, Any], column: str) -> float:
    raw = row.get(column)
    try:
        value = float(raw)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f'{where}, column "{column}": {raw!r} is not a number')
    return value


def _count(where: str, row: Mapping[str, Any], column: str, default: int) -> int:
    raw = row.get(column)
    if raw is None or str(raw).strip() == "":
        return default
    value = _number(where, row, column)
    if value != int(value) or not 0 <= value <= 10_000:
        raise ValueError(
            f'{where}, column "{column}": {raw!r} is not a whole number from 0 to 10000'
        )
    return int(value)


def _position(where: str, row: Mapping[str, Any]) -> tuple[float, float]:
    lon, lat = _number(where, row, "lon"), _number(where, row, "lat")
    if abs(lon) > 180 or abs(lat) > 90:
        swapped = abs(lon) <= 90 and abs(lat) <= 180
        hint = "are they swapped?" if swapped else "degrees are expected, lon first"
        raise ValueError(f"{where}: lon {lon:g}, lat {lat:g} is not on the earth; {hint}")
    return lon, lat


def _metres(
    settings: VenueSettings,
    network: RoadNetwork,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from twin.roads.coordinates import bd09_to_wgs84, gcj02_to_wgs84

    if settings.coordinates == "gcj02":
        lon, lat = gcj02_to_wgs84(lon, lat)
    elif settings.coordinates == "bd09":
        lon, lat = bd09_to_wgs84(lon, lat)
    return network.project(lon, lat)


def _check_reach(
    path: Path,
    settings: VenueSettings,
    network: RoadNetwork,
    ids: list[str],
    places: list[str],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> None:
    distance = network.nearest(x, y)[1]
    outside = np.flatnonzero(~(distance <= settings.road_limit))
    if outside.size == 0:
        return
    i = int(outside[0])
    more = f" ({outside.size - 1} more like it)" if outside.size > 1 else ""
    lon, lat = network.unproject(x[i], y[i])
    hint = "is it another place's file, or one in GCJ-02 or BD-09 coordinates?"
    if settings.coordinates != "wgs84":
        hint = f"are its coordinates really {settings.coordinates}?"
    if abs(float(lon)) <= 90:
        mirrored = network.nearest(*network.project(lat, lon))[1]
        if mirrored <= settings.road_limit:
            hint = "are lon and lat swapped?"
    raise ValueError(
        f'{path}, {places[i]}: venue "{ids[i]}" is {distance[i] / 1000:.1f} km from the nearest '
        f"road, outside the road network{more}; {hint}"
    )
