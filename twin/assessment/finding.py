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


UNANSWERED = Text("the checklist does not answer", "检查表未填写")
"""How the reason of a finding begins that is not judged for want of an answer."""

LACKING: Mapping[str, Text] = {
    "device": Text(
        "no device is registered: give each its `device` row",
        "未登记设备：请为每台设备写入device记录",
    ),
    "conforms": Text(
        "no device says whether its model conforms: add `conforms` to the `device` rows",
        "未注明设备是否符合国家标准：请在device记录中写明conforms",
    ),
    "venue": Text(
        "no unit is registered: give each its `venue` row", "未登记联网单位：请写入venue记录"
    ),
    "person": Text(
        "nobody of the center is registered: give each person a `person` row",
        "未登记服务中心人员：请写入person记录",
    ),
    "duty": Text(
        "nobody's time on duty is recorded: add `on_duty` and `off_duty` rows",
        "没有值班记录：请写入on_duty、off_duty记录",
    ),
    "fire_alarm": Text(
        "no fire alarm came in the period: take a longer one, or check that the log holds the "
        "`fire_alarm` rows",
        "期内没有火警：请延长时段，或核对日志是否含fire_alarm记录",
    ),
    "complaint": Text(
        "no complaint is recorded: add `complaint` rows, or answer 11.2.complaints_registered in "
        "the checklist",
        "没有投诉记录：请写入complaint记录，或在检查表中填写11.2.complaints_registered",
    ),
    "renewal": Text(
        "no contract ended in the period: take a longer one, or add `renewal` rows",
        "期内没有合约到期：请延长时段，或写入renewal记录",
    ),
    "fire": Text(
        "incipient fires are not recorded: a simulation knows them; a center that does may add "
        "`fire` and `fire_missed` rows",
        "没有初期火情记录：模拟自带；实际中心可写入fire、fire_missed记录",
    ),
    "edge": Text(
        "the way to the area's edge is not measured: simulate the site on its roads, or add "
        "`edge_time` and `edge_distance` rows",
        "未测算到辖区边缘的行程：请用实际路网模拟该站点，或写入edge_time、edge_distance记录",
    ),
    "worst_hour": Text(
        "the way to the area's edge is known in free flow alone: add `edge_time` rows of the worst "
        "hour",
        "仅有自由流下到辖区边缘的时间：请补充最不利时段的edge_time记录",
    ),
    "dangerous_chemicals": Text(
        "the map shows no place with dangerous chemicals: if there is one, enter it in "
        "roads.hazards_file (in a log: `hazard_distance` and `hazard_bearing` rows)",
        "地图上没有危险化学品场所：如有，请写入roads.hazards_file（日志中为hazard_distance、"
        "hazard_bearing记录）",
    ),
    "filling_station": Text(
        "the map shows no filling station: if there is one, enter it in roads.hazards_file (in a "
        "log: a `hazard_distance` row)",
        "地图上没有加油加气站：如有，请写入roads.hazards_file（日志中为hazard_distance记录）",
    ),
    "wind": Text(
        "there is no wind rose: give the center's `wind` table (in a log: `wind` rows)",
        "没有风玫瑰：请填写该中心的wind表（日志中为wind记录）",
    ),
    "spare": Text(
        "spares are not recorded: add `spare_used` and `spare_missing` rows",
        "没有备件记录：请写入spare_used、spare_missing记录",
    ),
    "ticket": Text(
        "no ticket is recorded: add `ticket_opened` and `ticket_closed` rows",
        "没有维护工单记录：请写入ticket_opened、ticket_closed记录",
    ),
    "periodic": Text(
        "no planned maintenance is recorded: add tickets with the text `periodic`",
        "没有计划维保记录：请写入periodic工单",
    ),
    "survey": Text(
        f"{UNANSWERED.en} any 4.2 item of the site survey",
        f"{UNANSWERED.zh}4.2现场勘察各项",
    ),
}
"""What a log may lack, and what its owner can do about it."""


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

    @property
    def fails_strictly(self) -> bool:
        """Met, or shown as a figure, but not by (one of) the stricter readings beside it."""
        passed = self.verdict in (Verdict.MET, Verdict.FIGURE)
        return passed and self.stricter is not None and f": {holds(False).en}" in self.stricter.en


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
    """Not judged, for want of what these keys of :data:`LACKING` name; it says what to do."""
    why = [LACKING[kind] for kind in kinds]
    reason = Text("; ".join(text.en for text in why), "；".join(text.zh for text in why))
    return not_judged(key, reason, item=item)


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
        reason = Text(f"{UNANSWERED.en} {keys}", f"{UNANSWERED.zh}{keys}")
        return not_judged(key, reason, item=item)
    numbers = [e for e in asked if e.answer in (Answer.AT_LEAST, Answer.AT_MOST)]
    amounts = [(e, _amount(answers[e.key], e)) for e in numbers]
    shown = "; ".join(f"{e.question_en} {amount.en}" for e, amount in amounts)
    shown_zh = "；".join(f"{e.question_zh}{amount.zh}" for e, amount in amounts)
    without = [e for e in optional if e.key not in answers or not e.meets(answers[e.key])]
    if without:
        shown = (shown or "all required") + f"; optional, not there: {_names(without).en}"
        shown_zh = (shown_zh or "必配项齐全") + f"；选配未配：{_names(without).zh}"
    gap, words = None, None
    if len(numbers) == 1 and len(asked) == 1:
        entry = numbers[0]
        sign = 1 if entry.answer is Answer.AT_LEAST else -1
        gap = sign * (answers[entry.key] - entry.limit)
        words = _amount(gap, entry, "+g")
    return judged(
        key,
        True,
        Text(shown or "by the checklist: yes", shown_zh or "检查表：是"),
        item=item,
        margin=words,
        margin_value=gap,
    )


