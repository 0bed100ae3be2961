"""Clause 4: general requirements."""

from __future__ import annotations

from twin.assessment.checklist import items
from twin.assessment.finding import (
    Evidence,
    Finding,
    Text,
    Verdict,
    figure,
    holds,
    judged,
    no_rows,
    not_judged,
    number,
    percent,
    points,
    signed,
    ticked,
    ticked_items,
)
from twin.kpi import AlarmKpis
from twin.standard import HANDLING_RATE, NOTIFY_S, ONLINE_RATE, SHIFT_MIN, STAFF_MIN, Modality
from twin.terms import Kind, View

WEEKLY_HOURS = 44.0  # Labour Law, art. 36: mean hours a week
_WEEKS_FOR_A_MEAN = 4  # a mean week needs a few of them: shorter logs are not judged
_LOCAL_ALARM = "local_alarm"  # venue kinds of 4.8 carry this word


def clause_4_2(evidence: Evidence) -> list[Finding]:
    """A site survey; table A.1 is informative, so what it lacks is a remark."""
    asked = items("4.2")
    known = [item for item in asked if item.key in evidence.checklist]
    if not known:
        return [no_rows("4.2", "survey", item="survey")]
    done = [item for item in asked if evidence.checklist.get(item.key, 0.0) > 0]
    lacking = [item for item in asked if item not in done]
    gave = Text(
        f"{len(done)} of {len(asked)} points of table A.1 surveyed",
        f"勘察了表A.1中{len(asked)}项中的{len(done)}项",
    )
    reason = None
    if lacking:
        reason = Text(
            "not surveyed (A.1 is informative): " + ", ".join(i.question_en for i in lacking),
            "未勘察（附录A为资料性）：" + "、".join(i.question_zh for i in lacking),
        )
    return [judged("4.2", bool(done), gave, item="survey", reason=reason)]


def clause_4_3(evidence: Evidence) -> list[Finding]:
    """The upward link."""
    return [ticked(evidence, "4.3", item="central_platform")]


def clause_4_4(evidence: Evidence) -> list[Finding]:
    """Four people, two on each shift at their post, 24 hours every day."""
    staff = evidence.kpis.staffing
    findings = []
    if not staff.people:
        findings.append(no_rows("4.4.staff", "person"))
    else:
        count = len(staff.people)
        gap = count - STAFF_MIN
        findings.append(
            judged(
                "4.4.staff",
                gap >= 0,
                Text(f"{count} people", f"{count}人"),
                margin=Text(f"{gap:+d} people", f"{gap:+d}人"),
                margin_value=float(gap),
            )
        )
    if not staff.stated:
        return [*findings, no_rows("4.4.shift", "duty")]
    below, empty = staff.minutes_below, staff.minutes_desk_empty
    desk = staff.minutes_desk_below
    out = sum(desk.values())
    apart = ", ".join(f"{reason} {minutes:.0f}" for reason, minutes in desk.items())
    findings.append(
        judged(
            "4.4.shift",
            below == 0 and empty == 0,
            Text(
                f"{number(below, 1, 0)} min with fewer than two on duty, {number(empty, 1, 0)} min "
                "with nobody at the desk",
                f"在岗不足两人{number(below, 1, 0)}分钟，值班席无人{number(empty, 1, 0)}分钟",
            ),
            margin=Text(
                f"{staff.least_on_duty - SHIFT_MIN:+d} people at the least",
                f"最少时{staff.least_on_duty - SHIFT_MIN:+d}人",
            ),
            margin_value=float(staff.least_on_duty - SHIFT_MIN),
            reason=Text(
                "judged by people on duty, and a desk is never empty",
                "按在岗人数判定，且值班席不得无人",
            ),
            stricter=Text(
                f"two at the desk all the time: {number(out, 1, 0)} min short ({apart}): "
                f"{holds(out + below == 0).en}",
                f"值班席始终两人：不足{number(out, 1, 0)}分钟：{holds(out + below == 0).zh}",
            ),
        )
    )
    if evidence.kpis.period.seconds >= _WEEKS_FOR_A_MEAN * 7 * 86400:
        findings.append(_working_hours(evidence))
    return findings


def _working_hours(evidence: Evidence) -> Finding:
    """Not the standard's, but a shift pattern's own limit: a remark over 44 h a week."""
    hours = evidence.kpis.staffing.weekly_hours
    over = {name: value for name, value in hours.items() if value > WEEKLY_HOURS + 1e-9}
    most = max(hours.values(), default=0.0)
    return Finding(
        "4.4",
        "working_hours",
        Modality.SHOULD,
        Text(
            "at most 44 h a week on average (Labour Law, art. 36)",
            "平均每周不超过44h（劳动法第36条）",
        ),
        Text(
            f"most {number(most, 1, WEEKLY_HOURS)} h; {len(over)} people over 44 h",
            f"最多{number(most, 1, WEEKLY_HOURS)}h，{len(over)}人超过44h",
        ),
        Verdict.REMARK if over else Verdict.MET,
        margin=Text(f"{signed(WEEKLY_HOURS - most, 1)} h", f"{signed(WEEKLY_HOURS - most, 1)}h"),
        margin_value=WEEKLY_HOURS - most,
        reason=Text("not a clause of the standard", "非本标准条款"),
    )


