"""The rules of 5.1.1 and 5.1.2, by hand and by exhaustive search."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from twin.roads.load import load_roads
from twin.roads.network import Feature, RoadNetwork
from twin.roads.settings import RoadSettings
from twin.roads.travel import TravelTimes
from twin.siting.rules import EdgePoints, edge_points, hazard_checks, reach, wind_side


@pytest.fixture(scope="module")
def township() -> RoadNetwork:
    return load_roads(RoadSettings())


@pytest.fixture(scope="module")
def edge(township: RoadNetwork) -> EdgePoints:
    return edge_points(township, township.boundary)


def test_the_farthest_point_of_the_area_is_among_them(
    township: RoadNetwork, edge: EdgePoints
) -> None:
    """From any site: over the boundary and over the area's road nodes."""
    corners = shapely.get_coordinates(township.boundary)
    inside = shapely.contains_xy(township.boundary, township.x, township.y)
    for site in range(0, len(township), 97):
        x, y = township.x[site], township.y[site]
        found = np.hypot(edge.x - x, edge.y - y).max()
        assert found == pytest.approx(np.hypot(corners[:, 0] - x, corners[:, 1] - y).max())
        roads = np.hypot(township.x[inside] - x, township.y[inside] - y).max()
        on_road = edge.offset_m == 0.0
        farthest = np.hypot(edge.x[on_road] - x, edge.y[on_road] - y).max()
        near_edge = np.hypot(township.x[edge.node] - x, township.y[edge.node] - y).max()
        assert max(farthest, near_edge) >= roads - 1e-6


def test_each_is_reached_at_the_areas_nearest_road_node(
    township: RoadNetwork, edge: EdgePoints
) -> None:
    apart = np.hypot(township.x[:, None] - edge.x, township.y[:, None] - edge.y)
    apart[~shapely.contains_xy(township.boundary, township.x, township.y)] = np.inf
    assert edge.offset_m == pytest.approx(apart.min(axis=0))
    assert apart[edge.node, np.arange(len(edge))] == pytest.approx(edge.offset_m)
    boundary = shapely.distance(shapely.points(edge.x, edge.y), township.boundary.exterior)
    assert ((boundary < 1e-6) | (edge.offset_m == 0.0)).all()
    # a road leads near many a place of the boundary, and every one of these is close to a point
    places = shapely.line_interpolate_point(township.boundary.exterior, np.arange(0, 40_000, 50))
    x, y = shapely.get_coordinates(places).T
    near = township.nearest(x, y)[1] < 50.0
    assert near.any()
    gap = np.hypot(x[near, None] - edge.x, y[near, None] - edge.y).min(axis=1)
    assert gap.max() < 400.0


def test_the_same_points_wherever_a_ring_begins(township: RoadNetwork, edge: EdgePoints) -> None:
    """A file, or a union of areas, may begin an outline anywhere, and run either way round."""
    corners = shapely.get_coordinates(township.boundary)[:-1]
    for turned in (np.roll(corners, 5, axis=0), corners[::-1]):
        found = edge_points(township, shapely.Polygon(turned))
        assert np.array_equal(found.x, edge.x)
        assert np.array_equal(found.node, edge.node)


def test_an_area_without_roads(township: RoadNetwork) -> None:
    with pytest.raises(ValueError, match="has no road"):
        edge_points(township, shapely.box(50_000, 50_000, 51_000, 51_000))


def test_reach(township: RoadNetwork, edge: EdgePoints) -> None:
    settings = RoadSettings()
    travel = TravelTimes(township, settings)
    site = township.middle
    xy = (float(township.x[site]), float(township.y[site]))
    found = reach(township, travel, site, xy, edge, turnout_s=80.0)
    rest = reach(township, travel, site, xy, edge, turnout_s=0.0)
    assert found.free_flow_s - rest.free_flow_s == pytest.approx(80.0)
    assert found.worst_hour_s - rest.worst_hour_s == pytest.approx(80.0)
    assert (found.worst_hour_s >= found.free_flow_s).all()
    assert found.worst_hour == 17  # Monday evening: the heaviest of the default periods
    # by road it is farther than straight to the road node
    node = np.hypot(township.x[edge.node] - xy[0], township.y[edge.node] - xy[1])
    assert (found.road_m >= node - 1e-6).all()
    assert found.straight_m.max() > 7000
    hours = [travel.seconds([site], hour)[0][edge.node].max() for hour in range(168)]
    assert found.worst_hour_s.max() - 80.0 == pytest.approx(max(hours))
    with pytest.raises(ValueError, match="site_node = -1"):
        reach(township, travel, -1, xy, edge, 0.0)


