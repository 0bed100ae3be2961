"""The report: its figures are those of the KPIs, its folder is whole, its lists are complete."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from twin.kpi import Kpis, Rows, compute_rows
from twin.log import Log, LogWriter
from twin.report import series
from twin.report.assumptions import assumptions
from twin.report.folder import FolderError, check_folder, whole_folder
from twin.report.notices import notices
from twin.report.plots import plot_map
from twin.scenario import Scenario, load_scenario
from twin.terms import Annotation, Category, Kind, Role, Ticket, Verification, View
from twin.world import simulate

DAY = 86400.0


def _log() -> Log:
    """Four weeks with a few rows of everything that is drawn; 2026-01-01 is a Thursday."""
    log = LogWriter("c", 1_767_225_600_000_000)
    log.row(0.0, Kind.PERIOD_START, "c", value=28 * DAY, text="UTC")
    log.row(28 * DAY, Kind.PERIOD_END, "c")
    text = '{"kind": "smoke_alarm", "category": "fire", "venue": "v", "vendor": "x"}'
    for number in range(10):
        log.row(0.0, Kind.DEVICE, f"d{number}", value=1.0, text=text)
    # one of ten devices offline for exactly half of the second day
    for view in View:
        log.row(1.25 * DAY, Kind.OFFLINE, "d0", view=view)
        log.row(1.75 * DAY, Kind.ONLINE, "d0", view=view)
    log.row(1.5 * DAY, Kind.TICKET_OPENED, "d0", value=2 * DAY, text=Ticket.OFFLINE)
    log.row(2.5 * DAY, Kind.TICKET_CLOSED, "d0", text=Ticket.OFFLINE)
    # an alarm at 10:00 with a repeat 20 s later, verified after 50 s
    at = 5 * DAY + 10 * 3600
    log.row(at, Kind.FIRE_ALARM, "d1", message=1, alarm=1, value=1, text=Category.FIRE)
    log.row(at + 3, Kind.RESPONDED, "p1", alarm=1)
    log.row(at + 20, Kind.FIRE_ALARM, "d2", message=2, alarm=1, value=1, text=Category.FIRE)
    log.row(at + 50, Kind.VERIFIED, "p1", alarm=1, text=Verification.NOT_A_FIRE)
    log.row(at + 60, Kind.ANNOTATED, "p1", alarm=1, text=Annotation.FALSE_NUISANCE)
    log.row(at + 61, Kind.CLOSED, "p1", alarm=1)
    # a second one at 22:00 that nobody looks at
    log.row(at + 12 * 3600, Kind.FIRE_ALARM, "d3", message=3, alarm=2, value=1, text=Category.FIRE)
    # two people on duty all the time; one out every Thursday from 8 to 9 h
    for person in ("p1", "p2"):
        log.row(0.0, Kind.ON_DUTY, person, text=Role.DUTY)
        log.row(28 * DAY, Kind.OFF_DUTY, person, text=Role.DUTY)
    for week in range(4):
        log.row((7 * week) * DAY + 8 * 3600, Kind.LEFT_DESK, "p1", text="break")
        log.row((7 * week) * DAY + 9 * 3600, Kind.BACK_AT_DESK, "p1")
    return log.finish()


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The log's rows."""
    return Rows(_log())


@pytest.fixture(scope="module")
def kpis(rows: Rows) -> Kpis:
    """Its figures."""
    return compute_rows(rows)


def test_online_by_day(rows: Rows, kpis: Kpis) -> None:
    """Half a day of one in ten is 95 % on that day and 100 % on all others; the mean agrees."""
    by_view = series.online_by_day(rows)
    assert set(by_view) == set(View)
    rate = by_view[View.PLATFORM]
    assert len(rate) == 28
    assert rate[1] == pytest.approx(0.95)
    assert np.delete(rate, 1) == pytest.approx(1.0)
    assert rate.mean() == pytest.approx(kpis.devices.online[View.PLATFORM].mean)


