"""Rules about devices: ticket deadlines, online, available, cleaning, end of life.

Each rule takes one element (the service) as well as an array for a whole fleet (the simulation):
flags are ``bool`` or arrays of ``bool``, times floats or arrays of floats, in seconds.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, TypeVar

from twin.standard import BATTERY_S, OFFLINE_S, YEAR_S
from twin.terms import Category, Ticket

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Flag = TypeVar("Flag", bool, "NDArray[np.bool_]")
Time = TypeVar("Time", float, "NDArray[np.float64]")

REPAIR_S = 48 * 3600.0  # 8.1 by GB 29837 and practice, second-hand: a reported fault; assumption
CLEANING_S = 2 * YEAR_S  # 8.1 by GB 29837, second-hand: vary 1 to 3 years
LIFE_S = 12 * YEAR_S  # 8.1 by GB 29837, second-hand: fire detectors; vary 8 to 15 years
GAS_SENSOR_LIFE_S = 5 * YEAR_S  # 8.1, second-hand: combustible gas sensors; vary 3 to 5 years

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


def ticket_due(received: Time, kind: Ticket) -> Time:
    """When a ticket is due; NaN: no deadline."""
    return received + _DEADLINES_S[kind]


def in_time(received: Time, done: Time, kind: Ticket) -> bool | NDArray[np.bool_]:
    """Whether the work was done by its deadline; work without a deadline always is."""
    return (done > received + _DEADLINES_S[kind]) ^ True


def counts_as_online(offline_flag: Flag) -> Flag:
    """Clause 3.3: online is what has no current offline flag on the platform, true or not."""
    return offline_flag ^ True


def available(offline: Flag, fault: Flag, disabled: Flag) -> Flag:
    """Clause 3.5: in working order is what is neither offline, nor faulty, nor disabled."""
    return (offline | fault | disabled) ^ True


def needs_cleaning(since_cleaned: Time, interval: float = CLEANING_S) -> bool | NDArray[np.bool_]:
    """Whether the planned cleaning is due (8.1); a device that reports contamination is, too."""
    return since_cleaned >= interval


def life_s(category: Category) -> float:
    """How long a device is used at most (8.1): gas sensors 5 years, others 12."""
    return GAS_SENSOR_LIFE_S if category is Category.GAS else LIFE_S


def end_of_life(age: Time, category: Category) -> bool | NDArray[np.bool_]:
    """Whether a device of this age is to be replaced (8.1)."""
    return age >= life_s(category)
