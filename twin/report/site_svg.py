"""A plan as one SVG drawing that can be zoomed: the roads are its base, nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.planning.plan import SitePlan
from twin.report.site_map import colour
from twin.report.site_table import COLUMNS, center_cells, missed_line
from twin.report.site_texts import tell
from twin.report.texts import Language
from twin.roads.settings import ROAD_CLASSES

if TYPE_CHECKING:
    from shapely import Geometry

    from twin.roads.network import RoadNetwork

_WIDTHS = {"motorway": 3.2, "trunk": 2.8, "primary": 2.4, "secondary": 1.8, "tertiary": 1.3}
_NAMED = 3000
"""Demand points up to which each has its own mark and words; more are drawn as one path."""


def picture(plan: SitePlan, lang: Language) -> str:
    """The SVG element of a plan; y runs south, a unit is a metre.

    Parameters
    ----------
    plan : what was planned.
    lang : of the words that show up over a mark.
    """
    x0, y0, x1, y1 = plan.network.boundary.bounds
    margin = 0.03 * max(x1 - x0, y1 - y0)
    box = (x0 - margin, -y1 - margin, x1 - x0 + 2 * margin, y1 - y0 + 2 * margin)
    unit = max(box[2], box[3]) / 1000  # what a thousandth of the drawing is
    groups = [
        _group("reach", _reach(plan)),
        _group("areas", _areas(plan, unit)),
        _group("roads", _roads(plan.network)),
        _group("hydrants", _hydrants(plan, unit)),
        _group("candidates", _candidates(plan, unit)),
        _group("excluded", _excluded(plan, unit, lang)),
        _group("demand", _demand(plan, unit)),
        _group("hazards", _hazards(plan, unit)),
        _group("uncovered", _uncovered(plan, unit, lang)),
        _group("centers", _centers(plan, unit, lang)),
    ]
    view = " ".join(f"{value:.0f}" for value in box)
    return (
        f'<svg id="plan" xmlns="http://www.w3.org/2000/svg" viewBox="{view}" '
        f'preserveAspectRatio="xMidYMid meet">{"".join(groups)}</svg>'
    )


def _group(name: str, parts: Iterable[str]) -> str:
    return f'<g class="{name}">{"".join(parts)}</g>'


def _path(lines: Sequence[NDArray[np.float64]], closed: bool = False) -> str:
    """Path data of lines, whole metres, each point relative to the one before."""
    texts = []
    for line in lines:
        corners = np.rint(np.asarray(line)[:, :2] * [1, -1]).astype(int)
        steps = np.diff(corners, axis=0)
        steps = steps[np.any(steps != 0, axis=1)]
        texts.append(
            f"M{corners[0, 0]} {corners[0, 1]}l"
            + " ".join(f"{dx} {dy}" for dx, dy in steps.tolist())
            + ("z" if closed else "")
        )
    return "".join(texts)


def _rings(area: Any) -> list[NDArray[np.float64]]:
    return [
        np.asarray(ring.coords)
        for part in getattr(area, "geoms", [area])
        if not part.is_empty
        for ring in (part.exterior, *part.interiors)
    ]


def _roads(network: RoadNetwork) -> Iterable[str]:
    """Roads of one width as one path; pieces are joined, so that a map stays small."""
    import shapely

    low, high = np.minimum(network.start, network.end), np.maximum(network.start, network.end)
    _, first = np.unique(low.astype(np.int64) * len(network) + high, return_index=True)
    names = [name.removesuffix("_link") for name in ROAD_CLASSES]
    widths = np.array([_WIDTHS.get(name, 0.7) for name in names])[network.road_class[first]]
    a, b = network.start[first], network.end[first]
    ends = np.stack(
        [np.stack([network.x[a], network.y[a]], 1), np.stack([network.x[b], network.y[b]], 1)], 1
    )
    for width in np.unique(widths).tolist():
        merged = shapely.line_merge(shapely.multilinestrings(ends[widths == width]))
        lines = [shapely.get_coordinates(part) for part in shapely.get_parts(merged)]
        tint = "#c4c9ce" if width < 1 else "#9aa5b1"
        yield f'<path d="{_path(lines)}" stroke="{tint}" stroke-width="{width}"/>'


def _simple(area: Geometry, metres: float) -> Geometry:
    import shapely

    simpler: Geometry = shapely.simplify(area, metres)
    return simpler


def _reach(plan: SitePlan) -> Iterable[str]:
    for number, center in enumerate(plan.centers):
        rings = _rings(_simple(center.reached, 5.0))
        yield f'<path d="{_path(rings, closed=True)}" style="fill:{colour(number)}"/>'


def _areas(plan: SitePlan, unit: float) -> Iterable[str]:
    for number, center in enumerate(plan.centers):
        rings = _rings(_simple(center.area, unit / 4))
        yield f'<path d="{_path(rings, closed=True)}" stroke="{colour(number)}"/>'


def _dot(x: float, y: float, radius: float, title: str = "", style: str = "") -> str:
    words = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle cx="{x:.0f}" cy="{-y:.0f}" r="{radius:.0f}"{style}>{words}</circle>'


def _dots(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Many points as one path of lines without length, whose round ends show."""
    corners = np.rint(np.column_stack([x, -y])).astype(int).tolist()
    return "".join(f"M{u} {v}h0" for u, v in corners)


