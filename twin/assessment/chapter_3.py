"""Clause 3: the rates, as figures."""

from __future__ import annotations

from twin.assessment.finding import Evidence, Finding, Text, figure, no_rows, percent
from twin.kpi import RateOverTime
from twin.kpi.devices import KindRate
from twin.standard import ONLINE_RATE
from twin.terms import View


def _of(rate: float) -> str:
    return percent(rate, limit=ONLINE_RATE)


def _rate(rate: RateOverTime) -> Text:
    mean, least = _of(rate.mean), _of(rate.minimum)
    month, share = _of(rate.worst_month), percent(rate.time_at_least, 1)
    return Text(
        f"mean {mean}, worst month {month}, least {least}, at least 99 % in {share} of the time",
        f"平均{mean}，最差月份{month}，最低{least}，不低于99%的时间占{share}",
    )


def clause_3_3(evidence: Evidence) -> list[Finding]:
    """Online rate: the platform's flag, with the vendors' and the truth beside it."""
    if not len(evidence.kpis.registry):
        return [no_rows("3.3", "device")]
    online = evidence.kpis.devices.online
    stated = evidence.kpis.devices.stated
    beside = [view for view in (View.VENDOR, View.TRUTH) if stated[view]]
    names = {View.VENDOR: "厂商平台", View.TRUTH: "真实"}
    others = ", ".join(f"{view.value} {_of(online[view].mean)}" for view in beside)
    others_zh = "，".join(f"{names[view]}{_of(online[view].mean)}" for view in beside)
    reason = Text(
        "by the platform's offline flag, time-weighted" + (f"; beside it: {others}" * bool(others)),
        "按平台离线报警、时间加权" + (f"；对照：{others_zh}" * bool(others)),
    )
    return [figure("3.3", _rate(online[View.PLATFORM]), item="online_rate", reason=reason)]


def _kinds(kinds: tuple[KindRate, ...]) -> Text:
    count = sum(kind.count for kind in kinds)
    rates = [f"{kind.kind} {percent(kind.rate)}" for kind in kinds]
    years = sum(kind.device_years for kind in kinds)
    return Text(
        f"{count} in {years:.0f} device-years: {'; '.join(rates)}",
        f"{years:.0f}设备年内{count}次：{'；'.join(rates)}",
    )


def clause_3_4(evidence: Evidence) -> list[Finding]:
    """False alarm rate per device-year, by device kind."""
    if not len(evidence.kpis.registry):
        return [no_rows("3.4", "device")]
    reason = Text(
        "alarms annotated as false alarms, per device-year of the kind; tests are none",
        "按注释为误报火警的次数与同类设备年计；测试火警不计",
    )
    gave = _kinds(evidence.kpis.alarms.false_alarms)
    return [figure("3.4", gave, item="false_alarm_rate", reason=reason)]


def clause_3_5(evidence: Evidence) -> list[Finding]:
    """Availability: neither faulty, disabled nor offline."""
    if not len(evidence.kpis.registry):
        return [no_rows("3.5", "device")]
    available = evidence.kpis.devices.availability
    reason = None
    if evidence.kpis.devices.stated[View.TRUTH]:
        true = percent(available[View.TRUTH].mean)
        reason = Text(f"as the platform knows it; in truth {true}", f"按平台所知；真实{true}")
    gave = _rate(available[View.PLATFORM])
    return [figure("3.5", gave, item="availability_rate", reason=reason)]


def clause_3_6(evidence: Evidence) -> list[Finding]:
    """Fault rate per device-year, by device kind."""
    if not len(evidence.kpis.registry):
        return [no_rows("3.6", "device")]
    reason = Text("faults that reached the platform", "平台收到的故障")
    return [figure("3.6", _kinds(evidence.kpis.devices.faults), item="fault_rate", reason=reason)]
