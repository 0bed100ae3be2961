"""The built-in township: a plausible plain township of southern Jiangsu, the same every time.

About 14 km across with an irregular boundary, whose corners lie about 8 km from the market town:
neither trivially inside nor outside the radius of 5.1.1. A motorway with two interchanges, a
river with three bridges, a market town, villages strung along lanes, an industrial park, two
chemical plants, three filling stations, one fire station and hydrants. Names are generic; the place
does not exist.

It is drawn in metres east and north of its middle and handed on as tagged ways and places in
degrees, so that it takes the same path as a map file (:mod:`twin.roads.build`).
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.roads.build import RawMap
from twin.roads.network import projection

if TYPE_CHECKING:
    from shapely import LineString, Polygon

Floats = NDArray[np.float64]
Line = list[tuple[float, float]]
Road = tuple[Line, dict[str, str]]

ORIGIN = (119.6, 32.0)
"""Longitude and latitude of the drawing's middle (the plain near Zhenjiang)."""

# Distance between nodes along a road and along a road in the fields, m: venues are snapped to them.
_SPACING = 120.0
_FIELD_SPACING = 220.0

BOUNDARY: Line = [
    (-6100, 5200), (-5100, 5650), (-3900, 5200), (-2600, 6100), (-900, 6750), (700, 6500),
    (2100, 6900), (3300, 6100), (4700, 6350), (5400, 5850), (6300, 4700), (5700, 3600),
    (6500, 2300), (7150, 900), (6700, -700), (7000, -2300), (6100, -3500), (6100, -4800),
    (4800, -5600), (3100, -5400), (1900, -6500), (200, -6900), (-1500, -6200), (-2900, -6500),
    (-4200, -5700), (-5600, -5600), (-6100, -4300), (-7000, -3200), (-6600, -1500),
    (-7200, 200), (-6700, 1900), (-7000, 3700),
]  # fmt: skip

_RIVER: Line = [
    (-8200, 2700), (-6500, 2500), (-5000, 1900), (-3600, 1700), (-2200, 1150), (-900, 950),
    (300, 1150), (1500, 1500), (2800, 1350), (4200, 800), (5600, 900), (7000, 1350), (8200, 1300),
]  # fmt: skip
_RIVER_WIDTH = 110.0

_MOTORWAY: Line = [
    (-8000, -3250), (-5500, -3550), (-3000, -3500), (-1000, -3400), (1200, -3450), (3300, -3750),
    (5500, -4150), (8000, -4300),
]  # fmt: skip

# Name, class, course. Only these cross the river (the first two and the ring) and the motorway.
_MAIN: list[tuple[str, str, Line]] = [
    ("县道101", "primary", [(-250, -7100), (-330, -5200), (-300, -3400), (-80, -1800), (0, -700),
                          (60, 300), (120, 1100), (20, 2300), (-60, 3900), (150, 5400),
                          (60, 6900)]),
    ("东西大道", "secondary", [(-7400, -900), (-5600, -700), (-3700, -350), (-1800, -60), (0, 60),
                           (1900, -40), (3700, -420), (5300, -650), (7300, -500)]),
    ("北环路", "secondary", [(-7200, 4000), (-5200, 3850), (-3100, 3500), (-1500, 3700),
                          (-50, 3900), (1900, 4050), (3700, 3700), (5000, 3900), (6500, 3700)]),
    ("西桥路", "secondary", [(-4300, -6000), (-4200, -4300), (-3900, -2200), (-3700, -350),
                         (-3850, 900), (-3800, 1750), (-3500, 2500), (-3100, 3500), (-3300, 5500)]),
    ("园区路", "secondary", [(3500, -5650), (3400, -3760), (3350, -2500), (3550, -1400),
                          (3700, -420), (3900, 400), (3950, 900), (3850, 1800), (3700, 3700)]),
    ("圩堤路", "tertiary", [(3700, 3700), (3900, 5000), (3700, 6300)]),
    ("南环路", "secondary", [(-6300, -4900), (-4250, -4900), (-2000, -5100), (-330, -5200),
                         (1600, -5000), (3470, -5000), (5200, -5100)]),
    ("沿河路", "tertiary", [(-6500, 1900), (-5100, 1350), (-3850, 900), (-2300, 550), (-1000, 480),
                         (60, 480), (1500, 850), (3000, 750), (3950, 400), (5600, 350),
                         (7100, 700)]),
    ("北河路", "tertiary", [(-6700, 3100), (-5000, 2550), (-3500, 2500), (-1900, 2050), (20, 2300),
                         (1700, 2250), (3800, 2100), (5500, 1900), (6500, 2200)]),
    ("港西路", "tertiary", [(-3950, -2300), (-2100, -1900), (-80, -1800), (1600, -1900),
                         (3450, -1900), (5200, -2200), (7000, -2100)]),
]  # fmt: skip