_UNITS_ZH = {"years": "年"}


def _amount(value: float, entry: ChecklistItem, form: str = "g") -> Text:
    """A number of the checklist with its unit."""
    unit = entry.unit.replace("m2", "m²")
    number_ = f"{value:{form}}"
    return Text(f"{number_} {unit}".strip(), f"{number_}{_UNITS_ZH.get(unit, unit)}")


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
            value = _amount(answers[entry.key], entry)
            en.append(f"{entry.question_en} {value.en} ({word} {entry.limit:g})")
            zh.append(f"{entry.question_zh}{value.zh}（{word_zh}{entry.limit:g}）")
        else:
            en.append(f"lacking: {entry.question_en}")
            zh.append(f"缺少：{entry.question_zh}")
    return Text("; ".join(en), "；".join(zh))


def number(value: float, digits: int, *limits: float) -> str:
    """A number as people write it: rounded, with more digits where it would land on a limit.

    So a figure never reads as if it were on the other side of what it is judged by: 14.96 against
    15 is ``14.96`` and not ``15.0``.

    Parameters
    ----------
    digits : after the point.
    limits : what the number is judged by, in its own unit.
    """
    while any(
        not math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-9)
        and float(f"{value:.{digits}f}") == limit
        for limit in limits
    ):
        digits += 1
    return f"{value:.{digits}f}"


def signed(value: float, digits: int) -> str:
    """A margin with its sign; one that is not 0 never reads as 0."""
    text = number(abs(value), digits, 0.0)
    return f"{'-' if value < 0 and float(text) else '+'}{text}"


def percent(rate: float, digits: int = 2, limit: float = 1.0) -> str:
    """A rate as people write it, by the rule of :func:`number`; 100 % is always a limit."""
    if math.isnan(rate):
        return "-"
    return f"{number(100.0 * rate, digits, 100.0 * limit, 100.0)} %"


def points(gap: float) -> Text:
    """A difference of two rates, in percentage points."""
    text = signed(100.0 * gap, 2)
    return Text(f"{text} points", f"{text}个百分点")


def holds(ok: bool) -> Text:
    """How a stricter reading ends."""
    return Text("met", "符合") if ok else Text("not met", "不符合")
