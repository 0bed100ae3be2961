"""The center's people: on duty, at the desk, on the road or on scene, and what they travel with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import simpy
from simpy.events import Event, Process

from twin.center.desk import Desk
from twin.center.dispatch import Dispatcher
from twin.center.roster import Absence, Stint
from twin.center.settings import CenterSettings
from twin.log import LogWriter
from twin.terms import Kind, Role

ALARM = 0
"""Desk priority of an alarm."""
RECORD = 5
"""Desk priority of records and reports: done when nothing else waits."""


class Travel(Protocol):
    """Ways between places: 0 is the center, the others are the venues' places."""

    def seconds(self, origin: int, place: int, now: float) -> float:
        """By van, in the traffic of that hour."""
        ...

    def metres(self, origin: int, place: int) -> float:
        """By road."""
        ...

    def nearest(self, origin: int, places: Iterable[int]) -> int:
        """The nearest of several places."""
        ...


@dataclass
class Leg:
    """A way that somebody is on: from place to place, since ``start`` (s), for so many seconds."""

    origin: int
    place: int
    start: float
    seconds: float


@dataclass
class Person:
    """One of the center's people; a unit that can be dispatched.

    Attributes
    ----------
    place : where the person is, or where the present leg began.
    on_duty : between coming on duty and going off.
    resting : on a break, at the center but not at the desk.
    on_alarm : has an order to go to an alarm, until back.
    trip : the process of a maintenance trip that an alarm may interrupt.
    away : out on an alarm's way back; homeward : the process of that way.
    released : succeeds when the alarm that interrupted the trip lets the person go on.
    vehicle : what the person travels with, "" at the center.
    """

    name: str
    role: Role
    people: People
    place: int = 0
    on_duty: bool = False
    resting: bool = False
    on_alarm: bool = False
    trip: Process | None = None
    away: bool = False
    homeward: Process | None = None
    released: Event | None = None
    vehicle: str = ""
    leg: Leg | None = None
    stint_end: float = 0.0

    def seconds_to(self, place: int, now: float) -> float:
        """Turnout and travel from where the person is; ``inf`` while not available."""
        if self.on_alarm or not self.on_duty:
            return inf
        if self.trip is not None or self.away:
            return self.people.turnout + self.from_the_road(place, now)
        at_desk = self.role is Role.DUTY and not self.resting
        if at_desk and not self.people.may_leave(self.name):
            return inf
        return self.people.turnout + self.people.fastest(place, now)[1]

    def set_leg(self, place: int, now: float, seconds: float) -> None:
        """Starts for a place."""
        self.leg = Leg(self.place, place, now, seconds)

    def from_the_road(self, place: int, now: float) -> float:
        """From a trip or a way back: on along the way or back, whichever is sooner."""
        seconds, leg = self.people.seconds_by, self.leg
        if leg is None:
            return seconds(self, self.place, place)
        done = min(max(now - leg.start, 0.0), leg.seconds)
        onward = leg.seconds - done + seconds(self, leg.place, place)
        return min(onward, done + seconds(self, leg.origin, place))


