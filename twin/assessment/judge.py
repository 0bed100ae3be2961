"""All clauses of the standard, judged from a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twin.assessment import (
    annex_d,
    chapter_3,
    chapter_4,
    chapter_5,
    chapter_6,
    chapter_7_to_11,
)
from twin.assessment.finding import Evidence, Finding, Verdict, evidence_of
from twin.assessment.inspector import Inspector, inspect
from twin.kpi import Kpis, Period, Rows, compute_rows, monthly
from twin.log import Log

CLAUSES: tuple[Callable[[Evidence], list[Finding]], ...] = (
    chapter_3.clause_3_3,
    chapter_3.clause_3_4,
    chapter_3.clause_3_5,
    chapter_3.clause_3_6,
    chapter_4.clause_4_2,
    chapter_4.clause_4_3,
    chapter_4.clause_4_4,
    chapter_4.clause_4_5,
    chapter_4.clause_4_6,
    chapter_4.clause_4_7,
    chapter_4.clause_4_8,
    chapter_4.clause_4_9,
    chapter_4.clause_4_10,
    chapter_4.clause_4_11,
    chapter_5.clause_5_1_1,
    chapter_5.clause_5_1_2,
    chapter_5.clause_5_1_3,
    chapter_5.clause_5_1_4,
    chapter_5.clause_5_1_5,
    chapter_5.clause_5_1_6,
    chapter_5.clause_5_1_7,
    chapter_5.clause_5_1_8,
    chapter_5.clause_5_1_9,
    chapter_5.clause_5_1_10,
    chapter_5.clause_5_1_11,
    chapter_5.clause_5_1_12,
    chapter_5.clause_5_1_13,
    chapter_5.clause_5_2,
    chapter_5.clause_5_2_9,
    chapter_6.clause_6_1,
    chapter_6.clause_6_2,
    chapter_6.clause_6_3,
    chapter_6.clause_6_4,
    chapter_6.clause_6_5,
    chapter_7_to_11.clause_7_1,
    chapter_7_to_11.clause_7_2,
    chapter_7_to_11.clause_7_3,
    chapter_7_to_11.clause_8_1,
    chapter_7_to_11.clause_8_2,
    chapter_7_to_11.clause_8_3,
    chapter_7_to_11.clause_8_4,
    chapter_7_to_11.clause_9_1,
    chapter_7_to_11.clause_9_2,
    chapter_7_to_11.clause_9_3,
    chapter_7_to_11.clause_10,
    chapter_7_to_11.clause_11_1,
    chapter_7_to_11.clause_11_2,
    chapter_7_to_11.clause_11_3,
)
"""A function per clause, in the standard's order; table D.1 follows them."""


@dataclass(frozen=True)
class Assessment:
    """One center, judged.

    Attributes
    ----------
    center : its name; period : what the log covers.
    findings : one or more per clause, in the standard's order.
    months : the main figures by calendar month (rows of center, month, name, value, unit).
    inspector : the year as random monthly samples show it (D.1).
    kpis : all figures.
    """

    center: str
    period: Period
    findings: tuple[Finding, ...]
    months: tuple[Mapping[str, Any], ...]
    inspector: Inspector
    kpis: Kpis

    def with_verdict(self, verdict: Verdict) -> tuple[Finding, ...]:
        """The findings that ended so."""
        return tuple(finding for finding in self.findings if finding.verdict is verdict)

    def finding(self, clause: str, item: str) -> Finding:
        """One finding.

        Raises
        ------
        KeyError
            Where there is none of this clause and item.
        """
        for finding in self.findings:
            if (finding.clause, finding.item) == (clause, item):
                return finding
        raise KeyError(f"no finding {item!r} of clause {clause}")


def assess_center(log: Log) -> Assessment:
    """Judges a log of one center.

    Raises
    ------
    LogError
        For an empty log, or rows that break the log's contract.
    """
    rows = Rows(log)
    kpis = compute_rows(rows)
    evidence = evidence_of(rows, kpis)
    inspector = inspect(kpis)
    findings = [finding for clause in CLAUSES for finding in clause(evidence)]
    findings += annex_d.item_1(evidence)
    findings += annex_d.item_2(evidence, inspector)
    findings += annex_d.item_3(evidence, inspector)
    findings += annex_d.item_4(evidence)
    findings += annex_d.item_5(evidence)
    return Assessment(
        kpis.center, kpis.period, tuple(findings), tuple(monthly(kpis)), inspector, kpis
    )


def assess(log: Log) -> list[Assessment]:
    """Judges every center of a log, in order of their names.

    Raises
    ------
    LogError
        For an empty log, or rows that break the log's contract.
    """
    return [assess_center(log.of_center(center)) for center in log.centers()]
