"""Maintenance (6.5, 8.1): tickets, trips that serve a place together, repairs, spares.

Whoever has the role goes out on trips while on duty; an alarm interrupts a trip, what remains of
it is kept. Tickets open when the platform learns of a condition, and close when the work is done
or the device has come back by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from math import inf, isnan
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import simpy
from simpy.events import Event

from twin.alarmcore.device_rules import ticket_deadline_s
from twin.center.backlog import Backlog, Job
from twin.center.people import People, Person
from twin.center.settings import MaintenanceSettings
from twin.center.spares import BATTERIES, Spares
from twin.log import LogWriter
from twin.terms import Kind, Role, Ticket

PLANNED_WITHIN_S = 30 * 86400.0
"""Work without a deadline of the standard is planned for within a month (assumption, 7 to 90 d)."""

LOOK_AGAIN_S = 3600.0
"""Whoever is idle looks at the list again after this long (assumption, 5 min to 4 h)."""

GOLDEN = 0.6180339887498949
"""Step from one repair's uniform to the next of the same device: evenly spread over [0, 1)."""

WORK: Callable[[Job], float] = attrgetter("work")

# By name: Python 3.11 takes as long to look a member up in its class as to call a function.
BATTERY, OFFLINE, FAULT = Ticket.BATTERY, Ticket.OFFLINE, Ticket.FAULT
PERIODIC, END_OF_LIFE = Ticket.PERIODIC, Ticket.END_OF_LIFE

EXCHANGED = (FAULT, OFFLINE)
"""Repairs that may need a spare device; the end of life always does."""


class NewTicket(NamedTuple):
    """A condition that the platform has learned of."""

    received: float
    device: int
    ticket: Ticket


class BackOnline(NamedTuple):
    """The platform hears from an offline device again that nobody has visited."""

    at: float
    device: int


class Condition(Protocol):
    """The devices as they truly are."""

    def due(self, now: float) -> Iterable[NewTicket | BackOnline]:
        """What the platform has learned of since the last call, in order of time."""
        ...

    def broken(self, device: int) -> bool:
        """Whether the device itself is dead or cut off."""
        ...

    def needs_battery(self, device: int) -> bool:
        """Whether only a new battery (or another device) brings it back."""
        ...

    def restored_at(self, device: int) -> float:
        """When somebody last put the device in order, s; ``-inf`` if never."""
        ...

    def cause(self, device: int, ticket: Ticket) -> str:
        """What somebody who looks finds."""
        ...

    def restore(self, device: int, now: float, *, battery: bool, exchanged: bool) -> None:
        """The device has been repaired (and got a new battery, or was exchanged)."""
        ...


