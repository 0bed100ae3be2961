"""The reference's people: the desk, shifts and breaks, ways and orders.

The desk is a SimPy resource whose requests yield an operator by name, alarms before records;
people come, go and are sent by plain processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from math import inf, nan
from typing import TYPE_CHECKING, Any

import simpy
from simpy.resources.base import BaseResource, Get
from simpy.resources.resource import SortedQueue

from benchmarks.trace import Trace
from twin.log import LogWriter
from twin.terms import Kind, Role

if TYPE_CHECKING:
    from benchmarks.reference import World

Process = Generator[simpy.events.Event, Any, None]
ALARM, RECORD = 0, 5


class Call(Get):  # type: ignore[type-arg]
    """Work at the desk that needs an operator; it yields the operator's name."""

    def __init__(self, desk: Desk, priority: int) -> None:
        desk.calls += 1
        self.key = (priority, desk.calls)
        super().__init__(desk)


class Desk(BaseResource):  # type: ignore[type-arg]
    """Operators who come and go: a resource with names, served by priority."""

    GetQueue = SortedQueue

    def __init__(self, env: simpy.Environment) -> None:
        self.free: list[str] = []
        self.calls = 0
        self.leaving: set[str] = set()
        self.records: dict[str, simpy.Process] = {}
        self.left: Callable[[str], None] = lambda _name: None
        self.idle: Callable[[], None] = lambda: None
        super().__init__(env, inf)

    def _do_get(self, event: Call) -> bool:
        if not self.free:
            return False
        event.succeed(self.free.pop(0))
        return True

    def call(self, priority: int) -> Call:
        """Asks for an operator; an alarm takes one away from a record if it must."""
        call = Call(self, priority)
        self.hurry()
        return call

    def urgent(self) -> bool:
        """Whether an alarm waits for an operator."""
        return bool(self.get_queue) and self.get_queue[0].key[0] == ALARM

    def hurry(self) -> None:
        """Takes somebody away from a record if an alarm waits."""
        if self.urgent() and self.records:
            self.records.popitem()[1].interrupt()

    def done(self, name: str) -> None:
        """An operator has nothing in hand any more."""
        if name in self.leaving:
            self.leaving.remove(name)
            self.left(name)
            self.hurry()
            return
        self.free.append(name)
        self._trigger_get(None)
        if name in self.free:
            self.idle()

    def leave(self, name: str) -> None:
        """An operator gets up, now or when the alarm in hand is done."""
        if name in self.free:
            self.free.remove(name)
            self.left(name)
            return
        self.leaving.add(name)
        if name in self.records:
            self.records.pop(name).interrupt()

    def write_record(self, seconds: float) -> Generator[simpy.events.Event, Any, str]:
        """Paper work, for which alarms do not wait; returns who finished it."""
        env = self._env
        while True:
            name: str = yield self.call(RECORD)
            if self.urgent():
                self.done(name)
                continue
            began, process = env.now, env.active_process
            assert process is not None
            self.records[name] = process
            try:
                yield env.timeout(seconds)
            except simpy.Interrupt:
                seconds -= env.now - began
                self.done(name)
                continue
            self.records.pop(name, None)
            self.done(name)
            return name


class Worker:
    """One of the center's people."""

    def __init__(self, name: str, role: Role) -> None:
        self.name, self.role = name, role
        self.place = 0
        self.on_duty = self.resting = self.on_alarm = self.away = False
        self.homeward: simpy.Process | None = None
        self.trip: simpy.Process | None = None
        self.released: simpy.Event | None = None
        self.vehicle = ""
        self.leg: tuple[int, int, float, float] | None = None
        self.until = 0.0


