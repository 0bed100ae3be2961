"""A plan as rows of files: CSV tables, and the properties of the layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Any

from twin.planning.centers import CenterPlan
from twin.planning.plan import SitePlan, Uncovered
from twin.report.output import write_rows
from twin.report.site_table import binds, degrees, holds

Row = Mapping[str, Any]


def tables(plan: SitePlan) -> dict[str, Sequence[Row]]:
    """All tables of a plan, by file name; units stand in the columns' names."""
    return {
        "centers": [_center_row(plan, center) for center in plan.centers],
        "demand": list(_demand_rows(plan)),
        "uncovered": [_uncovered_row(plan, one) for one in plan.uncovered],
        "excluded": list(_excluded_rows(plan)),
        "front": [
            {
                "centers": point.centers,
                "points_covered": round(point.covered),
                "share_covered": round(point.covered / plan.points, 6),
                "mean_min": _min(point.mean_s),
                "gap": point.choice.gap,
                "status": point.choice.status,
            }
            for point in plan.front
        ],
        "brigades": [
            {
                "place": advice.name,
                "kind": advice.kind,
                **degrees(plan, advice.x, advice.y),
                "station": advice.station,
                "engine_min": _min(advice.seconds),
                "advised": advice.advised,
            }
            for advice in plan.brigades
        ],
    }


def _min(seconds: float) -> float | str:
    return round(seconds / 60.0, 3) if isfinite(seconds) else ""


def _center_row(plan: SitePlan, center: CenterPlan) -> Row:
    measured, time, radius = center.measured, center.time, center.radius
    nearest = min(center.hazards, key=lambda check: check.distance_m, default=None)
    return {
        "center": center.name,
        "near": center.near,
        "lon": round(center.lon, 7),
        "lat": round(center.lat, 7),
        "standing": center.standing,
        "venues": len(center.venues),
        "points": center.points,
        "people_per_shift": center.people_per_shift,
        "duty_people": center.duty,
        "maintenance_people": center.maintenance,
        "slowest_venue_min": _min(center.slowest_s),
        "mean_min": _min(center.mean_s),
        "edge_worst_hour_min": "" if time is None else _min(time.value),
        "edge_free_flow_min": "" if measured is None else _min(float(measured.free_flow_s.max())),
        "edge_points": 0 if center.edge is None else len(center.edge),
        "edge_points_late": "" if time is None else time.broken,
        "edge_straight_km": "" if radius is None else round(radius.value / 1000, 3),
        "edge_road_km": "" if measured is None else round(float(measured.road_m.max()) / 1000, 3),
        "edge_points_beyond_radius": "" if radius is None else radius.broken,
        "binds": center.binds or "",
        "binds_side": binds(plan, center, "en").rpartition(" ")[2] if center.binds else "",
        "holds_5_1_1": holds(center),
        "area_km2": round(center.area.area / 1e6, 3),
        "reached_km2": round(center.reached.area / 1e6, 3),
        "nearest_hazard": "" if nearest is None else nearest.hazard,
        "nearest_hazard_m": "" if nearest is None else round(nearest.distance_m),
    }


def _demand_rows(plan: SitePlan) -> Iterator[Row]:
    demand, served = plan.demand, plan.served
    lon, lat = plan.network.unproject(demand.x, demand.y)
    missed = {one.demand for one in plan.uncovered}
    names = [center.name for center in plan.centers]
    for k in range(len(demand)):
        centers, seconds, metres = plan.reached_from(k)
        venue = k < demand.venues
        split = served.data[served.indptr[k] : served.indptr[k + 1]].tolist() if venue else []
        yield {
            "id": demand.names[k],
            "lon": round(float(lon[k]), 7),
            "lat": round(float(lat[k]), 7),
            "points": int(demand.points[k]),
            "center": "+".join(names[c] for c in centers),
            "points_by_center": "+".join(map(str, split)) if len(split) > 1 else "",
            "worst_hour_min": _min(seconds),
            "straight_km": round(metres / 1000, 3),
            "reached": k not in missed,
            "hydrant_m": round(float(plan.water_m[k]), 1)
            if venue and plan.water_m[k] < inf
            else "",
        }


def _uncovered_row(plan: SitePlan, one: Uncovered) -> Row:
    demand = plan.demand
    return {
        "id": demand.names[one.demand],
        **degrees(plan, float(demand.x[one.demand]), float(demand.y[one.demand])),
        "points": int(demand.points[one.demand]),
        "reached_from_a_candidate": one.coverable,
        "nearest_site": plan.site_name(one.candidate),
        "worst_hour_min": _min(one.seconds),
        "straight_km": round(one.straight_m / 1000, 3),
        "road_km": round(one.road_m / 1000, 3) if isfinite(one.road_m) else "",
    }


def _excluded_rows(plan: SitePlan) -> Iterator[Row]:
    for e in plan.excluded:
        yield {
            "candidate": e.site,
            **degrees(plan, e.x, e.y),
            "rule": e.rule,
            "hazard": e.hazard,
            "distance_m": round(e.metres, 1),
            "standing": e.standing,
        }


def write_tables(folder: Path, plan: SitePlan) -> None:
    """Writes every table that has rows as a CSV file."""
    for name, rows in tables(plan).items():
        write_rows(folder / f"{name}.csv", rows)