class Maintenance:
    """The maintenance of one center.

    ``offline_jobs`` collects device, opening and end of every offline ticket, ``planned_work``
    venue, opening and end of planned maintenance, whose rows are those of all the venue's points.

    Parameters
    ----------
    env, log, settings, people : the center's.
    device_ids, kinds, venue_of : id, kind name and venue of each device.
    points : the networked points of each venue.
    place_of : place number (for travel) of each venue.
    square_of : square of each venue, for trips.
    condition : the devices as they truly are.
    spares : the stock.
    exchange_luck : per device, the uniform that decides whether a repair is an exchange.
    on_restored : called with the device that somebody has put in order.
    """

    def __init__(
        self,
        env: simpy.Environment,
        log: LogWriter,
        settings: MaintenanceSettings,
        people: People,
        device_ids: Sequence[str],
        kinds: Sequence[str],
        venue_of: Sequence[int],
        points: Sequence[Sequence[int]],
        place_of: Sequence[int],
        square_of: list[int],
        condition: Condition,
        spares: Spares,
        exchange_luck: Sequence[float],
        on_restored: Callable[[int], None],
    ) -> None:
        self.env = env
        self.log = log
        self.settings = settings
        self.people = people
        self.crew = [person for person in people.units if person.role is Role.MAINTENANCE]
        self.device_ids = device_ids
        self.kinds = kinds
        self.venue_of = venue_of
        self.points = points
        self.place_of = place_of
        self.condition = condition
        self.spares = spares
        self.exchange_luck = exchange_luck
        self._repairs: dict[int, int] = {}
        self.on_restored = on_restored
        self._without_part: dict[str, deque[Job]] = {}
        self._cleaned: dict[int, float] = {}
        self._unrecorded: list[int] = []
        self.planned_work: list[tuple[int, float, float]] = []
        self.offline_jobs: list[tuple[int, float, float]] = []
        self.backlog = Backlog(square_of)
        self.work = {
            BATTERY: settings.battery_swap,
            OFFLINE: settings.repair,
            FAULT: settings.repair,
            Ticket.CLEANING: settings.cleaning,
            Ticket.HAZARD: settings.cleaning,
            PERIODIC: settings.inspection,
            END_OF_LIFE: settings.battery_swap,
        }
        self.deadline = {ticket: ticket_deadline_s(ticket) for ticket in Ticket}
        self.planned = {
            ticket: PLANNED_WITHIN_S if isnan(deadline) else deadline
            for ticket, deadline in self.deadline.items()
        }
        people.came = self._send_idle
        spares.came = self._delivered
        env.process(self._look())

    # -- tickets

    def catch_up(self) -> None:
        """Opens the tickets of all that the platform has learned of by now, and closes those of
        devices that came back without anybody's help."""
        now = self.env.now
        for news in self.condition.due(now):
            if isinstance(news, NewTicket):
                self.open_ticket(news.device, news.ticket, news.received)
                continue
            job = self.backlog.jobs.get((news.device, OFFLINE))
            if job is not None and job.received <= news.at:
                self._close(job, news.at)
                self._unrecorded.append(job.device)

    def open_ticket(self, device: int, ticket: Ticket, received: float) -> None:
        """Opens a ticket, unless the device has one of this kind."""
        venue, work = self.venue_of[device], self.work[ticket]
        if ticket is PERIODIC:  # serves all points of the venue together
            work *= len(self.points[venue])
        ready = received + (self.settings.patience if ticket is OFFLINE else 0.0)
        job = Job(device, ticket, venue, received, received + self.planned[ticket], ready, work)
        if self.backlog.open(job) and ticket is not PERIODIC:
            deadline, name = self.deadline[ticket], self.device_ids[device]
            self.log.row(received, Kind.TICKET_OPENED, name, value=deadline, text=ticket)

    def _record_returned(self) -> None:
        """Whoever looks at the list records the devices that are back without a visit (6.5)."""
        for device in self._unrecorded:
            name = self.device_ids[device]
            self.log.row(self.env.now, Kind.TICKET_FINDING, name, text="back by itself")
        self._unrecorded.clear()

    def _close(self, job: Job, at: float, finding: str = "") -> None:
        name = self.device_ids[job.device]
        if job.ticket is OFFLINE:
            if finding:
                self.log.row(at, Kind.TICKET_FINDING, name, text=finding)
            self.offline_jobs.append((job.device, job.received, at))
        self.backlog.close(job)
        if job.ticket is PERIODIC:
            self.planned_work.append((job.venue, job.received, at))
        else:
            self.log.row(at, Kind.TICKET_CLOSED, name, text=job.ticket)

    def cleaned_at(self, device: int) -> float:
        """When a detector was last cleaned in this run, s; ``-inf`` if never."""
        planned = self._cleaned.get(self.venue_of[device], -inf)
        return max(planned, self.condition.restored_at(device))

    def settle(self) -> None:
        """At the end of a run: opens and closes what the platform has seen by then."""
        self.catch_up()
        for job in list(self.backlog.jobs.values()):
            if job.ticket is PERIODIC:
                self.planned_work.append((job.venue, job.received, inf))
            elif job.ticket is OFFLINE:
                self.offline_jobs.append((job.device, job.received, inf))

    # -- trips

    def _look(self) -> Generator[Event, Any, None]:
        """Somebody looks at the list again and again, and sends whoever is idle."""
        while True:
            self._send_idle()
            yield self.env.timeout(LOOK_AGAIN_S)

    def _send_idle(self) -> None:
        """Everybody who is idle gets the next trip, as long as there are jobs.

        Duty people go where nobody with the role is on duty, if that is the policy and the desk
        allows it.
        """
        self.catch_up()
        on_duty = [person for person in self.crew if person.on_duty]
        for person in on_duty:
            if person.trip is None and not person.on_alarm and not person.away:
                self._record_returned()
                if not self._start(person):
                    return
        if self.settings.by_duty and not on_duty:
            while at_desk := self.people.idle_at_desk():
                self._record_returned()
                if not self._start(at_desk):
                    return

    def _start(self, person: Person) -> bool:
        """Starts a person's next trip; False where there are no jobs."""
        jobs = self._next_jobs(person.stint_end)
        if not jobs:
            return False
        self.people.begin_trip(person, self.place_of[jobs[0].venue])
        person.trip = self.env.process(self._trip(person, jobs, person.stint_end))
        return True

    def _next_jobs(self, end: float) -> list[Job]:
        """The next trip's jobs: place after place, the most urgent first, while time is left."""
        jobs: list[Job] = []
        left = min(self.settings.trip_length, end - self.env.now)
        while left > 0 and (found := self.backlog.take(self.env.now, left, WORK, not jobs)):
            found = [job for job in found if self._load(job)]
            left -= sum(map(WORK, found))
            jobs += found
        return jobs

    def _part(self, job: Job) -> str:
        """The spare that a job needs, as far as the platform can tell; "" for none."""
        ticket, jobs = job.ticket, self.backlog.jobs
        if ticket is BATTERY or (ticket is OFFLINE and (job.device, BATTERY) in jobs):
            return BATTERIES
        exchange = ticket in EXCHANGED and self._needs_spare(job.device)
        return self.kinds[job.device] if exchange or ticket is END_OF_LIFE else ""

    def _needs_spare(self, device: int) -> bool:
        """Whether the device's next repair is an exchange; the fault code tells beforehand."""
        luck = self.exchange_luck[device] + GOLDEN * self._repairs.get(device, 0)
        return luck % 1.0 < self.settings.exchange_share

    def _load(self, job: Job) -> bool:
        """Takes the job's spare along; where there is none the job waits for the delivery."""
        part = self._part(job)
        if not part or self.spares.load(part):
            job.part = part
            return True
        if not job.missing:
            job.missing = True
            name = self.device_ids[job.device]
            self.log.row(self.env.now, Kind.SPARE_MISSING, name, text=part)
        self._without_part.setdefault(part, deque()).append(job)
        return False

    def _delivered(self, part: str, number: int) -> None:
        """Spares have come: as many of the jobs that wait for them can be done."""
        waiting = self._without_part.get(part, ())
        while waiting and number > 0:
            job = waiting.popleft()
            if job.open:
                self.backlog.queue(job)
                number -= 1

    def _put_back(self, jobs: Iterable[Job]) -> None:
        """Jobs that a trip did not do wait again, and their spares return to the stock."""
        for job in jobs:
            if job.part:
                self.spares.unload(job.part)
                self._delivered(job.part, 1)
                job.part = ""
            if job.open:
                self.backlog.queue(job)

    def _trip(self, person: Person, jobs: list[Job], end: float) -> Generator[Event, Any, None]:
        """One trip: from venue to venue, the nearest next, and back to the center."""
        people = self.people
        at: dict[int, list[Job]] = {}
        for job in jobs:
            at.setdefault(self.place_of[job.venue], []).append(job)
        while at and self.env.now < end:
            place = people.travel.nearest(person.place, at)
            yield from self._drive(person, place)
            yield from self._serve(person, at.pop(place))
        self._put_back(job for job in jobs if job.open or job.part)
        yield from self._drive(person, 0)
        people.trip_over(person)
        self._send_idle()

    def _drive(self, person: Person, place: int) -> Generator[Event, Any, None]:
        """Travels to a place; after an alarm, from wherever that was."""
        while person.place != place:
            seconds = self.people.seconds_by(person, person.place, place)
            person.set_leg(place, self.env.now, seconds)
            if (yield from self._undisturbed(person, seconds)) == 0.0:
                person.place, person.leg = place, None

    def _serve(self, person: Person, jobs: list[Job]) -> Generator[Event, Any, None]:
        """Does a venue's jobs; after an alarm, comes back and does the rest of them."""
        if OFFLINE in [job.ticket for job in jobs]:
            self.catch_up()  # nobody works on what is back by itself
        left, place = sum([job.work for job in jobs if job.open]), person.place
        while left > 0.0 and (left := (yield from self._undisturbed(person, left))) > 0.0:
            yield from self._drive(person, place)
        for job in jobs:
            if job.open:
                self._done(job)

    def _undisturbed(self, person: Person, seconds: float) -> Generator[Event, Any, float]:
        """Travels or works until done or called to an alarm; returns the seconds that remain.

        After an alarm it returns when the person is free to go on, wherever that is.
        """
        began = self.env.now
        try:
            yield self.env.timeout(seconds)
        except simpy.Interrupt:
            remaining = seconds - (self.env.now - began)
            yield from self._alarm_over(person)
            return max(remaining, 1e-3)
        return 0.0

    def _alarm_over(self, person: Person) -> Generator[Event, Any, None]:
        """Until no alarm needs the person; one may follow another without a pause."""
        while person.released is not None:
            released = person.released
            try:
                yield released
            except simpy.Interrupt:
                continue
            if person.released is released:
                person.released = None

    # -- at the device

    def _done(self, job: Job) -> None:
        """Finishes a job, with whatever else is open at the device."""
        self.catch_up()
        if not job.open:
            return
        if job.ticket is PERIODIC:
            self._close(job, self.env.now)
            self._cleaned[job.venue] = self.env.now
            for device in filter(self.condition.broken, self.points[job.venue]):
                # the test finds what nobody knew of
                self.open_ticket(device, FAULT, self.env.now)
            return
        device, now = job.device, self.env.now
        broken = self.condition.broken(device)
        exchanged = job.part not in ("", BATTERIES) and (
            broken or job.ticket is END_OF_LIFE or job.ticket is FAULT
        )
        battery = job.part == BATTERIES
        if self.condition.needs_battery(device) and not (battery or exchanged):
            self._find_empty(job)
            return
        if exchanged or battery:
            name, left = self.device_ids[device], float(self.spares.stock[job.part])
            self.log.row(now, Kind.SPARE_USED, name, value=left, text=job.part)
            job.part = ""
        stays: tuple[Ticket, ...] = (PERIODIC,)
        if not exchanged:
            stays = (PERIODIC, END_OF_LIFE) if battery else (PERIODIC, END_OF_LIFE, BATTERY)
        for other in self.backlog.of_device(device):
            if other.ticket not in stays:
                self._close(other, now, self.condition.cause(device, other.ticket))
        self._repairs[device] = self._repairs.get(device, 0) + 1
        self.condition.restore(device, now, battery=battery, exchanged=exchanged)
        self.on_restored(device)

    def _find_empty(self, job: Job) -> None:
        """The battery is empty, and nobody brought one: the next trip will."""
        self.open_ticket(job.device, BATTERY, self.env.now)
        self._put_back([job])
