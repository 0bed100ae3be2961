"""Maintenance (6.5, 8.1): tickets, trips that serve a place together, repairs, spares.

Whoever has the role goes out on trips while on duty; an alarm interrupts a trip, what remains of
it is kept. Tickets open when the platform learns of a condition, and close when the work is done
or the device has come back by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any, Protocol

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

LOOK_AGAIN_S = 900.0
"""Somebody without work looks at the list again after this long (assumption, 5 to 60 min)."""

EXCHANGED = (Ticket.FAULT, Ticket.OFFLINE)
"""Repairs that may need a spare device; the end of life always does."""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A condition that the platform has learned of."""

    received: float
    device: int
    ticket: Ticket


class Condition(Protocol):
    """The devices as they truly are."""

    def due(self, now: float) -> Iterable[NewTicket]:
        """What the platform has learned of since the last call, in order of time."""
        ...

    def next_due(self) -> float:
        """When the platform will learn of the next condition, as far as is known; s."""
        ...

    def healed_at(self, device: int, ticket: Ticket, now: float) -> float:
        """When the platform saw that the condition had ended by itself; NaN where it has not."""
        ...

    def cause(self, device: int, ticket: Ticket) -> str:
        """What somebody who looks finds."""
        ...

    def restore(self, device: int, now: float, *, battery: bool, exchanged: bool) -> None:
        """The device has been repaired (and got a new battery, or was exchanged)."""
        ...


