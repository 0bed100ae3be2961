"""A plan on the district's roads as a figure, and the trade-off of centers against what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin.planning.plan import SitePlan
from twin.report.area_map import draw_roads, draw_scale, draw_villages, rings, set_frame
from twin.report.figures import INK, LIMIT, Pen
from twin.report.site_texts import tell

if TYPE_CHECKING:
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from shapely import MultiPolygon, Polygon

COLOURS = (
    "#1f5fa8", "#e08e0b", "#2e8b57", "#8e44ad", "#c2185b", "#00838f", "#7a5c00", "#5d6d7e",
    "#6aa84f", "#3d3db4", "#b5651d", "#008080",
)  # fmt: skip
"""Colours of the centers in turn; neighbours in the list are easy to tell apart."""


def colour(number: int) -> str:
    """The colour of the plan's center with this number, from 0."""
    return COLOURS[number % len(COLOURS)]


def draw_plan(plan: SitePlan, pen: Pen) -> Figure:
    """Areas, what is reached by road, venues, candidates, hazards and centers, on the roads."""
    from matplotlib.patheffects import withStroke

    x0, y0, x1, y1 = plan.network.boundary.bounds
    margin = 0.03 * max(x1 - x0, y1 - y0)
    frame = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    shape = (frame[3] - frame[1]) / (frame[2] - frame[0])
    figure, ax = pen.sheet(height=min(max(10.0 * shape, 4.0), 12.0) + 1.0, width=10.0)
    set_frame(ax, frame)
    draw_roads(ax, plan.network)
    lang, demand = pen.lang, plan.demand
    main = np.asarray(plan.served.argmax(axis=1)).ravel()
    size = 9.0 if demand.venues < 3000 else 3.0
    for number, center in enumerate(plan.centers):
        tint = colour(number)
        ax.add_collection(_shading(center.reached, tint), autolim=False)
        for ring in rings(center.area):
            ax.plot(*ring.T, color=tint, lw=1.2, zorder=3)
        mine = np.flatnonzero(main == number)
        ax.scatter(demand.x[mine], demand.y[mine], s=size, c=tint, lw=0, zorder=4)
    for kind, marker, tint in (
        ("dangerous_chemicals", "^", "#7b1fa2"),
        ("filling_station", "v", "#5d4037"),
        ("fire_station", "s", "#0b3d91"),
    ):
        found = plan.network.features_of(kind)
        if found:
            ax.plot([f.x for f in found], [f.y for f in found], marker, ms=6, mfc=tint, mec="white",
                    ls="", zorder=5, label=pen(kind.replace("_", " ")))  # fmt: skip
    left = plan.candidates
    ax.plot(left.x, left.y, ".", ms=3, color="#777777", ls="", zorder=3,
            label=tell("legend_candidates", lang))  # fmt: skip
    gone = [e for e in plan.excluded if not e.standing]
    if gone:
        ax.plot([e.x for e in gone], [e.y for e in gone], "x", ms=3.5, mew=0.8, color="#c0392b",
                ls="", zorder=3, label=tell("legend_excluded", lang))  # fmt: skip
    ax.plot([], [], color=INK, lw=1.2, label=tell("legend_area", lang))
    ax.fill([], [], color=INK, alpha=0.16, lw=0, label=tell("legend_reach", lang))
    ax.plot([], [], ".", ms=6, color=INK, ls="", label=tell("legend_demand", lang))
    missed = np.array([one.demand for one in plan.uncovered], int)
    if len(missed):
        mark = (7.0, 1.3) if len(missed) < 200 else (3.0, 0.6)
        ax.plot(demand.x[missed], demand.y[missed], "o", ms=mark[0], mfc="none", mec=LIMIT,
                mew=mark[1], ls="", zorder=6, label=tell("legend_uncovered", lang))  # fmt: skip
    for number, center in enumerate(plan.centers):
        ax.plot(center.x, center.y, "*", ms=17, mfc=colour(number), mec=INK, ls="", zorder=7)
        ax.annotate(f"{center.name}: {center.points:,}", (center.x, center.y), xytext=(0, 11),
                    textcoords="offset points", ha="center", fontsize=9, weight="bold", zorder=8,
                    path_effects=[withStroke(linewidth=3, foreground="white")])  # fmt: skip
    draw_villages(ax, plan.network)
    draw_scale(ax)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, columnspacing=1.6)
    return figure


def _shading(area: Polygon | MultiPolygon, tint: str) -> PathCollection:
    """An area with its holes as a filled shape."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    found = [
        Path(np.asarray(ring.coords), closed=True)
        for part in getattr(area, "geoms", [area])
        for ring in (part.exterior, *part.interiors)
    ]
    whole = Path.make_compound_path(*found)
    return PathCollection([whole], facecolors=[tint], alpha=0.16, linewidths=0, zorder=2)


def draw_front(plan: SitePlan, pen: Pen) -> Figure | None:
    """What so many centers can reach, and how fast, beside the plan; None without a trade-off."""
    if len(plan.front) < 2:
        return None
    figure, (left, right) = pen.sheet(2)
    lang, chosen = pen.lang, len(plan.centers)
    numbers = sorted({point.centers for point in plan.front})
    covered = [max(p.covered for p in plan.front if p.centers <= n) for n in numbers]
    mean = [min(p.mean_s for p in plan.front if p.centers <= n) for n in numbers]
    own = (100 * plan.covered_points / plan.points, plan.mean_s / 60)
    for ax, values, this, key, unit in (
        (left, [100 * c / plan.points for c in covered], own[0], "covered", "%"),
        (right, [m / 60 for m in mean], own[1], "mean", "min"),
    ):
        ax.plot(numbers, values, "o-", color=colour(0), ms=5)
        ax.plot([chosen], [this], "*", ms=14, mfc=LIMIT, mec=INK, label=tell("this_plan", lang))
        ax.set_xlabel(tell("centers", lang))
        ax.set_title(f"{tell(key, lang)}, {unit}")
        ax.set_xticks(sorted({*numbers, chosen}))
        ax.legend()
    return figure
