"""Clauses 7 to 11: display, records, transmission, archive, assessment."""

from __future__ import annotations

from twin.assessment.finding import (
    LACKING,
    Evidence,
    Finding,
    Text,
    figure,
    judged,
    no_rows,
    not_judged,
    percent,
    ticked,
)
from twin.standard import RESPONSIBLE_PEOPLE
from twin.terms import Kind, Ticket


def clause_7_1(evidence: Evidence) -> list[Finding]:
    """Display (checklist), with maintenance timeliness as a figure."""
    care = evidence.kpis.maintenance
    findings = [ticked(evidence, "7.1", item="display")]
    if care.devices_concerned == 0:
        missing = Text("no ticket with a deadline is decided", "无可判定的维护工单")
        return [*findings, not_judged("7.1", missing, item="maintenance_timeliness")]
    gave = Text(
        f"{percent(care.timeliness)} of {care.devices_concerned} devices",
        f"{care.devices_concerned}台设备中{percent(care.timeliness)}",
    )
    reason = Text(
        "maintenance timeliness: devices (not tickets) whose every maintenance was in time",
        "维保及时率：按设备数（非工单数）计，各项维保均按要求完成",
    )
    return [*findings, figure("7.1", gave, item="maintenance_timeliness", reason=reason)]


def clause_7_2(evidence: Evidence) -> list[Finding]:
    """Manager app (checklist), with maintenance completion as a figure."""
    care = evidence.kpis.maintenance
    findings = [ticked(evidence, "7.2", item="manager_app")]
    if care.completion != care.completion:
        return [*findings, no_rows("7.2", "ticket", item="maintenance_completion")]
    reason = Text("tickets closed / closed or past their deadline", "已完成工单/已完成或逾期工单")
    gave = Text(percent(care.completion), percent(care.completion))
    return [*findings, figure("7.2", gave, item="maintenance_completion", reason=reason)]


def clause_7_3(evidence: Evidence) -> list[Finding]:
    """Owner app."""
    return [ticked(evidence, "7.3", item="owner_app")]


def clause_8_1(evidence: Evidence) -> list[Finding]:
    """Plan and records (checklist), with what the plan did as a figure."""
    planned = evidence.kpis.maintenance.tickets[Ticket.PERIODIC]
    findings = [ticked(evidence, "8.1", item="plan_and_records")]
    if planned.opened == 0:
        return [*findings, no_rows("8.1", "periodic", item="planned_maintenance")]
    gave = Text(
        f"{planned.closed} of {planned.opened} planned tests and cleanings done, {planned.late} "
        "late",
        f"计划维保{planned.opened}件，完成{planned.closed}件，逾期{planned.late}件",
    )
    return [*findings, figure("8.1", gave, item="planned_maintenance")]


def clause_8_2(evidence: Evidence) -> list[Finding]:
    """Records: by the checklist, or by the log itself, which is such a record."""
    if "8.2.records_kept" in evidence.checklist:
        return [ticked(evidence, "8.2", item="records")]
    lacking = [kind for kind in (Kind.VENUE, Kind.FIRE_ALARM) if not evidence.rows.has(kind)]
    if lacking:
        return [no_rows("8.2", *lacking, item="records")]
    venues = len(evidence.rows.at(Kind.VENUE))
    gave = Text(
        f"the log holds {venues} units and {evidence.kpis.alarms.alarms_all} fire alarms",
        f"日志中有{venues}个单位、{evidence.kpis.alarms.alarms_all}次火警",
    )
    return [judged("8.2", True, gave, item="records")]


def clause_8_3(evidence: Evidence) -> list[Finding]:
    """Every fire alarm a closed loop: responded, verified, annotated, closed; a fire reported."""
    loop = evidence.kpis.alarms.loop
    if loop.asked == 0:
        missing = LACKING["fire_alarm"]
        return [not_judged("8.3", missing, item="closed_loop")]
    lacking = loop.asked - loop.met
    gave = Text(
        f"{lacking} of {loop.asked} fire alarms without a whole record; {loop.pending} still open",
        f"{loop.asked}次火警中{lacking}次记录不完整；未结{loop.pending}次",
    )
    reason = Text(
        "whole: responded, every message verified, annotated, a fire reported, closed",
        "完整：响应、逐条复核、注释、火情报告、闭环",
    )
    return [
        judged(
            "8.3",
            lacking == 0,
            gave,
            item="closed_loop",
            margin_value=float(-lacking),
            reason=reason,
        )
    ]


