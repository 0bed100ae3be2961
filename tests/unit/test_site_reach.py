"""Times, reach by road, areas, decisive rows, hydrants and brigades: by hand and by search."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from twin.roads.build import RawMap, build_network
from twin.roads.load import load_roads
from twin.roads.network import RoadNetwork, projection
from twin.roads.settings import RoadSettings
from twin.roads.travel import TravelTimes
from twin.siting.cells import node_cells
from twin.siting.reached import nearest_within, partition, reached_area, reached_roads
from twin.siting.rules import edge_points
from twin.siting.services import (
    brigade_advice,
    find_hydrants,
    nearest_hydrants,
    water_metres,
)
from twin.siting.settings import SitingSettings
from twin.siting.times import cell_matrix, decisive_rows, node_times, reach_matrix

ORIGIN = (119.6, 32.0)


def cross(arm_m: float = 4000.0, step_m: float = 1000.0) -> RoadNetwork:
    """Four straight roads of 36 km/h from a middle, a node every kilometre, no congestion."""
    steps = np.arange(0.0, arm_m + 1, step_m)
    ways: list[tuple[list[int], Mapping[str, str]]] = []
    x, y = [0.0], [0.0]
    for u, v in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        nodes = [0]
        for step in steps[1:].tolist():
            nodes.append(len(x))
            x.append(u * step)
            y.append(v * step)
        ways.append((nodes, {"highway": "residential", "maxspeed": "36"}))
    lon, lat = projection(*ORIGIN)(np.array(x), np.array(y), inverse=True)
    raw = RawMap("cross", "cross", lon.tolist(), lat.tolist(), ways=ways)
    return build_network(raw, RoadSettings())


PLAIN = RoadSettings.model_validate(
    {
        "congestion": {
            name: {"days": "weekday", "start": k, "end": k + 1, "slowdown": {}}
            for k, name in enumerate(
                ("weekday_morning", "weekday_day", "weekday_evening", "weekend_day")
            )
        },
        "junction_delay": "0 s",
        "start_stop": "8 s",
    }
)


def reached(
    travel: TravelTimes,
    node: int,
    xy: tuple[float, float],
    turnout_s: float,
    limit_s: float,
    radius_m: float,
    hour: int | None = None,
) -> shapely.MultiLineString:
    times = travel.seconds([node], hour)[0]
    return reached_roads(travel, times, node, xy, turnout_s, limit_s, radius_m, [hour])


@pytest.fixture(scope="module")
def township() -> RoadNetwork:
    return load_roads(RoadSettings())


def test_roads_are_cut_where_the_time_is_over() -> None:
    """60 s turnout, 8 s starting and stopping, 10 m/s: 332 s leave 2,640 m on each arm."""
    network = cross()
    travel = TravelTimes(network, PLAIN)
    middle = int(network.nearest(0, 0)[0])
    roads = reached(travel, middle, (0.0, 0.0), 60.0, 332.0, 8000.0)
    assert roads.length == pytest.approx(4 * 2640.0, rel=1e-3)
    inside = reached(travel, middle, (0.0, 0.0), 60.0, 332.0, 1500.0)
    assert inside.length == pytest.approx(4 * 1500.0, rel=1e-3)
    short = reached(travel, middle, (0.0, 0.0), 60.0, 118.0, 8000.0)
    assert short.length == pytest.approx(4 * 500.0, rel=1e-3)
    whole = reached(travel, middle, (0.0, 0.0), 60.0, 10_000.0, 8000.0)
    assert whole.length == pytest.approx(4 * 4000.0, rel=1e-3)


def test_the_area_is_what_lies_beside_the_roads() -> None:
    """Four strips and four round ends, not the square between them."""
    network = cross()
    travel = TravelTimes(network, PLAIN)
    middle = int(network.nearest(0, 0)[0])
    area = reached_area(reached(travel, middle, (0.0, 0.0), 60.0, 332.0, 8000.0), verge_m=50.0)
    strips = 4 * 2640.0 * 100.0 + 4 * np.pi / 2 * 50.0**2 - 4 * 50.0**2
    assert area.area == pytest.approx(strips, rel=0.01)
    assert area.convex_hull.area > 10 * area.area


def test_a_hull_claims_more_than_the_roads_reach(township: RoadNetwork) -> None:
    travel = TravelTimes(township, RoadSettings())
    site = township.middle
    xy = (float(township.x[site]), float(township.y[site]))
    area = reached_area(reached(travel, site, xy, 90.0, 600.0, 8000.0, 17), 50.0)
    assert area.convex_hull.area > 2 * area.area


def test_what_is_reached_is_what_the_times_say(township: RoadNetwork) -> None:
    """Every node reached in time lies in the area; the roads' length is that of a plain loop."""
    travel = TravelTimes(township, RoadSettings())
    site = township.middle
    xy = (float(township.x[site]), float(township.y[site]))
    area = reached_area(reached(travel, site, xy, 90.0, 600.0, 3000.0, 17), 50.0)
    times = 90.0 + travel.seconds([site], 17)[0]
    near = np.hypot(township.x - xy[0], township.y - xy[1])
    shapely.prepare(area)
    held = shapely.contains_xy(area, township.x, township.y)
    within = (times <= 600.0) & (near <= 3000.0)
    assert held[within].all()
    assert near[held].max() < 3060.0
    driving, _ = travel.edge_seconds(17)
    expected: dict[tuple[int, int], float] = {}
    for edge in np.flatnonzero(~township.contraflow).tolist():
        a, b = int(township.start[edge]), int(township.end[edge])
        start = times[a] + (8.0 if a == site else 0.0)
        share = min(1.0, max(0.0, (600.0 - start) / driving[edge]))
        ends = (min(a, b), max(a, b))
        expected[ends] = min(
            float(township.length[edge]), expected.get(ends, 0.0) + share * township.length[edge]
        )
    roads = reached(travel, site, xy, 90.0, 600.0, 50_000.0, 17)
    assert shapely.union_all(roads).length == pytest.approx(sum(expected.values()), rel=1e-3)


