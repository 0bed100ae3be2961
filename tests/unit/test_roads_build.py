"""From raw ways to a network: access, direction, speed, connection, places."""

import numpy as np
import pytest

from twin.roads.build import RawMap, build_network, directions, drivable, max_speed, place_kind
from twin.roads.network import RoadNetwork, projection
from twin.roads.settings import ROAD_CLASSES, RoadSettings

# one number in degrees is about 100 m
STEP = 0.001


def raw_map(
    points: list[tuple[float, float]], ways: list[tuple[list[int], dict[str, str]]]
) -> RawMap:
    lon = [119.6 + STEP * x for x, _ in points]
    lat = [32.0 + STEP * y for _, y in points]
    return RawMap("test", "test.osm", lon, lat, ways=list(ways))


def edges(network: RoadNetwork) -> set[tuple[int, int, bool]]:
    return set(
        zip(network.start.tolist(), network.end.tolist(), network.contraflow.tolist(), strict=True)
    )


ROAD = {"highway": "residential"}
SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
RING = [0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("tags", "open_to_traffic"),
    [
        ({"highway": "primary"}, True),
        ({"highway": "footway"}, False),
        ({"highway": "construction", "construction": "primary"}, False),
        ({"highway": "residential", "access": "private"}, False),
        ({"highway": "residential", "access": "no", "motor_vehicle": "yes"}, True),
        ({"highway": "residential", "motor_vehicle": "no"}, False),
        ({"highway": "unclassified", "motor_vehicle": "agricultural;forestry"}, False),
        ({"highway": "unclassified", "motor_vehicle": "agricultural;destination"}, True),
        ({"highway": "service", "area": "yes"}, False),
        ({"highway": "track"}, False),
        ({"highway": "track", "tracktype": "grade2"}, True),
        ({"highway": "track", "tracktype": "grade5"}, False),
        ({"highway": "track", "motor_vehicle": "yes"}, True),
        ({"waterway": "river"}, False),
    ],
)
def test_which_ways_a_motor_vehicle_may_use(tags: dict[str, str], open_to_traffic: bool) -> None:
    assert drivable(tags) is open_to_traffic


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, (True, True)),
        ({"oneway": "no"}, (True, True)),
        ({"oneway": "yes"}, (True, False)),
        ({"oneway": "1"}, (True, False)),
        ({"oneway": "-1"}, (False, True)),
        ({"oneway": "reversible"}, (True, False)),
        ({"oneway": "alternating"}, (True, True)),
        ({"junction": "roundabout"}, (True, False)),
        ({"highway": "motorway"}, (True, False)),
        ({"highway": "motorway", "oneway": "no"}, (True, True)),
    ],
)
def test_directions(tags: dict[str, str], expected: tuple[bool, bool]) -> None:
    assert directions({"highway": "tertiary", **tags}) == expected


@pytest.mark.parametrize(
    ("text", "kmh"),
    [("60", 60.0), ("50 km/h", 50.0), ("30 mph", 48.28032), ("80;60", 60.0), ("none", None),
     ("CN:urban", None), ("walk", None), ("", None), ("0", None), ("600", None)],
)  # fmt: skip
def test_maxspeed(text: str, kmh: float | None) -> None:
    speed = max_speed({"maxspeed": text})
    assert (None if speed is None else speed * 3.6) == (None if kmh is None else pytest.approx(kmh))


def test_class_speed_where_no_maxspeed_is_readable() -> None:
    ways = [([0, 1], ROAD), ([1, 2], ROAD | {"maxspeed": "72"}), ([2, 3], ROAD | {"maxspeed": "?"})]
    network = build_network(
        raw_map(SQUARE, ways), RoadSettings.model_validate({"speeds": {"residential": "36 km/h"}})
    )
    assert sorted(network.speed.tolist()) == pytest.approx([10.0] * 4 + [20.0] * 2)
    assert {ROAD_CLASSES[c] for c in network.road_class} == {"residential"}


def test_one_way_ring_has_contraflow_edges_only_for_engines() -> None:
    network = build_network(raw_map(SQUARE, [(RING, ROAD | {"oneway": "yes"})]), RoadSettings())
    assert edges(network) == {
        *((a, (a + 1) % 4, False) for a in range(4)),
        *(((a + 1) % 4, a, True) for a in range(4)),
    }


