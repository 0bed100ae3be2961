"""RS485 buses at work: when a host reads its slaves, and when it finds one of them dead.

A host polls all its slaves in turn, round after round. A slave that does not answer costs it all
its tries, so that whatever the others show is read later as long as the slave is dead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.network.rs485 import (
    alarm_delay_s,
    dead_known_delay_s,
    exchange_s,
    poll_cycle_s,
    silent_poll_s,
)
from twin.network.settings import Rs485Settings

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Buses:
    """The buses of a center.

    Parameters
    ----------
    settings : of all buses.
    gateway : the host of each device, -1 without one.
    turn : when in a round each device is asked, as a share of the round.

    Attributes
    ----------
    cycle : seconds of a round over the device's bus while everybody answers; 0 without a bus.
    slaves : how many devices its bus has.
    """

    def __init__(self, settings: Rs485Settings, gateway: Indices, turn: Floats) -> None:
        line = (settings.registers, settings.baud, settings.bits_per_character, settings.answer)
        patience = (settings.timeout, settings.tries)
        self.turn = turn
        self.exchange = exchange_s(*line)
        self.silent_poll = silent_poll_s(settings.baud, settings.bits_per_character, *patience)
        self.lost_per_dead = poll_cycle_s(1, *line, 1, *patience) - poll_cycle_s(1, *line)
        per_host = np.bincount(gateway[gateway >= 0], minlength=len(gateway))
        self.slaves = np.where(gateway >= 0, per_host[gateway], 0)
        cycles = np.array([poll_cycle_s(n, *line) for n in range(int(per_host.max(initial=0)) + 1)])
        self.cycle = cycles[self.slaves]

    def waits(self, device: Indices, time: Floats, dead: NDArray[np.integer] | int) -> Floats:
        """Seconds that telegrams wait longer because so many other slaves of their bus are dead."""
        return self._share(device, time) * self.lost_per_dead * dead

    def reads_after(self, device: Indices, time: Floats) -> Floats:
        """Seconds from a slave's signal to its host having read it, while everybody answers."""
        return alarm_delay_s(self.cycle[device], self._share(device, time), self.exchange)

    def finds_dead_after(
        self, device: Indices, time: Floats, dead: NDArray[np.integer] | int
    ) -> Floats:
        """Seconds from a slave's death to its host knowing it; ``dead`` others are dead as well."""
        cycle = self.cycle[device] + self.lost_per_dead * dead
        return dead_known_delay_s(cycle, self._share(device, time), self.silent_poll)

    def _share(self, device: Indices, time: Floats) -> Floats:
        """What remains of the round, as a share of it, until the host asks these slaves."""
        return np.asarray((self.turn[device] - time / self.cycle[device]) % 1.0)
