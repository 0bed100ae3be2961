"""A plan's layers for a GIS: GeoJSON files, and one GeoPackage with the same layers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.planning.handover import in_degrees
from twin.planning.plan import SitePlan
from twin.report.site_rows import Row, tables
from twin.report.site_table import degrees, tightest

if TYPE_CHECKING:
    from shapely import Geometry

STAMP = "2023-01-01T00:00:00Z"
"""A GeoPackage notes when it was written: the same plan would give another file every time."""


@dataclass(frozen=True)
class Layer:
    """Features of one kind, in degrees (WGS-84, longitude first).

    Attributes
    ----------
    name : of the layer and its file.
    kind : ``Point`` or ``MultiPolygon``.
    rows, shapes : properties and geometry of each feature.
    """

    name: str
    kind: str
    rows: Sequence[Row]
    shapes: Sequence[Geometry]


def layers(plan: SitePlan) -> list[Layer]:
    """What a plan shows, each kind by itself; without those that are empty.

    Centers, their areas, what they reach by road, where the limits of 5.1.1 bind, what is not
    reached, demand, candidates, what 5.1.2 rules out, hazards and hydrants.
    """
    found = tables(plan)
    centers = found["centers"]
    made = [
        _points("centers", centers),
        _areas("areas", plan, centers, [c.area for c in plan.centers]),
        _areas("reach", plan, centers, [c.reached for c in plan.centers]),
        _points("limits", list(_limits(plan))),
        _points("uncovered", found["uncovered"]),
        _points("demand", found["demand"]),
        _points("candidates", list(_candidates(plan))),
        _points("excluded", found["excluded"]),
        _points("hazards", list(_hazards(plan))),
        _points("hydrants", list(_hydrants(plan))),
    ]
    return [layer for layer in made if layer.rows]


def write_layers(folder: Path, plan: SitePlan) -> None:
    """Writes every layer as ``NAME.geojson``, and all of them into ``layers.gpkg``.

    Parameters
    ----------
    folder : an existing folder.
    plan : what was planned.
    """
    made = layers(plan)
    for layer in made:
        (folder / f"{layer.name}.geojson").write_text(_geojson(layer), encoding="utf-8")
    _write_geopackage(folder / "layers.gpkg", made)


def _geojson(layer: Layer) -> str:
    from shapely.geometry import mapping

    features = [
        {
            "type": "Feature",
            "properties": {name: None if value == "" else value for name, value in row.items()},
            "geometry": mapping(shape),
        }
        for row, shape in zip(layer.rows, layer.shapes, strict=True)
    ]
    collection = {"type": "FeatureCollection", "name": layer.name, "features": features}
    return json.dumps(collection, ensure_ascii=False)


def _write_geopackage(path: Path, made: Sequence[Layer]) -> None:
    import pyogrio
    import shapely

    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": STAMP})
    for layer in made:
        fields = list(layer.rows[0])
        pyogrio.raw.write(
            path,
            geometry=np.asarray(shapely.to_wkb(np.array(layer.shapes, object)), object),
            field_data=[_column([row[name] for row in layer.rows]) for name in fields],
            fields=np.array(fields, object),
            layer=layer.name,
            driver="GPKG",
            geometry_type=layer.kind,
            crs="EPSG:4326",
            promote_to_multi=False,
            append=path.exists(),
        )


def _column(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """A column of one type; in a column of numbers an absent one is nan."""
    kinds = {type(value) for value in values} - {str}
    if kinds == {bool} and "" not in values:
        return np.array(values, bool)
    if kinds == {int} and "" not in values:
        return np.array(values, np.int64)
    if kinds and kinds <= {int, float}:
        return np.array([np.nan if value == "" else value for value in values], float)
    return np.array([str(value) for value in values], object)


def _points(name: str, rows: Sequence[Row]) -> Layer:
    import shapely

    places = [(row["lon"], row["lat"]) for row in rows]
    return Layer(name, "Point", rows, list(shapely.points(places)) if places else [])


def _areas(name: str, plan: SitePlan, rows: Sequence[Row], shapes: Sequence[Geometry]) -> Layer:
    import shapely

    turned = [
        shapely.multipolygons(shapely.orient_polygons(shapely.get_parts(in_degrees(plan, shape))))
        if not shape.is_empty
        else shapely.MultiPolygon()
        for shape in shapes
    ]
    return Layer(name, "MultiPolygon", rows, turned)


def _limits(plan: SitePlan) -> Iterator[Row]:
    for center in plan.centers:
        limit = tightest(center)
        if limit is not None and center.time is not None and center.radius is not None:
            yield {
                "center": center.name,
                **degrees(plan, limit.x, limit.y),
                "binds": center.binds or "",
                "edge_worst_hour_min": round(center.time.value / 60, 3),
                "edge_straight_km": round(center.radius.value / 1000, 3),
                "share_of_limit": round(limit.share, 4),
                "kept": limit.share <= 1.0,
            }


def _candidates(plan: SitePlan) -> Iterator[Row]:
    sites = plan.candidates
    chosen = set(plan.choice.sites.tolist())
    for k, name in enumerate(sites.names):
        yield {
            "candidate": name,
            **degrees(plan, float(sites.x[k]), float(sites.y[k])),
            "standing": bool(sites.standing[k]),
            "chosen": k in chosen,
        }


def _hazards(plan: SitePlan) -> Iterator[Row]:
    for feature in plan.network.features_of("dangerous_chemicals", "filling_station"):
        yield {"name": feature.name, "kind": feature.kind, **degrees(plan, feature.x, feature.y)}


def _hydrants(plan: SitePlan) -> Iterator[Row]:
    found = plan.hydrants
    for k, name in enumerate(found.names):
        yield {
            "name": name,
            **degrees(plan, float(found.x[k]), float(found.y[k])),
            "working": bool(found.working[k]),
        }
