"""From a log to verdicts, clause by clause of DB3211/T 1066-2023.

Read first: :func:`assess` below, then :mod:`twin.assessment.finding` (what a finding is), then a
chapter. A clause is a function from the evidence to its findings; every figure comes from
:mod:`twin.kpi`, every limit from :mod:`twin.standard`, every tick from
:mod:`twin.assessment.checklist`. What a log does not hold is "not judged".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.assessment.finding import Evidence, Finding, Text, Verdict
    from twin.assessment.judge import Assessment, assess

__all__ = ["Assessment", "Evidence", "Finding", "Text", "Verdict", "assess"]


def __getattr__(name: str) -> object:
    """Loads what judges a log when it is asked for: the checklist alone stays cheap."""
    if name in ("Assessment", "assess"):
        from twin.assessment import judge

        return getattr(judge, name)
    if name in ("Evidence", "Finding", "Text", "Verdict"):
        from twin.assessment import finding

        return getattr(finding, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
