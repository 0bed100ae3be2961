"""A plan as one SVG drawing that can be zoomed: the roads are its base, nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.planning.plan import SitePlan
from twin.report.area_map import names_apart
from twin.report.site_map import HAZARDS, main_centers, reached_from_own, tints
from twin.report.site_table import (
    COLUMNS,
    center_cells,
    missed_line,
    tight_line,
    tight_value,
    tightest,
)
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
        _group("circles", _circles(plan)),
        _group("roads", _roads(plan.network)),
        _group("hydrants", _hydrants(plan, unit)),
        _group("candidates", _candidates(plan, unit)),
        _group("excluded", _excluded(plan, unit, lang)),
        _group("demand", _demand(plan, unit)),
        _group("hazards", _hazards(plan, unit, lang)),
        _group("villages", _villages(plan, unit, (x0, y0, x1, y1))),
        _group("limits", _limits(plan, unit, lang)),
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
    for area, tint in zip(reached_from_own(plan), tints(plan), strict=True):
        yield f'<path d="{_path(_rings(area), closed=True)}" style="fill:{tint}"/>'


def _areas(plan: SitePlan, unit: float) -> Iterable[str]:
    for center, tint in zip(plan.centers, tints(plan), strict=True):
        rings = _rings(_simple(center.area, unit / 4))
        yield f'<path d="{_path(rings, closed=True)}" stroke="{tint}"/>'


def _circles(plan: SitePlan) -> Iterable[str]:
    for center, tint in zip(plan.centers, tints(plan), strict=True):
        yield _dot(center.x, center.y, plan.settings.radius, style=f' stroke="{tint}"')


def _villages(
    plan: SitePlan, unit: float, frame: tuple[float, float, float, float]
) -> Iterable[str]:
    taken = [(c.x, c.y + 20 * unit, 45 * unit) for c in plan.centers]
    taken += [(at.x, at.y - 20 * unit, 30 * unit) for at in map(tightest, plan.centers) if at]
    for place in names_apart(plan.network, frame, (11 * unit, 16 * unit), taken):
        words = _words(place.name, 0, -10 * unit, 12 * unit)
        yield _mark(place.x, place.y, words)


def _mark(x: float, y: float, inner: str, kind: str = "") -> str:
    """Something at a place that grows more slowly than the map when that is zoomed."""
    classes = f"mark {kind}".strip()
    return f'<g transform="translate({x:.0f} {-y:.0f})"><g class="{classes}">{inner}</g></g>'


def _words(text: str, x: float, y: float, size: float) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size:.0f}">{escape(text)}</text>'


def _dot(x: float, y: float, radius: float, title: str = "", style: str = "") -> str:
    words = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle cx="{x:.0f}" cy="{-y:.0f}" r="{radius:.0f}"{style}>{words}</circle>'


def _sized(size: float, inner: Iterable[str], more: str = "") -> str:
    """Circles of one size that grow more slowly than the map."""
    return f'<g style="--size:{size:.0f}px"{more}>{"".join(inner)}</g>'


def _dots(x: NDArray[np.float64], y: NDArray[np.float64], size: float, tint: str) -> str:
    """Many points as one path of lines without length, whose round ends show."""
    corners = np.rint(np.column_stack([x, -y])).astype(int).tolist()
    path = "".join(f"M{u} {v}h0" for u, v in corners)
    return f'<path class="dots" d="{path}" stroke="{tint}" style="--size:{size:.0f}px"/>'


def _demand(plan: SitePlan, unit: float) -> Iterable[str]:
    demand = plan.demand
    main = main_centers(plan)
    for number, (center, tint) in enumerate(zip(plan.centers, tints(plan), strict=True)):
        mine = np.flatnonzero(main == number)
        if demand.venues > _NAMED:
            yield _dots(demand.x[mine], demand.y[mine], 3 * unit, tint)
            continue
        dots = []
        for k in mine.tolist():
            _, seconds, metres = plan.reached_from(k)
            title = (
                f"{demand.names[k]}: {int(demand.points[k])} · {center.name} · "
                f"{seconds / 60:.1f} min · {metres / 1000:.2f} km"
            )
            dots.append(_dot(demand.x[k], demand.y[k], 2 * unit, title))
        yield _sized(2 * unit, dots, f' fill="{tint}"')


def _candidates(plan: SitePlan, unit: float) -> Iterable[str]:
    yield _dots(plan.candidates.x, plan.candidates.y, 2.5 * unit, "#888888")


def _excluded(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    dots = []
    for e in plan.excluded:
        if not e.standing:
            title = f"{e.site}: {tell(f'rule_{e.rule}', lang)}, {e.hazard}, {e.metres:.0f} m"
            dots.append(_dot(e.x, e.y, 1.6 * unit, title))
    yield _sized(1.6 * unit, dots)


def _hazards(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    side = 8 * unit
    for kind, tint in HAZARDS.items():
        for feature in plan.network.features_of(kind):
            says = tell(f"kind_{kind}", lang)
            title = f"{feature.name} ({says})" if feature.name else says
            inner = (
                f'<rect x="{-side / 2:.0f}" y="{-side / 2:.0f}" width="{side:.0f}" '
                f'height="{side:.0f}" fill="{tint}"><title>{escape(title)}</title></rect>'
            )
            yield _mark(feature.x, feature.y, inner)


def _hydrants(plan: SitePlan, unit: float) -> Iterable[str]:
    found = plan.hydrants
    for works, tint in ((True, "#1e88e5"), (False, "#999999")):
        mine = found.working == works
        if mine.any():
            yield _dots(found.x[mine], found.y[mine], 4 * unit, tint)


def _limits(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    """Where each center comes nearest to a limit of 5.1.1, and by which."""
    d = 5 * unit
    for center, tint in zip(plan.centers, tints(plan), strict=True):
        limit = tightest(center)
        if limit is None:
            continue
        title = f"<title>{escape(tight_line(plan, center, lang))}</title>"
        diamond = f'<path d="M0 {-d:.0f}L{d:.0f} 0L0 {d:.0f}L{-d:.0f} 0z" stroke="{tint}"/>'
        words = _words(tight_value(center, lang), 0, 19 * unit, 12 * unit)
        yield (
            f'<line x1="{center.x:.0f}" y1="{-center.y:.0f}" x2="{limit.x:.0f}" '
            f'y2="{-limit.y:.0f}" stroke="{tint}"/>'
        )
        kind = "broken" if limit.share > 1.0 else ""
        yield _mark(limit.x, limit.y, f"<g>{title}{diamond}{words}</g>", kind)


def _uncovered(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    x, y = plan.demand.x, plan.demand.y
    yield _sized(
        5 * unit,
        (
            _dot(x[one.demand], y[one.demand], 5 * unit, missed_line(plan, one, lang))
            for one in plan.uncovered
        ),
    )


def _centers(plan: SitePlan, unit: float, lang: Language) -> Iterable[str]:
    for center, tint in zip(plan.centers, tints(plan), strict=True):
        cells = center_cells(plan, center, lang)
        title = "\n".join(f"{tell(k, lang)}: {c}" for k, c in zip(COLUMNS, cells, strict=True))
        dot = _dot(0, 0, 9 * unit, title, f' fill="{tint}"')
        yield _mark(center.x, center.y, dot + _words(center.name, 0, -13 * unit, 17 * unit))