class People:
    """Everybody of the center, at the desk and on the road."""

    def __init__(self, env: simpy.Environment, log: LogWriter, trace: Trace, world: World) -> None:
        self.env, self.log, self.trace, self.world = env, log, trace, world
        self.settings = settings = trace.settings
        self.times, self.upkeep = settings.response, settings.maintenance
        self.desk = Desk(env)
        self.desk.left = self.left_desk
        self.desk.idle = self.give_orders
        self.staff = {n: Worker(n, p.role) for n, p in settings.roster.roster().items()}
        self.at_desk = 0
        self.vans, self.bikes = settings.vehicles.vans, settings.vehicles.bikes
        self.orders: list[tuple[int, simpy.Event]] = []
        for a in trace.absences:
            text = "covered" if a.covered else "not_covered"
            log.row(a.start, Kind.ABSENT, a.person, value=a.end - a.start, text=text)
        env.process(self.shifts())

    def row(self, kind: Kind, subject: str, text: str = "", value: float = nan) -> None:
        """A row, now."""
        self.log.row(self.env.now, kind, subject, text=text, value=value)

    def send_idle(self) -> None:
        """Sends whoever has nothing to do on a trip."""
        raise NotImplementedError

    # -- coming and going -------------------------------------------------------------------------

    def shifts(self) -> Process:
        """People come and go by the roster's plan; who comes comes first."""
        stints = self.trace.stints
        changes = sorted(
            [(s.start, 0, n) for n, s in enumerate(stints)]
            + [(s.end, 1, n) for n, s in enumerate(stints)]
        )
        for time, ends, number in changes:
            if time > self.env.now:
                yield self.env.timeout(time - self.env.now)
            worker = self.staff[stints[number].person]
            if ends:
                self.goes_off(worker)
                continue
            worker.until = stints[number].end
            if worker.on_duty:
                continue
            worker.on_duty = True
            self.row(Kind.ON_DUTY, worker.name, worker.role)
            if worker.role is Role.DUTY:
                self.sits_down(worker)
                if self.settings.roster.break_length > 0:
                    self.env.process(self.breaks(worker, worker.until))
            else:
                self.send_idle()
            self.give_orders()

    def goes_off(self, worker: Worker) -> None:
        """The end of a stint; whoever is out goes off when back."""
        if self.env.now < worker.until or worker.on_alarm or worker.away or worker.trip is not None:
            return
        if worker.role is Role.DUTY and not worker.resting:
            worker.on_duty = False
            self.desk.leave(worker.name)
            return
        worker.resting = False
        self.off(worker)

    def off(self, worker: Worker) -> None:
        """Off duty."""
        worker.on_duty, worker.place = False, 0
        self.row(Kind.OFF_DUTY, worker.name, worker.role)

    def sits_down(self, worker: Worker) -> None:
        """Takes a seat at the desk."""
        worker.place = 0
        self.at_desk += 1
        self.desk.done(worker.name)

    def left_desk(self, name: str) -> None:
        """Somebody whose shift is over has got up."""
        self.at_desk -= 1
        self.off(self.staff[name])

    def breaks(self, worker: Worker, until: float) -> Process:
        """The breaks of a stint."""
        roster = self.settings.roster
        team = [w for w in self.staff.values() if w.role is Role.DUTY and w.on_duty]
        yield self.env.timeout(team.index(worker) * roster.break_length)
        while self.env.now + roster.break_every + roster.break_length < until:
            yield self.env.timeout(roster.break_every)
            while not self.may_rest(worker) and self.env.now + roster.break_length < until:
                yield self.env.timeout(roster.break_length)
            if worker.until != until or not self.may_rest(worker):
                return
            self.gets_up(worker, "break")
            worker.resting = True
            yield self.env.timeout(roster.break_length)
            if worker.resting and worker.on_duty and not worker.on_alarm:
                worker.resting = False
                self.sits_again(worker)

    def may_rest(self, worker: Worker) -> bool:
        """Two stay at the desk where three are on duty, else one."""
        duty = [w for w in self.staff.values() if w.role is Role.DUTY and w.on_duty]
        return worker.name in self.desk.free and self.at_desk > (2 if len(duty) > 2 else 1)

    def may_leave(self, name: str) -> bool:
        """Free, and enough others stay."""
        return name in self.desk.free and self.at_desk > self.times.keep_at_desk

    def gets_up(self, worker: Worker, why: str) -> bool:
        """Leaves the desk for something that can wait, if somebody stays."""
        if not self.may_leave(worker.name) or self.at_desk < 2:
            return False
        self.desk.free.remove(worker.name)
        self.at_desk -= 1
        self.row(Kind.LEFT_DESK, worker.name, why)
        return True

    def sits_again(self, worker: Worker) -> None:
        """Back from a break, a trip or an alarm."""
        if self.env.now >= worker.until:
            self.off(worker)
            return
        self.row(Kind.BACK_AT_DESK, worker.name)
        self.sits_down(worker)

    # -- on the road ------------------------------------------------------------------------------

    def fastest(self, place: int) -> tuple[str, float]:
        """The fastest vehicle at the center to a place, and its seconds."""
        vehicles, metres = self.settings.vehicles, self.trace.ways.metres(0, place)
        ways = [("foot", metres / vehicles.walking_speed)]
        if self.bikes:
            ways = [("bike", metres / vehicles.bike_speed)]
        if self.vans:
            ways.insert(0, ("van", self.trace.ways.seconds(0, place, self.env.now)))
        return min(ways, key=lambda way: way[1])

    def takes_vehicle(self, worker: Worker, place: int) -> float:
        """Takes the fastest vehicle."""
        worker.vehicle, seconds = self.fastest(place)
        self.vans -= worker.vehicle == "van"
        self.bikes -= worker.vehicle == "bike"
        return seconds

    def returns_vehicle(self, worker: Worker) -> None:
        """Parks it."""
        self.vans += worker.vehicle == "van"
        self.bikes += worker.vehicle == "bike"
        worker.vehicle = ""

    def seconds_by(self, worker: Worker, origin: int, place: int) -> float:
        """With the vehicle that the worker has."""
        vehicles, ways = self.settings.vehicles, self.trace.ways
        if worker.vehicle == "van":
            return ways.seconds(origin, place, self.env.now)
        speed = vehicles.bike_speed if worker.vehicle == "bike" else vehicles.walking_speed
        return ways.metres(origin, place) / speed

    def from_the_road(self, worker: Worker, place: int) -> float:
        """From a trip to another place: on along the way, or back."""
        now = self.env.now
        if worker.leg is None:
            return self.seconds_by(worker, worker.place, place)
        origin, goal, start, length = worker.leg
        done = min(now - start, length)
        return min(
            length - done + self.seconds_by(worker, goal, place),
            done + self.seconds_by(worker, origin, place),
        )

    # -- orders -----------------------------------------------------------------------------------

    def order(self, place: int) -> simpy.Event:
        """Somebody has to go; yields who."""
        event = self.env.event()
        self.orders.append((place, event))
        self.give_orders()
        return event

    def give_orders(self) -> None:
        """Orders are given in turn, each to whoever is there first."""
        while self.orders:
            place, event = self.orders[0]
            reach = [(self.seconds_to(w, place), n) for n, w in enumerate(self.staff.values())]
            soonest, number = min(reach)
            if soonest == inf:
                return
            self.orders.pop(0)
            worker = list(self.staff.values())[number]
            worker.on_alarm = True
            if worker.trip is not None:
                worker.released = self.env.event()
                worker.trip.interrupt()
            elif worker.away:
                worker.away = False
                if worker.homeward is not None:
                    worker.homeward.interrupt()
                    worker.homeward = None
            elif worker.role is Role.DUTY:
                if worker.resting:
                    worker.resting = False
                else:
                    self.desk.free.remove(worker.name)
                    self.at_desk -= 1
                self.row(Kind.LEFT_DESK, worker.name, "dispatch")
            event.succeed(worker)

    def seconds_to(self, worker: Worker, place: int) -> float:
        """Turnout and travel; inf for who cannot go."""
        if worker.on_alarm or not worker.on_duty:
            return inf
        if worker.trip is not None or worker.away:
            return self.times.turnout + self.from_the_road(worker, place)
        sits = worker.role is Role.DUTY and not worker.resting
        if sits and not self.may_leave(worker.name):
            return inf
        return self.times.turnout + self.fastest(place)[1]

    def comes_back(self, worker: Worker) -> Process:
        """From an alarm: back to the trip, or to the center."""
        if worker.trip is not None:
            worker.on_alarm = False
            assert worker.released is not None
            worker.released.succeed()
            self.give_orders()
            return
        worker.away, worker.on_alarm = True, False
        self.give_orders()
        if not worker.away:
            return
        seconds = self.seconds_by(worker, worker.place, 0)
        worker.leg = (worker.place, 0, self.env.now, seconds)
        worker.homeward = self.env.active_process
        try:
            yield self.env.timeout(seconds)
        except simpy.Interrupt:
            return
        worker.away, worker.homeward, worker.leg, worker.place = False, None, None, 0
        self.returns_vehicle(worker)
        if worker.role is Role.DUTY:
            self.sits_again(worker)
            return
        if self.env.now >= worker.until:
            self.off(worker)
        self.give_orders()
