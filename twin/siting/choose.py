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

from twin.siting.branch import Found
from twin.siting.capacity import Prices, fewest_units, spread
from twin.siting.covering import fewest, least_worst, widest
from twin.siting.median import least_cost, total_cost
from twin.siting.solve import (
    TOLERANCE,
    BoolArray,
    Deadline,
    FloatArray,
    IntArray,
    Status,
)
from twin.siting.undivided import fewest_whole

_MOST_POINTS = 2**31 - 1
"""Points in all that SciPy's flows can count (int32)."""

_PREFER_S = 5.0
"""Seconds at most for the nearest among equally few sites."""

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
    """A point of a front: no other of its points has at most its centers and is as good in both.

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
        is preferred, as far as a few seconds allow (``status`` speaks of the number alone).
    standing, time_limit_s : see the module.
    """
    deadline = Deadline(time_limit_s)
    covers, times, weights, forced = _checked(covers, seconds, weight, standing)
    able = covers.any(axis=1)
    sites, bound, status = fewest(covers[able], forced, deadline)
    if seconds is not None and status == "optimal" and able.any():
        cost = _weighted(np.where(covers, times, np.inf)[able], weights[able])
        patience = Deadline(min(_PREFER_S, deadline.left_s))
        sites, _, _ = least_cost(cost, len(sites), forced, patience, start=sites)
    share = _nearest_share(covers, times, sites)
    return _choice(sites, share, np.flatnonzero(~able), len(sites), bound, status, deadline)


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
    covers, times, weights, forced = _checked(covers, seconds, weight, standing)
    _check_count(k, forced, covers.shape[1])
    able = covers.any(axis=1)
    open_ = able & ~covers[:, forced].any(axis=1)
    # demand of the same candidates is one, and a candidate that covers less than another no help
    sets, one = np.unique(covers[open_], axis=0, return_inverse=True)
    together = np.bincount(one, weights[open_], minlength=len(sets))
    useful = widest(sets)
    places = min(k - len(forced), len(useful))
    status: Status = "optimal"
    picked, left_out = useful[:0], float(together.sum())
    if places:
        cost = np.where(sets[:, useful], 0.0, together[:, None])
        picked, left_out, status = least_cost(cost, places, forced[:0], deadline)
    sites = _filled(np.union1d(forced, useful[picked]), k, covers.shape[1])
    covered = float(weights[covers[:, sites].any(axis=1)].sum())
    bound = float(weights[able].sum()) - left_out
    share = _nearest_share(covers, times, sites)
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
    reached, times, weights, forced = _checked(None, seconds, weight, standing)
    _check_count(k, forced, reached.shape[1])
    able = reached.any(axis=1)
    uncovered = np.flatnonzero(~able)
    heavy = float(weights[able].sum()) or 1.0
    cost = _weighted(times[able], weights[able])
    sites, bound, status = least_cost(cost, k, forced, deadline)
    share = _nearest_share(reached, times, sites)
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
    deadline = Deadline(time_limit_s)
    reached, times, _, forced = _checked(None, seconds, None, standing)
    _check_count(k, forced, reached.shape[1])
    able = reached.any(axis=1)
    sites, bound, status = least_worst(times[able], k, forced, deadline)
    if len(sites) or status == "optimal":
        sites = _filled(sites, k, reached.shape[1])
    worst = float(times[np.ix_(able, sites)].min(axis=1).max(initial=0.0)) if len(sites) else np.inf
    share = _nearest_share(reached, times, sites)
    return _choice(sites, share, np.flatnonzero(~able), worst, bound, status, deadline)


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
    deadline = Deadline(time_limit_s)
    covers, times, _, forced = _checked(covers, seconds, None, standing)
    counts = _whole_points(points, len(covers), capacity)
    able = covers.any(axis=1)
    demand = np.flatnonzero(able)
    if split:
        prices = Prices(capacity, 1.0, None)
        found = fewest_units(covers[able], counts[able], prices, forced, deadline)
        return _divided(found, covers, counts, times, capacity, deadline)
    most = int(demand[np.argmax(counts[able])]) if len(demand) else 0
    if len(demand) and counts[most] > capacity:
        raise ValueError(
            f"demand point {most} has {counts[most]} points, a site holds {capacity}: "
            f"let the points of one place be divided (split) or raise the capacity"
        )
    found, at = fewest_whole(covers[able], counts[able], times[able], capacity, forced, deadline)
    sites, share = forced[:0], csr_array(covers.shape)
    if found.values is not None:
        sites = np.flatnonzero(found.values)
        share = csr_array((np.ones(len(demand)), (demand, at)), shape=covers.shape)
    return _choice(
        sites, share, np.flatnonzero(~able), found.cost, found.bound, found.status, deadline
    )


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
    deadline = Deadline(time_limit_s)
    covers, times, _, forced = _checked(covers, seconds, None, standing)
    counts = _whole_points(points, len(covers), extra_per)
    for name, value in (("price_center", price_center), ("price_person", price_person)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} = {value}: a price of at least 0 is expected")
    able = covers.any(axis=1)
    person = price_person * shifts
    prices = Prices(extra_per, price_center + person * people_per_shift, person)
    found = fewest_units(covers[able], counts[able], prices, forced, deadline)
    return _divided(found, covers, counts, times, extra_per, deadline)


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

    For each number of centers up to ``most``, the two ends: a choice of the best coverage, and one
    of the least mean time; points that another one dominates are left out. That no choice covers
    more, and none is faster, is proven where the choice's status says so; what lies between the
    ends is not looked for, nor which of the choices of equal coverage is the fastest.

    Parameters
    ----------
    covers, seconds : (demand, candidate).
    weight : of each demand point.
    most : the largest number of centers, standing ones included.
    standing : see the module.
    time_limit_s : of each choice.
    """
    covers, times, weights, forced = _checked(covers, seconds, weight, standing)
    _check_count(most, forced, covers.shape[1])
    reached = np.isfinite(times).any(axis=1)
    cost = _weighted(times[reached], weights[reached])
    heavy = float(weights[reached].sum()) or 1.0
    points = []
    for k in range(max(1, len(forced)), most + 1):
        limits = {"standing": forced.tolist(), "time_limit_s": time_limit_s}
        for choice in (
            best_coverage(covers, weights, k, seconds=times, **limits),
            least_mean_time(times, weights, k, **limits),
        ):
            if len(choice.sites):
                covered = float(weights[covers[:, choice.sites].any(axis=1)].sum())
                mean = total_cost(cost, choice.sites) / heavy
                points.append(FrontPoint(k, covered, mean, choice))
    return [one for one in points if not any(_dominates(other, one) for other in points)]


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
    covers: BoolArray | None,
    seconds: FloatArray | None,
    weight: ArrayLike | None,
    standing: Sequence[int],
) -> tuple[BoolArray, FloatArray, FloatArray, IntArray]:
    """The inputs as arrays, sane; what is left out follows from the rest.

    Without ``covers``, what can be reached is covered; without ``seconds``, all is equally near.
    """
    if seconds is None:
        assert covers is not None
        seconds = np.zeros(np.shape(covers))
    seconds = np.asarray(seconds, np.float64)
    covers = np.isfinite(seconds) if covers is None else np.asarray(covers, np.bool_)
    if covers.ndim != 2:
        raise ValueError(f"{covers.ndim} dimensions: a matrix (demand, candidate) is expected")
    if seconds.shape != covers.shape:
        raise ValueError(f"seconds is {seconds.shape}, covers {covers.shape}: they must agree")
    if not (seconds >= 0).all():
        raise ValueError("seconds has a negative or missing value: 0 to inf is expected")
    if (covers & np.isinf(seconds)).any():
        raise ValueError("a candidate covers demand that it takes for ever to reach: check seconds")
    weights = np.ones(len(covers)) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != covers.shape[:1]:
        raise ValueError(f"{weights.size} weights for {len(covers)} demand points: one each")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("a weight is negative or not finite: 0 or more is expected")
    forced = np.unique(np.asarray(standing, np.int64))
    if len(forced) and not 0 <= forced[0] <= forced[-1] < covers.shape[1]:
        raise ValueError(f"standing = {list(standing)}: candidates are 0 to {covers.shape[1] - 1}")
    return covers, seconds, weights, forced


def _whole_points(points: ArrayLike, demand: int, capacity: int) -> IntArray:
    """Points of each demand point, sane, and the capacity with them."""
    counts = np.asarray(points)
    if counts.shape != (demand,):
        raise ValueError(f"{counts.size} numbers of points for {demand} demand points: one each")
    if not ((counts >= 0) & (counts == np.rint(counts))).all():
        raise ValueError("a number of points is negative or not whole: 0, 1, 2, ... is expected")
    if counts.sum() > _MOST_POINTS:
        raise ValueError(f"{counts.sum()} points in all: at most {_MOST_POINTS} are expected")
    if capacity < 1:
        raise ValueError(f"{capacity} points for a site: at least 1 is expected")
    return counts.astype(np.int64)


def _dominates(one: FrontPoint, other: FrontPoint) -> bool:
    """Whether one is nowhere worse than the other, and somewhere better."""
    first = (one.centers, -one.covered, one.mean_s)
    second = (other.centers, -other.covered, other.mean_s)
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def _check_count(k: int, forced: IntArray, candidates: int) -> None:
    if not max(1, len(forced)) <= k <= candidates:
        raise ValueError(
            f"k = {k}: {max(1, len(forced))} to {candidates} sites can be chosen "
            f"({len(forced)} stand already, of {candidates} candidates)"
        )


def _weighted(times: FloatArray, weights: FloatArray) -> FloatArray:
    """Times by weight; what cannot be reached stays so for demand without weight."""
    return np.multiply(times, weights[:, None], out=times.copy(), where=np.isfinite(times))


def _filled(sites: IntArray, k: int, candidates: int) -> IntArray:
    """Exactly k sites, where fewer do as well."""
    others = np.setdiff1d(np.arange(candidates), sites)
    return np.union1d(sites, others[: k - len(sites)])


def _nearest_share(covers: BoolArray, seconds: FloatArray, sites: IntArray) -> csr_array:
    """All of each demand point to the nearest site that covers it, the first of equal ones."""
    if len(sites) == 0:
        return csr_array(covers.shape)
    nearest = np.argmin(np.where(covers[:, sites], seconds[:, sites], np.inf), axis=1)
    rows = np.flatnonzero(covers[:, sites].any(axis=1))
    return csr_array((np.ones(len(rows)), (rows, sites[nearest[rows]])), shape=covers.shape)


def _divided(
    found: Found,
    covers: BoolArray,
    points: IntArray,
    times: FloatArray,
    unit: int,
    deadline: Deadline,
) -> Choice:
    """A choice of sites with units, its points brought to them."""
    able = covers.any(axis=1)
    sites, share = np.zeros(0, np.int64), csr_array(covers.shape)
    if found.values is not None:
        sites = np.flatnonzero(found.values)
        limits = np.rint(found.values[sites]).astype(np.int64) * unit
        served = np.where(able, points, 0)
        brought = spread(covers, served, times, sites, limits, deadline).tocoo()
        # what has no points belongs to the nearest site all the same
        nearest = _nearest_share(covers, times, sites).tocoo()
        bare = served[nearest.row] == 0
        rows = np.concatenate([brought.row, nearest.row[bare]])
        columns = np.concatenate([brought.col, nearest.col[bare]])
        parts = np.concatenate([brought.data / served[brought.row], nearest.data[bare]])
        share = csr_array((parts, (rows, columns)), shape=covers.shape)
    return _choice(
        sites, share, np.flatnonzero(~able), found.cost, found.bound, found.status, deadline
    )


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