# Villages: middle, direction of the main lane in degrees, houses' rows, length in m.
_VILLAGES: list[tuple[str, float, float, float, int, float]] = [
    ("陈家村", -5900, 4750, 10, 2, 620), ("柳塘村", -4300, 4550, 80, 2, 700),
    ("北渡村", -1700, 5300, 20, 3, 800), ("高桥村", 1500, 5500, 150, 2, 640),
    ("东圩村", 5100, 5300, 95, 3, 760), ("杨庄村", 5400, 2950, 30, 2, 560),
    ("荷叶村", 2300, 3050, 175, 2, 640), ("前圩村", -1700, 2900, 160, 2, 600),
    ("西河村", -5900, 3350, 165, 2, 520), ("石桥村", -5500, 600, 150, 3, 780),
    ("周家村", -6200, -2200, 70, 2, 560), ("三元村", -2500, -1050, 15, 2, 640),
    ("红旗村", -5300, -1650, 5, 2, 600), ("南塘村", -2400, -4350, 100, 3, 740),
    ("沙湾村", -5000, -5350, 170, 2, 560), ("张巷村", 1300, -5900, 20, 2, 620),
    ("新丰村", 5300, -4650, 85, 2, 560), ("梅园村", 5700, -1450, 110, 3, 700),
    ("塘湾村", 5900, 80, 165, 2, 560), ("后庄村", 1700, -2700, 5, 2, 600),
]  # fmt: skip

_TOWN = (-950.0, -1050.0, 1150.0, 420.0)  # west, south, east, north of the market town
_PARK = (2000.0, -1750.0, 5000.0, -500.0)  # of the industrial park


# Traffic signals: where the main roads meet, nearest node.
_SIGNALS = [(0, 60), (-50, 3900), (3700, -420), (-480, 40), (720, 40)]


def township() -> RawMap:
    """The built-in township as a raw map, with its boundary."""
    nodes, ways = _roads()
    places = np.array(nodes, float)
    lon, lat = projection(*ORIGIN)(places[:, 0], places[:, 1], inverse=True)
    raw = RawMap(
        "built-in township",
        "built-in township",
        # as exact as OpenStreetMap's own coordinates, and the same on every machine
        np.round(lon, 7).tolist(),
        np.round(lat, 7).tolist(),
        signals=[int(np.hypot(*(places - near).T).argmin()) for near in _SIGNALS],
        ways=list(ways),
        boundary=_degrees(BOUNDARY),
    )
    raw.places = [(tags, _degrees(corners)) for corners, tags in _places()]
    return raw


@cache
def _roads() -> tuple[list[tuple[int, int]], list[tuple[list[int], dict[str, str]]]]:
    """Nodes in metres and tagged ways; drawn once, because nothing can make them different."""
    import shapely

    boundary = shapely.Polygon(BOUNDARY)
    river = shapely.LineString(_bend(_RIVER)).buffer(_RIVER_WIDTH / 2)
    nodes: dict[tuple[int, int], int] = {}
    motorway, ramps = _motorway()
    ways = [
        ([nodes.setdefault((round(x), round(y)), len(nodes)) for x, y in line], tags)
        for line, tags in motorway + _at_grade(_streets(boundary, river) + ramps)
    ]
    return list(nodes), ways


def _degrees(line: Line) -> Floats:
    points = np.array(line, float)
    lon, lat = projection(*ORIGIN)(points[:, 0], points[:, 1], inverse=True)
    return np.round(np.column_stack([lon, lat]), 7)


