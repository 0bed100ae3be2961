"""The stock of spare devices and batteries: reorder point and lead time (5.2.9)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from math import ceil
from typing import Any

import simpy
from simpy.events import Event

from twin.center.settings import SpareSettings
from twin.log import LogWriter
from twin.terms import Kind

BATTERIES = "battery"
"""The part that a battery change takes."""


LEAST_STOCK = 2
"""Of each part, however few devices there are (assumption, 1 to 5)."""


class Spares:
    """The center's stock; an order brings a part back to its full stock.

    Parameters
    ----------
    env, log, settings : the center's.
    devices : number of devices of each kind, and of battery devices under :data:`BATTERIES`.

    Attributes
    ----------
    came : called with part and number when a delivery has come.
    """

    def __init__(
        self,
        env: simpy.Environment,
        log: LogWriter,
        settings: SpareSettings,
        devices: Mapping[str, int],
    ) -> None:
        self.env = env
        self.log = log
        self.settings = settings
        self.full = {
            part: max(
                LEAST_STOCK, ceil((settings.batteries if part == BATTERIES else settings.share) * n)
            )
            for part, n in devices.items()
        }
        self.stock = dict(self.full)
        self._ordered: set[str] = set()
        self.came: Callable[[str, int], None] = lambda _part, _number: None

    def load(self, part: str) -> bool:
        """Takes one from the stock into a vehicle; False where there is none."""
        if self.stock[part] == 0:
            return False
        self.stock[part] -= 1
        reorder_at = self.settings.reorder_share * self.full[part]
        if part not in self._ordered and self.stock[part] <= reorder_at:
            self._order(part)
        return True

    def unload(self, part: str) -> None:
        """Puts one back that was not needed."""
        self.stock[part] += 1

    def _order(self, part: str) -> None:
        number = self.full[part] - self.stock[part]
        self._ordered.add(part)
        self.log.row(self.env.now, Kind.SPARE_ORDERED, part, value=float(number))
        self.env.process(self._delivery(part, number))

    def _delivery(self, part: str, number: int) -> Generator[Event, Any, None]:
        yield self.env.timeout(self.settings.lead_time)
        self._ordered.discard(part)
        self.stock[part] += number
        self.log.row(self.env.now, Kind.SPARE_RECEIVED, part, value=float(number))
        self.came(part, number)
        if self.stock[part] <= self.settings.reorder_share * self.full[part]:
            self._order(part)
