"""The backlog of maintenance tickets: the most urgent place next, nothing ever scanned.

A heap by due time (with lazy deletion) finds the most urgent ticket, buckets by place find what
else lies there, a second heap holds what is not ready yet. Every operation costs O(log n).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from twin.terms import Ticket


@dataclass(slots=True, eq=False)
class Job:
    """An open ticket. Times in seconds since the start of the run."""

    device: int
    ticket: Ticket
    venue: int
    received: float
    due: float
    ready: float
    work: float = 0.0
    """Seconds on site."""
    waiting: bool = False
    """In the backlog, free to be taken on a trip."""
    open: bool = True
    missing: bool = False
    """Its spare was not in stock when it was wanted."""
    part: str = ""
    """The spare that is in the vehicle for it."""


class Backlog:
    """Open tickets by due time and by place.

    Parameters
    ----------
    place_of : the square (any number) in which each venue lies.
    """

    def __init__(self, place_of: list[int]) -> None:
        self._place_of = place_of
        self.jobs: dict[tuple[int, Ticket], Job] = {}
        self._of_device: dict[int, list[Job]] = {}
        self._due: list[tuple[float, int, Job]] = []
        self._ready: list[tuple[float, int, Job]] = []
        self._places: dict[int, dict[int, dict[int, Job]]] = {}
        self._count = 0

    def open(self, job: Job) -> bool:
        """Takes in a ticket; False where the device has one of the kind already."""
        key = (job.device, job.ticket)
        if key in self.jobs:
            return False
        self.jobs[key] = job
        self._of_device.setdefault(job.device, []).append(job)
        self.queue(job)
        return True

    def queue(self, job: Job) -> None:
        """Lets a job be taken once it is ready: a new one, or one that a trip did not finish."""
        self._count += 1
        heapq.heappush(self._ready, (job.ready, self._count, job))

    def close(self, job: Job) -> None:
        """The ticket is done with."""
        job.open = False
        self._unshelve(job)
        del self.jobs[job.device, job.ticket]
        jobs = self._of_device[job.device]
        jobs.remove(job)
        if not jobs:
            del self._of_device[job.device]

    def of_device(self, device: int) -> list[Job]:
        """The open tickets of a device."""
        return list(self._of_device.get(device, ()))

    def take(
        self, now: float, seconds: float, work: Callable[[Job], float], whatever: bool
    ) -> list[Job]:
        """The most urgent job and the others of its place, its own venue first, oldest first.

        Parameters
        ----------
        now : jobs that are not ready by then stay.
        seconds : work for no more than this is taken.
        work : seconds of work that a job takes.
        whatever : the most urgent job is taken even if it takes longer.
        """
        while self._ready and self._ready[0][0] <= now:
            _, _, job = heapq.heappop(self._ready)
            if job.open and not job.waiting:
                self._shelve(job)
        while self._due and not (self._due[0][2].open and self._due[0][2].waiting):
            heapq.heappop(self._due)
        if not self._due:
            return []
        first = self._due[0][2]
        left = seconds - work(first)
        if left < 0 and not whatever:
            return []
        taken = [first]
        place = self._places[self._place_of[first.venue]]
        venues = chain((first.venue,), (venue for venue in place if venue != first.venue))
        for job in chain.from_iterable(place[venue].values() for venue in venues):
            if job is first:
                continue
            left -= work(job)
            if left < 0:
                break
            taken.append(job)
        for job in taken:
            self._unshelve(job)
        return taken

    def _shelve(self, job: Job) -> None:
        job.waiting = True
        self._count += 1
        heapq.heappush(self._due, (job.due, self._count, job))
        place = self._places.setdefault(self._place_of[job.venue], {})
        place.setdefault(job.venue, {})[id(job)] = job

    def _unshelve(self, job: Job) -> None:
        if not job.waiting:
            return
        job.waiting = False
        number = self._place_of[job.venue]
        venue = self._places[number][job.venue]
        del venue[id(job)]
        if not venue:
            del self._places[number][job.venue]
        if not self._places[number]:
            del self._places[number]
