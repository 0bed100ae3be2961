"""``twin size`` from end to end: what it writes, prints and returns, and what it leaves behind."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from twin.cli import main

SMALL = [
    "--set", "venues.points=600", "--set", 'duration="20 d"', "--set", "size.first=2",
    "--replications", "4", "--set", 'size.spares=["5 %", "20 %"]', "--set", "size.people=3",
    "--set", 'size.lost="50 %"',
]  # fmt: skip


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a small study."""
    out = tmp_path_factory.mktemp("size") / "small"
    curve = ["--set", "size.curve=[300, 600]"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["size", "township", *SMALL, *curve, "--workers", "1", "--out", str(out)]) == 0
    lines = printed.getvalue().splitlines()
    assert any("5.1.12 says 20,000 points" in line for line in lines)
    assert max(map(len, lines)) <= 100
    return out


def test_a_study_leaves_everything(folder: Path) -> None:
    """Page, tables, figures, the scenario and the size as one; nothing else beside the folder."""
    names = {path.name for path in folder.iterdir()}
    tables = {"trials.csv", "periods.csv", "curve.csv", "thresholds.csv"}
    assert names == {
        "report.html", "manifest.json", "scenario.toml", "smallest.toml", "figures", *tables
    }  # fmt: skip
    assert {p.name for p in (folder / "figures").iterdir()} == {
        "margins.png", "curve.png", "drivers.png"
    }  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["small"]
    page = (folder / "report.html").read_text()
    assert "<script" not in page
    assert "https://" not in page
    assert page.count("src=") == page.count('src="data:image/png;base64,') == 3
    assert "size.lost" in page  # an assumption of sizing, with its range


