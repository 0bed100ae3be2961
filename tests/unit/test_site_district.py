"""The built-in district: townships side by side, joined by road."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from twin.roads.load import load_roads
from twin.roads.settings import ROAD_CLASSES, RoadSettings
from twin.roads.travel import TravelTimes


def test_one_is_the_township() -> None:
    one, plain = load_roads(RoadSettings(townships=1)), load_roads(RoadSettings())
    assert one.name == plain.name
    assert np.array_equal(one.x, plain.x)


@pytest.mark.parametrize("townships", [2, 3, 6])
def test_every_township_is_whole_and_in_reach(townships: int) -> None:
    """No node is lost: mirrored one-way roads still lead in and out."""
    settings = RoadSettings(townships=townships)
    plain, network = load_roads(RoadSettings()), load_roads(settings)
    assert len(network) == townships * len(plain)
    assert len(network.features_of("fire_station")) == townships
    names = [f.name for f in network.features_of("village")]
    assert len(set(names)) == len(names) == townships * len(plain.features_of("village"))
    assert network.boundary.geom_type == "Polygon"
    assert network.boundary.area > townships * plain.boundary.area
    stations = network.features_of("fire_station")
    at, _ = network.nearest([f.x for f in stations], [f.y for f in stations])
    times = TravelTimes(network, settings).seconds(at)[:, at]
    assert np.isfinite(times).all()


def test_the_motorway_runs_on() -> None:
    """Both carriageways cross from one township into the next, and in opposite directions."""
    network = load_roads(RoadSettings(townships=2))
    motorway = network.road_class == ROAD_CLASSES.index("motorway")
    start, end = network.x[network.start[motorway]], network.x[network.end[motorway]]
    middle = (network.x.min() + network.x.max()) / 2
    edges = (network.start[motorway], network.end[motorway])
    graph = csr_array((np.ones(len(start)), edges), shape=(len(network),) * 2)
    for lane, sign in ((end > start + 100, 1), (end < start - 100, -1)):
        # from far on one side, along the motorway alone, to far on the other
        first = edges[0][lane & (np.abs(start - middle + sign * 6000) < 500)][0]
        reached = network.x[breadth_first_order(graph, first, return_predecessors=False)]
        assert (sign * (reached - middle)).max() > 6000
    y = network.y[network.start[motorway]]
    near = np.abs(start - middle) < 3000
    # traffic keeps to the right: the carriageway that runs east is the southern one
    assert y[near & (end > start)].mean() < y[near & (end < start)].mean()


def test_a_district_and_a_map_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="leave one of the two out"):
        RoadSettings(townships=2, file="map.osm")