SQUARE = np.array([[-50.0, -50.0], [50.0, -50.0], [50.0, 50.0], [-50.0, 50.0]])


def test_distance_runs_from_boundary_to_hazardous_part() -> None:
    plant = Feature("dangerous_chemicals", "plant", 0.0, 0.0, SQUARE)
    station = Feature("filling_station", "station", 0.0, 0.0)
    checks = hazard_checks([plant, station, Feature("village", "v", 1, 1)], (300.0, 0.0), 20.0)
    assert [(c.hazard, c.kind) for c in checks] == [
        ("plant", "dangerous_chemicals"),
        ("station", "filling_station"),
    ]
    assert [c.distance_m for c in checks] == pytest.approx([230.0, 280.0])
    # within the part, or its ground over it
    assert hazard_checks([plant], (10.0, 10.0), 20.0)[0].distance_m == 0.0
    assert hazard_checks([station], (10.0, 0.0), 20.0)[0].distance_m == 0.0


@pytest.mark.parametrize(
    ("site", "bearing"),
    [((0.0, 9.0), 0.0), ((9.0, 9.0), 45.0), ((9.0, 0.0), 90.0), ((0.0, -9.0), 180.0),
     ((-9.0, 0.0), 270.0)],
)  # fmt: skip
def test_bearing_is_seen_from_the_hazard(site: tuple[float, float], bearing: float) -> None:
    (check,) = hazard_checks([Feature("filling_station", "", 0.0, 0.0)], site, 0.0)
    assert check.bearing_deg == pytest.approx(bearing)


def test_every_hazard_has_a_name_of_its_own() -> None:
    names = ["", "", "North", "East", "East"]
    features = [Feature("filling_station", name, 0.0, 0.0) for name in names]
    checks = hazard_checks(features, (1.0, 1.0), 0.0)
    assert len({check.hazard for check in checks}) == 5
    assert checks[2].hazard == "North"


@pytest.mark.parametrize(
    ("bearing", "side"),
    [(0.0, "upwind"), (45.0, "upwind"), (315.0, "upwind"), (46.0, "crosswind"), (90.0, "crosswind"),
     (134.0, "crosswind"), (135.0, "downwind"), (180.0, "downwind"), (225.0, "downwind"),
     (270.0, "crosswind"), (359.0, "upwind")],
)  # fmt: skip
def test_sides_of_a_north_wind(bearing: float, side: str) -> None:
    """Wind from north: who is north of the hazard is upwind."""
    assert wind_side(bearing, {0.0: 0.3, 90.0: 0.2, 180.0: 0.29, 270.0: 0.21}) == side


@given(
    bearing=st.floats(0.0, 360.0, exclude_max=True),
    wind=st.dictionaries(
        st.sampled_from([22.5 * k for k in range(16)]), st.floats(0.01, 1.0), min_size=1
    ),
    turn=st.sampled_from([90.0, 180.0, 270.0]),
)
def test_only_the_angle_to_the_prevailing_wind_counts(
    bearing: float, wind: dict[float, float], turn: float
) -> None:
    most = max(wind.values())
    wind = {d: f for d, f in wind.items() if f < most} | {
        min(d for d in wind if wind[d] == most): most
    }
    (prevailing,) = (d for d, f in wind.items() if f == most)
    along = np.cos(np.radians(bearing - prevailing))
    side = wind_side(bearing, wind)
    if abs(abs(along) - np.sqrt(0.5)) > 1e-9:
        limit = np.sqrt(0.5)
        expected = "upwind" if along > limit else "downwind" if along < -limit else "crosswind"
        assert side == expected
    turned = {(d + turn) % 360.0: f for d, f in wind.items()}
    if abs(abs(along) - np.sqrt(0.5)) > 1e-9:
        assert wind_side((bearing + turn) % 360.0, turned) == side


@pytest.mark.parametrize("wind", [{}, {0.0: 0.0}, {0.0: -0.1, 90.0: 0.5}])
def test_no_wind_rose(wind: dict[float, float]) -> None:
    with pytest.raises(ValueError, match="no prevailing direction"):
        wind_side(0.0, wind)
