"""What the service knows by heart: the places of devices, and the states of venues."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import asyncpg

from twin.alarmcore.lifecycle import VenueState
from twin.alarmcore.store.batch import StoredVenue, stored
from twin.terms import Category

CHANGED = "registry"
"""Whoever changes the registry NOTIFYs this channel, with the vendor's name or nothing."""

NEIGHBOURS = 500
"""Devices that are read with one that is asked for: those next to it will be asked for soon."""

MOST_STATES = 50_000
"""Venues whose states are kept (assumption): at some kB each where alarms are open."""

_DEVICES = """
    SELECT d.id, d.category, d.venue, s.state, s.at, s.version, v.responsible
    FROM (
        SELECT id, category, venue FROM device WHERE id = ANY($1::text[]) AND removed IS NULL
        UNION
        (SELECT id, category, venue FROM device
         WHERE id > $2 AND removed IS NULL ORDER BY id LIMIT $3)
    ) AS d LEFT JOIN venue v ON v.id = d.venue LEFT JOIN venue_state s ON s.venue = d.venue
    """

_STATES = """
    SELECT u.venue, s.state, s.at, s.version, v.responsible FROM unnest($1::text[]) AS u (venue)
    LEFT JOIN venue v ON v.id = u.venue LEFT JOIN venue_state s ON s.venue = u.venue
    """


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

    def forget(self) -> None:
        """Reads everything anew from now on."""
        self._forgotten += 1
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
            wanted = set(unread)
            read, states = {}, {}
            rows = await db.fetch(_DEVICES, unread, unread[0], NEIGHBOURS)
            for device, category, venue, *state in rows:
                read[device] = Known(venue, Category(category))
                if venue is not None and venue not in states:
                    states[venue] = _state(venue, *state)
            known |= {device: entry for device, entry in read.items() if device in wanted}
            if forgotten == self._forgotten:  # else they may have changed meanwhile
                self._devices |= read
                self.keep(states)
        return known

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
        """Venues' states as they are stored by now, for all that is known here."""
        for venue, state in states.items():
            known = self._states.get(venue)
            if known is None or known.version <= state.version:
                self._states[venue] = state
        while len(self._states) > MOST_STATES:
            del self._states[next(iter(self._states))]


def _state(
    venue: str, state: bytes | None, at: float, version: int, responsible: int | None
) -> StoredVenue:
    if state is None:
        return StoredVenue(VenueState(venue, responsible or 0), 0.0, 0)
    return stored(state, at, version, responsible)
