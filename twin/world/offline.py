"""When devices were offline: truly, to their vendors, to the platform; and tickets that needed
nobody.

A device's own times and those of its surroundings, flags by missed heartbeats, by lost ones and by
an RS485 host's report are put together here, after the run, because repairs decide how long each
one lasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.vendor.platform import merge_intervals
from twin.world.condition import Condition, Spans
from twin.world.happenings import Happenings
from twin.world.surroundings import (
    AREA_CAUSES,
    CUT,
    GATEWAY,
    RS485,
    Area,
    Intervals,
    through,
)
from twin.world.way import Way

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

FINDINGS = (*AREA_CAUSES, "heartbeats lost on the radio")
"""What whoever looks at the screen finds where nobody has to go."""
_MISSED, _HOST, _HOST_POWER, _RUN = range(4)
"""Why a vendor flags: heartbeats not sent; its host found a slave dead, or without power; lost."""


@dataclass(frozen=True)
class Offline:
    """Times offline, by view, and the tickets for which nobody had to go.

    Attributes
    ----------
    truth : could not report; cause : with which each time began, a position in ``words``.
    vendor, platform : flagged, and known to be.
    tickets : from opening to end; finding : a position in :data:`FINDINGS` for each.
    mute : times in which devices said nothing, dead, cut off or behind a gateway that was.
    """

    truth: Intervals
    cause: Indices
    words: tuple[str, ...]
    vendor: Intervals
    platform: Intervals
    tickets: Intervals
    finding: Indices
    mute: Intervals


@dataclass(frozen=True)
class _Own:
    """Times in which devices were cut off by a fault of their own."""

    device: Indices
    start: Floats
    end: Floats
    reports: Floats
    """From when on it can report: after a visit once it has registered."""
    visited: NDArray[np.bool_]
    heard: Floats
    causes: list[str]


def offline_times(
    way: Way,
    happenings: Happenings,
    condition: Condition,
    spans: Spans,
    patience_s: float,
    jobs: Sequence[tuple[int, float, float]],
) -> Offline:
    """Works out when which device was offline.

    Parameters
    ----------
    way, happenings, condition : of the center, after its run.
    spans : the devices' own times.
    patience_s : a flag of lost heartbeats that ends sooner than this needs no visit.
    jobs : device, opening and end of the offline tickets that the center worked on.
    """
    own = _own(way, spans)
    behind = _behind_gateways(way, own)
    area = way.area.joined(behind)
    words = (*AREA_CAUSES, *dict.fromkeys(own.causes))
    truth, began_by, heard = _true_outages(own, area, words)
    deaf = merge_intervals(truth[0], truth[1], heard)
    flags = _flags(way, happenings, condition, own, area, deaf)
    vendor = merge_intervals(flags.device, flags.start, flags.end)
    known, gone = (
        way.at_platform(vendor[0], vendor[1]),
        way.at_platform(vendor[0], vendor[2], back=True),
    )
    _news_supersedes(vendor[0], gone)
    seen = np.flatnonzero(known < gone)
    # One pull may end a flag and begin the next: to the platform that is one.
    platform = merge_intervals(vendor[0][seen], known[seen], gone[seen])
    began = seen[_positions(vendor[0][seen], known[seen], platform)]
    flagged = _positions(flags.device, flags.start, (vendor[0][began], vendor[1][began], gone))
    cause = _causes(way, own, area, flags, flagged, platform[1], patience_s)
    tickets, which = _tickets(platform, cause, jobs)
    return Offline(
        truth=truth,
        cause=began_by,
        words=words,
        vendor=vendor,
        platform=platform,
        tickets=tickets,
        finding=cause[which],
        mute=merge_intervals(
            np.concatenate([spans.device, behind.device]),
            np.concatenate([spans.start, behind.start]),
            np.concatenate([spans.end, behind.end]),
        ),
    )


def dead_beside(
    way: Way, device: Indices, time: Floats, dead: Indices, start: Floats, end: Floats
) -> Indices:
    """How many other slaves of their buses were dead.

    Parameters
    ----------
    device, time : which slaves, and when.
    dead, start, end : devices that did not answer, and from when to when.
    """
    count = np.zeros(len(device), np.int64)
    if not np.any(way.link[device] == RS485):
        return count
    on_bus = np.flatnonzero(way.link[dead] == RS485)
    of_bus: dict[int, list[tuple[int, float, float]]] = {}
    for i in on_bus.tolist():
        mine = (int(dead[i]), float(start[i]), float(end[i]))
        of_bus.setdefault(int(way.gateway[dead[i]]), []).append(mine)
    for i in np.flatnonzero(np.isin(way.gateway[device], list(of_bus))).tolist():
        others = of_bus[int(way.gateway[device[i]])]
        count[i] = sum(s <= time[i] < e for other, s, e in others if other != device[i])
    return count


def _own(way: Way, spans: Spans) -> _Own:
    cut = ~spans.dead
    device, start, end = spans.device[cut], spans.start[cut], spans.end[cut]
    visited = spans.visited[cut]
    reports = np.where(visited, end + way.registration[device], end)
    causes = [cause for cause, mine in zip(spans.cause, cut.tolist(), strict=True) if mine]
    heard = _unflag(way, device, reports, visited)
    return _Own(device, start, end, reports, visited, heard, causes)


def _unflag(way: Way, device: Indices, reports: Floats, visited: NDArray[np.bool_]) -> Floats:
    """When the vendor hears the devices again; inf for those that never report again."""
    heard = np.full(len(device), np.inf)
    ends = np.isfinite(reports)
    heard[ends] = way.vendor_unflag(device[ends], reports[ends], visited[ends])
    return heard


def _behind_gateways(way: Way, own: _Own) -> Area:
    """What hangs on a gateway that is cut off is so, too, until somebody repairs that."""
    hosts = np.flatnonzero(way.around.gateways()[own.device])
    rows, slave = way.around.behind(own.device[hosts])
    rows = hosts[rows]
    heard = _unflag(way, slave, own.reports[rows], own.visited[rows])
    cause = np.full(len(slave), GATEWAY, np.int8)
    return Area(slave, own.start[rows], own.end[rows], heard, cause)


def _true_outages(own: _Own, area: Area, words: Sequence[str]) -> tuple[Intervals, Indices, Floats]:
    """A device's own times and those of its surroundings, merged.

    Returns
    -------
    truth, cause, heard : the times, the cause with which each began (a position in ``words``),
        and when the vendor hears the device again.
    """
    number = {word: i for i, word in enumerate(words)}
    cause = np.concatenate(
        [np.array([number[word] for word in own.causes], np.int64), area.cause.astype(np.int64)]
    )
    who = np.concatenate([own.device, area.device])
    since = np.concatenate([own.start, area.start])
    until = np.concatenate([own.end, area.end])
    back = np.concatenate([own.heard, area.heard])
    truth = merge_intervals(who, since, until)
    merged, begin, last = truth
    part = np.empty(len(who), np.int64)
    order = np.lexsort((since, who))
    scale = float(since.max(initial=0.0)) + 1.0
    keys = merged * scale + begin
    part[order] = np.searchsorted(keys, (who * scale + since)[order], side="right") - 1
    first = order[np.searchsorted((who * scale + since)[order], keys)]
    heard = np.full(len(merged), -np.inf)
    ends = until >= last[part]
    np.maximum.at(heard, part[ends], back[ends])
    return truth, cause[first], heard


@dataclass(frozen=True)
class _Flags:
    """Flags as they would be each for itself; they may overlap."""

    device: Indices
    start: Floats
    end: Floats
    why: Indices
    returns: Floats
    """When the vendor hears a device again that only loses heartbeats, if nobody visits it."""


def _flags(
    way: Way,
    happenings: Happenings,
    condition: Condition,
    own: _Own,
    area: Area,
    deaf: Intervals,
) -> _Flags:
    """All reasons for which vendors flag, as far as devices are not heard before."""
    dark = merge_intervals(
        np.concatenate([way.area.device, own.device]),
        np.concatenate([way.area.start, own.start]),
        np.concatenate([way.area.end, own.reports]),
    )
    slave = np.flatnonzero(way.link[own.device] == RS485)
    device, since = own.device[slave], own.start[slave]
    beside = dead_beside(way, device, since, own.device, own.start, own.end)
    found = way.host_report(device, since, beside, dark)
    cut = np.flatnonzero((way.link[area.device] == RS485) & (area.cause == CUT))
    without, off = area.device[cut], area.start[cut]
    found_cut = way.host_report(without, off, way.bus.slaves[without] - 1, dark)
    lossy, run, returns, unflag = _false_flags(way, happenings, condition)
    ends = [
        deaf[2],
        np.where(found < own.end[slave], through(deaf, device, since), -np.inf),
        np.where(found_cut < area.end[cut], through(deaf, without, off), -np.inf),
        through(deaf, lossy, unflag),
    ]
    parts = (deaf[0], device, without, lossy)
    start = np.concatenate([way.vendor_flag(deaf[0], deaf[1]), found, found_cut, run])
    end = np.concatenate(ends)
    real = start < end
    return _Flags(
        np.concatenate(parts)[real],
        start[real],
        end[real],
        np.repeat([_MISSED, _HOST, _HOST_POWER, _RUN], [len(p) for p in parts])[real],
        np.concatenate([np.full(sum(map(len, parts[:3])), np.inf), returns])[real],
    )


def _false_flags(
    way: Way, happenings: Happenings, condition: Condition
) -> tuple[Indices, Floats, Floats, Floats]:
    """Flags by lost heartbeats: device, flag, end without and with the visit there was."""
    device, flag, returns = happenings.false_flags
    unflag = returns.copy()
    if condition.visited_flags:
        known = way.at_platform(device, flag)
        for i, key in enumerate(zip(device.tolist(), known.tolist(), strict=True)):
            visit = condition.visited_flags.get(key)
            if visit is not None:
                unflag[i] = min(unflag[i], visit + way.registration[key[0]])
    return device, flag, returns, unflag


def _news_supersedes(device: Indices, gone: Floats) -> None:
    """A flag has ended, too, once the platform hears of the end of a later one; in place.

    Rows come by device and time.
    """
    while np.any(late := (device[1:] == device[:-1]) & (gone[1:] < gone[:-1])):
        gone[:-1] = np.where(late, gone[1:], gone[:-1])


def _positions(device: Indices, start: Floats, merged: Intervals) -> Indices:
    """For merged intervals, the position of one that begins them (the first in order)."""
    scale = float(start.max(initial=0.0)) + 1.0
    key = device * scale + start
    order = np.argsort(key, kind="stable")
    return order[np.searchsorted(key[order], merged[0] * scale + merged[1], side="left")]


def _causes(
    way: Way,
    own: _Own,
    area: Area,
    flags: _Flags,
    flagged: Indices,
    known: Floats,
    patience_s: float,
) -> Indices:
    """What whoever looks at the screen finds for each flag; -1: nothing, somebody has to go.

    The surroundings of the last heartbeat that was missed, as long as the device itself was not
    cut off by then; after them, heartbeats lost for a short time.
    """
    device, why = flags.device[flagged], flags.why[flagged]
    cause = np.where(why == _HOST_POWER, CUT, -1)
    cut = merge_intervals(own.device, own.start, own.end)
    order = np.lexsort((area.start, area.device))
    vendor = way.vendor[device]
    grace = np.array([v.grace for v in way.vendors])[vendor]
    missed = np.array([v.missed_heartbeats for v in way.vendors])[vendor]
    beat = way.last_beats(device, flags.start[flagged] - grace + 1e-3)
    open_ = np.flatnonzero((why == _MISSED) | (why == _RUN))
    for k in range(int(missed.max(initial=0))):
        open_ = open_[(cause[open_] < 0) & (k < missed[open_])]
        at = beat[open_]
        own_fault = through(cut, device[open_], at) > at
        found = _area_at(area, order, device[open_], at)
        cause[open_] = np.where(own_fault, -1, found)
        beat[open_] = way.last_beats(device[open_], at - way.interval[device[open_]] / 2.0)
    short = (why == _RUN) & (flags.returns[flagged] - known <= patience_s)
    return np.where((cause < 0) & short, len(AREA_CAUSES), cause).astype(np.int64)


def _area_at(area: Area, order: Indices, device: Indices, time: Floats) -> Indices:
    """The cause in a device's surroundings at a time, the first if there are several; or -1."""
    who = area.device[order]
    first = np.searchsorted(who, device, side="left")
    count = np.searchsorted(who, device, side="right") - first
    query = np.repeat(np.arange(len(device)), count)
    row = np.arange(len(query)) + np.repeat(first - (np.cumsum(count) - count), count)
    start, end = area.start[order[row]], area.end[order[row]]
    active = np.flatnonzero((start <= time[query]) & (time[query] < end))
    cause = np.full(len(device), -1, np.int64)
    cause[query[active[::-1]]] = area.cause[order[row[active[::-1]]]]
    return cause


