"""What an attacker tried: lost data, wrong judgements, hangs and tracebacks by bad input."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twin.cli import main
from twin.kpi import compute
from twin.log import LogError, LogWriter, read_log, write_log
from twin.report.folder import FolderError, check_folder, whole_folder
from twin.roads.geojson import read_geojson
from twin.scenario import ScenarioError, load_scenario
from twin.terms import Kind

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


# -- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        # silently wrong
        ('centers.center.wind={"400"="100 %"}', '"400" is no sector'),
        ('centers.center.wind={"east"="100 %"}', '"east" is no sector'),
        ('centers.center.wind={"0"="50 %","0.0"="50 %"}', "the same sector"),
        ('centers.center.wind={"0"="50 %","90"="49 %"}', "add up to 99 %, not 100 %"),
        ('centers.center.roster.maintenance_until="30 h"', "from 0 s to 1 d"),
        ("centers.center.lat=119.4", "swapped"),
        ("centers.center.lon=190", "180"),
        ('centers.center.checklist."5.1.5.floor_area_m2"=-3', "at least 0"),
        ("centers.center.checklist.5.1.5.floor_area_m2=3", "in quotes"),
        ("centers.center.roster.teams=0", "greater than or equal to 1"),
        ("seed=true", "a number is expected"),
        ("centers={a={lon=119.5,lat=32},b={lon=119.5,lat=32}}", "stand at the same place"),
        # would never end
        ('centers.center.maintenance.period="1 d"', "from 30 d"),
        ("centers.center.complaints=1e9", "1000"),
        ("centers.center.roster.duty=100000", "1000"),
        ("centers.center.roster.maintenance=100000", "1000"),
        ("centers.center.roster.teams=101", "100"),
        ('centers.center.roster.break_every="1 s"', "from 1 h"),
        ("venues.points=1000001", "1000000"),
        ('venues.fires.enterprise="101 /year"', "to 100 /year"),
        ("devices.smoke_alarm.nuisance_factor=1001", "at most 1000"),
        ("devices.smoke_alarm.tampered_per_year=1001", "at most 1000"),
        ("devices.smoke_alarm.life_years=1e-9", "at least 0.1"),
        ("network.nbiot.attempts=21", "20"),
        ("network.uplink.tries=21", "20"),
        ("network.rs485.tries=21", "20"),
        ("network.rs485.registers=126", "125"),
        ("network.nbiot.latency.cv=11", "10"),
        ('network.power.cuts="1 /s"', "to 1000 /year"),
        ("centers.center.helpers.brigade_engines=101", "100"),
        ("venues.responsible=101", "100"),
        ("centers.center.response.call_cv=11", "10"),
        ('centers.center.maintenance.place="1 m"', "from 50 m"),
        ('centers.center.response.call="1e999 s"', "a time from"),
        # once a traceback
        ("start=1950-01-01", "1970"),
        ("start=9999-12-31", "2100"),
        ("time_zone=Asia", "Asia/Shanghai"),
        ("time_zone=" + "x" * 5000, "Asia/Shanghai"),
        ('roads.file="a\\u0000b"', "null character"),
        ('name="a\\u0000b"', "null characters"),
        ("venues.mix.enterprise=" + "9" * 4000, "a share from"),
        # a message of its own
        ("venues=3", "a table is expected ([venues])"),
        ("centers.center=3", "a table is expected ([centers.center])"),
        ("seed=1\nname=2", "more than one line"),
        ("=3", "write KEY=VALUE"),
        ("a..b=3", "write KEY=VALUE"),
    ],
)
def test_a_setting_out_of_its_bounds(setting: str, said: str) -> None:
    """One short line that names the option."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario("township", [setting])
    message = str(caught.value)
    assert said in message
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    assert message.startswith("--set ") or "same place" in message


