"""The luck of each alarm: every draw that the response to it needs, keyed by venue and number.

The k-th time that a venue needs attention it has the same luck in every scenario, whatever
happens elsewhere.
"""

from __future__ import annotations

from math import log1p

import numpy as np
from numpy.typing import NDArray

from twin.streams import Streams

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


class LuckOfVenues:
    """Hands out :class:`Luck`, one at a time per venue."""

    def __init__(self, streams: Streams, venues: int) -> None:
        self._streams = streams
        self._venues = venues
        self._number = [0] * venues
        self._rounds: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    def next(self, venue: int) -> Luck:
        """The luck of the next time that this venue needs attention."""
        number = self._number[venue]
        self._number[venue] = number + 1
        while len(self._rounds) <= number:
            rng = self._streams.generator("response", len(self._rounds))
            normals = rng.standard_normal((self._venues, 2), dtype=np.float32)
            uniforms = rng.random((self._venues, _COLUMNS), dtype=np.float32)
            self._rounds.append((uniforms, normals))
        uniforms, normals = self._rounds[number]
        return Luck(uniforms[venue].tolist(), normals[venue].tolist())
