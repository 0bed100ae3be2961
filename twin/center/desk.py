"""The duty desk: operators are tokens that come, work and leave with their shift.

The same desk serves the center's alarms and, with plain arrivals, the classical queues: several
servers, priorities without preemption, a limited number of waiting places (Erlang B where there
is none).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from typing import Any

import simpy
from simpy.events import Event, Process


class DeskFullError(Exception):
    """Every waiting place is taken; the customer is lost."""


class Preempted(Exception):
    """Cause of the interrupt that takes an operator away from preemptible work."""


class Desk:
    """Operators at a desk, and the work that waits for one.

    Parameters
    ----------
    env : the simulation's environment.
    waiting_places : how many pieces of work may wait; ``None`` = any number.

    Attributes
    ----------
    free : the operators at the desk with nothing in hand, in the order in which work reaches them.
    left : called with the name of a person who asked to leave, when that person does.
    freed : called when an operator has nothing in hand any more.
    """

    def __init__(self, env: simpy.Environment, waiting_places: int | None = None) -> None:
        self.env = env
        self.waiting_places = waiting_places
        self.left: Callable[[str], None] = lambda _person: None
        self.freed: Callable[[], None] = lambda: None
        self.free: list[str] = []
        self._leaving: set[str] = set()
        self._waiting: list[tuple[int, int, Event]] = []
        self._order = 0
        self._preemptible: dict[str, Process] = {}

    def __len__(self) -> int:
        """Pieces of work that wait."""
        return len(self._waiting)

    def arrive(self, person: str) -> None:
        """A person sits down at the desk."""
        self.release(person)

    def leave(self, person: str) -> None:
        """A person gets up: at once if free, else when the work in hand is done."""
        if person in self.free:
            self.free.remove(person)
            self.left(person)
            return
        self._leaving.add(person)
        process = self._preemptible.pop(person, None)
        if process is not None:
            process.interrupt(Preempted())

    def request(self, priority: int) -> Event:
        """An event that yields an operator's name; lower priorities are served first.

        Raises
        ------
        DeskFullError
            Nobody is free and every waiting place is taken.
        """
        event = self.env.event()
        if self.free:
            event.succeed(self.free.pop(0))
            return event
        if self.waiting_places is not None and len(self._waiting) >= self.waiting_places:
            raise DeskFullError
        self._order += 1
        heapq.heappush(self._waiting, (priority, self._order, event))
        self._preempt()
        return event

    def _preempt(self) -> None:
        """Somebody's preemptible work gives way if work of priority 0 waits."""
        if self._urgent() and self._preemptible:
            _, process = self._preemptible.popitem()
            process.interrupt(Preempted())

    def _urgent(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] == 0

    def release(self, person: str) -> None:
        """The work in hand is done: the person takes the next piece, leaves, or is free."""
        if person in self._leaving:
            self._leaving.discard(person)
            self.left(person)
            self._preempt()
        elif self._waiting:
            heapq.heappop(self._waiting)[2].succeed(person)
        else:
            self.free.append(person)
            self.freed()

    def work(
        self, seconds: float, priority: int, preemptible: bool = False
    ) -> Generator[Event, Any, str]:
        """Holds an operator for ``seconds``; returns the name of the one who finished.

        Preemptible work gives way to work of priority 0 and takes up what remains later.
        """
        remaining = seconds
        while True:
            person: str = yield self.request(priority)
            if not preemptible:
                yield self.env.timeout(remaining)
                self.release(person)
                return person
            if self._urgent():
                self.release(person)
                continue
            began = self.env.now
            process = self.env.active_process
            assert process is not None
            self._preemptible[person] = process
            try:
                yield self.env.timeout(remaining)
            except simpy.Interrupt:
                remaining -= self.env.now - began
                self.release(person)
            else:
                self._preemptible.pop(person, None)
                self.release(person)
                return person
