"""The year as an inspector sees it: random samples, month by month (table D.1, items 2 and 3)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from twin.kpi import Kpis

SAMPLE_DEVICES = 50  # D.1 gives no number of devices to draw a month: assumption, vary 20 to 200
SAMPLE_ALARMS = 20  # nor one of alarms: assumption, vary 5 to 50


@dataclass(frozen=True)
class Sample:
    """One month's samples: how many were drawn, and how many of them were good."""

    month: str
    devices: int
    online: int
    alarms: int
    handled: int


@dataclass(frozen=True)
class Inspector:
    """A year's samples, drawn by a seed that follows from the log alone."""

    samples: tuple[Sample, ...]

    @property
    def devices(self) -> int:
        """Devices drawn."""
        return sum(sample.devices for sample in self.samples)

    @property
    def alarms(self) -> int:
        """Alarms drawn."""
        return sum(sample.alarms for sample in self.samples)

    @property
    def online_rate(self) -> float:
        """The year's online rate of the samples; NaN without devices."""
        good = sum(sample.online for sample in self.samples)
        return good / self.devices if self.devices else float("nan")

    @property
    def handling_rate(self) -> float:
        """The year's handling rate of the samples; NaN without alarms."""
        good = sum(sample.handled for sample in self.samples)
        return good / self.alarms if self.alarms else float("nan")


def inspect(kpis: Kpis) -> Inspector:
    """Draws the samples: each month some devices at a random instant, and some alarms."""
    period, table = kpis.period, kpis.alarms.table
    words = f"{kpis.center}|{period.start_us}|{period.end_us}|{len(kpis.registry)}|{len(table.id)}"
    seed = int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "little")
    random = np.random.default_rng(seed)
    present, offline = kpis.registry.present, kpis.offline
    samples = []
    for number, month in enumerate(period.months):
        start, end = period.month_edges[number : number + 2].tolist()
        instant = start + int(random.random() * (end - start))
        there = present.key[(present.start_us <= instant) & (instant < present.end_us)]
        flagged = offline.key[(offline.start_us <= instant) & (instant < offline.end_us)]
        drawn = random.choice(there, min(SAMPLE_DEVICES, len(there)), replace=False)
        alarms = np.flatnonzero(table.counted & (table.month == number))
        asked = random.choice(alarms, min(SAMPLE_ALARMS, len(alarms)), replace=False)
        samples.append(
            Sample(
                month,
                len(drawn),
                len(drawn) - int(np.isin(drawn, flagged).sum()),
                len(asked),
                int(table.handled[asked].sum()),
            )
        )
    return Inspector(tuple(samples))
