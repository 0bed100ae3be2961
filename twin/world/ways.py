"""Travel between the places of a center: place 0 is the center, the others are road nodes."""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot, inf

import numpy as np
from numpy.typing import NDArray

from twin.roads.travel import TravelTimes

HOURS = 168


class Ways:
    """Travel times and distances that the center's people use.

    From the center they are exact for every hour of the week. Between two venues the time is that
    of free flow, slowed down as the network is on average in that hour; the distance is the
    straight line, lengthened by the mean detour of the ways from the center.

    Parameters
    ----------
    travel : the road network's travel times.
    site : node of the center.
    nodes : nodes of the other places.
    first_hour : hour of the week (0 = Monday 0 h) at t = 0.
    """

    def __init__(
        self, travel: TravelTimes, site: int, nodes: NDArray[np.integer], first_hour: int
    ) -> None:
        self.nodes = np.concatenate([[site], nodes]).astype(np.int64)
        self._first_hour = first_hour
        self._free = travel.between(self.nodes)
        by_pattern: dict[int, tuple[list[float], float]] = {}
        self._from_center: list[list[float]] = []
        self._factor: list[float] = []
        for hour in range(HOURS):
            pattern = travel.pattern(hour)
            if pattern not in by_pattern:
                seconds: list[float] = travel.seconds([site], hour)[0][self.nodes].tolist()
                by_pattern[pattern] = seconds, travel.hour_factor(hour)
            self._from_center.append(by_pattern[pattern][0])
            self._factor.append(by_pattern[pattern][1])
        network = travel.network
        self._x: list[float] = network.x[self.nodes].tolist()
        self._y: list[float] = network.y[self.nodes].tolist()
        road = travel.metres([site])[0][self.nodes]
        straight = np.hypot(network.x[self.nodes] - self._x[0], network.y[self.nodes] - self._y[0])
        self._road: list[float] = road.tolist()
        self._detour = float(road.sum() / straight.sum()) if straight.sum() > 0 else 1.0

    def seconds(self, origin: int, place: int, now: float) -> float:
        """By van, in the traffic of that hour."""
        if origin == place:
            return 0.0
        hour = (self._first_hour + int(now // 3600.0)) % HOURS
        if origin == 0:
            return self._from_center[hour][place]
        return float(self._free[origin, place]) * self._factor[hour]

    def metres(self, origin: int, place: int) -> float:
        """By road."""
        if origin == 0 or place == 0:
            return self._road[origin + place]
        line = hypot(self._x[origin] - self._x[place], self._y[origin] - self._y[place])
        return line * self._detour

    def nearest(self, origin: int, places: Iterable[int]) -> int:
        """The place that is nearest in a straight line."""
        xs, ys = self._x, self._y
        x, y = xs[origin], ys[origin]
        nearest, least = -1, inf
        for place in places:  # of the trips of a year, 70,000: a key function takes twice as long
            square = (xs[place] - x) ** 2 + (ys[place] - y) ** 2
            if square < least:
                nearest, least = place, square
        return nearest
