"""A rollout over several years: which venues are connected when (document 000, part 3).

A stage asks for a number of smoke alarms in the small premises ("nine small" and combined use), and
for shares of the other kinds. :func:`shares` turns both into ``venues.connected`` of a scenario.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from twin.venues.build import Fleet, Venues
from twin.venues.kinds import VENUE_KIND_NAMES
from twin.venues.settings import StageSettings

SMALL = ("nine_small", "combined_use")
"""Kinds of venue whose smoke alarms a stage counts: 九小场所, with 三合一 among them."""


def shares(stage: StageSettings, venues: Venues, fleet: Fleet) -> Mapping[str, float]:
    """The share of each kind's venues that a stage connects.

    Parameters
    ----------
    venues, fleet : of the whole district, everything connected.

    Raises
    ------
    ValueError
        More smoke alarms are asked for than the district has.
    """
    found = {name: stage.connected.get(name, 1.0) for name in VENUE_KIND_NAMES}
    if not stage.smoke_alarms:
        return found
    alarms = fleet.kind_slices["smoke_alarm"]
    per_venue = np.bincount(fleet.venue[alarms], minlength=len(venues.ids)).astype(np.int64)
    small = np.isin(venues.kind, [VENUE_KIND_NAMES.index(name) for name in SMALL])
    have = int(per_venue[small].sum())
    if have < stage.smoke_alarms:
        raise ValueError(
            f"smoke_alarms = {stage.smoke_alarms}, but the nine-small and combined-use premises of "
            f"the whole district have {have}; raise venues.points, or lower the stage"
        )
    # both kinds go together: as many of each, as a share, as are enough
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        enough = _alarms(per_venue, venues.kind, middle) >= stage.smoke_alarms
        low, high = (low, middle) if enough else (middle, high)
    return found | dict.fromkeys(SMALL, high)


def _alarms(
    per_venue: np.ndarray[tuple[int], np.dtype[np.int64]], kind: object, share: float
) -> int:
    """Smoke alarms of the first venues of the small kinds."""
    total = 0
    for name in SMALL:
        here = np.flatnonzero(kind == VENUE_KIND_NAMES.index(name))
        total += int(per_venue[here[: int(np.ceil(share * here.size - 1e-9))]].sum())
    return total