def _bend(points: Line) -> Line:
    """A road's course through its points, rounded (two cuts of Chaikin's corner cutting).

    Ends stay; points where other roads begin are met by the noding in :func:`_at_grade`.
    """
    line = np.array(points, float)
    for _ in range(2):
        cut = np.empty((2 * len(line) - 2, 2))
        cut[0::2] = 0.75 * line[:-1] + 0.25 * line[1:]
        cut[1::2] = 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.vstack([line[:1], cut[1:-1], line[-1:]])
    return [(float(x), float(y)) for x, y in line]


def _motorway() -> tuple[list[Road], list[Road]]:
    """Two one-way carriageways, 30 m apart, and the ramps of two diamond interchanges."""
    import shapely

    axis = shapely.LineString(_bend(_MOTORWAY))
    crossing = {name: shapely.LineString(_bend(course)) for name, _, course in _MAIN}
    north, south = axis.offset_curve(15.0), axis.offset_curve(-15.0)
    ramps: list[Road] = []
    joints: dict[str, list[float]] = {"north": [], "south": []}
    for name in ("县道101", "园区路"):
        middle = axis.project(axis.intersection(crossing[name]))
        for side, lane, offset in (("north", north, 190.0), ("south", south, -190.0)):
            foot = crossing[name].intersection(axis.offset_curve(offset))
            for along, step in ((-1, -520.0), (1, 520.0)):
                at = lane.project(axis.interpolate(middle + step))
                joints[side].append(at)
                point = lane.interpolate(at)
                bow = axis.offset_curve(offset * 0.7).interpolate(
                    axis.offset_curve(offset * 0.7).project(axis.interpolate(middle + step * 0.45))
                )
                course = _bend([(point.x, point.y), (bow.x, bow.y), (foot.x, foot.y)])
                # the southern carriageway runs east, the northern one west
                leaves = (along < 0) == (side == "south")
                course[0] = (round(point.x), round(point.y))
                ramps.append(
                    (course if leaves else course[::-1], _tags("motorway_link", oneway="yes"))
                )
    ways: list[Road] = []
    for side, lane in (("north", north), ("south", south)):
        steps = np.arange(0.0, lane.length, 4 * _SPACING)
        near = np.array(joints[side])
        # no other node close to a joint, so that the ramp's end is the carriageway's node
        steps = steps[np.abs(steps[:, None] - near).min(axis=1) > _SPACING]
        places = np.sort(np.concatenate([steps, near, [lane.length]]))
        course = [(float(p.x), float(p.y)) for p in (lane.interpolate(s) for s in places)]
        tags = _tags("motorway", name="高速公路", maxspeed="100")
        ways.append((course if side == "south" else course[::-1], tags))
        # carriageways end at the district's edge; traffic turns there, as it would at the next exit
    ends = [[ways[1][0][-1], ways[0][0][0]], [ways[0][0][-1], ways[1][0][0]]]
    ways += [(end, _tags("motorway_link", oneway="yes")) for end in ends]
    return ways, ramps


def _tags(highway: str, **tags: str) -> dict[str, str]:
    return {"highway": highway, **tags}


def _streets(boundary: Polygon, river: Polygon) -> list[Road]:
    """Everything at grade, not yet joined where it crosses."""
    import shapely

    main = [(_bend(course), _tags(road, name=name)) for name, road, course in _MAIN]
    for _, tags in main:
        if tags["highway"] == "primary":
            tags["maxspeed"] = "60"
    inner = main + _town() + _park()
    barrier = shapely.union_all([river, shapely.LineString(_bend(_MOTORWAY)).buffer(40.0)])
    # farm roads leave town and park to their own streets
    free = shapely.difference(
        boundary.buffer(-120.0),
        shapely.union_all(
            [barrier, shapely.box(*_TOWN).buffer(60), shapely.box(*_PARK).buffer(60)]
        ),
    )
    farm = _farm_roads(free, [line for line, _ in main])
    lanes: list[Road] = []
    trunk = shapely.union_all([shapely.LineString(line) for line, _ in inner + farm])
    for village in _VILLAGES:
        lanes += _village(*village[1:], trunk)
    return inner + farm + lanes