def _tickets(
    platform: Intervals, cause: Indices, jobs: Sequence[tuple[int, float, float]]
) -> tuple[Intervals, Indices]:
    """Tickets of flags that need nobody, and their positions among the flags.

    A flag has one ticket. One that somebody works on, from the beginning or later, is that job's:
    the other ends where the job begins.
    """
    which = np.flatnonzero(cause >= 0)
    device, known, gone = platform[0][which], platform[1][which], platform[2][which]
    worked = np.array(jobs, np.float64).reshape(-1, 3)
    n = len(worked)
    who = np.concatenate([worked[:, 0].astype(np.int64), device])
    # The margin is for rounding: a job that begins with the flag comes before it.
    order = np.lexsort((np.concatenate([worked[:, 1] - 1e-3, known]), who))
    is_job = order < n
    place = np.arange(len(order))
    before = np.maximum.accumulate(np.where(is_job, place, -1))[~is_job]
    after = np.minimum.accumulate(np.where(is_job, place, len(order))[::-1])[::-1][~is_job]
    mine = order[~is_job] - n
    free, until = np.ones(len(which), bool), gone.copy()
    if n:
        previous, following = order[np.maximum(before, 0)], order[np.minimum(after, len(order) - 1)]
        covered = (before >= 0) & (who[previous] == device[mine])
        covered[covered] &= worked[previous[covered], 2] >= known[mine[covered]]
        free[mine] = ~covered
        taken = (after < len(order)) & (who[following] == device[mine])
        until[mine[taken]] = np.minimum(gone[mine[taken]], worked[following[taken], 1])
    return (device[free], known[free], until[free]), which[free]
