"""Choosing sites, exactly: how many centers, which ones, and what each of them serves.

Read first: :class:`Choice`, which every function returns, then :func:`fewest_sites` (all within
reach), :func:`best_coverage`, :func:`least_mean_time` and :func:`least_worst_time` (the best k),
:func:`fewest_capacitated` and :func:`fewest_people` (the two ways out of clause 5.1.12), and
:func:`pareto_front`.

What is common to all of them:

- Rows are demand points, columns candidates. ``covers[i, j]`` says that candidate j reaches demand
  i within the rule (5.1.1), ``seconds[i, j]`` how long it takes (inf: not at all).
- Sites that stand already (``standing``) are always chosen, and count.
- Demand that no candidate reaches is named in ``uncovered`` and left out of the problem.
- ``time_limit_s`` is for the whole call. A choice is "optimal" only when that is proven; else its
  bound and gap say how far off it may be.
- Where ``seconds`` is given beside ``covers``, every demand point is served by the nearest chosen
  site that covers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from twin.siting.covering import fewest
from twin.siting.median import least_cost, total_cost
from twin.siting.solve import (
    TOLERANCE,
    BoolArray,
    Deadline,
    FloatArray,
    IntArray,
    Status,
)

TIME_LIMIT_S = 60.0
"""Default time limit of a call (assumption; nothing here but the patience of a planner)."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Sites, what they serve, and what has been proven about them.

    Parameters
    ----------
    sites : the chosen candidates, ascending, standing ones included; empty if there is no solution.
    share : (demand, candidate), the part of each demand point's points that the site serves; rows
        of uncovered demand are empty.
    uncovered : demand that no candidate covers.
    objective : number of sites, weight covered, weighted mean s, worst s or price, by function;
        infinite if there is no solution.
    bound : no choice has a better objective than this (proven).
    gap : ``|objective - bound|`` as a part of the objective; 0 when proven.
    status : "optimal" or "infeasible" when proven, else "time limit".
    seconds : the time it took.
    """

    sites: IntArray
    share: csr_array
    uncovered: IntArray
    objective: float
    bound: float
    gap: float
    status: Status
    seconds: float


@dataclass(frozen=True, eq=False)
class FrontPoint:
    """A point of a Pareto front: no other has at most its centers and is as good in both figures.

    Parameters
    ----------
    centers : how many.
    covered : weight covered.
    mean_s : weighted mean of the time to the nearest center, over all demand that can be reached.
    choice : the choice itself.
    """

    centers: int
    covered: float
    mean_s: float
    choice: Choice


def fewest_sites(
    covers: BoolArray,
    weight: ArrayLike | None = None,
    *,
    seconds: FloatArray | None = None,
    standing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Choice:
    """The fewest sites that cover all demand (location set covering, LSCP).

    Parameters
    ----------
    covers : (demand, candidate).
    weight : of each demand point, for the mean time; 1 if not given.
    seconds : (demand, candidate); among choices of as few sites the one of least weighted mean time
        is preferred, as far as the time limit allows (``status`` speaks of the number alone).
    standing, time_limit_s : see the module.
    """
    deadline = Deadline(time_limit_s)
    covers, seconds, _weights, forced = _checked(covers, seconds, weight, standing)
    uncovered = np.flatnonzero(~covers.any(axis=1))
    sites, bound, status = fewest(covers[covers.any(axis=1)], forced, deadline)
    share = _nearest_share(covers, seconds, sites)
    return _choice(sites, share, uncovered, len(sites), bound, status, deadline)


def best_coverage(
    covers: BoolArray,
    weight: ArrayLike,
    k: int,
    *,
    seconds: FloatArray | None = None,
    standing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Choice:
    """The k sites that cover the most weight (maximal covering, MCLP).

    ``uncovered`` names what no candidate covers; demand that is only left out by these k sites has
    an empty row in ``share``.

    Parameters
    ----------
    covers : (demand, candidate).
    weight : of each demand point.
    k : number of sites, standing ones included.
    seconds : (demand, candidate), for who serves whom.
    standing, time_limit_s : see the module.
    """
    deadline = Deadline(time_limit_s)
    covers, seconds, weights, forced = _checked(covers, seconds, weight, standing)
    _check_count(k, forced, covers.shape[1])
    able = covers.any(axis=1)
    # demand of the same candidates is one
    sets, one = np.unique(covers[able], axis=0, return_inverse=True)
    together = np.bincount(one, weights[able], minlength=len(sets))
    sites, left_out, status = least_cost(
        np.where(sets, 0.0, together[:, None]), k, forced, deadline
    )
    covered = float(weights[covers[:, sites].any(axis=1)].sum())
    bound = float(weights[able].sum()) - left_out
    share = _nearest_share(covers, seconds, sites)
    return _choice(sites, share, np.flatnonzero(~able), covered, bound, status, deadline)


def least_mean_time(
    seconds: FloatArray,
    weight: ArrayLike,
    k: int,
    *,
    standing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Choice:
    """The k sites of the least weighted mean time to the nearest of them (p-median).

    Every demand point that a candidate reaches must be reached; where k sites cannot, the status is
    "infeasible".

    Parameters
    ----------
    seconds : (demand, candidate), inf where there is no way.
    weight : of each demand point.
    k : number of sites, standing ones included.
    standing, time_limit_s : see the module.
    """
    deadline = Deadline(time_limit_s)
    reached = np.isfinite(np.asarray(seconds, float))
    reached, seconds, weights, forced = _checked(reached, seconds, weight, standing)
    assert seconds is not None
    _check_count(k, forced, reached.shape[1])
    able = reached.any(axis=1)
    uncovered = np.flatnonzero(~able)
    heavy = float(weights[able].sum()) or 1.0
    cost = np.where(reached[able], seconds[able] * weights[able, None], np.inf)
    sites, bound, status = least_cost(cost, k, forced, deadline)
    share = _nearest_share(reached, seconds, sites)
    mean = total_cost(cost, sites) / heavy
    return _choice(sites, share, uncovered, mean, bound / heavy, status, deadline)


def least_worst_time(
    seconds: FloatArray,
    k: int,
    *,
    standing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Choice:
    """The k sites of the least worst time to the nearest of them (p-center).

    Parameters
    ----------
    seconds : (demand, candidate), inf where there is no way.
    k : number of sites, standing ones included.
    standing, time_limit_s : see the module.
    """
    raise NotImplementedError


def fewest_capacitated(
    covers: BoolArray,
    points: ArrayLike,
    capacity: int = 20_000,
    *,
    split: bool,
    seconds: FloatArray | None = None,
    standing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Choice:
    """The fewest sites that cover all demand, none with more points than its capacity (5.1.12).

    Parameters
    ----------
    covers : (demand, candidate).
    points : whole number of points of each demand point; one without points must be covered too.
    capacity : points that a site serves at most.
    split : whether the points of one place may be divided between centers.
    seconds : (demand, candidate); then the points are given to the chosen sites at the least
        total time.
    standing, time_limit_s : see the module.
    """
    raise NotImplementedError


def fewest_people(
    covers: BoolArray,
    points: ArrayLike,
    *,
    price_center: float,
    price_person: float,
    people_per_shift: int = 2,
    extra_per: int = 20_000,
    shifts: float = 2.0,
    seconds: FloatArray | None = None,
    standing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> Choice:
    """The cheapest centers where one with many points gets more people instead (5.1.12).

    A center has ``people_per_shift`` people on each shift, and one more for each started
    ``extra_per`` points beyond the first. The price of a choice is ``price_center`` for each center
    (a standing one too) and ``price_person`` for each person. Points of one place may be divided.
    :func:`people_per_shift_of` tells the people of each site.

    Parameters
    ----------
    covers : (demand, candidate).
    points : whole number of points of each demand point; one without points must be covered too.
    price_center, price_person : in any one currency and for any one period.
    people_per_shift : of a center of at most ``extra_per`` points (4.4: at least 2).
    extra_per : points (5.1.12).
    shifts : people employed for one person on each shift (4.4: 4 in all for 2 a shift).
    seconds : (demand, candidate); then the points are given to the chosen sites at the least
        total time.
    standing, time_limit_s : see the module.
    """
    raise NotImplementedError


def pareto_front(
    covers: BoolArray,
    seconds: FloatArray,
    weight: ArrayLike,
    most: int,
    *,
    standing: Sequence[int] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> list[FrontPoint]:
    """Number of centers against covered weight and mean time.

    For each number of centers up to ``most``, the choice of the best coverage and the one of the
    least mean time; points that another one dominates are left out.

    Parameters
    ----------
    covers, seconds : (demand, candidate).
    weight : of each demand point.
    most : the largest number of centers, standing ones included.
    standing : see the module.
    time_limit_s : of each choice.
    """
    raise NotImplementedError


def load_of(choice: Choice, points: ArrayLike) -> IntArray:
    """Points that each site of a choice serves, in the order of ``sites``.

    Parameters
    ----------
    choice : of :func:`fewest_capacitated` or :func:`fewest_people`.
    points : of each demand point.
    """
    entries = choice.share.tocoo()
    served = np.rint(entries.data * np.asarray(points)[entries.row])
    load = np.bincount(entries.col, served, minlength=choice.share.shape[1])
    return load[choice.sites].astype(np.int64)


def people_per_shift_of(
    choice: Choice, points: ArrayLike, people_per_shift: int = 2, extra_per: int = 20_000
) -> IntArray:
    """People that each site of a choice needs on each shift (5.1.12), in the order of ``sites``."""
    started = -(-load_of(choice, points) // extra_per)
    return people_per_shift + np.maximum(started - 1, 0)


def _checked(
    covers: BoolArray,
    seconds: FloatArray | None,
    weight: ArrayLike | None,
    standing: Sequence[int],
) -> tuple[BoolArray, FloatArray | None, FloatArray, IntArray]:
    """The inputs as arrays, sane."""
    covers = np.asarray(covers, np.bool_)
    if covers.ndim != 2:
        raise ValueError(f"covers has {covers.ndim} dimensions: (demand, candidate) is expected")
    if seconds is not None:
        seconds = np.asarray(seconds, float)
        if seconds.shape != covers.shape:
            raise ValueError(f"seconds is {seconds.shape}, covers {covers.shape}: they must agree")
        if np.isnan(seconds).any() or (seconds < 0).any():
            raise ValueError("seconds has a negative or missing value: 0 to inf is expected")
    weights = np.ones(len(covers)) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != covers.shape[:1]:
        raise ValueError(f"{weights.size} weights for {len(covers)} demand points: one each")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("a weight is negative or not finite: 0 or more is expected")
    forced = np.unique(np.asarray(standing, np.int64))
    if len(forced) and not 0 <= forced[0] <= forced[-1] < covers.shape[1]:
        raise ValueError(f"standing = {list(standing)}: candidates are 0 to {covers.shape[1] - 1}")
    return covers, seconds, weights, forced


def _check_count(k: int, forced: IntArray, candidates: int) -> None:
    if not max(1, len(forced)) <= k <= candidates:
        raise ValueError(
            f"k = {k}: {max(1, len(forced))} to {candidates} sites can be chosen "
            f"({len(forced)} stand already, of {candidates} candidates)"
        )


def _nearest_share(covers: BoolArray, seconds: FloatArray | None, sites: IntArray) -> csr_array:
    """All of each demand point to the nearest site that covers it (the first, without times)."""
    if len(sites) == 0:
        return csr_array(covers.shape)
    if seconds is None:
        nearest = np.argmax(covers[:, sites], axis=1)
    else:
        nearest = np.argmin(np.where(covers[:, sites], seconds[:, sites], np.inf), axis=1)
    rows = np.flatnonzero(covers[:, sites].any(axis=1))
    return csr_array((np.ones(len(rows)), (rows, sites[nearest[rows]])), shape=covers.shape)


def _choice(
    sites: IntArray,
    share: csr_array,
    uncovered: IntArray,
    objective: float,
    bound: float,
    status: Status,
    deadline: Deadline,
) -> Choice:
    """A choice whose status agrees with its gap."""
    if status == "infeasible":
        gap, objective, bound = 0.0, np.inf, np.inf
    elif not np.isfinite(objective):
        gap = np.inf
    else:
        gap = abs(objective - bound) / max(abs(objective), 1e-9)
        if gap <= TOLERANCE:
            gap, bound, status = 0.0, float(objective), "optimal"
        else:
            status = "time limit"
    return Choice(
        sites, share, uncovered, float(objective), float(bound), gap, status, deadline.spent_s
    )
