"""Writes a plan's folder: page, map, tables, layers, and a scenario for each center."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from twin.planning.handover import write_scenarios
from twin.planning.plan import SitePlan
from twin.report.assumptions import assumptions
from twin.report.output import Picture, drawing, font_note, lead, output, save, template
from twin.report.site_layers import write_layers
from twin.report.site_map import draw_front, draw_plan, tints
from twin.report.site_rows import write_tables
from twin.report.site_svg import picture
from twin.report.site_table import (
    COLUMNS,
    FRONT_COLUMNS,
    brigade_lines,
    center_cells,
    fact_lines,
    front_rows,
    headline,
    holds,
    limits,
    missed_heads,
    missed_lines,
    quality,
    question,
    remarks,
    water_line,
)
from twin.report.site_texts import minutes, tell
from twin.report.texts import Language, word

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYERS = (
    ("areas", "legend_area", True),
    ("limits", "legend_limits", True),
    ("circles", "legend_circle", False),
    ("reach", "legend_reach", True),
    ("roads", "legend_roads", True),
    ("villages", "legend_villages", True),
    ("demand", "legend_demand", True),
    ("candidates", "legend_candidates", False),
    ("excluded", "legend_excluded", False),
    ("uncovered", "legend_uncovered", True),
    ("hazards", "legend_hazards", True),
    ("hydrants", "legend_hydrants", False),
)
"""Layers of the page's map: their group in the drawing, their name, shown at first."""

_DECIDES = re.compile(r"^(siting|roads)\.|\.(response\.turnout|site_radius)$")
"""Assumptions on which a plan rests, by their keys."""

_LISTED = 40  # uncovered demand on the page; the file has all


def write_plan(folder: Path, plan: SitePlan, lang: Language = "en") -> None:
    """Writes a plan's output; the folder appears when it is whole, an earlier one is replaced.

    Parameters
    ----------
    folder : ``plans/district-1``.
    plan : what was planned.
    lang : language of the page and the figures.

    Raises
    ------
    FolderError
        The folder holds something else than an earlier run or plan.
    """
    choice = plan.choice
    with output(
        folder,
        plan.scenario,
        plan.seconds_by_phase,
        roads=plan.network.source,
        counts={
            "nodes": len(plan.network),
            "venues": plan.demand.venues,
            "demand": len(plan.demand),
            "points": plan.points,
            "candidates": plan.offered,
            "excluded": plan.offered - len(plan.candidates),
            "centers": len(plan.centers),
            "uncovered": len(plan.uncovered),
        },
        choice={
            "objective": plan.settings.objective,
            "value": choice.objective,
            "bound": choice.bound if isfinite(choice.bound) else None,
            "gap": choice.gap if isfinite(choice.gap) else None,
            "status": choice.status,
        },
    ) as part:
        (part / "district.toml").write_text(plan.scenario.toml(), encoding="utf-8")
        write_tables(part, plan)
        for name in ("layers", "scenarios"):
            (part / name).mkdir()
        write_layers(part / "layers", plan)
        write_scenarios(part / "scenarios", plan)
        with drawing(part, lang) as pen:
            save(part, "map", tell("map", lang), draw_plan(plan, pen))
            front = draw_front(plan, pen)
            trade = None if front is None else save(part, "front", tell("front", lang), front)
        (part / "site.html").write_text(_page(plan, trade, lang), encoding="utf-8")


def _page(plan: SitePlan, front: Picture | None, lang: Language) -> str:
    """The page; it holds everything and opens without a network."""
    from markupsafe import Markup

    shaped = template(
        "site.html.j2",
        lang=lang,
        colon="：" if lang == "zh" else ": ",
        t=lambda key: tell(key, lang),
        w=lambda key: word(key, lang),
    )
    return shaped.render(
        name=plan.scenario.name,
        purpose=lead(plan.scenario, lang),
        missed=_missed(plan, lang),
        headline=headline(plan, lang),
        question=question(plan, lang),
        quality=quality(plan, lang),
        remarks=list(remarks(plan, lang)),
        facts=fact_lines(plan, lang),
        columns=COLUMNS,
        centers=[
            (center_cells(plan, center, lang), tint, holds(center))
            for center, tint in zip(plan.centers, tints(plan), strict=True)
        ],
        layers=[
            (name, tell(key, lang, **limits(plan, lang)), shown) for name, key, shown in LAYERS
        ],
        drawing=Markup(picture(plan, lang)),  # its texts are escaped where it is made
        front_columns=FRONT_COLUMNS,
        front=front_rows(plan, lang),
        front_uri=None if front is None else front.uri,
        brigades=brigade_lines(plan, lang),
        water=water_line(plan, lang),
        how=_how(plan, lang),
        assumed=[
            a for a in assumptions(plan.scenario, lang) if a.key.startswith(("siting.", "roads."))
        ],
        notes=font_note(lang),
    )


def _missed(plan: SitePlan, lang: Language) -> Sequence[tuple[str, list[str], str]]:
    """Groups of what is not reached: head, lines, and how many more there are."""
    groups = []
    for head, missed in missed_heads(plan, lang):
        told = missed_lines(plan, missed, lang)
        lines, left = told[:_LISTED], max(len(told) - _LISTED, 0)
        more = tell("more", lang, count=left, file="uncovered.csv") if left else ""
        groups.append((head, lines, more))
    return groups


def _how(plan: SitePlan, lang: Language) -> list[str]:
    """How the plan judges, with its limits."""
    words = limits(plan, lang)
    turnout = minutes(plan.template.response.turnout, lang)
    return [
        tell("how_time", lang, turnout=turnout, limit=words["limit"]),
        tell("how_radius", lang, radius=words["radius"]),
        tell("how_area", lang),
        tell("how_reach", lang, verge=f"{plan.settings.verge:g}"),
    ]
