"""The k sites of least total cost, each demand point with its cheapest site (p-median).

Maximal covering is the same problem: what is not covered costs its weight.

First a good choice by swaps, then Lagrange multipliers for a bound that decides about many
candidates, then :class:`twin.siting.branch.Search` over the rest, with one cost variable for each
demand point (or group of them) and Benders cuts that a sort gives in closed form (Duran-Mateluna,
Ales and Elloumi, "An efficient Benders decomposition for the p-median problem", 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from twin.siting.branch import WHOLE, Search, Solution
from twin.siting.solve import BoolArray, Deadline, FloatArray, IntArray, Model, Status

_SINGLES = 3000
"""Demand points at most that have a cost variable each; of more, those with the same cheapest
candidate share one."""

_STEPS = 300
"""Steps towards the multipliers, at most."""

_EQUAL = 1e-7
"""A bound this near the best cost, as a part of it, proves it."""

_CUT = 5e-7
"""By how much a cost variable must be too low for a cut; costs are scaled to a mean of 1, and
HiGHS keeps rows to 1e-7."""

_SWAPS_FROM = 1.02
"""A choice within this factor of the best is worth improving by swaps."""


def least_cost(
    cost: FloatArray, k: int, standing: IntArray, deadline: Deadline, start: IntArray | None = None
) -> tuple[IntArray, float, Status]:
    """The k sites of least total cost.

    Parameters
    ----------
    cost : (demand, candidate), 0 to inf; inf where the site cannot serve. No row is all inf.
    k : number of sites, standing ones included.
    standing : candidates that are chosen anyway.
    deadline : when to stop.
    start : k sites to start from.

    Returns
    -------
    sites : ascending; empty if none were found that serve all.
    bound : no choice costs less.
    status : what is proven.
    """
    none = np.zeros(0, np.int64)
    if len(cost) == 0 or k == len(standing) or k == cost.shape[1]:
        others = np.setdiff1d(np.arange(cost.shape[1]), standing)
        sites = np.union1d(standing, others[: k - len(standing)])
        total = total_cost(cost, sites)
        return (sites, total, "optimal") if np.isfinite(total) else (none, np.inf, "infeasible")
    problem = _Median(cost, k, standing, deadline)
    problem.offer(problem.swapped(problem.grown() if start is None else start))
    limits = problem.bounded()
    if limits.floor < problem.best * (1 - _EQUAL):
        known = (problem.chosen(problem.sites), problem.best)
        found = Search(
            problem.model(),
            limits.lower,
            limits.upper,
            problem.complete,
            problem.separate,
            best=known if np.isfinite(problem.best) else None,
            floor=limits.floor,
        ).run(deadline)
        if found.values is None:
            return none, found.bound * problem.scale, found.status
        return np.flatnonzero(found.values > 0.5), found.bound * problem.scale, found.status
    return problem.sites, problem.best * problem.scale, "optimal"


def total_cost(cost: FloatArray, sites: IntArray) -> float:
    """What the demand costs, each point with the cheapest of the sites."""
    if len(cost) == 0:
        return 0.0
    return float(cost[:, sites].min(axis=1).sum()) if len(sites) else np.inf


@dataclass(frozen=True, eq=False)
class _Limits:
    """What multipliers prove: a bound, and bounds of each candidate in any better choice."""

    floor: float
    lower: FloatArray
    upper: FloatArray


class _Median:
    """The problem with costs of about 1, and the best choice so far."""

    _group: csr_array
    _order: NDArray[np.int32]
    _last: IntArray
    _model: Model

    def __init__(self, cost: FloatArray, k: int, standing: IntArray, deadline: Deadline) -> None:
        most = np.where(np.isfinite(cost), cost, 0.0).max(axis=1)
        self.scale = 0.1 * float(most.mean()) or 1.0  # a good choice costs about 1 each
        self.cost = cost = cost / self.scale
        self.k = k
        self._deadline = deadline
        self.standing = standing
        self.free = np.ones(cost.shape[1], bool)
        self.free[standing] = False
        self.most = most / self.scale
        # swaps need finite numbers: one demand point unserved outweighs all others
        self.unserved = 10.0 * (float(self.most.sum()) + 1.0)
        self.all_served = bool(np.isfinite(cost).all())
        self.finite = cost if self.all_served else np.minimum(cost, self.unserved)
        self.sites = standing
        self.best = np.inf
        self.price = self.most
        self._swapped: set[bytes] = set()
        self._cut: set[bytes] = set()

    def offer(self, sites: IntArray) -> None:
        """Keeps a choice that is better than the best so far."""
        cost = total_cost(self.cost, sites)
        if cost < self.best or self.best == np.inf:
            self.sites, self.best = sites, cost

    def chosen(self, sites: IntArray) -> FloatArray:
        values = np.zeros(len(self.free))
        values[sites] = 1.0
        return values

    def grown(self) -> IntArray:
        """k sites, each the one that helps most when it is added."""
        sites = self.standing.tolist()
        nearest = np.full(len(self.cost), self.unserved)
        if sites:
            nearest = self.finite[:, sites].min(axis=1)
        while len(sites) < self.k:
            total = np.minimum(self.finite, nearest[:, None]).sum(axis=0)
            total[sites] = np.inf
            sites.append(int(np.argmin(total)))
            nearest = np.minimum(nearest, self.finite[:, sites[-1]])
        return np.array(sorted(sites))

    def swapped(self, sites: IntArray) -> IntArray:
        """Swaps one site for another as long as that helps (Teitz and Bart, 1968)."""
        sites = sites.copy()
        rows = np.arange(len(self.cost))
        while self._deadline.left_s > 0:
            held = self.finite[:, sites]
            first = np.argmin(held, axis=1)
            least = held[rows, first]
            held[rows, first] = self.unserved
            second = held.min(axis=1)
            gain = np.minimum(self.finite - least[:, None], 0.0)
            # where the nearest site goes, the candidate or the second nearest takes over
            moved = np.minimum(self.finite, second[:, None]) - least[:, None] - gain
            by_site = csr_array((np.ones(len(rows)), (first, rows)), shape=(len(sites), len(rows)))
            change = gain.sum(axis=0) + by_site @ moved
            change[:, sites] = np.inf
            change[~self.free[sites]] = np.inf
            out, into = np.unravel_index(int(np.argmin(change)), change.shape)
            if change[out, into] >= -1e-9 * float(least.sum()):
                break
            sites[out] = into
        return np.sort(sites)

    def bounded(self) -> _Limits:
        """Multipliers by subgradient steps (Held, Wolfe and Crowder, 1974)."""
        lower, upper = np.where(self.free, 0.0, 1.0), np.ones(len(self.free))
        places = self.k - len(self.standing)
        price = np.minimum(np.partition(self.finite, self.k, axis=1)[:, self.k], self.most)
        floor, pace, stale = float(self.cost.min(axis=1).sum()), 1.5, 0
        for _ in range(_STEPS):
            if self._deadline.left_s == 0 or pace < 1e-3 or floor >= self.best * (1 - _EQUAL):
                break
            saving = np.minimum(self.cost - price[:, None], 0.0)
            worth = saving.sum(axis=0)
            order = np.argsort(np.where(self.free, worth, np.inf), kind="stable")
            sites = np.union1d(self.standing, order[:places])
            bound = float(price.sum() + worth[sites].sum())
            if bound > floor:
                stale = 0 if bound > floor + 1e-5 * abs(floor) else stale + 1
                floor, self.price = bound, price
                if np.isfinite(self.best):
                    enough = self.best * (1 - _EQUAL) - bound
                    inside = np.isin(np.arange(len(worth)), sites)
                    last, following = worth[order[places - 1]], worth[order[places]]
                    upper[self.free & ~inside & (worth - last >= enough)] = 0.0
                    lower[self.free & inside & (following - worth >= enough)] = 1.0
            else:
                stale += 1
            if stale >= 8:
                pace, stale, price = pace / 2, 0, self.price
            self.near(sites)
            slope = 1.0 - (saving[:, sites] < 0).sum(axis=1)
            size = float(slope @ slope)
            if size == 0:
                break  # everybody is served exactly once: this choice is the optimum
            target = min(self.best, self.unserved) * 1.002
            price = np.clip(price + pace * (target - bound) / size * slope, 0.0, self.most)
        return _Limits(floor, lower, upper)

    def near(self, sites: IntArray) -> Solution:
        """Offers a choice, improved by swaps if it is a good one and new."""
        cost = total_cost(self.cost, sites)
        key = sites.tobytes()
        if cost <= self.best * _SWAPS_FROM and key not in self._swapped:
            self._swapped.add(key)
            sites = self.swapped(sites)
            cost = total_cost(self.cost, sites)
        self.offer(sites)
        return self.chosen(sites), cost

    def model(self) -> Model:
        """The program over sites and cost variables, with the cuts of the multipliers."""
        count, demand = self.cost.shape[1], len(self.cost)
        group = np.arange(demand)
        if demand > _SINGLES:
            group = np.unique(np.argmin(self.cost, axis=1), return_inverse=True)[1]
        groups = int(group.max()) + 1
        self._group = csr_array((np.ones(demand), (group, np.arange(demand))), (groups, demand))
        self._order = np.argsort(self.cost, axis=1, kind="stable").astype(np.int32)
        self._last = np.isfinite(self.cost).sum(axis=1) - 1
        cost = np.concatenate([np.zeros(count), np.ones(groups)])
        upper = np.concatenate([np.ones(count), np.full(groups, np.inf)])
        self._model = model = Model(cost, np.zeros(len(cost)), upper)
        one = np.concatenate([np.ones(count), np.zeros(groups)])
        model.add_rows(csr_array(one[None]), float(self.k), float(self.k))
        if not self.all_served:
            must = np.unique(np.isfinite(self.cost), axis=0)
            must = must[~must.all(axis=1)]
            empty = csr_array((len(must), groups))
            model.add_rows(csr_array(hstack([csr_array(must.astype(float)), empty])), 1.0, np.inf)
        self._add_cuts(self.price, np.ones(groups, bool))
        return model

    def complete(self, values: FloatArray) -> Solution:
        """The k likeliest sites of a linear program, improved."""
        liking = np.where(self.free, values[: len(self.free)], 2.0)
        return self.near(np.sort(np.argsort(-liking, kind="stable")[: self.k]))

    def separate(self, values: FloatArray) -> bool:
        """Adds the cut of every cost variable that is too low for the sites' values."""
        count = len(self.free)
        sites, costs = values[:count], values[count:]
        if (np.abs(sites - np.rint(sites)) <= WHOLE).all():
            sites = np.rint(sites)
            key = sites.tobytes()
            if key in self._cut:
                return False  # what is left is HiGHS's tolerance
            self._cut.add(key)
        taken = np.cumsum(sites[self._order], axis=1)
        enough = np.argmax(taken >= 1.0 - 1e-9, axis=1)
        enough = np.where(taken[:, -1] >= 1.0 - 1e-9, np.minimum(enough, self._last), self._last)
        rows = np.arange(len(enough))
        price = self.cost[rows, self._order[rows, enough]]
        worth = price - np.maximum(price[:, None] - self.cost, 0.0) @ sites
        low = self._group @ worth - costs > _CUT * np.maximum(1.0, self._group.sum(axis=1))
        self._add_cuts(price, low)
        return bool(low.any())

    def _add_cuts(self, price: FloatArray, which: BoolArray) -> None:
        """``cost + sum of max(price - cost of site, 0) * site >= price``, for some groups."""
        group = self._group[np.flatnonzero(which)]
        if group.shape[0] == 0:
            return
        members = np.unique(group.indices)
        saving = csr_array(np.maximum(price[members, None] - self.cost[members], 0.0))
        own = csr_array(
            (np.ones(group.shape[0]), (np.arange(group.shape[0]), np.flatnonzero(which))),
            shape=(group.shape[0], len(which)),
        )
        self._model.add_rows(
            csr_array(hstack([group[:, members] @ saving, own])), np.asarray(group @ price), np.inf
        )
