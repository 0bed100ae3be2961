"""Travel times against networkx, by hand, and what they must never do."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.roads.build import RawMap, Tags, build_network
from twin.roads.network import RoadNetwork, projection
from twin.roads.settings import ROAD_CLASSES, RoadSettings
from twin.roads.travel import TravelTimes

MONDAY_3, MONDAY_8, MONDAY_17, SATURDAY_10 = 3, 8, 17, 130

BARE = {
    "junction_delay": "0 s",
    "engine_junction_delay": "0 s",
    "start_stop": "0 s",
    "engine_start_stop": "0 s",
}


def network_of(
    points: list[tuple[float, float]],
    ways: list[tuple[list[int], Tags]],
    options: RoadSettings,
) -> RoadNetwork:
    """A network drawn in metres."""
    local = projection(119.6, 32.0)
    lon, lat = np.array([local(x, y, inverse=True) for x, y in points]).T
    return build_network(RawMap("drawn", "drawn", lon.tolist(), lat.tolist(), ways=ways), options)


@st.composite
def drawn(draw: st.DrawFn) -> RoadNetwork:
    """Up to 14 points on a ring road with chords of any class and direction."""
    count = draw(st.integers(4, 14))
    places = st.tuples(st.integers(-3000, 3000), st.integers(-3000, 3000))
    points = draw(st.lists(places, min_size=count, max_size=count, unique=True))
    ways: list[tuple[list[int], Tags]] = [([*range(count), 0], {"highway": "residential"})]
    node = st.integers(0, count - 1)
    for a, b, name, oneway in draw(
        st.lists(
            st.tuples(
                node, node, st.sampled_from(ROAD_CLASSES), st.sampled_from(["yes", "no", "-1"])
            ),
            max_size=12,
        )
    ):
        tags = {"highway": name, "oneway": oneway, "motor_vehicle": "yes"}
        ways.append(([a, b], tags))
    return network_of([(float(x), float(y)) for x, y in points], ways, RoadSettings())


@settings(max_examples=40, deadline=None)
@given(network=drawn(), hour=st.sampled_from([None, MONDAY_3, MONDAY_8]), engine=st.booleans())
def test_equals_networkx(network: RoadNetwork, hour: int | None, engine: bool) -> None:
    """The times, worked out once more edge by edge, through networkx's Dijkstra."""
    options = RoadSettings()
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(network)))
    peak = options.congestion["weekday_morning"].slowdown
    for k in range(len(network.start)):
        if network.contraflow[k] and not engine:
            continue
        name = ROAD_CLASSES[network.road_class[k]]
        speed = network.speed[k]
        factor = peak.get(name.removesuffix("_link"), 1.0) if hour == MONDAY_8 else 1.0
        delay = 4.0
        if engine:
            speed = min(max(options.engine_speeds[name], speed), 25.0)
            factor = 1.0 + 0.3 * (factor - 1.0)
            delay = 2.5
        seconds = network.length[k] / speed * factor + delay * network.junction[network.end[k]]
        graph.add_edge(int(network.start[k]), int(network.end[k]), weight=seconds)
    found = TravelTimes(network, options).seconds(range(len(network)), hour, engine)
    for source, row in enumerate(found):
        expected = nx.single_source_dijkstra_path_length(graph, source)
        for target, seconds in expected.items():
            trip = 0.0 if target == source else seconds + (14.0 if engine else 8.0)
            assert row[target] == pytest.approx(trip, abs=1e-9, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(network=drawn())
def test_what_always_holds(network: RoadNetwork) -> None:
    travel = TravelTimes(network, RoadSettings())
    everything = np.arange(len(network))
    free = travel.seconds(everything)
    metres = travel.metres(everything)
    straight = np.hypot(network.x[:, None] - network.x, network.y[:, None] - network.y)
    assert np.isfinite(free).all()
    assert (metres >= straight - 1e-6).all()
    assert (travel.seconds(everything, MONDAY_17) >= free - 1e-9).all()
    assert pytest.approx(free) == travel.seconds_to(everything).T
    assert travel.between(everything) == pytest.approx(free, rel=1e-6)
    hour, worst = travel.worst_hour(0, everything)
    slowest = [travel.seconds([0], h)[0].max() for h in range(168)]
    assert worst.max() == pytest.approx(max(slowest))
    assert hour == int(np.argmax(slowest))


@settings(max_examples=40, deadline=None)
@given(network=drawn(), engine=st.booleans(), data=st.data())
def test_ways_among_some_nodes(network: RoadNetwork, engine: bool, data: st.DataObject) -> None:
    """Nodes that nobody asks for are left out of the graph, not out of the ways."""
    travel = TravelTimes(network, RoadSettings())
    some = data.draw(st.lists(st.integers(0, len(network) - 1), min_size=1, unique=True))
    among = travel.seconds(some, engine=engine)[:, some]
    assert travel.between(some, engine) == pytest.approx(among, rel=1e-6)


LINE = [(0.0, 0.0), (1000.0, 0.0), (2000.0, 0.0)]


def test_by_hand() -> None:
    """2 km of secondary road at 10 m/s, with a peak of 2.0 of which an engine loses a tenth."""
    options = RoadSettings.model_validate(
        BARE
        | {
            "speeds": {"secondary": "10 m/s"},
            "engine_speeds": {"secondary": "20 m/s"},
            "engine_congestion": "10 %",
            "congestion": {
                "weekday_morning": {
                    "days": "weekday", "start": 7, "end": 9, "slowdown": {"secondary": 2.0}
                }
            },
        }
    )  # fmt: skip
    network = network_of(LINE, [([0, 1, 2], {"highway": "secondary"})], options)
    travel = TravelTimes(network, options)
    assert travel.metres([0])[0] == pytest.approx([0.0, 1000.0, 2000.0], rel=1e-5)
    assert travel.seconds([0])[0] == pytest.approx([0.0, 100.0, 200.0], rel=1e-5)
    assert travel.seconds([0], MONDAY_8)[0] == pytest.approx([0.0, 200.0, 400.0], rel=1e-5)
    assert travel.seconds([0], engine=True)[0] == pytest.approx([0.0, 50.0, 100.0], rel=1e-5)
    assert travel.seconds([0], MONDAY_8, engine=True)[0, 2] == pytest.approx(110.0, rel=1e-5)
    assert travel.worst_hour(0, [1, 2])[0] == 7
    assert travel.hour_factor(MONDAY_8) == pytest.approx(2.0)
    assert travel.hour_factor(MONDAY_3) == 1.0


def test_an_engine_may_go_against_a_one_way_street() -> None:
    options = RoadSettings.model_validate(BARE)
    points = [(0.0, 0.0), (1000.0, 0.0), (500.0, 800.0)]
    ways: list[tuple[list[int], Tags]] = [
        ([0, 1, 2, 0], {"highway": "residential", "oneway": "yes"})
    ]
    travel = TravelTimes(network_of(points, ways, options), options)
    there, back = travel.metres([0])[0, 1], travel.metres([1])[0, 0]
    assert back == pytest.approx(2 * np.hypot(500, 800), rel=1e-4)
    assert there == pytest.approx(1000.0, rel=1e-4)
    engine = options.engine_speeds["residential"]
    assert travel.seconds([1], engine=True)[0, 0] == pytest.approx(1000.0 / engine, rel=1e-4)


def test_junction_delay_and_start_stop() -> None:
    star = [(0.0, 0.0), (1000.0, 0.0), (-1000.0, 0.0), (0.0, 1000.0)]
    ways: list[tuple[list[int], Tags]] = [([0, arm], {"highway": "tertiary"}) for arm in (1, 2, 3)]
    options = RoadSettings.model_validate({"junction_delay": "30 s", "start_stop": "7 s"})
    network = network_of(star, ways, options)
    times = TravelTimes(network, options).seconds([1])[0]
    leg = 1000.0 / options.speeds["tertiary"]
    # the delay is for entering the crossing, once, not for leaving it
    assert times == pytest.approx([7 + leg + 30, 0.0, 7 + 2 * leg + 30, 7 + 2 * leg + 30], rel=1e-4)


def test_few_patterns_in_a_week() -> None:
    network = network_of(LINE, [([0, 1, 2], {"highway": "secondary"})], RoadSettings())
    travel = TravelTimes(network, RoadSettings())
    for hour in range(168):
        travel.seconds([0], hour)
    assert len(travel._graphs) == 4  # free flow, day (weekend too), morning, evening
    assert travel.hour_factor(SATURDAY_10) == travel.hour_factor(10)
    with pytest.raises(ValueError, match="from 0 to 167"):
        travel.seconds([0], 168)
