"""A plan on the district's roads as a figure, and the trade-off of centers against what they do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.planning.plan import SitePlan
from twin.report.area_map import (
    draw_roads,
    draw_scale,
    draw_villages,
    legible,
    rings,
    set_frame,
)
from twin.report.figures import INK, LIMIT, Pen
from twin.report.site_table import headline, limits, missed_heads, tight_value, tightest
from twin.report.site_texts import tell
from twin.report.texts import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from shapely import Geometry

COLOURS = (
    "#1f5fa8", "#e08e0b", "#2e8b57", "#8e44ad", "#d81b7a", "#00a3b4", "#7a5c00", "#5d6d7e",
    "#8bb52c", "#f08fb4",
)  # fmt: skip
"""Colours of the centers; no red, which is for what does not hold."""
HAZARDS = {
    "dangerous_chemicals": "#7b1fa2",
    "filling_station": "#5d4037",
    "fire_station": "#0b3d91",
}
"""What stands on the map beside centers and venues, with its colour."""
_MARKERS = {"dangerous_chemicals": "^", "filling_station": "v", "fire_station": "s"}
_NAMED = 12
"""Places that are not reached up to which the figure names each."""


def tints(plan: SitePlan) -> list[str]:
    """The colours of a plan's centers; the same one comes again only far away."""
    found: list[str] = []
    x, y = (np.array([getattr(center, axis) for center in plan.centers]) for axis in "xy")
    for k in range(len(plan.centers)):
        near = np.argsort(np.hypot(x[:k] - x[k], y[:k] - y[k]), kind="stable")
        around = {found[other] for other in near[: len(COLOURS) - 1]}
        found.append(next(tint for tint in COLOURS if tint not in around))
    return found


def main_centers(plan: SitePlan) -> NDArray[np.int64]:
    """Which center serves most of each venue."""
    main = np.zeros(plan.demand.venues, np.int64)
    most = np.full(plan.demand.venues, -1)
    for number, center in enumerate(plan.centers):
        more = center.points_of > most[center.venues]
        mine = center.venues[more]
        main[mine], most[mine] = number, center.points_of[more]
    return main


def reached_from_own(plan: SitePlan) -> list[Geometry]:
    """What each center reaches of its own area; what it reaches of others' blurs a map."""
    import shapely

    near = plan.settings.verge  # an area ends where the roads do, what is reached beyond
    return [
        shapely.intersection(
            shapely.simplify(center.reached, 5.0), shapely.buffer(center.area, near)
        )
        if not center.area.is_empty
        else center.area
        for center in plan.centers
    ]


def draw_plan(plan: SitePlan, pen: Pen) -> Figure:
    """Areas, what is reached by road, venues, limits, hazards and centers, on the roads."""
    x0, y0, x1, y1 = plan.network.boundary.bounds
    margin = 0.03 * max(x1 - x0, y1 - y0)
    frame = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    shape = (frame[3] - frame[1]) / (frame[2] - frame[0])
    heads = _heads(plan, pen.lang)
    height = min(max(10.0 * shape, 4.0), 12.0) + 1.3 + sum(_HEAD_IN * n for _, _, n in heads)
    figure, ax = pen.sheet(height=height, width=10.0)
    set_frame(ax, frame)
    draw_roads(ax, plan.network)
    lang, demand, colours = pen.lang, plan.demand, tints(plan)
    main = main_centers(plan)
    size = 9.0 if demand.venues < 3000 else 3.0
    for number, (center, reached) in enumerate(
        zip(plan.centers, reached_from_own(plan), strict=True)
    ):
        tint = colours[number]
        ax.add_collection(_shading(reached, tint), autolim=False)
        for ring in rings(center.area):
            ax.plot(*ring.T, color=tint, lw=1.2, zorder=3)
        mine = np.flatnonzero(main == number)
        ax.scatter(demand.x[mine], demand.y[mine], s=size, c=tint, lw=0, zorder=4)
    _legend_of_areas(ax, plan, pen)
    for kind, tint in HAZARDS.items():
        found = plan.network.features_of(kind)
        if found:
            ax.plot([f.x for f in found], [f.y for f in found], _MARKERS[kind], ms=6, mfc=tint,
                    mec="white", ls="", zorder=5, label=tell(f"kind_{kind}", lang))  # fmt: skip
    _limits(ax, plan, pen, colours)
    _uncovered(ax, plan, pen)
    width, height = frame[2] - frame[0], frame[3] - frame[1]
    for center, tint in zip(plan.centers, colours, strict=True):
        ax.plot(center.x, center.y, "*", ms=17, mfc=tint, mec=INK, ls="", zorder=7)
        _words(ax, f"{center.name}: {center.points:,}", center.x, center.y, 11, size=9, bold=True)
    taken = [(c.x, c.y, 0.08 * width) for c in plan.centers]
    taken += [(x, y + height / 60, half) for x, y, half in taken]
    taken += [
        (at.x, at.y + up * height / 60, 0.04 * width)
        for at in map(tightest, plan.centers)
        if at is not None
        for up in (-1, 0)
    ]
    draw_villages(ax, plan.network, taken)
    draw_scale(ax)
    _title(ax, heads)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, columnspacing=1.6)
    return figure


