"""The rules by which a vendor platform believes and hands on, vectorised over devices.

A device reports at ``phase + k * interval`` (k any integer); the vendor flags it offline when
``missed`` of its heartbeats in a row did not come, and takes the flag back when it hears from it.
The on-site platform learns of a flag by a push or, if the push is lost, by its next pull.

While the vendor platform itself is down it hears nothing and flags nothing: heartbeats due in an
outage count neither as received nor as missed, so that it does not flag its whole fleet when it is
back, and a device that was cut off before is flagged that much later.

All times are seconds; ``inf`` stands for never. Nothing here loops over devices or heartbeats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.streams import Streams

Floats = NDArray[np.float64]

_NONE: Floats = np.zeros(0)


def last_heartbeat_before(t: ArrayLike, phase: ArrayLike, interval: ArrayLike) -> Floats:
    """The time of the last heartbeat at or before t."""
    t, phase, interval = _floats(t, phase, interval)
    return np.asarray(phase + np.floor((t - phase) / interval) * interval)


def next_heartbeat(t: ArrayLike, phase: ArrayLike, interval: ArrayLike) -> Floats:
    """The time of the first heartbeat at or after t; ``inf`` where t is."""
    t, phase, interval = _floats(t, phase, interval)
    return np.asarray(phase + np.ceil((t - phase) / interval) * interval)


def last_counted_heartbeat(
    t: ArrayLike,
    phase: ArrayLike,
    interval: ArrayLike,
    outage_start: Floats = _NONE,
    outage_end: Floats = _NONE,
) -> Floats:
    """The time of the last heartbeat at or before t that was due while the vendor was up.

    Parameters
    ----------
    outage_start, outage_end : the vendor's outages, sorted, not overlapping.
    """
    beat = last_heartbeat_before(t, phase, interval)
    for start, end in zip(outage_start[::-1], outage_end[::-1], strict=True):
        before = last_heartbeat_before(np.nextafter(start, -np.inf), phase, interval)
        beat = np.where((beat >= start) & (beat < end), before, beat)
    return beat


def offline_flag_time(
    cut_off_at: ArrayLike,
    phase: ArrayLike,
    interval: ArrayLike,
    missed: int,
    grace: float = 0.0,
    outage_start: Floats = _NONE,
    outage_end: Floats = _NONE,
) -> Floats:
    """When the vendor flags devices that are cut off and stay so.

    Parameters
    ----------
    cut_off_at : when each device stopped reporting, shape (n,).
    phase, interval : its heartbeats, numbers or shape (n,).
    missed : how many in a row must be missed.
    grace : how late a heartbeat may be: the flag comes so much after the last missed one was due.
    outage_start, outage_end : the vendor's own outages, sorted, not overlapping.

    Returns
    -------
    The time of the flag, if the vendor has not heard from the device before that time (compare
    with :func:`online_flag_time`).
    """
    cut_off_at, phase, interval = _floats(cut_off_at, phase, interval)
    first_missed = last_heartbeat_before(cut_off_at, phase, interval) + interval
    due = first_missed + (missed - 1) * interval
    due = _skip_outages(due, phase, interval, outage_start, outage_end, first_missed)
    return np.asarray(through_outages(due + grace, outage_start, outage_end))


def online_flag_time(
    restored_at: ArrayLike,
    phase: ArrayLike,
    interval: ArrayLike,
    registers: ArrayLike = False,
    registration_s: ArrayLike = 0.0,
    outage_start: Floats = _NONE,
    outage_end: Floats = _NONE,
) -> Floats:
    """When the vendor hears again from devices that can report again.

    Parameters
    ----------
    restored_at : when each device can report again, shape (n,).
    phase, interval : its heartbeats, numbers or shape (n,).
    registers : whether it registers and reports at once (after a power cut, a new battery), or
        knows nothing of the interruption and waits for its next heartbeat (a cell's outage).
    registration_s : how long registering takes, a number or shape (n,).
    outage_start, outage_end : the vendor's own outages, sorted, not overlapping: a report in one
        of them is lost, and the next heartbeat after it counts.
    """
    restored_at, phase, interval = _floats(restored_at, phase, interval)
    heard = np.where(
        registers,
        restored_at + np.asarray(registration_s, dtype=np.float64),
        next_heartbeat(restored_at, phase, interval),
    )
    for start, end in zip(outage_start, outage_end, strict=True):
        lost = (heard >= start) & (heard < end)
        heard = np.where(lost, next_heartbeat(end, phase, interval), heard)
    return heard


def lost_heartbeat_flags(
    loss: ArrayLike,
    phase: ArrayLike,
    interval: ArrayLike,
    missed: int,
    seconds: float,
    streams: Streams,
    grace: float = 0.0,
    activity: str = "lost_heartbeats",
    outage_start: Floats = _NONE,
    outage_end: Floats = _NONE,
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """False offline flags: devices that report, but lose ``missed`` heartbeats in a row.

    The number of heartbeats until such a run follows W. Feller, An Introduction to Probability
    Theory I, XIII.7: with x the smallest root of 1 - x + (1 - p) p^m x^(m+1) = 0, the chance of no
    run of m among n heartbeats is (1 - p x) / ((m + 1 - m x) (1 - p)) / x^(n+1). Its error is below
    0.002 at p = 0.5 and vanishes with p. Nothing is drawn per heartbeat.

    Parameters
    ----------
    loss : share of its heartbeats that are lost, below 0.5, a number or shape (n,).
    phase : its first heartbeat, from 0 to ``interval``, shape (n,); one earlier is taken as heard.
    interval : a number or shape (n,).
    missed, grace : as in :func:`offline_flag_time`.
    seconds : the period.
    streams, activity : round k takes two arrays over all devices from the streams of the activity.
    outage_start, outage_end : the vendor's own outages, sorted, not overlapping.

    Returns
    -------
    device, flag, unflag : one row per flag that begins in the period, by device and time. The
        unflag is the first heartbeat that is heard again and may lie beyond the period.

    Raises
    ------
    ValueError
        If a loss is not in [0, 0.5).
    """
    loss, phase, interval = np.broadcast_arrays(*_floats(loss, phase, interval))
    if loss.size and not (loss.min() >= 0.0 and loss.max() < 0.5):
        raise ValueError("the share of lost heartbeats must be at least 0 and below 0.5")

    def at(devices: NDArray[np.int64], heartbeat: Floats) -> Floats:
        """The times of heartbeats, by number among those that count."""
        first, step = phase[devices], interval[devices]
        return _skip_outages(first + heartbeat * step, first, step, outage_start, outage_end, first)

    rate, log_c = _run_decay(loss, missed)
    repeat = np.divide(-1.0, np.log(loss, where=loss > 0, out=np.full(loss.shape, -np.inf)))
    heard_before = np.zeros(loss.shape)  # heartbeats until and with the last one heard
    may = np.flatnonzero(loss > 0)
    rows: list[tuple[NDArray[np.int64], Floats, Floats]] = []
    round_ = 0
    while may.size:
        luck = streams.generator(activity, "run", round_).standard_exponential(loss.size)[may]
        until = np.maximum(np.ceil((log_c[may] + luck) / rate[may]) - 1.0, missed)
        last = heard_before[may] + until - 1.0
        flag = at(may, last) + grace
        flagged = flag < seconds
        may, last, flag = may[flagged], last[flagged], flag[flagged]
        luck = streams.generator(activity, "length", round_).standard_exponential(loss.size)[may]
        heard = last + 1.0 + np.floor(luck * repeat[may])
        rows.append((may, through_outages(flag, outage_start, outage_end), at(may, heard)))
        heard_before[may] = heard + 1.0
        round_ += 1
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)
    device, flags, unflags = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.argsort(device, kind="stable")  # rounds are in order of time already
    return device[order], flags[order], unflags[order]


def next_pull(
    time: ArrayLike,
    pull_phase: float,
    pull_period: float,
    outage_start: Floats = _NONE,
    outage_end: Floats = _NONE,
) -> Floats:
    """The first pull at or after a time that one vendor answers: while it is down it answers none.

    Parameters
    ----------
    time : shape (n,); ``inf`` stays ``inf``.
    pull_phase, pull_period : pulls at ``pull_phase + k * pull_period``.
    outage_start, outage_end : the vendor's outages, sorted, not overlapping.
    """
    pull = next_heartbeat(time, pull_phase, pull_period)
    for start, end in zip(outage_start, outage_end, strict=True):
        unanswered = (pull >= start) & (pull < end)
        pull = np.where(unanswered, next_heartbeat(end, pull_phase, pull_period), pull)
    return pull


def platform_time(
    vendor_time: ArrayLike, push_delay: ArrayLike, push_lost: ArrayLike, pull: ArrayLike
) -> Floats:
    """When the on-site platform learns of a *state*: pushed, or found by the next pull (Annex B).

    Whichever is first. A state that has ended before the pull is never seen: compare the begin
    with the end. An *event* is never pulled; one whose push is lost is lost.

    Parameters
    ----------
    vendor_time : when the vendor knows, shape (n,); ``inf`` stays ``inf``.
    push_delay, push_lost : seconds of the push, and whether it never comes.
    pull : the next pull that is answered (:func:`next_pull`).
    """
    known = np.asarray(vendor_time, dtype=np.float64)
    pushed = np.where(push_lost, np.inf, known + np.asarray(push_delay, dtype=np.float64))
    return np.asarray(np.minimum(pushed, pull))


def through_outages(times: ArrayLike, outage_start: Floats, outage_end: Floats) -> Floats:
    """When a vendor hands on what reaches it: at once, or when it is back from an outage.

    Parameters
    ----------
    times : any shape.
    outage_start, outage_end : one vendor's outages, sorted, not overlapping.
    """
    t = np.asarray(times, dtype=np.float64)
    if outage_start.size == 0:
        return t
    last = np.searchsorted(outage_start, t, side="right") - 1
    back = np.where(last >= 0, outage_end[last], -np.inf)
    return np.asarray(np.maximum(t, back))


def merge_intervals(
    device: NDArray[np.integer], start: Floats, end: Floats
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The union of intervals, device by device; intervals that touch become one.

    Parameters
    ----------
    device : shape (n,), in any order.
    start, end : the intervals, ``start <= end``; an end may be ``inf``.

    Returns
    -------
    device, start, end : by device and time, with a gap between any two of a device.

    Raises
    ------
    ValueError
        If an interval ends before it starts, or is not a number.
    """
    if not np.all(start <= end):
        raise ValueError("an interval ends before it starts, or is not a number")
    n = device.size
    order = np.lexsort((start, device))
    of: NDArray[np.int64] = device[order].astype(np.int64)
    start, end = start[order], end[order]
    # The running maximum of the ends within each device: ranks instead of times, because an end
    # may be infinite, each device above all ranks of the one before it.
    by_end = np.argsort(end, kind="stable")
    rank = np.empty(n, dtype=np.int64)
    rank[by_end] = np.arange(n)
    new_device = np.ones(n, dtype=np.bool_)
    new_device[1:] = of[1:] != of[:-1]
    floor = (np.cumsum(new_device) - 1) * n
    latest: Floats = end[by_end][np.maximum.accumulate(rank + floor) - floor]
    first = new_device
    first[1:] |= start[1:] > latest[:-1]
    last = np.ones(n, dtype=np.bool_)
    last[:-1] = first[1:]
    return of[first], start[first], latest[last]


def _skip_outages(
    due: Floats,
    phase: Floats,
    interval: Floats,
    outage_start: Floats,
    outage_end: Floats,
    counted_from: Floats,
) -> Floats:
    """Later heartbeats in place of those that do not count, the vendor being down.

    ``due`` is the last of a count of heartbeats that begins with the one at ``counted_from``.
    """
    for start, end in zip(outage_start, outage_end, strict=True):
        first_in_it = np.maximum(next_heartbeat(start, phase, interval), counted_from)
        uncounted = next_heartbeat(end, phase, interval) - first_in_it
        due = np.where(due >= start, due + np.maximum(uncounted, 0.0), due)
    return due


def _run_decay(loss: Floats, missed: int) -> tuple[Floats, Floats]:
    """Feller's root and factor, as log x and log c: P(no run in n) = exp(log c - (n+1) log x)."""
    heard = 1.0 - loss
    chance = heard * loss**missed
    above = np.zeros(loss.shape)  # x - 1; Newton's iteration climbs from the left to the root
    for _ in range(50):
        power = (1.0 + above) ** missed
        value = -above + chance * power * (1.0 + above)
        step = value / (1.0 - (missed + 1) * chance * power)
        above = above + step
        if np.all(step <= 1e-14 * above):
            break
    return np.log1p(above), np.log((heard - loss * above) / ((1.0 - missed * above) * heard))


def _floats(*values: ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.asarray(value, dtype=np.float64) for value in values)