def test_a_key_with_dots_and_a_value_with_an_equals_sign() -> None:
    """KEY and VALUE are TOML's; a table is replaced as a whole."""
    settings = [
        'centers.center.checklist."5.1.5.floor_area_m2"=3',
        "purpose=a = b # c",
        'centers.center.wind={"90"="100 %"}',
    ]
    scenario = load_scenario("township", settings)
    assert scenario.centers["center"].checklist["5.1.5.floor_area_m2"] == 3
    assert scenario.centers["center"].checklist["4.2.network"] is True
    assert scenario.purpose == "a = b # c"
    assert scenario.centers["center"].wind == {"90": 1.0}


def test_the_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    """Each mistake with the file or the option that made it; a byte order mark is no mistake."""
    base, top = tmp_path / "base.toml", tmp_path / "top.toml"
    base.write_text("seed = -1\n[centers.center.roster]\nmaintenance_on_days = 9\n")
    top.write_text('\ufeffextends = "base.toml"\n[venues]\npoints = 0\n', encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(top, ["venues.responsible=-1"])
    lines = sorted(str(caught.value).splitlines())
    assert [line.split(": ")[:2] for line in lines] == [
        ["--set venues.responsible=-1", "venues.responsible"],
        [str(base), "centers.center.roster.maintenance_on_days"],
        [str(base), "seed"],
        [str(top), "venues.points"],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("seed = " + "9" * 5000, "thousands of digits"),
        ('extends = "a\\u0000"', "extends"),
        ('extends = "."', "is a folder"),
    ],
)
def test_toml_that_is_a_trap(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=said) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_long_chain_of_scenarios(tmp_path: Path) -> None:
    """20 files are read, 21 refused; a loop shows its way."""
    for number in range(21):
        (tmp_path / f"{number}.toml").write_text(f'extends = "{number + 1}.toml"')
    (tmp_path / "21.toml").write_text("seed = 7")
    assert load_scenario(tmp_path / "2.toml").seed == 7
    with pytest.raises(ScenarioError, match="more than 20 files"):
        load_scenario(tmp_path / "1.toml")
    (tmp_path / "21.toml").write_text('extends = "20.toml"')
    with pytest.raises(ScenarioError, match=r"20\.toml -> 21\.toml -> 20\.toml"):
        load_scenario(tmp_path / "19.toml")


@pytest.mark.parametrize("kind", ["scenario", "roads.file", "venues.file", "centers.center.area"])
def test_a_folder_is_no_file(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*TINY, "--set", f"{kind}='{tmp_path}'", "--out", str(tmp_path / "out")]
    if kind == "scenario":
        arguments = ["run", str(tmp_path)]
    capsys.readouterr()
    assert main(arguments) == 2
    assert "is a folder" in capsys.readouterr().err


def test_a_name_that_is_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    """The system refuses to look; one line, shortened."""
    assert "File name too long" in refused(["run", "x" * 5000], capsys)


# -- files of maps ----------------------------------------------------------------------------