def _farm_roads(free: Polygon, main: list[Line]) -> list[Road]:
    """A loose, bent grid of narrow roads between the fields, with gaps."""
    import shapely

    # road by road: the buffer of all of them together takes 20 ms
    beside = shapely.union_all([shapely.LineString(line).buffer(200.0) for line in main])
    draws = Random(1066)
    roads: list[Road] = []
    positions = np.arange(-6900.0, 6901.0, 230.0)
    for upright in (True, False):
        for number, place in enumerate(np.arange(-6300.0, 6301.0, 1400.0)):
            # some are the wider roads that join villages, without gaps
            wide = number in ((3, 6, 8) if upright else (8,))
            shift = draws.uniform(-180, 180)
            across = (
                place
                + shift
                + 130 * np.sin(positions / 1500 + place)
                + 60 * np.sin(positions / 520 + 2 * place)
            )
            course = np.column_stack([across, positions] if upright else [positions, across])
            tags = _tags("tertiary" if wide else "unclassified")
            # leave pieces out: fields and ponds are not crossed everywhere
            last = 0
            while last < len(course) - 4:
                size = draws.randint(9, 26)
                piece = shapely.LineString(course[last : last + size + 1]).intersection(free)
                last += size + (draws.randint(3, 7) if not wide and draws.random() < 0.4 else 0)
                if last >= len(course) - 1:
                    last = len(course)
                for part in getattr(piece, "geoms", [piece]):
                    parallel = part.intersection(beside).length > 0.6 * part.length
                    if part.geom_type == "LineString" and part.length > 250 and not parallel:
                        roads.append((list(part.coords), tags))
    return roads


def _town() -> list[Road]:
    """The market town: streets around the crossing of the two main roads, lanes in the blocks."""
    west, south, east, north = _TOWN
    roads: list[Road] = []
    columns = [-950, -700, -480, -240, 250, 470, 720, 950, 1150]
    rows = [-1050, -840, -640, -430, -210, 260, 420]
    for number, x in enumerate(columns):
        tags = _tags("tertiary" if x in (-480, 720) else "residential")
        if x == -240:
            tags |= {"oneway": "yes", "name": "老街"}
        if x == 250:
            tags |= {"oneway": "-1", "name": "新街"}
        # older streets are a little oblique
        lean = 25 * (-1) ** number
        roads.append(([(x - lean, south), (x, -200.0), (x + lean / 2, north)], tags))
    for number, y in enumerate(rows):
        tags = _tags("tertiary" if y == -640 else "residential")
        lean = 18 * (-1) ** number
        roads.append(([(west, y - lean), (0.0, float(y)), (east, y + lean)], tags))
    for number, x in enumerate(range(-840, 1100, 240)):
        # lanes and yards behind the houses
        y = rows[number % (len(rows) - 2)]
        roads.append(([(x, y), (x + 8, y + 110)], _tags("service")))
        roads.append(([(x, rows[-2] - 60), (x + 6, north - 20)], _tags("living_street")))
    # the streets reach the river road
    roads.append(([(-480, north - 5), (-490, 600)], _tags("residential")))
    roads.append(([(720, north - 5), (740, 800)], _tags("residential")))
    return roads


def _park() -> list[Road]:
    """The industrial park: wide blocks, with yards."""
    west, south, east, north = _PARK
    roads: list[Road] = []
    for x in np.arange(west, east + 1, 500.0):
        roads.append(
            (
                [(x, south - 130), (x, north + 60)],
                _tags("tertiary" if x == 2500 else "unclassified"),
            )
        )
    for y in np.arange(south, north + 1, 410.0):
        roads.append(([(west, y), (east, y - 40)], _tags("unclassified")))
        for x in np.arange(west + 230, east - 100, 500.0):
            roads.append(([(x, y - 20), (x + 10, y + 190)], _tags("service")))
    # west of the park to the town
    roads.append(([(1150, -640), (1600, -760), (2000, -930)], _tags("tertiary")))
    return roads


def _village(
    x: float, y: float, bearing: float, rows: int, length: float, roads: LineString
) -> list[Road]:
    """Parallel lanes with cross lanes, joined to the nearest road at two places."""
    import shapely

    angle = np.radians(bearing)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    middle = np.array([x, y])

    def at(u: float, v: float) -> tuple[float, float]:
        point = middle + u * along + (v + 14 * np.sin(u / 90 + x)) * across
        return float(point[0]), float(point[1])

    half, gap = length / 2, 95.0
    offsets = [gap * (row - (rows - 1) / 2) for row in range(rows)]
    lanes: list[Road] = []
    for number, v in enumerate(offsets):
        short = 40.0 * (number % 2)
        us = np.linspace(-half + short, half - short, 8)
        lanes.append(([at(float(u), v) for u in us], _tags("residential")))
    for number, u in enumerate(np.arange(-half + 60, half - 30, 115.0)):
        low, high = offsets[0] - 10, offsets[-1] + 10
        end = high + 45 * (number % 3)
        lanes.append(([at(float(u), low - 45 * ((number + 1) % 2)), at(float(u), end)],
                      _tags("residential" if number % 2 else "service")))  # fmt: skip
    for u in (-half, half):
        lane = shapely.shortest_line(shapely.Point(at(u, offsets[0])), roads)
        if lane.length > 5:
            lanes.append((list(lane.coords), _tags("unclassified")))
    return lanes