def test_times_in_the_slowest_hour(township: RoadNetwork) -> None:
    travel = TravelTimes(township, RoadSettings())
    sources = [5, 900, 5]
    slowest = np.max([travel.seconds(sources, hour) for hour in range(168)], axis=0)
    assert node_times(travel, sources, travel.slowest_hours()) == pytest.approx(slowest, rel=1e-6)


def test_patterns_that_do_not_dominate_are_all_looked_at() -> None:
    jams = {
        "weekday_morning": {"days": "weekday", "start": 7, "end": 9, "slowdown": {"primary": 2.0}},
        "weekday_evening": {"days": "weekday", "start": 17, "end": 18,
                            "slowdown": {"secondary": 2.0}},
        "weekday_day": {"days": "weekday", "start": 9, "end": 17, "slowdown": {"primary": 1.5}},
        "weekend_day": {"days": "weekend", "start": 9, "end": 19, "slowdown": {}},
    }  # fmt: skip
    given_jams = RoadSettings.model_validate({"congestion": jams})
    travel = TravelTimes(load_roads(given_jams), given_jams)
    assert travel.slowest_hours() == [7, 17]
    slowest = np.max([travel.seconds([3], hour) for hour in range(168)], axis=0)
    assert node_times(travel, [3], travel.slowest_hours()) == pytest.approx(slowest, rel=1e-6)


def test_the_matrix_is_the_rule(township: RoadNetwork) -> None:
    travel = TravelTimes(township, RoadSettings())
    nodes = np.array([10, 500, 2000])
    demand = np.arange(0, len(township), 50)
    sites = (township.x[nodes] + 5.0, township.y[nodes])
    places = (demand, township.x[demand], township.y[demand] + 7.0)
    times = node_times(travel, nodes, travel.slowest_hours())
    matrix = reach_matrix(times, sites, places, 90.0, 900.0, 8000.0)
    for j, node in enumerate(nodes.tolist()):
        slowest = np.max([travel.seconds([node], hour)[0] for hour in range(168)], axis=0)
        seconds = 90.0 + slowest[demand]
        metres = np.hypot(places[1] - sites[0][j], places[2] - sites[1][j])
        assert matrix.seconds[:, j] == pytest.approx(seconds, rel=1e-6)
        assert matrix.metres[:, j] == pytest.approx(metres, rel=1e-6)
        assert np.array_equal(matrix.covers[:, j], (seconds <= 900.0) & (metres <= 8000.0))


