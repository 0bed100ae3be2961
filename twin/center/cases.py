"""Cases: the alarm core at work in virtual time.

A :class:`Cases` feeds every venue's events to the pure lifecycle of :mod:`twin.alarmcore`, writes
its records into the log, and hands :class:`~twin.alarmcore.events.Attend` and the other requests
to the center. Receipts, deadlines and arrivals of helpers that lie in the future wait here and
are fed in at their own times, before anything later happens at that venue.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from twin.alarmcore.events import (
    Attend,
    CancelDeadline,
    DeadlineDue,
    Decision,
    Event,
    Notify,
    Record,
    SendConfirmed,
    SetDeadline,
)
from twin.alarmcore.lifecycle import Rules, VenueState, step
from twin.log import LogWriter


class Cases:
    """The states of all venues of a center, and the log of what became of their alarms.

    Parameters
    ----------
    center : its name, the subject of records about the center itself.
    venues : ids of the venues.
    responsible : number of responsible people of each venue.
    rules : of the alarm core.
    log : where records go.
    on_request : called with (venue, decision, now) for Attend, Notify and SendConfirmed.
    """

    def __init__(
        self,
        center: str,
        venues: list[str],
        responsible: list[int],
        rules: Rules,
        log: LogWriter,
        on_request: Callable[[int, Attend | Notify | SendConfirmed, float], None],
    ) -> None:
        self._center = center
        self._rules = rules
        self._log = log
        self._on_request = on_request
        self.states = [VenueState(v, n) for v, n in zip(venues, responsible, strict=True)]
        self._later: dict[int, list[tuple[float, int, Event]]] = {}
        self._deadlines: dict[tuple[int, str], float] = {}
        self._count = 0

    def feed(self, venue: int, event: Event, now: float) -> None:
        """Something happened at a venue; what was due there before comes first."""
        if venue in self._later:
            self.settle(venue, now)
        self._step(venue, event, now)

    def later(self, venue: int, at: float, event: Event) -> None:
        """Something will happen at a venue."""
        self._count += 1
        heapq.heappush(self._later.setdefault(venue, []), (at, self._count, event))

    def settle(self, venue: int, now: float) -> None:
        """Feeds in what was due at a venue up to now."""
        queue = self._later.get(venue)
        while queue and queue[0][0] <= now:
            at, _, event = heapq.heappop(queue)
            if type(event) is DeadlineDue:
                if self._deadlines.get((event.alarm, event.name)) != at:
                    continue  # met, withdrawn or set anew
                del self._deadlines[event.alarm, event.name]
            self._step(venue, event, at)
        if not queue:
            self._later.pop(venue, None)

    def settle_all(self, now: float) -> None:
        """Feeds in everything that was due up to now, at the end of a run."""
        for venue in sorted(self._later):
            self.settle(venue, now)

    def _step(self, venue: int, event: Event, now: float) -> None:
        self.states[venue], decisions = step(self.states[venue], event, now, self._rules)
        for decision in decisions:
            self._carry_out(venue, decision, now)

    def _carry_out(self, venue: int, decision: Decision, now: float) -> None:
        kind: Any = type(decision)
        if kind is Record:
            record: Any = decision
            what, subject, alarm, message, value, text = record
            self._log.row(
                now,
                what,
                subject or self._center,
                alarm=alarm,
                message=message,
                value=value,
                text=text,
            )
        elif kind is SetDeadline:
            deadline: Any = decision
            alarm, name, at = deadline
            self._deadlines[alarm, name] = at
            self.later(venue, at, DeadlineDue(alarm, name))
        elif kind is CancelDeadline:
            ended: Any = decision
            self._deadlines.pop((ended.alarm, ended.name), None)
        elif kind in (Attend, Notify, SendConfirmed):
            request: Any = decision
            self._on_request(venue, request, now)
