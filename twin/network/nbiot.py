"""NB-IoT: latency and loss by coverage level, and random access when many devices report at once.

Devices start an access on the NPRACH: opportunities return with a fixed period per coverage level,
in each of them a device sends its preamble on one of 12 subcarriers, and two on the same one
collide. That is slotted ALOHA with 12 channels, so a cell cannot take more than 12/e accesses per
opportunity (:func:`access_ceiling`), whatever the devices do.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.network.settings import NbiotSettings
from twin.network.telegrams import first_delivery, lognormal

# ns-3 LENA-NB defaults, by coverage level 0, 1, 2 (parameters.md).
NPRACH_PERIOD_S = (0.320, 0.640, 2.560)
PREAMBLE_REPETITIONS = (1, 8, 32)
SUBCARRIERS = 12
ATTEMPTS_PER_LEVEL = 10
PREAMBLE_S = 6.4e-3  # one repetition: 4 symbol groups of 1.6 ms, format 1, 3GPP TS 36.211 10.1.6
MASS_ARRIVAL_S = 10.0  # 3GPP TR 37.868 traffic model 2

_DEFAULT = NbiotSettings()


def latency_s(
    coverage: NDArray[np.integer],
    normals: NDArray[np.float64],
    settings: NbiotSettings = _DEFAULT,
) -> NDArray[np.float64]:
    """Seconds from a report to its arrival at the vendor platform.

    Parameters
    ----------
    coverage : coverage level 0, 1 or 2 of each telegram's device, shape (n,).
    normals : standard normals, shape (n,).
    settings : means by level, spread and the longest latency (the tail is cut there, which takes
        3 % off the mean in ECL2 by default, 0.5 % in ECL1).
    """
    mean = np.array(settings.latency.means)[coverage]
    return np.minimum(lognormal(mean, settings.latency.cv, normals), settings.latency.most)


def telegram_fate(
    coverage: NDArray[np.integer],
    uniforms: NDArray[np.float64],
    settings: NbiotSettings = _DEFAULT,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each telegram arrives, and with which transmission.

    Parameters
    ----------
    coverage : coverage level 0, 1 or 2, shape (n,).
    uniforms : numbers in [0, 1), shape (n, attempts): ``settings.attempts`` columns for an alarm
        telegram, one for a heartbeat.

    Returns
    -------
    delivered, tries : as :func:`twin.network.telegrams.first_delivery`.
    """
    return first_delivery(np.array(settings.delivery.levels)[coverage], uniforms)


def arrival_delay_s(
    coverage: NDArray[np.integer],
    normals: NDArray[np.float64],
    tries: NDArray[np.integer],
    settings: NbiotSettings = _DEFAULT,
) -> NDArray[np.float64]:
    """Seconds until an alarm telegram arrives: the waits before its resends, and its latency."""
    return (tries - 1) * settings.answer_wait + latency_s(coverage, normals, settings)


def access_ceiling(level: int) -> float:
    """The most accesses per second that a cell can sustain at a coverage level.

    Slotted ALOHA over 12 subcarriers: 12/e per opportunity, so 13.8, 6.9 and 1.7 per second.
    """
    return SUBCARRIERS / NPRACH_PERIOD_S[level] / math.e


def mass_arrivals(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Seconds after a shared event at which each of n devices wants to report.

    Beta(3, 4) over 10 s, traffic model 2 of 3GPP TR 37.868.
    """
    return MASS_ARRIVAL_S * rng.beta(3.0, 4.0, n)


def random_access(
    ready_s: NDArray[np.float64], level: ArrayLike, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Seconds at which each device of one cell gets its access, simulated by opportunity.

    A device that finds nobody waiting tries at the next opportunity. One that collides, or comes
    while others wait, draws its next try from a window that holds 12 tries per opportunity on
    average: the cell bars access and announces a backoff that fits its load. Announced values end
    at 524 s in 3GPP TS 36.321 and fit less well, so this is a cell's good day. After 10 collisions
    a device goes on at the next coverage level; at the last one it keeps trying.

    Parameters
    ----------
    ready_s : when each device wants to report, shape (n,), not before 0.
    level : coverage level 0, 1 or 2, one for all or shape (n,).
    rng : the event's random numbers.

    Returns
    -------
    The end of the preamble that got through, shape (n,). What follows (answer, data) is in
    :func:`latency_s`.
    """
    ready = np.asarray(ready_s, dtype=np.float64)
    at_level = np.array(np.broadcast_to(np.asarray(level), ready.shape))
    access = np.array(ready)
    last = len(NPRACH_PERIOD_S) - 1
    for ecl in range(last + 1):
        here = np.flatnonzero(at_level == ecl)
        tries = ATTEMPTS_PER_LEVEL if ecl < last else None
        slot, escalates = _contend(
            np.ceil(access[here] / NPRACH_PERIOD_S[ecl]).astype(np.int64), tries, rng
        )
        access[here] = slot * NPRACH_PERIOD_S[ecl] + PREAMBLE_REPETITIONS[ecl] * PREAMBLE_S
        at_level[here[escalates]] = ecl + 1
    return access


def _contend(
    first: NDArray[np.int64], most_tries: int | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Contention at one coverage level, opportunity by opportunity, skipping the idle ones.

    Parameters
    ----------
    first : the first opportunity that each device can use, shape (n,).
    most_tries : collisions after which a device gives up; None: it never does.

    Returns
    -------
    slot : the opportunity in which each device got through, or gave up.
    gave_up : which devices gave up.
    """
    # In lists: at an opportunity some 12 devices try, for which arrays are slow.
    slot, gave_up, tried = first.tolist(), [False] * first.size, [0] * first.size
    coming: dict[int, list[int]] = {}
    due: dict[int, list[int]] = {}
    calendar: list[int] = []
    _schedule(list(range(first.size)), slot, coming, calendar)
    waiting = 0
    while calendar:
        now = heapq.heappop(calendar)
        trying = due.pop(now, [])
        newcomers = coming.pop(now, [])
        waiting += len(newcomers)
        # One try per device and (window + 1) / 2 opportunities: this window makes that 12 in all.
        window = max(1, round(2 * waiting / SUBCARRIERS - 1))
        if newcomers and waiting > SUBCARRIERS:
            later = now + rng.integers(0, window, len(newcomers))
            _schedule(newcomers, later.tolist(), due, calendar)
            trying += due.pop(now, [])
        else:
            trying += newcomers
        if not trying:
            continue
        if len(trying) == 1:
            slot[trying[0]] = now
            waiting -= 1
            continue
        chosen = rng.integers(0, SUBCARRIERS, len(trying)).tolist()
        again = []
        for device, subcarrier in zip(trying, chosen, strict=True):
            tried[device] += 1
            alone = chosen.count(subcarrier) == 1
            if alone or tried[device] == most_tries:
                slot[device], gave_up[device] = now, not alone
                waiting -= 1
            else:
                again.append(device)
        if again:
            later = now + rng.integers(1, window, len(again), endpoint=True)
            _schedule(again, later.tolist(), due, calendar)
    return np.array(slot, dtype=np.int64), np.array(gave_up, dtype=np.bool_)


def _schedule(
    devices: list[int],
    slots: list[int],
    due: dict[int, list[int]],
    calendar: list[int],
) -> None:
    """Enter devices for the opportunities in which they try next."""
    for device, slot in zip(devices, slots, strict=True):
        entered = due.get(slot)
        if entered is None:
            due[slot] = [device]
            heapq.heappush(calendar, slot)
        else:
            entered.append(device)
