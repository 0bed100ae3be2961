"""Reading maps: written by the test, and four real ones."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from twin.roads.load import load_roads
from twin.roads.settings import ROAD_CLASSES, RoadSettings
from twin.roads.travel import TravelTimes

OSM = Path(__file__).parents[2] / "../shared/osm"

MAP = """<?xml version='1.0' encoding='UTF-8'?>
<osm version="0.6">
 <node id="1" lat="32.000" lon="119.600"/>
 <node id="2" lat="32.000" lon="119.601"><tag k="highway" v="traffic_signals"/></node>
 <node id="3" lat="32.001" lon="119.601"/>
 <node id="4" lat="32.001" lon="119.600"/>
 <node id="5" lat="32.0005" lon="119.6005">
  <tag k="amenity" v="fuel"/><tag k="name" v="加油站"/></node>
 <way id="10"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="99"/>
  <tag k="highway" v="secondary"/><tag k="maxspeed" v="72"/></way>
 <way id="11"><nd ref="3"/><nd ref="4"/><nd ref="1"/><tag k="highway" v="residential"/></way>
 <way id="12"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
  <tag k="building" v="school"/></way>
</osm>
"""


# osmnx does not read clipped ways
COMPLETE = MAP.replace('<nd ref="99"/>', "")


def real(name: str) -> RoadSettings:
    path = OSM / name
    if not path.is_file():
        pytest.skip(f"{path} is not there: put the shared data beside the checkout")
    return RoadSettings(file=str(path))


def test_an_osm_file_plain_and_packed(tmp_path: Path) -> None:
    plain, packed = tmp_path / "small.osm", tmp_path / "small.osm.gz"
    plain.write_text(MAP, "utf-8")
    packed.write_bytes(gzip.compress(MAP.encode()))
    for path in (plain, packed):
        network = load_roads(RoadSettings(file=str(path)))
        # the segment to node 99, which the file does not hold, is dropped
        assert (len(network), len(network.start)) == (4, 8)
        assert sorted(set(network.speed.tolist()))[-1] == pytest.approx(20.0)
        assert np.flatnonzero(network.junction).tolist() == [1]
        fuel, school = network.features
        assert (fuel.kind, fuel.name) == ("filling_station", "加油站")
        assert (school.kind, school.use) == ("building", "school")
        assert (fuel.x, fuel.y) == pytest.approx((school.x, school.y), abs=0.05)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.osm", None, "no such file"),
        ("text.osm", "this is no map", "not a readable OSM file"),
        ("text.osm.pbf", "this is no map", "not a readable OSM file"),
        ("empty.osm", '<osm version="0.6"></osm>', "an empty map"),
        ("empty.osm.pbf", "", "not a readable OSM file|an empty map"),
        ("clipped.osm", '<osm version="0.6"><way id="1"><nd ref="1"/><nd ref="2"/>'
         '<tag k="highway" v="primary"/></way></osm>', "does not hold|do not hold|not hold"),
        ("map.shp", "x", "not a kind of map file"),
        ("text.graphml", "this is no map", "not a GraphML file"),
        ("other.graphml", "<graphml/>", "not a GraphML file"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=message) as error:
        load_roads(RoadSettings(file=str(path)))
    assert name in str(error.value)


def test_graphml_gives_the_network_of_the_file_it_came_from(tmp_path: Path) -> None:
    """Through osmnx, simplified (streets with shapes) and not."""
    osmnx = pytest.importorskip("osmnx")
    source = tmp_path / "small.osm"
    source.write_text(COMPLETE, "utf-8")
    expected = load_roads(RoadSettings(file=str(source)))
    graph = osmnx.graph_from_xml(source, simplify=False, retain_all=True)
    graph.remove_nodes_from([n for n in list(graph) if graph.degree(n) == 0])
    for simplified in (False, True):
        path = tmp_path / "small.graphml"
        kept = osmnx.simplify_graph(graph, edge_attrs_differ=["highway"]) if simplified else graph
        osmnx.save_graphml(kept, path)
        network = load_roads(RoadSettings(file=str(path)))
        assert network.length.sum() == pytest.approx(expected.length.sum(), rel=1e-6)
        assert sorted(network.speed.tolist()) == pytest.approx(sorted(expected.speed.tolist()))
        assert not network.contraflow.any()


def test_projected_graphml_is_refused(tmp_path: Path) -> None:
    osmnx = pytest.importorskip("osmnx")
    source = tmp_path / "small.osm"
    source.write_text(COMPLETE, "utf-8")
    graph = osmnx.graph_from_xml(source, simplify=False)
    osmnx.save_graphml(osmnx.project_graph(graph), tmp_path / "utm.graphml")
    with pytest.raises(ValueError, match="save it unprojected"):
        load_roads(RoadSettings(file=str(tmp_path / "utm.graphml")))


def test_a_place_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import osmnx
    import requests

    def fail(place: str) -> None:
        raise requests.ConnectionError(place)

    monkeypatch.setattr(osmnx, "geocode_to_gdf", fail)
    with pytest.raises(ValueError, match="give a downloaded map"):
        load_roads(RoadSettings(place="Lingkou, Danyang, China"))


def test_a_place_brings_its_boundary_and_its_hazards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import geopandas
    import osmnx
    import shapely

    source = tmp_path / "small.osm"
    source.write_text(COMPLETE, "utf-8")
    area = shapely.box(119.599, 31.999, 119.602, 32.002)
    fuel = {"amenity": ["fuel"], "name": [None], "geometry": [shapely.Point(119.6005, 32.0005)]}
    monkeypatch.setattr(
        osmnx, "geocode_to_gdf", lambda _: geopandas.GeoDataFrame({"geometry": [area]})
    )
    monkeypatch.setattr(
        osmnx,
        "graph_from_polygon",
        lambda *_, **__: osmnx.graph_from_xml(source, simplify=False),
    )
    monkeypatch.setattr(osmnx, "features_from_polygon", lambda *_: geopandas.GeoDataFrame(fuel))
    network = load_roads(RoadSettings(place="Smalltown"))
    assert network.boundary.area == pytest.approx(0.003 * 94_490 * 0.003 * 110_880, rel=1e-3)
    assert [feature.kind for feature in network.features] == ["filling_station"]


def hazards(tmp_path: Path, features: object) -> RoadSettings:
    source, path = tmp_path / "small.osm", tmp_path / "hazards.geojson"
    source.write_text(COMPLETE, "utf-8")
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return RoadSettings(file=str(source), hazards_file=str(path))


def test_hazards_file_joins_the_map(tmp_path: Path) -> None:
    ring = [[119.6, 32.0], [119.601, 32.0], [119.601, 32.001], [119.6, 32.001], [119.6, 32.0]]
    features = [
        {"properties": {"kind": "dangerous_chemicals", "name": "A"},
         "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"properties": {"kind": "filling_station"},
         "geometry": {"type": "Point", "coordinates": [119.6, 32.0]}},
    ]  # fmt: skip
    network = load_roads(hazards(tmp_path, features))
    plant, station = network.features[-2:]
    assert (plant.kind, plant.name) == ("dangerous_chemicals", "A")
    assert plant.outline is not None
    assert len(plant.outline) == 4
    assert (station.kind, station.outline) == ("filling_station", None)


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"properties": {"kind": "school"}, "geometry": {"type": "Point", "coordinates": [1, 2]}},
         "feature 1: kind is 'school'"),
        ({"properties": {"kind": "filling_station"}, "geometry": None}, "no point or polygon"),
        ({"properties": {"kind": "filling_station"},
          "geometry": {"type": "Point", "coordinates": [500000, 3500000]}}, "no degrees"),
    ],
)  # fmt: skip
def test_bad_hazards(tmp_path: Path, feature: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_roads(hazards(tmp_path, [feature]))


def test_hazards_file_that_is_missing_or_no_geojson(tmp_path: Path) -> None:
    settings = hazards(tmp_path, [])
    assert settings.hazards_file is not None
    Path(settings.hazards_file).write_text("{}")
    with pytest.raises(ValueError, match="not a GeoJSON feature collection"):
        load_roads(settings)
    Path(settings.hazards_file).unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load_roads(settings)


# Name, least street km in both directions, extent in km (the data's README), fire stations.
# Without field tracks north-bayreuth is smaller than as the README's drive network.
REAL = [
    ("north-bayreuth.osm.pbf", 400.0, (10.9, 10.3), 7),
    ("andorra.osm.pbf", 700.0, (25.8, 22.5), 0),
    ("nanjing_core_jiangsu.osm.pbf", 120.0, (4.1, 3.3), 0),
    ("nantong_dieshiqiao_jiangsu.osm.pbf", 13.0, (2.3, 1.4), 0),
]


@pytest.mark.parametrize(("name", "km", "extent", "stations"), REAL)
def test_real_maps(name: str, km: float, extent: tuple[float, float], stations: int) -> None:
    settings = real(name)
    network = load_roads(settings)
    assert km < network.length[~network.contraflow].sum() / 1000 < 1.4 * km
    # extracts keep whole ways, which reach over the cut a little
    for axis, size in zip((network.x, network.y), extent, strict=True):
        assert 0.8 * size < np.ptp(axis) / 1000 < 1.2 * size
    assert len(network.features_of("fire_station")) == stations
    times = TravelTimes(network, settings).seconds([network.middle])
    assert np.isfinite(times).all()
    pairs = np.stack([network.start, network.end])
    assert len(np.unique(pairs, axis=1).T) == len(network.start)


def test_nanjing_is_the_same_from_xml_and_pbf_and_close_to_osmnx() -> None:
    """osmnx reads every way; its graph is cut down here to drivable classes, strongly connected."""
    import networkx as nx
    import osmnx

    ours = [load_roads(real(f"nanjing_core_jiangsu{end}")) for end in (".osm", ".osm.pbf")]
    assert ours[0].lon.tolist() == ours[1].lon.tolist()
    assert ours[0].length.tolist() == ours[1].length.tolist()
    graph = osmnx.graph_from_xml(OSM / "nanjing_core_jiangsu.osm", simplify=False, retain_all=True)
    for start, end, key, data in list(graph.edges(keys=True, data=True)):
        if data.get("highway") not in ROAD_CLASSES or data.get("access") in ("no", "private"):
            graph.remove_edge(start, end, key)
    part = graph.subgraph(max(nx.strongly_connected_components(graph), key=len))
    km = sum(data["length"] for _, _, data in part.edges(data=True)) / 1000
    assert ours[0].length[~ours[0].contraflow].sum() / 1000 == pytest.approx(km, rel=0.01)
