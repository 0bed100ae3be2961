"""Scenario files: extending, units, round trip, messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.assessment.checklist import CHECKLIST, Answer
from twin.scenario import (
    Scenario,
    ScenarioError,
    load_scenario,
    scenario_schema,
    shipped_scenarios,
)
from twin.standard import Modality


@pytest.mark.parametrize("name", list(shipped_scenarios()))
def test_shipped_scenarios_load_and_say_their_purpose(name: str) -> None:
    """Each is valid and says what it is for, in the file's first line too."""
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.purpose
    assert shipped_scenarios()[name].read_text(encoding="utf-8").startswith("# ")


def test_the_default_answers_the_whole_checklist() -> None:
    """No clause of the default is "not judged" for want of a tick; its shalls are in order."""
    answers = load_scenario("township").centers["center"].checklist
    asked = {k for k, item in CHECKLIST.items() if item.answer is not Answer.FACT}
    assert asked <= set(answers)
    for key in asked:
        item = CHECKLIST[key]
        if item.modality is Modality.SHALL and not item.either:
            assert item.meets(float(answers[key])), key


def test_the_wind_is_a_whole_rose() -> None:
    """The shares of the sectors add up to 1, and the prevailing wind is easterly."""
    wind = load_scenario("township").centers["center"].wind
    assert sum(wind.values()) == pytest.approx(1.0)
    assert max(wind, key=wind.__getitem__) == "90"


def test_full_center_is_5_1_12s_largest() -> None:
    """20,000 points with hourly heartbeats, on top of the township."""
    full, base = load_scenario("full-center"), load_scenario("township")
    assert full.venues.points == 20_000
    assert full.vendors["vendor"].heartbeat == 3600.0
    assert full.centers["center"].checklist == base.centers["center"].checklist


def test_the_resolved_file_reads_back(tmp_path: Path) -> None:
    """toml() holds every setting: what it says is the scenario that was run."""
    scenario = load_scenario("township", ["seed=7", 'duration="10 d"'])
    path = tmp_path / "resolved.toml"
    path.write_text(scenario.toml(), encoding="utf-8")
    assert load_scenario(path) == scenario


@given(
    seconds=st.floats(0.001, 1e6, allow_nan=False),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
)
def test_any_value_reads_back(seconds: float, name: str) -> None:
    """Quantities and texts survive being written out."""
    import tomllib

    scenario = Scenario.model_validate({}).changed(
        **{"name": name, "centers.center.response.call": f"{seconds!r} s"}
    )
    again = Scenario.model_validate(tomllib.loads(scenario.toml()))
    assert again == scenario


def test_units_are_free_within_their_dimension() -> None:
    """90 min, 1.5 h and 5400 s are the same."""
    texts = ("90 min", "1.5 h", "5400 s")
    scenarios = [load_scenario("township", [f'vendors.vendor.heartbeat="{t}"']) for t in texts]
    assert [s.vendors["vendor"].heartbeat for s in scenarios] == [5400.0] * 3


def test_extends_merges_tables_and_paths_follow_their_file(tmp_path: Path) -> None:
    """Upper settings win, others stay; a path is relative to the file that names it."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "low.toml").write_text(
        "[venues]\nfile = 'list.csv'\nresponsible = 7\n[centers.a]\nlon = 1\nlat = 2\n"
    )
    top = tmp_path / "top.toml"
    top.write_text("extends = 'base/low.toml'\n[venues]\nresponsible = 6\n[centers.a]\nlat = 3\n")
    scenario = load_scenario(top)
    assert scenario.venues.responsible == 6
    assert scenario.venues.file == str(base / "list.csv")
    assert (scenario.centers["a"].lon, scenario.centers["a"].lat) == (1, 3)


def test_extends_in_a_circle(tmp_path: Path) -> None:
    """Told, not followed for ever."""
    (tmp_path / "a.toml").write_text("extends = 'b.toml'")
    (tmp_path / "b.toml").write_text("extends = 'a.toml'")
    with pytest.raises(ScenarioError, match="leads back to this file"):
        load_scenario(tmp_path / "a.toml")


def test_every_wrong_setting_is_told_at_once(tmp_path: Path) -> None:
    """A file with three mistakes gives three lines, each with its place."""
    path = tmp_path / "mine.toml"
    path.write_text("seed = -1\n[venues]\npoints = 0\nvideo_share = '2 h'\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    for place, line in zip(("seed", "venues.points", "venues.video_share"), lines, strict=True):
        assert line.startswith(f"{path}: {place}: ")


def test_several_centers_need_a_place(tmp_path: Path) -> None:
    """Only a single center may stand in the network's middle."""
    path = tmp_path / "mine.toml"
    path.write_text("[centers.a]\nlon = 119.5\nlat = 32.0\n[centers.b]\n")
    with pytest.raises(ScenarioError, match=r"centers\.b: .*needs lon and lat"):
        load_scenario(path)


