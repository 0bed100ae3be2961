"""Dispatch: the nearest available unit goes; orders that find none wait in turn.

Units are the center's people, a brigade's engines, or the three servers of a hypercube model:
whatever can say how long it would take to get somewhere.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Generic, Protocol, TypeVar

import simpy
from simpy.events import Event


class Unit(Protocol):
    """Something that can be sent."""

    def seconds_to(self, place: int, now: float) -> float:
        """Time to reach a place from where the unit is now; ``inf`` while it cannot go."""
        ...


UnitT = TypeVar("UnitT", bound=Unit)


class Dispatcher(Generic[UnitT]):
    """Sends the unit that is there first; among equals the first in the list.

    Parameters
    ----------
    env : the simulation's environment.
    units : every unit, whether it can go now or not.
    """

    def __init__(self, env: simpy.Environment, units: list[UnitT]) -> None:
        self.env = env
        self.units = units
        self._waiting: deque[tuple[int, Event]] = deque()

    def __len__(self) -> int:
        """Orders that wait for a unit."""
        return len(self._waiting)

    def nearest(self, place: int) -> UnitT | None:
        """The unit that would be there first; ``None`` where nobody can go."""
        best, soonest = None, inf
        for unit in self.units:
            seconds = unit.seconds_to(place, self.env.now)
            if seconds < soonest:
                best, soonest = unit, seconds
        return best

    def order(self, place: int) -> Event:
        """An event that yields the unit which takes the order.

        The unit must show itself unavailable (``seconds_to`` is ``inf``) before anything else is
        ordered; :meth:`available` says that one can go again.
        """
        event = self.env.event()
        unit = None if self._waiting else self.nearest(place)
        if unit is None:
            self._waiting.append((place, event))
        else:
            self.take(unit, event)
        return event

    def take(self, unit: UnitT, event: Event) -> None:
        """Gives an order to a unit; subclasses mark the unit as taken."""
        event.succeed(unit)

    def available(self) -> None:
        """Somebody may be able to go again: orders that wait are given, in their order."""
        while self._waiting:
            unit = self.nearest(self._waiting[0][0])
            if unit is None:
                return
            self.take(unit, self._waiting.popleft()[1])