class Maintenance:
    """The maintenance of one center.

    ``offline_jobs`` collects device, opening and end of every offline ticket.

    Parameters
    ----------
    env, log, settings, people : the center's.
    device_ids, kinds, venue_of : id, kind name and venue of each device.
    place_of : place number (for travel) of each venue.
    square_of : square of each venue, for trips.
    condition : the devices as they truly are.
    spares : the stock.
    needs_spare : per device, whether its next repair is an exchange.
    on_restored : called with (device, now) when somebody has put a device in order.
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
        place_of: Sequence[int],
        square_of: list[int],
        condition: Condition,
        spares: Spares,
        needs_spare: Sequence[bool],
        on_restored: Callable[[int, float], None],
    ) -> None:
        self.env = env
        self.log = log
        self.settings = settings
        self.people = people
        self.device_ids = device_ids
        self.kinds = kinds
        self.venue_of = venue_of
        self.place_of = place_of
        self.condition = condition
        self.spares = spares
        self.needs_spare = needs_spare
        self.on_restored = on_restored
        self.offline_jobs: list[tuple[int, float, float]] = []
        self.backlog = Backlog(square_of)
        self.work = {
            Ticket.BATTERY: settings.battery_swap,
            Ticket.OFFLINE: settings.repair,
            Ticket.FAULT: settings.repair,
            Ticket.CLEANING: settings.cleaning,
            Ticket.HAZARD: settings.cleaning,
            Ticket.PERIODIC: settings.inspection,
            Ticket.END_OF_LIFE: settings.battery_swap,
        }
        self.planned = {
            ticket: PLANNED_WITHIN_S
            if isnan(ticket_deadline_s(ticket))
            else ticket_deadline_s(ticket)
            for ticket in Ticket
        }
        people.came = self._came
        if settings.by_duty:
            env.process(self._by_duty())

    # -- tickets --------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Opens the tickets of all that the platform has learned of by now."""
        now = self.env.now
        for new in self.condition.due(now):
            self.open_ticket(new.device, new.ticket, new.received)

    def open_ticket(self, device: int, ticket: Ticket, received: float) -> None:
        """Opens a ticket, unless the device has one of this kind."""
        settings = self.settings
        ready = received + (settings.patience if ticket is Ticket.OFFLINE else 0.0)
        due = received + self.planned[ticket]
        job = Job(device, ticket, self.venue_of[device], received, due, ready)
        if self.backlog.open(job):
            deadline = ticket_deadline_s(ticket)
            name = self.device_ids[device]
            self.log.row(received, Kind.TICKET_OPENED, name, value=deadline, text=ticket.value)

    def _close(self, job: Job, at: float, finding: str = "") -> None:
        name = self.device_ids[job.device]
        if job.ticket is Ticket.OFFLINE:
            self.log.row(at, Kind.TICKET_FINDING, name, text=finding)
            self.offline_jobs.append((job.device, job.received, at))
        self.log.row(at, Kind.TICKET_CLOSED, name, text=job.ticket.value)
        self.backlog.close(job)

    def settle(self) -> None:
        """At the end of a run: opens and closes what the platform has seen by then."""
        self.catch_up()
        for job in list(self.backlog.jobs.values()):
            if not self._closed_by_itself(job) and job.ticket is Ticket.OFFLINE:
                self.offline_jobs.append((job.device, job.received, inf))

    def _closed_by_itself(self, job: Job) -> bool:
        """Closes the ticket of a device that has come back without anybody's help."""
        at = self.condition.healed_at(job.device, job.ticket, self.env.now)
        if isnan(at):
            return False
        self._close(job, max(at, job.received), "back by itself")
        return True

    # -- trips ----------------------------------------------------------------------------------

    def _came(self, person: Person) -> None:
        self.env.process(self._working_day(person))

    def _working_day(self, person: Person) -> Generator[Event, Any, None]:
        """A maintenance person's time on duty: trip after trip, until it is time to go."""
        end = person.stint_end
        while person.on_duty and self.env.now < end:
            if not person.on_alarm:
                jobs = self._next_jobs(end)
                if jobs:
                    yield from self._trip(person, jobs, end)
                    continue
            wake = max(self.env.now + LOOK_AGAIN_S, min(self.condition.next_due(), end))
            if self.backlog.next_ready() < wake:
                wake = max(self.env.now + LOOK_AGAIN_S, self.backlog.next_ready())
            yield self.env.timeout(min(wake, end) - self.env.now)

    def _by_duty(self) -> Generator[Event, Any, None]:
        """Duty people go on trips where nobody with the role is on duty and the desk allows."""
        while True:
            staffed = any(p.on_duty and p.role is Role.MAINTENANCE for p in self.people.units)
            if not staffed and (jobs := self._next_jobs(inf)):
                person = self.people.take_for_trip()
                if person is None:
                    self._put_back(jobs)
                else:
                    self.env.process(self._trip(person, jobs, person.stint_end))
            yield self.env.timeout(LOOK_AGAIN_S)

    def _next_jobs(self, end: float) -> list[Job]:
        """The next trip's jobs that still need somebody, within the time that is left."""
        self.catch_up()
        seconds = min(self.settings.trip_length, end - self.env.now)
        while jobs := self.backlog.take(self.env.now, seconds, self.work):
            jobs = [job for job in jobs if job.open and not self._closed_by_itself(job)]
            if jobs:
                return jobs
        return []

    def _put_back(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.open:
                self.backlog.queue(job)

    def _trip(self, person: Person, jobs: list[Job], end: float) -> Generator[Event, Any, None]:
        """One trip: from venue to venue, the nearest next, and back to the center."""
        people = self.people
        person.trip = self.env.active_process
        by_venue: dict[int, list[Job]] = {}
        for job in jobs:
            by_venue.setdefault(job.venue, []).append(job)
        person.vehicle, _ = people.fastest(self.place_of[jobs[0].venue], self.env.now)
        people.vans -= person.vehicle == "van"
        people.bikes -= person.vehicle == "bike"
        while by_venue and self.env.now < end:
            here = person.place
            venue = min(by_venue, key=lambda v: people.travel.metres(here, self.place_of[v]))
            yield from self._drive(person, self.place_of[venue])
            for job in by_venue.pop(venue):
                if job.open:
                    yield from self._serve(person, job)
        for rest in by_venue.values():
            self._put_back(rest)
        yield from self._drive(person, 0)
        people.trip_over(person)

    def _drive(self, person: Person, place: int) -> Generator[Event, Any, None]:
        """Travels to a place; after an alarm, from wherever that was."""
        while person.place != place:
            seconds = self.people.seconds_by(person, person.place, place)
            person.set_leg(place, self.env.now, seconds)
            if (yield from self._undisturbed(person, seconds)) == 0.0:
                person.place, person.leg = place, None

    def _serve(self, person: Person, job: Job) -> Generator[Event, Any, None]:
        """Does one job; after an alarm, comes back and does the rest of it."""
        left, place = self.work[job.ticket], person.place
        while True:
            left = yield from self._undisturbed(person, left)
            if left == 0.0:
                break
            yield from self._drive(person, place)
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

    # -- at the device --------------------------------------------------------------------------

    def _done(self, job: Job) -> None:
        """Finishes a job, with whatever else is open at the device, if the spares are there."""
        device, now = job.device, self.env.now
        jobs = [job, *(other for other in self.backlog.of_device(device) if other is not job)]
        tickets = {other.ticket for other in jobs}
        exchange = Ticket.END_OF_LIFE in tickets or (
            self.needs_spare[device] and not tickets.isdisjoint(EXCHANGED)
        )
        battery = not exchange and Ticket.BATTERY in tickets
        part = self.kinds[device] if exchange else BATTERIES if battery else ""
        if part and not self.spares.use(part, self.device_ids[device]):
            finding = self.condition.cause(device, Ticket.OFFLINE)
            if Ticket.OFFLINE in tickets:
                self.log.row(now, Kind.TICKET_FINDING, self.device_ids[device], text=finding)
            job.ready = self.spares.expected(part)
            self.backlog.queue(job)
            return
        for other in jobs:
            self._close(other, now, self.condition.cause(device, other.ticket))
        self.condition.restore(device, now, battery=battery, exchanged=exchange)
        self.on_restored(device, now)
        if battery:
            name = self.device_ids[device]
            self.log.row(now, Kind.BATTERY_CHANGED, name, value=nan)
