"""Bad input of every sort: one clear message, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twin.cli import main

SMALL = 'extends = "township"\nduration = "2 d"\n'


def _fails(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs the command, which has to fail cleanly; the message."""
    before = sorted(folder.rglob("*"))
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(folder.rglob("*")) == before
    return captured.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[venues]\npoint = 5000", ["venues.point", "unknown setting", "points"]),
        (
            '[centers.center.roster]\nhandover = "8 km"',
            ["roster.handover", "not a time of day", '"8 h"'],
        ),
        ('[vendors.vendor]\nshare = "140 %"', ["vendors.vendor.share", "from 0 to 1"]),
        ("[venues]\npoints = 0", ["venues.points", "greater than or equal to 1"]),
        ('[venues]\npoints = "many"', ["venues.points", "integer"]),
        ('time_zone = "Mars/Base"', ["time_zone", "Mars/Base", "Asia/Shanghai"]),
        ('duration = "1 h"', ["duration", "1 d"]),
        ("[centers.center.roster]\nduty = 2\nteams = 4", ["roster", "team 3 of 4 has nobody"]),
        (
            "[centers.center.roster]\nmaintenance_from = '18 h'\nmaintenance_until = '8 h'",
            ["roster", "maintenance_until must be later"],
        ),
        ("[centers.center]\nlon = 119.4", ["centers.center", "lon and lat go together"]),
        ("[centers.center.checklist]\nroof = true", ["checklist", 'unknown item "roof"']),
        ("[devices.smoke_alarm]\nfoult_per_year = 1", ["devices", "foult_per_year", "known are"]),
        ("[roads]\nfile = 'nowhere.osm.pbf'", ["nowhere.osm.pbf", "no such file"]),
        ("[venues]\nfile = 'nowhere.csv'", ["nowhere.csv", "cannot be read"]),
        ("[centers.center]\narea = 'nowhere.geojson'", ["nowhere.geojson", "no such file"]),
        (
            "[centers.center]\nlon = 2.35\nlat = 48.85",
            ["centers.center", "km from the nearest road", "give a place on the network"],
        ),
    ],
)
def test_a_wrong_setting(
    text: str, said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has the file or setting, what is wrong, and what would be right."""
    lines = [line for line in SMALL.splitlines() if line.split(" ")[0] != text.split(" ")[0]]
    scenario = tmp_path / "mine.toml"
    scenario.write_text("\n".join(lines) + "\n" + text)
    out = tmp_path / "out"
    message = _fails(["run", str(scenario), "--out", str(out)], tmp_path, capsys)
    assert message.startswith("twin: ")
    for word in said:
        assert word in message


def test_no_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A syntax error is told with its line."""
    scenario = tmp_path / "mine.toml"
    scenario.write_text('name = "a"\n[venues\npoints = 3\n')
    message = _fails(["run", str(scenario)], tmp_path, capsys)
    assert "mine.toml" in message
    assert "line 2" in message


def test_no_such_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped ones are named."""
    message = _fails(["run", "townshop"], tmp_path, capsys)
    assert "townshop" in message
    assert "township" in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "venues.points"], "KEY=VALUE"),
        (["--set", "venues.pionts=3"], "venues.pionts"),
        (["--set", "name.deep=1"], "name is a value, not a table"),
    ],
)
def test_wrong_overrides(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings of the command line are checked as those of the file."""
    out = ["--out", str(tmp_path / "out")]
    assert said in _fails(["run", "township", *arguments, *out], tmp_path, capsys)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--days", "many", "a whole number of at least 1"),
        ("--days", "0", "at least 1 and at most 3660"),
        ("--days", "9" * 5000, "at most 3660"),
        ("--seed", "-1", "at least 0"),
        ("--processes", "0", "at least 1"),
    ],
)
def test_wrong_arguments(
    option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """argparse's own messages end with 2 as well, and name the option."""
    with pytest.raises(SystemExit) as caught:
        main(["run", "township", option, value])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert f"argument {option}: " in message
    assert said in message
    assert len(message) < 2000


@pytest.mark.parametrize("content", ["", '<?xml version="1.0"?><osm version="0.6"></osm>'])
def test_an_empty_map(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A clipped or empty OSM file is named."""
    roads = tmp_path / "empty.osm"
    roads.write_text(content)
    arguments = ["run", "township", "--set", f"roads.file='{roads}'"]
    message = _fails([*arguments, "--out", str(tmp_path / "out")], tmp_path, capsys)
    assert "empty.osm" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,lon,lat\na,119.4,32.2\n", ["kind"]),
        ("id,lon,lat,kind\na,119.4,32.2,castle\n", ["castle", "known are"]),
        ("id,lon,lat,kind\na,east,32.2,enterprise\n", ["east", "lon", "not a number"]),
        ("id,lon,lat,kind\na,2.35,48.85,enterprise\n", ["km", "road"]),
        ("id,lon,lat,kind\n", ["no venue"]),
    ],
)
def test_a_wrong_file_of_venues(
    content: str, said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing column, a wrong cell, a venue outside the network, an empty file."""
    venues = tmp_path / "venues.csv"
    venues.write_text(content)
    arguments = ["run", "township", "--set", f"venues.file='{venues}'"]
    message = _fails([*arguments, "--out", str(tmp_path / "out")], tmp_path, capsys)
    for word in ["venues.csv", *said]:
        assert word in message


def test_a_log_that_is_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, not Parquet, a column missing, empty."""
    assert "no such file" in _fails(["evaluate", str(tmp_path / "a.parquet")], tmp_path, capsys)
    text = tmp_path / "b.parquet"
    text.write_text("time,kind\n")
    assert "not a readable Parquet file" in _fails(["evaluate", str(text)], tmp_path, capsys)
    short = tmp_path / "c.parquet"
    pq.write_table(pa.table({"time": [1], "seq": [1]}), short)
    message = _fails(["evaluate", str(short)], tmp_path, capsys)
    assert "c.parquet" in message
    assert "subject" in message


def test_out_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--out names a folder."""
    out = tmp_path / "out"
    out.write_text("")
    assert "is a file" in _fails(["run", "township", "--out", str(out)], tmp_path, capsys)
    below = str(out / "below")
    assert "is a file" in _fails(["run", "township", "--out", below], tmp_path, capsys)
