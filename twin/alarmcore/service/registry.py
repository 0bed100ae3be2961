"""What the service knows of devices by heart: their venues and categories, read when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import asyncpg

from twin.terms import Category

CHANGED = "registry"
"""Whoever changes the registry NOTIFYs this channel, with the vendor's name or nothing."""


class Known(NamedTuple):
    """A registered device."""

    venue: str | None
    category: Category


class Registry:
    """A cache of the device table; :meth:`forget` when the registry has changed."""

    def __init__(self) -> None:
        self._devices: dict[str, Known] = {}
        self._forgotten = 0

    def forget(self) -> None:
        """Reads everything anew from now on."""
        self._forgotten += 1
        self._devices.clear()

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
            rows = await db.fetch(
                "SELECT id, venue, category FROM device "
                "WHERE id = ANY($1::text[]) AND removed IS NULL",
                unread,
            )
            for device, venue, category in rows:
                known[device] = Known(venue, Category(category))
                if forgotten == self._forgotten:  # else it may have changed meanwhile
                    self._devices[device] = known[device]
        return known
