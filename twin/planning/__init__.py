"""Plans centers for a district: from a scenario to how many, where, and with what (`twin site`).

Read first: :mod:`twin.planning.plan` (the steps), then :mod:`twin.planning.centers` (what is known
of a chosen center) and :mod:`twin.planning.handover` (its scenario, for `twin run`). The rules and
the choice itself stand in :mod:`twin.siting`; what people read of a plan in
:mod:`twin.report.site_write`.
"""

from twin.planning.plan import SitePlan, plan_sites

__all__ = ["SitePlan", "plan_sites"]
