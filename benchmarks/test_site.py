"""How fast a district is planned: 100,000 road nodes, 20,000 venues, 500 candidates.

The time is reported; what is asserted is the work that was done.
"""

from __future__ import annotations

from typing import Any

from twin.planning import SitePlan, plan_sites
from twin.scenario import load_scenario

DISTRICT = (
    "roads.townships=36",
    "venues.points=153000",
    "siting.count=500",
    "siting.front=0",
)


def test_a_district_of_100_000_nodes(benchmark: Any) -> None:
    """From the scenario to the plan with its areas; target: 3 min, files included."""
    scenario = load_scenario("district", DISTRICT)
    plan: SitePlan = benchmark.pedantic(plan_sites, (scenario,), rounds=1)
    assert len(plan.network) >= 100_000
    assert plan.demand.venues >= 20_000
    assert plan.offered == 500
    assert plan.points == 153_000
    assert plan.seconds.shape == (len(plan.demand), len(plan.centers))
    assert sum(center.points for center in plan.centers) == plan.points
    assert plan.choice.status == "optimal"
    benchmark.extra_info.update(
        nodes=len(plan.network),
        demand=len(plan.demand),
        candidates=len(plan.candidates),
        centers=len(plan.centers),
        seconds={name: round(value, 2) for name, value in plan.seconds_by_phase.items()},
    )