def test_cells_are_what_lies_nearest(township: RoadNetwork) -> None:
    """Against a search over random spots: the farthest corner is as far as any spot of the cell."""
    cells = node_cells(township)
    rng = np.random.default_rng(3)
    x0, y0, x1, y1 = township.boundary.bounds
    x, y = rng.uniform(x0, x1, 20_000), rng.uniform(y0, y1, 20_000)
    inside = shapely.contains_xy(township.boundary, x, y)
    x, y = x[inside], y[inside]
    places = np.column_stack([township.x, township.y])[cells.node]
    owner = cKDTree(places).query(np.column_stack([x, y]))[1]
    site = (500.0, -2000.0)
    farthest = cells.farthest(*site)
    assert (np.hypot(x - site[0], y - site[1]) <= farthest[owner] + 1e-6).all()
    nodes = np.hypot(places[:, 0] - site[0], places[:, 1] - site[1])
    assert (farthest >= nodes).all()
    assert np.median(farthest - nodes) < 150.0
    assert (farthest - nodes).max() < 2500.0  # cut off at the district's boundary
    times = np.zeros((1, len(township)), np.float32)
    held = cell_matrix(times, ([site[0]], [site[1]]), cells, 0.0, 900.0, 5000.0)
    assert np.array_equal(held[:, 0], farthest <= 5000.0)


def test_the_outermost_nodes_are_in_the_district() -> None:
    """A map without a boundary ends at the hull of its nodes, and the edge is judged there."""
    network = cross()
    ends = np.flatnonzero(np.hypot(network.x, network.y) > 3999.0)
    assert len(ends) == 4
    assert set(ends) <= set(node_cells(network).node)
    edge = edge_points(network, network.boundary)
    corner = np.hypot(edge.x, edge.y) > 3999.0
    assert set(edge.node[corner]) == set(ends)
    assert edge.offset_m[corner].max() < 1e-6
    # an area that comes from a file is off by the file's last decimal
    inner = shapely.affinity.scale(network.boundary, 1 - 2e-6, 1 - 2e-6)
    assert set(ends) <= set(edge_points(network, inner).node)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=12))
def test_decisive_rows_decide(rows: list[list[bool]]) -> None:
    """Whatever is chosen: the decisive rows are covered exactly when all coverable rows are."""
    covers = np.array(rows, bool)
    decisive = decisive_rows(covers)
    coverable = covers[covers.any(axis=1)]
    for chosen in itertools.product([False, True], repeat=4):
        columns = np.array(chosen, bool)
        every = coverable[:, columns].any(axis=1).all()
        assert covers[decisive][:, columns].any(axis=1).all() == every
    for left_out in decisive.tolist():  # none of them is needless
        rest = [row for row in decisive.tolist() if row != left_out]
        inside = covers[rest] & ~covers[left_out]
        assert not len(rest) or inside.any(axis=1).all()


def test_the_fastest_within_the_limits() -> None:
    seconds = np.array([[10.0, 20.0], [30.0, 20.0], [50.0, 40.0]])
    within = np.array([[False, True], [True, True], [False, False]])
    assert nearest_within(seconds, within).tolist() == [1, 1, 1]


def test_areas_share_out_the_district(township: RoadNetwork) -> None:
    rng = np.random.default_rng(1)
    sites = rng.choice(len(township), 6, replace=False)
    apart = np.hypot(
        township.x[:, None] - township.x[sites], township.y[:, None] - township.y[sites]
    )
    of_site = apart.argmin(axis=1)
    areas = partition(township, township.x, township.y, of_site, 7)
    assert areas[6].is_empty
    assert sum(area.area for area in areas) == pytest.approx(township.boundary.area, rel=1e-9)
    for one, other in itertools.combinations(areas, 2):
        assert one.intersection(other).area < 1.0
    inside = shapely.contains_xy(township.boundary, township.x, township.y)
    for site, area in enumerate(areas):
        mine = inside & (of_site == site)
        assert shapely.contains_xy(area, township.x[mine], township.y[mine]).all()


# -- water and brigades -------------------------------------------------------------------------


def hydrants_file(
    tmp_path: Path, network: RoadNetwork, places: list[tuple[float, float, bool]]
) -> str:
    features = []
    for x, y, working in places:
        lon, lat = (float(axis) for axis in network.unproject(x, y))
        geometry = {"type": "Point", "coordinates": [lon, lat]}
        features.append(
            {"type": "Feature", "properties": {"working": working}, "geometry": geometry}
        )
    path = tmp_path / "hydrants.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def test_hydrants_by_road_and_only_those_that_work(tmp_path: Path) -> None:
    """Straight, the broken one is next; the one at the north arm is farther by road."""
    network = cross()
    places = [(1000.0, 0.0, False), (3000.0, 0.0, True), (0.0, 2000.0, True)]
    given_file = SitingSettings(hydrants_file=hydrants_file(tmp_path, network, places))
    hydrants = find_hydrants(given_file, network, 500.0)
    assert hydrants.working.tolist() == [False, True, True]
    found = nearest_hydrants(network, hydrants, 2000.0, 10.0)
    assert [k for k, _ in found] == [1, 2]
    assert [metres for _, metres in found] == pytest.approx([1000.0, 4000.0], rel=1e-3)
    node, _ = network.nearest([2000.0, 0.0], [0.0, -4000.0])
    assert water_metres(network, hydrants, node) == pytest.approx([1000.0, 6000.0], rel=1e-3)


