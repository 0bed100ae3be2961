"""The scenario of a planned center, with the files that it names, for `twin run`."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.planning.centers import CenterPlan
from twin.planning.plan import SitePlan
from twin.scenario import Scenario
from twin.venues.files import POINT_KINDS
from twin.venues.kinds import VENUE_KIND_NAMES

if TYPE_CHECKING:
    from shapely import Geometry


def write_scenarios(folder: Path, plan: SitePlan) -> list[str]:
    """Writes one scenario per center, and one with all of them, into a folder.

    Each center's scenario has the roads of the district, the center's own venues (CSV) and area
    (GeoJSON), and the people that the plan gives it; everything else is as in the scenario that was
    planned. The one with all has all venues with their centers; a place that is divided is there
    once for each center. Paths are relative, but for files of the district's scenario.

    Parameters
    ----------
    folder : an empty folder.
    plan : what was planned.

    Returns
    -------
    The files of the scenarios, by the plan's order of centers; centers without points have none.
    """
    files = []
    working = {c.name: (k, c) for k, c in enumerate(plan.centers) if c.points}
    for number, center in enumerate(plan.centers):
        (folder / f"{_file(number)}-area.geojson").write_text(
            area_geojson(plan, center), encoding="utf-8"
        )
        if center.points == 0:
            continue
        venues = f"{_file(number)}-venues.csv"
        _write_venues(folder / venues, plan, [number])
        own = _scenario(plan, {center.name: (number, center)}, venues)
        file = f"{_file(number)}.toml"
        (folder / file).write_text(_head(center) + own.toml(), encoding="utf-8")
        files.append(file)
    _write_venues(folder / "all-venues.csv", plan, [number for number, _ in working.values()])
    together = _scenario(plan, working, "all-venues.csv")
    (folder / "all-centers.toml").write_text(together.toml(), encoding="utf-8")
    return files


def _file(number: int) -> str:
    return f"center-{number + 1}"


def _head(center: CenterPlan) -> str:
    return (
        f"# {center.name}: {center.points} points, {len(center.venues)} venues; planned by twin "
        "site.\n"
    )


def _scenario(plan: SitePlan, centers: dict[str, tuple[int, CenterPlan]], venues: str) -> Scenario:
    """The district's scenario with these centers instead of its own, and without the planning.

    Parameters
    ----------
    plan, centers : what was planned, and which centers with their numbers.
    venues : their file of venues.
    """
    scenario = plan.scenario
    template = plan.template.model_dump(mode="json", exclude_none=True)
    tables: dict[str, Any] = {}
    for name, (number, center) in centers.items():
        table = template | {
            "lon": round(center.lon, 7),
            "lat": round(center.lat, 7),
            "area": f"{_file(number)}-area.geojson",
        }
        # people with names work at the scenario's own center, not at each of these
        staff = {"duty": center.duty, "maintenance": center.maintenance, "people": {}}
        table["roster"] = template["roster"] | staff
        if plan.settings.wind:
            table["wind"] = {f"{d:g}": f"{100 * s:.6g} %" for d, s in plan.settings.rose.items()}
        tables[name] = table
    only = next(iter(centers)) if len(centers) == 1 else None
    named = scenario.name if only is None else f"{scenario.name}-{only}"
    purpose = f"{only or 'all centers'} as planned by twin site for {scenario.name}"
    data = scenario.model_dump(mode="json", exclude_none=True)
    data.pop("siting", None)
    data.pop("rollout", None)
    data |= {"centers": tables, "name": named, "purpose": purpose}
    data["venues"] |= {"file": venues, "coordinates": "wgs84", "connected": {}}
    return Scenario.model_validate(data)


def _write_venues(path: Path, plan: SitePlan, numbers: Sequence[int]) -> None:
    """The centers' venues with their devices; of a venue that is divided, each center's part."""
    venues, served = plan.venues, plan.served.tocsr()
    lon, lat = plan.network.unproject(venues.x, venues.y)
    together, centers_of = len(numbers) > 1, np.diff(served.indptr)
    rows = []
    for number in numbers:
        center = plan.centers[number]
        for venue, part in zip(center.venues.tolist(), _parts(plan, number).tolist(), strict=True):
            name = venues.ids[venue]
            if together and centers_of[venue] > 1:
                name += f"-{center.name}"
            row = [
                name,
                f"{lon[venue]:.7f}",
                f"{lat[venue]:.7f}",
                VENUE_KIND_NAMES[venues.kind[venue]],
                int(venues.responsible[venue]),
                *part,
            ]
            if together:
                row.append(center.name)
            rows.append((venue, row))
    rows.sort(key=lambda one: one[0])  # the order of the district's venues is that of their luck
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        head = ["id", "lon", "lat", "kind", "responsible", *POINT_KINDS]
        writer.writerow([*head, "center"] if together else head)
        writer.writerows(row for _, row in rows)


def _parts(plan: SitePlan, number: int) -> NDArray[np.int64]:
    """(venues of the center, point kinds) the devices of each venue that the center looks after."""
    center = plan.centers[number]
    counts = _counts(plan)[center.venues]
    before = plan.served.tocsr()[:, :number].sum(axis=1)
    first = np.asarray(before).ravel()[center.venues]
    # the points of a venue in the order of the kinds: each center takes its stretch of them
    end = np.cumsum(counts, axis=1)
    start = end - counts
    low, high = first[:, None], (first + center.points_of)[:, None]
    part: NDArray[np.int64] = np.maximum(np.minimum(end, high) - np.maximum(start, low), 0)
    return part


def _counts(plan: SitePlan) -> NDArray[np.int64]:
    """(venues, point kinds) devices of each venue."""
    fleet = plan.fleet
    counts = np.zeros((len(plan.venues.ids), len(POINT_KINDS)), np.int64)
    for column, kind in enumerate(POINT_KINDS):
        here = fleet.kind_slices[kind]
        counts[:, column] = np.bincount(fleet.venue[here], minlength=len(plan.venues.ids))
    return counts


def area_geojson(plan: SitePlan, center: CenterPlan) -> str:
    """A center's area as GeoJSON, in degrees."""
    from shapely.geometry import mapping

    feature = {
        "type": "Feature",
        "properties": {"name": center.name},
        "geometry": mapping(in_degrees(plan, center.area)),
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]}, ensure_ascii=False)


def in_degrees(plan: SitePlan, shape: Geometry) -> Geometry:
    """A geometry in metres as one in degrees, WGS-84, to about a centimetre."""
    import shapely

    def degrees(corners: Any) -> Any:
        lon, lat = plan.network.unproject(corners[:, 0], corners[:, 1])
        return np.round(np.column_stack([lon, lat]), 7)

    # rounding alone may make an outline cross itself; a grid keeps it valid
    turned: Geometry = shapely.set_precision(shapely.transform(shape, degrees), 1e-7)
    return turned
