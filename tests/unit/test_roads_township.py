"""The built-in township is what its description says."""

from collections import Counter

import numpy as np
import pytest
import shapely

from twin.roads import township as drawing
from twin.roads.load import built_in, load_roads
from twin.roads.network import RoadNetwork
from twin.roads.settings import ROAD_CLASSES, RoadSettings
from twin.roads.travel import TravelTimes


@pytest.fixture(scope="module")
def network() -> RoadNetwork:
    return load_roads(RoadSettings())


def segments(network: RoadNetwork) -> list[shapely.LineString]:
    ends = np.stack(
        [
            np.column_stack([network.x[network.start], network.y[network.start]]),
            np.column_stack([network.x[network.end], network.y[network.end]]),
        ],
        axis=1,
    )
    return list(shapely.linestrings(ends))


def test_size(network: RoadNetwork) -> None:
    west, south, east, north = network.boundary.bounds
    assert 12_500 < east - west < 15_500
    assert 12_500 < north - south < 15_500
    assert 2000 <= len(network) <= 3000
    # little of the drawing is unconnected
    assert len(network) > 0.95 * len(drawing.township().lon)


def test_hierarchy(network: RoadNetwork) -> None:
    classes = Counter(ROAD_CLASSES[c] for c in network.road_class)
    for name in ("motorway", "motorway_link", "primary", "secondary", "tertiary", "unclassified",
                 "residential", "living_street", "service"):  # fmt: skip
        assert classes[name] > 0
    assert network.contraflow.any()


def test_the_radius_is_neither_trivially_met_nor_missed(network: RoadNetwork) -> None:
    """Within 5 % of the 8 km from the middle, the default center's place; from the best, too."""
    corners = shapely.get_coordinates(network.boundary)
    middle = network.middle
    radius = np.hypot(corners[:, 0] - network.x[middle], corners[:, 1] - network.y[middle]).max()
    assert radius == pytest.approx(8000.0, rel=0.05)
    assert shapely.minimum_bounding_radius(network.boundary) == pytest.approx(8000.0, rel=0.05)
    assert not shapely.equals(network.boundary, network.boundary.convex_hull)


def test_three_bridges(network: RoadNetwork) -> None:
    """Roads cross the river's middle at three places; elsewhere no road comes near its middle."""
    x, y = network.project(*drawing._degrees(drawing._bend(drawing._RIVER)).T)
    river = shapely.LineString(np.column_stack([x, y]))
    crossing = [segment for segment in segments(network) if segment.intersects(river)]
    places = {round(segment.intersection(river).x / 300) for segment in crossing}
    assert len(places) == 3
    assert len(crossing) == 6


def test_the_motorway_is_left_at_two_interchanges_only(network: RoadNetwork) -> None:
    motorway = network.road_class == ROAD_CLASSES.index("motorway")
    on = np.zeros(len(network), bool)
    on[network.start[motorway]] = on[network.end[motorway]] = True
    leaving = on[network.start] & ~on[network.end] & ~network.contraflow
    names = {ROAD_CLASSES[c] for c in network.road_class[leaving]}
    assert names == {"motorway_link"}
    # an interchange has one way off each carriageway
    assert leaving.sum() == 4
    xs = np.sort(network.x[network.start[leaving]])
    assert xs[1] - xs[0] < 1500 < xs[2] - xs[1]


def test_places(network: RoadNetwork) -> None:
    kinds = Counter(feature.kind for feature in network.features)
    assert kinds["village"] == 20
    assert (kinds["town"], kinds["industrial"], kinds["fire_station"]) == (1, 1, 1)
    assert (kinds["dangerous_chemicals"], kinds["filling_station"]) == (2, 3)
    assert kinds["hydrant"] >= 20
    names = [feature.name for feature in network.features if feature.kind != "hydrant"]
    assert len(set(names)) == len(names)
    # a road leads to every one, and none is outside
    for feature in network.features:
        assert float(network.nearest(feature.x, feature.y)[1]) < 250.0, feature
        assert shapely.contains_xy(network.boundary, feature.x, feature.y), feature


def test_every_village_is_reached(network: RoadNetwork) -> None:
    travel = TravelTimes(network, RoadSettings())
    times = travel.seconds([network.middle])[0]
    assert np.isfinite(times).all()
    for feature in network.features_of("village"):
        assert times[int(network.nearest(feature.x, feature.y)[0])] < 20 * 60


def test_the_same_every_time(network: RoadNetwork) -> None:
    built_in.cache_clear()
    drawing._roads.cache_clear()
    again = load_roads(RoadSettings())
    assert again is not network
    assert again.lon.tobytes() == network.lon.tobytes()
    assert again.start.tobytes() == network.start.tobytes()
    assert again.length.tobytes() == network.length.tobytes()


def test_other_settings_have_a_network_of_their_own(network: RoadNetwork) -> None:
    lanes = network.road_class == ROAD_CLASSES.index("unclassified")
    slow = {**RoadSettings().speeds, "unclassified": 4.0}
    slowed = load_roads(RoadSettings().model_copy(update={"speeds": slow}))
    assert set(slowed.speed[lanes]) == {4.0}
    assert np.array_equal(slowed.speed[~lanes], network.speed[~lanes])
    assert np.array_equal(load_roads(RoadSettings()).speed, network.speed)
