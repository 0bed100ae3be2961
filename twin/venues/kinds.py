"""Kinds of venue: their devices by the rules of 5.2, their hours, their fires, where they lie.

The rules: heat instead of smoke alarms where smoke is usual (kitchens, workshops; 5.2.7), call
points as a basic component in places of assembly (5.2.6), gas detectors where gas is used (5.2.5),
electrical monitoring where there is electrical fire danger (5.2.4), combined use by XF 703 (5.2.8:
smoke alarms on both sides of the separation, more of them). Counts, occupancy and fire rates are
assumptions (1/2 to 2 times) unless a source stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple


class Count(NamedTuple):
    """How many devices of a kind a venue has: none, or evenly from ``least`` to ``most``."""

    share: float
    """Share of the venues that have any."""
    least: int
    most: int

    @property
    def mean(self) -> float:
        """Mean number per venue."""
        return self.share * (self.least + self.most) / 2


@dataclass(frozen=True)
class VenueKind:
    """A kind of venue.

    Parameters
    ----------
    name, name_zh : in code and in Chinese reports.
    devices : networked points by device kind (gateways follow from the RS485 devices).
    occupancy : odds that somebody is there, for each hour of the day.
    fires_per_year : incipient fires per venue-year.
    places : share of the venues in ``town``, ``village``, ``industrial`` and ``open`` areas.
    """

    name: str
    name_zh: str
    devices: Mapping[str, Count]
    occupancy: tuple[float, ...]
    fires_per_year: float
    places: Mapping[str, float]


DWELLING_FIRES_PER_YEAR = 6.25e-4
"""Per household-year: NFRA 2024 and census."""


def _hours(*spans: tuple[int, float]) -> tuple[float, ...]:
    """24 values from ``(number of hours, value)`` spans."""
    return tuple(value for hours, value in spans for _ in range(hours))


_ALL = (
    VenueKind(
        "nine_small",
        "九小场所",
        {
            "smoke_alarm": Count(1.0, 2, 5),
            "heat_alarm": Count(0.35, 1, 1),  # those with a kitchen
            "gas_detector": Count(0.35, 1, 2),
            "manual_call_point": Count(0.15, 1, 2),  # places of assembly among them
            "electricity_monitor": Count(0.5, 1, 1),
        },
        _hours((6, 0.1), (2, 0.5), (13, 0.95), (2, 0.5), (1, 0.1)),
        2e-3,
        {"town": 0.65, "village": 0.3, "open": 0.05},
    ),
    VenueKind(
        "combined_use",
        "合用场所",
        {
            "smoke_alarm": Count(1.0, 3, 9),
            "heat_alarm": Count(0.6, 1, 2),
            "gas_detector": Count(0.5, 1, 1),
            "manual_call_point": Count(0.5, 1, 2),
            "electricity_monitor": Count(0.8, 1, 2),
            "arcing_fault_detector": Count(0.1, 2, 6),
            "fire_door_sensor": Count(0.3, 1, 1),
        },
        _hours((24, 0.95)),
        3e-3,
        {"town": 0.5, "village": 0.4, "industrial": 0.1},
    ),
    VenueKind(
        "group_rental",
        "群租房",
        {
            "smoke_alarm": Count(1.0, 4, 12),
            "heat_alarm": Count(0.5, 1, 1),
            "gas_detector": Count(0.5, 1, 2),
            "electricity_monitor": Count(1.0, 1, 2),
            "fire_door_sensor": Count(0.2, 1, 2),
        },
        _hours((7, 0.98), (10, 0.6), (7, 0.95)),
        6 * DWELLING_FIRES_PER_YEAR,  # as six households
        {"town": 0.4, "village": 0.4, "industrial": 0.2},
    ),
    VenueKind(
        "older_person_home",
        "独居老人住宅",
        {
            "smoke_alarm": Count(1.0, 1, 3),
            "heat_alarm": Count(0.3, 1, 1),
            "gas_detector": Count(0.6, 1, 1),
            "electricity_monitor": Count(0.2, 1, 1),
        },
        _hours((7, 1.0), (11, 0.8), (6, 0.98)),
        2 * DWELLING_FIRES_PER_YEAR,  # twice the mean household
        {"town": 0.25, "village": 0.7, "open": 0.05},
    ),
    VenueKind(
        "enterprise",
        "工贸企业",
        {
            "smoke_alarm": Count(1.0, 6, 24),
            "heat_alarm": Count(0.6, 1, 6),
            "gas_detector": Count(0.3, 1, 3),
            "manual_call_point": Count(0.9, 2, 6),
            "electricity_monitor": Count(0.4, 1, 3),
            "hydrant_sensor": Count(0.5, 1, 3),
            "water_pressure_sensor": Count(0.4, 1, 2),
            "water_level_sensor": Count(0.3, 1, 1),
            "valve_state_sensor": Count(0.2, 1, 2),
            "fire_door_sensor": Count(0.3, 1, 4),
            "arcing_fault_detector": Count(0.4, 4, 24),
            "residual_current_detector": Count(0.4, 2, 16),
        },
        _hours((6, 0.3), (2, 0.6), (10, 0.98), (4, 0.6), (2, 0.3)),
        1e-2,
        {"industrial": 0.75, "town": 0.1, "village": 0.15},
    ),
    VenueKind(
        "local_alarm_unit",
        "区域报警系统单位（无消防控制室）",
        {
            "local_alarm_system": Count(1.0, 1, 1),
            "electricity_monitor": Count(0.5, 1, 3),
            "hydrant_sensor": Count(0.7, 1, 2),
            "water_pressure_sensor": Count(0.8, 1, 2),
            "water_level_sensor": Count(0.6, 1, 1),
            "valve_state_sensor": Count(0.4, 1, 2),
            "fire_door_sensor": Count(0.7, 2, 6),
        },
        _hours((6, 0.6), (2, 0.8), (12, 0.98), (4, 0.7)),
        1e-2,
        {"town": 0.6, "industrial": 0.3, "village": 0.1},
    ),
)

VENUE_KINDS: Mapping[str, VenueKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""All kinds by name, in their fixed order."""

VENUE_KIND_NAMES: tuple[str, ...] = tuple(VENUE_KINDS)
"""Names of the kinds; arrays hold indices into it."""
