"""Times and straight distances from every candidate to every demand point, in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.roads.travel import TravelTimes
from twin.siting.cells import Cells

Floats = NDArray[np.float64]
Times = NDArray[np.float32]

BLOCK = 2_000_000
"""Times in float64 that are held at once: sources times nodes."""

_ROWS_AT_ONCE = 500
"""Rows that are compared with all others at once."""

ROUNDING_S = 1e-3
"""Times are held in float32; what is within the limit by less than this counts as late."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """How demand is reached from the candidates in the worst hour (5.1.1).

    Attributes
    ----------
    seconds : (demand, candidates), turnout and travel of an ordinary vehicle, in whichever hour of
        the week that is slowest for the pair; inf where no road leads.
    metres : (demand, candidates), straight line.
    covers : (demand, candidates) within both limits.
    """

    seconds: Times
    metres: Times
    covers: NDArray[np.bool_]


def node_times(travel: TravelTimes, sources: ArrayLike, hours: Sequence[int | None]) -> Times:
    """Travel times from each source to every node, the slowest of the hours, (sources, nodes), s.

    Parameters
    ----------
    travel : times by road.
    sources : node indices; equal ones are worked out once.
    hours : hours of the week, as :meth:`~twin.roads.travel.TravelTimes.slowest_hours` gives them
        for the worst hour of each pair; None is free flow.
    """
    nodes, which = np.unique(np.asarray(sources, int), return_inverse=True)
    times = np.empty((len(nodes), len(travel.network)), np.float32)
    step = max(1, BLOCK // len(travel.network))
    for first in range(0, len(nodes), step):
        part = slice(first, first + step)
        slowest = np.zeros((len(nodes[part]), len(travel.network)))
        for hour in hours:
            np.maximum(slowest, travel.seconds(nodes[part], hour), out=slowest)
        times[part] = slowest
    different = len(nodes) == len(which) and bool((np.diff(which) > 0).all())
    return times if different else times[which]


def reach_matrix(
    times: Times,
    sites: tuple[ArrayLike, ArrayLike],
    demand: tuple[ArrayLike, ArrayLike, ArrayLike],
    turnout_s: float,
    limit_s: float,
    radius_m: float,
) -> Matrix:
    """Times, straight distances, and what is within both limits.

    Parameters
    ----------
    times : of :func:`node_times` from the sites.
    sites : x and y of each, metres.
    demand : node, x and y of each.
    turnout_s, limit_s, radius_m : of 5.1.1.
    """
    x, y = (np.asarray(axis, float) for axis in sites)
    node, u, v = (np.asarray(axis) for axis in demand)
    seconds = np.empty((len(node), len(x)), np.float32)
    metres = np.empty_like(seconds)
    for site in range(len(x)):
        seconds[:, site] = turnout_s + times[site, node]
        metres[:, site] = np.hypot(u - x[site], v - y[site])
    covers = (seconds <= limit_s - ROUNDING_S) & (metres <= radius_m)
    return Matrix(seconds, metres, covers)


def cell_matrix(
    times: Times,
    sites: tuple[ArrayLike, ArrayLike],
    cells: Cells,
    turnout_s: float,
    limit_s: float,
    radius_m: float,
) -> NDArray[np.bool_]:
    """Which sites reach which road node in time and have its whole cell within the radius.

    Parameters
    ----------
    times, sites, turnout_s, limit_s, radius_m : as of :func:`reach_matrix`.
    cells : of the road nodes.

    Returns
    -------
    (cells, sites), a byte per pair.
    """
    x, y = (np.asarray(axis, float) for axis in sites)
    covers = np.empty((len(cells.node), len(x)), bool)
    for site in range(len(x)):
        covers[:, site] = turnout_s + times[site, cells.node] <= limit_s - ROUNDING_S
        covers[:, site] &= cells.farthest(x[site], y[site]) <= radius_m
    return covers


def decisive_rows(covers: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows that decide a covering: who covers these covers all others as well, ascending.

    A row all of whose candidates are among those of another row makes the other one needless; of
    equal rows the first stays. Rows that nothing covers decide nothing and are left out.

    Parameters
    ----------
    covers : (demand, candidates).
    """
    some = np.flatnonzero(covers.any(axis=1))
    _, first = np.unique(np.packbits(covers[some], axis=1), axis=0, return_index=True)
    left = some[np.sort(first)]
    left = left[np.argsort(covers[left].sum(axis=1), kind="stable")]
    kept: list[NDArray[np.int64]] = []
    while len(left):
        part, left = left[:_ROWS_AT_ONCE], left[_ROWS_AT_ONCE:]
        part = part[~_contain_another(covers[part], covers[part], same=True)]
        kept.append(part)
        left = left[~_contain_another(covers[left], covers[part], same=False)]
    return np.sort(np.concatenate(kept)) if kept else some


def _contain_another(
    rows: NDArray[np.bool_], small: NDArray[np.bool_], same: bool
) -> NDArray[np.bool_]:
    """Which rows contain one of the small ones; all are different."""
    inner = small.astype(np.float32)
    contains = rows.astype(np.float32) @ inner.T == inner.sum(axis=1)
    if same:
        np.fill_diagonal(contains, False)
    return np.asarray(contains.any(axis=1))