class People(Dispatcher[Person]):
    """Everybody of a center: who is on duty, who sits at the desk, who may be sent.

    ``came`` is called when a maintenance person comes on duty.

    Parameters
    ----------
    env, log, settings, travel : the center's environment, log, settings and ways.
    stints, absences : the roster's plan.
    """

    def __init__(
        self,
        env: simpy.Environment,
        log: LogWriter,
        settings: CenterSettings,
        travel: Travel,
        stints: list[Stint],
        absences: list[Absence],
    ) -> None:
        super().__init__(env, [])
        self.log = log
        self.travel = travel
        self.settings = settings
        self.turnout = settings.response.turnout
        self.desk = Desk(env)
        self.desk.left = self._left_desk
        self.desk.freed = self.available
        self.by_name: dict[str, Person] = {}
        for name, person in settings.roster.roster().items():
            self.by_name[name] = Person(name, person.role, self)
        self.units = list(self.by_name.values())
        self.duty = [person for person in self.units if person.role is Role.DUTY]
        self.vans = settings.vehicles.vans
        self.bikes = settings.vehicles.bikes
        self.at_desk = 0
        self.came: Callable[[], None] = lambda: None
        for absence in absences:
            log.row(
                absence.start,
                Kind.ABSENT,
                absence.person,
                value=absence.end - absence.start,
                text="covered" if absence.covered else "not_covered",
            )
        env.process(self._shifts(stints))

    # -- coming and going

    def _shifts(self, stints: list[Stint]) -> Generator[Event, Any, None]:
        """Lets people come on duty and go off; at a handover the new ones come first."""
        changes = [(s.start, 0, i, s) for i, s in enumerate(stints)]
        changes += [(s.end, 1, i, s) for i, s in enumerate(stints)]
        for time, leaves, _, stint in sorted(changes, key=lambda change: change[:3]):
            if time > self.env.now:
                yield self.env.timeout(time - self.env.now)
            person = self.by_name[stint.person]
            if leaves:
                self._off(person)
            else:
                person.stint_end = stint.end
                self._on(person)

    def _on(self, person: Person) -> None:
        if person.on_duty:
            return
        person.on_duty = True
        self.log.row(self.env.now, Kind.ON_DUTY, person.name, text=person.role)
        if person.role is Role.DUTY:
            self._sit(person)
            if self.settings.roster.break_length > 0:
                self.env.process(self._breaks(person, person.stint_end))
        else:
            self.came()
        self.available()

    def _off(self, person: Person) -> None:
        """Goes off duty now, or when back from an alarm, a trip or the work in hand."""
        if self.env.now < person.stint_end:
            return
        if person.on_alarm or person.away or person.trip is not None:
            return
        if person.role is Role.DUTY and not person.resting:
            person.on_duty = False
            self.desk.leave(person.name)
            return
        person.resting = False
        self._gone(person)

    def _gone(self, person: Person) -> None:
        person.on_duty = False
        person.place = 0
        self.log.row(self.env.now, Kind.OFF_DUTY, person.name, text=person.role)

    def _sit(self, person: Person) -> None:
        person.place = 0
        self.at_desk += 1
        self.desk.arrive(person.name)

    def _left_desk(self, name: str) -> None:
        """The desk lets a person go who asked to leave: at the end of a shift."""
        self.at_desk -= 1
        self._gone(self.by_name[name])

    def _breaks(self, person: Person, until: float) -> Generator[Event, Any, None]:
        """Breaks of one stint, one person after the other, put off while too few stay."""
        roster = self.settings.roster
        turn = [p for p in self.duty if p.on_duty].index(person)
        wait = turn * roster.break_length + roster.break_every
        while self.env.now + wait + roster.break_length < until:
            yield self.env.timeout(wait)
            wait = roster.break_every
            while not self._may_rest(person) and self.env.now + roster.break_length < until:
                yield self.env.timeout(roster.break_length)
            if person.stint_end != until or not self._may_rest(person):
                return
            self._get_up(person.name, "break")
            person.resting = True
            yield self.env.timeout(roster.break_length)
            if person.resting and person.on_duty and not person.on_alarm:
                person.resting = False
                self.back_at_desk(person)

    def _may_rest(self, person: Person) -> bool:
        """Whether enough people stay at the desk: two where there are three, else one."""
        if person.name not in self.desk.free:
            return False
        return self.at_desk - 1 >= (2 if sum([p.on_duty for p in self.duty]) > 2 else 1)

    # -- the desk

    def may_leave(self, name: str) -> bool:
        """Whether this person is free at the desk and enough others stay."""
        staying = self.at_desk - 1
        return name in self.desk.free and staying >= self.settings.response.keep_at_desk

    def _get_up(self, name: str, why: str) -> bool:
        """Leaves the desk for a break or a trip, if somebody stays in any case."""
        if not (self.may_leave(name) and self.at_desk > 1):
            return False
        self.desk.free.remove(name)
        self.at_desk -= 1
        self.log.row(self.env.now, Kind.LEFT_DESK, name, text=why)
        return True

    def back_at_desk(self, person: Person) -> None:
        """Sits down again, or goes off duty if the shift is over."""
        if self.env.now >= person.stint_end:
            self._gone(person)
            return
        self.log.row(self.env.now, Kind.BACK_AT_DESK, person.name)
        self._sit(person)

    def idle_at_desk(self) -> Person | None:
        """A duty person who may leave the desk for a maintenance trip now."""
        for name in self.desk.free:
            if self.may_leave(name) and self.at_desk > 1:
                return self.by_name[name]
        return None

    def begin_trip(self, person: Person, place: int) -> None:
        """Takes the fastest vehicle to a first place; a duty person leaves the desk."""
        if person.role is Role.DUTY:
            self._get_up(person.name, "maintenance")
        self.take_vehicle(person, place)

    # -- vehicles

    def fastest(self, place: int, now: float) -> tuple[str, float]:
        """The vehicle at the center that is at a place first, and its travel time in seconds."""
        vehicles = self.settings.vehicles
        metres = self.travel.metres(0, place)
        best = ("foot", metres / vehicles.walking_speed)
        if self.bikes > 0:
            best = ("bike", metres / vehicles.bike_speed)
        if self.vans > 0:
            by_van = self.travel.seconds(0, place, now)
            if by_van <= best[1]:
                best = ("van", by_van)
        return best

    def take_vehicle(self, person: Person, place: int) -> float:
        """Takes the fastest vehicle at the center; returns the travel time in seconds."""
        person.vehicle, seconds = self.fastest(place, self.env.now)
        self.vans -= person.vehicle == "van"
        self.bikes -= person.vehicle == "bike"
        return seconds

    def return_vehicle(self, person: Person) -> None:
        """Back at the center."""
        self.vans += person.vehicle == "van"
        self.bikes += person.vehicle == "bike"
        person.vehicle = ""

    def seconds_by(self, person: Person, origin: int, place: int) -> float:
        """Travel time between two places with the vehicle that the person has."""
        vehicles = self.settings.vehicles
        if person.vehicle == "van":
            return self.travel.seconds(origin, place, self.env.now)
        speed = vehicles.bike_speed if person.vehicle == "bike" else vehicles.walking_speed
        return self.travel.metres(origin, place) / speed

    # -- orders

    def take(self, unit: Person, event: Event) -> None:
        """Gives an order: the person leaves the desk, the break or the maintenance trip."""
        unit.on_alarm = True
        if unit.trip is not None:
            unit.released = self.env.event()
            unit.trip.interrupt("alarm")
        elif unit.away:
            unit.away = False
            if unit.homeward is not None:
                unit.homeward.interrupt("alarm")
                unit.homeward = None
        elif unit.role is Role.DUTY:
            if unit.resting:
                unit.resting = False
            else:
                self.desk.free.remove(unit.name)
                self.at_desk -= 1
            self.log.row(self.env.now, Kind.LEFT_DESK, unit.name, text="dispatch")
        event.succeed(unit)

    def set_out(self, person: Person, place: int) -> float:
        """Goes, from wherever the person is; returns turnout and travel in seconds."""
        if person.place != 0 or person.leg is not None:
            return self.turnout + person.from_the_road(place, self.env.now)
        if person.trip is None:
            return self.turnout + self.take_vehicle(person, place)
        return self.turnout + self.seconds_by(person, 0, place)

    def arrive(self, person: Person, place: int) -> None:
        """The person is at a place."""
        person.place, person.leg = place, None

    def come_back(self, person: Person) -> Generator[Event, Any, None]:
        """After an alarm: back to the trip that was interrupted, or to the center."""
        if person.trip is not None:
            person.on_alarm = False
            assert person.released is not None
            person.released.succeed()
            self.available()
            return
        person.away, person.on_alarm = True, False
        self.available()
        if not person.away:
            return  # another alarm has the person
        seconds = self.seconds_by(person, person.place, 0)
        person.set_leg(0, self.env.now, seconds)
        person.homeward = self.env.active_process
        try:
            yield self.env.timeout(seconds)
        except simpy.Interrupt:
            return
        person.away, person.homeward, person.leg, person.place = False, None, None, 0
        self.return_vehicle(person)
        if person.role is Role.DUTY:
            self.back_at_desk(person)
            return
        if self.env.now >= person.stint_end:
            self._gone(person)
        self.available()

    def trip_over(self, person: Person) -> None:
        """A maintenance trip has ended at the center."""
        person.trip, person.leg, person.place = None, None, 0
        self.return_vehicle(person)
        if person.role is Role.DUTY:
            self.back_at_desk(person)
        elif self.env.now >= person.stint_end:
            self._gone(person)
        self.available()
