"""Modbus RTU over RS485: how long a host needs for its slaves, and when it notices what.

The host asks one slave after the other, each for a block of registers. Times follow from the
frames (Modbus over serial line V1.02): a read request of 8 bytes, a reply of 5 bytes and two per
register, a silence before each frame. 32 slaves at 9600 8N1 with an answer time of 50 ms take
2.9 s for 10 registers each, 4.9 s for 40, 10.6 s for 125; each dead slave adds 3 s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REQUEST_BYTES = 8  # address, function, start (2), count (2), CRC (2)
REPLY_BYTES = 5  # address, function, byte count, CRC (2); the registers come on top
MOST_REGISTERS = 125  # in one read
SLAVES_PER_SEGMENT = 32
"""Slaves on one host's segment: unit loads of TIA-485."""


def frame_s(n_bytes: int, baud: float = 9600, bits: int = 10) -> float:
    """Seconds that a frame of so many bytes takes on the line, without the silence before it."""
    return n_bytes * bits / baud


def silence_s(baud: float = 9600, bits: int = 10) -> float:
    """Seconds of silence before a frame: 3.5 characters, 1.750 ms above 19,200 bit/s."""
    return 3.5 * bits / baud if baud <= 19_200 else 1.750e-3


def exchange_s(registers: int, baud: float = 9600, bits: int = 10, answer_s: float = 0.05) -> float:
    """Seconds from the start of a poll to the end of a living slave's reply.

    Raises
    ------
    ValueError
        If ``registers`` is not from 1 to 125.
    """
    if not 1 <= registers <= MOST_REGISTERS:
        raise ValueError(
            f"a Modbus poll reads 1 to {MOST_REGISTERS} registers, {registers} were asked for"
        )
    frames = frame_s(REQUEST_BYTES + REPLY_BYTES + 2 * registers, baud, bits)
    return frames + 2 * silence_s(baud, bits) + answer_s


def silent_poll_s(
    baud: float = 9600, bits: int = 10, timeout_s: float = 1.0, tries: int = 3
) -> float:
    """Seconds that the host spends on a slave that does not answer, all its tries."""
    return tries * (frame_s(REQUEST_BYTES, baud, bits) + silence_s(baud, bits) + timeout_s)


def poll_cycle_s(
    slaves: int,
    registers: int,
    baud: float = 9600,
    bits: int = 10,
    answer_s: float = 0.05,
    dead: int = 0,
    timeout_s: float = 1.0,
    tries: int = 3,
) -> float:
    """Seconds of one round over all slaves of a bus.

    Parameters
    ----------
    slaves : slaves on the bus, dead ones included.
    registers : registers read from each, 1 to 125.
    baud, bits : bit rate; bits per character (10 for 8N1, 11 for 8E1 and 8N2).
    answer_s : a slave's answer time.
    dead : how many of the slaves do not answer.
    timeout_s, tries : the wait for a silent slave, and how often it is asked in a round.

    Raises
    ------
    ValueError
        If more slaves are dead than there are, or ``registers`` is out of range.
    """
    if not 0 <= dead <= slaves:
        raise ValueError(f"{dead} dead slaves on a bus of {slaves}: from 0 to {slaves} can be dead")
    living = (slaves - dead) * exchange_s(registers, baud, bits, answer_s)
    return living + dead * silent_poll_s(baud, bits, timeout_s, tries)


def alarm_delay_s(
    cycle: float | NDArray[np.float64],
    uniforms: NDArray[np.float64],
    exchange: float | NDArray[np.float64] = 0.0,
) -> NDArray[np.float64]:
    """Seconds until the host has read an alarm that a slave shows.

    The slave's turn comes somewhere in the round, evenly distributed.

    Parameters
    ----------
    cycle : the round in seconds, a number or shape (n,).
    uniforms : numbers in [0, 1), shape (n,).
    exchange : the poll that reads it (:func:`exchange_s`), which comes on top.
    """
    return np.asarray(cycle * uniforms + exchange, dtype=np.float64)


def dead_known_delay_s(
    cycle: float | NDArray[np.float64],
    uniforms: NDArray[np.float64],
    silent_poll: float,
) -> NDArray[np.float64]:
    """Seconds until the host knows that a slave is dead: its turn, and all its tries in vain.

    Parameters
    ----------
    cycle : the round in seconds before the slave died, a number or shape (n,).
    uniforms : numbers in [0, 1), shape (n,).
    silent_poll : the time of all tries (:func:`silent_poll_s`).
    """
    return alarm_delay_s(cycle, uniforms, silent_poll)
