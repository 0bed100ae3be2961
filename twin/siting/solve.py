"""Linear and integer programs through HiGHS, with what they have proven and nothing more.

:class:`Model` keeps its HiGHS instance, so that rows (cuts) added after a solve start from the
last basis. HiGHS through ``highspy`` rather than ``scipy.optimize.milp``: rows can be added, a
known solution handed over, and a solve cut short still tells its bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
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
    reduced_cost : of each variable, where a linear program was solved.
    """

    values: FloatArray | None
    bound: float
    status: Status
    reduced_cost: FloatArray | None = None


class Model:
    """A program: least ``cost @ x`` with ``lower <= x <= upper`` and the rows that are added.

    Parameters
    ----------
    cost, lower, upper : of each variable.
    integer : which variables are whole, for :meth:`solve`; :meth:`relax` passes that over.
    """

    def __init__(
        self, cost: FloatArray, lower: FloatArray, upper: FloatArray, integer: BoolArray
    ) -> None:
        import highspy

        self._cost = cost
        self._integer = integer
        self._highs = highs = highspy.Highs()  # type: ignore[no-untyped-call]
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("threads", 1)  # the same path on every machine
        highs.setOptionValue("mip_rel_gap", 0.0)  # the default stops at 1e-4 and says "optimal"
        highs.setOptionValue("mip_abs_gap", 1e-9)
        program = highspy.HighsLp()
        program.num_col_ = len(cost)
        program.num_row_ = 0
        program.col_cost_ = np.asarray(cost, float)
        program.col_lower_ = np.asarray(lower, float)
        program.col_upper_ = np.asarray(upper, float)
        program.a_matrix_.start_ = np.zeros(len(cost) + 1, np.int32)
        highs.passModel(program)
        self._whole = False

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

    def bound_columns(self, columns: IntArray, lower: float, upper: float) -> None:
        """Sets the bounds of some variables anew."""
        count = len(columns)
        if count:
            self._highs.changeColsBounds(
                count, columns.astype(np.int32), np.full(count, lower), np.full(count, upper)
            )

    def relax(self, limit_s: float) -> Solved:
        """Solves without wholeness; a solve cut short has proven nothing."""
        import highspy

        self._set_whole(False)
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

    def solve(self, limit_s: float, start: FloatArray | None = None) -> Solved:
        """Solves with wholeness.

        Parameters
        ----------
        limit_s : seconds it may take.
        start : a solution that is known already.
        """
        import highspy

        self._set_whole(True)
        if start is not None:
            known = highspy.HighsSolution()
            known.col_value = np.asarray(start, float)
            self._highs.setSolution(known)
        status = self._run(limit_s)
        if status in (
            highspy.HighsModelStatus.kInfeasible,
            highspy.HighsModelStatus.kUnboundedOrInfeasible,  # costs and bounds are finite here
        ):
            return Solved(None, np.inf, "infeasible")
        info = self._highs.getInfo()
        found = info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
        values = np.array(self._highs.getSolution().col_value) if found else None
        if values is not None:
            values[self._integer] = np.rint(values[self._integer])
        proven = status in (
            highspy.HighsModelStatus.kOptimal,
            highspy.HighsModelStatus.kModelEmpty,
        )
        bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else -np.inf
        return Solved(values, bound, "optimal" if proven else "time limit")

    def _set_whole(self, whole: bool) -> None:
        import highspy

        if whole != self._whole:
            columns = np.flatnonzero(self._integer).astype(np.int32)
            kind = highspy.HighsVarType.kInteger if whole else highspy.HighsVarType.kContinuous
            self._highs.changeColsIntegrality(
                len(columns), columns, np.full(len(columns), int(kind), np.uint8)
            )
            self._whole = whole

    def _run(self, limit_s: float) -> object:
        self._highs.setOptionValue("time_limit", limit_s)
        self._highs.run()
        return self._highs.getModelStatus()


def binary_rows(sets: Sequence[IntArray], columns: int) -> csr_array:
    """A matrix (sets, columns) with 1 where the set has the column."""
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in sets])])
    indices = np.concatenate([*sets, np.zeros(0, np.int64)])
    return csr_array((np.ones(len(indices)), indices, indptr), shape=(len(sets), columns))
