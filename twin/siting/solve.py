"""Linear and integer programs through HiGHS, with what they have proven and nothing more.

:class:`Model` keeps its HiGHS instance, so that a solve after a change (rows added, bounds moved)
starts from the last basis: that is why ``highspy`` and not ``scipy.optimize.milp``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Status = Literal["optimal", "time limit", "infeasible"]
"""``optimal`` and ``infeasible`` are proven; ``time limit`` is whatever was reached by then."""

TOLERANCE = 1e-6
"""Relative gap that counts as none: HiGHS's own feasibility tolerance."""


class Deadline:
    """The end of a time limit that several steps share.

    Parameters
    ----------
    limit_s : seconds from now.
    """

    def __init__(self, limit_s: float) -> None:
        if not limit_s >= 0:
            raise ValueError(f"time_limit_s = {limit_s}: seconds of at least 0 are expected")
        self._began = time.perf_counter()
        self._limit_s = limit_s

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._began

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._limit_s - self.spent_s)


@dataclass(frozen=True, eq=False)
class Solved:
    """What a solve found.

    Parameters
    ----------
    values : the best solution, None if none was found.
    bound : no solution costs less; infinite if there is none.
    status : what is proven.
    reduced_cost : of each variable; of a program without whole ones.
    """

    values: FloatArray | None
    bound: float
    status: Status
    reduced_cost: FloatArray | None = None


class Model:
    """A linear program: least ``cost @ x``, ``lower <= x <= upper``, and the rows that are added.

    Parameters
    ----------
    cost, lower, upper : of each variable.
    """

    def __init__(self, cost: FloatArray, lower: FloatArray, upper: FloatArray) -> None:
        import highspy

        self._highs = highs = highspy.Highs()  # type: ignore[no-untyped-call]
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("threads", 1)  # the same path on every machine
        highs.setOptionValue("mip_rel_gap", 0.0)  # the default stops at 1e-4 and says "optimal"
        program = highspy.HighsLp()
        program.num_col_ = len(cost)
        program.num_row_ = 0
        program.col_cost_ = np.asarray(cost, float)
        program.col_lower_ = np.asarray(lower, float)
        program.col_upper_ = np.asarray(upper, float)
        program.a_matrix_.start_ = np.zeros(len(cost) + 1, np.int32)
        highs.passModel(program)

    def add_rows(
        self, rows: csr_array, lower: FloatArray | float, upper: FloatArray | float
    ) -> None:
        """Adds ``lower <= rows @ x <= upper``.

        Parameters
        ----------
        rows : (rows, variables).
        lower, upper : of each row, or one for all.
        """
        count = rows.shape[0]
        if count == 0:
            return
        self._highs.addRows(
            count,
            np.broadcast_to(np.asarray(lower, float), count).copy(),
            np.broadcast_to(np.asarray(upper, float), count).copy(),
            rows.nnz,
            rows.indptr[:-1].astype(np.int32),
            rows.indices.astype(np.int32),
            rows.data.astype(float),
        )

    def set_bounds(self, lower: FloatArray, upper: FloatArray) -> None:
        """Sets the bounds of the first variables anew."""
        columns = np.arange(len(lower), dtype=np.int32)
        self._highs.changeColsBounds(len(lower), columns, lower, upper)

    def solve(self, limit_s: float) -> Solved:
        """Solves it, from the last basis; a solve cut short has proven nothing."""
        import highspy

        status = self._run(limit_s)
        if status == highspy.HighsModelStatus.kOptimal:
            solution = self._highs.getSolution()
            return Solved(
                np.array(solution.col_value),
                float(self._highs.getInfo().objective_function_value),
                "optimal",
                np.array(solution.col_dual),
            )
        if status == highspy.HighsModelStatus.kInfeasible:
            return Solved(None, np.inf, "infeasible")
        return Solved(None, -np.inf, "time limit")

    def probe(
        self, column: int, down: tuple[float, float], up: tuple[float, float], steps: int
    ) -> tuple[float, float]:
        """What the cost rises to, about, when a variable takes either side of its range.

        Parameters
        ----------
        column : the variable; its bounds are the lower one of ``down`` and the upper one of ``up``.
        down, up : its bounds in either case.
        steps : simplex iterations that each case may take.
        """
        import highspy

        basis = self._highs.getBasis()
        costs = []
        self._highs.setOptionValue("simplex_iteration_limit", steps)
        for lower, upper in (down, up):
            self._highs.changeColBounds(column, lower, upper)
            infeasible = self._run(np.inf) == highspy.HighsModelStatus.kInfeasible
            cost = self._highs.getInfo().objective_function_value
            costs.append(np.inf if infeasible else float(cost))
            self._highs.setBasis(basis)
        self._highs.setOptionValue("simplex_iteration_limit", highspy.kHighsIInf)
        self._highs.changeColBounds(column, down[0], up[1])
        return costs[0], costs[1]

    def solve_whole(self, limit_s: float) -> Solved:
        """Solves it for whole numbers in every variable."""
        import highspy

        count = self._highs.getNumCol()
        whole = np.full(count, int(highspy.HighsVarType.kInteger), np.uint8)
        self._highs.changeColsIntegrality(count, np.arange(count, dtype=np.int32), whole)
        status = self._run(limit_s)
        # costs and bounds are finite: it cannot be unbounded
        if status in (
            highspy.HighsModelStatus.kInfeasible,
            highspy.HighsModelStatus.kUnboundedOrInfeasible,
        ):
            return Solved(None, np.inf, "infeasible")
        info = self._highs.getInfo()
        found = info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
        values = np.rint(self._highs.getSolution().col_value) if found else None
        bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else -np.inf
        proven = status == highspy.HighsModelStatus.kOptimal
        return Solved(values, bound, "optimal" if proven else "time limit")

    def _run(self, limit_s: float) -> object:
        # HiGHS counts from the model's first run
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + limit_s)
        self._highs.run()
        return self._highs.getModelStatus()
