"""The ``twin`` command from end to end: what it writes, prints and returns."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path

import pytest

from twin.assessment import Verdict, assess
from twin.cli import main
from twin.log import Log, read_log, write_log
from twin.terms import Kind

SMALL = ["--days", "30", "--set", "venues.points=1500"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of one small run."""
    out = tmp_path_factory.mktemp("runs") / "small"
    assert main(["run", "township", *SMALL, "--out", str(out)]) == 0
    return out


def test_a_run_leaves_everything(folder: Path) -> None:
    """Scenario, manifest, log, tables, figures and page; nothing else beside the folder."""
    names = {path.name for path in folder.iterdir()}
    wanted = {"scenario.toml", "manifest.json", "events.parquet", "kpis.csv", "monthly.csv"}
    assert wanted | {"report.html", "figures", "assessment.csv"} <= names
    assert "UNFINISHED.txt" not in names
    assert [path.name for path in folder.parent.iterdir()] == ["small"]
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert {"map.png", "online.png", "desk.png"} <= figures


def test_the_manifest_counts(folder: Path) -> None:
    """Seed, versions, seconds by phase, and counts that agree with the log."""
    manifest = json.loads((folder / "manifest.json").read_text())
    log = read_log(folder / "events.parquet")
    assert manifest["seed"] == 1
    assert manifest["counts"]["points"] == 1500
    assert manifest["counts"]["log_rows"] == len(log)
    assert manifest["counts"]["events"] > 0
    assert manifest["seconds"]["simulation_seconds"] > 0
    assert {"numpy", "simpy"} <= set(manifest["dependencies"])


def test_the_resolved_scenario_runs_again_to_the_same_log(folder: Path, tmp_path: Path) -> None:
    """scenario.toml holds every setting: run by itself it gives the same bytes."""
    scenario = tomllib.loads((folder / "scenario.toml").read_text())
    assert scenario["venues"]["points"] == 1500
    assert scenario["duration"] == "30 d"
    again = tmp_path / "again"
    assert main(["run", str(folder / "scenario.toml"), "--out", str(again)]) == 0
    first = (folder / "events.parquet").read_bytes()
    assert (again / "events.parquet").read_bytes() == first


def test_the_page_stands_alone(folder: Path) -> None:
    """The page loads nothing from anywhere: no scripts, every image inline."""
    page = (folder / "report.html").read_text()
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("src=") == page.count('src="data:image/png;base64,')
    assert page.count("<img") >= 6
    for clause in ("5.1.1", "4.6", "D.1.5"):
        assert f"<td>{clause}</td>" in page
    assert "centers.center.response.call" in page  # an assumption, with its range
    assert "25 s to 60 s" in page


