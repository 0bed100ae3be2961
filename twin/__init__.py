"""A discrete-event simulation and digital twin of township smart fire service centers.

In a notebook or a program::

    import twin

    scenario = twin.load_scenario("township").changed(duration="90 d")
    run = twin.simulate(scenario)
    for assessment in twin.assess(run.log):
        for finding in assessment.with_verdict(twin.Verdict.NOT_MET):
            print(finding.clause, finding.gave.en)

Read first: :mod:`twin.terms` (the words and the log's contract), :mod:`twin.scenario` (what goes
in), :mod:`twin.world` (where the parts are wired), :mod:`twin.assessment` (what comes out).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.assessment import Assessment, Finding, Verdict, assess
    from twin.kpi import Kpis, compute
    from twin.log import Log, LogError, read_log, write_log
    from twin.planning import SitePlan, plan_sites
    from twin.report.plots import plot, plot_map, plot_plan
    from twin.scenario import Scenario, ScenarioError, load_scenario, shipped_scenarios
    from twin.world.simulate import Run, simulate

__version__ = "0.1.0"

__all__ = [
    "Assessment",
    "Finding",
    "Kpis",
    "Log",
    "LogError",
    "Run",
    "Scenario",
    "ScenarioError",
    "SitePlan",
    "Verdict",
    "assess",
    "compute",
    "load_scenario",
    "plan_sites",
    "plot",
    "plot_map",
    "plot_plan",
    "read_log",
    "shipped_scenarios",
    "simulate",
    "write_log",
]

_HOMES = {
    "Assessment": "twin.assessment",
    "Finding": "twin.assessment",
    "Kpis": "twin.kpi",
    "Log": "twin.log",
    "LogError": "twin.log",
    "Run": "twin.world",
    "Scenario": "twin.scenario",
    "ScenarioError": "twin.scenario",
    "SitePlan": "twin.planning",
    "Verdict": "twin.assessment",
    "assess": "twin.assessment",
    "compute": "twin.kpi",
    "load_scenario": "twin.scenario",
    "plan_sites": "twin.planning",
    "plot": "twin.report.plots",
    "plot_map": "twin.report.plots",
    "plot_plan": "twin.report.plots",
    "read_log": "twin.log",
    "shipped_scenarios": "twin.scenario",
    "simulate": "twin.world",
    "write_log": "twin.log",
}


def __getattr__(name: str) -> object:
    """Loads a part when it is first asked for, so that ``import twin`` costs next to nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
