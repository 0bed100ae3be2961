"""Candidates for centers and what 5.1.2 rules out: files, spread, hazards, wind."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from twin.roads.geojson import read_geojson
from twin.roads.load import load_roads
from twin.roads.network import RoadNetwork
from twin.roads.settings import ROAD_CLASSES, RoadSettings
from twin.siting.candidates import Candidates, exclude, find_candidates
from twin.siting.rules import wind_side
from twin.siting.settings import SitingSettings

EAST = {90.0: 0.6, 270.0: 0.4}
LIMIT = 1000.0


@pytest.fixture(scope="module")
def township() -> RoadNetwork:
    return load_roads(RoadSettings())


def settings(**changes: object) -> SitingSettings:
    return SitingSettings.model_validate(changes)


def at(network: RoadNetwork, *places: tuple[float, float]) -> Candidates:
    x, y = (np.array(axis, float) for axis in zip(*places, strict=True))
    names = [f"S{k}" for k in range(len(places))]
    return Candidates(names, x, y, network.nearest(x, y)[0], np.zeros(len(places), bool))


@pytest.mark.parametrize("count", [1, 7, 100, 400])
def test_nodes_are_spread_over_the_district(township: RoadNetwork, count: int) -> None:
    found = find_candidates(settings(count=count), township, LIMIT)
    assert 0.5 * count <= len(found) <= count
    assert len(set(found.names)) == len(found)
    assert shapely.contains_xy(township.boundary, found.x, found.y).all()
    motorway = np.isin(
        township.road_class, [ROAD_CLASSES.index(name) for name in ("motorway", "motorway_link")]
    )
    assert not np.isin(found.node, township.start[motorway]).any()
    assert not np.isin(found.node, township.end[motorway]).any()
    if count >= 100:  # nobody is far from a candidate
        inside = shapely.contains_xy(township.boundary, township.x, township.y)
        apart = np.hypot(
            township.x[inside, None] - found.x, township.y[inside, None] - found.y
        ).min(axis=1)
        side = np.sqrt(township.boundary.area / count)
        assert apart.max() < 3 * side


def test_too_near_to_a_hazard(township: RoadNetwork) -> None:
    """Against shapely, hazard by hazard; a circle of 15 m is the center's ground."""
    everything = find_candidates(settings(count=5000), township, LIMIT)
    left, gone = exclude(everything, township, settings(wind_range="0 m"), 15.0, EAST)
    assert len(left) + len({e.site for e in gone}) == len(everything)
    assert not {e.site for e in gone} & set(left.names)
    for name, x, y in zip(everything.names, everything.x, everything.y, strict=True):
        ground = shapely.Point(x, y).buffer(15.0, quad_segs=64)
        near = False
        for feature in township.features_of("dangerous_chemicals", "filling_station"):
            limit = 200.0 if feature.kind == "dangerous_chemicals" else 50.0
            part = shapely.Point(feature.x, feature.y)
            if feature.outline is not None:
                part = shapely.Polygon(feature.outline)
            near |= ground.distance(part) < limit - 0.01
        assert near == (name not in left.names)
    assert {e.rule for e in gone} == {"chemicals", "filling"}


def test_the_hazards_distance_is_a_parameter(township: RoadNetwork) -> None:
    everything = find_candidates(settings(count=1000), township, LIMIT)
    counts = [
        len(exclude(everything, township, settings(wind_range="0 m", chemicals_distance=d), 15.0,
                    EAST)[0])
        for d in ("0 m", "200 m", "300 m", "2 km")
    ]  # fmt: skip
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[1] > counts[3]


def test_downwind_is_ruled_out_within_the_range(township: RoadNetwork) -> None:
    plant = township.features_of("dangerous_chemicals")[0]
    others = township.features_of("dangerous_chemicals")[1:]
    sites = [(plant.x + 3000 * e, plant.y + 3000 * n) for e, n in ((1, 0), (-1, 0), (0, 1))]
    assert all(np.hypot(o.x - plant.x, o.y - plant.y) > 8000 for o in others)
    left, gone = exclude(at(township, *sites), township, settings(wind_range="5 km"), 15.0, EAST)
    # the wind comes from the east: west of the plant is downwind, north of it crosswind
    assert left.names == ["S0", "S2"]
    assert [(e.site, e.rule, e.hazard) for e in gone] == [("S1", "wind", plant.name)]
    left, _ = exclude(at(township, *sites), township, settings(wind_range="2 km"), 15.0, EAST)
    assert left.names == ["S0", "S1", "S2"]


def test_standing_centers_stay_with_a_remark(township: RoadNetwork) -> None:
    plant = township.features_of("dangerous_chemicals")[0]
    lon, lat = township.unproject(plant.x, plant.y)
    old = settings(standing={"old": {"lon": float(lon), "lat": float(lat)}}, count=50)
    left, gone = exclude(find_candidates(old, township, LIMIT), township, old, 15.0, EAST)
    assert left.names[0] == "old"
    assert left.standing.sum() == 1
    remarks = [e for e in gone if e.standing]
    assert {e.site for e in remarks} == {"old"}
    assert "chemicals" in {e.rule for e in remarks}


