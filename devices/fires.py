"""Fires in venues, and which devices of a venue detect them, when."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.causes import FIRE_CAUSE_SHARES, FIRE_CAUSES, REAL_CAUSES
from devices.kinds import DeviceKind
from devices.population import YEAR_S, Floats, Indices, Period, Streams
from devices.rhythm import FIRE_HOURS, marks, rounds, steady, uniforms

__all__ = ["FIRE_CAUSES", "REAL_CAUSES", "Fires", "detection_delay_s", "sample_fires"]


class Fires(NamedTuple):
    """Incipient fires; one entry per fire, sorted by round, then site."""

    site: Indices
    round: Indices
    time: Floats
    """s since t = 0."""
    cause: NDArray[np.int8]
    """Index into :data:`~devices.causes.FIRE_CAUSES`."""


def sample_fires(site_rate_per_year: Floats, streams: Streams, period: Period) -> Fires:
    """Incipient fires in venues over a period.

    Parameters
    ----------
    site_rate_per_year : fires per year, one entry per venue.

    Returns
    -------
    Fires
        With the hour-of-day shape of fires (London 2009-2023) and the causes of NFRA 2024.
    """
    sites = site_rate_per_year.size
    site, number, time = rounds(
        streams, ("fire",), sites, steady(site_rate_per_year / YEAR_S), period.seconds, FIRE_HOURS
    )
    luck = marks(streams, ("fire_cause",), sites, site, number, uniforms)
    edges = np.cumsum(list(FIRE_CAUSE_SHARES.values()))
    cause = np.searchsorted(edges / edges[-1], luck, side="right")
    return Fires(site, number, time, cause.astype(np.int8))


def detection_delay_s(
    kind: DeviceKind, cause: int | NDArray[np.integer], uniforms: Floats
) -> Floats:
    """From the start of a fire to the device's alarm, s; inf where it does not detect it.

    The delay is exponential with the mean of ``kind.detects``; the device has to be working.

    Parameters
    ----------
    cause : index into :data:`~devices.causes.FIRE_CAUSES`, one for all or one for each.
    uniforms : one draw from [0, 1) for each fire and device; it decides both whether and when.
    """
    table = np.array([kind.detects.get(name, (0.0, 0.0)) for name in FIRE_CAUSES])
    probability, mean = table[cause, 0], table[cause, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        delay = -mean * np.log1p(-uniforms / probability)
    return np.where(uniforms < probability, delay, np.inf)
