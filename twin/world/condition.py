"""The true condition of every device, as failures and repairs change it.

Failures are sampled beforehand as arrays; what happens to a device that is already down is thinned
out here, on arrival, because repairs feed back into the population. The platform learns of a
condition later than it begins: each one carries the time at which its ticket can open.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.center.maintenance import BackOnline, NewTicket
from twin.terms import Ticket

LOW_BATTERY_RESERVE_S = 30 * 86400.0
"""From the first warning to the empty battery: product manuals; EN 14604 asks as much."""


BATTERY_EMPTY = "battery empty"
"""Cause of a device that nobody gave a new battery in time."""


class Change(IntEnum):
    """What can become of a device."""

    FAULT = 0
    """Reported by the device; it no longer detects."""
    DEAD = 1
    """Silent: neither detects nor reports."""
    CUT_OFF = 2
    """Detects, cannot report; ends at ``until`` or by a visit."""
    LOW_BATTERY = 3
    DIRTY = 4
    TAMPERED = 5
    OLD = 6
    HAZARD = 7
    """Nothing is wrong with the device: something on site is to be looked into."""
    PERIODIC = 8
    FALSE_FLAG = 9
    """Only the vendor's flag, until ``until``: heartbeats got lost."""
    HEALED = 10
    BATTERY_EMPTY = 11
    BACK = 12
    """The platform hears from an offline device again that nobody has visited."""


CHANGES = tuple(Change)

# By name: Python 3.11 takes as long to look a member up in its class as to call a function.
(FAULT, DEAD, CUT_OFF, LOW_BATTERY, DIRTY, TAMPERED, OLD, HAZARD, PERIODIC, FALSE_FLAG, HEALED,
 EMPTY, BACK) = CHANGES  # fmt: skip

TICKETS = {
    FAULT: Ticket.FAULT,
    DEAD: Ticket.OFFLINE,
    CUT_OFF: Ticket.OFFLINE,
    LOW_BATTERY: Ticket.BATTERY,
    DIRTY: Ticket.CLEANING,
    TAMPERED: Ticket.FAULT,
    OLD: Ticket.END_OF_LIFE,
    HAZARD: Ticket.HAZARD,
    PERIODIC: Ticket.PERIODIC,
    FALSE_FLAG: Ticket.OFFLINE,
    EMPTY: Ticket.OFFLINE,
}


REPORTED = (
    FAULT,
    TAMPERED,
    LOW_BATTERY,
    DIRTY,
    HAZARD,
)
"""What the device itself has to report: unknown as long as it is cut off."""


@dataclass
class Changes:
    """Changes to come, as columns; one entry per change.

    ``time`` and ``until`` are true times, ``known`` and ``back`` are when the platform learns of
    the beginning and of the end by itself (``inf``: never), all in seconds; ``cause`` numbers
    ``causes``.
    """

    time: list[NDArray[np.float64]] = field(default_factory=list)
    device: list[NDArray[np.int64]] = field(default_factory=list)
    what: list[NDArray[np.int64]] = field(default_factory=list)
    known: list[NDArray[np.float64]] = field(default_factory=list)
    until: list[NDArray[np.float64]] = field(default_factory=list)
    cause: list[NDArray[np.int64]] = field(default_factory=list)
    back: list[NDArray[np.float64]] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)

    def add(
        self,
        what: Change,
        cause: str,
        device: NDArray[np.integer],
        time: NDArray[np.float64],
        known: NDArray[np.float64],
        until: NDArray[np.float64] | None = None,
        back: NDArray[np.float64] | None = None,
    ) -> None:
        """Adds changes of one sort and cause."""
        if cause not in self.causes:
            self.causes.append(cause)
        n = len(device)
        self.time.append(time)
        self.device.append(device.astype(np.int64))
        self.what.append(np.full(n, int(what)))
        self.known.append(known)
        self.until.append(np.full(n, inf) if until is None else until)
        self.back.append(np.full(n, inf) if back is None else back)
        self.cause.append(np.full(n, self.causes.index(cause)))


_Coming = tuple[float, int, Change, float, float, float, str]
"""Time, device, what, known, until, back and cause of a change."""


