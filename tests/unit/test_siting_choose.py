"""Choosing sites against exhaustive search on small cases, and what must hold of every choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, combinations, product
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from twin.siting.choose import (
    Choice,
    best_coverage,
    fewest_capacitated,
    fewest_people,
    fewest_sites,
    least_mean_time,
    least_worst_time,
    load_of,
    pareto_front,
    people_per_shift_of,
)
from twin.siting.covering import dominant, greedy, improved
from twin.siting.solve import Deadline

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Case = tuple[Bools, Floats, NDArray[np.int64], tuple[int, ...]]

CASES = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def cases(draw: st.DrawFn, demand: int = 7, candidates: int = 6) -> Case:
    """Covers, seconds, points, standing sites; demand without any candidate among them."""
    m, n = draw(st.integers(1, demand)), draw(st.integers(1, candidates))
    cells = st.lists(st.integers(0, 9), min_size=m * n, max_size=m * n)
    grid = np.array(draw(cells)).reshape(m, n)
    seconds = np.where(grid > 7, inf, 10.0 * grid)
    covers = grid <= draw(st.integers(2, 6))
    points = np.array(draw(st.lists(st.integers(0, 12), min_size=m, max_size=m)))
    standing = draw(st.sets(st.integers(0, n - 1), max_size=2))
    return covers, seconds, points, tuple(sorted(standing))


def subsets(candidates: int, standing: Sequence[int], sizes: Iterable[int]) -> list[list[int]]:
    """Every set of candidates of these sizes that has the standing ones."""
    sets = chain.from_iterable(combinations(range(candidates), size) for size in sizes)
    return [list(one) for one in sets if set(standing) <= set(one)]


def reaches(covers: Bools, sites: list[int]) -> bool:
    able = covers.any(axis=1)
    return bool(covers[able][:, sites].any(axis=1).all())


def check(choice: Choice, covers: Bools, standing: Sequence[int], best: float) -> None:
    """A proven choice of the value that exhaustive search found."""
    if best == inf:
        assert choice.status == "infeasible"
        assert choice.objective == inf
        assert len(choice.sites) == 0
        return
    assert choice.status == "optimal"
    assert choice.objective == pytest.approx(best)
    assert choice.bound == pytest.approx(best)
    assert choice.gap == 0
    assert set(standing) <= set(choice.sites.tolist())
    assert choice.uncovered.tolist() == np.flatnonzero(~covers.any(axis=1)).tolist()
    check_share(choice, covers)


def check_share(choice: Choice, covers: Bools) -> None:
    """Whoever a chosen site covers is served in full, by chosen sites that cover."""
    share = choice.share.toarray()
    assert share.shape == covers.shape
    assert not share[~covers].any()
    assert set(np.flatnonzero(share.any(axis=0))) <= set(choice.sites.tolist())
    served = covers[:, choice.sites].any(axis=1)
    assert share.sum(axis=1) == pytest.approx(served.astype(float))


def least(values: Iterable[float]) -> float:
    return min(values, default=inf)


@CASES
@given(cases())
def test_fewest_sites(case: Case) -> None:
    covers, seconds, points, standing = case
    sets = subsets(covers.shape[1], standing, range(covers.shape[1] + 1))
    best = least(len(sites) for sites in sets if reaches(covers, sites))
    check(fewest_sites(covers, standing=standing), covers, standing, best)

    timed = fewest_sites(covers, points, seconds=seconds, standing=standing)
    check(timed, covers, standing, best)
    times = np.where(covers, seconds, inf)
    able = covers.any(axis=1)

    def total(sites: Sequence[int]) -> float:
        return float(times[able][:, sites].min(axis=1, initial=inf) @ points[able])

    if able.any():
        equal = [sites for sites in sets if len(sites) == best and reaches(covers, sites)]
        assert total(timed.sites.tolist()) == pytest.approx(least(map(total, equal)))


@CASES
@given(cases(), st.data())
def test_best_coverage(case: Case, data: st.DataObject) -> None:
    covers, _, points, standing = case
    k = data.draw(st.integers(max(1, len(standing)), covers.shape[1]))
    best = max(
        float(points[covers[:, sites].any(axis=1)].sum())
        for sites in subsets(covers.shape[1], standing, [k])
    )
    choice = best_coverage(covers, points, k, standing=standing)
    check(choice, covers, standing, best)
    assert len(choice.sites) == k


@CASES
@given(cases(), st.data())
def test_least_mean_time(case: Case, data: st.DataObject) -> None:
    _, seconds, points, standing = case
    k = data.draw(st.integers(max(1, len(standing)), seconds.shape[1]))
    reached = np.isfinite(seconds)
    able = reached.any(axis=1)
    heavy = float(points[able].sum()) or 1.0
    best = least(
        float(seconds[able][:, sites].min(axis=1) @ points[able]) / heavy
        for sites in subsets(seconds.shape[1], standing, [k])
        if reaches(reached, sites)
    )
    choice = least_mean_time(seconds, points, k, standing=standing)
    check(choice, reached, standing, best)
    assert best == inf or len(choice.sites) == k


@CASES
@given(cases(), st.data())
def test_least_worst_time(case: Case, data: st.DataObject) -> None:
    _, seconds, _, standing = case
    k = data.draw(st.integers(max(1, len(standing)), seconds.shape[1]))
    reached = np.isfinite(seconds)
    able = reached.any(axis=1)
    best = least(
        float(seconds[able][:, sites].min(axis=1).max(initial=0.0))
        for sites in subsets(seconds.shape[1], standing, [k])
        if reaches(reached, sites)
    )
    choice = least_worst_time(seconds, k, standing=standing)
    check(choice, reached, standing, best)
    assert best == inf or len(choice.sites) == k


def holds(covers: Bools, points: NDArray[np.int64], sites: list[int], units: Sequence[int]) -> bool:
    """Hall's condition: whatever demand is taken together, its sites hold it (divided)."""
    able = np.flatnonzero(covers.any(axis=1))
    if not reaches(covers, sites):
        return False
    room = np.array(units)
    for size in range(1, len(able) + 1):
        for some in combinations(able, size):
            near = covers[np.ix_(some, sites)].any(axis=0)
            if points[list(some)].sum() > room[near].sum():
                return False
    return True


