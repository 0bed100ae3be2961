"""Smoke alarms without maintenance: 97, 73, 54 % work after 1, 10, 20 years (NFPA; CPSC)."""

from __future__ import annotations

import numpy as np
import pytest

from devices import KINDS, Happening, Period, Population, sample
from twin.streams import Streams

YEAR_S = 365.25 * 86400.0
N = 40_000  # standard deviation of a share: 0.25 % at most


@pytest.mark.parametrize(("years", "published"), [(1, 0.97), (10, 0.73), (20, 0.54)])
def test_share_of_smoke_alarms_that_still_work(years: int, published: float) -> None:
    fleet = Population(
        kind=KINDS["smoke_alarm"],
        site=np.zeros(N, np.int32),
        age_s=np.zeros(N),
        report_interval_s=86400.0,
        coverage=np.zeros(N, np.int8),
        battery_used=np.zeros(N),
        frailty=np.ones(N),
        contamination=np.zeros(N),
    )
    broken = np.zeros(N, bool)
    for happened in sample(fleet, Streams(1066), Period(years * YEAR_S)):
        if happened.what in (Happening.FAULT, Happening.DEAD):
            broken[happened.device] = True
    assert 1 - broken.mean() == pytest.approx(published, abs=0.01)