def test_the_tables_tell_what_was_simulated(folder: Path) -> None:
    """Each period has its seed and can be run again; each estimate says what was decided."""
    periods = _rows(folder / "periods.csv")
    trials = _rows(folder / "trials.csv")
    assert {row["decision"] for row in trials} <= {"met", "not met", "undecided"}
    fresh = {row["seed"] for row in periods if row["step"] == "confirmed"}
    seen = {row["seed"] for row in periods if row["step"] != "confirmed"}
    assert len(fresh) == 4
    assert not fresh & seen
    for row in trials:
        if row["decision"] == "met":
            assert float(row["lower"]) >= float(row["asked"])
        if row["decision"] == "not met":
            assert float(row["upper"]) < float(row["asked"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["counts"]["points"] == 600
    assert {int(row["points"]) for row in _rows(folder / "curve.csv")} == {300, 600}


def test_the_size_is_a_scenario_that_runs(folder: Path, tmp_path: Path) -> None:
    """smallest.toml runs as it is, and a period of the study comes out again."""
    smallest = tomllib.loads((folder / "smallest.toml").read_text())
    out = tmp_path / "run"
    fresh = next(row for row in _rows(folder / "periods.csv") if row["step"] == "confirmed")
    roster = smallest["centers"]["center"]["roster"]
    assert roster["duty"] == 4 * int(fresh["people_per_shift"])
    assert main(
        ["run", str(folder / "smallest.toml"), "--seed", fresh["seed"], "--out", str(out)]
    ) == 0  # fmt: skip
    kpis = {row["name"]: row["value"] for row in _rows(out / "kpis.csv")}
    for name in ("alarms", "handled", "responded_late", "spares_used", "minutes_below_two"):
        assert float(kpis[name]) == float(fresh[name])


def test_more_workers_the_same_tables(folder: Path, tmp_path: Path) -> None:
    """Two processes give the tables of one, byte for byte; no curve where none is asked for."""
    out = tmp_path / "two"
    curve = ["--set", "size.curve=[]"]
    assert main(["size", "township", *SMALL, *curve, "--workers", "2", "--out", str(out)]) == 0
    for name in ("trials.csv", "periods.csv"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()
    assert not (out / "curve.csv").exists()


def test_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table and the page speak Chinese."""
    few = [*SMALL, "--replications", "2", "--set", "size.curve=[]", "--workers", "1"]
    assert main(["size", "township", *few, "--lang", "zh", "--out", str(tmp_path / "zh")]) == 0
    text = capsys.readouterr().out
    assert "每班人数" in text
    assert "undecided" not in text
    page = (tmp_path / "zh" / "report.html").read_text()
    assert "判定方法" in page


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["size.center=north"], 'there is no center "north"; there are center'),
        (["size.curve=[50]"], "a center of 100 to 1000000 points is expected"),
        (["size.confidence=1.2"], "a share from 0 to 1 is expected"),
        (["size.confidence=0.2"], "from 50 % to 99.99 %"),
        (["size.spares=[]"], "size.spares"),
        (['size.heartbeats=["1 s"]'], "size.heartbeats: 1 s: "),
        (["size.people=51"], "less than or equal to 50"),
        (["size.peple=3"], "known here are center, confidence, curve"),
        (["venues.file=none.csv", "size.first=2"], "none.csv"),
        (["rollout.stages.2026.smoke_alarms=90000"], "the whole district have"),
        (["rollout.stages={}"], "rollout.stages"),
    ],
)
def test_bad_input_is_one_message(
    settings: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, what is wrong and where, nothing written."""
    given = [part for setting in settings for part in ("--set", setting)]
    out = tmp_path / "out"
    assert main(["size", "township", *SMALL, *given, "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def _children(pid: int) -> set[int]:
    """The processes that a process started, with theirs."""
    found: set[int] = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(status.parent.name)
            found |= {child} | _children(child)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_end_leaves_no_workers(ending: signal.Signals, tmp_path: Path) -> None:
    """Interrupted (or killed) while it simulates: no workers, no folder, exit code 130."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "twin.cli", "size", "township", "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--out", str(out)],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    workers: set[int] = set()
    while len(workers) < 3 and time.monotonic() < deadline:  # two workers, one resource tracker
        time.sleep(0.2)
        workers = _children(process.pid)
    assert len(workers) >= 2
    os.kill(process.pid, ending)
    process.wait(timeout=60)
    if ending is signal.SIGINT:
        assert process.returncode == 130
        assert process.stderr is not None
        assert b"no half result is left behind" in process.stderr.read()
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not [pid for pid in workers if _alive(pid)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_an_interrupt_while_workers_start_is_one_line(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of the terminal, also one that is still importing."""
    command = [sys.executable, "-m", "twin.cli", "size", "township", *SMALL, "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while len(_children(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)  # the resource tracker, and the first worker
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"no half result is left behind" in said
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_rollout_builds_on_what_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two years of a small district: last year's centers stay where they are and lose nobody."""
    file = tmp_path / "small.toml"
    file.write_text(
        'extends = "rollout"\nduration = "15 d"\n[roads]\ntownships = 1\n[venues]\npoints = 3000\n'
        "[siting]\ncapacity = 900\ncount = 60\n[size]\nfirst = 2\nreplications = 2\npeople = 2\n"
        'spares = ["20 %"]\npoints_per_maintainer = 600\n'
        "[rollout.stages.2019]\nsmoke_alarms = 300\n"
        "[rollout.stages.2020]\nsmoke_alarms = 1000\n"
        "[rollout.stages.2021]\nsmoke_alarms = 0\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    assert main(["size", str(file), "--workers", "1", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    years = _rows(out / "years.csv")
    centers = _rows(out / "centers.csv")
    assert [row["year"] for row in years] == ["2019", "2020", "2021"]
    assert int(years[0]["smoke_alarms"]) >= 300
    assert int(years[1]["smoke_alarms"]) >= 1000
    assert int(years[2]["points"]) == 3000
    for year in years:
        mine = [row for row in centers if row["year"] == year["year"]]
        assert len(mine) == int(year["centers"])
        assert sum(int(row["points"]) for row in mine) == int(year["points"])
        assert all(int(row["points"]) <= 900 for row in mine)
    parts = ("people", "maintenance", "vans", "spares", "people_per_shift")
    for earlier, later in itertools.pairwise([row["year"] for row in years]):
        before = {row["center"]: row for row in centers if row["year"] == earlier}
        after = {row["center"]: row for row in centers if row["year"] == later}
        assert set(before) <= set(after)
        for name, row in before.items():
            assert (row["lon"], row["lat"]) == (after[name]["lon"], after[name]["lat"])
            assert all(int(row[part]) <= int(after[name][part]) for part in parts)
    assert {p.name for p in (out / "figures").iterdir()} == {"years.png", "map.png"}
    assert "https://" not in (out / "report.html").read_text()