def test_nobody_drives_against_a_motorway() -> None:
    network = build_network(raw_map(SQUARE, [(RING, {"highway": "motorway"})]), RoadSettings())
    assert not network.contraflow.any()
    assert len(network.start) == 4


def test_largest_strongly_connected_part() -> None:
    points = [*SQUARE, (2.0, 0.0), (9.0, 9.0), (9.0, 8.0)]
    trap = ([1, 4], ROAD | {"oneway": "yes"})  # in, and never out again
    island = ([5, 6], ROAD)
    network = build_network(raw_map(points, [(RING, ROAD), trap, island]), RoadSettings())
    assert len(network) == 4
    assert network.lon.max() < 119.6 + 1.5 * STEP


def test_parallel_edges_keep_the_fastest() -> None:
    """A sparse matrix would add them up."""
    slow, fast = {"highway": "service"}, {"highway": "primary"}
    network = build_network(raw_map(SQUARE[:2], [([0, 1], slow), ([1, 0], fast)]), RoadSettings())
    assert edges(network) == {(0, 1, False), (1, 0, False)}
    assert {ROAD_CLASSES[c] for c in network.road_class} == {"primary"}


def test_an_ordinary_edge_goes_before_a_faster_contraflow_edge() -> None:
    one_way = {"highway": "primary", "oneway": "yes"}
    ways = [([0, 1], one_way), ([0, 1], {"highway": "service"})]
    network = build_network(raw_map(SQUARE[:2], ways), RoadSettings())
    assert edges(network) == {(0, 1, False), (1, 0, False)}


def test_junctions_are_crossings_of_streets_and_signals() -> None:
    points = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (1.0, 1.0), (2.0, 1.0)]
    ways = [([0, 1, 2, 3], ROAD), ([1, 4], ROAD), ([2, 5], {"highway": "service"})]
    raw = raw_map(points, ways)
    raw.signals = [0]
    network = build_network(raw, RoadSettings())
    # node 1 is a crossing, node 2 only a drive's end, node 0 has signals
    assert np.flatnonzero(network.junction).tolist() == [0, 1]


def test_lengths_are_metres_on_the_ground() -> None:
    """A degree of latitude at 32 N is 110.88 km on WGS-84, one of longitude 94.49 km."""
    network = build_network(raw_map(SQUARE, [(RING, ROAD)]), RoadSettings())
    assert sorted(set(network.length.round(2).tolist()))[-1] == pytest.approx(110.88, rel=1e-3)
    assert network.length.min() == pytest.approx(94.49, rel=1e-3)


def test_project_and_unproject_are_inverse() -> None:
    network = build_network(raw_map(SQUARE, [(RING, ROAD)]), RoadSettings())
    lon, lat = network.unproject(*network.project([119.55, 119.7], [31.9, 32.1]))
    assert lon == pytest.approx([119.55, 119.7], abs=1e-9)
    assert lat == pytest.approx([31.9, 32.1], abs=1e-9)
    x, y = network.project(network.lon, network.lat)
    assert x == pytest.approx(network.x)
    assert y == pytest.approx(network.y)


def test_nearest_keeps_the_shape() -> None:
    network = build_network(raw_map(SQUARE, [(RING, ROAD)]), RoadSettings())
    node, distance = network.nearest(network.x[2] + 3.0, network.y[2] + 4.0)
    assert int(node) == 2
    assert float(distance) == pytest.approx(5.0)
    nodes, _ = network.nearest(network.x[[3, 1]], network.y[[3, 1]])
    assert nodes.tolist() == [3, 1]


def test_boundary_is_the_maps_own_or_the_convex_hull() -> None:
    raw = raw_map(SQUARE, [(RING, ROAD)])
    hull = build_network(raw, RoadSettings()).boundary
    assert hull.area == pytest.approx(94.49 * 110.88, rel=1e-3)
    corner = np.array([[119.5, 31.9], [119.7, 31.9], [119.7, 32.1], [119.5, 32.1]])
    raw.boundary = corner
    assert build_network(raw, RoadSettings()).boundary.area > 1e8
    raw.boundary = corner[[0, 2, 1, 3]]
    with pytest.raises(ValueError, match="crosses itself"):
        build_network(raw, RoadSettings())


