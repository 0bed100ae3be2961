"""Plans of awkward districts: places without points or divided, names, handed-over scenarios."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from twin.planning import SitePlan, plan_sites
from twin.planning.handover import write_scenarios
from twin.roads.load import load_roads
from twin.roads.network import RoadNetwork
from twin.roads.settings import RoadSettings
from twin.scenario import ScenarioError, load_scenario
from twin.terms import Kind
from twin.world import simulate

BASE = ["siting.count=60", "siting.front=0", "siting.edge=false"]


@pytest.fixture(scope="module")
def township() -> RoadNetwork:
    return load_roads(RoadSettings())


def planned(tmp_path: Path, venues: list[str], *settings: str) -> SitePlan:
    """A plan of the township for venues in rows of id, lon, lat, kind, smoke alarms."""
    file = tmp_path / "venues.csv"
    file.write_text("\n".join(["id,lon,lat,kind,smoke_alarm", *venues]) + "\n", encoding="utf-8")
    return plan_sites(load_scenario("township", [*BASE, f"venues.file={file}", *settings]))


def row(network: RoadNetwork, node: int, points: int, name: str = "") -> str:
    lon, lat = network.lon[node], network.lat[node]
    return f"{name or f'P{node}'},{lon:.7f},{lat:.7f},nine_small,{points}"


def test_a_place_without_points_is_in_its_centers_area(
    tmp_path: Path, township: RoadNetwork
) -> None:
    nodes = np.random.default_rng(1).choice(len(township), 80, replace=False).tolist()
    plan = planned(tmp_path, [row(township, node, 20 * (k % 2)) for k, node in enumerate(nodes)])
    assert len(plan.centers) > 2
    for center in plan.centers:
        x, y = plan.venues.x[center.venues], plan.venues.y[center.venues]
        assert shapely.distance(center.area, shapely.points(x, y)).max() < 1.0


def test_a_new_center_has_no_standing_centers_name(tmp_path: Path, township: RoadNetwork) -> None:
    rows = [row(township, node, 20) for node in range(0, len(township), 97)]
    plan = planned(tmp_path, rows, 'siting.standing."center-2"={lon=119.58, lat=32.03}')
    names = [center.name for center in plan.centers]
    assert names[0] == "center-2"
    assert len(set(names)) == len(names) > 2
    write_scenarios(tmp_path, plan)
    assert set(load_scenario(tmp_path / "all-centers.toml").centers) == set(names)


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory, township: RoadNetwork) -> SitePlan:
    """A place of 4,500 points and a small one beside it; a center holds 2,000."""
    rows = [row(township, 900, 4500, "tower"), row(township, 901, 20, "shop")]
    folder = tmp_path_factory.mktemp("divided")
    return planned(folder, rows, "siting.objective=capacitated", "siting.capacity=2000")


def test_every_center_stands_in_its_area(divided: SitePlan) -> None:
    """`twin run` refuses a center that is outside; here most of them serve somebody far away."""
    assert [center.points <= 2000 for center in divided.centers] == [True] * 3
    for center in divided.centers:
        assert shapely.dwithin(center.area, shapely.Point(center.x, center.y), 1.0)


def test_a_divided_place_is_divided_in_the_scenarios(divided: SitePlan, tmp_path: Path) -> None:
    """Each center alone, and all together: everybody has the points that the plan gives."""
    planned_points = {center.name: center.points for center in divided.centers}
    alone = {}
    for file in write_scenarios(tmp_path, divided):
        run = simulate(load_scenario(tmp_path / file, ['duration="1 d"']))
        (name,) = run.sites
        alone[name] = run.points
    assert alone == planned_points
    together = simulate(load_scenario(tmp_path / "all-centers.toml", ['duration="1 d"']))
    devices = together.log.rows(Kind.DEVICE)
    assert {name: len(devices.of_center(name)) for name in planned_points} == planned_points
    names = [name for site in together.sites.values() for name in site.venue_ids]
    assert len(set(names)) == len(names) == 4  # the tower three times, the shop once


def test_people_are_those_of_the_plan(tmp_path: Path, township: RoadNetwork) -> None:
    """Named people of the scenario's own center do not work at all the planned ones."""
    teams = [f'li-{k}={{role="duty", team={k % 4 + 1}}}' for k in range(16)]
    people = "centers.center.roster.people={" + ", ".join(teams) + "}"
    rows = [row(township, node, 20) for node in range(0, len(township), 97)]
    plan = planned(tmp_path, rows, people)
    write_scenarios(tmp_path, plan)
    scenario = load_scenario(tmp_path / "all-centers.toml")
    for center in plan.centers:
        assert center.people_per_shift == 4
        names = scenario.centers[center.name].roster.roster()
        assert not any(name.startswith("li") for name in names)
        assert len(names) == center.duty + center.maintenance == 16 + center.maintenance


def test_the_wind_is_that_of_the_plan(tmp_path: Path, township: RoadNetwork) -> None:
    """5.1.2 is judged in a run by the rose by which the sites were chosen."""
    rows = [row(township, node, 20) for node in range(0, len(township), 97)]
    plan = planned(tmp_path, rows, 'siting.wind={ENE="62.5 %", "180"="37.5 %"}')
    write_scenarios(tmp_path, plan)
    for center in load_scenario(tmp_path / "all-centers.toml").centers.values():
        assert center.wind == {"67.5": 0.625, "180": 0.375}


def test_a_place_larger_than_a_center(tmp_path: Path, township: RoadNetwork) -> None:
    with pytest.raises(ScenarioError, match="siting: tower alone has 900 points, more than the"):
        planned(
            tmp_path, [row(township, 900, 900, "tower"), row(township, 5, 9)],
            "siting.objective=capacitated", "siting.capacity=800", "siting.split=false",
        )  # fmt: skip


def test_a_venue_of_a_center_that_there_is_not(tmp_path: Path) -> None:
    file = tmp_path / "venues.csv"
    file.write_text("id,lon,lat,kind,center\nV,119.6,32.0,nine_small,west\n")
    scenario = load_scenario("township", [f"venues.file={file}", 'duration="1 d"'])
    with pytest.raises(ScenarioError, match=r'venues\.csv: venue "V" has center "west", which is'):
        simulate(scenario)