def test_waits(rows: Rows, kpis: Kpis) -> None:
    """First, repeat (somebody is at it already) and the one that nobody looks at."""
    response, verification = series.waits(rows)
    assert response.tolist() == [3.0, 0.0, float("inf")]
    assert verification.tolist() == [50.0, 30.0, float("inf")]
    seen = response[np.isfinite(response)]
    assert np.median(seen) == pytest.approx(kpis.alarms.response.median)
    assert np.isfinite(verification).sum() == kpis.alarms.verified


def test_alarms_by_hour(rows: Rows, kpis: Kpis) -> None:
    """A false alarm at 10 h, one without annotation at 22 h."""
    table = kpis.alarms.table
    counts = series.alarms_by_hour(rows, table.raised_us, table.annotation)
    assert counts[list(Annotation).index(Annotation.FALSE_NUISANCE), 10] == 1
    assert counts[-1, 22] == 1
    assert counts.sum() == kpis.alarms.alarms_all == 2
    assert counts.sum(axis=0).tolist() == list(kpis.alarms.by_hour)


def test_open_tickets(rows: Rows) -> None:
    """Open from noon to noon: half a ticket on the mean of each of two days."""
    found = series.open_tickets_by_day(rows)
    assert set(found) == {Ticket.OFFLINE}
    assert found[Ticket.OFFLINE][:4].tolist() == pytest.approx([0, 0.5, 0.5, 0])


def test_desk_week(rows: Rows, kpis: Kpis) -> None:
    """One at the desk on Thursdays from 8 to 9 h, two at all other times; the minutes agree."""
    week = series.desk_week(rows)
    assert week is not None
    thursday_8 = 3 * 24 + 8
    one = week["two or more on duty, one at the desk"]
    assert np.flatnonzero(one).tolist() == [thursday_8]
    assert one[thursday_8] == 1.0
    assert sum(week.values()) == pytest.approx(np.ones(168))
    minutes = one.sum() * 60 * 4
    assert minutes == pytest.approx(kpis.staffing.minutes_desk_below["break"])


def test_every_assumption_is_listed_with_its_range() -> None:
    """Settings that say assumption, down to the periods of congestion and the devices' numbers."""
    scenario = load_scenario("township")
    listed = {entry.key: entry for entry in assumptions(scenario)}
    assert listed["centers.center.response.call"].value == "40 s"
    assert listed["centers.center.response.call"].vary == "25 s to 60 s"
    assert "vendors.vendor.push_delay" in listed
    assert any(key.startswith("devices.smoke_alarm.") for key in listed)
    for entry in listed.values():
        assert entry.vary, f"{entry.key} is an assumption without a range"
        assert entry.what
        assert "assumption" in entry.source
    assert listed["roads.engine_top_speed"].value == "90 km/h"  # as its range, not 25 m/s
    assert listed["venues.night_answer"].value == "80 %"
    assert "centers.center.helpers.brigade_turnout" not in listed  # NFPA 1710


def test_an_assumption_shows_the_value_of_the_run() -> None:
    """A changed setting and a changed device number appear as they were used."""
    scenario: Scenario = load_scenario(
        "township", ['centers.center.response.call="55 s"', "devices.smoke_alarm.soiling_years=7"]
    )
    listed = {entry.key: entry.value for entry in assumptions(scenario)}
    assert listed["centers.center.response.call"] == "55 s"
    assert listed["devices.smoke_alarm.soiling_years"] == "7"


