"""Covering: the fewest sites that reach all demand (LSCP), with presolve by domination."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from twin.siting.solve import (
    BoolArray,
    Deadline,
    IntArray,
    Model,
    Status,
)

_ROWS_AT_ONCE = 2000
"""Rows whose domination is looked for at once: bounds the memory of it (2,000 x rows floats)."""


def fewest(
    covers: BoolArray, standing: IntArray, deadline: Deadline
) -> tuple[IntArray, float, Status]:
    """The fewest sites that cover every row.

    Parameters
    ----------
    covers : (demand, candidate), no row empty.
    standing : candidates that are chosen anyway.
    deadline : when to stop.

    Returns
    -------
    sites : ascending.
    bound : no choice has fewer.
    status : what is proven.
    """
    rows, columns = dominant(covers[~covers[:, standing].any(axis=1)])
    if len(rows) == 0:
        return standing, float(len(standing)), "optimal"
    start = greedy(rows)
    count = rows.shape[1]
    model = Model(np.ones(count), np.zeros(count), np.ones(count), np.ones(count, bool))
    model.add_rows(csr_array(rows.astype(float)), 1.0, np.inf)
    solved = model.solve(deadline.left_s, start.astype(float))
    best = start
    if solved.values is not None and solved.values.sum() < start.sum():
        best = solved.values > 0.5
    bound = max(np.ceil(solved.bound - 1e-6), 1.0)
    sites = np.union1d(standing, columns[best])
    return sites, len(standing) + bound, "optimal" if best.sum() <= bound else "time limit"


def greedy(rows: BoolArray) -> BoolArray:
    """A cover by always taking the column of most uncovered rows, without what became needless."""
    chosen = np.zeros(rows.shape[1], bool)
    left = np.ones(len(rows), bool)
    while left.any():
        column = int(np.argmax(rows[left].sum(axis=0)))
        chosen[column] = True
        left &= ~rows[:, column]
    times = rows[:, chosen].sum(axis=1)
    for column in np.flatnonzero(chosen).tolist():
        if (times[rows[:, column]] > 1).all():
            chosen[column] = False
            times -= rows[:, column]
    return chosen


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
        rows = rows[_least(rows)]
        keep = _greatest(rows)
        rows, columns = np.unique(rows[:, keep], axis=0), columns[keep]
        if rows.shape == before:
            return rows, columns


def _least(rows: BoolArray) -> IntArray:
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


def _greatest(rows: BoolArray) -> IntArray:
    """Columns that no other column contains; the first of equal ones."""
    matrix = rows.astype(np.float32)
    size = matrix.sum(axis=0)
    inside = matrix.T @ matrix == size[:, None]  # [a, b]: a within b
    mutual = inside & inside.T
    inside &= ~mutual | np.tri(len(size), k=-1, dtype=bool)  # of equals, only a later one goes
    return np.flatnonzero(~inside.any(axis=1) & (size > 0))