@pytest.mark.parametrize(
    ("wind", "says"),
    [
        ({}, "give a wind rose"),
        ({0.0: 0.25, 90.0: 0.25, 180.0: 0.25, 270.0: 0.25}, "no wind prevails"),
        ({90.0: 0.4, 270.0: 0.4, 0.0: 0.2}, "equally often from 90, 270 degrees"),
        ({22.5: 0.3, 337.5: 0.3, 180.0: 0.1, 90.0: 0.3}, "no wind prevails"),
    ],
)
def test_chemicals_without_a_wind_direction(
    township: RoadNetwork, wind: dict[float, float], says: str
) -> None:
    sites = find_candidates(settings(count=20), township, LIMIT)
    with pytest.raises(ValueError, match=says):
        exclude(sites, township, settings(), 15.0, wind)


def test_neighbouring_directions_are_one_wind(township: RoadNetwork) -> None:
    sites = find_candidates(settings(count=20), township, LIMIT)
    wind = {0.0: 0.3, 22.5: 0.3, 337.5: 0.3, 180.0: 0.1}
    left, _ = exclude(sites, township, settings(), 15.0, wind)
    assert len(left)


def test_no_candidate_is_left(township: RoadNetwork) -> None:
    sites = find_candidates(settings(count=20), township, LIMIT)
    far = settings(chemicals_distance="50 km")
    with pytest.raises(ValueError, match=r"no candidate is left after 5\.1\.2: of .* 50000 m from"):
        exclude(sites, township, far, 15.0, EAST)


def test_compass_names_are_degrees() -> None:
    rose = settings(wind={"N": "10 %", "ENE": "50 %", "180": "40 %"}).rose
    assert rose == {0.0: 0.1, 67.5: 0.5, 180.0: 0.4}
    assert wind_side(67.5, rose) == "upwind"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"wind": {"north": "100 %"}}, "is no direction"),
        ({"wind": {"N": "50 %", "0": "50 %"}}, "the same direction"),
        ({"wind": {"N": "50 %"}}, "add up to 50 %"),
        ({"objective": "mean"}, "needs k"),
        ({"k": 2}, "leave k out"),
        ({"objective": "best", "k": 1, "standing": {"a": {"lon": 1, "lat": 1},
                                                   "b": {"lon": 2, "lat": 1}}}, "stand already"),
        ({"candidates": "file"}, "go together"),
        ({"standing": {" a": {"lon": 1, "lat": 1}}}, "' a' cannot be the name of a center"),
        ({"standing": {"a\nb": {"lon": 1, "lat": 1}}}, "without line breaks"),
    ],
)  # fmt: skip
def test_settings_that_contradict_themselves(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        settings(**changes)


# -- files --------------------------------------------------------------------------------------


def from_file(path: Path, network: RoadNetwork, **changes: object) -> Candidates:
    given = settings(candidates="file", candidates_file=str(path), **changes)
    return find_candidates(given, network, LIMIT)


def point(lon: float, lat: float, **properties: object) -> dict[str, object]:
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def test_csv_and_geojson_say_the_same(township: RoadNetwork, tmp_path: Path) -> None:
    table = tmp_path / "sites.csv"
    table.write_text("name,lon,lat\nA,119.6,32.0\n,119.61,32.01\n")
    features = tmp_path / "sites.geojson"
    features.write_text(
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [point(119.6, 32.0, name="A"), point(119.61, 32.01)],
            }
        )
    )
    one, other = from_file(table, township), from_file(features, township)
    assert one.names == other.names == ["A", "S0002"]
    assert np.array_equal(one.x, other.x)
    assert one.x[0] == pytest.approx(float(township.project(119.6, 32.0)[0]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lon,lat\n119.6,32.0\n32.0,119.6\n", 'row 3, column "lat": .*not swapped'),
        ("lon,lat\n119.6,33.0\n", "site .* km from the nearest road"),
        ("lon,lat\n119.6,x\n", "is not in degrees"),
        ("lon;lat\n119.6;32\n", 'column "lon" is missing'),
        ("lon,lat,name\n119.6,32,A\n119.61,32,A\n", "already used in row 2"),
        ("lon,lat\n", "no site in it"),
        ("lon,lat,lat\n119.6,32.0,31.0\n", 'column "lat" is there 2 times'),
    ],
)
def test_files_that_cannot_be_used(
    township: RoadNetwork, tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        from_file(path, township)


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", True),
        ("urn:ogc:def:crs:EPSG::4326", True),
        ("urn:ogc:def:crs:EPSG::4490", True),
        ("urn:ogc:def:crs:EPSG::3857", False),
        ("EPSG:4549", False),
    ],
)
def test_a_file_of_another_coordinate_system(tmp_path: Path, name: str, reads: bool) -> None:
    path = tmp_path / "sites.geojson"
    crs = {"type": "name", "properties": {"name": name}}
    collection = {"type": "FeatureCollection", "crs": crs, "features": [point(119.6, 32.0)]}
    path.write_text(json.dumps(collection))
    if reads:
        assert len(read_geojson(path)) == 1
        return
    with pytest.raises(ValueError, match=f'its "crs" says {name}'):
        read_geojson(path)
