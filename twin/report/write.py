"""Writes a run's folder: scenario, manifest, log, tables, figures and the page."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import __version__
from twin.assessment import Assessment
from twin.kpi import Rows, tables
from twin.log import Log, write_log
from twin.report.assumptions import Assumption, assumptions
from twin.report.folder import MANIFEST, files_in, whole_folder
from twin.report.notices import notices, scenario_of
from twin.report.page import Picture, Section, page
from twin.report.texts import Language, say, word
from twin.standard import NAME

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from twin.world import Run, Site

Progress = Callable[[float], None]

DPI = 120
DEPENDENCIES = (
    "highspy",
    "matplotlib",
    "networkx",
    "numpy",
    "osmium",
    "osmnx",
    "pyarrow",
    "pydantic",
    "pyogrio",
    "pyproj",
    "scipy",
    "shapely",
    "simpy",
)


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
    since = time.perf_counter()
    scenario = run.scenario
    with whole_folder(folder) as part:
        (part / "scenario.toml").write_text(scenario.toml(), encoding="utf-8")
        write_log(run.log, part / "events.parquet")
        _write_tables(part, assessments)
        sections = _sections(part, run.log, assessments, lang, progress, run.network, run.sites)
        (part / "report.html").write_text(
            page(
                scenario.name,
                (lang == "zh" and scenario.purpose_zh) or scenario.purpose,
                sections,
                assumptions(scenario, lang),
                _notes(lang, "simulated_note"),
                lang,
            ),
            encoding="utf-8",
        )
        seconds = {**run.seconds_by_phase, "report": time.perf_counter() - since}
        manifest = {
            **versions(),
            "scenario": scenario.name,
            "seed": scenario.seed,
            "roads": run.network.source,
            "seconds": {f"{name}_seconds": round(value, 4) for name, value in seconds.items()},
            "counts": {"points": run.points, "events": run.events, "log_rows": len(run.log)},
            "verdicts": _verdicts(assessments),
            "files": files_in(part),
        }
        _write_json(part / MANIFEST, manifest)


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
    with whole_folder(folder) as part:
        if "twin.scenario" in log.meta:
            (part / "scenario.toml").write_text(log.meta["twin.scenario"], encoding="utf-8")
        _write_tables(part, assessments)
        sections = _sections(part, log, assessments, lang, progress)
        name = scenario.name if scenario else ", ".join(a.center for a in assessments)
        assumed: list[Assumption] = assumptions(scenario, lang) if scenario else []
        notes = _notes(lang, "log_note")
        (part / "report.html").write_text(
            page(name, "", sections, assumed, notes, lang), encoding="utf-8"
        )
        _write_json(
            part / MANIFEST,
            {
                **versions(),
                "counts": {"log_rows": len(log)},
                "verdicts": _verdicts(assessments),
                "files": files_in(part),
            },
        )


def _notes(lang: Language, first: str) -> list[str]:
    from twin.report.figures import chinese_font

    missing = lang == "zh" and chinese_font() is None
    return [word(first, lang), *([word("font_missing", lang)] if missing else [])]


def _verdicts(assessments: Sequence[Assessment]) -> Mapping[str, Mapping[str, int]]:
    from collections import Counter

    return {
        a.center: dict(sorted(Counter(f.verdict.value for f in a.findings).items()))
        for a in assessments
    }


def versions() -> dict[str, Any]:
    """Versions of the program and of what it rests on, for a manifest."""
    found = {}
    for name in DEPENDENCIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return {
        "twin": __version__,
        "standard": NAME,
        "python": platform.python_version(),
        "dependencies": found,
    }


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
        if rows:
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)


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
    import logging

    import matplotlib as mpl

    from twin.report.area_map import draw_map
    from twin.report.figures import FIGURES, Pen

    # a Chinese font without a regular weight is no news to a user
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    pen = Pen(lang)
    (folder / "figures").mkdir()
    sections = []
    drawn, total = 0, len(assessments) * (len(FIGURES) + 1)
    with mpl.rc_context(pen.rc()):
        for assessment in assessments:
            rows = Rows(log.of_center(assessment.center))
            prefix = f"{_file_name(assessment.center)}-" if len(assessments) > 1 else ""
            around = None
            if sites is not None:
                around = _save(
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
                    pictures.append(_save(folder, prefix + name, caption, figure))
            facts = _facts(assessment, rows, lang)
            told = [say(notice, lang) for notice in notices(log, assessment.center)]
            sections.append(Section(assessment, facts, around, pictures, told))
    return sections


def _file_name(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in name)


def _save(folder: Path, name: str, caption: str, figure: Figure) -> Picture:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    (folder / "figures" / f"{name}.png").write_bytes(png.getvalue())
    return Picture(name, caption, png.getvalue())


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