def _in_order(changes: Changes) -> list[_Coming]:
    """The changes, the first one last; below them one that never comes."""
    never: _Coming = (inf, -1, PERIODIC, inf, inf, inf, "")
    if not changes.time:
        return [never]
    time = np.concatenate(changes.time)
    last_first = np.argsort(time, kind="stable")[::-1]

    def column(parts: list[NDArray[Any]]) -> list[Any]:
        values: list[Any] = np.concatenate(parts)[last_first].tolist()
        return values

    coming = zip(
        time[last_first].tolist(),
        column(changes.device),
        [CHANGES[what] for what in column(changes.what)],
        column(changes.known),
        column(changes.until),
        column(changes.back),
        [changes.causes[cause] for cause in column(changes.cause)],
        strict=True,
    )
    return [never, *coming]


@dataclass(frozen=True)
class Spans:
    """Times in which devices were dead (``dead``) or cut off; ``end`` is inf where it lasts."""

    device: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    dead: NDArray[np.bool_]
    cause: tuple[str, ...]
    visited: NDArray[np.bool_]
    """Ended by a visit, after which the device reports at once."""


class Way(Protocol):
    """How the platform learns of a device's condition; all times in s, inf: never."""

    def flagged_one(self, device: int, cut_off: float, dead: int | None = None) -> float:
        """When it has the device offline; with ``dead`` other slaves on its bus, None: no host."""
        ...

    def seen_one(self, device: int, restored: float, registers: bool) -> float:
        """When it sees the device back that can report from ``restored`` on."""
        ...

    def host_tells_one(self, device: int, time: float) -> float:
        """When it has from its host what that knows at ``time``: the slave is dead."""
        ...

    def late_one(self, device: int, sent: float, arrival: float, dead: int) -> float:
        """When a slave's telegram arrives that would be there at ``arrival`` but for the dead."""
        ...

    def state_known_one(self, device: int, time: float) -> float:
        """When it learns of a state that only heartbeats carry."""
        ...


