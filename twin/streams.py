"""Named random streams: every draw belongs to an activity, never to the order of consumption.

A stream is named by its activity (and, where one activity draws several times, by the round).
The arrays drawn from it run over all entities of the activity in the order of their ids, so that
two scenarios share their luck wherever they share their parts (common random numbers), and adding
a device kind shifts nobody else's draws.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

# SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits whose outputs pass BigCrush.
GOLDEN = 0x9E3779B97F4A7C15
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_64_BITS = 2**64 - 1


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
        key = hashlib.blake2b(words.encode(), digest_size=16).digest()
        # What SeedSequence(seed, spawn_key=key) puts together of the two, at half its cost: a small
        # center's month opens more than 300 streams.
        entropy = np.frombuffer(_entropy(self.seed) + key, "<u4")
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


@cache
def _entropy(seed: int) -> bytes:
    """A seed in the 32-bit words of :class:`numpy.random.SeedSequence`, four at least."""
    words = max(4, -(-seed.bit_length() // 32))
    return seed.to_bytes(4 * words, "little")


def mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The mixing function of SplitMix64: unrelated words from words that are neighbours."""
    z = (words ^ (words >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    return z ^ (z >> np.uint64(31))


def uniforms_at(keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draws by their numbers from sequences of uniforms in [0, 1), one sequence per key.

    For draws of which only a few of very many are ever looked at: every heartbeat of a fleet has
    one, and none is stored. The sequence of a key is SplitMix64's.

    Parameters
    ----------
    keys : shape (n,), each drawn from a named stream.
    numbers : shape (n,), the draw's number in its sequence; 0 is the first, negative ones exist.
    """
    words = mixed(keys + (numbers + 1).view(np.uint64) * np.uint64(GOLDEN))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform_at(key: int, number: int) -> float:
    """As :func:`uniforms_at` for one key and number, quickly."""
    z = (key + (number + 1) * GOLDEN) & _64_BITS
    z = ((z ^ (z >> 30)) * _MIX_1) & _64_BITS
    z = ((z ^ (z >> 27)) * _MIX_2) & _64_BITS
    return float((z ^ (z >> 31)) >> 11) * 2.0**-53