def _at_grade(roads: list[Road]) -> list[Road]:
    """The same roads joined where they meet, with a node at least every 120 m.

    Lines are noded on a grid of 1 m; each piece takes the tags of the road that it lies on (the
    more important one where two lie on each other).
    """
    import shapely

    lines = np.array([shapely.LineString(line) for line, _ in roads], dtype=object)
    pieces = shapely.get_parts(shapely.union_all(lines, grid_size=1.0))
    middles = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    piece_of, line_of = shapely.STRtree(lines).query(middles, predicate="dwithin", distance=1.5)
    # roads come in the order of their importance
    first = np.full(len(pieces), len(roads))
    np.minimum.at(first, piece_of, line_of)
    tags = [roads[number][1] for number in first.tolist()]
    original = lines[first]
    begin, end = (
        shapely.line_locate_point(original, shapely.get_point(pieces, place)) for place in (0, -1)
    )
    turned = (begin > end) & np.array(["oneway" in own for own in tags])
    pieces[turned] = shapely.reverse(pieces[turned])
    streets = [own["highway"] in ("residential", "living_street", "service") for own in tags]
    spacing = np.where(streets, _SPACING, _FIELD_SPACING)
    courses = shapely.segmentize(shapely.simplify(pieces, 4.0), spacing)
    points, course_of = shapely.get_coordinates(courses, return_index=True)
    ends = np.cumsum(np.bincount(course_of))
    nodes = [(x, y) for x, y in points.tolist()]
    return [
        (nodes[first:last], own)
        for first, last, own in zip([0, *ends.tolist()], ends.tolist(), tags, strict=False)
    ]


def _places() -> list[tuple[Line, dict[str, str]]]:
    """Villages, the town, the park, hazards, the brigade, hydrants."""
    places: list[tuple[Line, dict[str, str]]] = []
    for name, x, y, bearing, rows, length in _VILLAGES:
        angle = np.radians(bearing)
        u = np.array([np.cos(angle), np.sin(angle)]) * (length / 2 + 40)
        v = np.array([-np.sin(angle), np.cos(angle)]) * (rows * 48 + 60)
        ring = [np.array([x, y]) + a * u + b * v for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        places.append(
            ([(float(p[0]), float(p[1])) for p in ring], {"place": "village", "name": name})
        )
    west, south, east, north = _TOWN
    ring = [(west, south), (east, south), (east, north), (west, north)]
    places.append((ring, {"place": "town", "name": "镇区"}))
    west, south, east, north = _PARK
    ring = [(west, south), (east, south), (east, north), (west, north)]
    places.append((ring, {"landuse": "industrial", "name": "工业园区"}))
    for name, x, y, wide, high in (
        ("园区化工厂", 4560, -1540, 190, 150), ("沿河化工厂", -4750, 1020, 220, 160)
    ):  # fmt: skip
        ring = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
        places.append((ring, {"man_made": "works", "product": "chemical", "name": name}))
    for name, x, y in (
        ("镇北加油站", -30, 3300),
        ("镇东加油站", 1560, 20),
        ("高速口加油站", -350, -2950),
    ):
        places.append(([(x, y)], {"amenity": "fuel", "name": name}))
    places.append(([(1010, -260)], {"amenity": "fire_station", "name": "镇专职消防队"}))
    hydrants = [(x, y) for x in (-705, -235, 245, 715) for y in (-1040, -635, -205, 255)]
    hydrants += [(x, y) for x in (2000, 3000, 4000, 5000) for y in (-1750, -1340, -930)]
    places += [([(float(x), float(y))], {"emergency": "fire_hydrant"}) for x, y in hydrants]
    return places
