"""What has to be reached: the venues with their points, the district's edge, and its roads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.roads.network import RoadNetwork
from twin.siting.rules import edge_points
from twin.venues.build import Fleet, Venues

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Demand:
    """Demand points: the venues in their order, then points of the district's edge and its roads.

    Attributes
    ----------
    names : venue ids, then ``edge-001`` and so on, then ``road-`` and the node's number.
    x, y : metres.
    node : nearest road node.
    points : networked points there; edge and roads have none.
    venues : how many of the demand points are venues.
    """

    names: list[str]
    x: Floats
    y: Floats
    node: NDArray[np.int64]
    points: NDArray[np.int64]
    venues: int

    def __len__(self) -> int:
        """The number of demand points."""
        return len(self.names)

    def with_roads(self, network: RoadNetwork, nodes: NDArray[np.int64]) -> Demand:
        """The demand with road nodes that have to be reached as well."""
        return Demand(
            [*self.names, *(f"road-{node}" for node in nodes.tolist())],
            np.append(self.x, network.x[nodes]),
            np.append(self.y, network.y[nodes]),
            np.append(self.node, nodes),
            np.append(self.points, np.zeros(len(nodes), np.int64)),
            self.venues,
        )


def demand_of(network: RoadNetwork, venues: Venues, fleet: Fleet, edge: bool) -> Demand:
    """The demand of a district, without its roads.

    Parameters
    ----------
    network : its boundary is the district.
    venues, fleet : who has how many points.
    edge : whether the district's edge has to be reached (5.1.1) besides the venues.
    """
    points = np.bincount(fleet.venue[fleet.is_point], minlength=len(venues.ids)).astype(np.int64)
    names, x, y, node = list(venues.ids), venues.x, venues.y, venues.node.astype(np.int64)
    if edge:
        outer = edge_points(network, network.boundary)
        names += [f"edge-{k + 1:03d}" for k in range(len(outer))]
        x, y = np.append(x, outer.x), np.append(y, outer.y)
        node = np.append(node, outer.node)
        points = np.append(points, np.zeros(len(outer), np.int64))
    return Demand(names, x, y, node, points, len(venues.ids))
