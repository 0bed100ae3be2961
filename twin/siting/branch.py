"""Branch and cut over site variables: linear programs by HiGHS, cuts as they are needed.

Choosing sites has few whole variables (the candidates), strong linear programs and a good solution
known beforehand. That is where a plain search on warm-started linear programs beats a general
solver's own: 2,000 x 500 covering problems took 0.05 to 6 s this way and 1 to 25 s as one program
given to HiGHS; and rows may depend on the solution (:mod:`twin.siting.median`,
:mod:`twin.siting.capacity`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from twin.siting.solve import Deadline, FloatArray, IntArray, Model, Solved, Status

Solution = tuple[FloatArray, float]
"""Values of the whole variables, and what they cost in truth."""

Complete = Callable[[FloatArray], Solution | None]
"""From the values of a linear program, whole or not, to a solution near it, if there is one."""

Separate = Callable[[FloatArray], bool]
"""Adds rows to the model that the values break; True if it added any."""

WHOLE = 1e-6
"""A value this near a whole number counts as it: HiGHS's mip_feasibility_tolerance."""

_PROBES, _PROBE_STEPS = 4, 30
"""Variables tried before branching, and simplex iterations of a try: 1 probe took four times the
nodes on covering problems of 2,000 x 500, 10 probes no less time (measured)."""

_ROUNDS = 4
"""Rounds of cuts at a node below the root whose values are not whole."""


@dataclass(frozen=True, eq=False)
class Found:
    """The outcome of a search.

    Parameters
    ----------
    values : of the whole variables, None if there is no solution.
    cost : of the solution, infinite if there is none.
    bound : no solution costs less.
    status : what is proven; "infeasible" also where no solution is below the cutoff.
    """

    values: FloatArray | None
    cost: float
    bound: float
    status: Status


@dataclass(order=True)
class _Node:
    bound: float
    number: int
    lower: FloatArray = field(compare=False)
    upper: FloatArray = field(compare=False)


