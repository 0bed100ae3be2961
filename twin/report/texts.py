"""The report's own words in English and Chinese; the findings bring theirs along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from twin.assessment.finding import Finding, Text, Verdict
from twin.standard import Modality

Language = Literal["en", "zh"]


def say(text: Text | None, lang: Language) -> str:
    """A text in the language; "" where there is none."""
    if text is None:
        return ""
    return _kinds_in_chinese(text.zh).replace(" %", "%") if lang == "zh" else text.en


def tidy(text: str, lang: Language) -> str:
    """A text with its numbers as the language writes them: in Chinese no space before %."""
    return text.replace(" %", "%") if lang == "zh" else text


def _kinds_in_chinese(text: str) -> str:
    """The log calls device kinds by their English names; a Chinese reader gets the Chinese ones."""
    from devices.kinds import KINDS

    if "_" in text:
        for name in sorted(KINDS, key=len, reverse=True):
            text = text.replace(name, KINDS[name].name_zh)
    return text


def verdict_word(verdict: Verdict, lang: Language) -> str:
    """A verdict as the table writes it."""
    return verdict.zh if lang == "zh" else verdict.value


def modality_word(modality: Modality, lang: Language) -> str:
    """How a clause binds, in the standard's word."""
    if lang == "zh":
        return modality.zh
    return "term" if modality is Modality.DEFINITION else modality.value


def names(findings: Iterable[Finding], lang: Language) -> str:
    """A list of findings by clause and item (``6.1 verification``); in Chinese by clause alone."""
    if lang == "zh":
        return "、".join(dict.fromkeys(finding.clause for finding in findings))
    return ", ".join(f"{finding.clause} {finding.item.replace('_', ' ')}" for finding in findings)


WORDS: dict[str, Text] = {
    "clause": Text("clause", "条款"),
    "binds": Text("binds", "程度"),
    "asks": Text("the standard asks", "标准要求"),
    "gave": Text("the period gave", "模拟结果"),
    "verdict": Text("verdict", "判定"),
    "margin": Text("margin", "裕量"),
    "definition": Text("definition or reason", "所用定义或理由"),
    "stricter": Text("stricter reading", "更严格的理解"),
    "not_judged": Text("Not judged", "未判定"),
    "because": Text("because", "原因"),
    "summary": Text(
        "{met} met, {not_met} not met, {remark} remarks, {not_judged} not judged",
        "符合{met}项，不符合{not_met}项，建议改进{remark}项，未判定{not_judged}项",
    ),
    "title": Text(
        "Smart fire service center against DB3211/T 1066-2023",
        "智慧消防服务中心对照DB3211/T 1066-2023的评估",
    ),
    "simulated": Text("What was simulated", "模拟对象"),
    "not_met_head": Text("What does not hold", "不符合项"),
    "remarks_head": Text("Remarks (unmet recommendations)", "建议改进项"),
    "all_met": Text("Every judged requirement (shall) holds.", "所有已判定的要求（应）均符合。"),
    "map": Text("The area and the reach of the center", "辖区与服务中心可达范围"),
    "assessment": Text("Assessment, clause by clause", "逐条评估"),
    "figures": Text("Figures of the period", "运行指标"),
    "assumptions": Text("Assumptions", "假设"),
    "assumptions_lead": Text(
        "Numbers without a published source. Each can be changed in the scenario, and the range "
        "is where to look for how much it matters.",
        "没有公开来源的数值。均可在场景文件中修改；变化范围用于检验其影响。",
    ),
    "notes": Text("How open definitions are read", "标准未明确处的理解"),
    "setting": Text("setting", "参数"),
    "value": Text("value", "取值"),
    "what": Text("what it is", "含义"),
    "source": Text("source", "来源"),
    "range": Text("range", "变化范围"),
    "period": Text("period", "时段"),
    "points": Text("networked points", "联网终端（点）"),
    "venues": Text("venues", "联网单位"),
    "people": Text("people of the center", "服务中心人员"),
    "alarms": Text("fire alarms", "火警"),
    "fires": Text("incipient fires", "初期火灾"),
    "seed": Text("seed", "随机种子"),
    "scenario": Text("scenario", "场景"),
    "center": Text("center", "服务中心"),
    "roads": Text("roads", "道路"),
    "simulation": Text("simulated in", "模拟用时"),
    "font_missing": Text(
        "The figures are labelled in English: no Chinese font is installed on the machine that "
        "drew them (fonts-noto-cjk or fonts-wqy-zenhei would do).",
        "图中文字为英文：绘图的计算机未安装中文字体（可安装fonts-noto-cjk或fonts-wqy-zenhei）。",
    ),
    "simulated_note": Text(
        "A simulation, not a record: it rests on the assumptions listed below. Checklist items are "
        "what the scenario states.",
        "本报告为模拟结果，不是实际运行记录；其依据为下列假设。检查表各项以场景文件所述为准。",
    ),
    "log_note": Text(
        "Judged from an event log alone; what the log does not hold is not judged.",
        "仅依据事件日志判定；日志中没有的内容不予判定。",
    ),
    "report_at": Text("report", "报告"),
    "items": Text("items", "项"),
    "beside": Text("{} ({})", "{}（{}）"),
    "and_then": Text("; ", "；"),
    "met_head": Text("What holds", "符合项"),
    "figures_head": Text("Figures that are not judged", "指标（不作判定）"),
    "strictly": Text("What holds, but not by the stricter reading", "按更严格的理解不符合"),
    "notice": Text("Notice", "提示"),
    "replaced": Text("the earlier run there was replaced", "已替换该处原有结果"),
    "unanswered": Text(
        "the checklist does not answer it: give the answers in the center's `checklist` table "
        "(`twin schema` lists the items; in a log: `checklist` rows)",
        "检查表未填写：请在该中心的checklist表中填写（条目见twin schema；日志中为checklist记录）",
    ),
}


def word(key: str, lang: Language) -> str:
    """One of the report's own words."""
    return say(WORDS[key], lang)
