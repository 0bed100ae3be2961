"""Outages of whatever is down for a while and comes back: cells, feeders, uplinks, vendors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.streams import Streams


def sample_outages(
    name: str,
    n: int,
    rate: ArrayLike,
    mean_duration: ArrayLike,
    streams: Streams,
    seconds: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Outages of n entities that are all up at time 0: exponential times up and down, in turn.

    A higher rate only compresses the same luck: the k-th outage comes earlier, nothing else is
    drawn anew.

    Parameters
    ----------
    name : the activity, which names the random streams (``"cell_outage"``).
    n : number of entities.
    rate : outages per second of time up, a number or shape (n,).
    mean_duration : mean length in seconds, a number or shape (n,).
    streams : the random streams; round k takes one array over all entities for the times up and
        one for the lengths.
    seconds : the period; outages that begin in it are returned, with ends that may lie beyond.

    Returns
    -------
    entity, start, end : one row per outage, by entity and time; an entity's outages do not overlap.
    """
    every_rate = np.broadcast_to(np.asarray(rate, dtype=np.float64), (n,))
    every_mean = np.broadcast_to(np.asarray(mean_duration, dtype=np.float64), (n,))
    mean_up = np.divide(1.0, every_rate, out=np.full(n, np.inf), where=every_rate > 0)
    entities: list[NDArray[np.int64]] = []
    starts: list[NDArray[np.float64]] = []
    ends: list[NDArray[np.float64]] = []
    up_again = np.zeros(n)
    round_ = 0
    while True:
        start = up_again + mean_up * streams.generator(name, "up", round_).standard_exponential(n)
        began = np.flatnonzero(start < seconds)
        if began.size == 0:
            break
        length = streams.generator(name, "down", round_).standard_exponential(n)
        up_again = start + every_mean * length
        entities.append(began)
        starts.append(start[began])
        ends.append(up_again[began])
        round_ += 1
    if not entities:
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)
    entity = np.concatenate(entities)
    order = np.argsort(entity, kind="stable")  # rounds are in order of time already
    return entity[order], np.concatenate(starts)[order], np.concatenate(ends)[order]
