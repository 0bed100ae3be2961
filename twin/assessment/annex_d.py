"""Table D.1: the points of the assessment that 11.1 asks for."""

from __future__ import annotations

import numpy as np

from twin.assessment.chapter_4 import handling, online
from twin.assessment.finding import (
    Evidence,
    Finding,
    Text,
    judged,
    no_rows,
    percent,
    points,
    ticked,
)
from twin.assessment.inspector import Inspector
from twin.standard import COMPLAINTS_MAX, RENEWAL_RATE
from twin.terms import Kind


def item_1(evidence: Evidence) -> list[Finding]:
    """Rules and procedures."""
    return [ticked(evidence, "D.1.1", item="rules")]


def item_2(evidence: Evidence, inspector: Inspector) -> list[Finding]:
    """Online rate by monthly samples, beside the exact one that decides."""
    if not len(evidence.kpis.registry):
        return [no_rows("D.1.2", "device", item="online_rate")]
    beside = _beside(inspector.online_rate, inspector.devices, "devices", "台设备")
    return [online("D.1.2", evidence, beside)]


def item_3(evidence: Evidence, inspector: Inspector) -> list[Finding]:
    """Handling rate by monthly samples, beside the exact one that decides."""
    if evidence.kpis.alarms.alarms == 0:
        return [no_rows("D.1.3", "fire_alarm", item="handling_rate")]
    beside = _beside(inspector.handling_rate, inspector.alarms, "alarms", "次火警")
    return [handling("D.1.3", evidence, beside)]


def _beside(rate: float, count: int, what: str, what_zh: str) -> Text:
    return Text(
        f"the exact figure decides; an inspector's monthly samples ({count} {what}) gave "
        f"{percent(rate)}",
        f"以精确值判定；每月随机抽查（共{count}{what_zh}）为{percent(rate)}",
    )


def item_4(evidence: Evidence) -> list[Finding]:
    """Upheld complaints and contract renewals."""
    rows = evidence.rows
    at = rows.at(Kind.COMPLAINT)
    registered = evidence.checklist.get("11.2.complaints_registered", 0) > 0
    if not len(at) and not registered:
        complaints = no_rows("D.1.4.complaints", "complaint")
    else:
        upheld = int((rows.log.value[at] > 0).sum())
        days = evidence.kpis.period.seconds / 86400.0
        gap = COMPLAINTS_MAX - upheld
        complaints = judged(
            "D.1.4.complaints",
            gap >= 0,
            Text(
                f"{upheld} upheld of {len(at)} complaints in {days:.0f} days",
                f"{days:.0f}天内投诉{len(at)}件，查实{upheld}件",
            ),
            margin=Text(f"{gap:+d} complaints", f"{gap:+d}件"),
            margin_value=float(gap),
        )
    renewals = rows.log.value[rows.at(Kind.RENEWAL)]
    renewals = renewals[np.isfinite(renewals)]
    if not len(renewals):
        return [complaints, no_rows("D.1.4.renewal", "renewal")]
    kept = int((renewals > 0).sum())
    rate = kept / len(renewals)
    renewal = judged(
        "D.1.4.renewal",
        kept >= len(renewals) * RENEWAL_RATE - 1e-9,
        Text(
            f"{percent(rate, limit=RENEWAL_RATE)} of {len(renewals)} contracts",
            f"{len(renewals)}份合约中{percent(rate, limit=RENEWAL_RATE)}续签",
        ),
        margin=points(rate - RENEWAL_RATE),
        margin_value=rate - RENEWAL_RATE,
    )
    return [complaints, renewal]


def item_5(evidence: Evidence) -> list[Finding]:
    """Deductions: an alarm that nobody verified or handled; a fire missed by a dead device."""
    alarms, fires = evidence.kpis.alarms, evidence.kpis.fires
    if alarms.alarms_all == 0:
        attendance = no_rows("D.1.5.attendance", "fire_alarm")
    else:
        count = alarms.unattended
        attendance = judged(
            "D.1.5.attendance",
            count == 0,
            Text(
                f"{count} of {alarms.alarms_all} fire alarms that nobody verified or handled",
                f"{alarms.alarms_all}次火警中{count}次无人复核或无人处置",
            ),
            margin_value=float(-count),
            reason=Text(
                "never verified, nobody ever on scene where people had to go, or not closed within "
                "24 h",
                "始终未复核，应派遣而始终无人到场，或24h内未闭环",
            ),
        )
    if not fires.stated:
        return [attendance, no_rows("D.1.5.device", "fire")]
    missed = fires.missed.get("offline", 0) + fires.missed.get("dead", 0)
    lost = sum(fires.missed.values()) - missed
    device = judged(
        "D.1.5.device",
        missed == 0,
        Text(
            f"{missed} of {fires.fires} incipient fires missed by devices offline or dead"
            + (f"; {lost} lost otherwise" if lost else ""),
            f"{fires.fires}次初期火情中{missed}次因设备离线、失效未监测到"
            + (f"；另有{lost}次因其他原因" if lost else ""),
        ),
        margin_value=float(-missed),
    )
    return [attendance, device]
