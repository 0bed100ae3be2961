"""Writes a sizing study's folder: page, tables, figures, and the size as a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twin.center.sizing import SizeSettings
from twin.experiment.study import Study
from twin.report.assumptions import Assumption, assumptions
from twin.report.output import Picture, drawing, font_note, lead, output, save, template
from twin.report.size_figures import FIGURES
from twin.report.size_table import (
    COLUMNS,
    beside_rows,
    design_rows,
    head,
    notes,
    out_of_reach,
    roster_line,
    smaller,
    target_rows,
    threshold_lead,
    threshold_rows,
    trial_rows,
    write_tables,
)
from twin.report.size_texts import WORDS, tell
from twin.report.texts import WORDS as REPORT_WORDS
from twin.report.texts import Language, tidy, word
from twin.scenario import Scenario


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
    sizing = study.sizing
    with output(
        folder,
        study.scenario,
        study.seconds,
        counts={"points": sizing.points, "periods": study.periods},
        decision="none" if sizing.final is None else sizing.final.decision.value,
    ) as part:
        (part / "scenario.toml").write_text(study.scenario.toml(), encoding="utf-8")
        smallest = study.recommended()
        if smallest is not None:
            (part / "smallest.toml").write_text(smallest.toml(), encoding="utf-8")
        write_tables(part, study)
        pictures = {}
        with drawing(part, lang) as pen:
            for name, draw in FIGURES:
                figure = draw(study, pen)
                if figure is not None:
                    pictures[name] = save(part, name, tell(f"fig_{name}", lang), figure)
        (part / "report.html").write_text(
            tidy(_page(study, pictures, lang), lang), encoding="utf-8"
        )


def _page(study: Study, pictures: Mapping[str, Picture], lang: Language) -> str:
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
        roster=roster_line(study, lang),
        trials=trial_rows(study, lang),
        threshold=None if study.curve is None else threshold_lead(study, lang),
        thresholds=threshold_rows(study, lang),
        columns=[f"col_{name}" for name in COLUMNS],
        pictures=pictures,
        css={"met": "met", "not met": "unmet", "undecided": "remark", None: "open"},
        assumed=assumed(study.scenario, study.sizing.settings, lang),
        notes=[*notes(study, lang), *font_note(lang)],
    )


def assumed(scenario: Scenario, settings: SizeSettings, lang: Language) -> list[Assumption]:
    """The assumptions of a scenario, those of sizing first."""
    own = scenario.changed(size=settings.model_dump(mode="json", exclude_none=True))
    return sorted(assumptions(own, lang), key=lambda one: not one.key.startswith("size."))
