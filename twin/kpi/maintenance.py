"""Figures of the maintenance (clauses 5.2.9, 6.5, 7.1, 7.2, 8.1).

A ticket is *in time* when it is closed by its deadline (24 h and 48 h of clause 6.5 for battery and
offline tickets, the ticket's own deadline for the others). An offline ticket also needs a finding
that somebody recorded within the same 48 h, even where the device came back by itself before; the
stricter reading wants it recorded while the ticket was open. Tickets that are open with their
deadline ahead are pending, and so is a finding. A low battery or an offline flag that outlasts its
deadline without any ticket is counted as neglected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kpi.alarms import NEVER, Quantiles, quantiles
from twin.kpi.rates import completion_rate, maintenance_timeliness
from twin.kpi.rows import GRAIN_US, Intervals, Rows, covered, intervals
from twin.log import MICROSECONDS
from twin.standard import BATTERY_S, OFFLINE_S
from twin.terms import Kind, Ticket, View

TICKETS = tuple(Ticket)


@dataclass(frozen=True)
class TicketKpis:
    """Tickets of one kind: opened, closed, late (missed their deadline), pending (still open with
    the deadline ahead, or without one), without their finding in time, unmet (late or without their
    finding), closed before anybody had recorded a finding, and the time from opening to closing."""

    opened: int
    closed: int
    late: int
    pending: int
    without_finding: int
    unmet: int
    closed_unseen: int
    duration: Quantiles


@dataclass(frozen=True)
class MaintenanceKpis:
    """Figures of the maintenance.

    Attributes
    ----------
    tickets : by kind.
    devices_concerned, devices_in_time, timeliness : devices with a decided ticket that has a
        deadline, those of them without a late one, and the rate of 7.1.
    completion : closed / closed or past the deadline (7.2).
    battery_neglected, offline_neglected : low batteries and offline flags that outlast 24 h and
        48 h without a ticket.
    low_batteries, offline_flags : how many there were on the platform.
    waiting_for_spare, spares_used : repairs that waited for a spare, and spares used.
    by_month : timeliness and late tickets by the month of opening.
    """

    tickets: Mapping[Ticket, TicketKpis]
    devices_concerned: int
    devices_in_time: int
    timeliness: float
    completion: float
    battery_neglected: int
    offline_neglected: int
    low_batteries: int
    offline_flags: int
    waiting_for_spare: int
    spares_used: int
    by_month: Mapping[str, tuple[float, ...]]


def maintenance_kpis(rows: Rows, offline: Intervals) -> MaintenanceKpis:
    """The figures of the maintenance.

    Parameters
    ----------
    offline : the platform's offline flags.
    """
    log, period = rows.log, rows.period
    size = len(TICKETS)
    number = np.full(len(log.text.words) + 1, -1, np.int64)
    for place, word in enumerate(TICKETS):
        number[rows.text_code(word)] = place
    number[-1] = -1

    def of_kind(kind: Kind) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        at = rows.at(kind)
        which = number[log.text.codes[at]]
        at, which = at[which >= 0], which[which >= 0]
        return at, log.subject.codes[at] * size + which

    opened, opened_key = of_kind(Kind.TICKET_OPENED)
    ended, ended_key = of_kind(Kind.TICKET_CLOSED)
    ticket = intervals(rows, opened, ended, opened_key, ended_key)
    which, device = ticket.key % size, ticket.key // size
    limit = log.value[ticket.start_row] * MICROSECONDS
    limit[which == TICKETS.index(Ticket.BATTERY)] = BATTERY_S * MICROSECONDS
    limit[which == TICKETS.index(Ticket.OFFLINE)] = OFFLINE_S * MICROSECONDS
    limit = np.where(np.isfinite(limit), limit, np.inf)
    took = (ticket.end_us - ticket.start_us).astype(np.float64)
    late = took > limit + GRAIN_US
    pending = ~ticket.closed & ~late

    offline_ticket = which == TICKETS.index(Ticket.OFFLINE)
    first = _first_finding_us(rows, device, ticket.start_row)
    last = ticket.start_us + round(OFFLINE_S * MICROSECONDS) + GRAIN_US
    without = offline_ticket & (first > last) & (last <= period.end_us)
    unseen = offline_ticket & ticket.closed & (first > ticket.end_us)
    pending |= offline_ticket & ~late & (first > period.end_us) & ~without
    unmet = late | without

    tickets = {}
    for place, kind in enumerate(TICKETS):
        mine = which == place
        tickets[kind] = TicketKpis(
            opened=int(mine.sum()),
            closed=int((mine & ticket.closed).sum()),
            late=int((mine & late).sum()),
            pending=int((mine & pending).sum()),
            without_finding=int((mine & without).sum()),
            unmet=int((mine & unmet).sum()),
            closed_unseen=int((mine & unseen).sum()),
            duration=quantiles(took[mine & ticket.closed] / MICROSECONDS),
        )
    decided = np.isfinite(limit) & ~pending
    concerned, failed = (
        int(np.count_nonzero(np.bincount(device[of]))) for of in (decided, decided & unmet)
    )
    month = period.month_of(ticket.start_us)
    names = np.int64(len(log.subject.words))
    some, bad = (
        np.bincount(
            np.unique(month[of] * names + device[of]) // names, minlength=len(period.months)
        )
        for of in (decided, decided & unmet)
    )
    timely = [
        float(maintenance_timeliness(n - b, n))
        for n, b in zip(some.tolist(), bad.tolist(), strict=True)
    ]
    low = intervals(
        rows, rows.at(Kind.LOW_BATTERY, view=View.PLATFORM), rows.at(Kind.BATTERY_CHANGED)
    )
    closed, past = int(ticket.closed.sum()), int((~ticket.closed & late).sum())
    return MaintenanceKpis(
        tickets=tickets,
        devices_concerned=concerned,
        devices_in_time=concerned - failed,
        timeliness=float(maintenance_timeliness(concerned - failed, concerned)),
        completion=float(completion_rate(closed, closed + past)),
        battery_neglected=_neglected(ticket, low, Ticket.BATTERY, BATTERY_S),
        offline_neglected=_neglected(ticket, offline, Ticket.OFFLINE, OFFLINE_S),
        low_batteries=len(low),
        offline_flags=len(offline),
        waiting_for_spare=len(rows.at(Kind.SPARE_MISSING)),
        spares_used=len(rows.at(Kind.SPARE_USED)),
        by_month={
            "maintenance_timeliness": tuple(timely),
            "tickets": tuple(np.bincount(month, minlength=len(period.months)).astype(float)),
            "tickets_late": tuple(
                np.bincount(month[unmet], minlength=len(period.months)).astype(float)
            ),
        },
    )


def _first_finding_us(
    rows: Rows, device: NDArray[np.int64], opened: NDArray[np.int64]
) -> NDArray[np.int64]:
    """When the first finding of each ticket's device was recorded after its opening; or NEVER."""
    log = rows.log
    size = len(log) + 1
    at = rows.at(Kind.TICKET_FINDING)
    keys = np.sort(log.subject.codes[at].astype(np.int64) * size + at)
    place = np.searchsorted(keys, device * size + opened)
    found = np.full(len(device), NEVER)
    some = np.flatnonzero(place < len(keys))
    some = some[keys[place[some]] // size == device[some]]
    found[some] = log.time[keys[place[some]] % size]
    return found


def _neglected(ticket: Intervals, states: Intervals, kind: Ticket, limit_s: float) -> int:
    """States that outlast their limit while their device has no ticket of the kind."""
    long = states[states.end_us - states.start_us > limit_s * MICROSECONDS + GRAIN_US]
    key = long.key * len(TICKETS) + TICKETS.index(kind)
    return int((~covered(ticket, key, long.start_us, long.end_us)).sum())
