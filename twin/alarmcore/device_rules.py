"""Rules about devices: when a ticket is due, for the simulation and the service alike."""

from __future__ import annotations

from math import nan

from twin.standard import BATTERY_S, OFFLINE_S
from twin.terms import Ticket

REPAIR_S = 48 * 3600.0  # 8.1 by GB 29837 and practice, second-hand: a reported fault; assumption

_DEADLINES_S = {
    Ticket.BATTERY: BATTERY_S,
    Ticket.OFFLINE: OFFLINE_S,
    Ticket.FAULT: REPAIR_S,
    # The standard sets no time for these; the maintenance plan (8.1) does.
    Ticket.CLEANING: nan,
    Ticket.HAZARD: nan,
    Ticket.PERIODIC: nan,
    Ticket.END_OF_LIFE: nan,
}


def ticket_deadline_s(kind: Ticket) -> float:
    """Time from the platform's receipt to the end of the work (6.5, 8.1); NaN: no deadline."""
    return _DEADLINES_S[kind]