class Search:
    """A search for the least cost.

    Parameters
    ----------
    model : the program without the rows that ``separate`` adds; its first variables are the whole
        ones.
    lower, upper : bounds of the whole variables.
    complete, separate : see :data:`Complete` and :data:`Separate`; whole values that break no row
        are a solution of the program, and ``complete`` returns them with their cost.
    best : a solution that is known.
    grid : every solution's cost is a multiple of it; 0 if there is no such number.
    floor : a bound that is known.
    cutoff : solutions that cost as much are not looked for.
    """

    def __init__(
        self,
        model: Model,
        lower: FloatArray,
        upper: FloatArray,
        complete: Complete,
        separate: Separate | None = None,
        best: Solution | None = None,
        grid: float = 0.0,
        floor: float = -np.inf,
        cutoff: float = np.inf,
    ) -> None:
        self._model = model
        self._columns = np.arange(len(lower))
        self._complete = complete
        self._separate = separate
        self._best = best
        self._grid = grid
        self._cutoff = cutoff
        self._open = [_Node(floor, 0, lower.astype(float), upper.astype(float))]
        self._made = 1

    def run(self, deadline: Deadline) -> Found:
        """Searches until the optimum is proven or time is up."""
        dive: _Node | None = None  # the child that is looked at next; else the best bound
        while dive is not None or self._open:
            node, dive = dive or heapq.heappop(self._open), None
            if self._hopeless(node.bound):
                continue
            if deadline.left_s == 0:
                heapq.heappush(self._open, node)
                break
            dive = self._look_at(node, deadline)
        self._open = [node for node in self._open if not self._hopeless(node.bound)]
        values, cost = self._best or (None, np.inf)
        if self._open:
            bound = min(cost, min(self._rounded(node.bound) for node in self._open))
            return Found(values, cost, bound, "time limit")
        proven = values is not None and cost < self._cutoff
        return Found(values, cost, min(cost, self._cutoff), "optimal" if proven else "infeasible")

    def _look_at(self, node: _Node, deadline: Deadline) -> _Node | None:
        """Bounds a node, cuts, and leaves its children; returns the one to look at next."""
        solved = self._tightened(node, deadline)
        if solved is None:
            heapq.heappush(self._open, node)  # time is up
            return None
        values = solved.values
        if values is None or self._hopeless(node.bound):
            return None
        self._fix(node, solved)
        whole = values[self._columns]
        part = np.flatnonzero(np.abs(whole - np.rint(whole)) > WHOLE)
        part = part[node.lower[part] < node.upper[part]]
        if len(part) == 0:
            return None  # its own solution is the best below it, and known by now
        column = self._branch_on(part, node, solved)
        children = []
        for up in (False, True):
            lower, upper = node.lower.copy(), node.upper.copy()
            if up:
                lower[column] = np.ceil(whole[column])
            else:
                upper[column] = np.floor(whole[column])
            children.append(_Node(node.bound, self._made, lower, upper))
            self._made += 1
        heapq.heappush(self._open, children[0])
        return children[1]

    def _tightened(self, node: _Node, deadline: Deadline) -> Solved | None:
        """The node's program with the cuts it needs; None if time ran out."""
        rounds = 0
        while True:
            self._model.set_bounds(node.lower, node.upper)
            solved = self._model.solve(deadline.left_s)
            if solved.status == "time limit":
                return None
            node.bound = max(node.bound, solved.bound)
            if solved.values is None or self._hopeless(node.bound):
                return solved
            whole = solved.values[self._columns]
            fractional = bool((np.abs(whole - np.rint(whole)) > WHOLE).any())
            if not fractional or rounds == 0 or node.number == 0:
                self._offer(self._complete(solved.values))
                if self._hopeless(node.bound):
                    return solved
            if self._separate is None or (fractional and node.number and rounds >= _ROUNDS):
                return solved
            if not self._separate(solved.values):
                return solved
            rounds += 1

    def _branch_on(self, part: IntArray, node: _Node, solved: Solved) -> int:
        """The variable whose two sides both raise the bound most, tried by a few iterations."""
        assert solved.values is not None
        distance = np.abs(solved.values[part] - np.rint(solved.values[part]))
        probes = part[np.argsort(-distance, kind="stable")[:_PROBES]]
        if len(probes) == 1:
            return int(probes[0])
        scores = []
        enough = max(self._aim() - solved.bound, 1e-6)  # more rise than this is worth no more
        for column in probes.tolist():
            value = solved.values[column]
            rises = self._model.probe(
                column,
                (node.lower[column], float(np.floor(value))),
                (float(np.ceil(value)), node.upper[column]),
                _PROBE_STEPS,
            )
            down, up = (min(max(rise - solved.bound, 1e-6), enough) for rise in rises)
            scores.append(down * up)
        return int(probes[int(np.argmax(scores))])

    def _fix(self, node: _Node, solved: Solved) -> None:
        """Fixes variables that cannot move in any solution below this node that is better."""
        assert solved.values is not None
        assert solved.reduced_cost is not None
        cost = solved.reduced_cost[self._columns]
        values = solved.values[self._columns]
        low, high = values <= node.lower + WHOLE, values >= node.upper - WHOLE
        moved = solved.bound + np.abs(cost)
        stays = np.array([self._hopeless(bound) for bound in moved.tolist()])
        node.upper = np.where(stays & low & (cost > 0), node.lower, node.upper)
        node.lower = np.where(stays & high & (cost < 0), node.upper, node.lower)

    def _offer(self, solution: Solution | None) -> None:
        if solution is not None and (self._best is None or solution[1] < self._best[1]):
            self._best = solution

    def _rounded(self, bound: float) -> float:
        """The least cost that a solution of at least this bound can have."""
        if self._grid == 0 or not np.isfinite(bound):
            return bound
        return float(np.ceil(bound / self._grid - 1e-6) * self._grid)

    def _aim(self) -> float:
        """The cost that a solution has to be below."""
        return min(self._cutoff, np.inf if self._best is None else self._best[1])

    def _hopeless(self, bound: float) -> bool:
        """Whether nothing better than what is known can cost at least this bound."""
        aim = self._aim()
        return self._rounded(bound) >= (aim if aim == np.inf else aim - 1e-7 * abs(aim))
