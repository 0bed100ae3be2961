"""The words of the device models: a population of one kind, a period, and what happens in it.

Nothing here or below is an object per device: a :class:`Population` holds arrays over all devices
of one kind, and behaviours return :class:`Occurrences`, arrays again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from devices.kinds import DeviceKind

DAY_S = 86400.0
YEAR_S = 365.25 * DAY_S

LOW_BATTERY_RESERVE_S = 30 * DAY_S
"""From the first low-battery warning to the empty battery: product manuals; EN 14604 too."""

Floats = NDArray[np.float64]
Indices = NDArray[np.int32]


class Streams(Protocol):
    """Named random streams: the same name always gives the same draws."""

    def generator(self, *name: str | int) -> np.random.Generator:
        """A fresh generator at the beginning of the named stream."""
        ...


class Happening(StrEnum):
    """What can happen to a device, or what it can report by itself."""

    ALARM = "alarm"
    """An alarm signal, genuine or not: see :mod:`devices.causes`."""
    FAULT = "fault"
    """A hardware fault that the device reports; it no longer detects."""
    DEAD = "dead"
    """A hardware fault that silences the device: neither detects nor reports."""
    CUT_OFF = "cut_off"
    """Cannot report although it detects; heals at ``until``, or needs a visit (inf)."""
    BATTERY_LOW = "battery_low"
    """First low-battery warning; empty at ``until`` if nobody changes the battery."""
    CONTAMINATED = "contaminated"
    """Reports that it needs cleaning."""
    TAMPERED = "tampered"
    """Taken off its base or covered; does not protect until somebody puts it right."""
    END_OF_LIFE = "end_of_life"
    """Reaches the age at which it has to be replaced."""
    EARLY_WARNING = "early_warning"
    """A measured value (``value``) beyond its setting."""
    SUPERVISORY = "supervisory"
    """Off-normal state of a supervised function; normal again at ``until``, or by a visit (inf)."""
    ACTUATION = "actuation"
    """The device acted: closed a gas valve, tripped a circuit."""
    OPERATION = "operation"
    """Somebody or the device itself did something ordinary: water use, door opened, self-test."""


@dataclass(frozen=True)
class Population:
    """All devices of one kind, in the order of their ids; every array has one entry per device.

    Parameters
    ----------
    kind : the kind of all of them.
    site : index of the venue.
    age_s : age at t = 0, s.
    report_interval_s : heartbeat interval, s; one for all or one each.
    coverage : NB-IoT coverage level 0, 1 or 2 (ignored for other links).
    battery_used : share of the battery used up at t = 0.
    frailty : the site's multiplier of nuisance rates, mean 1 (:func:`devices.start.site_frailty`),
        gathered per device.
    contamination : 0 = clean, 1 = needs cleaning, at t = 0.
    """

    kind: DeviceKind
    site: Indices
    age_s: Floats
    report_interval_s: float | Floats
    coverage: NDArray[np.int8]
    battery_used: Floats
    frailty: Floats
    contamination: Floats

    @property
    def size(self) -> int:
        """Number of devices."""
        return int(self.site.size)


@dataclass(frozen=True)
class Period:
    """What is simulated: from t = 0, a local midnight, for ``seconds``."""

    seconds: float


@dataclass(frozen=True)
class Occurrences:
    """Happenings of one sort and cause in a population; one entry per happening.

    Parameters
    ----------
    what, cause : the sort, and why or what exactly.
    device : index within the population.
    round : 0 for the device's first happening of this sort and cause, then 1, ...; together with
        the device it keys further draws (service times) that stay the same between scenarios.
    time : s since t = 0; within one round in the order of the devices.
    until : when it ends by itself, s (inf: never); None where that has no meaning.
    value : a measured value; for nuisance alarms the share by which dirt has raised their rate at
        that time, so that an alarm can be thinned out after a cleaning; None where there is none.
    """

    what: Happening
    cause: str
    device: Indices
    round: Indices
    time: Floats
    until: Floats | None = None
    value: Floats | None = None
