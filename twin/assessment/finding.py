"""Findings, and the evidence that they rest on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from twin.assessment.checklist import Answer, items
from twin.assessment.checklist import Item as ChecklistItem
from twin.kpi import Kpis, Rows
from twin.standard import CLAUSES, Modality
from twin.terms import Kind


class Verdict(StrEnum):
    """How a finding ends."""

    MET = "met"
    NOT_MET = "not met"
    """An unmet *shall*."""
    REMARK = "remark"
    """An unmet *should*."""
    NOT_JUDGED = "not judged"
    """The log does not hold what would decide it."""
    FIGURE = "figure"
    """A figure that is shown and not judged (the definitions of clause 3)."""

    @property
    def zh(self) -> str:
        """In Chinese, as a report writes it."""
        return {
            "met": "符合",
            "not met": "不符合",
            "remark": "建议改进",
            "not judged": "未判定",
            "figure": "指标",
        }[self.value]


class Text(NamedTuple):
    """A text in both languages."""

    en: str
    zh: str


@dataclass(frozen=True)
class Finding:
    """What one requirement asks, what the period gave, and how it is judged.

    Attributes
    ----------
    clause : ``"4.6"``; item : stable name within the clause (``"verification"``).
    modality : how the requirement binds.
    asks, gave : in words.
    margin : how far on the right side (or by how much on the wrong one), in words.
    margin_value : the same as a number, in the unit that ``margin`` names (points of a rate are
        shares: 0.004 is 0.4 points); positive where met, negative where not, None without a limit.
    reason : why it is not judged, or the definition that is used.
    stricter : where the standard leaves it open, the stricter definition's figure and verdict.
    """

    clause: str
    item: str
    modality: Modality
    asks: Text
    gave: Text
    verdict: Verdict
    margin: Text | None = None
    margin_value: float | None = None
    reason: Text | None = None
    stricter: Text | None = None


@dataclass(frozen=True)
class Evidence:
    """What a center's log says, for the clauses to judge.

    Attributes
    ----------
    rows : the log's rows; kpis : the figures computed from them.
    checklist : the answers of the log's CHECKLIST rows, by key; the last one counts.
    """

    rows: Rows
    kpis: Kpis
    checklist: Mapping[str, float] = field(default_factory=dict)


def evidence_of(rows: Rows, kpis: Kpis) -> Evidence:
    """The evidence of a center's rows."""
    at = rows.at(Kind.CHECKLIST)
    answers = zip(rows.subjects(at), rows.log.value[at].tolist(), strict=True)
    return Evidence(rows, kpis, {key: value for key, value in answers if not math.isnan(value)})


def text(en: str, zh: str) -> Text:
    """A text in both languages."""
    return Text(en, zh)


def _split(key: str, item: str) -> tuple[str, str, Modality, Text]:
    clause = CLAUSES[key]
    asks = Text(clause.asks_en, clause.asks_zh)
    return clause.number, item or clause.part or "all", clause.modality, asks


def judged(
    key: str,
    ok: bool,
    gave: Text,
    *,
    item: str = "",
    margin: Text | None = None,
    margin_value: float | None = None,
    reason: Text | None = None,
    stricter: Text | None = None,
) -> Finding:
    """A finding with a verdict; unmet, it is NOT_MET for a shall and a REMARK for a should.

    Parameters
    ----------
    key : the requirement's key in :data:`twin.standard.CLAUSES`.
    item : the finding's name; the requirement's part by default.
    """
    clause, name, modality, asks = _split(key, item)
    unmet = Verdict.NOT_MET if modality is Modality.SHALL else Verdict.REMARK
    if modality in (Modality.MAY, Modality.DEFINITION):
        unmet = Verdict.FIGURE  # a permission is never unmet
    verdict = Verdict.MET if ok else unmet
    return Finding(
        clause, name, modality, asks, gave, verdict, margin, margin_value, reason, stricter
    )


def figure(key: str, gave: Text, *, item: str = "", reason: Text | None = None) -> Finding:
    """A figure that is shown and not judged."""
    clause, name, modality, asks = _split(key, item)
    return Finding(clause, name, modality, asks, gave, Verdict.FIGURE, reason=reason)


def not_judged(key: str, missing: Text, *, item: str = "", gave: Text | None = None) -> Finding:
    """A finding without a verdict; ``missing`` says which rows would decide it."""
    clause, name, modality, asks = _split(key, item)
    return Finding(
        clause, name, modality, asks, gave or Text("-", "-"), Verdict.NOT_JUDGED, reason=missing
    )


