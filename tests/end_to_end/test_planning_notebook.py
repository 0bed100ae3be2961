"""The planners' notebook runs from top to bottom in a fresh kernel and shows what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks/planning.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The executed cells by id."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    source = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in source.cells)
    folder = tmp_path_factory.mktemp("notebook")
    client = nbclient.NotebookClient(
        source, timeout=180, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return {cell["id"]: cell for cell in client.execute().cells}


def table(cell: Any) -> list[list[str]]:
    """The rows of the cell's table, heads included."""
    (page,) = [o["data"]["text/html"] for o in cell["outputs"] if "text/html" in o.get("data", {})]
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in page.split("<tr")[2:]]


def test_no_cell_fails(cells: dict[str, Any]) -> None:
    for cell in cells.values():
        assert all(output["output_type"] != "error" for output in cell.get("outputs", []))


def test_the_plan_reaches_everything_and_is_drawn(cells: dict[str, Any]) -> None:
    said = "".join(output.get("text", "") for output in cells["plan"]["outputs"])
    assert "6,000 of 6,000 points" in said
    assert "proven" in said
    (picture,) = [o for o in cells["map"]["outputs"] if "image/png" in o.get("data", {})]
    assert len(picture["data"]["image/png"]) > 50_000
    centers = [row for row in table(cells["centers"]) if row and row[0].startswith("center-")]
    assert {row[-1] for row in centers} == {"True"}


def test_other_questions_have_other_answers(cells: dict[str, Any]) -> None:
    rows = {row[0]: row[1:] for row in table(cells["other"]) if row}
    assert int(rows["venues alone"][0]) < int(rows["fewest"][0])
    assert rows["three centers"][0] == "3"
    assert all(row[-1] == "True" for row in rows.values())


def test_the_plan_holds_when_it_is_run(cells: dict[str, Any]) -> None:
    rows = [row for row in table(cells["run"]) if row and row[0].startswith("center-")]
    assert len(rows) > 2
    assert {row[-1] for row in rows} == {"met"}