@pytest.mark.parametrize(
    ("ways", "message"),
    [
        ([], "no way with a highway tag"),
        ([([0, 1], {"highway": "footway"})], "may be used by a motor vehicle"),
        ([([0, -1, 1, -1], ROAD)], "2 nodes that the file does not hold"),
        ([([0, 1], ROAD | {"oneway": "yes"})], "no two points can be reached"),
    ],
)
def test_no_road_left(ways: list[tuple[list[int], dict[str, str]]], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        build_network(raw_map(SQUARE, ways), RoadSettings())
    assert "test.osm" in str(error.value)


def test_a_clipped_way_keeps_what_is_there() -> None:
    network = build_network(raw_map(SQUARE, [([0, 1, -1, 2, 3, 0], ROAD)]), RoadSettings())
    assert edges(network) == {
        (a, b, False) for a, b in ((0, 1), (1, 0), (2, 3), (3, 2), (3, 0), (0, 3))
    }


@pytest.mark.parametrize(
    ("tags", "kind", "use"),
    [
        ({"amenity": "fire_station", "building": "yes"}, "fire_station", ""),
        ({"amenity": "fuel"}, "filling_station", ""),
        ({"man_made": "works", "product": "chemical"}, "dangerous_chemicals", ""),
        ({"landuse": "industrial", "name": "丹阳化工有限公司"}, "dangerous_chemicals", ""),
        ({"landuse": "industrial"}, "industrial", ""),
        ({"building": "yes", "shop": "clothes"}, "building", "shop"),
        ({"building": "school"}, "building", "school"),
        ({"place": "hamlet"}, "village", ""),
        ({"emergency": "fire_hydrant"}, "hydrant", ""),
    ],
)
def test_places(tags: dict[str, str], kind: str, use: str) -> None:
    found = place_kind(tags)
    assert found is not None
    assert found[:2] == (kind, use)
    assert place_kind({"building": "no"}) is None


def test_an_area_has_its_centroid_and_extent() -> None:
    raw = raw_map(SQUARE, [(RING, ROAD)])
    # an L: 2 x 2 less 1 x 1, centroid at 5/6 of a unit; 200 m a unit in metres of the projection
    shape = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2), (0, 0)]
    local = projection(119.6 + STEP / 2, 32.0 + STEP / 2)
    ring = np.array([local(200.0 * x, 200.0 * y, inverse=True) for x, y in shape])
    raw.places = [({"landuse": "industrial"}, ring)]
    (feature,) = build_network(raw, RoadSettings()).features
    assert (feature.x, feature.y) == pytest.approx((166.667, 166.667), abs=0.01)
    assert feature.radius_m == pytest.approx(np.sqrt(3 * 200**2 / np.pi), rel=1e-4)
    assert feature.outline is not None
    assert feature.outline.shape == (6, 2)


def test_settings_override_single_classes_and_name_what_is_wrong() -> None:
    settings = RoadSettings.model_validate({"speeds": {"primary": "36 km/h"}})
    assert settings.speeds["primary"] == pytest.approx(10.0)
    assert settings.speeds["secondary"] == RoadSettings().speeds["secondary"]
    assert RoadSettings.model_validate(settings.model_dump()) == settings
    with pytest.raises(ValueError, match="'footway' is no road class"):
        RoadSettings.model_validate({"speeds": {"footway": "5 km/h"}})
    with pytest.raises(ValueError, match="give one of the two"):
        RoadSettings(file="a.osm", place="Danyang")
    late = {"days": "weekday", "start": 8, "end": 10, "slowdown": {}}
    with pytest.raises(ValueError, match="may not overlap"):
        RoadSettings.model_validate({"congestion": {"late": late}})
    with pytest.raises(ValueError, match="the end has to come after"):
        RoadSettings.model_validate({"congestion": {"late": late | {"start": 22, "end": 6}}})
