"""Areas of centers: from a file, or the part of a district that is nearest to each site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.roads.geojson import read_geojson
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
    from shapely import get_parts, is_valid_reason, transform, union_all
    from shapely.geometry import shape

    path = Path(file)
    polygons = []
    for feature in read_geojson(path):
        if not str(feature.geometry["type"]).endswith("Polygon"):
            continue
        for number, polygon in enumerate(get_parts(shape(feature.geometry)), 1):
            if not polygon.is_valid or polygon.area == 0:
                why = "it has no area" if polygon.is_valid else is_valid_reason(polygon)
                raise ValueError(
                    f"{path}, feature {feature.number}, polygon {number}: not a simple polygon "
                    f"({why}); draw its outline without crossing itself"
                )
            polygons.append(polygon)
    if not polygons:
        raise ValueError(f"{path}: no polygon in the file; an area is one or more polygons")
    area: Polygon | MultiPolygon = transform(
        union_all(polygons), lambda c: np.stack(network.project(c[:, 0], c[:, 1]), axis=1)
    )
    return area