def _demand(plan: SitePlan, unit: float) -> Iterable[str]:
    demand = plan.demand
    main = np.asarray(plan.served.argmax(axis=1)).ravel()
    for number, center in enumerate(plan.centers):
        mine = np.flatnonzero(main == number)
        tint = colour(number)
        if demand.venues <= _NAMED:
            yield f'<g fill="{tint}">'
            for k in mine.tolist():
                _, seconds, metres = plan.reached_from(k)
                title = (
                    f"{demand.names[k]}: {int(demand.points[k])} · {center.name} · "
                    f"{seconds / 60:.1f} min · {metres / 1000:.2f} km"
                )
                yield _dot(demand.x[k], demand.y[k], 2 * unit, title)
            yield "</g>"
        else:
            d = _dots(demand.x[mine], demand.y[mine])
            yield f'<path d="{d}" stroke="{tint}" stroke-width="{2 * unit:.0f}"/>'


def _candidates(plan: SitePlan, unit: float) -> Iterable[str]:
    sites = plan.candidates
    yield f'<path d="{_dots(sites.x, sites.y)}" stroke-width="{2.5 * unit:.0f}"/>'


def _excluded(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    for e in plan.excluded:
        if not e.standing:
            title = f"{e.site}: {tell(f'rule_{e.rule}', lang)}, {e.hazard}, {e.metres:.0f} m"
            yield _dot(e.x, e.y, 1.6 * unit, title)


def _hazards(plan: SitePlan, unit: float) -> Iterable[str]:
    for kind, tint in (
        ("dangerous_chemicals", "#7b1fa2"),
        ("filling_station", "#5d4037"),
        ("fire_station", "#0b3d91"),
    ):
        for feature in plan.network.features_of(kind):
            title = feature.name or kind.replace("_", " ")
            side = 8 * unit
            yield (
                f'<rect x="{feature.x - side / 2:.0f}" y="{-feature.y - side / 2:.0f}" '
                f'width="{side:.0f}" height="{side:.0f}" fill="{tint}">'
                f"<title>{escape(title)}</title></rect>"
            )


def _hydrants(plan: SitePlan, unit: float) -> Iterable[str]:
    found = plan.hydrants
    for works, tint in ((True, "#1e88e5"), (False, "#999999")):
        mine = found.working == works
        if mine.any():
            d = _dots(found.x[mine], found.y[mine])
            yield f'<path d="{d}" stroke="{tint}" stroke-width="{4 * unit:.0f}"/>'


def _uncovered(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    for one in plan.uncovered:
        x, y = plan.demand.x[one.demand], plan.demand.y[one.demand]
        yield _dot(x, y, 5 * unit, missed_line(plan, one, lang))


def _centers(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    for number, center in enumerate(plan.centers):
        cells = center_cells(plan, center, lang)
        title = "\n".join(f"{tell(k, lang)}: {c}" for k, c in zip(COLUMNS, cells, strict=True))
        yield _dot(center.x, center.y, 9 * unit, title, f' fill="{colour(number)}"')
        yield (
            f'<text x="{center.x:.0f}" y="{-center.y - 13 * unit:.0f}" '
            f'font-size="{17 * unit:.0f}">{escape(center.name)}</text>'
        )
