"""The figures of a sizing study."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from twin.experiment.curve import Threshold
from twin.experiment.study import Study
from twin.report.figures import INK, LIMIT, Pen
from twin.report.size_table import crossing, thresholds
from twin.report.size_texts import tell
from twin.report.texts import Language, say, tidy
from twin.standard import POINTS_PER_CENTER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASE, CREW, GREY = "#c0392b", "#1f5fa8", "#7f8c8d"


def margins(study: Study, pen: Pen) -> Figure:
    """How far the size found and the scenario as it is are from what is asked."""
    sizing, lang = study.sizing, pen.lang
    figure, ax = pen.sheet(height=0.5 * len(sizing.targets) + 1.1)
    trials = [(sizing.present, GREY, "as_is"), (sizing.final, CREW, "found")]
    names = [f"{t.clause}  {say(t.short, lang)}" for t in sizing.targets]
    place = np.arange(len(names))[::-1]
    for offset, (trial, colour, key) in zip((-0.14, 0.14), trials, strict=True):
        if trial is None:
            continue
        for at, target in zip(place, sizing.targets, strict=True):
            found = trial.estimates.get(target.name)
            if found is None or not math.isfinite(found.mean):
                continue
            low, high = (100 * (b - target.least) for b in (max(found.lower, -1.0), found.upper))
            high = min(high, 100 * (1.0 - target.least)) if not target.paired else high
            ax.plot([low, high], [at + offset] * 2, color=colour, lw=3, alpha=0.45,
                    solid_capstyle="butt")  # fmt: skip
            ax.plot(100 * (found.mean - target.least), at + offset, "o", color=colour, ms=5)
        ax.plot([], [], "o-", color=colour, label=tell(key, lang))
    ax.axvline(0, color=LIMIT, lw=1.2)
    low, high = ax.get_xlim()
    low = min(low, -0.2 * (high - low))  # room for the words
    ax.set_xlim(low, high)
    ax.axvspan(low, 0, color=LIMIT, alpha=0.06, lw=0)
    ax.annotate(tell("too_little", lang), (0, 1), xycoords=("data", "axes fraction"),
                xytext=(-5, 3), textcoords="offset points", ha="right", color=LIMIT)  # fmt: skip
    ax.set_yticks(place, names)
    ax.set_xlabel(tell("axis_margin", lang))
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=2)
    return figure


def curve(study: Study, pen: Pen) -> Figure | None:
    """Handling, messages lost and maintenance over the points, for both arrangements."""
    if study.curve is None:
        return None
    lang = pen.lang
    figure, axes = pen.sheet(3, height=3.4, width=11.0)
    panels = (
        ("handling", "axis_handling", False),
        ("response", "axis_lost", True),
        ("maintenance", "axis_maintenance", False),
    )
    asked = {target.name: target for target in study.curve.targets}
    for ax, (name, label, lost) in zip(axes, panels, strict=True):
        for found, colour in ((study.curve.base, BASE), (study.curve.crew, CREW)):
            _line(ax, found, name, colour, say(found.variation.says, lang), lost)
        least = asked[name].least
        at = -100 * least if lost else 100 * least
        ax.axhline(at, color=INK, lw=1, ls="--")
        limit = tidy(f"{'≤' if lost else '≥'} {at:g} %", lang)
        ax.annotate(limit, (1, at), xytext=(-2, 3), ha="right",
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    fontsize=8)  # fmt: skip
        ax.axvline(POINTS_PER_CENTER, color=GREY, lw=1, ls=":")
        ax.set_title(tell(label, lang))
        ax.set_xlabel(tell("axis_points", lang))
        ax.set_xlim(left=0)
        ax.xaxis.set_major_formatter(lambda value, _: thousands(value, lang))
        if lost:
            ax.set_ylim(bottom=0)
    axes[0].annotate(tell("says_standard", lang), (POINTS_PER_CENTER, 0.02), rotation=90,
                     xycoords=("data", "axes fraction"), xytext=(3, 0), color=GREY,
                     textcoords="offset points", va="bottom", fontsize=8)  # fmt: skip
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def thousands(value: float, lang: Language) -> str:
    """A large number on an axis, in thousands, in Chinese in ten thousands."""
    if value == 0:
        return "0"
    return f"{value / 10_000:g}万" if lang == "zh" else f"{value / 1000:g}k"


def _line(ax: Axes, found: Threshold, name: str, colour: str, label: str, lost: bool) -> None:
    points = sorted(found.trials)
    estimates = [found.trials[n].estimates[name] for n in points]
    sign = -100 if lost else 100
    mean = np.array([sign * e.mean for e in estimates])
    low = np.array([sign * max(e.lower, -1.0) for e in estimates])
    high = np.array([sign * min(e.upper, 1.0) for e in estimates])
    if not lost:
        low, high = np.clip(low, 0, 100), np.clip(high, 0, 100)
    ax.fill_between(points, low, high, color=colour, alpha=0.15, lw=0)
    ax.plot(points, mean, "o-", color=colour, ms=4, lw=1.5, label=label)


def drivers(study: Study, pen: Pen) -> Figure | None:
    """The thresholds by what is changed."""
    if study.curve is None:
        return None
    lang, found = pen.lang, thresholds(study)
    figure, axes = pen.sheet(2, height=0.42 * len(found) + 1.1, width=11.0)
    place = np.arange(len(found))[::-1]
    most = max(max(one.trials) for one in found)
    for ax, name in zip(axes, ("handling", "response"), strict=True):
        for at, one in zip(place, found, strict=True):
            grid = sorted(one.trials)
            points = one.crossings[name]
            end = min(max(points, 0.0), most) if math.isfinite(points) else (
                grid[-1] if points > 0 else 0)  # fmt: skip
            colour = BASE if one is study.curve.base else CREW if one is study.curve.crew else GREY
            ax.barh(at, end, 0.62, color=colour, alpha=0.85)
            if not math.isfinite(points):  # beyond what was tried: somewhere in there
                open_, wide = (end, 0.06 * most) if points > 0 else (0.0, grid[0])
                ax.barh(at, wide, 0.62, open_, fc="none", ec=colour, hatch="////", lw=0, alpha=0.6)
                end = open_ + wide
            ax.annotate(f" {crossing(points, grid)}", (end, at), va="center", fontsize=8.5)
        ax.axvline(POINTS_PER_CENTER, color=INK, lw=1, ls=":")
        ax.set_title(tell(f"col_{name}", lang), pad=14)
        ax.set_xlim(0, 1.24 * most)
        if most >= POINTS_PER_CENTER:
            ax.annotate(tell("says_standard", lang), (POINTS_PER_CENTER, 1), xytext=(0, 2),
                        xycoords=("data", "axes fraction"), textcoords="offset points",
                        ha="center", color=GREY, fontsize=8)  # fmt: skip
        ax.xaxis.set_major_formatter(lambda value, _: thousands(value, lang))
        ax.set_xlabel(tell("axis_points", lang))
        ax.grid(visible=False, axis="y")
        ax.set_yticks(place, [""] * len(found))
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(place, [say(one.variation.says, lang) for one in found])
    return figure


FIGURES = (("margins", margins), ("curve", curve), ("drivers", drivers))
"""Name and function, in the page's order."""