def test_no_working_hydrant(tmp_path: Path) -> None:
    network = cross()
    given_file = SitingSettings(
        hydrants_file=hydrants_file(tmp_path, network, [(1000.0, 0.0, False)])
    )
    hydrants = find_hydrants(given_file, network, 500.0)
    assert nearest_hydrants(network, hydrants, 0.0, 0.0) == []
    assert np.isinf(water_metres(network, hydrants, [0, 1])).all()


def test_a_hydrant_that_is_not_on_the_map(tmp_path: Path) -> None:
    network = cross()
    given_file = SitingSettings(
        hydrants_file=hydrants_file(tmp_path, network, [(0.0, 0.0, True), (0.0, 90_000.0, True)])
    )
    with pytest.raises(ValueError, match=r"feature 2: the hydrant is more than 0\.5 km from any"):
        find_hydrants(given_file, network, 500.0)


def test_brigades_where_a_station_is_far(township: RoadNetwork) -> None:
    """An engine's turnout and travel in its worst hour against the limit, place by place."""
    travel = TravelTimes(township, RoadSettings())
    advice = brigade_advice(SitingSettings(), township, travel, 80.0, 1000.0)
    assert {(a.kind, a.advised) for a in advice} == {("town", False), ("enterprise", True)}
    (station,) = township.features_of("fire_station")
    start = int(township.nearest(station.x, station.y)[0])
    for one in advice:
        node = int(township.nearest(one.x, one.y)[0])
        slowest = max(
            float(travel.seconds([start], hour, engine=True)[0, node]) for hour in range(168)
        )
        assert one.seconds == pytest.approx(80.0 + slowest)
        assert one.advised == (one.seconds > 300.0)
    rural = brigade_advice(SitingSettings(developed=False), township, travel, 80.0, 1000.0)
    assert {a.kind for a in rural} == {"enterprise"}


def test_without_a_station_everybody_is_far() -> None:
    network = cross()
    plant = build_network(
        RawMap(
            "one", "one", network.lon.tolist(), network.lat.tolist(),
            ways=[([0, 1, 2], {"highway": "residential"})],
            places=[({"man_made": "works", "product": "chemical", "name": "P"},
                     np.array([ORIGIN]))],
        ),
        PLAIN,
    )  # fmt: skip
    (one,) = brigade_advice(SitingSettings(), plant, TravelTimes(plant, PLAIN), 80.0, 1000.0)
    assert (one.name, one.station, one.seconds, one.advised) == ("P", "", np.inf, True)


def test_premises_of_an_unknown_kind(township: RoadNetwork, tmp_path: Path) -> None:
    path = tmp_path / "premises.geojson"
    geometry = {"type": "Point", "coordinates": [119.6, 32.0]}
    path.write_text(
        json.dumps({"type": "Feature", "properties": {"kind": "castle"}, "geometry": geometry})
    )
    travel = TravelTimes(township, RoadSettings())
    with pytest.raises(ValueError, match="feature 1: kind is 'castle'; write enterprise or her"):
        brigade_advice(SitingSettings(premises_file=str(path)), township, travel, 80.0, 1000.0)


def test_premises_that_are_not_on_the_map(township: RoadNetwork, tmp_path: Path) -> None:
    """A file of another place would be measured from its nearest road, hundreds of km away."""
    path = tmp_path / "premises.geojson"
    geometry = {"type": "Point", "coordinates": [110.0, 32.0]}
    path.write_text(
        json.dumps({"type": "Feature", "properties": {"kind": "heritage"}, "geometry": geometry})
    )
    travel = TravelTimes(township, RoadSettings())
    with pytest.raises(ValueError, match=r"feature 1: the place is more than 1 km from any road"):
        brigade_advice(SitingSettings(premises_file=str(path)), township, travel, 80.0, 1000.0)
