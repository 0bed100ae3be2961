"""The search by itself: without good solutions beforehand, every branch and cut has to hold."""

from __future__ import annotations

from itertools import combinations, permutations
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from twin.siting import covering, median
from twin.siting.branch import WHOLE, Search, Solution
from twin.siting.choose import fewest_capacitated, fewest_sites
from twin.siting.solve import Deadline, Model

Floats = NDArray[np.float64]


def own_value(cost: Floats, values: Floats) -> Solution | None:
    """Whole values are a solution; others tell nothing."""
    values = values[: len(cost)]
    whole = np.rint(values)
    return (whole, float(cost @ whole)) if (np.abs(values - whole) <= WHOLE).all() else None


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_search_finds_the_optimum_of_whole_programs(seed: int, later: bool, grid: bool) -> None:
    """Random programs in whole numbers up to 3, beside HiGHS's own search.

    With ``later``, half of the rows come only when a solution breaks them.
    """
    draws = np.random.default_rng(seed)
    count, rows = int(draws.integers(4, 11)), int(draws.integers(3, 9))
    matrix = draws.integers(0, 8, (rows, count)).astype(float)
    least = draws.integers(5, 40, rows).astype(float)
    cost = draws.integers(3, 12, count).astype(float)
    if not grid:
        cost += draws.uniform(0, 1, count)
    upper = np.full(count, 3.0)
    truth = milp(
        cost,
        constraints=LinearConstraint(matrix, least, inf),
        bounds=Bounds(0, 3),
        integrality=np.ones(count, int),
        options={"mip_rel_gap": 0},
    )
    model = Model(cost, np.zeros(count), upper)
    at_once = rows // 2 if later else rows
    model.add_rows(csr_array(matrix[:at_once]), least[:at_once], inf)

    def complete(values: Floats) -> Solution | None:
        found = own_value(cost, values)
        return found if found and (matrix @ found[0] >= least).all() else None

    def separate(values: Floats) -> bool:
        low = matrix @ values < least - WHOLE
        model.add_rows(csr_array(matrix[low]), least[low], inf)
        return bool(low.any())

    found = Search(
        model, np.zeros(count), upper, complete, separate, grid=1.0 if grid else 0.0
    ).run(Deadline(60))
    if not truth.success:
        assert found.status == "infeasible"
        return
    assert found.status == "optimal"
    assert found.cost == pytest.approx(truth.fun)
    assert found.bound == pytest.approx(truth.fun)


def triples(size: int) -> list[tuple[int, int, int]]:
    """The Steiner triple system on 9 points or 15 points (Bose's construction)."""
    m = size // 3
    half = (m + 1) // 2
    blocks = [(x, x + m, x + 2 * m) for x in range(m)]
    for x, y in combinations(range(m), 2):
        z = (x + y) * half % m
        for level in range(3):
            blocks.append((x + level * m, y + level * m, z + (level + 1) % 3 * m))
    return blocks


