"""The fire brigade: engines at their stations, each out for a while once it has been called."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from twin.center.settings import HelperSettings

ENGINE_OUT_S = 3600.0
"""An engine is away for this long after it was called (assumption, 30 min to 3 h)."""


class Brigades:
    """All stations that serve an area.

    Parameters
    ----------
    engine_s : for each station, an engine's travel time to each place in seconds.
    settings : turnout, alarm handling, engines per station.
    """

    def __init__(self, engine_s: Sequence[Sequence[float]], settings: HelperSettings) -> None:
        self._engine_s = engine_s
        self._before = settings.brigade_processing + settings.brigade_turnout
        self._free_at = [[0.0] * settings.brigade_engines for _ in engine_s]

    def arrival(self, place: int, called: float) -> float:
        """When the nearest free engine is on scene; ``inf`` where there is no station in reach.

        Where every engine is out, the one that is on scene first after its return.
        """
        best, soonest = (-1, -1), inf
        for station, seconds in enumerate(self._engine_s):
            for engine, free in enumerate(self._free_at[station]):
                at = max(called + self._before, free) + seconds[place]
                if at < soonest:
                    best, soonest = (station, engine), at
        if soonest < inf:
            self._free_at[best[0]][best[1]] = soonest + ENGINE_OUT_S
        return soonest
