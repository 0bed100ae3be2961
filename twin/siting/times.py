"""Times and straight distances from every candidate to every demand point, in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.roads.travel import TravelTimes

BLOCK = 2_000_000
"""Times in float64 that are held at once: sources times nodes."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """How demand is reached from the candidates in the worst hour (5.1.1).

    Attributes
    ----------
    seconds : (demand, candidates) float32, turnout and travel of an ordinary vehicle, in whichever
        hour of the week that is slowest for the pair; inf where no road leads.
    metres : (demand, candidates) float32, straight line.
    covers : (demand, candidates) within both limits.
    """

    seconds: NDArray[np.float32]
    metres: NDArray[np.float32]
    covers: NDArray[np.bool_]


def reach_matrix(
    travel: TravelTimes,
    sites: tuple[ArrayLike, ArrayLike, ArrayLike],
    demand: tuple[ArrayLike, ArrayLike, ArrayLike],
    turnout_s: float,
    limit_s: float,
    radius_m: float,
) -> Matrix:
    """Times in the worst hour, straight distances, and what is within both limits.

    Parameters
    ----------
    travel : times by road.
    sites, demand : node, x and y of each, metres.
    turnout_s, limit_s, radius_m : of 5.1.1.
    """
    node, x, y = (np.asarray(axis) for axis in sites)
    at, u, v = (np.asarray(axis) for axis in demand)
    seconds = np.empty((len(at), len(node)), np.float32)
    metres = np.empty_like(seconds)
    covers = np.empty(seconds.shape, bool)
    sources, source = np.unique(node, return_inverse=True)
    of_source = np.split(np.argsort(source, kind="stable"), np.cumsum(np.bincount(source))[:-1])
    hours = travel.slowest_hours()
    step = max(1, BLOCK // len(travel.network))
    for first in range(0, len(sources), step):
        part = sources[first : first + step]
        times = travel.seconds(part, hours[0])[:, at]
        for hour in hours[1:]:
            times = np.maximum(times, travel.seconds(part, hour)[:, at])
        times += turnout_s
        for row, sites_here in zip(times, of_source[first : first + step], strict=True):
            for site in sites_here.tolist():
                straight = np.hypot(u - x[site], v - y[site])
                covers[:, site] = (row <= limit_s) & (straight <= radius_m)
                seconds[:, site] = row
                metres[:, site] = straight
    return Matrix(seconds, metres, covers)
