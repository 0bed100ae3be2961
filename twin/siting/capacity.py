"""Sites whose points are limited (5.1.12): fewest centers, or more people at some of them.

A site has units of capacity: one as such, and, where people may be added, one more for each extra
person on a shift. The program has only sites and units; that the points can be brought to them is
kept by cuts from a flow: for any set of demand, the units of the sites that reach it must hold its
points. As one program with the assignment in it, the problem takes minutes to hours.

Where the points of one place stay together, :mod:`twin.siting.undivided` goes on from here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

from twin.siting.branch import WHOLE, Found, Search, Solution
from twin.siting.covering import fewest, narrowest
from twin.siting.solve import BoolArray, Deadline, FloatArray, IntArray, Model

_LOOKS_FIRST, _LOOKS_LATER = 5, 20
"""Values of a linear program near which a solution is looked for: the first 5, then every 20th (a
look takes some 50 flows)."""


@dataclass(frozen=True)
class Prices:
    """What a choice costs.

    Parameters
    ----------
    unit : points that one unit of capacity holds.
    site : of a site with its first unit.
    extra : of each further unit; None if there are none.
    """

    unit: int
    site: float
    extra: float | None


def flow(
    covers: BoolArray, points: IntArray, sites: IntArray, limits: IntArray
) -> tuple[csr_array, BoolArray]:
    """As many points as possible brought to sites.

    Parameters
    ----------
    covers : (demand, candidate).
    points : of each demand point.
    sites, limits : candidates, and what each of them holds.

    Returns
    -------
    brought : (demand, sites), points.
    short : demand that cannot be served in full, with all that competes with it; none if all is
        brought.
    """
    demand, count = len(points), len(sites)
    source, sink = demand + count, demand + count + 1
    rows, columns = np.nonzero(covers[:, sites])
    start = np.concatenate([np.full(demand, source), rows, demand + np.arange(count)])
    end = np.concatenate([np.arange(demand), demand + columns, np.full(count, sink)])
    enough = np.minimum(limits, points.sum())  # more cannot come, and SciPy counts in int32
    room = np.concatenate([points, points[rows], enough]).astype(np.int32)
    graph = csr_array((room, (start, end)), shape=(sink + 1, sink + 1))
    moved = csr_array(maximum_flow(graph, source, sink).flow)
    brought = csr_array(moved[:demand, demand:source])
    if moved[[source]].sum() == points.sum():
        return brought, np.zeros(demand, bool)
    left = csr_array(graph - moved)
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    short = np.zeros(demand, bool)
    short[reached[reached < demand]] = True
    return brought, short


def spread(
    covers: BoolArray,
    points: IntArray,
    times: FloatArray,
    sites: IntArray,
    limits: IntArray,
    deadline: Deadline,
) -> csr_array:
    """All points brought to sites at the least total time, as whole numbers (demand, candidate).

    Parameters
    ----------
    covers, times : (demand, candidate).
    points : of each demand point.
    sites, limits : candidates that hold all the points, and what each of them holds.
    deadline : when to stop; then the points are brought somehow.
    """
    shape = covers.shape
    able = np.where(covers[:, sites], times[:, sites], np.inf)
    full = np.flatnonzero(points)
    if len(full) == 0:
        return csr_array(shape)
    nearest = np.argmin(able[full], axis=1)
    if (np.bincount(nearest, points[full], minlength=len(sites)) <= limits).all():
        return csr_array((points[full], (full, sites[nearest])), shape=shape)
    rows, columns = np.nonzero(np.isfinite(able) & (points > 0)[:, None])
    count = np.arange(len(rows))
    one = np.ones(len(rows))
    model = Model(able[rows, columns], np.zeros(len(rows)), points[rows].astype(float))
    place = csr_array((one, (rows, count)), shape=(shape[0], len(rows)))
    model.add_rows(csr_array(place[full]), points[full].astype(float), points[full].astype(float))
    site = csr_array((one, (columns, count)), shape=(len(sites), len(rows)))
    model.add_rows(site, 0.0, limits.astype(float))
    values = model.solve(deadline.left_s).values
    if values is None:
        brought = flow(covers, points, sites, limits)[0].tocoo()
        return csr_array((brought.data, (brought.row, sites[brought.col])), shape=shape)
    values = np.rint(values)  # the corners of a transport problem are whole
    some = values > 0
    return csr_array((values[some], (rows[some], sites[columns[some]])), shape=shape)


def fewest_units(
    covers: BoolArray, points: IntArray, prices: Prices, standing: IntArray, deadline: Deadline
) -> Found:
    """The cheapest sites and units that cover all demand and hold its points.

    Parameters
    ----------
    covers : (demand, candidate), no row empty.
    points : of each demand point; one without points must be covered too.
    prices : of sites and units.
    standing : candidates that are chosen anyway.
    deadline : when to stop.

    Returns
    -------
    The units of each candidate, and what is proven.
    """
    sites, least, _ = fewest(covers, standing, Deadline(deadline.left_s / 2))
    problem = Units(covers, points, prices, standing, least)
    start = problem.repaired(np.isin(np.arange(covers.shape[1]), sites).astype(float))
    return problem.found(start, prices.site * least, deadline)


class Units:
    """The problem with its program, and cuts from flows.

    Parameters
    ----------
    covers, points, prices, standing : see :func:`fewest_units`.
    least : number of sites that are needed to cover all.
    """

    def __init__(
        self,
        covers: BoolArray,
        points: IntArray,
        prices: Prices,
        standing: IntArray,
        least: float,
    ) -> None:
        self.covers = covers
        self.points = points
        self.prices = prices
        self.standing = standing
        self.count = covers.shape[1]
        self.sizes = [points]  # what is brought to the sites, by flow
        self._looked = 0
        count, extra = self.count, prices.extra is not None
        self.most = -(-(points @ covers) // prices.unit) if extra else np.ones(count, np.int64)
        self.most = np.maximum(self.most, 1)
        cost = np.full(count, prices.site)
        upper = np.ones(count)
        if prices.extra is not None:
            cost = np.concatenate([cost, np.full(count, prices.extra)])
            upper = np.concatenate([upper, self.most - 1.0])
        self.lower, self.upper = np.zeros(len(cost)), upper
        self.lower[standing] = 1.0
        self.model = Model(cost, self.lower, self.upper)
        self.cost = cost
        sets = np.unique(covers, axis=0)
        self._rows(sets[narrowest(sets)], 1.0, units=False)
        self._rows(np.ones((1, count), bool), least, units=False)
        if extra:  # extra units only at a site: extra <= most * site
            rows = np.hstack([np.diag(self.most - 1.0), -np.eye(count)])
            self.model.add_rows(csr_array(rows), 0.0, np.inf)
        self._hold(np.ones((1, len(points)), bool), points)

    def found(self, best: Solution | None, floor: float, deadline: Deadline) -> Found:
        """The cheapest, searched from a solution and a bound; its values are units by candidate."""
        search = Search(
            self.model,
            self.lower,
            self.upper,
            self.complete,
            self.separate,
            best,
            _common(self.cost),
            floor,
        )
        found = search.run(deadline)
        units = None if found.values is None else self._units(found.values)
        return Found(units, found.cost, found.bound, found.status)

    def complete(self, values: FloatArray) -> Solution | None:
        """The values themselves, where they are a solution; else, now and then, one near them."""
        values = values[: len(self.cost)]
        if (np.abs(values - np.rint(values)) <= WHOLE).all():
            units = np.rint(self._units(values)).astype(np.int64)
            return self._solution(units) if self.holds(units) else None
        self._looked += 1
        if self._looked > _LOOKS_FIRST and self._looked % _LOOKS_LATER:
            return None
        return self.repaired(values)

    def holds(self, units: IntArray) -> bool:
        """Whether units by candidate cover all demand and hold its points."""
        sites = np.flatnonzero(units)
        if not self.covers[:, sites].any(axis=1).all():
            return False
        limits = units[sites] * self.prices.unit
        return not any(flow(self.covers, size, sites, limits)[1].any() for size in self.sizes)

    def repaired(self, values: FloatArray) -> Solution | None:
        """A solution near values: sites added until all is covered and held, then the needless
        ones taken away."""
        liking = values[: self.count] + 0.05
        units = np.rint(values[: self.count]).astype(np.int64)
        units[self.standing] = 1
        while True:
            bare = ~self.covers[:, units > 0].any(axis=1)
            if not bare.any():
                break
            units[np.argmax(self.covers[bare].sum(axis=0) * liking)] = 1
        for size in self.sizes:
            while True:
                sites = np.flatnonzero(units)
                short = flow(self.covers, size, sites, units[sites] * self.prices.unit)[1]
                if not short.any():
                    break
                able = units < self.most
                if self.prices.extra is not None and (able & (units > 0) & self._near(short)).any():
                    able &= units > 0  # more people are cheaper than a center with its people
                help_ = (size * short) @ self.covers * liking * able
                if not help_.any():
                    return None
                units[np.argmax(help_)] += 1
        for site in np.argsort(liking, kind="stable").tolist():
            while units[site] > (site in self.standing):
                fewer = units.copy()
                fewer[site] -= 1
                if not Units.holds(self, fewer):
                    break
                units = fewer
        return self._solution(units)

    def separate(self, values: FloatArray) -> bool:
        """Adds rows for sets of demand whose sites have too few units."""
        units = self._units(values)
        sites = np.flatnonzero(units > WHOLE)
        limits = np.floor(units[sites] * self.prices.unit + WHOLE).astype(np.int64)
        added = False
        for size in self.sizes:
            short = flow(self.covers, size, sites, limits)[1]
            if short.any():
                parts = parts_of(self.covers[:, sites], short)
                added |= self._hold(parts, size, units)
        return added

    def _hold(self, parts: BoolArray, size: IntArray, units: FloatArray | None = None) -> bool:
        """Rows: the sites that reach a part hold its points, for parts where they do not yet."""
        reach = parts @ self.covers
        # what only these sites reach has to be held by them as well
        held = np.array([size[~self.covers[:, ~near].any(axis=1)].sum() for near in reach])
        least = -(-held // self.prices.unit)
        if units is not None:
            low = reach @ units < least - WHOLE
            reach, least = reach[low], least[low]
        self._rows(reach, least.astype(float))
        return len(reach) > 0

    def _rows(self, reach: BoolArray, least: FloatArray | float, units: bool = True) -> None:
        rows = reach.astype(float)
        if self.prices.extra is not None:
            rows = np.hstack([rows, rows * units])
        self.model.add_rows(csr_array(rows), least, np.inf)

    def _near(self, demand: BoolArray) -> BoolArray:
        return np.asarray(self.covers[demand].any(axis=0))

    def _units(self, values: FloatArray) -> FloatArray:
        whole = values[: len(self.cost)]
        return np.asarray(whole.reshape(-1, self.count).sum(axis=0))

    def _solution(self, units: IntArray) -> Solution:
        site = np.minimum(units, 1.0)
        extra = [units - site] if self.prices.extra is not None else []
        values = np.concatenate([site, *extra])
        return values, float(self.cost @ values)


def _common(prices: FloatArray) -> float:
    """The largest millionth-part that all prices are multiples of; 0 if there is none."""
    parts = np.rint(prices * 1e6)
    if (np.abs(parts - prices * 1e6) > 1e-3).any() or parts.max() > 2**53:
        return 0.0
    return math.gcd(*parts.astype(int).tolist()) / 1e6


def parts_of(covers: BoolArray, short: BoolArray) -> BoolArray:
    """The demand that is short, in parts that share no site: (parts, demand)."""
    rows = np.flatnonzero(short)
    links = csr_array(covers[rows].astype(np.int8))
    count, label = connected_components(links @ links.T, directed=False)
    parts = np.zeros((count, len(short)), bool)
    parts[label, rows] = True
    return parts
