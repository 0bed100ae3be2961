"""The built-in district: townships side by side, as many as asked for, the same every time.

Each is the built-in township (:mod:`twin.roads.township`), every other one mirrored, so that the
roads that leave one lie across from those of its neighbour; over the fields between two townships
they are joined by straight roads, and the motorways run on. Nothing is stated about a real place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.roads.build import RawMap, directions
from twin.roads.network import projection
from twin.roads.township import ORIGIN, township

Floats = NDArray[np.float64]

WIDE, HIGH = 16_000.0, 14_800.0
"""From middle to middle of two townships, m: at half of it the motorway ends (8 km), and the gap
between two boundaries is about a kilometre."""

NAMES = "甲乙丙丁戊己庚辛壬癸"
"""The first townships are called by the ten heavenly stems, later ones by their number."""

# Where a road leaves the township, m, and its class: to the east, the west, the north, the south.
_EAST = [(7300, -500, "secondary"), (7100, 700, "tertiary"), (7000, -2100, "tertiary")]
_WEST = [(-7400, -900, "secondary"), (-7200, 4000, "secondary"), (-6700, 3100, "tertiary")]
_NORTH = [(60, 6900, "primary"), (3700, 6300, "tertiary"), (-3300, 5500, "secondary")]
_SOUTH = [(-250, -7100, "primary"), (-4300, -6000, "secondary"), (3500, -5650, "secondary")]


def district(townships: int) -> RawMap:
    """So many townships as one raw map: rows of as many as make it nearly square.

    Parameters
    ----------
    townships : at least 2.
    """
    from shapely import Polygon, union_all

    drawn = township()
    local = projection(*ORIGIN)
    x, y = (np.asarray(axis) for axis in local(drawn.lon, drawn.lat))
    columns = int(np.ceil(np.sqrt(townships)))
    cells = [(n % columns, n // columns) for n in range(townships)]
    shift = np.array([-(columns - 1) / 2 * WIDE, -(-(-townships // columns) - 1) / 2 * HIGH])
    raw = RawMap(f"built-in district of {townships} townships", "built-in district", [], [])
    metres: list[Floats] = []
    outlines = []
    at_node: dict[tuple[int, int], NDArray[np.int64]] = {}
    for number, cell in enumerate(cells):
        flip = np.array([-1.0 if cell[0] % 2 else 1.0, -1.0 if cell[1] % 2 else 1.0])
        middle = shift + np.array(cell) * [WIDE, HIGH]
        here = np.column_stack([x, y]) * flip + middle
        node = np.arange(len(here)) + number * len(here)
        metres.append(here)
        at_node[cell] = node
        mirrored = flip.prod() < 0
        for nodes, tags in drawn.ways:
            way = [int(node[k]) for k in nodes]
            # one-way traffic keeps to the right in a mirror, too
            turn = mirrored and directions(tags) != (True, True)
            raw.ways.append((way[::-1] if turn else way, tags))
        raw.signals += [int(node[k]) for k in drawn.signals]
        name = NAMES[number] if number < len(NAMES) else f"{number + 1}"
        for tags, corners in drawn.places:
            placed = np.column_stack(local(corners[:, 0], corners[:, 1])) * flip + middle
            named = {**tags, "name": f"{name}·{tags['name']}"} if "name" in tags else tags
            raw.places.append((named, placed))
        assert drawn.boundary is not None  # the township has one
        outlines.append(Polygon(np.column_stack(local(*drawn.boundary.T)) * flip + middle))
    raw.ways += _joints(drawn, cells, at_node, x, y)
    # the fields between two townships belong to the district; the mirrored corners lie across
    gap = 1800.0
    whole = union_all([outline.buffer(gap) for outline in outlines]).buffer(-gap)
    raw.boundary = _degrees(np.array(whole.exterior.coords)[:-1])
    raw.places = [(tags, _degrees(corners)) for tags, corners in raw.places]
    degrees = _degrees(np.concatenate(metres))
    raw.lon, raw.lat = degrees[:, 0].tolist(), degrees[:, 1].tolist()
    return raw


def _joints(
    drawn: RawMap,
    cells: list[tuple[int, int]],
    at_node: dict[tuple[int, int], NDArray[np.int64]],
    x: Floats,
    y: Floats,
) -> list[tuple[list[int], dict[str, str]]]:
    """The roads over the fields from township to township, and the motorways' joints."""
    motorways = [nodes for nodes, tags in drawn.ways if tags["highway"] == "motorway"]

    def nearest(u: float, v: float) -> int:
        return int(np.hypot(x - u, y - v).argmin())

    ways = []
    for i, j in cells:
        across = _WEST if i % 2 else _EAST
        along = _SOUTH if j % 2 else _NORTH
        for other, ends in (((i + 1, j), across), ((i, j + 1), along)):
            if other not in at_node:
                continue
            for u, v, road in ends:
                # the neighbour is the mirror image: its end is the same node of the drawing
                end = nearest(u, v)
                ways.append(
                    ([int(at_node[i, j][end]), int(at_node[other][end])], {"highway": road})
                )
        if (i + 1, j) in at_node:
            for nodes in motorways:
                for end, leaves in ((nodes[0], False), (nodes[-1], True)):
                    if (x[end] > 0) == (i % 2 == 0):
                        way = [int(at_node[i, j][end]), int(at_node[i + 1, j][end])]
                        # mirrored once, the carriageway is driven from its end to its beginning
                        onward = leaves == ((i + j) % 2 == 0)
                        ways.append((way if onward else way[::-1], {"highway": "motorway"}))
    return ways


def _degrees(points: Floats) -> Floats:
    lon, lat = projection(*ORIGIN)(points[:, 0], points[:, 1], inverse=True)
    return np.round(np.column_stack([lon, lat]), 7)
