"""Bodies that are being read or wait to be stored: bounded for all together, and for each sender.

A connection may take its time with a body, and there may be thousands of them: without a bound
they would take all memory, and without a bound for each sender one vendor would take all the room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

MOST_BYTES = 256_000_000
"""Of all senders of a worker together (assumption)."""

MOST_OF_ONE = 64_000_000
"""Of one of them: 64 of the largest bodies at a time (assumption)."""


class NoRoom(Exception):
    """So much is under way that no more is read just now."""


class Bodies:
    """What a worker has under way."""

    def __init__(self) -> None:
        self._all = 0
        self._of: Counter[Hashable] = Counter()

    def take(self, sender: Hashable, size: int) -> None:
        """Counts bytes that have come.

        Raises
        ------
        NoRoom
            If they would be too many; they are not counted then.
        """
        if self._all + size > MOST_BYTES or self._of[sender] + size > MOST_OF_ONE:
            raise NoRoom
        self._all += size
        self._of[sender] += size

    def give_back(self, sender: Hashable, size: int) -> None:
        """What was counted has been answered."""
        self._all -= size
        self._of[sender] -= size
        if not self._of[sender]:
            del self._of[sender]


BODIES = Bodies()
"""The process's: a worker is one."""
