"""The Python API, and the notebook that uses it.

The notebook runs from top to bottom in a fresh kernel and shows what it says it shows.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import twin
from twin.terms import Kind

NOTEBOOK = Path(__file__).parents[2] / "notebooks/first-look.ipynb"


@pytest.fixture(scope="module")
def source() -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def cells(source: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The executed cells by id."""
    nbclient = pytest.importorskip("nbclient")
    folder = tmp_path_factory.mktemp("notebook")
    client = nbclient.NotebookClient(
        source.copy(),
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    executed = client.execute()
    return {cell["id"]: cell for cell in executed.cells}


def shown(cell: Any, mime: str) -> list[str]:
    return [output["data"][mime] for output in cell["outputs"] if mime in output.get("data", {})]


def test_it_is_kept_without_outputs(source: Any) -> None:
    code = [cell for cell in source.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


def test_no_cell_fails_or_complains(cells: dict[str, Any]) -> None:
    for cell in cells.values():
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error"
            # which fonts are installed is the machine's affair
            said = [line for line in output.get("text", "").splitlines() if "findfont" not in line]
            assert output.get("name") != "stderr" or not said, said


def test_the_tables_have_rows(cells: dict[str, Any]) -> None:
    (whole,) = shown(cells["whole-table"], "text/html")
    assert whole.count("<tr") > 60
    assert all(word in whole for word in ("<td>met</td>", "<td>not met</td>", ">4.7<", ">D.1.3<"))
    (unmet,) = shown(cells["unmet-table"], "text/html")
    assert 2 < unmet.count("<tr") < whole.count("<tr")
    assert "<td>met</td>" not in unmet
    # with two centers the edge is nearer, so at least 5.1.1 differs between the variants
    (beside,) = shown(cells["compare-table"], "text/html")
    assert all(name in beside for name in ("one fewer", "two centers: east", "two centers: west"))
    assert ">5.1.1<" in beside


def test_the_figures_are_drawn(cells: dict[str, Any]) -> None:
    for name in ("online", "waits-figure", "map-figure", "west-map"):
        (picture,) = shown(cells[name], "image/png")
        assert len(picture) > 10_000


def test_a_log_from_a_file_is_judged_as_the_run_was(cells: dict[str, Any]) -> None:
    (same,) = shown(cells["log-file"], "text/plain")
    assert same == "True"


def test_every_public_name_is_there() -> None:
    for name in twin.__all__:
        assert getattr(twin, name).__doc__
        assert name in dir(twin)
    with pytest.raises(AttributeError, match="has no attribute 'simulat'"):
        twin.simulat  # noqa: B018


def test_importing_twin_loads_nothing_else() -> None:
    code = "import sys, twin; print(not {'numpy', 'pydantic', 'simpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_plots_say_what_is_missing() -> None:
    run = twin.simulate(twin.load_scenario("township", ["venues.points=100", 'duration="2 d"']))
    assert twin.plot(run.log, "desk", lang="zh").axes
    quiet = run.log.rows(*set(Kind) - {Kind.OFFLINE, Kind.ONLINE})
    with pytest.raises(ValueError, match='holds nothing that the figure "online" would show'):
        twin.plot(quiet, "online")
    with pytest.raises(ValueError, match='no figure "onlin"; there are online, chain'):
        twin.plot(run.log, "onlin")
    with pytest.raises(ValueError, match='no center "north" in the log; there are center'):
        twin.plot_map(run, center="north")
