"""Covering: the fewest sites that reach all (LSCP), and the least worst time of k (p-center)."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.sparse import csr_array

from twin.siting.branch import WHOLE, Search
from twin.siting.solve import BoolArray, Deadline, FloatArray, IntArray, Model, Status

_ROWS_AT_ONCE = 2000
"""Rows whose domination is looked for at once: bounds the memory of it (2,000 x rows floats)."""

_STEPS_FIRST, _STEPS_LATER = 2, 10
"""Steps of the local search for each row: 2 found the optimum of 2 of 7 random planes of
2,000 x 500, 6 of 5, 20 of all (measured; 0.15 s, 0.4 s, 1.2 s)."""


def fewest(
    covers: BoolArray, standing: IntArray, deadline: Deadline, enough: int | None = None
) -> tuple[IntArray, float, Status]:
    """The fewest sites that cover every row.

    Parameters
    ----------
    covers : (demand, candidate), no row empty.
    standing : candidates that are chosen anyway.
    deadline : when to stop.
    enough : a number that is as good as any smaller one; then it is the least bound, and whether
        more than that are needed is all that is proven.

    Returns
    -------
    sites : ascending.
    bound : no choice has fewer.
    status : what is proven.
    """
    floor = 1.0 if enough is None else max(1.0, float(enough - len(standing)))
    cutoff = np.inf if enough is None else enough - len(standing) + 1.0
    rows, columns = dominant(covers[~covers[:, standing].any(axis=1)])
    if len(rows) == 0:
        return standing, float(len(standing)), "optimal"
    count = rows.shape[1]
    model = Model(np.ones(count), np.zeros(count), np.ones(count))
    model.add_rows(csr_array(rows.astype(float)), 1.0, np.inf)
    start = improved(rows, greedy(rows, np.ones(count)), _STEPS_FIRST, deadline)
    calls = itertools.count()

    def complete(values: FloatArray) -> tuple[FloatArray, float]:
        if (np.abs(values - np.rint(values)) <= WHOLE).all():
            return _counted(values > 0.5)
        near = greedy(rows, values + 1e-3)
        if next(calls) == 0:  # the first bound did not prove the start: worth a longer look
            near = improved(rows, start, _STEPS_LATER, deadline)
        return _counted(near)

    search = Search(
        model,
        np.zeros(count),
        np.ones(count),
        complete,
        best=_counted(start),
        grid=1.0,
        floor=floor,
        cutoff=cutoff,
    )
    found = search.run(deadline)
    assert found.values is not None  # the start at least
    sites = np.union1d(standing, columns[found.values > 0.5])
    return sites, len(standing) + found.bound, found.status


def least_worst(
    seconds: FloatArray, k: int, standing: IntArray, deadline: Deadline
) -> tuple[IntArray, float, Status]:
    """The k sites of the least worst time: the least limit at which k sites cover all.

    Parameters
    ----------
    seconds : (demand, candidate), inf where there is no way; no row is all inf.
    k : number of sites, standing ones included.
    standing, deadline : see :func:`fewest`.

    Returns
    -------
    sites : ascending, at most k; empty if none were found that reach all.
    bound : no choice has a smaller worst time.
    status : what is proven.
    """
    none = np.zeros(0, np.int64)
    limits = np.unique(seconds[np.isfinite(seconds)])
    limits = limits[limits >= seconds.min(axis=1).max(initial=0.0)]
    if len(limits) == 0:
        return standing, 0.0, "optimal"  # no demand
    best = none
    low, high = 0, len(limits)  # limits below low are too small; at high, best covers all
    first = True
    while low < high:
        at = len(limits) - 1 if first else (low + high) // 2
        sites, bound, _ = fewest(seconds <= limits[at], standing, deadline, enough=k)
        if len(sites) <= k:
            best = sites
            high = int(np.searchsorted(limits, seconds[:, sites].min(axis=1).max()))
        elif bound > k:
            low = at + 1
        else:
            return best, float(limits[low]), "time limit"
        if first and high == len(limits):
            return none, np.inf, "infeasible"
        first = False
    return best, float(limits[low]), "optimal"


def _counted(chosen: BoolArray) -> tuple[FloatArray, float]:
    return chosen.astype(float), float(chosen.sum())


def greedy(rows: BoolArray, liking: FloatArray) -> BoolArray:
    """A cover by always taking the column of most uncovered rows times its liking, then without
    what became needless."""
    chosen = np.zeros(rows.shape[1], bool)
    left = np.ones(len(rows), bool)
    gain = rows.sum(axis=0).astype(float)
    while left.any():
        column = int(np.argmax(gain * liking))
        chosen[column] = True
        new = left & rows[:, column]
        gain -= rows[new].sum(axis=0)
        left &= ~new
    times = rows[:, chosen].sum(axis=1)
    for column in np.flatnonzero(chosen).tolist():
        if (times[rows[:, column]] > 1).all():
            chosen[column] = False
            times -= rows[:, column]
    return chosen


def improved(
    rows: BoolArray, chosen: BoolArray, steps_per_row: int, deadline: Deadline
) -> BoolArray:
    """A smaller cover by local search with weights on rows that are hard to cover.

    A column is taken out of a cover; then one column is swapped for another until all is covered
    again, the weight of what stays uncovered growing with every step (Gao, Weise and Li, 2015).

    Parameters
    ----------
    rows : (demand, candidate).
    chosen : a cover.
    steps_per_row : swaps to try, for each row.
    deadline : when to stop.
    """
    matrix = rows.astype(float)
    best, current = chosen, chosen.copy()
    weight = np.ones(len(rows))
    times = rows[:, current].sum(axis=1)
    moved = np.zeros(rows.shape[1])  # the step at which a column last came or went
    luck = np.random.default_rng(0)  # of the search, not of the world: the same in every run
    steps = steps_per_row * len(rows)
    for step in range(1, steps + 1):
        taking = True
        while taking:  # from a cover one more than makes a gap, else one
            taking = bool((times > 0).all())
            inside = np.flatnonzero(current)
            if len(inside) == 0 or deadline.left_s == 0:
                return best
            # of equal columns the one that has not moved for longest
            loss = (weight * (times == 1)) @ matrix[:, inside] + 0.5 * moved[inside] / steps
            loss[moved[inside] == step - 1] = np.inf  # what has just come in stays
            column = int(inside[np.argmin(loss)])
            current[column], moved[column] = False, step
            times -= rows[:, column]
            if (times > 0).all():
                best = current.copy()
        row = luck.choice(np.flatnonzero(times == 0))
        able = np.flatnonzero(rows[row])
        gain = (weight * (times == 0)) @ matrix[:, able] - 0.5 * moved[able] / steps
        gain[moved[able] == step] = -1.0  # what has just gone out stays out
        column = int(able[np.argmax(gain)])
        current[column], moved[column] = True, step
        times += rows[:, column]
        if (times > 0).all():
            best = current.copy()
        weight[times == 0] += 1.0
    return best


def dominant(covers: BoolArray) -> tuple[BoolArray, IntArray]:
    """The part of a covering problem that decides it.

    A row whose candidates include all of another row's is covered with it; a column whose rows are
    among another column's is never needed. Of equal ones the first stays.

    Returns
    -------
    rows : the (demand, candidate) matrix that remains.
    columns : the candidates of its columns.
    """
    columns = np.arange(covers.shape[1])
    rows = np.unique(covers, axis=0)
    while True:
        before = rows.shape
        rows = rows[narrowest(rows)]
        keep = widest(rows)
        rows, columns = np.unique(rows[:, keep], axis=0), columns[keep]
        if rows.shape == before:
            return rows, columns


def narrowest(rows: BoolArray) -> IntArray:
    """Rows (all different) that contain no other row, smallest first."""
    order = np.argsort(rows.sum(axis=1), kind="stable")
    kept: list[IntArray] = []
    while len(order):
        part, order = order[:_ROWS_AT_ONCE], order[_ROWS_AT_ONCE:]
        small = rows[part].astype(np.float32)
        size = small.sum(axis=1)
        inside = small @ small.T == size[:, None]  # [a, b]: a within b
        np.fill_diagonal(inside, False)
        part, small, size = (one[~inside.any(axis=0)] for one in (part, small, size))
        kept.append(part)
        if len(order):
            larger = (small @ rows[order].T.astype(np.float32) == size[:, None]).any(axis=0)
            order = order[~larger]
    return np.concatenate(kept) if kept else order


def widest(rows: BoolArray) -> IntArray:
    """Columns that no other column contains; the first of equal ones."""
    matrix = rows.astype(np.float32)
    size = matrix.sum(axis=0)
    inside = matrix.T @ matrix == size[:, None]  # [a, b]: a within b
    mutual = inside & inside.T
    inside &= ~mutual | np.tri(len(size), k=-1, dtype=bool)  # of equals, only a later one goes
    return np.flatnonzero(~inside.any(axis=1) & (size > 0))
