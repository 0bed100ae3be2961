"""Areas of centers: from a file, or the part of a district that is nearest to each site."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.roads.network import RoadNetwork

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon


def nearest_parts(
    district: Polygon, sites: Sequence[tuple[float, float]]
) -> list[Polygon | MultiPolygon]:
    """The part of the district that is nearer, in a straight line, to each site than to others.

    Where the district is not convex, a part may fall into several pieces.

    Parameters
    ----------
    district : in metres.
    sites : metres; all different.
    """
    from shapely import MultiPoint, Point, voronoi_polygons

    if len(sites) == 1:
        return [district]
    cells = voronoi_polygons(MultiPoint(sites), extend_to=district.envelope).geoms
    return [
        _polygons(next(cell for cell in cells if cell.covers(Point(site))).intersection(district))
        for site in sites
    ]


def _polygons(shape: Any) -> Polygon | MultiPolygon:
    """Without the lines and points along which two shapes only touch."""
    from shapely import get_parts, union_all

    area: Polygon | MultiPolygon = union_all([p for p in get_parts(shape) if p.area > 0])
    return area


def read_area(file: str, network: RoadNetwork) -> Polygon | MultiPolygon:
    """A center's area from a GeoJSON file (WGS-84): its polygons together, in metres.

    Raises
    ------
    ValueError
        The file is missing, is not GeoJSON, has no polygon, or one that is none: it crosses itself
        or is not in degrees.
    """
    import numpy as np
    from shapely import get_coordinates, is_valid_reason, transform, union_all
    from shapely.geometry import shape

    path = Path(file)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        features = data["features"] if data["type"] == "FeatureCollection" else [data]
        shapes = [shape(f.get("geometry", f)) for f in features]
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such file; a center's area is a GeoJSON file") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a GeoJSON file of the area ({error})") from error
    polygons = [s for s in shapes if s.geom_type in ("Polygon", "MultiPolygon") and not s.is_empty]
    if not polygons:
        raise ValueError(f"{path}: no polygon in the file; an area is one or more polygons")
    for number, polygon in enumerate(polygons, 1):
        if not polygon.is_valid:
            raise ValueError(
                f"{path}: polygon {number} is not a simple one ({is_valid_reason(polygon)}); draw "
                "its outline without crossing itself"
            )
        if not (np.abs(get_coordinates(polygon)) <= (180.0, 90.0)).all():
            raise ValueError(
                f"{path}: polygon {number} is not in degrees; save it in WGS-84 (longitude first)"
            )
    area: Polygon | MultiPolygon = transform(
        union_all(polygons), lambda c: np.stack(network.project(c[:, 0], c[:, 1]), axis=1)
    )
    return area
