"""`twin site` from the command line: the answer, its files, its scenarios, and bad input."""

import csv
import itertools
import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from twin.assessment import assess
from twin.cli import main
from twin.planning import SitePlan, plan_sites
from twin.scenario import load_scenario
from twin.world import simulate

SMALL = ["venues.points=3000", "siting.count=150", "siting.front=0"]


def site(tmp_path: Path, *options: str, out: str = "plan") -> Path:
    """Runs `twin site` on the township and gives its folder."""
    arguments = ["site", "township", "--out", str(tmp_path / out)]
    for setting in SMALL:
        arguments += ["--set", setting]
    assert main([*arguments, *options]) == 0
    return tmp_path / out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def plan() -> SitePlan:
    return plan_sites(load_scenario("township", ["venues.points=3000", "siting.front=0"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site(tmp_path_factory.mktemp("site"), "--set", "siting.front=6")


def test_every_area_is_reached_at_its_edge(plan: SitePlan) -> None:
    """5.1.1 holds at the edge of each area, because every road of the district is reached."""
    assert plan.choice.status == "optimal"
    assert plan.choice.gap == 0.0
    assert not plan.uncovered
    assert plan.covered_points == plan.points == 3000
    for center in plan.centers:
        assert center.measured is not None
        assert center.time is not None
        assert center.time.value == center.measured.worst_hour_s.max()
        assert center.time.value <= 900.0


def test_fewer_centers_do_not_reach_everything(plan: SitePlan) -> None:
    """Against HiGHS's claim: by exhaustion over pairs, where the plan says more than two."""
    from twin.roads.travel import TravelTimes
    from twin.siting.times import node_times, reach_matrix

    assert len(plan.centers) > 2
    travel = TravelTimes(plan.network, plan.scenario.roads)
    demand, sites = plan.demand, plan.candidates
    covers = reach_matrix(
        node_times(travel, sites.node, travel.slowest_hours()),
        (sites.x, sites.y),
        (demand.node, demand.x, demand.y),
        plan.template.response.turnout,
        900.0,
        8000.0,
    ).covers
    coverable = covers[covers.any(axis=1)]
    chosen = plan.choice.sites
    assert coverable[:, chosen].any(axis=1).all()
    for one in range(len(sites)):
        left = coverable[~coverable[:, one]]
        assert not left.all(axis=0).any()


def test_tables_add_up(folder: Path) -> None:
    centers, demand = rows(folder / "centers.csv"), rows(folder / "demand.csv")
    assert sum(int(row["points"]) for row in centers) == 3000
    assert sum(int(row["points"]) for row in demand) == 3000
    by_center = {row["center"]: 0 for row in centers}
    for row in demand:
        by_center[row["center"]] += int(row["points"])
    assert by_center == {row["center"]: int(row["points"]) for row in centers}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["choice"]["gap"] == 0
    assert manifest["choice"]["status"] == "optimal"
    assert manifest["counts"]["centers"] == len(centers)
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == files


def test_layers_hold_the_same(folder: Path) -> None:
    """GeoJSON and GeoPackage: names, counts, degrees, and areas that hold their centers."""
    layers = folder / "layers"
    package = sqlite3.connect(layers / "layers.gpkg")
    listed = dict(package.execute("select table_name, srs_id from gpkg_contents"))
    for path in layers.glob("*.geojson"):
        collection = json.loads(path.read_text(encoding="utf-8"))
        assert listed[path.stem] == 4326
        (count,) = package.execute(f'select count(*) from "{path.stem}"').fetchone()
        assert count == len(collection["features"]) > 0
        bounds = np.array([shape(f["geometry"]).bounds for f in collection["features"]])
        assert (bounds[:, [0, 2]] > 119).all()
        assert (bounds[:, [0, 2]] < 121).all()
        assert (bounds[:, [1, 3]] > 31).all()
        assert (bounds[:, [1, 3]] < 33).all()
    assert {"centers", "areas", "reach", "demand"} <= set(listed)
    areas = json.loads((layers / "areas.geojson").read_text(encoding="utf-8"))
    demand = json.loads((layers / "demand.geojson").read_text(encoding="utf-8"))
    of = {f["properties"]["center"]: shape(f["geometry"]) for f in areas["features"]}
    for feature in demand["features"]:
        if feature["properties"]["id"].startswith("V"):
            place = shape(feature["geometry"])
            assert of[feature["properties"]["center"]].distance(place) < 1e-5


def test_the_page_opens_offline(folder: Path) -> None:
    """Nothing is loaded from anywhere; the roads are in it; it stays small."""
    text = (folder / "site.html").read_text(encoding="utf-8")
    assert len(text) < 10_000_000
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", text)
    assert "url(" not in text
    assert "@import" not in text
    roads = re.search(r'<g class="roads">(.*?)</g>', text, re.DOTALL)
    assert roads is not None
    assert roads[1].count("l") > 100
    assert text.count('<g class="centers">') == 1
    for name in ("map", "front"):
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_centers_scenario_runs_and_agrees(folder: Path) -> None:
    """`twin run` takes it as it is; its log gives the edge's time and radius of the plan."""
    planned = rows(folder / "centers.csv")[0]
    scenario = load_scenario(folder / "scenarios" / "center-1.toml", ['duration="7 d"'])
    run = simulate(scenario)
    assert run.points == int(planned["points"])
    (assessment,) = assess(run.log)
    found = {f.item: f for f in assessment.findings if f.clause == "5.1.1"}
    assert found["travel"].margin_value == pytest.approx(
        900.0 - 60 * float(planned["edge_worst_hour_min"]), abs=5.0
    )
    assert found["radius"].margin_value == pytest.approx(
        8000.0 - 1000 * float(planned["edge_straight_km"]), abs=5.0
    )
    (wind,) = (f for f in assessment.findings if f.clause == "5.1.2" and f.item == "wind")
    assert wind.verdict.value in ("met", "not judged")
    assert len(scenario.centers["center-1"].roster.roster()) == int(planned["duty_people"]) + int(
        planned["maintenance_people"]
    )


def test_all_centers_in_one_scenario(folder: Path) -> None:
    planned = rows(folder / "centers.csv")
    scenario = load_scenario(folder / "scenarios" / "all-centers.toml", ['duration="2 d"'])
    run = simulate(scenario)
    assert run.points == 3000
    assert set(run.sites) == {row["center"] for row in planned}
    for row in planned:
        assert len(run.sites[row["center"]].venue_ids) == int(row["venues"])


def test_the_front_is_one(folder: Path) -> None:
    """More centers reach no fewer points and take no longer; what the plan has lies on it."""
    front = rows(folder / "front.csv")
    assert {int(row["centers"]) for row in front} == set(range(1, 7))
    best = [max(float(r["share_covered"]) for r in front if int(r["centers"]) <= k)
            for k in range(1, 7)]  # fmt: skip
    mean = [min(float(r["mean_min"]) for r in front if int(r["centers"]) <= k)
            for k in range(1, 7)]  # fmt: skip
    assert best == sorted(best)
    assert best[-1] == 1.0
    assert all(a > b for a, b in itertools.pairwise(mean))
    assert {row["status"] for row in front} == {"optimal"}


def test_the_same_plan_twice(folder: Path, tmp_path: Path) -> None:
    again = site(tmp_path)
    for name in ("centers.csv", "demand.csv", "layers/layers.gpkg", "layers/areas.geojson"):
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_what_is_not_covered_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One center alone; the rest is named with the nearest candidate, time and distances."""
    folder = site(tmp_path, "--set", "siting.objective=best", "--set", "siting.k=1",
                  "--incident", "119.6,32.0")  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.startswith("Reached from no candidate: ")
    assert "\nNot reached from the chosen centers: " in printed
    assert re.search(
        r"nearest N\d+, [\d.]+ min, [\d.]+ km straight, [\d.]+ km\s+by\s+road", printed
    )
    assert "Hydrants for the incident at 119.6, 32" in printed
    uncovered = rows(folder / "uncovered.csv")
    demand = {row["id"]: row for row in rows(folder / "demand.csv")}
    assert {row["id"] for row in uncovered} == {
        k for k, r in demand.items() if r["reached"] != "True"
    }
    (center,) = rows(folder / "centers.csv")
    assert int(center["points"]) == 3000


def test_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = site(tmp_path, "--lang", "zh")
    printed = capsys.readouterr().out
    assert "已证明最优" in printed
    assert "5.1.2" in printed
    text = (folder / "site.html").read_text(encoding="utf-8")
    assert 'lang="zh-Hans"' in text
    assert "服务中心选址" in text


def test_standing_centers_stay(tmp_path: Path) -> None:
    folder = site(tmp_path, "--set", "siting.standing.old={lon=119.58, lat=32.03}")
    centers = rows(folder / "centers.csv")
    assert [row["center"] for row in centers if row["standing"] == "True"] == ["old"]
    assert (folder / "scenarios" / "all-centers.toml").read_text().count('"old"') <= 1


def test_centers_above_the_capacity_are_split_or_staffed() -> None:
    """5.1.12 with a capacity of 600: both ways out."""
    base = load_scenario("township", [*SMALL, "siting.capacity=600", "siting.edge=false"])
    split = plan_sites(base.changed(**{"siting.objective": "capacitated"}))
    assert max(center.points for center in split.centers) <= 600
    assert sum(center.points for center in split.centers) == 3000
    dear = {"siting.objective": "cheapest", "siting.price_center": 1e9}
    staffed = plan_sites(base.changed(**dear))
    assert len(staffed.centers) < len(split.centers)
    for center in staffed.centers:
        assert center.people_per_shift == 3 + max(0, -(-center.points // 600) - 1)
    assert staffed.price == pytest.approx(staffed.choice.objective)


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (['siting.chemicals_distance="50 km"'], "no candidate is left after 5.1.2"),
        (["centers.center.wind={}"], "siting.wind: the district has 2 premises"),
        (['siting.wind={"0"="50 %", "180"="50 %"}'], "no wind prevails"),
        (["siting.standing.far={lon=110.0, lat=32.0}"], "from the nearest road"),
        (["siting.objective=best"], "needs k"),
        (["siting.objective=best", "siting.k=999"], "sites are left to choose from"),
        (["siting.candidates=file", "siting.candidates_file=none.csv"], "cannot be read"),
        (["siting.candidates=buildings"], "has no buildings"),
        (['siting.travel_limit="1 min"'], "no candidate reaches any"),
    ],
)
def test_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: list[str], says: str
) -> None:
    out = tmp_path / "plan"
    arguments = ["site", "township", "--out", str(out)]
    for setting in [*SMALL, *settings]:
        arguments += ["--set", setting]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_demand_point_off_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venues = tmp_path / "venues.csv"
    venues.write_text("lon,lat,kind\n119.6,32.0,nine_small\n118.6,32.0,nine_small\n")
    assert main(["site", "township", "--set", f"venues.file={venues}", "--out",
                 str(tmp_path / "plan")]) == 2  # fmt: skip
    assert re.search(r"row 3: venue .* km from the nearest road", capsys.readouterr().err)
    assert not (tmp_path / "plan").exists()


def test_a_hazard_file_in_another_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hazards = tmp_path / "hazards.geojson"
    geometry = {"type": "Point", "coordinates": [119.6, 32.0]}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    feature = {"type": "Feature", "properties": {"kind": "filling_station"}, "geometry": geometry}
    collection = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    hazards.write_text(json.dumps(collection))
    assert main(["site", "township", "--set", f"roads.hazards_file={hazards}", "--out",
                 str(tmp_path / "plan")]) == 2  # fmt: skip
    assert "EPSG::3857; save it in WGS-84" in capsys.readouterr().err
    assert not (tmp_path / "plan").exists()


def test_a_hazard_file_of_another_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hazards = tmp_path / "hazards.geojson"
    geometry = {"type": "Point", "coordinates": [118.1, 32.0]}
    feature = {"type": "Feature", "properties": {"kind": "filling_station"}, "geometry": geometry}
    hazards.write_text(json.dumps(feature))
    assert main(["site", "township", "--set", f"roads.hazards_file={hazards}", "--out",
                 str(tmp_path / "plan")]) == 2  # fmt: skip
    message = capsys.readouterr().err
    assert re.search(r'hazards\.geojson: the hazard "filling_station" is 1\d\d km from', message)
    assert not (tmp_path / "plan").exists()


def test_an_incident_that_is_not_on_the_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["site", "township", "--out", str(tmp_path / "plan"), "--incident", "110,32"]
    for setting in [*SMALL, "siting.edge=false"]:
        arguments += ["--set", setting]
    assert main(arguments) == 2
    assert "--incident 110,32: more than 1 km from any road" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "notes.txt").write_text("mine")
    assert main(["site", "township", "--out", str(tmp_path / "plan")]) == 2
    assert "is not empty and not the output of an earlier run" in capsys.readouterr().err
    assert (tmp_path / "plan" / "notes.txt").read_text() == "mine"


def test_reach_is_less_than_a_hull(plan: SitePlan) -> None:
    for center in plan.centers:
        assert center.reached.area < 0.7 * shapely.convex_hull(center.reached).area
