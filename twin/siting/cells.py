"""The land that goes with each road node: what lies nearer to it than to any other node.

Areas are made of these cells, so a center that reaches a node in time and has all of its cell
within the radius holds 5.1.1 there, wherever the edge of its area comes to lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.roads.network import RoadNetwork
from twin.siting.rules import nodes_in

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of the road nodes in a district.

    Attributes
    ----------
    node : (n,) the nodes.
    corner_x, corner_y : (m,) corners of all cells, metres, cell after cell.
    first : (n,) where the corners of each cell begin.
    """

    node: NDArray[np.int64]
    corner_x: Floats
    corner_y: Floats
    first: NDArray[np.int64]

    def farthest(self, x: float, y: float) -> Floats:
        """How far the farthest corner of each cell is from a site, straight line, (n,) metres."""
        away = np.hypot(self.corner_x - x, self.corner_y - y)
        return np.asarray(np.maximum.reduceat(away, self.first))


def node_cells(network: RoadNetwork) -> Cells:
    """The cells of the nodes in the network's boundary or on it, cut off at it.

    Nodes at one place share their cell.
    """
    import shapely
    from scipy.spatial import Voronoi

    district = network.boundary
    shapely.prepare(district)
    nodes = nodes_in(network, district)
    places = np.column_stack([network.x, network.y])[nodes]
    _, one, place = np.unique(np.round(places, 2), axis=0, return_index=True, return_inverse=True)
    voronoi = Voronoi(np.concatenate([places[one], corners_around(district.bounds)]))
    inside = shapely.contains_xy(district, *voronoi.vertices.T)
    corners: list[Floats] = []
    for here, region in zip(places[one], voronoi.point_region[: len(one)].tolist(), strict=True):
        at = voronoi.regions[region]
        cell = voronoi.vertices[at]
        if not inside[at].all():
            cut = shapely.convex_hull(shapely.multipoints(cell)).intersection(district)
            cell = shapely.get_coordinates(cut)
        corners.append(cell if len(cell) else here[None])  # a node a hair's breadth outside
    sizes = np.array([len(cell) for cell in corners])
    ends = np.cumsum(sizes)
    order = np.concatenate([np.arange(ends[p] - sizes[p], ends[p]) for p in place.tolist()])
    flat = np.concatenate(corners)[order]
    counts = sizes[place]
    return Cells(nodes, flat[:, 0], flat[:, 1], np.cumsum(counts) - counts)


def corners_around(bounds: tuple[float, float, float, float]) -> Floats:
    """Four places so far around a district that the cells of those within it are closed."""
    x0, y0, x1, y1 = bounds
    far = 10 * max(x1 - x0, y1 - y0)
    return np.array([(x, y) for x in (x0 - far, x1 + far) for y in (y0 - far, y1 + far)])
