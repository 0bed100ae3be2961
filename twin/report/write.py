"""Writes a run's folder: scenario, manifest, log, tables, figures and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.assessment import Assessment
from twin.kpi import Rows, tables
from twin.log import Log, write_log
from twin.report.assumptions import Assumption, assumptions
from twin.report.notices import notices, scenario_of
from twin.report.output import drawing, font_note, lead, output, save, write_rows
from twin.report.page import Section, page
from twin.report.texts import Language, say, word

if TYPE_CHECKING:
    from twin.world import Run, Site

Progress = Callable[[float], None]


def write_run(
    folder: Path,
    run: Run,
    assessments: Sequence[Assessment],
    lang: Language = "en",
    progress: Progress | None = None,
) -> None:
    """Writes a run's output; the folder appears when it is whole, an earlier run's is replaced.

    Parameters
    ----------
    folder : ``runs/township-1``.
    run, assessments : what was simulated, and its verdicts by center.
    lang : language of the page and the figures.
    progress : called with the share that is done, 0 to 1.

    Raises
    ------
    FolderError
        The folder holds something else than an earlier run.
    """
    scenario = run.scenario
    with output(
        folder,
        scenario,
        run.seconds_by_phase,
        roads=run.network.source,
        counts={"points": run.points, "events": run.events, "log_rows": len(run.log)},
        verdicts=_verdicts(assessments),
    ) as part:
        (part / "scenario.toml").write_text(scenario.toml(), encoding="utf-8")
        write_log(run.log, part / "events.parquet")
        _write_tables(part, assessments)
        sections = _sections(part, run.log, assessments, lang, progress, run.network, run.sites)
        (part / "report.html").write_text(
            page(
                scenario.name,
                lead(scenario, lang),
                sections,
                assumptions(scenario, lang),
                [word("simulated_note", lang), *font_note(lang)],
                lang,
            ),
            encoding="utf-8",
        )


def write_evaluation(
    folder: Path,
    log: Log,
    assessments: Sequence[Assessment],
    lang: Language = "en",
    progress: Progress | None = None,
) -> None:
    """Writes the tables, figures and page of a log that may come from anywhere; no map.

    Raises
    ------
    FolderError
        As :func:`write_run`.
    """
    scenario = scenario_of(log)
    facts = {"counts": {"log_rows": len(log)}, "verdicts": _verdicts(assessments)}
    with output(folder, None, None, **facts) as part:
        if "twin.scenario" in log.meta:
            (part / "scenario.toml").write_text(log.meta["twin.scenario"], encoding="utf-8")
        _write_tables(part, assessments)
        sections = _sections(part, log, assessments, lang, progress)
        name = scenario.name if scenario else ", ".join(a.center for a in assessments)
        assumed: list[Assumption] = assumptions(scenario, lang) if scenario else []
        notes = [word("log_note", lang), *font_note(lang)]
        (part / "report.html").write_text(
            page(name, "", sections, assumed, notes, lang), encoding="utf-8"
        )


def _verdicts(assessments: Sequence[Assessment]) -> Mapping[str, Mapping[str, int]]:
    from collections import Counter

    return {
        a.center: dict(sorted(Counter(f.verdict.value for f in a.findings).items()))
        for a in assessments
    }


def _write_tables(folder: Path, assessments: Sequence[Assessment]) -> None:
    """``kpis.csv`` (the period), ``monthly.csv``, the KPIs' other tables, and the verdicts."""
    joined: dict[str, list[Mapping[str, Any]]] = {}
    for assessment in assessments:
        for name, table in tables(assessment.kpis).items():
            joined.setdefault("kpis" if name == "year" else name, []).extend(table)
    joined["assessment"] = [
        {
            "center": assessment.center,
            "clause": finding.clause,
            "item": finding.item,
            "modality": finding.modality.value,
            "verdict": finding.verdict.value,
            "margin": finding.margin_value,
            "asks": finding.asks.en,
            "gave": finding.gave.en,
            "reason": say(finding.reason, "en"),
            "stricter": say(finding.stricter, "en"),
        }
        for assessment in assessments
        for finding in assessment.findings
    ]
    for name, rows in joined.items():
        write_rows(folder / f"{name}.csv", rows)


# -- figures ----------------------------------------------------------------------------------


def _sections(
    folder: Path,
    log: Log,
    assessments: Sequence[Assessment],
    lang: Language,
    progress: Progress | None,
    network: Any = None,
    sites: Mapping[str, Site] | None = None,
) -> list[Section]:
    """Draws every center's figures into ``figures/`` and puts its part of the page together."""
    from twin.report.area_map import draw_map
    from twin.report.figures import FIGURES

    sections = []
    drawn, total = 0, len(assessments) * (len(FIGURES) + 1)
    with drawing(folder, lang) as pen:
        for assessment in assessments:
            rows = Rows(log.of_center(assessment.center))
            prefix = f"{_file_name(assessment.center)}-" if len(assessments) > 1 else ""
            around = None
            if sites is not None:
                around = save(
                    folder,
                    f"{prefix}map",
                    word("map", lang),
                    draw_map(rows, network, sites[assessment.center], pen),
                )
            pictures = []
            for name, draw, captions in FIGURES:
                figure = draw(rows, assessment.kpis, pen)
                drawn += 1
                if progress is not None:
                    progress(drawn / total)
                if figure is not None:
                    caption = captions[1] if lang == "zh" else captions[0]
                    pictures.append(save(folder, prefix + name, caption, figure))
            facts = _facts(assessment, rows, lang)
            told = [say(notice, lang) for notice in notices(log, assessment.center)]
            sections.append(Section(assessment, facts, around, pictures, told))
    return sections


def _file_name(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in name)


def _facts(assessment: Assessment, rows: Rows, lang: Language) -> list[tuple[str, str]]:
    from twin.terms import Kind

    kpis = assessment.kpis
    days = kpis.period.seconds / 86400.0
    months = kpis.period.months
    to = "至" if lang == "zh" else " – "
    covered = to.join(dict.fromkeys((months[0], months[-1])))
    span = f"{days:g}天（{covered}）" if lang == "zh" else f"{days:g} d ({covered})"
    facts = [(word("period", lang), span)]
    if kpis.devices.components:
        facts.append((word("points", lang), f"{kpis.devices.points:,}"))
    if rows.has(Kind.VENUE):
        facts.append((word("venues", lang), f"{len(rows.at(Kind.VENUE)):,}"))
    if kpis.staffing.people:
        facts.append((word("people", lang), str(len(kpis.staffing.people))))
    facts.append((word("alarms", lang), f"{kpis.alarms.alarms_all:,}"))
    if kpis.fires.stated:
        facts.append((word("fires", lang), str(kpis.fires.fires)))
    return facts
