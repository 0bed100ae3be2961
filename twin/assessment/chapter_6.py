"""Clause 6: the emergency procedure and the maintenance deadlines."""

from __future__ import annotations

from collections.abc import Mapping

from twin.assessment.finding import (
    LACKING,
    Evidence,
    Finding,
    Text,
    holds,
    judged,
    no_rows,
    not_judged,
    number,
    percent,
    signed,
    ticked,
)
from twin.kpi.alarms import AT_ONCE_S, Demand, Quantiles
from twin.kpi.maintenance import TicketKpis
from twin.standard import BATTERY_S, OFFLINE_S, RESPONSE_S, VERIFICATION_S
from twin.terms import Annotation, Ticket

_AT_ONCE = Text(
    f'"at once" is read as within {AT_ONCE_S:.0f} s (assumption)',
    f"“立即”按{AT_ONCE_S:.0f}s内判定（假设）",
)


ANNOTATIONS: Mapping[str, Text] = {
    Annotation.INCIPIENT_FIRE: Text("incipient fire or hazard", "初期火灾和险情"),
    Annotation.CONFIRMED_FIRE: Text("confirmed fire", "确认火灾"),
    Annotation.TEST: Text("test", "测试火警"),
    Annotation.FALSE_NUISANCE: Text("false: nuisance", "误报：非火灾因素"),
    Annotation.FALSE_FAULT: Text("false: fault or unexplained", "误报：设备故障或不明原因"),
}
"""The classes of 6.4 by their words in the log."""

_SINCE = Text("from the platform's alarm", "自平台报警起算")
_FINDING = Text(
    "from the platform's alarm; a finding that somebody records within the 48 h counts, also when "
    "the device has come back by itself",
    "自平台报警起算；48h内由人员记录的情况均计入，设备自行恢复后补记亦可",
)


def _times(times: Quantiles, limit: float = AT_ONCE_S) -> Text:
    if not times.count:
        return Text("none ever", "均未发生")
    return Text(
        f"median {number(times.median, 1, limit)} s, 99 % {number(times.p99, 1, limit)} s, "
        f"most {number(times.most, 1, limit)} s",
        f"中位{number(times.median, 1, limit)}s，99%分位{number(times.p99, 1, limit)}s，"
        f"最长{number(times.most, 1, limit)}s",
    )


def clause_6_1(evidence: Evidence) -> list[Finding]:
    """5 s and 1 min for each fire alarm message."""
    alarms = evidence.kpis.alarms
    count = alarms.messages + alarms.messages_pending
    if count == 0:
        return [
            no_rows("6.1.response", "fire_alarm"),
            no_rows("6.1.verification", "fire_alarm"),
        ]
    findings = []
    for key, late, of, times, limit in (
        ("6.1.response", alarms.responded_late, count, alarms.response, RESPONSE_S),
        (
            "6.1.verification",
            alarms.verified_late,
            alarms.messages,
            alarms.verification,
            VERIFICATION_S,
        ),
    ):
        if of == 0:
            findings.append(
                not_judged(key, Text("every message is still within its minute", "均未到时限"))
            )
            continue
        shown = _times(times, limit)
        findings.append(
            judged(
                key,
                late == 0,
                Text(
                    f"{late} of {of} messages late or never ({percent(1 - late / of)} in time); "
                    + shown.en,
                    f"{of}条信息中{late}条超时（按时{percent(1 - late / of)}）；" + shown.zh,
                ),
                margin=(
                    Text(f"{signed(limit - times.most, 1)} s", f"{signed(limit - times.most, 1)}s")
                    if times.count and not late
                    else Text(f"{-late:+d} messages", f"{-late:+d}条")
                ),
                margin_value=limit - times.most if times.count and not late else float(-late),
                reason=Text(
                    "each message counts: from its receipt by the platform",
                    "逐条计，自平台收到起算",
                ),
            )
        )
    return findings


def _duty(
    key: str, duty: Demand, what: Text, none: Text, *, item: str = "", reason: Text | None = None
) -> Finding:
    if duty.asked == 0:
        return not_judged(key, none, item=item)
    lacking = duty.asked - duty.met
    return judged(
        key,
        lacking == 0,
        Text(f"{lacking} of {duty.asked} {what.en}", f"{duty.asked}次中{lacking}次{what.zh}"),
        item=item,
        margin_value=float(-lacking),
        reason=reason,
    )


