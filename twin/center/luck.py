"""The luck of each alarm: every draw that the response to it needs, keyed by its signal.

A signal has the same luck in every scenario, however many others come before it, at its venue or
elsewhere. One draw of a named stream (:class:`twin.world.happenings.Signals`, ``response``) is the
key; a mixing function spreads it over all that the response asks for.
"""

from __future__ import annotations

from math import log1p

import numpy as np
from numpy.typing import NDArray

from twin.streams import GOLDEN, mixed

PEOPLE = 5
"""Responsible people with draws of their own; further ones share them in turn."""

FIELDS = (
    "clear", "mistaken", "emergency_call", "work", "record", "report", "contained", "sealed",
    "blocked", "grid_delay", "micro_delay", "video",
)  # fmt: skip
_COLUMNS = len(FIELDS) + 5 * PEOPLE


class Luck:
    """Uniform draws of one alarm; ``normal`` holds two standard normals (reaction, call)."""

    __slots__ = ("_row", "normal")

    def __init__(self, row: list[float], normal: list[float]) -> None:
        self._row = row
        self.normal = normal

    def uniform(self, name: str) -> float:
        """The draw of this name, in [0, 1)."""
        return self._row[_INDEX[name]]

    def exponential(self, name: str) -> float:
        """An exponential draw with mean 1."""
        return -log1p(-self._row[_INDEX[name]])

    def person(self, number: int) -> list[float]:
        """Five uniforms of a responsible person: answers, ring, receipt comes, delay, channel."""
        first = len(FIELDS) + 5 * (number % PEOPLE)
        return self._row[first : first + 5]


_INDEX = {name: column for column, name in enumerate(FIELDS)}


class LuckOfSignals:
    """The :class:`Luck` of every signal.

    Parameters
    ----------
    keys : (n,) a uniform in [0, 1) per signal, in the order of the messages' ids, which begin at 1.
    """

    def __init__(self, keys: NDArray[np.float64]) -> None:
        uniforms = spread(keys, _COLUMNS + 2)
        self._rows = uniforms[:, :_COLUMNS]
        # Box and Muller: two standard normals from two uniforms
        radius = np.sqrt(-2.0 * np.log1p(-uniforms[:, _COLUMNS]))
        angle = 2.0 * np.pi * uniforms[:, _COLUMNS + 1]
        self._normals = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    def of(self, message: int) -> Luck:
        """The luck of the attention that a message calls for."""
        return Luck(self._rows[message - 1].tolist(), self._normals[message - 1].tolist())


def spread(keys: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """As many independent uniforms in [0, 1) as columns from each key, shape (n, columns)."""
    start = mixed((keys * 2.0**53).astype(np.uint64))
    steps = np.arange(1, columns + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    words = mixed(start[:, None] + steps)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
