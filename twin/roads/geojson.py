"""Reads a GeoJSON file of a user (venues, hazards, areas) and checks its shape.

What comes back needs no further check of its structure: every geometry is one that GeoJSON knows,
with positions in degrees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DEPTH = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
"""How deep the positions of a geometry lie in its coordinates."""


@dataclass(frozen=True)
class GeoFeature:
    """A feature of a file.

    Attributes
    ----------
    number : from 1, in the file's order.
    properties : its properties, empty where it has none.
    geometry : a mapping with ``type`` and ``coordinates``, longitude first, in degrees.
    """

    number: int
    properties: Mapping[str, Any]
    geometry: Mapping[str, Any]


def read_geojson(path: Path) -> list[GeoFeature]:
    """The features of a GeoJSON file: a FeatureCollection, one feature, or one geometry.

    Raises
    ------
    ValueError
        Naming the file and the feature: the file cannot be read or is no GeoJSON, a feature has
        no geometry, or one of a wrong shape, or positions that are no degrees.
    """
    if path.is_dir():
        raise ValueError(f"{path}: cannot be read: it is a folder; a GeoJSON file is expected")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ValueError(f"{path}: cannot be read: no such file") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {error.lineno}: not JSON, so not a GeoJSON file ({error.msg})"
        ) from error
    except (ValueError, RecursionError) as error:  # endless digits, endless nesting
        raise ValueError(f"{path}: not JSON that can be used: {error}") from error
    if isinstance(content, dict):
        _check_crs(path, content.get("crs"))
    features = content.get("features") if isinstance(content, dict) else None
    if isinstance(content, dict) and content.get("type") == "Feature":
        features = [content]
    elif isinstance(content, dict) and content.get("type") in _DEPTH:
        features = [{"geometry": content}]
    if not isinstance(features, list):
        raise ValueError(
            f"{path}: not a GeoJSON file that can be used: it is not a GeoJSON feature collection; "
            'a FeatureCollection with a list "features" is expected'
        )
    return [_feature(path, number, feature) for number, feature in enumerate(features, 1)]


_DEGREES = ("crs84", "epsg::4326", "epsg:4326", "epsg/0/4326", "epsg::4490", "epsg:4490")
"""Coordinate systems of degrees that are WGS-84, or CGCS2000, which is within centimetres of it."""


def _check_crs(path: Path, crs: Any) -> None:
    """Refuses a file that says that its positions are in another system than longitude, latitude.

    Standard GeoJSON has no ``crs``; GIS programs still write one.
    """
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not name.lower().endswith(_DEGREES):
        said = name[:60] if isinstance(name, str) else "something unreadable"
        raise ValueError(
            f'{path}: its "crs" says {said}; save it in WGS-84 degrees, longitude first (CRS84, '
            "EPSG:4326)"
        )


def _feature(path: Path, number: int, feature: Any) -> GeoFeature:
    where = f"{path}, feature {number}"
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or not isinstance(kind, str) or kind not in _DEPTH:
        found = f"a {kind[:60]}" if isinstance(kind, str) else "none"
        raise ValueError(
            f"{where}: no point or polygon: its geometry is {found}; one of {', '.join(_DEPTH)} is "
            "expected"
        )
    properties = feature.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise ValueError(f'{where}: "properties" is not an object of names and values')
    single, coordinates = kind.removeprefix("Multi"), geometry.get("coordinates")
    parts = [coordinates] if single == kind else coordinates
    if not isinstance(parts, list) or not parts:
        raise ValueError(f"{where}: no {single.lower()} in it: its coordinates are no list of them")
    for part_number, part in enumerate(parts, 1):
        _check(f"{where}, {single.lower()} {part_number}", part, _DEPTH[single], single)
    return GeoFeature(number, properties or {}, geometry)


def _check(where: str, coordinates: Any, depth: int, kind: str) -> None:
    if depth == 0:
        _check_position(where, coordinates)
        return
    if not isinstance(coordinates, list) or not coordinates:
        raise ValueError(f"{where}: no {kind.lower()}: its coordinates are no list of positions")
    least = 4 if kind == "Polygon" else 2
    if depth == 1 and len(coordinates) < least:
        raise ValueError(
            f"{where}: a {kind} with {len(coordinates)} positions in a line; at least {least} are "
            "expected" + (", the last equal to the first" if kind == "Polygon" else "")
        )
    for inner in coordinates:
        _check(where, inner, depth - 1, kind)


def _check_position(where: str, position: Any) -> None:
    plain = isinstance(position, list) and len(position) >= 2
    if not plain or not all(type(value) in (int, float) for value in position[:2]):
        raise ValueError(f"{where}: {str(position)[:60]} is no position; [lon, lat] is expected")
    lon, lat = position[:2]
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        swapped = -90 <= lon <= 90 and -180 <= lat <= 180
        hint = "are they swapped?" if swapped else "save it in WGS-84, longitude first"
        raise ValueError(
            f"{where}: lon {str(lon)[:20]}, lat {str(lat)[:20]} is not in degrees (there are no "
            f"degrees beyond 180 and 90); {hint}"
        )
