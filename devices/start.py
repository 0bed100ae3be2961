"""The fleet at t = 0: sites that differ, devices in mid-life."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.behaviour import battery_life_s
from devices.kinds import DeviceKind
from devices.population import (
    DAY_S,
    LOW_BATTERY_RESERVE_S,
    YEAR_S,
    Floats,
    Indices,
    Population,
    Streams,
)

FRAILTY_SHAPE = 0.43
"""Gamma shape of the sites' nuisance rates: 5 % of sites give about 30 % (Euralarm)."""


def site_frailty(sites: int, streams: Streams) -> Floats:
    """Each site's multiplier of nuisance rates: gamma of shape 0.43 and mean 1, one per site."""
    return streams.generator("frailty").standard_gamma(FRAILTY_SHAPE, sites) / FRAILTY_SHAPE


def maintained_population(
    kind: DeviceKind,
    site: Indices,
    frailty: Floats,
    coverage: NDArray[np.int8],
    report_interval_s: float | Floats,
    streams: Streams,
    oldest_s: float = np.inf,
    cleaning_interval_s: float = 2 * YEAR_S,
) -> Population:
    """A population as good maintenance leaves it: nothing is overdue at t = 0.

    Ages are uniform from new to the kind's life; batteries are between fresh and just before
    their warning; contamination is what has gathered since a cleaning at most one interval ago.

    Parameters
    ----------
    site : the venue of each device.
    frailty : of :func:`site_frailty`, one per site.
    oldest_s : age of the oldest device, s, where the rollout is younger than the kind's life.
    cleaning_interval_s : of the maintenance plan (8.1: every 2 years, second-hand).
    """
    u = streams.generator("age", kind.name).random(site.size)
    age = u * min(oldest_s, kind.life_years * YEAR_S)
    life = battery_life_s(kind, report_interval_s, coverage)
    u = streams.generator("battery_used", kind.name).random(site.size)
    fullest = np.maximum(1 - (LOW_BATTERY_RESERVE_S + DAY_S) / life, 0.0)
    used = np.minimum(u * fullest, age / life) if np.isfinite(oldest_s) else u * fullest
    u = streams.generator("last_cleaning", kind.name).random(site.size)
    dirty = np.minimum(u * cleaning_interval_s, age) / (kind.soiling_years * YEAR_S)
    return Population(
        kind=kind,
        site=site,
        age_s=age,
        report_interval_s=report_interval_s,
        coverage=coverage,
        battery_used=used,
        frailty=frailty[site],
        contamination=np.minimum(dirty, 0.99),
    )
