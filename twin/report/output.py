"""What every output folder has in common: it is whole, and has figures, tables and a manifest."""

from __future__ import annotations

import base64
import csv
import json
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import __version__
from twin.report.folder import MANIFEST, files_in, whole_folder
from twin.report.texts import Language, word
from twin.scenario import Scenario
from twin.standard import NAME

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

    from twin.report.figures import Pen

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


@contextmanager
def output(
    folder: Path, scenario: Scenario | None, seconds: Mapping[str, float] | None, **facts: object
) -> Iterator[Path]:
    """A folder to write into; it appears when it is whole, with its manifest.

    Parameters
    ----------
    folder : where it appears; an earlier output there is replaced.
    scenario : what it is about; None where that is not known.
    seconds : by phase so far; None where nothing was computed.
    facts : more for the manifest: counts, verdicts, ...

    Raises
    ------
    FolderError
        The folder holds something else than an earlier output.
    """
    since = time.perf_counter()
    with whole_folder(folder) as part:
        yield part
        manifest = versions()
        if scenario is not None:
            manifest |= {"scenario": scenario.name, "seed": scenario.seed}
        if seconds is not None:
            spent = {**seconds, "report": time.perf_counter() - since}
            manifest["seconds"] = {f"{name}_seconds": round(s, 4) for name, s in spent.items()}
        manifest |= {**facts, "files": files_in(part)}
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (part / MANIFEST).write_text(text, encoding="utf-8")


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


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """A table as CSV, with every column that any row has; no rows, no file."""
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row))
    if names:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(listed)


@dataclass(frozen=True)
class Picture:
    """A drawn figure: its name, its caption and its PNG."""

    name: str
    caption: str
    png: bytes

    @property
    def uri(self) -> str:
        """The image as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@contextmanager
def drawing(folder: Path, lang: Language) -> Iterator[Pen]:
    """Makes ``figures/`` in a folder, and the pen to draw them with."""
    import logging

    import matplotlib as mpl

    from twin.report.figures import Pen

    # a Chinese font without a regular weight is no news to a user
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    pen = Pen(lang)
    (folder / "figures").mkdir()
    with mpl.rc_context(pen.rc()):
        yield pen


def save(folder: Path, name: str, caption: str, figure: Figure) -> Picture:
    """Writes a figure as ``figures/NAME.png``."""
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    (folder / "figures" / f"{name}.png").write_bytes(png.getvalue())
    return Picture(name, caption, png.getvalue())


def template(name: str, **shared: object) -> Template:
    """A page's template; ``shared`` is known in its macros as well."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("twin.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(shared)
    return environment.get_template(name)


def lead(scenario: Scenario, lang: Language) -> str:
    """What the scenario is for, in the page's language where it says so."""
    return (lang == "zh" and scenario.purpose_zh) or scenario.purpose


def font_note(lang: Language) -> list[str]:
    """What a reader of Chinese has to know where no Chinese font is installed."""
    from twin.report.figures import chinese_font

    return [word("font_missing", lang)] if lang == "zh" and chinese_font() is None else []
