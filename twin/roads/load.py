"""Reading a road network from wherever the scenario says: file, place, or the built-in township.

Every reader returns a :class:`~twin.roads.build.RawMap`; what becomes of it is decided in
:mod:`twin.roads.build`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from twin.roads.build import RawMap, build_network
from twin.roads.geojson import read_geojson
from twin.roads.network import RoadNetwork
from twin.roads.settings import RoadSettings

_PLACE_KEYS = ("amenity", "building", "landuse", "man_made", "industrial", "place", "emergency")

# How a hazard of a GeoJSON file is tagged in a map.
_HAZARDS = {
    "dangerous_chemicals": {"man_made": "works", "product": "chemical"},
    "filling_station": {"amenity": "fuel"},
}


def load_roads(settings: RoadSettings) -> RoadNetwork:
    """The road network that the settings ask for.

    Parameters
    ----------
    settings : with a ``file`` (.osm.pbf, .osm, .osm.gz, .graphml), a ``place``, or neither (the
        built-in township, or several side by side); hazards of ``hazards_file`` join those of the
        map.

    Raises
    ------
    ValueError
        If a file is missing, is not of its kind, or holds no drivable road; if a place is not found
        or there is no network to look it up.
    """
    if settings.file is not None:
        raw = _read_file(Path(settings.file))
    elif settings.place is not None:
        raw = read_place(settings.place)
    elif settings.townships > 1:
        from twin.roads.district import district

        raw = district(settings.townships)
    elif settings.hazards_file is None:
        return built_in(settings.model_dump_json())
    else:
        from twin.roads.township import township

        raw = township()
    if settings.hazards_file is not None:
        raw.places += read_hazards(Path(settings.hazards_file))
    return build_network(raw, settings)


@lru_cache(maxsize=4)
def built_in(settings: str) -> RoadNetwork:
    """The built-in township with these settings (as JSON), once in a process that runs many."""
    from twin.roads.township import township

    return build_network(township(), RoadSettings.model_validate_json(settings))


def _read_file(path: Path) -> RawMap:
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; roads.file has to be a map file")
    if not path.is_file():
        raise ValueError(f"{path}: no such file; roads.file has to be a map file")
    name = path.name.lower()
    if name.endswith(".graphml"):
        return read_graphml(path)
    if name.endswith((".osm", ".osm.gz", ".osm.bz2", ".pbf")):
        return read_osm(path)
    raise ValueError(
        f"{path}: not a kind of map file; .osm.pbf, .osm, .osm.gz and .graphml can be read"
    )


def read_osm(path: Path) -> RawMap:
    """Highways, signals and places of an OSM file (.osm.pbf, .osm, .osm.gz).

    Areas are read from closed ways; multipolygon relations are not.

    Raises
    ------
    ValueError
        If the file is not an OSM file or is empty.
    """
    import osmium

    index: dict[int, int] = {}
    lon: list[float] = []
    lat: list[float] = []
    raw = RawMap(path.name, str(path), lon, lat)
    signals: list[int] = []
    # by its name in small letters: osmium knows no ".OSM.PBF"
    file = osmium.io.File(str(path), path.name.lower().partition(".")[2])
    keys = osmium.filter.KeyFilter("highway", *_PLACE_KEYS)
    try:
        for item in osmium.FileProcessor(file).with_locations().with_filter(keys):
            if isinstance(item, osmium.osm.Node):
                tags = dict(item.tags)
                if tags.get("highway") == "traffic_signals":
                    signals.append(item.id)
                elif not tags.keys().isdisjoint(_PLACE_KEYS) and item.location.valid():
                    raw.places.append((tags, np.array([[item.lon, item.lat]])))
            elif isinstance(item, osmium.osm.Way):
                tags = dict(item.tags)
                if "highway" in tags:
                    nodes = []
                    for ref in item.nodes:
                        if not ref.location.valid():
                            nodes.append(-1)
                            continue
                        known = index.setdefault(ref.ref, len(lon))
                        if known == len(lon):
                            lon.append(ref.lon)
                            lat.append(ref.lat)
                        nodes.append(known)
                    raw.ways.append((nodes, tags))
                else:
                    corners = [(r.lon, r.lat) for r in item.nodes if r.location.valid()]
                    if corners:
                        raw.places.append((tags, np.array(corners)))
    except (RuntimeError, osmium.InvalidLocationError) as error:
        raise ValueError(f"{path}: not a readable OSM file ({error})") from error
    if not raw.ways and not raw.places:
        raise ValueError(f"{path}: an empty map: neither roads nor places in it")
    raw.signals = [index[node] for node in signals if node in index]
    return raw


def read_graphml(path: Path) -> RawMap:
    """A road graph that osmnx saved. It holds roads only: hazards come from ``hazards_file``.

    Raises
    ------
    ValueError
        If it is not a GraphML file of osmnx.
    """
    import networkx as nx
    import osmnx

    try:
        graph = osmnx.load_graphml(path)
    except (SyntaxError, LookupError, ValueError, TypeError, nx.NetworkXError) as error:
        raise ValueError(
            f"{path}: not a GraphML file that osmnx saved with save_graphml ({error})"
        ) from error
    return _from_graph(graph, path.name, str(path))


def _from_graph(graph: Any, name: str, source: str) -> RawMap:
    """The roads of an osmnx graph, simplified or not, in degrees."""
    crs = str(graph.graph.get("crs", "")).lower()
    if crs not in ("epsg:4326", "wgs84", "wgs 84"):
        raise ValueError(
            f"{source}: the graph is in {crs or 'unknown'} coordinates; save it unprojected "
            "(epsg:4326)"
        )
    lon: list[float] = []
    lat: list[float] = []
    index: dict[object, int] = {}

    def node(key: object, x: float, y: float) -> int:
        known = index.setdefault(key, len(lon))
        if known == len(lon):
            lon.append(float(x))
            lat.append(float(y))
        return known

    raw = RawMap(name, source, lon, lat)
    for key, data in graph.nodes(data=True):
        if not {"x", "y"} <= data.keys():
            raise ValueError(f"{source}: node {key} has no coordinates x and y; save it with osmnx")
        place = node(key, data["x"], data["y"])
        if data.get("highway") == "traffic_signals":
            raw.signals.append(place)
    for start, end, data in graph.edges(data=True):
        line = data.get("geometry")
        between = [] if line is None else list(line.coords)[1:-1]
        # both directions of a simplified street share the points between their ends
        via = [node((round(x, 7), round(y, 7)), x, y) for x, y in between]
        tags = {
            key: _first(data[key])
            for key in ("highway", "maxspeed", "access", "junction", "name", "tracktype")
            if key in data
        }
        # the graph has an edge for each direction that is open; only a true one-way street may be
        # driven against by an engine
        tags["oneway"] = "yes" if data.get("oneway") in (True, "True", "yes") else "no"
        raw.ways.append(([index[start], *via, index[end]], tags))
    return raw


def _first(value: object) -> str:
    """Simplification joins the values of the ways that it merged to a list."""
    return str(value[0]) if isinstance(value, list) and value else str(value)


def read_place(place: str) -> RawMap:
    """Roads, boundary and places of a place by its name, from OpenStreetMap over the network.

    Raises
    ------
    ValueError
        If the place is not found or there is no network.
    """
    import osmnx
    import requests

    try:
        area = osmnx.geocode_to_gdf(place)
        polygon = area.geometry.iloc[0]
        graph = osmnx.graph_from_polygon(
            polygon, network_type="drive_service", simplify=False, retain_all=True
        )
        found = osmnx.features_from_polygon(polygon, dict.fromkeys(_PLACE_KEYS, True))
    except requests.RequestException as error:
        raise ValueError(
            f"roads.place = {place!r}: OpenStreetMap cannot be reached; give a downloaded map as "
            "roads.file instead"
        ) from error
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"roads.place = {place!r}: not found as an area with roads ({error}); write it as "
            "OpenStreetMap does, for example 'Lingkou, Danyang, China'"
        ) from error
    raw = _from_graph(graph, place, f"OpenStreetMap, {place}")
    largest = max(getattr(polygon, "geoms", [polygon]), key=lambda part: part.area)
    raw.boundary = np.array(largest.exterior.coords)[:-1]
    columns = [c for c in found.columns if c != "geometry"]
    for shape, row in zip(found.geometry, found[columns].to_dict("records"), strict=True):
        tags = {key: value for key, value in row.items() if isinstance(value, str)}
        raw.places += [(tags, outline) for outline in _outlines(shape.__geo_interface__)]
    return raw


def read_hazards(path: Path) -> list[tuple[dict[str, str], Any]]:
    """Hazards of clause 5.1.2 from a GeoJSON file (WGS-84), as tagged places.

    Raises
    ------
    ValueError
        If the file is missing, is no GeoJSON, or a feature has no known kind or geometry.
    """
    places = []
    for feature in read_geojson(path):
        kind = feature.properties.get("kind")
        if not isinstance(kind, str) or kind not in _HAZARDS:
            raise ValueError(
                f"{path}: feature {feature.number}: kind is {str(kind)[:60]!r}; write one of "
                f"{', '.join(_HAZARDS)}"
            )
        tags = _HAZARDS[kind] | {"name": str(feature.properties.get("name") or "")}
        places += [(tags, outline) for outline in _outlines(feature.geometry)]
    return places


def _outlines(geometry: Mapping[str, Any]) -> Iterator[Any]:
    """Corners in degrees of each point, line or outer ring of a GeoJSON geometry."""
    kind, positions = geometry["type"], geometry["coordinates"]
    if kind.startswith("Multi"):
        for part in positions:
            yield from _outlines({"type": kind.removeprefix("Multi"), "coordinates": part})
        return
    if kind == "Polygon":
        positions = positions[0]
    elif kind == "Point":
        positions = [positions]
    yield np.array([position[:2] for position in positions], float)
