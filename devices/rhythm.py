"""When things happen: Poisson processes over a population, with the hours of the day.

A process runs in *shaped days*: a time in which its rate is constant and a whole number is a
midnight. The clock then spends each shaped day over the 24 hours by their shares. All draws follow
one rule: round k takes one unit-exponential gap for every entity from the stream
``(*name, k)``, so a higher rate only compresses the same luck, and no draw depends on another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from devices.population import DAY_S, Floats, Indices, Streams


def _cumulative(weights: str) -> Floats:
    shares = np.cumsum([0.0, *map(float, weights.split())])
    return np.asarray(shares / shares[-1])


FALSE_ALARM_HOURS = _cumulative(
    # London Fire Brigade 2009-2023, n = 649,596, % of false alarms in hours 0-23
    "2.73 2.32 1.98 1.86 1.70 1.91 2.58 3.75 5.19 6.15 6.48 6.22 "
    "5.93 5.69 5.55 5.19 4.90 4.81 4.95 4.71 4.49 4.02 3.69 3.18"
)
"""Hours of false alarms: cumulative share at hours 0, 1, ..., 24."""

FIRE_HOURS = _cumulative(
    # the same, % of fires
    "3.94 3.24 2.64 2.19 1.79 1.50 1.50 1.69 2.24 2.59 2.88 3.38 "
    "4.03 4.63 4.87 5.57 6.22 6.96 7.41 7.56 6.91 6.31 5.38 4.58"
)
"""Hours of fires."""

WAKING_HOURS = _cumulative("0 " * 7 + "1 " * 15 + "0 " * 2)
"""Evenly from 7 to 22 h: what people do (assumption)."""

WORKING_HOURS = _cumulative("0 " * 8 + "1 " * 10 + "0 " * 6)
"""Evenly from 8 to 18 h: tests and water use (assumption)."""

FLAT_HOURS = _cumulative("1 " * 24)
"""No rhythm: faults of the equipment."""

_EDGES = np.arange(25.0) * 3600.0


def clock(shaped_days: Floats, hours: Floats) -> Floats:
    """The times (s) of shaped days under cumulative shares of the hours."""
    whole = np.floor(shaped_days)
    return whole * DAY_S + np.interp(shaped_days - whole, hours, _EDGES)


def unclock(seconds: float, hours: Floats) -> float:
    """The shaped days of one time; inverse of :func:`clock`."""
    whole = np.floor(seconds / DAY_S)
    return float(whole + np.interp(seconds - whole * DAY_S, _EDGES, hours))


def rounds(
    streams: Streams,
    name: tuple[str, ...],
    size: int,
    shaped_days: Callable[[Floats, NDArray[np.intp]], Floats],
    seconds: float,
    hours: Floats,
) -> tuple[Indices, Indices, Floats]:
    """All happenings of one Poisson process per entity.

    Parameters
    ----------
    streams, name : round k draws from ``streams.generator(*name, k)``.
    size : number of entities.
    shaped_days : from cumulative unit exponentials and the entities they belong to, the shaped
        days of the happenings (the inverse cumulative hazard); inf where the rate is 0.
    seconds : the horizon.
    hours : cumulative shares of the hours of the day.

    Returns
    -------
    entity, round, time : sorted by round, then entity.
    """
    horizon = unclock(seconds, hours)
    alive = np.arange(size)
    reached = np.zeros(size)
    entities: list[Indices] = []
    numbers: list[Indices] = []
    times: list[Floats] = []
    k = 0
    while alive.size:
        gaps = streams.generator(*name, k).standard_exponential(size)
        reached += gaps if k == 0 else gaps[alive]
        days = shaped_days(reached, alive)
        inside = days < horizon
        alive, reached = alive[inside], reached[inside]
        if alive.size:
            entities.append(alive.astype(np.int32))
            numbers.append(np.full(alive.size, k, np.int32))
            times.append(clock(days[inside], hours))
        k += 1
    if not entities:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
    return np.concatenate(entities), np.concatenate(numbers), np.concatenate(times)


def steady(rate_per_s: float | Floats) -> Callable[[Floats, NDArray[np.intp]], Floats]:
    """The inverse cumulative hazard of a rate that is constant in shaped days."""
    per_day = np.asarray(rate_per_s, np.float64) * DAY_S

    def shaped_days(reached: Floats, entity: NDArray[np.intp]) -> Floats:
        rate = per_day[entity] if per_day.ndim else per_day
        with np.errstate(divide="ignore"):
            return reached / rate

    return shaped_days


def marks(
    streams: Streams,
    name: tuple[str, ...],
    size: int,
    entity: Indices,
    number: Indices,
    draw: Callable[[np.random.Generator, int], Floats],
) -> Floats:
    """A further draw for each happening, keyed by its entity and round.

    Parameters
    ----------
    streams, name : round k draws from ``streams.generator(*name, k)``.
    size : number of entities.
    entity, number : the happenings, with their rounds (any order).
    draw : from a generator, one value for each of ``size`` entities.
    """
    result = np.empty(entity.size)
    for k in np.unique(number):
        here = number == k
        result[here] = draw(streams.generator(*name, int(k)), size)[entity[here]]
    return result


def uniforms(generator: np.random.Generator, size: int) -> Floats:
    """Uniform marks."""
    return generator.random(size)


def exponentials(generator: np.random.Generator, size: int) -> Floats:
    """Unit-exponential marks."""
    return generator.standard_exponential(size)