def fits(covers: Bools, points: NDArray[np.int64], sites: list[int], capacity: int) -> bool:
    """Whether some way of giving each place to one site keeps the capacity."""
    able = np.flatnonzero(covers.any(axis=1))
    choices = [[site for site in sites if covers[place, site]] for place in able]
    return any(
        all(
            points[able[[one == site for one in way]]].sum() <= capacity for site in sites
        )
        for way in product(*choices)
    )


@CASES
@given(cases(demand=6, candidates=5), st.integers(3, 20))
def test_capacity_with_places_divided(case: Case, capacity: int) -> None:
    covers, seconds, points, standing = case
    best = least(
        len(sites)
        for sites in subsets(covers.shape[1], standing, range(covers.shape[1] + 1))
        if holds(covers, points, sites, [capacity] * len(sites))
    )
    for times in (None, seconds):
        choice = fewest_capacitated(
            covers, points, capacity, split=True, standing=standing, seconds=times
        )
        check(choice, covers, standing, best)
        assert (load_of(choice, points) <= capacity).all()


@CASES
@given(cases(demand=6, candidates=5), st.integers(12, 24))
def test_capacity_with_places_whole(case: Case, capacity: int) -> None:
    covers, seconds, points, standing = case
    best = least(
        len(sites)
        for sites in subsets(covers.shape[1], standing, range(covers.shape[1] + 1))
        if fits(covers, points, sites, capacity)
    )
    for times in (None, seconds):
        choice = fewest_capacitated(
            covers, points, capacity, split=False, standing=standing, seconds=times
        )
        check(choice, covers, standing, best)
        assert (load_of(choice, points) <= capacity).all()
        assert set(choice.share.data.tolist()) <= {1.0}


@CASES
@given(
    cases(demand=5, candidates=4),
    st.integers(3, 12),
    st.sampled_from([0.0, 1.0, 7.5, 30.0]),
    st.sampled_from([0.0, 1.0, 3.3]),
)
def test_fewest_people(case: Case, extra_per: int, center: float, person: float) -> None:
    covers, seconds, points, standing = case
    best = inf
    for sites in subsets(covers.shape[1], standing, range(covers.shape[1] + 1)):
        most = [max(1, ceil(points[covers[:, site]].sum() / extra_per)) for site in sites]
        for units in product(*(range(1, one + 1) for one in most)):
            people = sum(2 + unit - 1 for unit in units)
            price = center * len(sites) + person * 2.5 * people
            if price < best and holds(covers, points, sites, [extra_per * u for u in units]):
                best = price
    choice = fewest_people(
        covers,
        points,
        price_center=center,
        price_person=person,
        extra_per=extra_per,
        shifts=2.5,
        seconds=seconds,
        standing=standing,
    )
    check(choice, covers, standing, best)
    people = people_per_shift_of(choice, points, extra_per=extra_per).sum()
    assert center * len(choice.sites) + person * 2.5 * people <= best + 1e-9


_ = Callable, dominant, greedy, improved, Deadline, pareto_front