@pytest.mark.parametrize(("size", "optimum"), [(9, 5), (15, 9)])
def test_covers_of_steiner_triple_systems(size: int, optimum: int) -> None:
    """Fulkerson, Nemhauser and Trotter (1974): hard for their size, the linear bound is a third."""
    covers = np.zeros((size * (size - 1) // 6, size), bool)
    for row, block in enumerate(triples(size)):
        covers[row, list(block)] = True
    together = covers.T.astype(int) @ covers
    assert (together[~np.eye(size, dtype=bool)] == 1).all()  # every pair in one triple
    choice = fewest_sites(covers)
    assert choice.status == "optimal"
    assert choice.objective == optimum


@pytest.mark.parametrize("steps", [0, 300])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_medians_without_a_good_start(steps: int, seed: int) -> None:
    """Without swaps, and without multipliers: the cuts and what the bounds decide must be right."""
    draws = np.random.default_rng(seed)
    demand, count = int(draws.integers(5, 25)), int(draws.integers(3, 9))
    k = int(draws.integers(1, count))
    cost = draws.integers(0, 50, (demand, count)).astype(float)
    cost[draws.random(cost.shape) < 0.1] = inf
    cost[~np.isfinite(cost).any(axis=1)] = 1.0
    best = min(cost[:, list(sites)].min(axis=1).sum() for sites in combinations(range(count), k))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(median, "_STEPS", steps)
        patch.setattr(median._Median, "swapped", lambda _, sites: sites)
        patch.setattr(median._Median, "grown", lambda self: np.arange(self.k))
        sites, bound, status = median.least_cost(cost, k, np.zeros(0, int), Deadline(60))
    if best == inf:
        assert status == "infeasible"
        return
    assert status == "optimal"
    assert median.total_cost(cost, sites) == pytest.approx(best)
    assert bound == pytest.approx(best)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_covers_without_a_good_start(seed: int) -> None:
    draws = np.random.default_rng(seed)
    covers = draws.random((30, 12)) < 0.2
    covers = covers[covers.any(axis=1)]
    best = next(
        size
        for size in range(1, 13)
        for sites in combinations(range(12), size)
        if covers[:, list(sites)].any(axis=1).all()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covering, "improved", lambda _rows, chosen, *_: chosen)
        patch.setattr(covering, "greedy", lambda rows, _: np.ones(rows.shape[1], bool))
        sites, bound, status = covering.fewest(covers, np.zeros(0, int), Deadline(60))
    assert covers[:, sites].any(axis=1).all()
    assert (len(sites), bound, status) == (best, best, "optimal")


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_sites_that_places_do_not_fit_into_give_way(order: tuple[int, ...]) -> None:
    """Two sites hold all, if places are divided; if not, only one pair of sites does.

    Places of 5, 5, 6 and 4 points, 10 to a site: {5, 5} and {6, 4} or nothing.
    """
    points = np.array([5, 5, 6, 4])
    covers = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0]], bool).T
    choice = fewest_capacitated(covers[:, order], points, 10, split=False)
    assert choice.status == "optimal"
    assert sorted(order[site] for site in choice.sites) == [0, 3]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_medians_bounds_and_cuts_leave_every_better_choice(seed: int) -> None:
    """What multipliers decide holds for all choices better than the known one, cuts for all."""
    draws = np.random.default_rng(seed)
    demand, count = int(draws.integers(5, 25)), int(draws.integers(4, 9))
    k = int(draws.integers(1, count - 1))
    cost = draws.integers(0, 50, (demand, count)).astype(float)
    problem = median._Median(cost, k, np.zeros(0, int), Deadline(60))
    choices = [np.array(sites, np.int64) for sites in combinations(range(count), k)]
    totals = [median.total_cost(problem.cost, sites) for sites in choices]
    problem.offer(choices[int(np.argsort(totals)[len(totals) // 3])])
    rows: list[tuple[Floats, Floats]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(median._Median, "near", lambda *_: None)
        limits = problem.bounded()
        patch.setattr(
            Model, "add_rows", lambda _, add, low, __: rows.append((add.toarray(), np.array(low)))
        )
        problem.model()
        for _ in range(5):
            parts = np.minimum(draws.dirichlet(np.ones(count)) * k, 1.0)
            problem.separate(np.concatenate([parts, np.zeros(demand)]))
    assert limits.floor <= min(totals) + 1e-9
    assert len(rows) > 2
    for sites, total in zip(choices, totals, strict=True):
        chosen = problem.chosen(sites)
        if total < problem.best * (1 - 1e-6):
            assert (chosen >= limits.lower).all()
            assert (chosen <= limits.upper).all()
        values = np.concatenate([chosen, problem.cost[:, sites].min(axis=1)])
        for matrix, low in rows:
            assert (matrix @ values >= low - 1e-9).all()
