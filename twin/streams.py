"""Named random streams: every draw belongs to an activity, never to the order of consumption.

A stream is named by its activity (and, where one activity draws several times, by the round).
The arrays drawn from it run over all entities of the activity in the order of their ids, so that
two scenarios share their luck wherever they share their parts (common random numbers), and adding
a device kind shifts nobody else's draws.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Streams:
    """All random streams of a run, or of one center in it.

    Parameters
    ----------
    seed : the run's seed.
    scope : the names that every stream below this object carries (a center's name).

    Examples
    --------
    >>> a = Streams(1).generator("fault", "smoke_alarm", 0).random()
    >>> a == Streams(1).generator("fault", "smoke_alarm", 0).random()
    True
    """

    seed: int
    scope: tuple[str, ...] = field(default=())

    def within(self, *names: str) -> Streams:
        """The streams of a part of the run, for instance of one center."""
        return Streams(self.seed, self.scope + names)

    def generator(self, *name: str | int) -> np.random.Generator:
        """A fresh generator at the beginning of the named stream."""
        words = "\x1f".join([*self.scope, *map(str, name)])
        key = np.frombuffer(hashlib.blake2b(words.encode(), digest_size=16).digest(), np.uint32)
        sequence = np.random.SeedSequence(self.seed, spawn_key=tuple(int(k) for k in key))
        return np.random.Generator(np.random.PCG64(sequence))