def clause_6_2(evidence: Evidence) -> list[Finding]:
    """Plan, sending people, leading people out, 119."""
    alarms = evidence.kpis.alarms
    none = Text("no fire was confirmed in the period", "期内没有确认的火警")
    calls = _times(alarms.emergency_call)
    called = _duty(
        "6.2.emergency_call",
        alarms.called_119,
        Text(f"confirmed fires without 119 at once; {calls.en}", f"未立即拨打119；{calls.zh}"),
        none,
        reason=_AT_ONCE,
    )
    return [
        _duty(
            "6.2.plan",
            alarms.plan,
            Text("confirmed by telephone without the plan", "电话确认后未启动预案"),
            none,
        ),
        _duty(
            "6.2.dispatch",
            alarms.sent,
            Text("with nobody reached and nobody sent at once", "未联系到人员且未立即派遣"),
            Text("somebody was reached every time", "每次均联系到相关人员"),
            reason=_AT_ONCE,
        ),
        called,
        _duty(
            "6.2.emergency_call",
            alarms.evacuation,
            Text("confirmed on scene without leading people out", "现场确认后未组织疏散"),
            Text("no fire was confirmed on scene", "没有现场确认的火情"),
            item="evacuation",
        ),
    ]


def clause_6_3(evidence: Evidence) -> list[Finding]:
    """Cause and report of every fire."""
    return [
        _duty(
            "6.3",
            evidence.kpis.alarms.report,
            Text("fires without a report (Annex C)", "火情未填写《火情处置报告》"),
            Text("there was no fire in the period", "期内没有火情"),
            item="report",
        )
    ]


def clause_6_4(evidence: Evidence) -> list[Finding]:
    """Annotation of every fire alarm."""
    alarms = evidence.kpis.alarms
    counts = ", ".join(
        f"{ANNOTATIONS[name].en} {count}" for name, count in alarms.annotations.items()
    )
    counts_zh = "，".join(
        f"{ANNOTATIONS[name].zh}{count}" for name, count in alarms.annotations.items()
    )
    return [
        _duty(
            "6.4",
            alarms.annotated,
            Text(f"fire alarms without an annotation ({counts})", f"火警未注释（{counts_zh}）"),
            LACKING["fire_alarm"],
            item="annotation",
        )
    ]


def clause_6_5(evidence: Evidence) -> list[Finding]:
    """Regular checks, batteries within 24 h, offline devices within 48 h with a finding."""
    care = evidence.kpis.maintenance
    findings = [ticked(evidence, "6.5.checks")]
    for key, kind, limit, states, neglected in (
        ("6.5.battery", Ticket.BATTERY, BATTERY_S, care.low_batteries, care.battery_neglected),
        ("6.5.offline", Ticket.OFFLINE, OFFLINE_S, care.offline_flags, care.offline_neglected),
    ):
        findings.append(_tickets(key, care.tickets[kind], limit, states, neglected))
    return findings


def _tickets(key: str, tickets: TicketKpis, limit: float, states: int, neglected: int) -> Finding:
    decided = tickets.opened - tickets.pending
    if decided == 0 and neglected == 0:
        named = Text(
            f"no such ticket is decided ({tickets.pending} open, {states} alarms)",
            f"无可判定的维护工单（未结{tickets.pending}，报警{states}）",
        )
        return not_judged(key, named)
    bad = tickets.unmet + neglected
    hours = limit / 3600.0
    most = tickets.duration.most / 3600.0
    longest = Text(f"most {number(most, 1, hours)} h", f"最长{number(most, 1, hours)}h")
    if not tickets.duration.count:
        longest = Text("none ever done", "均未完成")
    finding, finding_zh, stricter = "", "", None
    if key == "6.5.offline":
        finding = f", {tickets.without_finding} without a recorded finding by then"
        finding_zh = f"，{tickets.without_finding}件届时无情况记录"
        unseen = tickets.closed_unseen
        word = holds(unseen + bad == 0)
        stricter = Text(
            f"found out while the device was offline: {unseen} of {decided} were over before "
            f"anybody had looked: {word.en}",
            f"离线期间即查明情况：{decided}件中{unseen}件在查明前已自行恢复：{word.zh}",
        )
    ok = bad == 0
    return judged(
        key,
        ok,
        Text(
            f"{tickets.late} of {decided} not done within {hours:.0f} h{finding}, {neglected} "
            f"without a ticket; {longest.en}",
            f"{decided}件中{tickets.late}件超过{hours:.0f}h{finding_zh}，{neglected}件未派单；"
            f"{longest.zh}",
        ),
        margin=(
            Text(f"{signed(hours - most, 1)} h", f"{signed(hours - most, 1)}h")
            if ok
            else Text(f"{-bad:+d} devices", f"{-bad:+d}件")
        ),
        margin_value=hours - most if ok else float(-bad),
        reason=_SINCE if stricter is None else _FINDING,
        stricter=stricter,
    )
