"""The assessment as a table on the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text as Line

from twin.assessment.finding import Finding, Verdict
from twin.assessment.judge import Assessment
from twin.report.texts import Language, modality_word, names, say, verdict_word, word

STYLES = {
    Verdict.MET: "green",
    Verdict.NOT_MET: "bold red",
    Verdict.REMARK: "yellow",
    Verdict.NOT_JUDGED: "dim",
    Verdict.FIGURE: "cyan",
}
_LACKS = re.compile(
    r"^(the checklist lacks |检查表缺少|the log has no checklist|日志中没有checklist)"
)


def summary(findings: Iterable[Finding], lang: Language) -> str:
    """How many findings ended how, in a line."""
    count = Counter(finding.verdict for finding in findings)
    return word("summary", lang).format(
        met=count[Verdict.MET],
        not_met=count[Verdict.NOT_MET],
        remark=count[Verdict.REMARK],
        not_judged=count[Verdict.NOT_JUDGED],
    )


def print_assessment(console: Console, assessment: Assessment, lang: Language) -> None:
    """Prints a center's summary, its table, and what is not judged grouped by the reason."""
    findings = assessment.findings
    months = assessment.period.months
    span = months[0] if len(months) == 1 else f"{months[0]} - {months[-1]}"
    head = Line(f"{assessment.center} · {span} · ", style="bold")
    head.append(summary(findings, lang), style="bold")
    console.print(head)
    console.print(_table(findings, lang))
    for line in _not_judged(findings, lang):
        console.print(line)


def _table(findings: Iterable[Finding], lang: Language) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(word("clause", lang), no_wrap=True)
    table.add_column(word("binds", lang), no_wrap=True)
    # "fold": Chinese has no spaces to break a line at
    table.add_column(word("asks", lang), ratio=5, overflow="fold")
    table.add_column(word("gave", lang), ratio=6, overflow="fold")
    table.add_column(word("verdict", lang), no_wrap=True)
    table.add_column(word("margin", lang), max_width=14, overflow="fold")
    for finding in findings:
        if finding.verdict is Verdict.NOT_JUDGED:
            continue
        table.add_row(
            Line(finding.clause),
            Line(modality_word(finding.modality, lang)),
            Line(say(finding.asks, lang)),
            Line(say(finding.gave, lang)),
            Line(verdict_word(finding.verdict, lang), style=STYLES[finding.verdict]),
            Line(say(finding.margin, lang)),
        )
    return table


def reasons(findings: Iterable[Finding], lang: Language) -> dict[str, list[Finding]]:
    """The findings that are not judged, by why; unanswered checklist items together."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.verdict is Verdict.NOT_JUDGED:
            reason = say(finding.reason, lang)
            if _LACKS.match(reason):
                reason = "检查表未填写" if lang == "zh" else "the checklist does not answer it"
            found.setdefault(reason, []).append(finding)
    return found


def _not_judged(findings: Iterable[Finding], lang: Language) -> Iterable[Line]:
    groups = reasons(findings, lang)
    if groups:
        yield Line(word("not_judged", lang), style="bold")
    for reason, members in groups.items():
        line = Line(f"  {reason}: ", style="dim")
        line.append(names(members, lang))
        yield line


def print_close(
    console: Console, assessments: Iterable[Assessment], lang: Language, folder: Path | None
) -> None:
    """Prints what a reader wants to see last: what does not hold, and where the report is."""
    for assessment in assessments:
        unmet = assessment.with_verdict(Verdict.NOT_MET)
        line = Line(f"{assessment.center}: {summary(assessment.findings, lang)}", style="bold")
        console.print(line)
        if unmet:
            console.print(
                Line(f"  {word('not_met_head', lang)}: {names(unmet, lang)}", style="red")
            )
    if folder is not None:
        console.print(Line(f"{word('report_at', lang)}: {folder / 'report.html'}"))