class Condition:
    """All devices of a center; see :class:`twin.center.maintenance.Condition` for its use.

    Parameters
    ----------
    changes : what will happen to the devices.
    way : how it becomes known.
    registration_s : from a visit to the device being able to report, per device, s.
    battery_s : life of a fresh battery of each device up to its warning, s (inf: none).
    gateway : what each device hangs on (RS485 host), -1: nothing. A gateway that is cut off has
        all of them cut off with it.
    period_s : end of the run, s.

    Attributes
    ----------
    unheard : alarm signals (by their numbers) that a dead or cut-off device did not send, and why.
    fault_reports : device, when the platform had its fault report, when it began, cause.
    low_batteries : device, since when, and when it was changed.
    low_reports : device, and when the platform learned of its low battery.
    visited_flags : when a visit ended a flag of lost heartbeats alone, by (device, flag).
    """

    def __init__(
        self,
        changes: Changes,
        way: Way,
        registration_s: Sequence[float],
        battery_s: Sequence[float],
        gateway: Sequence[int],
        period_s: float,
    ) -> None:
        devices = len(gateway)
        self._coming = _in_order(changes)
        self._way = way
        self._registration_s = registration_s
        self._battery_s = battery_s
        self._gateway = gateway
        self._slaves: dict[int, list[int]] = {}
        for device, host in enumerate(gateway):
            if host >= 0:
                self._slaves.setdefault(host, []).append(device)
        self._period_s = period_s
        self._count = 0
        self._later: list[tuple[float, int, int, Change, float, float, str]] = []
        self._tickets: list[tuple[float, int, int, Change, float]] = []
        self.dead_since = [inf] * devices
        self.cut_since = [inf] * devices
        self._dead_cause: dict[int, str] = {}
        self._cut_cause: dict[int, str] = {}
        self._cuts: dict[int, list[tuple[float, str]]] = {}
        self._flagged: dict[int, float] = {}
        self._silent: set[int] = set()
        self._withheld: dict[int, list[tuple[Change, float]]] = {}
        self._low_since: dict[int, float] = {}
        self._flag: dict[int, tuple[float, float]] = {}
        self._back: dict[int, float] = {}
        self._host_back: dict[int, tuple[float, bool]] = {}
        self._restored = [-inf] * devices
        self._dead_spans: list[tuple[int, float, float, str, bool]] = []
        self._cut_spans: list[tuple[int, float, float, str, bool]] = []
        self.unheard: dict[int, str] = {}
        self.low_batteries: list[tuple[int, float, float]] = []
        self.fault_reports: list[tuple[int, float, float, str]] = []
        self.low_reports: list[tuple[int, float]] = []
        self.visited_flags: dict[tuple[int, float], float] = {}
        self._last_dead: dict[int, tuple[float, float]] = {}
        self._last_cut: dict[int, tuple[float, float]] = {}

    # -- as the center's maintenance sees it

    def due(self, now: float) -> Iterator[NewTicket | BackOnline]:
        """What the platform has learned of since the last call, in order of time."""
        tickets = self._tickets
        while True:
            # What happens until the next thing is learned may let something be learned earlier.
            while self._soonest() <= (tickets[0][0] if tickets and tickets[0][0] < now else now):
                self._happen()
            if not tickets or tickets[0][0] > now:
                return
            known, _, device, what, since = heapq.heappop(self._tickets)
            if what is BACK:
                if self.cut_since[device] > known:
                    yield BackOnline(known, device)
            elif what in REPORTED and self._mute_at(device, known):
                self._withheld.setdefault(device, []).append((what, since))
                self._release(device)  # if it is back since then
            elif self._holds(device, what, since, known):
                if what in (FAULT, TAMPERED):
                    cause = self._dead_cause[device]
                    self.fault_reports.append((device, known, since, cause))
                elif what is LOW_BATTERY:
                    self.low_reports.append((device, known))
                yield NewTicket(known, device, TICKETS[what])

    def broken(self, device: int) -> bool:
        """Whether the device itself is dead or cut off."""
        return self.dead_since[device] < inf or self.cut_since[device] < inf

    def needs_battery(self, device: int) -> bool:
        """Whether only a new battery (or another device) brings it back."""
        causes = (self._dead_cause.get(device), self._cut_cause.get(device))
        return BATTERY_EMPTY in causes

    def restored_at(self, device: int) -> float:
        """When somebody last put the device in order; ``-inf`` if never."""
        return self._restored[device]

    def cause(self, device: int, ticket: Ticket) -> str:
        """What somebody who looks at the device finds."""
        if ticket is Ticket.OFFLINE:
            if device in self._dead_cause:
                return self._dead_cause[device]
            return self._cut_cause.get(device, "heartbeats lost on the radio")
        return self._dead_cause.get(device, ticket.value)

    def restore(self, device: int, now: float, *, battery: bool, exchanged: bool) -> None:
        """Repaired now: it detects and reports again; a new battery begins its life."""
        self.advance(now)
        if self.dead_since[device] < inf:
            self._end_dead(device, now)
        if self.cut_since[device] < inf:
            self._end_cut(device, now, True)
        if device in self._flag:
            flag, _ = self._flag.pop(device)
            self.visited_flags[device, flag] = now
        self._restored[device] = now
        if battery or exchanged:
            since = self._low_since.pop(device, None)
            if since is not None:
                self.low_batteries.append((device, since, now))
            low = now + self._battery_s[device]
            if low < self._period_s:
                known = self._way.state_known_one(device, low)
                self._push(low, device, LOW_BATTERY, known, inf, "battery")

    # -- as the alarms see it

    def hears(self, device: int, at: float) -> str:
        """Whether an alarm of this device at this time reaches anybody: "", or why not."""
        self.advance(at)
        if self.dead_since[device] <= at:
            return "dead"
        start, end = self._last_dead.get(device, (inf, inf))
        if start <= at < end:
            return "dead"
        return "offline" if self._mute_at(device, at) else ""

    def dead_beside(self, device: int, at: float) -> int:
        """How many other slaves of the device's bus do not answer at this time (not long ago)."""
        slaves = self._slaves.get(self._gateway[device], ())
        return sum(self._cut_at(slave, at) for slave in slaves if slave != device)

    def arrival(self, device: int, sent: float, arrival: float) -> float:
        """When a telegram arrives, later than foreseen where slaves of its bus are dead."""
        dead = self.dead_beside(device, sent)
        return self._way.late_one(device, sent, arrival, dead) if dead else arrival

    # -- what happens

    def advance(self, now: float) -> None:
        """Lets everything happen that is due up to now, in order of time."""
        while self._soonest() <= now:
            self._happen()

    def _soonest(self) -> float:
        """When something happens next; inf if nothing will."""
        at, later = self._coming[-1][0], self._later
        return later[0][0] if later and later[0][0] < at else at

    def _happen(self) -> None:
        """Lets the next thing happen."""
        later = self._later
        if later and later[0][0] < self._coming[-1][0]:
            at, _, device, what, known, until, cause = heapq.heappop(later)
            self._happens(at, device, what, known, until, inf, cause)
        else:
            self._happens(*self._coming.pop())

    def _push(
        self, at: float, device: int, what: Change, known: float, until: float, cause: str
    ) -> None:
        self._count += 1
        heapq.heappush(self._later, (at, self._count, device, what, known, until, cause))

    def _ticket(self, known: float, device: int, what: Change, since: float) -> None:
        if known < inf:
            self._count += 1
            heapq.heappush(self._tickets, (known, self._count, device, what, since))

    def _happens(
        self,
        at: float,
        device: int,
        what: Change,
        known: float,
        until: float,
        back: float,
        cause: str,
    ) -> None:
        if what is HEALED:
            if self.cut_since[device] == until:
                self._healed(device, at, known)
            return
        if what is EMPTY:
            if self._low_since.get(device) != until:
                return
            known = inf
        elif self.dead_since[device] < inf and what is not PERIODIC:
            return
        if what in (DEAD, EMPTY):
            if self.dead_since[device] == inf:
                self._begin_dead(device, at, cause)
            self._silent.add(device)
            if self.cut_since[device] == inf:
                known = self._own_flag(device, at)
                self._begin_cut(device, at, cause, inf, known)
        elif what in (FAULT, TAMPERED):
            self._begin_dead(device, at, cause)
            known = self.arrival(device, at, known)
        elif what is HAZARD:
            known = self.arrival(device, at, known)
        elif what is CUT_OFF:
            since = self.cut_since[device]
            if since < inf:
                self._cuts[device].append((until, cause))
                at, known = since, self._flag_of_longer(device, at)
            else:
                self._begin_cut(device, at, cause, until, known)
            if until < inf:
                self._push(until, device, HEALED, back, at, cause)
        elif what is LOW_BATTERY:
            if device in self._low_since:
                return
            self._low_since[device] = at
            empty = at + LOW_BATTERY_RESERVE_S
            self._push(empty, device, EMPTY, inf, at, BATTERY_EMPTY)
        elif what is FALSE_FLAG:
            if self.cut_since[device] < inf:
                return
            self._flag[device] = (at, until)
            self._ticket(until, device, BACK, at)
        self._ticket(known, device, what, at)

    def _holds(self, device: int, what: Change, since: float, known: float) -> bool:
        """Whether what began at ``since`` still held when the platform learned of it."""
        if what in (DEAD, CUT_OFF, EMPTY):
            return self.cut_since[device] == since or self._back.get(device, -inf) > known
        if what in (FAULT, TAMPERED):
            return self.dead_since[device] == since
        if what is LOW_BATTERY:
            return self._low_since.get(device) == since
        if what is FALSE_FLAG:
            return device in self._flag and self._flag[device][0] == since
        return what is PERIODIC or self._restored[device] < since

    def _own_flag(self, device: int, at: float) -> float:
        """When the platform has a device offline that falls silent for good."""
        host = self._gateway[device]
        told = host >= 0 and not self._cut_at(host, at)
        return self._way.flagged_one(device, at, self.dead_beside(device, at) if told else None)

    def _flag_of_longer(self, device: int, at: float) -> float:
        """When the platform has a device offline whose silence has just become longer."""
        if self._flagged[device] < inf:
            return inf  # as it had it before
        flagged = self._way.flagged_one(device, self.cut_since[device])
        self._flagged[device] = flagged = max(flagged, at)
        return flagged

    def _healed(self, device: int, at: float, seen: float) -> None:
        """One reason has gone for which a device cannot report; others may last."""
        since, cuts = self.cut_since[device], self._cuts[device]
        cuts[:] = [cut for cut in cuts if cut[0] > at]
        if cuts:
            self._cut_cause[device] = cuts[0][1]
        elif device in self._silent:
            # Died while it was cut off: it stays offline, and that is now known to be lasting.
            self._cut_cause[device] = self._dead_cause[device]
            flagged = max(self._way.flagged_one(device, since), at)
            self._ticket(flagged, device, DEAD, since)
        else:
            self._end_cut(device, at, False, seen)

    def _cut_at(self, device: int, at: float) -> bool:
        """Whether a device was itself cut off at a time not long ago."""
        start, end = self._last_cut.get(device, (inf, inf))
        return self.cut_since[device] <= at or start <= at < end

    def _mute_at(self, device: int, at: float) -> bool:
        """Whether the device or its gateway was cut off at a time not long ago."""
        host = self._gateway[device]
        return self._cut_at(device, at) or (host >= 0 and self._cut_at(host, at))

    def _mute(self, device: int) -> bool:
        """Whether the device or its gateway is cut off."""
        host = self._gateway[device]
        return self.cut_since[device] < inf or (host >= 0 and self.cut_since[host] < inf)

    def _release(self, device: int) -> None:
        """What a device could not report while it was cut off is known once it is back."""
        if device not in self._withheld or self._mute(device):
            return
        back, host = self._back.get(device, -inf), self._gateway[device]
        if host in self._host_back:
            back = max(back, self._way.seen_one(device, *self._host_back[host]))
        for what, since in self._withheld.pop(device):
            self._ticket(back, device, what, since)

    def _begin_dead(self, device: int, at: float, cause: str) -> None:
        self.dead_since[device] = at
        self._dead_cause[device] = cause

    def _begin_cut(self, device: int, at: float, cause: str, until: float, flagged: float) -> None:
        self.cut_since[device] = at
        self._cut_cause[device] = cause
        self._cuts[device] = [(until, cause)]
        self._flagged[device] = flagged
        self._flag.pop(device, None)

    def _end_dead(self, device: int, at: float) -> None:
        start, cause = self.dead_since[device], self._dead_cause.pop(device)
        self.dead_since[device] = inf
        self._silent.discard(device)
        self._last_dead[device] = (start, at)
        self._dead_spans.append((device, start, at, cause, True))

    def _end_cut(self, device: int, at: float, visited: bool, seen: float = inf) -> None:
        start, cause = self.cut_since[device], self._cut_cause.pop(device)
        self.cut_since[device] = inf
        self._last_cut[device] = (start, at)
        self._back[device] = at if visited else seen
        if not visited:
            self._ticket(seen, device, BACK, start)
        self._release(device)
        self._cut_spans.append((device, start, at, cause, visited))
        if device in self._slaves:
            reports = at + self._registration_s[device] if visited else at
            self._host_back[device] = (reports, visited)
            for slave in self._slaves[device]:
                since = self.cut_since[slave]
                if since < inf:
                    told = self._way.host_tells_one(slave, reports)
                    self._ticket(told, slave, DEAD, since)
                else:
                    self._release(slave)

    # -- afterwards

    def spans(self) -> Spans:
        """All times in which devices were dead or cut off; those that last end at inf."""
        dead = self._dead_spans + [
            (d, self.dead_since[d], inf, cause, False) for d, cause in self._dead_cause.items()
        ]
        cut = self._cut_spans + [
            (d, self.cut_since[d], inf, cause, False) for d, cause in self._cut_cause.items()
        ]
        rows = dead + cut
        return Spans(
            device=np.array([row[0] for row in rows], dtype=np.int64),
            start=np.array([row[1] for row in rows], dtype=np.float64),
            end=np.array([row[2] for row in rows], dtype=np.float64),
            dead=np.arange(len(rows)) < len(dead),
            cause=tuple(row[3] for row in rows),
            visited=np.array([row[4] for row in rows], dtype=bool),
        )

    def unfinished_low_batteries(self) -> list[tuple[int, float, float]]:
        """Low batteries that nobody has changed by the end: device, since, inf."""
        return [(device, since, inf) for device, since in self._low_since.items()]
