"""Published optima of the OR-Library's p-median instances (Beasley 1985), proven here as well."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.csgraph import floyd_warshall

from twin.siting.choose import least_mean_time

INSTANCES = Path(__file__).parents[2] / "../shared/siting"
OPTIMA = {"pmed1": 5819, "pmed2": 4093, "pmed3": 4250, "pmed4": 3034, "pmed5": 1355}


def read(path: Path) -> tuple[np.ndarray, int]:
    """Shortest distances between all vertices, and p; of parallel edges the last one counts."""
    numbers = np.array(path.read_text(encoding="ascii").split(), int)
    (vertices, edges, p), rest = numbers[:3], numbers[3:].reshape(-1, 3)
    assert len(rest) == edges
    length = np.full((vertices, vertices), np.inf)
    for one, other, cost in rest.tolist():
        length[one - 1, other - 1] = length[other - 1, one - 1] = cost
    return floyd_warshall(length, directed=False), int(p)


@pytest.mark.parametrize("name", OPTIMA)
def test_published_optimum(name: str) -> None:
    """Demand 1 at every vertex, every vertex a candidate."""
    path = INSTANCES / f"{name}.txt"
    if not path.exists():
        pytest.skip(f"no {path}: put the OR-Library's {name}.txt there to enable this test")
    distance, p = read(path)
    choice = least_mean_time(distance, np.ones(len(distance)), p)
    assert choice.status == "optimal"
    assert choice.gap == 0
    assert len(choice.sites) == p
    total = distance[:, choice.sites].min(axis=1).sum()
    assert total == OPTIMA[name]
    assert choice.bound * len(distance) == pytest.approx(OPTIMA[name], rel=1e-6)
