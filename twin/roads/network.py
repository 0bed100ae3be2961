"""A road network: nodes, directed edges, the district's boundary and the places in it.

The network keeps every node of the map (no simplification): speeds are then set per edge before
anything is merged, and venues find a node close by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from pyproj import Proj
    from scipy.spatial import cKDTree
    from shapely import Polygon

Floats = NDArray[np.float64]

FEATURE_KINDS = (
    "dangerous_chemicals",
    "filling_station",
    "fire_station",
    "building",
    "village",
    "town",
    "industrial",
    "hydrant",
)
"""Kinds of :class:`Feature`; the first two are the hazards of clause 5.1.2."""


@dataclass(frozen=True, eq=False)
class Feature:
    """A place that matters to the scenario.

    Parameters
    ----------
    kind : one of :data:`FEATURE_KINDS`.
    name : its name; empty where the map has none.
    x, y : its middle, metres.
    outline : corners (k, 2) of its area in metres, not closed; None for a point.
    use : what a building is used for, in the map's own word (``school``, ``retail``).
    radius_m : extent of a village, town or industrial area as a circle; 0 for the other kinds.
    """

    kind: str
    name: str
    x: float
    y: float
    outline: Floats | None = None
    use: str = ""
    radius_m: float = 0.0


@lru_cache(maxsize=16)
def projection(lon: float, lat: float) -> Proj:
    """Azimuthal equidistant projection around a point: metres from it, exact on every ray."""
    from pyproj import Proj

    return Proj(proj="aeqd", lon_0=lon, lat_0=lat, datum="WGS84", units="m")


@dataclass(frozen=True, eq=False)
class RoadNetwork:
    """Nodes and directed edges that a motor vehicle may use, strongly connected.

    Parameters
    ----------
    lon, lat : (n,) nodes, degrees, WGS-84.
    x, y : (n,) the same in metres, east and north of ``origin``.
    start, end : (m,) node indices of the directed edges; at most one edge per pair.
    length : (m,) metres.
    road_class : (m,) index into :data:`twin.roads.settings.ROAD_CLASSES`.
    speed : (m,) m/s, ordinary vehicle in free flow: maxspeed where tagged and readable, else the
        class speed.
    contraflow : (m,) edges against a one-way street, which only a fire engine may use. Without
        them the network is strongly connected.
    junction : (n,) nodes where the junction delay applies: at least three neighbours by roads above
        service lanes and tracks, or signals.
    boundary : the district in metres: the map's own, else the convex hull of the nodes.
    features : the places.
    origin : longitude and latitude of the projection's middle.
    name, source : for reports.
    """

    lon: Floats
    lat: Floats
    x: Floats
    y: Floats
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    length: Floats
    road_class: NDArray[np.int8]
    speed: Floats
    contraflow: NDArray[np.bool_]
    junction: NDArray[np.bool_]
    boundary: Polygon
    features: tuple[Feature, ...]
    origin: tuple[float, float]
    name: str
    source: str

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self.x)

    def project(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """Degrees (WGS-84) to metres."""
        x, y = projection(*self.origin)(np.asarray(lon, float), np.asarray(lat, float))
        return np.asarray(x), np.asarray(y)

    def unproject(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Metres to degrees (WGS-84)."""
        lon, lat = projection(*self.origin)(
            np.asarray(x, float), np.asarray(y, float), inverse=True
        )
        return np.asarray(lon), np.asarray(lat)

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(np.column_stack([self.x, self.y]))

    def nearest(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
        """The nearest node to each point and how far it is.

        Parameters
        ----------
        x, y : metres, of one shape; the answers have the same.

        Returns
        -------
        node : indices.
        distance : straight-line metres.
        """
        points = np.stack(np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float)), axis=-1)
        distance, node = self._tree.query(points)
        return np.asarray(node, np.int64), np.asarray(distance, float)

    @cached_property
    def middle(self) -> int:
        """The node nearest to the centroid of the district, for a center that has no place yet."""
        point = self.boundary.centroid
        return int(self.nearest(point.x, point.y)[0])

    def features_of(self, *kinds: str) -> list[Feature]:
        """The features of these kinds, in the network's order."""
        return [feature for feature in self.features if feature.kind in kinds]
