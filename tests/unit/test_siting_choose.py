"""Choosing sites against exhaustive search on small cases, and what must hold of every choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, combinations, product
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack

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
            near = covers[list(some)][:, sites].any(axis=0)
            if points[list(some)].sum() > room[near].sum():
                return False
    return True


def fits(covers: Bools, points: NDArray[np.int64], sites: list[int], capacity: int) -> bool:
    """Whether some way of giving each place to one site keeps the capacity."""
    able = np.flatnonzero(covers.any(axis=1))
    choices = [[site for site in sites if covers[place, site]] for place in able]
    return any(
        all(points[able[[one == site for one in way]]].sum() <= capacity for site in sites)
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


def plane(seed: int, demand: int, candidates: int) -> tuple[Floats, Bools, NDArray[np.int64]]:
    """Metres between random points of a square of 25 km, what is within 8 km, and points."""
    draws = np.random.default_rng(seed)
    ends = draws.uniform(0, 25_000, (demand + candidates, 1, 2))
    apart = ends[:demand] - ends[demand:].reshape(1, candidates, 2)
    metres = np.hypot(apart[..., 0], apart[..., 1])
    return metres, metres <= 8000, draws.integers(1, 400, demand)


def full_model(
    covers: Bools,
    site: Floats,
    serve: Floats,
    *,
    k: int | None = None,
    points: NDArray[np.int64] | None = None,
    capacity: int = 0,
    extra: float | None = None,
    divided: bool = True,
) -> float:
    """The least cost with everything in one program: sites, units, and who serves whom.

    Parameters
    ----------
    covers : (demand, candidate), no row empty.
    site, extra : cost of a site, and of each further unit of it (none if not given).
    serve : (demand, candidate), cost of serving.
    k : number of sites, free if not given.
    points, capacity : what one unit of a site holds, without limit if not given.
    """
    place, at = np.nonzero(covers)
    m, n, pairs = *covers.shape, len(place)
    order = np.arange(pairs)
    ones = np.ones(pairs)
    serving = csr_array((ones, (place, order)), shape=(m, pairs))
    pair_site = csr_array((ones, (order, at)), shape=(pairs, n))
    none = csr_array((m, n))
    zero = csr_array((pairs, n))
    limits = [
        LinearConstraint(csr_array(hstack([none, none, serving])), 1, 1),
        LinearConstraint(csr_array(hstack([pair_site, zero, -eye_array(pairs)])), 0, inf),
        LinearConstraint(
            csr_array(hstack([99.0 * eye_array(n), -eye_array(n), csr_array((n, pairs))])), 0, inf
        ),
    ]
    if k is not None:
        count = np.concatenate([np.ones(n), np.zeros(n + pairs)])
        limits.append(LinearConstraint(count[None], k, k))
    if points is not None:
        load = csr_array((points[place].astype(float), (at, order)), shape=(n, pairs))
        units = float(capacity) * eye_array(n, dtype=float)
        limits.append(LinearConstraint(csr_array(hstack([units, units, -load])), 0, inf))
    most = np.concatenate([np.ones(n), np.full(n, 0.0 if extra is None else 99.0), ones])
    found = milp(
        np.concatenate([site, np.full(n, extra or 0.0), serve[place, at]]),
        constraints=limits,
        bounds=Bounds(0, most),
        integrality=np.concatenate([np.ones(2 * n), np.full(pairs, 0 if divided else 1)]),
        options={"mip_rel_gap": 0},
    )
    assert found.success
    return float(found.fun)


SEEDS = pytest.mark.parametrize("seed", range(3))


@SEEDS
def test_larger_cases_of_covering_and_median(seed: int) -> None:
    metres, covers, points = plane(seed, 60, 20)
    able = covers.any(axis=1)
    metres, covers, points = metres[able], covers[able], points[able]
    free, nothing = np.zeros(20), np.zeros(covers.shape)
    everywhere = np.ones(covers.shape, bool)
    fewest = fewest_sites(covers)
    assert fewest.status == "optimal"
    assert fewest.objective == pytest.approx(full_model(covers, np.ones(20), nothing))
    for k in (2, 4):
        weighted = metres * points[:, None] / points.sum()
        mean = least_mean_time(metres, points, k)
        assert mean.status == "optimal"
        assert mean.objective == pytest.approx(full_model(everywhere, free, weighted, k=k))
        left_out = np.where(covers, 0, points[:, None])
        best = best_coverage(covers, points, k)
        assert best.status == "optimal"
        missed = full_model(everywhere, free, left_out.astype(float), k=k)
        assert best.objective == pytest.approx(points.sum() - missed)
        worst = least_worst_time(metres, k)
        assert worst.status == "optimal"
        assert len(fewest_sites(metres <= worst.objective).sites) <= k
        assert len(fewest_sites(metres < worst.objective).sites) > k


@SEEDS
@pytest.mark.parametrize("per_site", [0.25, 0.15])
def test_larger_cases_of_capacity(seed: int, per_site: float) -> None:
    _, covers, points = plane(seed, 30, 14)
    able = covers.any(axis=1)
    covers, points = covers[able], points[able]
    capacity = max(int(points.sum() * per_site), int(points.max()))
    nothing = np.zeros(covers.shape)
    for divided in (True, False):
        choice = fewest_capacitated(covers, points, capacity, split=divided)
        assert choice.status == "optimal"
        assert choice.objective == pytest.approx(
            full_model(
                covers, np.ones(14), nothing, points=points, capacity=capacity, divided=divided
            )
        )
    for center in (0.0, 5.0):
        cheapest = fewest_people(
            covers, points, price_center=center, price_person=1.0, extra_per=capacity, shifts=1.0
        )
        assert cheapest.status == "optimal"
        assert cheapest.objective == pytest.approx(
            full_model(
                covers, np.full(14, center + 2), nothing, points=points, capacity=capacity, extra=1
            )
        )


HURRIED: dict[str, Callable[[float], Choice]] = {}


def _hurried() -> None:
    """The same hard problem for every function, by time limit."""
    metres, covers, points = plane(7, 300, 80)
    covers = metres <= 4000
    points = points * 5
    HURRIED.update(
        sites=lambda s: fewest_sites(covers, time_limit_s=s),
        coverage=lambda s: best_coverage(covers, points, 9, time_limit_s=s),
        mean=lambda s: least_mean_time(metres, points, 9, time_limit_s=s),
        worst=lambda s: least_worst_time(metres, 9, time_limit_s=s),
        divided=lambda s: fewest_capacitated(covers, points, 9000, split=True, time_limit_s=s),
        whole=lambda s: fewest_capacitated(covers, points, 9000, split=False, time_limit_s=s),
        people=lambda s: fewest_people(
            covers, points, price_center=9, price_person=1, extra_per=9000, time_limit_s=s
        ),
    )


_hurried()


@pytest.mark.parametrize("name", HURRIED)
def test_stopped_early_is_never_called_optimal(name: str) -> None:
    """Without time, what is known is given with an honest bound; with a little, the truth lies
    between."""
    none, some = HURRIED[name](0.0), HURRIED[name](1.5)
    assert none.status == "time limit"
    assert none.gap > 1e-6
    for choice in (none, some):
        assert choice.status in ("optimal", "time limit")
        assert (choice.status == "optimal") == (choice.gap == 0)
    sign = -1 if name == "coverage" else 1
    assert sign * none.bound <= sign * some.bound + 1e-6 * abs(some.bound)
    assert sign * none.bound <= sign * some.objective
    if len(none.sites):
        assert sign * some.bound <= sign * none.objective


def test_demand_out_of_reach_is_named_and_the_rest_solved() -> None:
    covers = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1]], bool)
    seconds = np.where(covers, 60.0, inf)
    points = np.array([3, 50, 4, 5])
    for choice in (
        fewest_sites(covers),
        best_coverage(covers, points, 2),
        least_mean_time(seconds, points, 2),
        least_worst_time(seconds, 2),
        fewest_capacitated(covers, points, 10, split=True),
        fewest_capacitated(covers, points, 10, split=False),
        fewest_people(covers, points, price_center=1, price_person=1, extra_per=10),
    ):
        assert choice.status == "optimal"
        assert choice.uncovered.tolist() == [1]
        assert choice.sites.tolist() == [0, 2]
        assert choice.share.toarray().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_a_capacity_beyond_all_points() -> None:
    """Larger than what flows can count, it is as good as none."""
    covers = np.array([[1, 1], [0, 1]], bool)
    points = np.array([1_500_000_000, 600_000_000])
    for capacity in (2_100_000_000, 3_000_000_000, 10**15):
        choice = fewest_capacitated(covers, points, capacity, split=True)
        assert (choice.status, choice.sites.tolist()) == ("optimal", [1])
        people = fewest_people(covers, points, price_center=1, price_person=1, extra_per=capacity)
        assert (people.status, people.sites.tolist()) == ("optimal", [1])
    some = fewest_people(covers, points, price_center=9, price_person=1, extra_per=1_900_000_000)
    assert (some.status, some.sites.tolist(), some.objective) == ("optimal", [1], 9 + 2 * 3)


def test_what_cannot_be_held_is_infeasible() -> None:
    covers = np.ones((3, 2), bool)
    points = np.array([9, 9, 9])
    for divided in (True, False):
        choice = fewest_capacitated(covers, points, 12, split=divided)
        assert choice.status == "infeasible"
        assert choice.objective == inf
        assert len(choice.sites) == 0
    assert (
        people_per_shift_of(
            fewest_people(covers, points, price_center=9, price_person=1, extra_per=12), points
        ).sum()
        == 2
    )


@CASES
@given(cases(candidates=4), st.data())
def test_pareto_front(case: Case, data: st.DataObject) -> None:
    """It has the best coverage and the least mean time of every number of centers."""
    covers, seconds, points, standing = case
    most = data.draw(st.integers(max(1, len(standing)), covers.shape[1]))
    front = pareto_front(covers, seconds, points, most, standing=standing)
    figures = [(one.centers, -one.covered, one.mean_s) for one in front]
    for one, other in combinations(figures, 2):
        assert one == other or any(a < b for a, b in zip(one, other, strict=True))
        assert one == other or any(a > b for a, b in zip(one, other, strict=True))
    for k in range(max(1, len(standing)), most + 1):
        within = [one for one in front if one.centers <= k]
        best = best_coverage(covers, points, k, standing=standing).objective
        mean = least_mean_time(seconds, points, k, standing=standing).objective
        assert max(one.covered for one in within) == pytest.approx(best)
        assert least(one.mean_s for one in within) == pytest.approx(mean)


@CASES
@given(cases())
def test_presolve_and_search_keep_covers(case: Case) -> None:
    """What covers the part that decides covers all; swaps never make a cover larger or leak."""
    covers = case[0][case[0].any(axis=1)]
    rows, columns = dominant(covers)
    first = greedy(rows, np.ones(len(columns)))
    second = improved(rows, first, 5, Deadline(9.0))
    assert second.sum() <= first.sum()
    for chosen in (first, second):
        assert covers[:, columns[chosen]].any(axis=1).all()


ALL, TIMES, POINTS = np.ones((2, 3), bool), np.ones((2, 3)), np.array([3, 5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_coverage(ALL, POINTS, 0), "k = 0: 1 to 3 sites"),
        (lambda: best_coverage(ALL, POINTS, 1, standing=[0, 1]), "k = 1: 2 to 3 sites"),
        (lambda: least_mean_time(TIMES, POINTS, 4), "k = 4"),
        (lambda: least_mean_time(-TIMES, POINTS, 1), "negative or missing"),
        (lambda: least_mean_time(TIMES * np.nan, POINTS, 1), "negative or missing"),
        (lambda: fewest_sites(ALL, standing=[3]), "candidates are 0 to 2"),
        (lambda: fewest_sites(ALL, POINTS[:1]), "1 weights for 2 demand points"),
        (lambda: fewest_sites(ALL, -POINTS), "weight is negative"),
        (lambda: fewest_sites(ALL, seconds=TIMES[:1]), "must agree"),
        (lambda: fewest_sites(ALL, seconds=TIMES + inf), "takes for ever"),
        (lambda: fewest_sites(ALL[0]), "1 dimensions"),
        (lambda: fewest_sites(ALL, time_limit_s=-1), "time_limit_s = -1"),
        (lambda: fewest_capacitated(ALL, POINTS, 4, split=False), "demand point 1 has 5 points"),
        (lambda: fewest_capacitated(ALL, POINTS, 0, split=True), "0 points for a site"),
        (lambda: fewest_capacitated(ALL, POINTS + 0.5, split=True), "not whole"),
        (
            lambda: fewest_people(ALL, POINTS, price_center=-1, price_person=1),
            "price_center = -1",
        ),
    ],
)
def test_bad_input(call: Callable[[], Choice], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
