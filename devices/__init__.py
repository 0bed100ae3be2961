"""Detectors and gateways: what each kind senses, says and suffers.

Imports nothing of :mod:`twin`. Read :mod:`devices.kinds` first, then :mod:`devices.behaviour`;
:mod:`devices.population` has the words, :mod:`devices.rhythm` the way everything is drawn.
"""

from devices.behaviour import battery_life_s, sample
from devices.causes import (
    EQUIPMENT,
    FAULT_OR_UNEXPLAINED,
    FIRE_CAUSES,
    NUISANCE_CAUSES,
    REAL_CAUSES,
    TEST,
)
from devices.fires import Fires, detection_delay_s, sample_fires
from devices.kinds import KIND_NAMES, KINDS, DeviceKind, tunables, with_overrides
from devices.population import Happening, Occurrences, Period, Population, Streams
from devices.start import maintained_population, site_frailty

__all__ = [
    "EQUIPMENT",
    "FAULT_OR_UNEXPLAINED",
    "FIRE_CAUSES",
    "KINDS",
    "KIND_NAMES",
    "NUISANCE_CAUSES",
    "REAL_CAUSES",
    "TEST",
    "DeviceKind",
    "Fires",
    "Happening",
    "Occurrences",
    "Period",
    "Population",
    "Streams",
    "battery_life_s",
    "detection_delay_s",
    "maintained_population",
    "sample",
    "sample_fires",
    "site_frailty",
    "tunables",
    "with_overrides",
]
