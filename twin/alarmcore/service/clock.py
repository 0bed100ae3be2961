"""The service's clock: the database's time for all workers and hosts, never back."""

from __future__ import annotations

import time
from typing import Protocol

_JITTER_S = 0.2
"""Differences up to this are the way to the database and back."""

_SLEW = 0.1
"""Share of the passing time by which a clock that is ahead is slowed down (assumption)."""

MOST_AHEAD_S = 86400.0
"""A mark further ahead of the database's time than this was made by a wrong clock."""


class Clock(Protocol):
    """Tells the time."""

    speed: float
    """Seconds told in a second of the machine."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC; never less than before."""
        ...

    def calendar(self) -> float:
        """What devices' own times are compared with, s."""
        ...

    def agree(self, real: float) -> None:
        """Follows the database's time, s."""
        ...


class ServiceClock:
    """The database's time, carried on by the machine's monotonic clock between looks at it.

    Where that time is set forward it is followed at once. Where it is set back, also while the
    service was down, this clock goes on from the latest time that it has told, a tenth slower until
    they agree again, so that no deadline stands still and none comes twice.

    Parameters
    ----------
    real : the database's time now, s since 1970-01-01 UTC.
    not_before : the latest time that the service has ever told, s.
    speed : seconds told in a second; with another one than 1 the clock is that of a driven run.
    origin : of a driven run: the time that was told at a real time, both s; the same for all
        workers.
    """

    def __init__(
        self,
        real: float,
        not_before: float = 0.0,
        speed: float = 1.0,
        origin: tuple[float, float] | None = None,
    ) -> None:
        self.speed = speed
        self.ahead_s = 0.0 if origin else max(0.0, not_before - real)
        """How far the clock is ahead of the database's, s."""
        self._origin = origin
        self._real = real
        self._looked = time.monotonic()
        self._last = not_before if origin is None else 0.0

    def _database_s(self) -> float:
        return self._real + time.monotonic() - self._looked

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        real = self._database_s()
        if self._origin is not None:
            told = self._origin[0] + (real - self._origin[1]) * self.speed
        else:
            told = real + max(0.0, self.ahead_s - _SLEW * (time.monotonic() - self._looked))
        self._last = max(self._last, told)
        return self._last

    def calendar(self) -> float:
        """The database's time; in a driven run, the run's."""
        return self._database_s() if self._origin is None else self.now()

    def agree(self, real: float) -> None:
        """Follows the database's time, s."""
        passed = time.monotonic() - self._looked
        step = real - (self._real + passed)
        ahead = max(0.0, self.ahead_s - _SLEW * passed)
        if abs(step) <= _JITTER_S:
            real -= step
        else:
            ahead = max(0.0, ahead - step)
        self.ahead_s, self._real, self._looked = ahead, real, time.monotonic()
