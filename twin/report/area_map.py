"""The map of an area: roads as the base, venues coloured by the time to reach them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin import standard
from twin.assessment.chapter_5 import FREE_FLOW, edge_places, hour_of_week
from twin.assessment.finding import number
from twin.kpi import Rows
from twin.report.figures import INK, LIMIT, Pen, chinese_font
from twin.roads.network import Feature, RoadNetwork
from twin.roads.settings import ROAD_CLASSES
from twin.terms import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from shapely import Polygon

    from twin.world import Site

_MAJOR = {"motorway": 2.2, "trunk": 1.9, "primary": 1.6, "secondary": 1.2, "tertiary": 0.9}
_BANDS_MIN = (5.0, 10.0, 15.0)
_BAND_COLOURS = ("#1a9850", "#a6d96a", "#fdae61", "#d7191c")
_CIRCLE_SHOWN = 1.35  # the circle is shown whole up to this multiple of the area's extent
_HAZARDS = {"dangerous_chemicals": ("^", "#7b1fa2"), "filling_station": ("v", "#5d4037")}


def draw_map(rows: Rows, network: RoadNetwork, site: Site, pen: Pen) -> Figure:
    """The area with roads, venues by travel time in the worst hour, hazards, stations, 8 km."""
    frame = _frame(site.area, site.x, site.y)
    shape = (frame[3] - frame[1]) / (frame[2] - frame[0])
    figure, ax = pen.sheet(height=min(max(9.0 * shape, 4.0), 11.0) + 1.1, width=9.0)
    set_frame(ax, frame)
    draw_roads(ax, network)
    for ring in rings(site.area):
        ax.plot(*ring.T, color=INK, lw=1.1, ls=(0, (6, 3)), zorder=3)
    ax.plot([], [], color=INK, lw=1.1, ls=(0, (6, 3)), label=pen("edge of the area"))
    _circle(ax, frame, site, pen)
    _venues(ax, rows, site, pen)
    _places(ax, network, pen)
    _worst_points(ax, rows, network, site, pen)
    ax.plot(site.x, site.y, "*", ms=19, mfc="#ffd600", mec=INK, ls="", zorder=6,
            label=pen("center"))  # fmt: skip
    draw_scale(ax)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, columnspacing=1.6,
              borderpad=1.0, title=_title(rows, pen))  # fmt: skip
    return figure


def _circle(ax: Axes, frame: tuple[float, float, float, float], site: Site, pen: Pen) -> None:
    """The 8 km of 5.1.1; the legend says where the map ends before it."""
    radius = standard.RADIUS_M
    angle = np.linspace(0, 2 * np.pi, 200)
    x, y = site.x + radius * np.cos(angle), site.y + radius * np.sin(angle)
    seen = (x > frame[0]) & (x < frame[2]) & (y > frame[1]) & (y < frame[3])
    name = "radius 8 km" if seen.any() else "radius 8 km: beyond the map"
    ax.plot(x, y, color=LIMIT, lw=1.0, zorder=3, label=pen(name))


def draw_roads(ax: Axes, network: RoadNetwork) -> None:
    """The roads as the base of a map, the larger ones wider."""
    from matplotlib.collections import LineCollection

    keep = network.start < network.end  # one line for both directions
    one_way = ~np.isin(
        network.end.astype(np.int64) * len(network) + network.start,
        network.start.astype(np.int64) * len(network) + network.end,
    )
    keep |= one_way
    a, b = network.start[keep], network.end[keep]
    lines = np.stack(
        [np.stack([network.x[a], network.y[a]], 1), np.stack([network.x[b], network.y[b]], 1)], 1
    )
    names = np.array([name.removesuffix("_link") for name in ROAD_CLASSES])
    widths = np.array([_MAJOR.get(name, 0.45) for name in names])[network.road_class[keep]]
    for width in np.unique(widths).tolist():
        colour = "#c9c9c9" if width < 0.9 else "#9aa5b1"
        ax.add_collection(
            LineCollection(list(lines[widths == width]), colors=colour, linewidths=width, zorder=1)
        )


def rings(area: Polygon) -> list[NDArray[np.float64]]:
    """The outer rings of an area and its parts, corners (k, 2)."""
    parts: Any = getattr(area, "geoms", [area])
    return [np.asarray(part.exterior.coords) for part in parts]


def _venues(ax: Axes, rows: Rows, site: Site, pen: Pen) -> None:
    at = rows.where_text(rows.at(Kind.VENUE_TIME), *_worst_hours(rows))
    minutes = dict(zip(rows.subjects(at), (rows.log.value[at] / 60.0).tolist(), strict=True))
    time = np.array([minutes.get(name, np.nan) for name in site.venue_ids])
    known = np.isfinite(time)
    band = np.searchsorted(_BANDS_MIN, time[known])
    x, y = site.venue_x[known], site.venue_y[known]
    edges = ["0", *(f"{edge:g}" for edge in _BANDS_MIN)]
    for place, colour in enumerate(_BAND_COLOURS):
        mine = band == place
        last = place == len(_BANDS_MIN)
        span = f"> {edges[-1]}" if last else f"{edges[place]} - {edges[place + 1]}"
        ax.scatter(x[mine], y[mine], s=11, c=colour, lw=0, zorder=4,
                   label=f"{span} {pen('min')}: {int(mine.sum())}")  # fmt: skip


def _worst_points(ax: Axes, rows: Rows, network: RoadNetwork, site: Site, pen: Pen) -> None:
    """The points of the edge that decide 5.1.1: the last to be reached, and the farthest."""
    from matplotlib.patheffects import withStroke

    places = edge_places(rows)
    times = rows.where_text(rows.at(Kind.EDGE_TIME), *_worst_hours(rows))
    straight = rows.where_text(rows.at(Kind.EDGE_DISTANCE), "straight")
    for at, marker, name, unit, digits, limit in (
        (times, "X", "last point of the edge", "min", 1, standard.TRAVEL_S),
        (straight, "P", "farthest point of the edge", "km", 3, standard.RADIUS_M),
    ):
        values = rows.log.value[at]
        if not len(at) or (subject := rows.subjects(at)[int(values.argmax())]) not in places:
            continue
        place, worst = places[subject], float(values.max())
        x, y = (float(value) for value in network.project(place.lon, place.lat))
        scale = 60.0 if unit == "min" else 1000.0
        text = f"{number(worst / scale, digits, limit / scale)} {pen(unit)}"
        if np.isinf(worst):
            text = pen("not by road")
        ax.plot(x, y, marker, ms=11, mfc=LIMIT if worst > limit else "#1a9850", mec="white",
                ls="", zorder=7, label=pen(name))  # fmt: skip
        out = np.array([x - site.x, y - site.y]) / max(np.hypot(x - site.x, y - site.y), 1.0)
        ax.annotate(text, (x, y), xytext=tuple(out * (36, 16)), textcoords="offset points",
                    ha="center", va="center", weight="bold", zorder=7,
                    path_effects=[withStroke(linewidth=2.5, foreground="white")])  # fmt: skip


def _worst_hours(rows: Rows) -> list[str]:
    """The worst hour of the week, as the rows name it."""
    words = rows.texts(rows.at(Kind.VENUE_TIME, Kind.EDGE_TIME))
    return sorted(set(words) - {FREE_FLOW})


def _title(rows: Rows, pen: Pen) -> str:
    hours = [hour_of_week(word) for word in _worst_hours(rows)]
    words = ", ".join(hour.zh if pen.lang == "zh" else hour.en for hour in hours)
    return pen("minutes from the order, worst hour") + f" ({words})"


def _places(ax: Axes, network: RoadNetwork, pen: Pen) -> None:
    for kind, (marker, colour) in _HAZARDS.items():
        found = network.features_of(kind)
        if found:
            name = pen(kind.replace("_", " "))
            ax.plot([f.x for f in found], [f.y for f in found], marker, ms=8, mfc=colour,
                    mec="white", ls="", zorder=5, label=name)  # fmt: skip
    stations = network.features_of("fire_station")
    if stations:
        ax.plot([f.x for f in stations], [f.y for f in stations], "s", ms=8, mfc="#1f5fa8",
                mec="white", ls="", zorder=5, label=pen("fire station"))  # fmt: skip
    draw_villages(ax, network)


def draw_villages(
    ax: Axes, network: RoadNetwork, taken: Iterable[tuple[float, float, float]] = ()
) -> None:
    """Names of villages, as long as they do not lie over each other or what is ``taken``."""
    from matplotlib.patheffects import withStroke

    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    letter = ((x1 - x0) / 95, (y1 - y0) / 45)  # about the size of one, in metres
    for place in names_apart(network, (x0, y0, x1, y1), letter, taken):
        if not (place.name.isascii() or chinese_font()):
            continue
        ax.annotate(place.name, (place.x, place.y), xytext=(0, 11), fontsize=7.5,
                    textcoords="offset points", ha="center", color="#444444", zorder=5,
                    path_effects=[withStroke(linewidth=2, foreground="white")])  # fmt: skip


def legible(text: str) -> str:
    """A name as a figure can show it: without a Chinese font what is not Chinese in it."""
    if text.isascii() or chinese_font():
        return text
    return "".join(char for char in text if char.isascii())


def names_apart(
    network: RoadNetwork,
    frame: tuple[float, float, float, float],
    letter: tuple[float, float],
    taken: Iterable[tuple[float, float, float]] = (),
) -> Iterator[Feature]:
    """The villages whose names fit on a map without lying over each other.

    Parameters
    ----------
    network : the roads with their villages.
    frame : what the map shows: west, south, east, north, metres.
    letter : width and height of a letter, metres.
    taken : what has words already: x, y and half the width, metres.
    """
    x0, y0, x1, y1 = frame
    char, line = letter
    placed = list(taken)
    for place in network.features_of("village", "town"):
        if not place.name:
            continue
        half = char * len(place.name) * (0.5 if place.name.isascii() else 0.9)
        inside = x0 + half < place.x < x1 - half and y0 < place.y < y1 - 2 * line
        if not inside or any(
            abs(place.x - x) < half + other and abs(place.y - y) < line for x, y, other in placed
        ):
            continue
        placed.append((place.x, place.y, half))
        yield place


def _frame(area: Polygon, x: float, y: float) -> tuple[float, float, float, float]:
    """What the map shows: the area, and the circle where it is not much larger than the area."""
    x0, y0, x1, y1 = area.bounds
    radius = standard.RADIUS_M
    if 2 * radius < _CIRCLE_SHOWN * max(x1 - x0, y1 - y0):
        x0, x1 = min(x0, x - radius), max(x1, x + radius)
        y0, y1 = min(y0, y - radius), max(y1, y + radius)
    margin = 0.03 * max(x1 - x0, y1 - y0)
    return x0 - margin, y0 - margin, x1 + margin, y1 + margin


def set_frame(ax: Axes, frame: tuple[float, float, float, float]) -> None:
    """Axes of a map: what it shows (west, south, east, north), to scale, without ticks."""
    x0, y0, x1, y1 = frame
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)
    ax.set_aspect("equal")
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw_scale(ax: Axes) -> None:
    """A bar of a round length, and where north is."""
    x0, x1 = ax.get_xlim()
    y0, y1 = ax.get_ylim()
    length = next(size for size in (20e3, 10e3, 5e3, 2e3, 1e3, 500.0) if size < (x1 - x0) / 4)
    x, y = x0 + 0.03 * (x1 - x0), y0 + 0.03 * (y1 - y0)
    ax.plot([x, x + length], [y, y], color=INK, lw=2.5, solid_capstyle="butt", zorder=6)
    ax.annotate(f"{length / 1000:g} km", (x + length / 2, y), xytext=(0, 4),
                textcoords="offset points", ha="center", zorder=6)  # fmt: skip
    ax.annotate("N", (x0 + 0.03 * (x1 - x0), y1 - 0.08 * (y1 - y0)), xytext=(0, 26),
                textcoords="offset points", ha="center", arrowprops=None, fontsize=11)  # fmt: skip
    ax.annotate("", (x0 + 0.03 * (x1 - x0), y1 - 0.04 * (y1 - y0)),
                (x0 + 0.03 * (x1 - x0), y1 - 0.09 * (y1 - y0)),
                arrowprops={"arrowstyle": "-|>", "color": INK})  # fmt: skip
