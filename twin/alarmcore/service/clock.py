"""The service's clock: never back, and as fast as a driven run wants it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    speed: float
    """Seconds told in a second of the machine."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC; never less than before."""
        ...


class ServiceClock:
    """The machine's time at the start, carried on by its monotonic clock.

    A step of the machine's clock while the service runs does not reach it, and one that was set
    back while the service was down is seen by ``not_before``: the clock then goes on from there, at
    its own pace, so that no deadline stands still and none comes twice. It agrees with the machine
    again after the next start.

    Parameters
    ----------
    not_before : the latest time that the service has ever told, s.
    speed : simulated seconds in a second; 1 is the wall clock.
    """

    def __init__(self, not_before: float = 0.0, speed: float = 1.0) -> None:
        wall = time.time()
        self.speed = speed
        self.ahead_s = max(0.0, not_before - wall)
        """How far the clock was ahead of the machine's when it started, s."""
        self._start = max(wall, not_before)
        self._started = time.monotonic()

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._start + (time.monotonic() - self._started) * self.speed