def clause_4_5(evidence: Evidence) -> list[Finding]:
    """Training before the post and on it: per person, or by the checklist."""
    people = [person for person in evidence.kpis.staffing.people if person.role == "duty"]
    if not people:
        return [ticked(evidence, "4.5", item="training")]
    rows = evidence.rows
    on_post = set(rows.subjects(rows.at(Kind.TRAINED)))
    before = [p.name for p in people if not p.trained]
    later = [p.name for p in people if not p.training_hours > 0 and p.name not in on_post]
    names = ", ".join(sorted({*before, *later}))
    gave = Text(
        f"{len(before)} of {len(people)} not trained before the post, {len(later)} not on it"
        + (f" ({names})" if names else ""),
        f"{len(people)}人中{len(before)}人未经岗前培训，{len(later)}人未经岗位培训",
    )
    return [judged("4.5", not before and not later, gave, item="training")]


def clause_4_6(evidence: Evidence) -> list[Finding]:
    """Verification rate 100 % of messages, handling rate 97 % of alarms without tests."""
    alarms = evidence.kpis.alarms
    findings = []
    if alarms.messages == 0:
        findings.append(no_rows("4.6.verification", "fire_alarm", item="verification_rate"))
    else:
        missing = alarms.messages - alarms.verified
        findings.append(
            judged(
                "4.6.verification",
                missing == 0,
                Text(
                    f"{percent(alarms.verification_rate)}: {missing} of {alarms.messages} messages "
                    "not verified",
                    f"{percent(alarms.verification_rate)}：{alarms.messages}条信息中{missing}条未复核",
                ),
                item="verification_rate",
                margin=points(alarms.verification_rate - 1.0),
                margin_value=alarms.verification_rate - 1.0,
                reason=Text(
                    "fire alarm messages whose verification ended, whatever it found / all, "
                    "repeats included; apart: "
                    f"{alarms.messages_disabled} of disabled devices, {alarms.messages_pending} "
                    "within their minute at the end",
                    f"完成复核（不论结果）的火警信息/全部（含重复信息）；另计：屏蔽设备{alarms.messages_disabled}条，"
                    f"期末未到时限{alarms.messages_pending}条",
                ),
                stricter=_strictly_verified(alarms),
            )
        )
    if alarms.alarms == 0:
        return [
            *findings,
            not_judged(
                "4.6.handling",
                Text(
                    f"no fire alarm is decided ({alarms.tests} tests, "
                    f"{alarms.alarms_pending} open)",
                    f"无可判定的火警（测试{alarms.tests}次，未结{alarms.alarms_pending}次）",
                ),
                item="handling_rate",
            ),
        ]
    findings.append(handling("4.6.handling", evidence))
    return findings


def _strictly_verified(alarms: AlarmKpis) -> Text | None:
    """Somebody answered or looked, ever and within 1 min; None where no message is decided so."""
    if not alarms.messages_strict:
        return None
    ever = holds(alarms.strictly_verified == alarms.messages_strict)
    soon = holds(alarms.strictly_verified_at_once == alarms.messages_strict)
    rate, at_once = (
        percent(value)
        for value in (alarms.strict_verification_rate, alarms.at_once_verification_rate)
    )
    return Text(
        f"somebody said by telephone or video what it was, or came to look: {rate}: {ever.en}; "
        f"the same within 1 min of receipt: {at_once}: {soon.en}",
        f"有人通过电话、视频明确答复或到场查看：{rate}：{ever.zh}；"
        f"且自收到起1min内：{at_once}：{soon.zh}",
    )


def handling(key: str, evidence: Evidence, beside: Text | None = None) -> Finding:
    """The handling rate, for 4.6 and for D.1 item 3."""
    alarms = evidence.kpis.alarms
    rate, strict = alarms.handling_rate, alarms.strict_handling_rate
    # by counts, so that 97 of 100 is not lost to rounding
    ok = alarms.handled >= alarms.alarms * HANDLING_RATE - 1e-9
    strict_ok = alarms.strictly_handled >= alarms.alarms * HANDLING_RATE - 1e-9
    shown = percent(rate, limit=HANDLING_RATE)
    definition = Text(
        f"handled: a responsible person notified within {NOTIFY_S:.0f} s, somebody on scene within "
        "15 min of the order where people were sent, record closed; apart: "
        f"{alarms.tests} tests, {alarms.alarms_pending} open at the end",
        f"处置：{NOTIFY_S:.0f}s内通知到责任人，需派遣时15min内到场，记录闭环；"
        f"另计：测试{alarms.tests}次，期末未结{alarms.alarms_pending}次",
    )
    return judged(
        key,
        ok,
        Text(
            f"{shown} of {alarms.alarms} alarms (not in time: notified "
            f"{alarms.not_notified}, on scene {alarms.not_on_scene}, closed {alarms.not_closed})",
            f"{alarms.alarms}次火警中{shown}（未及时：通知{alarms.not_notified}，"
            f"到场{alarms.not_on_scene}，闭环{alarms.not_closed}）",
        ),
        item="handling_rate",
        margin=points(rate - HANDLING_RATE),
        margin_value=rate - HANDLING_RATE,
        reason=definition if beside is None else beside,
        stricter=Text(
            f"every deadline of clause 6 as well: {percent(strict, limit=HANDLING_RATE)}: "
            f"{holds(strict_ok).en}",
            f"并满足第6章全部时限：{percent(strict, limit=HANDLING_RATE)}：{holds(strict_ok).zh}",
        ),
    )