def test_the_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """An exception leaves neither the folder nor its unfinished twin, and keeps an earlier run."""
    out = tmp_path / "run"

    def broken() -> None:
        with whole_folder(out) as part:
            assert part != out
            (part / "half.txt").write_text("")
            assert not out.exists() or (out / "manifest.json").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(tmp_path.iterdir()) == []
    with whole_folder(out) as part:
        (part / "manifest.json").write_text('{"twin": "1"}')
    with pytest.raises(RuntimeError):
        broken()
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "manifest.json"]


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    """Neither a folder with other things nor one in the place of the unfinished run is touched."""
    (tmp_path / "run.part").mkdir()
    with pytest.raises(FolderError, match="move it away"):
        check_folder(tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"name": "an app"}')
    with pytest.raises(FolderError, match="not the output of an earlier run"):
        check_folder(tmp_path / "other")
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")


# -- notices, and the map --------------------------------------------------------------------------


def _told(settings: dict[str, object], where: tuple[float, float] | None = None) -> list[str]:
    """The notices of a log of a scenario with these settings, with an edge point there."""
    scenario = load_scenario("township").changed(**settings)
    log = LogWriter("center", 1_767_225_600_000_000)
    log.row(0.0, Kind.PERIOD_START, "center", value=9.0, text="UTC")
    log.row(9.0, Kind.PERIOD_END, "center")
    if where is not None:
        facts = json.dumps(dict(zip(("lon", "lat"), where, strict=True)))
        log.row(0.0, Kind.EDGE_POINT, "edge-001", text=facts)
    found = notices(log.finish({"twin.scenario": scenario.toml()}), "center")
    assert all(text.zh and text.zh != text.en for text in found)
    return [text.en for text in found]


def test_a_center_in_the_middle_of_a_map_is_called_arbitrary() -> None:
    """Not on the built-in township, and not where the scenario says where it stands."""
    (notice,) = _told({"roads.file": "town.osm.pbf"})
    assert "middle of the road network" in notice
    assert "centers.center.lon and lat" in notice
    assert _told({}) == []
    placed = {"centers.center.lon": 11.6, "centers.center.lat": 49.9}
    assert _told({"roads.file": "town.osm.pbf", **placed}) == []


def test_chinese_coordinates_outside_china_are_told() -> None:
    """In Andorra GCJ-02 shifts nothing; in Jiangsu it does, and WGS-84 never needs it."""
    files: dict[str, object] = {"venues.file": "venues.csv", "venues.coordinates": "gcj02"}
    (notice,) = _told(files, (1.5, 42.5))
    assert "GCJ-02" in notice
    assert "in China only" in notice
    assert _told(files, (119.6, 32.0)) == []
    assert _told(files) == []
    assert _told({"venues.file": "venues.csv"}, (1.5, 42.5)) == []


def test_a_log_without_a_scenario_has_no_notices() -> None:
    assert notices(_log(), "c") == ()


def test_the_map_marks_the_points_that_decide() -> None:
    """The last point to be reached and the farthest one, where the log says they are."""
    run = simulate(load_scenario("township").changed(**{"venues.points": 200, "duration": "1 d"}))
    figure = plot_map(run)
    (ax,) = figure.axes
    marks = {line.get_label(): line for line in ax.get_lines()}
    rows = Rows(run.log)
    for label, kind, text in (
        ("last point of the edge", Kind.EDGE_TIME, "Mon 17:00"),
        ("farthest point of the edge", Kind.EDGE_DISTANCE, "straight"),
    ):
        at = rows.where_text(rows.at(kind), text)
        worst = rows.subjects(at)[int(rows.log.value[at].argmax())]
        (point,) = [
            json.loads(words)
            for name, words in zip(
                rows.subjects(rows.at(Kind.EDGE_POINT)),
                rows.texts(rows.at(Kind.EDGE_POINT)),
                strict=True,
            )
            if name == worst
        ]
        x, y = map(float, run.network.project(point["lon"], point["lat"]))
        mark = marks[label]
        assert mark.get_xdata() == pytest.approx([x])
        assert mark.get_ydata() == pytest.approx([y])
    shown = [text.get_text() for text in ax.texts]
    assert any(text.endswith(" min") for text in shown)
    assert "8.006 km" in shown
