"""What an attacker tried: lost data, wrong judgements, hangs and tracebacks by bad input."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from twin.cli import main
from twin.report.folder import FolderError, check_folder, whole_folder

TINY = ["run", "township", "--days", "2", "--set", "venues.points=200"]


def run_in(folder: Path, *names: str) -> Path:
    """A folder that looks like an earlier run."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text("")
    (folder / "manifest.json").write_text(
        json.dumps({"twin": "1", "files": ["manifest.json", *names]})
    )
    return folder


def content(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs the command, which has to fail cleanly; the message."""
    capsys.readouterr()
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("twin: ")
    assert len(captured.err) < 2000
    return captured.err


# -- the folder of a run ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name"), [("evaluate", "events.parquet"), ("run", "scenario.toml")]
)
def test_what_is_read_is_not_replaced(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--out may neither be nor contain the folder of the log or the scenario."""
    run = run_in(tmp_path / "run", name)
    (run / name).write_text("")
    for out in (run, tmp_path):
        message = refused([command, str(run / name), "--out", str(out)], capsys)
        assert f"holds {name}, which is read here" in message
    assert content(run) == sorted([name, "manifest.json"])


def test_other_files_in_an_earlier_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what the manifest lists is replaced."""
    run = run_in(tmp_path / "run", "kpis.csv")
    check_folder(run)
    (run / "figures").mkdir()
    (run / "figures" / "mine.csv").write_text("")
    message = refused([*TINY, "--out", str(run)], capsys)
    assert "holds figures/mine.csv" in message
    assert content(run) == ["figures", "figures/mine.csv", "kpis.csv", "manifest.json"]


def test_two_runs_into_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second is told; the first one is not disturbed."""
    out = tmp_path / "out"
    with whole_folder(out) as part:
        (part / "kpis.csv").write_text("first")
        assert "another run is writing here" in refused([*TINY, "--out", str(out)], capsys)
        with pytest.raises(FolderError, match="another run"), whole_folder(out):
            pass
        assert (part / "kpis.csv").read_text() == "first"
    assert content(tmp_path) == ["out", "out/kpis.csv"]


def test_what_a_killed_run_left_is_free(tmp_path: Path) -> None:
    """Its lock ended with its process."""
    part = tmp_path / "out.part"
    part.mkdir()
    (part / "half.csv").write_text("")
    with (part / "UNFINISHED.txt").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        with pytest.raises(FolderError, match="another run"):
            check_folder(tmp_path / "out")
    with whole_folder(tmp_path / "out"):
        pass
    assert content(tmp_path) == ["out"]


def test_neighbours_are_left_alone(tmp_path: Path) -> None:
    """A link to the run is followed; a folder X.old beside it is somebody's."""
    run = run_in(tmp_path / "run")
    (tmp_path / "run.old").mkdir()
    (tmp_path / "run.old" / "thesis.txt").write_text("years of work")
    (tmp_path / "link").symlink_to(run)
    with whole_folder(tmp_path / "link") as part:
        (part / "kpis.csv").write_text("new")
    assert content(tmp_path) == ["link", "run", "run.old", "run.old/thesis.txt", "run/kpis.csv"]
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "other.part").symlink_to(run)
    with pytest.raises(FolderError, match="in the way"):
        check_folder(tmp_path / "other")


@pytest.mark.parametrize("out", [".", "", "..", "/"])
def test_the_working_directory_is_no_run(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is never replaced, empty as it may be, nor what is above it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "working directory" in refused([*TINY, "--out", out], capsys)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; nothing was"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/kpis.csv"), "/data/kpis.csv: P"),
    ],
)
def test_a_disk_that_refuses(
    error: OSError,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, and the part is removed."""

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("twin.report.write.write_log", full)
    assert main([*TINY, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert content(tmp_path) == []


def test_the_programs_own_files_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of ours that is missing is no mistake of the user's."""

    def missing() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file", os.path.dirname(json.__file__))

    monkeypatch.setattr("twin.scenario.shipped_scenarios", missing)
    with pytest.raises(FileNotFoundError):
        main(["scenarios"])


@pytest.mark.parametrize("command", ["schema", "scenarios"])
def test_a_closed_pipe(command: str) -> None:
    """The reader has seen enough: quiet, and 0."""
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, "-m", "twin.cli", command], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_closed_pipe_under_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """rich would exit with 1."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main([*TINY, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "report.html").is_file()
