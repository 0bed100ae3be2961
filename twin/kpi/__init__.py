"""The figures of a center, computed from its log and from nothing else.

Read first: :mod:`twin.kpi.rates` (each rate of clauses 3, 4 and 7.1, defined once on counts), then
:mod:`twin.kpi.alarms` (how messages and alarms are counted). :func:`compute` gives all figures of a
center's log as :class:`Kpis`; :func:`tables` gives them as plain rows for CSV.
"""

from __future__ import annotations

from dataclasses import dataclass

from twin.kpi.alarms import AlarmKpis, Quantiles, alarm_kpis
from twin.kpi.devices import DeviceKpis, RateOverTime, Registry, device_kpis, registry, state
from twin.kpi.maintenance import MaintenanceKpis, TicketKpis, maintenance_kpis
from twin.kpi.rows import Intervals, Period, Rows
from twin.kpi.staffing import Person, StaffingKpis, staffing_kpis
from twin.kpi.tables import monthly, tables
from twin.log import Log
from twin.terms import Kind, View

__all__ = [
    "AlarmKpis",
    "DeviceKpis",
    "FireKpis",
    "Kpis",
    "MaintenanceKpis",
    "Period",
    "Person",
    "Quantiles",
    "RateOverTime",
    "Registry",
    "Rows",
    "StaffingKpis",
    "TicketKpis",
    "compute",
    "compute_rows",
    "monthly",
    "tables",
]


@dataclass(frozen=True)
class FireKpis:
    """Incipient fires: how many began, how many were missed and why (Annex D)."""

    fires: int
    missed: dict[str, int]
    stated: bool


@dataclass(frozen=True)
class Kpis:
    """All figures of a center.

    Attributes
    ----------
    center : its name; period : what the log covers.
    devices, alarms, maintenance, staffing, fires : the figures, by subject.
    registry, offline : the devices and the platform's offline flags, for samples of them.
    """

    center: str
    period: Period
    devices: DeviceKpis
    alarms: AlarmKpis
    maintenance: MaintenanceKpis
    staffing: StaffingKpis
    fires: FireKpis
    registry: Registry
    offline: Intervals


def compute(log: Log) -> Kpis:
    """The figures of a log of one center.

    Raises
    ------
    LogError
        For an empty log, or rows that break the log's contract.
    """
    return compute_rows(Rows(log))


def compute_rows(rows: Rows) -> Kpis:
    """The same, from rows that are indexed already."""
    log = rows.log
    devices = registry(rows)
    offline = state(rows, Kind.OFFLINE, Kind.ONLINE, View.PLATFORM)
    disabled = state(rows, Kind.DISABLED, Kind.ENABLED, View.PLATFORM)
    reasons = rows.texts(rows.at(Kind.FIRE_MISSED))
    return Kpis(
        center=log.center.words[log.center.codes[0]],
        period=rows.period,
        devices=device_kpis(rows, devices, offline, disabled),
        alarms=alarm_kpis(rows, devices, disabled),
        maintenance=maintenance_kpis(rows, offline),
        staffing=staffing_kpis(rows),
        fires=FireKpis(
            fires=len(rows.at(Kind.FIRE)),
            missed={reason: reasons.count(reason) for reason in sorted(set(reasons))},
            stated=rows.has(Kind.FIRE, Kind.FIRE_MISSED) or rows.has_view(View.TRUTH),
        ),
        registry=devices,
        offline=offline,
    )
