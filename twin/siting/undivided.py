"""Fewest sites of limited capacity where the points of one place go to one site.

The divided problem (:mod:`twin.siting.capacity`) gives the bound and most of the cuts. A choice of
sites is then tried by assigning places to them; where that is proven impossible, at least one more
site in reach of those places is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from twin.siting.branch import WHOLE, Found, Solution
from twin.siting.capacity import Prices, Units, fewest_units, parts_of
from twin.siting.solve import BoolArray, Deadline, FloatArray, IntArray, Model

_TRY = 0.1
"""Part of the time left that one assignment may take."""

_POLISH_S = 5.0
"""Seconds at most for bringing the places to nearer sites; the number of sites is found by then."""


def fewest_whole(
    covers: BoolArray,
    points: IntArray,
    times: FloatArray,
    capacity: int,
    standing: IntArray,
    deadline: Deadline,
) -> tuple[Found, IntArray]:
    """The fewest sites that cover all demand, each place at one of them.

    Parameters
    ----------
    covers : (demand, candidate), no row empty.
    points : of each demand point, at most the capacity; one without points must be covered too.
    times : (demand, candidate); places go to the sites at the least total time, as far as the
        time limit allows.
    capacity : points that a site holds.
    standing : candidates that are chosen anyway.
    deadline : when to stop.

    Returns
    -------
    found : units (0 or 1) of each candidate, and what is proven.
    at : the site of each place; of one without points any that covers it.
    """
    prices = Prices(capacity, 1.0, None)
    if len(covers) == 0:
        units = np.isin(np.arange(covers.shape[1]), standing).astype(float)
        return Found(units, units.sum(), units.sum(), "optimal"), standing[:0]
    found = fewest_units(covers, points, prices, standing, deadline)
    if found.values is None:
        return found, standing[:0]
    whole = _Whole(covers, points, prices, standing, found.bound, deadline)
    bound = found.bound
    found = whole.found(whole.repaired(found.values), bound, deadline)
    if whole.doubtful:  # a choice was passed over that may have been possible
        found = Found(found.values, found.cost, bound, "time limit")
    if found.values is None:
        return found, standing[:0]
    return found, whole.assigned(np.rint(found.values).astype(np.int64), times)


@dataclass(frozen=True, eq=False)
class _Test:
    """Places and the sites they go to; parts of the demand that were found not to fit."""

    at: IntArray
    stuck: list[BoolArray]
    proven: bool


class _Whole(Units):
    """The divided problem, and the choices of sites into which the places do not fit."""

    def __init__(
        self,
        covers: BoolArray,
        points: IntArray,
        prices: Prices,
        standing: IntArray,
        least: float,
        deadline: Deadline,
    ) -> None:
        super().__init__(covers, points, prices, standing, least)
        large = np.where(2 * points > prices.unit, prices.unit, 0)
        if large.any():  # no two of them share a site
            self.sizes = [points, large]
        self.doubtful = False
        self._deadline = deadline
        self._tests: dict[bytes, _Test] = {}

    def holds(self, units: IntArray) -> bool:
        """Whether the sites cover all demand and the places fit into them."""
        return super().holds(units) and not self._tested(units).stuck

    def repaired(self, values: FloatArray) -> Solution | None:
        """A solution of the divided problem, with sites added until the places fit."""
        near = super().repaired(values)
        if near is None:
            return None
        units = np.rint(near[0]).astype(np.int64)
        while self._tested(units).stuck:
            help_ = (self.points @ self.covers) * (units == 0)
            if not help_.any():
                return None
            units[np.argmax(help_)] = 1
        return self._solution(units)

    def separate(self, values: FloatArray) -> bool:
        """Adds rows of the divided problem; if there are none, those of places that do not fit."""
        if super().separate(values):
            return True
        sites = values[: self.count]
        if (np.abs(sites - np.rint(sites)) > WHOLE).any():
            return False
        units = np.rint(sites).astype(np.int64)
        test = self._tested(units)
        if not test.stuck:
            return False
        self.doubtful |= not test.proven
        self._rows(np.array(test.stuck) @ self.covers & (units == 0), 1.0)
        return True

    def assigned(self, units: IntArray, times: FloatArray) -> IntArray:
        """The site of each place: the nearest where all fit, else at little total time."""
        sites = np.flatnonzero(units)
        able = np.where(self.covers[:, sites], times[:, sites], np.inf)
        at = np.argmin(able, axis=1)
        full = self.points > 0
        load = np.bincount(at, self.points, minlength=len(sites))
        if (load > self.prices.unit).any():
            better, _ = _solved(
                able[full],
                self.points[full],
                self.prices.unit,
                min(_POLISH_S, self._deadline.left_s),
            )
            if better is None:
                return self._tested(units).at
            at[full] = better
        return np.asarray(sites[at])

    def _tested(self, units: IntArray) -> _Test:
        """Whether the places fit."""
        key = units.tobytes()
        if key not in self._tests:
            sites = np.flatnonzero(units)
            at = sites[np.argmax(self.covers[:, sites], axis=1)]
            stuck, proven = [], True
            for part in parts_of(self.covers[:, sites], self.points > 0):
                limit_s = _TRY * self._deadline.left_s
                able = self.covers[np.ix_(part, sites)]
                fitted, sure = _fitted(able, self.points[part], self.prices.unit, limit_s)
                if fitted is None:
                    stuck.append(part)
                    proven &= sure
                else:
                    at[part] = sites[fitted]
            self._tests[key] = _Test(at, stuck, proven)
        return self._tests[key]


def _fitted(
    able: BoolArray, points: IntArray, capacity: int, limit_s: float
) -> tuple[IntArray | None, bool]:
    """Any site for each place: the largest first into the emptiest, else as :func:`_solved`."""
    few = able.sum(axis=1)
    for order in (np.argsort(-points, kind="stable"), np.lexsort((-points, few))):
        room = np.full(able.shape[1], capacity)
        at = np.full(len(points), -1)
        for place in order.tolist():
            site = int(np.argmax(np.where(able[place], room, -1)))
            if not able[place, site] or room[site] < points[place]:
                break
            at[place] = site
            room[site] -= points[place]
        else:
            return at, True
    return _solved(np.where(able, 0.0, np.inf), points, capacity, limit_s)


def _solved(
    times: FloatArray, points: IntArray, capacity: int, limit_s: float
) -> tuple[IntArray | None, bool]:
    """A site for each place at the least total time.

    Parameters
    ----------
    times : (places, sites), inf where the site does not cover the place.
    points : of each place.
    capacity : of each site.
    limit_s : seconds it may take.

    Returns
    -------
    at : the site of each place, None if none was found.
    proven : whether what was found is all there is to find.
    """
    rows, columns = np.nonzero(np.isfinite(times))
    count, one = np.arange(len(rows)), np.ones(len(rows))
    model = Model(times[rows, columns] * points[rows], np.zeros(len(rows)), one)
    model.add_rows(csr_array((one, (rows, count)), shape=(len(points), len(rows))), 1.0, 1.0)
    held = csr_array((points[rows] / capacity, (columns, count)), (times.shape[1], len(rows)))
    model.add_rows(held, 0.0, 1.0)
    solved = model.solve_whole(limit_s)
    if solved.values is None:
        return None, solved.status == "infeasible"
    at = np.zeros(len(points), np.int64)
    at[rows[solved.values > 0.5]] = columns[solved.values > 0.5]
    if (np.bincount(at, points, minlength=times.shape[1]) > capacity).any():
        return None, False  # beyond HiGHS's tolerance of 1e-6 of the capacity
    return at, solved.status == "optimal"