def test_the_schema_is_json_and_lists_the_checklist() -> None:
    """An editor completes the checklist's items and rejects others."""
    schema = json.loads(json.dumps(scenario_schema()))
    items = schema["$defs"]["CenterSettings"]["properties"]["checklist"]
    assert set(items["properties"]) == set(CHECKLIST)
    assert items["additionalProperties"] is False


TWO = """extends = "township"
[centers.center]
lon = 119.58
lat = 32.0
area = "west.geojson"
[centers.east]
like = "center"
lon = 119.64
lat = 32.01
roster.duty = 8
checklist."5.1.5.floor_area_m2" = 90
"""


def test_a_center_is_like_another_but_for_what_it_says(tmp_path: Path) -> None:
    """Checklist, wind and roster come along; place and area do not."""
    path = tmp_path / "two.toml"
    path.write_text(TWO)
    (tmp_path / "west.geojson").write_text("{}")
    first, second = load_scenario(path).centers.values()
    assert (second.lon, second.lat, second.area) == (119.64, 32.01, None)
    assert first.area is not None
    assert (first.roster.duty, second.roster.duty) == (12, 8)
    assert second.roster.maintenance == first.roster.maintenance == 3
    changed = {k for k in CHECKLIST if second.checklist.get(k) != first.checklist.get(k)}
    assert changed == {"5.1.5.floor_area_m2"}
    assert second.wind == first.wind != {}
    # one that is like the like, set on the command line; resolved, it stands alone
    more = ("centers.far.like=east", "centers.far.lon=119.6", "centers.far.lat=32.05")
    far = load_scenario(path, more).centers["far"]
    assert (far.roster.duty, far.checklist["5.1.5.floor_area_m2"]) == (8, 90)
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(load_scenario(path).toml())
    assert "like =" not in resolved.read_text()
    assert load_scenario(resolved) == load_scenario(path)


@pytest.mark.parametrize(
    ("like", "says"),
    [
        ('"west"', "there are center"),
        ('"east"', "there are center"),
        ("1", "the name of another center"),
    ],
)
def test_a_center_is_like_one_that_is_there(tmp_path: Path, like: str, says: str) -> None:
    path = tmp_path / "two.toml"
    path.write_text(TWO.replace('like = "center"', f"like = {like}"))
    with pytest.raises(ScenarioError, match=rf"centers\.east\.like: .*{says}"):
        load_scenario(path)


def test_centers_that_are_like_each_other(tmp_path: Path) -> None:
    """Told, not followed for ever."""
    path = tmp_path / "two.toml"
    path.write_text(TWO.replace("[centers.center]", '[centers.center]\nlike = "east"'))
    with pytest.raises(ScenarioError, match="leads back to itself"):
        load_scenario(path)


def test_an_editor_knows_like() -> None:
    """It is in the schema, and among the settings that a slip is answered with."""
    schema = scenario_schema()
    assert "like" in schema["$defs"]["CenterSettings"]["properties"]
    with pytest.raises(ScenarioError, match=r"known here are .*like"):
        load_scenario("township", ["centers.center.lik=1"])
