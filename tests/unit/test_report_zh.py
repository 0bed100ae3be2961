"""The report in Chinese: no English is left but names, identifiers and units."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from twin.assessment import assess
from twin.kpi import Rows, compute_rows
from twin.report.area_map import draw_map
from twin.report.assumptions import assumptions
from twin.report.assumptions_zh import SOURCE, WHAT, value_zh
from twin.report.figures import FIGURES, Pen
from twin.report.table import print_assessment
from twin.report.write import write_run
from twin.scenario import load_scenario, shipped_scenarios
from twin.terms import Kind
from twin.world import Run, simulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS = {"s", "ms", "min", "h", "d", "m", "km", "mm", "m/s", "km/h", "dB", "m²", "km²", "m/s²"}
NAMES = {
    "APP", "NB-IoT", "RS485", "OSRM", "MCL", "ECL0", "ECL1", "ECL2", "Avon", "CPSC", "NFPA",
    "DB3211/T", "GB", "GB/T", "XF", "N",
}  # fmt: skip
"""Standards, sources, technologies, and north on the map."""
IDENTIFIERS = re.compile(r"edge-\d+|[A-D](\.\d+)*|township|center")
"""Points of the edge, annexes and their tables, the scenario and its center."""
WRITTEN_SO = {kind.value for kind in Kind} | {"checklist", "twin", "schema"}
"""Rows of the log, tables of the scenario and commands that a reason asks for."""
FORMULAS = re.compile(r"v/2 \(1/a \+ 1/b\)|6\.25e-4")


def english(text: str) -> list[str]:
    """The words in Latin letters that are no name, identifier or unit."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9_./²-]*", FORMULAS.sub("", text))
    return [
        word for word in (w.rstrip(".") for w in words)
        if word not in UNITS | NAMES | WRITTEN_SO and not IDENTIFIERS.fullmatch(word)
    ]  # fmt: skip


def readable(page: str) -> str:
    """What a reader sees of a page: no tags, no styles, no keys of settings."""
    hidden = r"(?s)<style>.*?</style>|<code>.*?</code>|<[^>]*>"
    return html.unescape(re.sub(hidden, " ", page))


@pytest.fixture(scope="module")
def run() -> Run:
    """Two months of a small township with whatever can happen in them."""
    kinds = ("nine_small", "combined_use", "group_rental", "older_person_home", "enterprise",
             "local_alarm_unit")  # fmt: skip
    return simulate(
        load_scenario("township").changed(
            **{
                "venues.points": 600,
                "duration": "62 d",
                "venues.fires": dict.fromkeys(kinds, "1 /year"),
                "centers.center.response.keep_at_desk": 0,
            }
        )
    )


def test_the_page_is_chinese(run: Run, tmp_path: Path) -> None:
    write_run(tmp_path / "out", run, assess(run.log), "zh")
    page = readable((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "一个管理6000点的乡镇服务中心" in page
    assert "周一17:00" in page
    assert english(page) == []
    assert english("the page is in 3 English words") != []


def test_the_table_is_chinese(run: Run) -> None:
    from rich.console import Console

    console = Console(width=400, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    (found,) = assess(run.log)
    print_assessment(console, found, "zh")
    assert english(console.export_text()) == []


def written(figure: Figure) -> list[str]:
    """Every text on a figure, ticks included."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [text.get_text() for text in cast("list[Text]", figure.findobj(Text))]


@pytest.mark.filterwarnings("ignore:Glyph")  # no Chinese font here is no matter
@pytest.mark.parametrize("name", ["map", *(name for name, _, _ in FIGURES)])
def test_the_figures_are_chinese(run: Run, name: str) -> None:
    pen = Pen("zh")
    pen.lang = "zh"  # also where no font is installed
    rows = Rows(run.log)
    if name == "map":
        figure = draw_map(rows, run.network, run.sites["center"], pen)
    else:
        draw = {known: function for known, function, _ in FIGURES}[name]
        drawn = draw(rows, compute_rows(rows), pen)
        assert drawn is not None
        figure = drawn
    texts = written(figure)
    assert sum(map(len, texts)) > 20
    assert {text: english(text) for text in texts if english(text)} == {}


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_assumption_has_its_chinese(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.purpose_zh
    for entry in assumptions(scenario):
        assert entry.what in WHAT, f'add "{entry.what}" ({entry.key}) to assumptions_zh.WHAT'
        assert entry.source in SOURCE, f'add "{entry.source}" ({entry.key}) to its SOURCE'
        assert english(value_zh(entry.value)) == [], entry.key
        assert english(value_zh(entry.vary)) == [], entry.key
    for text in (*WHAT.values(), *SOURCE.values()):
        assert set(english(text)) <= {"twin", "size"}, text


def test_values_keep_their_numbers_and_units() -> None:
    assert value_zh("0.5 % to 4 % (the rest shared)") == "0.5%至4%（其余分摊）"
    assert value_zh("1/3 to 3 times") == "1/3至3倍"
    assert value_zh("motorway 25 m/s, motorway_link 45 km/h") == (
        "高速公路 25 m/s，高速公路匝道 45 km/h"
    )
    assert value_zh("0.03 /year") == "0.03 /年"
