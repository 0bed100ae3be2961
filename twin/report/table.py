"""The assessment as a table on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text as Line

from twin.assessment.finding import UNANSWERED, Finding, Text, Verdict
from twin.assessment.judge import Assessment
from twin.report.texts import Language, modality_word, names, say, verdict_word, word

STYLES = {
    Verdict.MET: "green",
    Verdict.NOT_MET: "bold red",
    Verdict.REMARK: "yellow",
    Verdict.NOT_JUDGED: "dim",
    Verdict.FIGURE: "cyan",
}


def summary(findings: Iterable[Finding], lang: Language) -> str:
    """How many findings ended how, in a line."""
    count = Counter(finding.verdict for finding in findings)
    return word("summary", lang).format(
        met=count[Verdict.MET],
        not_met=count[Verdict.NOT_MET],
        remark=count[Verdict.REMARK],
        not_judged=count[Verdict.NOT_JUDGED],
    )


def print_assessment(
    console: Console, assessment: Assessment, lang: Language, notices: Iterable[Text] = ()
) -> None:
    """Prints a center's verdicts: in full what is not met, in a line each what is.

    Parameters
    ----------
    notices : what to know before the verdicts.
    """
    findings = assessment.findings
    months = assessment.period.months
    span = months[0] if len(months) == 1 else f"{months[0]} - {months[-1]}"
    head = Line(f"{assessment.center} · {span} · ", style="bold")
    head.append(summary(findings, lang), style="bold")
    console.print(head)
    for notice in notices:
        console.print(Line(f"{word('notice', lang)}: {say(notice, lang)}", style="yellow"))
    unmet = [f for f in findings if f.verdict in (Verdict.NOT_MET, Verdict.REMARK)]
    if unmet:
        console.print(_in_full(unmet, lang))
    for title, verdict in (("met_head", Verdict.MET), ("figures_head", Verdict.FIGURE)):
        mine = [finding for finding in findings if finding.verdict is verdict]
        if mine:
            console.print(Line(word(title, lang), style="bold"))
        for line in _in_lines(mine, lang, console.width):
            console.print(line)
    for line in (*_strictly(findings, lang), *_not_judged(findings, lang)):
        console.print(line)


def _in_full(findings: Iterable[Finding], lang: Language) -> Table:
    """What each asks, what the period gave, and by how much it fails."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(word("clause", lang), no_wrap=True)
    table.add_column(word("binds", lang), no_wrap=True)
    # "fold": Chinese has no spaces to break a line at
    table.add_column(word("asks", lang), ratio=5, overflow="fold")
    table.add_column(word("gave", lang), ratio=6, overflow="fold")
    table.add_column(word("verdict", lang), no_wrap=True)
    table.add_column(word("margin", lang), max_width=14, overflow="fold")
    for finding in findings:
        table.add_row(
            Line(finding.clause),
            Line(modality_word(finding.modality, lang)),
            Line(say(finding.asks, lang)),
            Line(say(finding.gave, lang)),
            Line(verdict_word(finding.verdict, lang), style=STYLES[finding.verdict]),
            Line(say(finding.margin, lang)),
        )
    return table


def _in_lines(findings: Iterable[Finding], lang: Language, width: int) -> Iterable[Line]:
    """One line per clause, cut where the terminal ends; the report has it whole."""
    clauses: dict[str, list[Finding]] = {}
    for finding in findings:
        clauses.setdefault(finding.clause, []).append(finding)
    for clause, members in clauses.items():
        asks = word("and_then", lang).join(dict.fromkeys(say(f.asks, lang) for f in members))
        gave = word("and_then", lang).join(dict.fromkeys(say(f.gave, lang) for f in members))
        if len(members) == 1:
            gave = outcome(members[0], lang)
        rest = width - _CLAUSE_WIDTH
        line = Line(f"{clause:<{_CLAUSE_WIDTH}}", style=STYLES[members[0].verdict], no_wrap=True)
        line.append_text(_cut(Line(asks, style="default"), rest * 5 // 11 - 2, pad=True))
        line.append("  ")
        line.append_text(_cut(Line(gave, style="default"), rest - rest * 5 // 11, pad=False))
        yield line


_CLAUSE_WIDTH = 8


def _cut(line: Line, width: int, *, pad: bool) -> Line:
    """A line of at most so many columns; Chinese characters take two."""
    line.truncate(width, overflow="ellipsis", pad=pad)
    return line


def outcome(finding: Finding, lang: Language) -> str:
    """What the period gave, with the margin."""
    gave = say(finding.gave, lang)
    if finding.margin is None:
        return gave
    return word("beside", lang).format(gave, say(finding.margin, lang))


def _strictly(findings: Iterable[Finding], lang: Language) -> Iterable[Line]:
    """What holds by the reading that decides, and not by the stricter one beside it."""
    weak = [finding for finding in findings if finding.fails_strictly]
    if weak:
        yield Line(word("strictly", lang), style="bold")
    for finding in weak:
        name = names([finding], lang)
        yield Line(f"  {name}: {say(finding.stricter, lang)}", style="dim")


def reasons(findings: Iterable[Finding], lang: Language) -> dict[str, list[Finding]]:
    """The findings that are not judged, by why; unanswered checklist items together."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.verdict is Verdict.NOT_JUDGED:
            reason = say(finding.reason, lang)
            if reason.startswith(say(UNANSWERED, lang)):
                reason = word("unanswered", lang)
            found.setdefault(reason, []).append(finding)
    return found


def _not_judged(findings: Iterable[Finding], lang: Language) -> Iterable[Line]:
    groups = reasons(findings, lang)
    if groups:
        yield Line(word("not_judged", lang), style="bold")
    for reason, members in groups.items():
        line = Line(f"  {names(members, lang)}: ")
        line.append(reason, style="dim")
        yield line


def print_close(
    console: Console,
    assessments: Iterable[Assessment],
    lang: Language,
    folder: Path | None,
    replaced: bool = False,
) -> None:
    """Prints what a reader wants to see last: what does not hold, and where the report is.

    Parameters
    ----------
    folder : where the report is; None where none was written.
    replaced : whether an earlier run stood there.
    """
    for assessment in assessments:
        unmet = assessment.with_verdict(Verdict.NOT_MET)
        line = Line(f"{assessment.center}: {summary(assessment.findings, lang)}", style="bold")
        console.print(line)
        if unmet:
            console.print(
                Line(f"  {word('not_met_head', lang)}: {names(unmet, lang)}", style="red")
            )
    if folder is not None:
        said = f"{word('report_at', lang)}: {folder / 'report.html'}"
        console.print(Line(said + (f" ({word('replaced', lang)})" if replaced else "")))