def clause_4_7(evidence: Evidence) -> list[Finding]:
    """Online rate at least 99.0 %, time-weighted over the period."""
    if not len(evidence.kpis.registry):
        return [no_rows("4.7", "device", item="online_rate")]
    return [online("4.7", evidence)]


def online(key: str, evidence: Evidence, beside: Text | None = None) -> Finding:
    """The online rate, for 4.7 and for D.1 item 2."""
    rate = evidence.kpis.devices.online[View.PLATFORM]
    truth = evidence.kpis.devices.online[View.TRUTH]
    gap = rate.mean - ONLINE_RATE
    worst = holds(rate.worst_month >= ONLINE_RATE - 1e-12)
    always = holds(rate.minimum >= ONLINE_RATE - 1e-12)

    def shown(value: float) -> str:
        return percent(value, limit=ONLINE_RATE)

    definition = Text(
        "the platform's flag, time-weighted"
        + (f"; in truth {percent(truth.mean)}" if evidence.kpis.devices.stated[View.TRUTH] else "")
        + ("" if evidence.kpis.devices.stated[View.PLATFORM] else "; no device was ever flagged"),
        "按平台离线报警、时间加权"
        + (f"；真实{percent(truth.mean)}" if evidence.kpis.devices.stated[View.TRUTH] else ""),
    )
    return judged(
        key,
        gap >= -1e-12,
        Text(
            f"{shown(rate.mean)} over the period; at least 99 % in "
            f"{percent(rate.time_at_least, 1)} of the time",
            f"全期{shown(rate.mean)}；不低于99%的时间占{percent(rate.time_at_least, 1)}",
        ),
        item="online_rate",
        margin=points(gap),
        margin_value=gap,
        reason=definition if beside is None else beside,
        stricter=Text(
            f"worst month {shown(rate.worst_month)}: {worst.en}; every instant "
            f"{shown(rate.minimum)}: {always.en}",
            f"最差月份{shown(rate.worst_month)}：{worst.zh}；任一时刻{shown(rate.minimum)}："
            f"{always.zh}",
        ),
    )


def clause_4_8(evidence: Evidence) -> list[Finding]:
    """A permission: how many local alarm systems use it."""
    rows = evidence.rows
    at = rows.at(Kind.VENUE)
    if not len(at):
        return [no_rows("4.8", "venue", item="local_alarm_systems")]
    count = sum(_LOCAL_ALARM in kind for kind in rows.texts(at))
    gave = Text(f"{count} such units are connected", f"接入{count}个单位")
    return [figure("4.8", gave, item="local_alarm_systems")]


def clause_4_9(evidence: Evidence) -> list[Finding]:
    """Grid workers: in the installation (checklist), and for confirmed alarms (log)."""
    grid = evidence.kpis.alarms.grid
    asked = [item for item in items("4.9") if item.key == "4.9.grid_installation"]
    findings = [ticked_items(evidence, "4.9", asked, item="installation")]
    if grid.asked == 0:
        missing = Text("no fire was confirmed in the period", "期内没有确认的火警")
        return [*findings, not_judged("4.9", missing, item="confirmed_alarms")]
    there = evidence.kpis.alarms.on_scene_roles.get("grid_worker", 0)
    lacking = grid.asked - grid.met
    gave = Text(
        f"{grid.met} of {grid.asked} confirmed alarms sent to grid workers or micro fire stations; "
        f"grid workers on scene {there} times",
        f"{grid.asked}次确认火警中{grid.met}次发送网格员或微型消防站；网格员到场{there}次",
    )
    return [
        *findings,
        judged("4.9", lacking == 0, gave, item="confirmed_alarms", margin_value=float(-lacking)),
    ]


def clause_4_10(evidence: Evidence) -> list[Finding]:
    """Conformity by device, compatibility by the checklist."""
    devices = evidence.kpis.devices
    findings = []
    if devices.conforming + devices.not_conforming == 0:
        findings.append(no_rows("4.10", "conforms", item="conformity"))
    else:
        bad = devices.not_conforming
        silent = len(evidence.kpis.registry) - devices.conforming - bad
        gave = Text(
            f"{bad} of {devices.conforming + bad} devices do not conform"
            + (f"; {silent} do not say" if silent else ""),
            f"{devices.conforming + bad}台设备中{bad}台不符合国家相关标准",
        )
        findings.append(judged("4.10", bad == 0, gave, item="conformity"))
    return [*findings, ticked(evidence, "4.10", item="compatibility")]


def clause_4_11(evidence: Evidence) -> list[Finding]:
    """Length of a service cycle."""
    return [ticked(evidence, "4.11", item="service_cycle")]