def no_rows(key: str, *kinds: str, item: str = "") -> Finding:
    """Not judged, for want of rows of these kinds."""
    named = ", ".join(kinds)
    return not_judged(key, Text(f"the log has no {named} row", f"日志中没有{named}记录"), item=item)


def ticked(evidence: Evidence, key: str, *, item: str = "") -> Finding:
    """Judges a requirement by its checklist items.

    A required item that is answered and not met decides; one that is not answered leaves the
    requirement not judged. Optional ones are only listed. Of items that stand for each other one
    is enough.
    """
    return ticked_items(evidence, key, items(key), item=item)


def ticked_items(
    evidence: Evidence, key: str, asked: Iterable[ChecklistItem], *, item: str = ""
) -> Finding:
    """The same for some items."""
    asked = [entry for entry in asked if entry.answer is not Answer.FACT]
    answers = evidence.checklist
    good: set[str] = set()
    for entry in asked:
        if entry.key in answers and entry.meets(answers[entry.key]):
            good.add(entry.either or entry.key)
    optional = [entry for entry in asked if entry.modality is Modality.MAY]
    needed = [
        entry
        for entry in asked
        if entry.modality is not Modality.MAY and (entry.either or entry.key) not in good
    ]
    unanswered = [entry for entry in needed if entry.key not in answers]
    open_groups = {entry.either for entry in unanswered if entry.either}
    unmet = [e for e in needed if e.key in answers and e.either not in open_groups]
    if unmet:
        return judged(key, False, _lacking(unmet, answers), item=item)
    if unanswered:
        keys = ", ".join(entry.key for entry in unanswered)
        return not_judged(key, Text(f"the checklist lacks {keys}", f"检查表缺少{keys}"), item=item)
    numbers = [e for e in asked if e.answer in (Answer.AT_LEAST, Answer.AT_MOST)]
    shown = "; ".join(f"{e.question_en} {answers[e.key]:g} {e.unit}".strip() for e in numbers)
    shown_zh = "；".join(f"{e.question_zh} {answers[e.key]:g} {e.unit}".strip() for e in numbers)
    without = [e for e in optional if e.key not in answers or not e.meets(answers[e.key])]
    if without:
        shown = (shown or "all required") + f"; optional, not there: {_names(without).en}"
        shown_zh = (shown_zh or "必配项齐全") + f"；选配未配：{_names(without).zh}"
    gap, words = None, None
    if len(numbers) == 1 and len(asked) == 1:
        entry = numbers[0]
        sign = 1 if entry.answer is Answer.AT_LEAST else -1
        gap = sign * (answers[entry.key] - entry.limit)
        words = Text(f"{gap:+g} {entry.unit}".strip(), f"{gap:+g} {entry.unit}".strip())
    return judged(
        key,
        True,
        Text(shown or "by the checklist: yes", shown_zh or "检查表：是"),
        item=item,
        margin=words,
        margin_value=gap,
    )


def _names(entries: Iterable[ChecklistItem]) -> Text:
    entries = list(entries)
    return Text(
        ", ".join(entry.question_en for entry in entries),
        "、".join(entry.question_zh for entry in entries),
    )


def _lacking(unmet: list[ChecklistItem], answers: Mapping[str, float]) -> Text:
    limits = {Answer.AT_LEAST: ("at least", "不小于"), Answer.AT_MOST: ("at most", "不大于")}
    en, zh = [], []
    for entry in unmet:
        if entry.answer in limits:
            word, word_zh = limits[entry.answer]
            value = f"{answers[entry.key]:g}"
            en.append(f"{entry.question_en} {value} {entry.unit} ({word} {entry.limit:g})")
            zh.append(f"{entry.question_zh}{value} {entry.unit}（{word_zh}{entry.limit:g}）")
        else:
            en.append(f"lacking: {entry.question_en}")
            zh.append(f"缺少：{entry.question_zh}")
    return Text("; ".join(en), "；".join(zh))


def percent(rate: float, digits: int = 2) -> str:
    """A rate as people write it; never rounded up to a limit that it does not reach."""
    if math.isnan(rate):
        return "-"
    scale = 10.0 ** (digits + 2)
    down = math.floor(rate * scale + 1e-6) / scale
    return f"{down:.{digits}%}".replace("%", " %")


def points(gap: float) -> Text:
    """A difference of two rates, in percentage points."""
    return Text(f"{gap * 100:+.2f} points", f"{gap * 100:+.2f}个百分点")
