"""Writes a rollout's folder: page, tables, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.experiment.rollout import Rollout
from twin.report.area_map import draw_roads, draw_scale, draw_villages, legible, set_frame
from twin.report.figures import INK, Pen
from twin.report.output import Picture, drawing, font_note, lead, output, save, template
from twin.report.rollout_table import (
    CENTER_COLUMNS,
    WORDS,
    YEAR_COLUMNS,
    center_row,
    head,
    notes,
    words,
    write_tables,
    year_row,
)
from twin.report.size_figures import thousands
from twin.report.size_write import assumed
from twin.report.texts import WORDS as REPORT_WORDS
from twin.report.texts import Language, tidy, word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STOOD, ADDED = "#8fb8de", "#1f5fa8"
COLOURS = ("#1f5fa8", "#e08e0b", "#c0392b", "#2e8b57", "#8e44ad", "#7f8c8d")
"""Of the years, in order; later ones share the last."""


def write_rollout(folder: Path, rollout: Rollout, lang: Language = "en") -> None:
    """Writes a rollout's output; the folder appears when it is whole.

    Parameters
    ----------
    folder : ``runs/rollout-size``.
    rollout : what was found out.
    lang : language of the page and the figures.

    Raises
    ------
    FolderError
        The folder holds something else than an earlier output.
    """
    last = rollout.years[-1]
    with output(
        folder,
        rollout.scenario,
        rollout.seconds,
        roads=rollout.plan.network.source,
        counts={
            "years": len(rollout.years),
            "centers": len(last.centers),
            "points": last.points,
            "periods": rollout.periods,
        },
    ) as part:
        (part / "scenario.toml").write_text(rollout.scenario.toml(), encoding="utf-8")
        write_tables(part, rollout)
        with drawing(part, lang) as pen:
            pictures = [
                save(part, name, words(f"fig_{name}", lang), draw(rollout, pen))
                for name, draw in (("years", draw_years), ("map", draw_map))
            ]
        (part / "report.html").write_text(
            tidy(_page(rollout, pictures, lang), lang), encoding="utf-8"
        )


def draw_years(rollout: Rollout, pen: Pen) -> Figure:
    """Points, centers, people and spares by year: what stood already, and what is added."""
    lang, years = pen.lang, rollout.years
    figure, axes = pen.sheet(4, height=3.2, width=11.0)
    series = (
        ("points", [year.points for year in years]),
        ("centers", [len(year.centers) for year in years]),
        ("people", [year.people for year in years]),
        ("spares", [sum(center.spares for center in year.centers) for year in years]),
    )
    place = np.arange(len(years))
    for ax, (name, values) in zip(axes, series, strict=True):
        before = np.array([0, *values[:-1]])
        added = np.maximum(np.array(values) - before, 0)
        stood = np.array(values) - added
        ax.bar(place, stood, 0.7, color=STOOD, label=words("standing", lang))
        ax.bar(place, added, 0.7, stood, color=ADDED, label=words("added", lang))
        for at, total in zip(place, values, strict=True):
            ax.annotate(f"{total:,}", (at, total), ha="center", va="bottom", fontsize=8.5)
        ax.set_xticks(place, [year.name for year in years])
        ax.set_title(words(name, lang))
        ax.set_ylim(top=1.12 * max(values))
        ax.yaxis.set_major_formatter(
            lambda v, _: thousands(v, lang) if v >= 10_000 else f"{v:,.0f}"
        )
        ax.yaxis.get_major_locator().set_params(integer=True)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def draw_map(rollout: Rollout, pen: Pen) -> Figure:
    """The district's roads and the centers, coloured by the year that adds them."""
    network, last = rollout.plan.network, rollout.years[-1]
    x0, y0, x1, y1 = network.boundary.bounds
    margin = 0.03 * max(x1 - x0, y1 - y0)
    frame = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    shape = (frame[3] - frame[1]) / (frame[2] - frame[0])
    figure, ax = pen.sheet(height=min(max(9.0 * shape, 4.0), 12.0) + 0.8, width=9.0)
    set_frame(ax, frame)
    draw_roads(ax, network)
    venues = rollout.plan.venues
    ax.scatter(venues.x, venues.y, s=1.5, c="#9aa5ad", lw=0, zorder=3)
    x, y = network.project([c.lon for c in last.centers], [c.lat for c in last.centers])
    wide, high = 0.09 * (frame[2] - frame[0]), (frame[3] - frame[1]) / 18
    stars = zip(x.tolist(), y.tolist(), strict=True)
    draw_villages(ax, network, [(at, up + d * high, wide) for at, up in stars for d in (-1, 0)])
    for number, year in enumerate(rollout.years):
        new = [center for center in last.centers if center.since == year.name]
        if not new:
            continue
        tint = COLOURS[min(number, len(COLOURS) - 1)]
        x, y = network.project([c.lon for c in new], [c.lat for c in new])
        ax.plot(x, y, "*", ms=19, mfc=tint, mec=INK, ls="", zorder=6, label=year.name)
        for at, up, center in zip(x, y, new, strict=True):
            name = legible(f"{center.name}: {center.points:,}")
            ax.annotate(name, (at, up), xytext=(0, -16), ha="center", zorder=7,
                        textcoords="offset points", fontsize=8.5, fontweight="bold",
                        bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 0.8})  # fmt: skip
    draw_scale(ax)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=len(rollout.years))
    return figure


def _page(rollout: Rollout, pictures: list[Picture], lang: Language) -> str:
    """The page; it holds everything and opens without a network."""
    plain = {key: text for key, text in WORDS.items() if "{" not in text.en}
    return template("rollout.html.j2").render(
        lang=lang,
        t={key: words(key, lang) for key in plain},
        r={key: word(key, lang) for key in REPORT_WORDS},
        name=rollout.scenario.name,
        lead=lead(rollout.scenario, lang),
        head=head(rollout, lang),
        year_columns=YEAR_COLUMNS,
        years=[(year_row(year, lang), "unmet" if year.undecided else "") for year in rollout.years],
        center_columns=CENTER_COLUMNS,
        centers=[
            (year.name, [center_row(center, rollout, lang) for center in year.centers])
            for year in rollout.years
        ],
        pictures=pictures,
        assumed=assumed(rollout.scenario, rollout.settings, lang),
        notes=[*notes(rollout, lang), *font_note(lang)],
    )
