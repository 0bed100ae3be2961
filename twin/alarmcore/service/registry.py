"""What the service knows by heart: the places of devices, and the states of venues."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

from twin.alarmcore.lifecycle import VenueState
from twin.alarmcore.store.batch import StoredVenue, stored
from twin.alarmcore.store.database import Pool
from twin.terms import Category

CHANGED = "registry"
"""Whoever changes the registry NOTIFYs this channel, with the vendor's name or nothing."""

PAGE = 500
"""Devices that are read at a time before anybody asks for them."""

PAGE_S = 0.05
"""Pause between two pages, s: others have their turn."""

QUIET_S = 1.0
"""Since so long the registry has not changed before it is read whole (assumption)."""

MOST_DEVICES = 200_000
"""So many are known by heart (assumption), at some 200 bytes each."""

MOST_STATES = 50_000
"""Venues whose states are kept (assumption): at some kB each where alarms are open."""

_DEVICES = """
    SELECT id, venue, category FROM device WHERE id = ANY($1::text[]) AND removed IS NULL
    """

_PAGE = """
    SELECT d.id, d.venue, d.category, s.state, s.at, s.version, v.responsible
    FROM (SELECT id, venue, category FROM device WHERE id > $1 AND removed IS NULL
          ORDER BY id LIMIT $2) AS d
    LEFT JOIN venue v ON v.id = d.venue LEFT JOIN venue_state s ON s.venue = d.venue
    ORDER BY d.id
    """

_STATES = """
    SELECT u.venue, s.state, s.at, s.version, v.responsible FROM unnest($1::text[]) AS u (venue)
    LEFT JOIN venue v ON v.id = u.venue LEFT JOIN venue_state s ON s.venue = u.venue
    """


_CATEGORIES = {category.value: category for category in Category}


def venue_of(device: str, venue: str | None) -> str:
    """The venue in whose state a device is; one of its own where nobody knows where it is."""
    return f"?{device}" if venue is None else venue


class Known(NamedTuple):
    """A registered device."""

    venue: str | None
    category: Category


class Registry:
    """A cache of devices and of venues' states; :meth:`forget` when the registry has changed.

    A state may have been changed by another worker: whoever writes on what is known here has its
    version looked at by the statement that writes.
    """

    def __init__(self) -> None:
        self._devices: dict[str, Known] = {}
        self._states: dict[str, StoredVenue] = {}
        self._in_hand: Counter[str] = Counter()
        self._forgotten = 0
        self._changed = asyncio.Event()

    def forget(self) -> None:
        """Reads everything anew from now on."""
        self._forgotten += 1
        self._changed.set()
        self._devices.clear()
        self._states.clear()

    async def devices(self, db: asyncpg.Connection, ids: Iterable[str]) -> dict[str, Known]:
        """The registered ones of these devices."""
        known, unread = {}, []
        for device in ids:
            entry = self._devices.get(device)
            if entry is None:
                unread.append(device)
            else:
                known[device] = entry
        if unread:
            forgotten = self._forgotten
            rows = await db.fetch(_DEVICES, unread)
            read = {device: Known(venue, _CATEGORIES[category]) for device, venue, category in rows}
            known |= read
            if forgotten == self._forgotten:  # else they may have changed meanwhile
                self._devices |= read
        return known

    async def learn(self, pool: Pool) -> None:
        """Reads all devices and their venues' states, and again when they were forgotten.

        Until then they are read when they are asked for. It goes on until it is cancelled.

        Raises
        ------
        OSError, asyncpg.PostgresError
            If the database is away.
        """
        while True:
            self._changed.clear()
            forgotten, after, more = self._forgotten, "", True
            while more and forgotten == self._forgotten and len(self._devices) < MOST_DEVICES:
                async with pool.acquire() as db:
                    rows = await db.fetch(_PAGE, after, PAGE)
                if forgotten == self._forgotten:
                    self._learn(rows)
                more = len(rows) == PAGE
                if more:
                    after = rows[-1][0]
                    await asyncio.sleep(PAGE_S)
            await self._changed.wait()
            await asyncio.sleep(QUIET_S)

    def _learn(self, rows: Iterable[Sequence[Any]]) -> None:
        for device, venue, category, *state in rows:
            self._devices[device] = Known(venue, _CATEGORIES[category])
            room = len(self._states) < MOST_STATES
            if room and venue is not None and venue not in self._states:
                self._states[venue] = _state(venue, *state)

    @contextlib.contextmanager
    def deciding(self, venues: Collection[str]) -> Iterator[bool]:
        """Something is decided on the states of venues until this ends.

        False where that is so of one of them already: what is known of it here is about to change.
        """
        alone = self._in_hand.keys().isdisjoint(venues)
        self._in_hand.update(venues)
        try:
            yield alone
        finally:
            for venue in venues:
                self._in_hand[venue] -= 1
                if not self._in_hand[venue]:
                    del self._in_hand[venue]

    async def states(self, db: asyncpg.Connection, venues: Iterable[str]) -> dict[str, StoredVenue]:
        """The states of venues, as they were when this worker last heard of them."""
        known, unread = {}, []
        for venue in venues:
            state = self._states.get(venue)
            if state is None:
                unread.append(venue)
            else:
                known[venue] = state
        if unread:
            for venue, *state in await db.fetch(_STATES, unread):
                known[venue] = _state(venue, *state)
        return known

    def keep(self, states: Mapping[str, StoredVenue]) -> None:
        """Venues' states as they were just stored, for all that is known here.

        One without an alarm has to be read anew: how many people are responsible may have changed
        since its last alarm was raised.
        """
        for venue, state in states.items():
            known = self._states.get(venue)
            if known is not None and known.version > state.version:
                continue
            if state.state.alarm is None:
                self._states.pop(venue, None)
            else:
                self._states[venue] = state
        while len(self._states) > MOST_STATES:
            del self._states[next(iter(self._states))]


def _state(
    venue: str, state: bytes | None, at: float, version: int, responsible: int | None
) -> StoredVenue:
    if state is None:
        return StoredVenue(VenueState(venue, responsible or 0), 0.0, 0)
    return stored(state, at, version, responsible)