def clause_8_4(evidence: Evidence) -> list[Finding]:
    """Hazards and coupled risks."""
    return [ticked(evidence, "8.4", item="risk_analysis")]


def clause_9_1(evidence: Evidence) -> list[Finding]:
    """Open interface by Annex B."""
    return [ticked(evidence, "9.1", item="interface")]


def clause_9_2(evidence: Evidence) -> list[Finding]:
    """App push."""
    return [ticked(evidence, "9.2", item="app_push")]


def clause_9_3(evidence: Evidence) -> list[Finding]:
    """At least five responsible people can be notified, in every unit."""
    rows = evidence.rows
    channels = _channels(evidence)
    at = rows.at(Kind.VENUE)
    if not len(at):
        return [channels, no_rows("9.3", "venue", item="responsible_people")]
    people = rows.log.value[at]
    few = int((~(people >= RESPONSIBLE_PEOPLE)).sum())  # an empty number is too few, too
    least = int(people[people == people].min()) if (people == people).any() else 0
    first = rows.subjects(at[~(people >= RESPONSIBLE_PEOPLE)][:1])
    gap = least - RESPONSIBLE_PEOPLE
    gave = Text(
        f"{few} of {len(at)} units with fewer than {RESPONSIBLE_PEOPLE} people"
        + (f" ({first[0]} and others)" if few > 1 else f" ({first[0]})" if few else ""),
        f"{len(at)}个单位中{few}个的责任人少于{RESPONSIBLE_PEOPLE}人"
        + (f"（{first[0]}等）" if few else ""),
    )
    return [
        channels,
        judged(
            "9.3",
            few == 0,
            gave,
            item="responsible_people",
            margin=Text(f"{gap:+d} people at the least", f"最少{gap:+d}人"),
            margin_value=float(gap),
        ),
    ]


def _channels(evidence: Evidence) -> Finding:
    """Voice, SMS or app: by the checklist, or by the receipts in the log."""
    rows = evidence.rows
    if "9.3.channels" in evidence.checklist or not rows.has(Kind.NOTIFIED):
        return ticked(evidence, "9.3", item="channels")
    words = rows.texts(rows.at(Kind.NOTIFIED))
    counts = [(word, words.count(word)) for word in sorted(set(words))]
    shown = ", ".join(f"{word} {count}" for word, count in counts)
    shown_zh = "，".join(f"{_CHANNELS_ZH.get(word, word)}{count}" for word, count in counts)
    return judged("9.3", True, Text(f"receipts: {shown}", f"回执：{shown_zh}"), item="channels")


_CHANNELS_ZH = {"voice": "语音", "sms": "短信", "app": "APP"}


def clause_10(evidence: Evidence) -> list[Finding]:
    """Archive, kept for 30 years."""
    return [ticked(evidence, "10", item="archive")]


def clause_11_1(evidence: Evidence) -> list[Finding]:
    """The township's assessment."""
    return [ticked(evidence, "11.1", item="assessment")]


def clause_11_2(evidence: Evidence) -> list[Finding]:
    """Telephone and complaints."""
    return [ticked(evidence, "11.2", item="complaints")]


def clause_11_3(evidence: Evidence) -> list[Finding]:
    """Mutual evaluation, where the government has set it up."""
    if evidence.checklist.get("11.3.mutual_evaluation") == 0:
        gave = Text("no mutual evaluation is set up: does not apply", "未建立互评机制，不适用")
        return [judged("11.3", True, gave, item="mutual_evaluation")]
    return [ticked(evidence, "11.3", item="mutual_evaluation")]
