"""One HTML page that holds everything and opens without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from twin.assessment import Assessment, Finding, Verdict
from twin.report.assumptions import Assumption
from twin.report.output import Picture, template
from twin.report.table import outcome, reasons, summary
from twin.report.texts import WORDS, Language, modality_word, say, verdict_word, word

VERDICT_CLASS = {
    Verdict.MET: "met",
    Verdict.NOT_MET: "unmet",
    Verdict.REMARK: "remark",
    Verdict.NOT_JUDGED: "open",
    Verdict.FIGURE: "figure",
}


@dataclass(frozen=True)
class Section:
    """One center of the page: its assessment, pictures, key facts and notices."""

    assessment: Assessment
    facts: Sequence[tuple[str, str]]
    map: Picture | None = None
    pictures: Sequence[Picture] = field(default_factory=tuple)
    notices: Sequence[str] = field(default_factory=tuple)


def page(
    name: str,
    lead: str,
    sections: Sequence[Section],
    assumed: Sequence[Assumption],
    notes: Sequence[str],
    lang: Language,
) -> str:
    """The page.

    Parameters
    ----------
    name : of the scenario or the log; lead : what it is for.
    sections : one per center; assumed : the assumptions; notes : remarks on the page itself.
    """
    shaped = template(
        "report.html.j2",
        lang=lang,
        colon="：" if lang == "zh" else ": ",
        outcome=lambda finding: outcome(finding, lang),
        t={key: word(key, lang) for key in WORDS},
        say=lambda text: say(text, lang),
        summary=lambda findings: summary(findings, lang),
        reasons=lambda findings: reasons(findings, lang),
        modality=lambda finding: modality_word(finding.modality, lang),
        verdict=lambda finding: verdict_word(finding.verdict, lang),
        css=lambda finding: VERDICT_CLASS[finding.verdict],
        unmet=lambda section: section.assessment.with_verdict(Verdict.NOT_MET),
        remarks=lambda section: section.assessment.with_verdict(Verdict.REMARK),
        judged=lambda section: [
            f for f in section.assessment.findings if f.verdict is not Verdict.NOT_JUDGED
        ],
        readings=readings,
    )
    return shaped.render(name=name, lead=lead, sections=sections, assumed=assumed, notes=notes)


def readings(sections: Sequence[Section]) -> list[Finding]:
    """The judged findings that state the definition they use, or a stricter one; once each."""
    found: dict[tuple[str, str], Finding] = {}
    for section in sections:
        for finding in section.assessment.findings:
            if finding.verdict is not Verdict.NOT_JUDGED and finding.reason is not None:
                found.setdefault((finding.clause, finding.item), finding)
    return list(found.values())
