"""Writes a sizing study's folder: page, tables, figures, and the size as a scenario."""

from __future__ import annotations

import json
import logging
import time
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from twin.center.sizing import SizeSettings
from twin.experiment.study import Study
from twin.report.assumptions import Assumption, assumptions
from twin.report.figures import Pen, chinese_font
from twin.report.folder import MANIFEST, files_in, whole_folder
from twin.report.page import Picture
from twin.report.size_figures import FIGURES
from twin.report.size_table import (
    COLUMNS,
    beside_rows,
    design_rows,
    head,
    notes,
    out_of_reach,
    roster_lines,
    smaller,
    target_rows,
    threshold_lead,
    threshold_rows,
    trial_rows,
    write_tables,
)
from twin.report.size_texts import WORDS, tell
from twin.report.texts import WORDS as REPORT_WORDS
from twin.report.texts import Language, word
from twin.report.write import DPI, versions
from twin.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jinja2 import Template
    from matplotlib.figure import Figure


def write_study(folder: Path, study: Study, lang: Language = "en") -> None:
    """Writes a study's output; the folder appears when it is whole, an earlier one is replaced.

    Parameters
    ----------
    folder : ``runs/township-size``.
    study : what was found out.
    lang : language of the page and the figures.

    Raises
    ------
    FolderError
        The folder holds something else than an earlier study's or run's output.
    """
    since = time.perf_counter()
    sizing = study.sizing
    with whole_folder(folder) as part:
        (part / "scenario.toml").write_text(study.scenario.toml(), encoding="utf-8")
        smallest = study.recommended()
        if smallest is not None:
            (part / "smallest.toml").write_text(smallest.toml(), encoding="utf-8")
        write_tables(part, study)
        figures = [
            (name, tell(f"fig_{name}", lang), partial(function, study))
            for name, function in FIGURES
        ]
        pictures = draw(part, figures, lang)
        (part / "report.html").write_text(_page(study, pictures, lang), encoding="utf-8")
        seconds = {**study.seconds, "report": time.perf_counter() - since}
        manifest = {
            **versions(),
            "scenario": study.scenario.name,
            "seed": study.scenario.seed,
            "seconds": {f"{name}_seconds": round(value, 4) for name, value in seconds.items()},
            "counts": {"points": sizing.points, "periods": study.periods},
            "decision": "none" if sizing.final is None else sizing.final.decision.value,
            "files": files_in(part),
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (part / MANIFEST).write_text(text, encoding="utf-8")


def draw(
    folder: Path, figures: Sequence[tuple[str, str, Callable[[Pen], Figure | None]]], lang: Language
) -> list[Picture]:
    """Draws figures into ``figures/``.

    Parameters
    ----------
    folder : that gets the folder.
    figures : name, caption and function of each; None is left out.
    lang : language of the labels.
    """
    import matplotlib as mpl

    # a Chinese font without a regular weight is no news to a user
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    pen = Pen(lang)
    (folder / "figures").mkdir()
    pictures = []
    with mpl.rc_context(pen.rc()):
        for name, caption, function in figures:
            figure = function(pen)
            if figure is None:
                continue
            png = BytesIO()
            figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
            (folder / "figures" / f"{name}.png").write_bytes(png.getvalue())
            pictures.append(Picture(name, caption, png.getvalue()))
    return pictures


def _page(study: Study, pictures: list[Picture], lang: Language) -> str:
    """The page; it holds everything and opens without a network."""
    plain = {key: text for key, text in WORDS.items() if "{" not in text.en}
    return template("size.html.j2").render(
        lang=lang,
        t={key: tell(key, lang) for key in plain},
        r={key: word(key, lang) for key in REPORT_WORDS},
        study=study,
        name=study.scenario.name,
        lead=lead(study.scenario, lang),
        head=head(study, lang),
        out=out_of_reach(study, lang),
        designs=design_rows(study, lang),
        smaller=smaller(study, lang),
        rows=target_rows(study, lang),
        beside=beside_rows(study, lang),
        roster=roster_lines(study, lang),
        trials=trial_rows(study, lang),
        threshold=None if study.curve is None else threshold_lead(study, lang),
        thresholds=threshold_rows(study, lang),
        columns=[f"col_{name}" for name in COLUMNS],
        pictures={picture.name: picture for picture in pictures},
        css={"met": "met", "not met": "unmet", "undecided": "remark", None: "open"},
        assumed=assumed(study.scenario, study.sizing.settings, lang),
        notes=[*notes(study, lang), *font_note(lang)],
    )


def template(name: str) -> Template:
    """A page's template."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("twin.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def font_note(lang: Language) -> list[str]:
    """What a reader of Chinese has to know where no Chinese font is installed."""
    return [word("font_missing", lang)] if lang == "zh" and chinese_font() is None else []


def lead(scenario: Scenario, lang: Language) -> str:
    """What the scenario is for, in the page's language where it says so."""
    return (lang == "zh" and scenario.purpose_zh) or scenario.purpose


def assumed(scenario: Scenario, settings: SizeSettings, lang: Language) -> list[Assumption]:
    """The assumptions of a scenario, those of sizing first."""
    own = scenario.changed(size=settings.model_dump(mode="json", exclude_none=True))
    return sorted(assumptions(own, lang), key=lambda one: not one.key.startswith("size."))