def point(*position: object) -> dict[str, object]:
    return {"geometry": {"type": "Point", "coordinates": list(position)}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "not a GeoJSON file"),
        ({"features": 3}, "FeatureCollection"),
        ({"features": [point(1, 2), 5]}, "feature 2: no point or polygon"),
        ({"features": [{"geometry": [1]}]}, "feature 1: no point or polygon"),
        ({"features": [point(1, 2), {"geometry": {"type": "Circle"}}]}, "feature 2: .* a Circle"),
        ({"type": "GeometryCollection", "geometries": []}, "not a GeoJSON file"),
        ({"features": [point(1, "x")]}, "feature 1, point 1: .* no position"),
        ({"features": [point(1, True)]}, "no position"),
        ({"features": [point(1)]}, "no position"),
        ({"features": [point(32, 119)]}, "swapped"),
        ({"features": [point(500000, 3500000)]}, "not in degrees"),
        ({"features": [point(1, 2) | {"properties": []}]}, "properties"),
        ({"type": "Polygon", "coordinates": [[1, 2], [3, 4]]}, "polygon 1: "),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 2]]]}, "at least 4"),
        ({"type": "Polygon", "coordinates": [[]]}, "no list of positions"),
        ({"type": "MultiPolygon", "coordinates": [[[[1, 2]] * 4], 5]}, "feature 1, polygon 2"),
        ({"type": "MultiPoint", "coordinates": {}}, "no point in it"),
    ],
)
def test_geojson_of_a_wrong_shape(content: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=said) as caught:
        read_geojson(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{", "[NaN]", "\x00"])
def test_json_that_is_a_trap(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(text)
    with pytest.raises(ValueError, match="JSON"):
        read_geojson(path)


def test_geojson_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(point(119.4, 32.2) | {"type": "Feature"}), encoding="utf-8-sig")
    [feature] = read_geojson(path)
    assert (feature.number, feature.geometry["coordinates"]) == (1, [119.4, 32.2])


OSM = """<osm version="0.6"><node id="1" lat="{0}" lon="119.6"/><node id="2" lat="32" lon="119.7"/>
<way id="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="residential"/></way></osm>"""
GRAPHML = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="c" for="graph" attr.name="crs" attr.type="string"/>
<key id="x" for="node" attr.name="x" attr.type="string"/>
<key id="y" for="node" attr.name="y" attr.type="string"/>
<graph edgedefault="directed"><data key="c">epsg:4326</data><node id="1">{0}</node>
<node id="2"><data key="x">119.6</data><data key="y">32</data></node></graph></graphml>"""


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.osm", OSM.format("932"), "not a readable OSM file"),
        ("a.osm", OSM.format("north"), "not a readable OSM file"),
        ("a.osm", OSM.format("95"), "not on the earth|no drivable road"),
        ("A.OSM", OSM.format("32.1"), ""),
        ("a.graphml", GRAPHML.format(""), "node 1 has no coordinates"),
        (
            "A.GraphML",
            GRAPHML.format('<data key="x">500</data><data key="y">nan</data>'),
            "1 of 2 nodes are not on the earth, the first at lon 500, lat nan",
        ),
        (
            "a.graphml",
            GRAPHML.format('<data key="x">east</data><data key="y">1</data>'),
            "not a GraphML file",
        ),
    ],
)
def test_maps_whose_nodes_are_nowhere(name: str, content: str, said: str, tmp_path: Path) -> None:
    from twin.roads.load import load_roads
    from twin.roads.settings import RoadSettings

    path = tmp_path / name
    path.write_text(content)
    settings = RoadSettings(file=str(path))
    if not said:
        assert len(load_roads(settings).lon) == 2
        return
    with pytest.raises(ValueError, match=said) as caught:
        load_roads(settings)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id;lon;lat;kind\na;119.4;32.2;enterprise\n", "separate the columns by commas"),
        ("ID,Lon,LAT,Kind\na,119.4,32.2,castle\n", 'unknown kind "castle"'),
        ('id,lon,lat,kind\na,119.4,32.2,"enterprise\n', "row 2: not CSV"),
        ("id,lon,lat,kind\n" + "a" * 200_000 + ",1,2,enterprise\n", "row 2: not CSV"),
        ("lon,lat,kind,smoke_alarm\n119.6,32,enterprise,0\n", "counts no device at all"),
    ],
)
def test_lists_of_venues(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "venues.csv"
    path.write_text(text)
    assert main([*TINY, "--set", f"venues.file='{path}'", "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert str(path) in message
    assert content(tmp_path) == ["venues.csv"]


# -- logs -------------------------------------------------------------------------------------

START_US = 1_704_038_400_000_000  # 2024-01-01 00:00 in Shanghai
DAY = 86400.0


def small_log(path: Path, *, opened: float = 10 * DAY, closed: float | None = 10 * DAY) -> Path:
    """A log of ten days, with a few rows on the fifth."""
    log = LogWriter("c", START_US)
    log.row(0.0, Kind.PERIOD_START, "c", value=opened, text="Asia/Shanghai")
    log.row(5 * DAY, Kind.OFFLINE, "d1")
    log.row(5 * DAY + 60, Kind.ONLINE, "d1")
    if closed is not None:
        log.row(closed, Kind.PERIOD_END, "c")
    write_log(log.finish(), path)
    return path


@pytest.mark.parametrize(
    ("opened", "closed", "said"),
    [
        (10 * DAY, None, "breaks off: its period ends at 2024-01-10 16:00:00 UTC, but its last"),
        (4 * DAY, None, "last row, at 2024-01-05 16:01:00 UTC, lies outside its period"),
        (10 * DAY, 9 * DAY, "period_end is at 2024-01-09 16:00:00 UTC, but by its period_start"),
        (float("nan"), 4 * DAY, "lies outside its period"),
        (float("inf"), 10 * DAY, "more than nothing"),
        (-1.0, 10 * DAY, "more than nothing"),
        (1e300, None, "more than nothing"),
    ],
)
def test_a_log_that_does_not_fit_its_period(
    opened: float,
    closed: float | None,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Judged to its end it would be judged wrongly; the message names the file."""
    path = small_log(tmp_path / "a.parquet", opened=opened, closed=closed)
    message = refused(["evaluate", str(path)], capsys)
    assert said in message
    assert str(path) in message


def test_a_log_that_fits(tmp_path: Path) -> None:
    """Closed by a row, or by a length that the last row reaches."""
    assert compute(read_log(small_log(tmp_path / "a"))).period.seconds == 10 * DAY
    short = small_log(tmp_path / "b", opened=5 * DAY + 60, closed=None)
    assert compute(read_log(short)).period.seconds == 5 * DAY + 60
    open_end = small_log(tmp_path / "c", opened=float("nan"))
    assert compute(read_log(open_end)).period.seconds == 10 * DAY


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (lambda us: pa.array([t / 1e6 for t in us]), "column time is double"),
        (lambda us: pa.array([t // 1_000_000 for t in us]), "in seconds or milliseconds"),
        (lambda us: pa.array([t // 1000 for t in us]), "in seconds or milliseconds"),
        (lambda us: pa.array([t * 1000 for t in us]), "between the years 1970 and 2200"),
        (lambda us: pa.array([str(t) for t in us]), "column time is string"),
    ],
)
def test_times_in_another_unit(time: object, said: str, tmp_path: Path) -> None:
    path = small_log(tmp_path / "a.parquet")
    table = pq.read_table(path)
    us = table["time"].cast(pa.int64()).to_pylist()
    assert callable(time)
    pq.write_table(table.set_column(0, "time", time(us)), path)
    with pytest.raises(LogError, match=said):
        read_log(path)
    pq.write_table(table.set_column(0, "time", pa.array(us)), path)
    assert read_log(path).time.tolist() == us


def test_a_log_of_another_schema(tmp_path: Path) -> None:
    path = small_log(tmp_path / "a.parquet")
    pq.write_table(pq.read_table(path).replace_schema_metadata({"twin.schema": "2"}), path)
    with pytest.raises(LogError, match="schema version 2"):
        read_log(path)
    with pytest.raises(LogError, match="is a folder"):
        read_log(tmp_path)


def test_nobody_ever_on_duty_is_not_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A roster of absent people is a statement; and what never happened has no seconds."""
    absent = ["--set", 'centers.center.roster.absence="100 %"']
    nobody = ["--set", 'centers.center.roster.cover="0 %"']
    out = tmp_path / "out"
    arguments = ["run", "township", "--days", "28", "--set", "venues.points=1500"]
    assert main([*arguments, *absent, *nobody, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert " nan" not in printed
    rows = (out / "assessment.csv").read_text().splitlines()
    [shift] = [row for row in rows if ",4.4,shift," in row]
    assert ",not met," in shift
    assert not any("nan s" in row or "nan h" in row for row in rows)


@pytest.mark.parametrize(
    ("sector", "share"), [("east", 1.0), ("400", 1.0), ("90", 2.0), ("90", float("nan"))]
)
def test_a_wind_that_is_no_rose(sector: str, share: float) -> None:
    from twin.assessment import assess

    log = LogWriter("c", START_US)
    log.row(0.0, Kind.PERIOD_START, "c", value=DAY, text="UTC")
    log.row(0.0, Kind.WIND, sector, value=share)
    log.row(0.0, Kind.HAZARD_BEARING, "works", value=90.0, text="dangerous_chemicals")
    log.row(DAY, Kind.PERIOD_END, "c")
    with pytest.raises(LogError, match="wind row"):
        assess(log.finish())
