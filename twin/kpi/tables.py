"""The figures as plain rows: what a report writes as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twin.terms import View

if TYPE_CHECKING:
    from twin.kpi import Kpis

Row = dict[str, Any]


def monthly(kpis: Kpis) -> list[Row]:
    """The main figures by calendar month: rows of month, name, value, unit."""
    series: dict[str, Iterable[float]] = {
        "online_rate": kpis.devices.online[View.PLATFORM].months,
        "online_rate_true": kpis.devices.online[View.TRUTH].months,
        "availability": kpis.devices.availability[View.PLATFORM].months,
        **kpis.alarms.by_month,
        **kpis.maintenance.by_month,
        **kpis.staffing.by_month,
    }
    return [
        {
            "center": kpis.center,
            "month": month,
            "name": name,
            "value": value,
            "unit": _unit(name),
        }
        for name, values in series.items()
        for month, value in zip(kpis.period.months, values, strict=True)
    ]


def _unit(name: str) -> str:
    if name.startswith("minutes"):
        return "min"
    shares = ("rate", "rate_true", "availability", "timeliness", "completion", "at_least_99")
    return "share" if name.endswith(shares) else "1"


def tables(kpis: Kpis) -> Mapping[str, list[Row]]:
    """All tables by name: ``year``, ``monthly``, ``kinds``, ``tickets``, ``people``, ``hours``."""
    return {
        "year": [
            {"center": kpis.center, "name": name, "value": value, "unit": unit}
            for name, value, unit in _year(kpis)
        ],
        "monthly": monthly(kpis),
        "kinds": [
            {
                "center": kpis.center,
                "name": name,
                "kind": kind.kind,
                "count": kind.count,
                "device_years": kind.device_years,
                "value": kind.rate,
                "unit": "per device-year",
            }
            for name, kinds in (
                ("false_alarm_rate", kpis.alarms.false_alarms),
                ("fault_rate", kpis.devices.faults),
                ("fault_rate_true", kpis.devices.faults_true),
            )
            for kind in kinds
        ],
        "tickets": [
            {
                "center": kpis.center,
                "kind": kind.value,
                "opened": ticket.opened,
                "closed": ticket.closed,
                "late": ticket.late,
                "pending": ticket.pending,
                "without_finding": ticket.without_finding,
                "closed_unseen": ticket.closed_unseen,
                "median_h": ticket.duration.median / 3600.0,
                "p90_h": ticket.duration.p90 / 3600.0,
                "most_h": ticket.duration.most / 3600.0,
            }
            for kind, ticket in kpis.maintenance.tickets.items()
        ],
        "people": [
            {"center": kpis.center, "name": name, "value": hours, "unit": "h/week"}
            for name, hours in kpis.staffing.weekly_hours.items()
        ],
        "hours": [
            {"center": kpis.center, "hour": hour, "alarms": count}
            for hour, count in enumerate(kpis.alarms.by_hour)
        ],
    }


def _year(kpis: Kpis) -> Iterable[tuple[str, float, str]]:
    """Name, value and unit of the figures of the whole period."""
    devices, alarms, care, staff = kpis.devices, kpis.alarms, kpis.maintenance, kpis.staffing
    yield "components", devices.components, "1"
    yield "points", devices.points, "1"
    for view, rate in devices.online.items():
        yield f"online_rate_{view}", rate.mean, "share"
        yield f"online_rate_{view}_minimum", rate.minimum, "share"
        yield f"online_rate_{view}_worst_month", rate.worst_month, "share"
        yield f"online_rate_{view}_time_at_least_99", rate.time_at_least, "share"
    for view, rate in devices.availability.items():
        yield f"availability_{view}", rate.mean, "share"
        yield f"availability_{view}_minimum", rate.minimum, "share"
    for name in (
        "messages",
        "verified",
        "messages_pending",
        "messages_disabled",
        "messages_strict",
        "strictly_verified",
        "strictly_verified_at_once",
        "responded_late",
        "verified_late",
        "alarms_all",
        "alarms",
        "alarms_pending",
        "tests",
        "handled",
        "strictly_handled",
        "not_notified",
        "not_on_scene",
        "not_closed",
        "unattended",
        "confirmed",
    ):
        yield name, getattr(alarms, name), "1"
    for name in (
        "verification_rate",
        "strict_verification_rate",
        "at_once_verification_rate",
        "handling_rate",
        "strict_handling_rate",
    ):
        yield name, getattr(alarms, name), "share"
    for name in ("response", "verification", "on_scene", "emergency_call"):
        times = getattr(alarms, name)
        for quantile in ("median", "p90", "p99", "most"):
            yield f"{name}_{quantile}", getattr(times, quantile), "s"
    for annotation, count in alarms.annotations.items():
        yield f"annotation_{annotation}", count, "1"
    for role, count in alarms.on_scene_roles.items():
        yield f"on_scene_{role}", count, "1"
    for category, count in alarms.other_messages.items():
        yield f"messages_{category}", count, "1"
    yield "alarms_per_day", alarms.per_day, "1/d"
    yield "maintenance_timeliness", care.timeliness, "share"
    yield "maintenance_completion", care.completion, "share"
    yield "repairs_waiting_for_a_spare", care.waiting_for_spare, "1"
    yield "spares_used", care.spares_used, "1"
    yield "minutes_below_two", staff.minutes_below, "min"
    for reason, minutes in staff.minutes_desk_below.items():
        yield f"minutes_desk_below_two_{reason}", minutes, "min"
    yield "minutes_desk_empty", staff.minutes_desk_empty, "min"
    yield "absences", staff.absences, "1"
    yield "absences_uncovered", staff.absences_uncovered, "1"
    yield "fires", kpis.fires.fires, "1"
    for reason, count in kpis.fires.missed.items():
        yield f"fires_missed_{reason}", count, "1"
