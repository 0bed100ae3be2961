"""Why an alarm sounds: real causes, things that resemble a fire, equipment, tests.

The classes follow clause 6.4 of DB3211/T 1066-2023.
"""

from __future__ import annotations

from collections.abc import Mapping

FIRE_CAUSE_SHARES: Mapping[str, float] = {
    # NFRA 2024 (China): electrical 32.3 %, domestic use of fire 21.8 %. The split of the other
    # 45.9 % is an assumption; it decides only how fast which detector sees the fire.
    "electrical": 0.323,
    "domestic_fire_use": 0.218,
    "left_embers": 0.140,
    "smoking_materials": 0.100,
    "spontaneous": 0.030,
    "production_work": 0.020,
    "arson": 0.010,
    "playing_with_fire": 0.010,
    "other": 0.149,
}
"""Causes of fires with their shares, in the order of :data:`FIRE_CAUSES`."""

FIRE_CAUSES: tuple[str, ...] = tuple(FIRE_CAUSE_SHARES)
"""Names of the causes of fires; arrays hold indices into it."""

HAZARD_CAUSES: frozenset[str] = frozenset(
    {"gas_leak", "short_circuit", "series_arc", "parallel_arc"}
)
"""Hazardous conditions that a device alarms about by itself, without a fire (6.4, class 1)."""

REAL_CAUSES: frozenset[str] = frozenset(FIRE_CAUSES) | HAZARD_CAUSES
"""Causes of genuine alarms (6.4, classes 1 and 2)."""

NUISANCE_CAUSES: frozenset[str] = frozenset(
    {"cooking", "steam", "dust", "insects", "smoking", "accidental", "vapour", "load", "unknown"}
)
"""Causes of false alarms other than the equipment; ``vapour`` is alcohol or solvent at a gas
sensor, ``load`` an electrical load that resembles an arc or a leakage current."""

EQUIPMENT = "equipment"
"""Cause of a false alarm by the device's own fault."""

TEST = "test"
"""Cause of an alarm that somebody raised to test the device (6.4, class 3: no false alarm)."""

FAULT_OR_UNEXPLAINED: frozenset[str] = frozenset({EQUIPMENT, "unknown"})
"""Causes that clause 6.4 puts in the second kind of false alarm: equipment or unexplained."""