def _legend_of_areas(ax: Axes, plan: SitePlan, pen: Pen) -> None:
    """What has each center's colour, in a neutral one; sites that were not chosen."""
    lang, left = pen.lang, plan.candidates
    ax.plot([], [], "*", ms=12, mfc="white", mec=INK, ls="", label=tell("legend_centers", lang))
    ax.plot([], [], color=INK, lw=1.2, label=tell("legend_area", lang))
    ax.fill([], [], color=INK, alpha=0.2, lw=0, label=tell("legend_reach", lang))
    ax.plot([], [], ".", ms=6, color=INK, ls="", label=tell("legend_demand", lang))
    ax.plot(left.x, left.y, ".", ms=3, color="#777777", ls="", zorder=3,
            label=tell("legend_candidates", lang))  # fmt: skip
    gone = [e for e in plan.excluded if not e.standing]
    if gone:
        ax.plot([e.x for e in gone], [e.y for e in gone], "x", ms=3, mew=0.7, color="#b08a86",
                ls="", zorder=3, label=tell("legend_excluded", lang))  # fmt: skip


def _limits(ax: Axes, plan: SitePlan, pen: Pen, colours: Sequence[str]) -> None:
    """Where each center comes nearest to a limit of 5.1.1, and to which: a time or a distance."""
    for center, tint in zip(plan.centers, colours, strict=True):
        limit = tightest(center)
        if limit is None:
            continue
        broken = limit.share > 1.0
        ax.plot([center.x, limit.x], [center.y, limit.y], ":", color=tint, lw=1.1, zorder=3)
        ax.plot(limit.x, limit.y, "D", ms=5, mfc=LIMIT if broken else "white", mec=tint, mew=1.4,
                ls="", zorder=6)  # fmt: skip
        _words(ax, tight_value(center, pen.lang), limit.x, limit.y, -12, size=7.5,
               tint=LIMIT if broken else INK)  # fmt: skip
    words = limits(plan, pen.lang)
    ax.plot([], [], "D:", ms=5, mfc="white", mec=INK, color=INK, lw=1.1,
            label=tell("legend_tight", pen.lang, **words))  # fmt: skip


def _uncovered(ax: Axes, plan: SitePlan, pen: Pen) -> None:
    """What is not reached, by name as long as there are few."""
    demand = plan.demand
    missed = np.array([one.demand for one in plan.uncovered], int)
    if not len(missed):
        return
    mark = (7.0, 1.3) if len(missed) < 200 else (3.0, 0.6)
    ax.plot(demand.x[missed], demand.y[missed], "o", ms=mark[0], mfc="none", mec=LIMIT,
            mew=mark[1], ls="", zorder=6, label=tell("legend_uncovered", pen.lang))  # fmt: skip
    if len(missed) > _NAMED:
        return
    low, high = ax.get_xlim()
    named: list[tuple[int, list[str]]] = []  # where, and the names that stand there
    for k in missed.tolist():
        for at, there in named:
            if np.hypot(demand.x[k] - demand.x[at], demand.y[k] - demand.y[at]) < (high - low) / 15:
                there.append(demand.names[k])
                break
        else:
            named.append((k, [demand.names[k]]))
    for at, there in named:
        text = there[0] if len(there) == 1 else f"{there[0]} +{len(there) - 1}"
        _words(ax, text, demand.x[at], demand.y[at], 7, size=7.5, tint=LIMIT)


def _words(
    ax: Axes, text: str, x: float, y: float, up: float, size: float, tint: str = INK,
    bold: bool = False,
) -> None:  # fmt: skip
    """Words near a place that stay readable on whatever is below them."""
    from matplotlib.patheffects import withStroke

    ax.annotate(legible(text), (x, y), xytext=(0, up), textcoords="offset points", ha="center",
                fontsize=size, weight="bold" if bold else "normal", color=tint, zorder=8,
                path_effects=[withStroke(linewidth=3, foreground="white")])  # fmt: skip


def _heads(plan: SitePlan, lang: Language) -> list[tuple[str, str, int]]:
    """What stands above the map, from below: words, colour, lines."""
    width = 52 if lang == "zh" else 92
    said = [(headline(plan, lang), INK)]
    said += [(head, LIMIT) for head, _ in missed_heads(plan, lang)[::-1]]
    wrapped = [(textwrap.fill(text, width), tint) for text, tint in said]
    return [(text, tint, text.count("\n") + 1) for text, tint in wrapped]


_HEAD_IN = 0.21
"""Height of a line above the map, inches."""


def _title(ax: Axes, heads: Sequence[tuple[str, str, int]]) -> None:
    """What is not reached first, then the answer."""
    up = 4.0
    for text, tint, lines in heads:
        ax.annotate(text, (0.0, 1.0), xytext=(0, up), xycoords="axes fraction", color=tint,
                    textcoords="offset points", fontsize=10.5, weight="bold")  # fmt: skip
        up += 72 * _HEAD_IN * lines


def _shading(area: Any, tint: str) -> PathCollection:
    """An area with its holes as a filled shape."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    found = [
        Path(np.asarray(ring.coords), closed=True)
        for part in getattr(area, "geoms", [area])
        if part.geom_type == "Polygon" and not part.is_empty
        for ring in (part.exterior, *part.interiors)
    ]
    whole = [Path.make_compound_path(*found)] if found else []
    return PathCollection(whole, facecolors=[tint], alpha=0.2, linewidths=0, zorder=2)


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
        ax.plot(numbers, values, "o-", color=COLOURS[0], ms=5)
        ax.plot([chosen], [this], "*", ms=14, mfc=COLOURS[1], mec=INK, ls="", zorder=4,
                label=tell("this_plan", lang))  # fmt: skip
        ax.set_xlabel(tell("centers", lang))
        ax.set_title(f"{tell(key, lang)} ({unit})")
        ax.set_xticks(sorted({*numbers, chosen}))
        ax.legend(loc="center right")
    left.set_ylim(0, 104)
    right.set_ylim(bottom=0)
    return figure
