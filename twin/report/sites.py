"""Where the centers and venues of a run stand, for the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin.report.area_map import Site
from twin.roads.areas import nearest_parts, read_area
from twin.streams import Streams
from twin.venues.build import build_venues

if TYPE_CHECKING:
    from twin.world import Run


def sites_of(run: Run) -> dict[str, Site]:
    """Each center's place, area and venues; the log names the venues that are a center's."""
    scenario, network = run.scenario, run.network
    places: dict[str, tuple[float, float]] = {}
    for name, center in scenario.centers.items():
        if center.lon is None or center.lat is None:
            places[name] = (float(network.x[network.middle]), float(network.y[network.middle]))
        else:
            x, y = network.project(center.lon, center.lat)
            places[name] = (float(x), float(y))
    parts = nearest_parts(network.boundary, list(places.values()))
    streams = Streams(scenario.seed).within("venues")
    venues, _ = build_venues(scenario.venues, network, streams)
    found = {}
    for (name, center), part in zip(scenario.centers.items(), parts, strict=True):
        area = part if center.area is None else read_area(center.area, network)
        found[name] = Site(
            *places[name], area, tuple(venues.ids), np.asarray(venues.x), np.asarray(venues.y)
        )
    return found