def test_tables_agree_with_the_verdicts(folder: Path) -> None:
    """assessment.csv has a row per finding of the log."""
    with (folder / "assessment.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (judged,) = assess(read_log(folder / "events.parquet"))
    assert [(r["clause"], r["item"], r["verdict"]) for r in rows] == [
        (f.clause, f.item, f.verdict.value) for f in judged.findings
    ]


def test_evaluate_gives_the_table_of_the_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log alone yields the same table; with --out a page without a map."""
    out = tmp_path / "judged"
    assert main(["evaluate", str(folder / "events.parquet"), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    manifest = json.loads((folder / "manifest.json").read_text())
    counts = manifest["verdicts"]["center"]
    assert f"{counts['met']} met, {counts['not met']} not met" in text
    assert json.loads((out / "manifest.json").read_text())["verdicts"] == manifest["verdicts"]
    assert (out / "report.html").is_file()
    assert not (out / "figures" / "map.png").exists()


def test_strict_tells_by_the_exit_code(folder: Path, tmp_path: Path) -> None:
    """1 where a shall is not met, 0 where none is; without --strict always 0."""
    log_file = folder / "events.parquet"
    log = read_log(log_file)
    assert main(["evaluate", str(log_file)]) == 0
    assert main(["evaluate", str(log_file), "--strict"]) == 1  # 5.1.1 from the middle
    period: Log = log.rows(Kind.PERIOD_START, Kind.PERIOD_END)
    write_log(period, tmp_path / "empty.parquet")
    assert main(["evaluate", str(tmp_path / "empty.parquet"), "--strict"]) == 0


def test_chinese(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table and the page speak Chinese, in the standard's own terms."""
    out = tmp_path / "zh"
    log = str(folder / "events.parquet")
    assert main(["evaluate", log, "--lang", "zh", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    page = (out / "report.html").read_text()
    for words in (text, page):
        assert "条款" in words
        assert "不符合" in words
        assert "not met" not in words
    assert "火警复核率应达到100%" in page
    in_full, _ = text.split("\n符合项\n")
    assert "…" not in in_full  # nothing is cut off


def test_the_table_is_short_and_fits_100_columns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not met in full, what is met in one line per clause, none wider than the page."""
    assert main(["evaluate", str(folder / "events.parquet")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) < 130
    (found,) = assess(read_log(folder / "events.parquet"))
    start, end = lines.index("What holds"), lines.index("Figures that are not judged")
    met = list(dict.fromkeys(f.clause for f in found.with_verdict(Verdict.MET)))
    assert [line.split()[0] for line in lines[start + 1 : end]] == met
    unmet = [f.clause for f in found.findings if f.verdict in (Verdict.NOT_MET, Verdict.REMARK)]
    heads = [line.split()[0] for line in lines[2:start] if line[0] != " "]
    assert heads == unmet
    assert "…" not in "".join(lines[:start])
    strictly = lines.index("What holds, but not by the stricter reading")
    weak = [f for f in found.findings if f.fails_strictly]
    assert weak
    heads = [line.split()[0] for line in lines[strictly + 1 :] if line.startswith("  ")]
    assert heads[: len(weak)] == [f.clause for f in weak]


def test_an_earlier_run_is_replaced_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--out may name an earlier run, but no folder with something else in it."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert main(["run", "township", *SMALL, "--out", str(mine)]) == 2
    assert "not the output of an earlier run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


@pytest.mark.parametrize("where", ["twin.world.simulate", "twin.report.write.page"])
def test_an_interrupted_run_leaves_nothing(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while simulating or writing: one line, exit code 130, no folder."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupted)
    out = tmp_path / "out"
    assert main(["run", "township", *SMALL, "--out", str(out)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_run_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that names the report says that an earlier run stood there; the first says not."""
    log, out = str(folder / "events.parquet"), str(tmp_path / "judged")
    for told in (False, True):
        assert main(["evaluate", log, "--out", out]) == 0
        last = capsys.readouterr().out.split("\nreport: ")[1]
        assert ("the earlier run there was replaced" in " ".join(last.split())) is told


def test_an_unfinished_run_is_cleared_away(folder: Path, tmp_path: Path) -> None:
    """What a killed run left behind does not stop the next one; an earlier run is replaced."""
    out = tmp_path / "out"
    part = tmp_path / "out.part"
    part.mkdir()
    (part / "UNFINISHED.txt").write_text("")
    (part / "events.parquet").write_text("half")
    out.mkdir()
    (out / "manifest.json").write_text('{"twin": "0.0.0"}')
    (out / "old.csv").write_text("")
    assert main(["evaluate", str(folder / "events.parquet"), "--out", str(out)]) == 0
    assert not part.exists()
    assert not (out / "old.csv").exists()
    assert (out / "report.html").is_file()


def test_mistakes_of_the_program_keep_their_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a user can mend becomes a message; a ValueError of our own is not hidden."""

    def wrong(*_: object, **__: object) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr("twin.world.simulate", wrong)
    with pytest.raises(ValueError, match="broadcast"):
        main(["run", "township", *SMALL, "--out", str(tmp_path / "out")])
    assert list(tmp_path.iterdir()) == []


def test_schema_and_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    """The schema is JSON and knows the settings; the shipped scenarios say what they are for."""
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"venues", "centers", "extends"} <= set(schema["properties"])
    assert main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"township", "full-center"} <= {line.split()[0] for line in lines}
    assert all(len(line.split()) > 3 for line in lines)
