"""The reference's people: desk, alarms by clause 6, maintenance over a plain list of tickets.

Shared with the fast model are the alarm core's pure lifecycle, the ways, the brigade and, in a
trace, the luck and the roster's plan. Desk, dispatch, procedure, tickets and trips are written
here once more, event by event: every receipt, deadline and arrival is a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from math import ceil, exp, inf, isnan, log1p, nan, sqrt
from typing import TYPE_CHECKING, Any

import simpy
from simpy.resources.base import BaseResource, Get
from simpy.resources.resource import SortedQueue

import twin.alarmcore.events as ev
from benchmarks.trace import Signal, Trace
from twin.alarmcore.device_rules import ticket_deadline_s
from twin.alarmcore.lifecycle import VenueState, step
from twin.center.maintenance import LOOK_AGAIN_S, PLANNED_WITHIN_S
from twin.center.spares import LEAST_STOCK
from twin.log import LogWriter
from twin.terms import Annotation, Category, Kind, Role, Ticket, Verification, View
from twin.world.happenings import annotation_of

if TYPE_CHECKING:
    from benchmarks.reference import Device, World

Process = Generator[simpy.events.Event, Any, None]
ALARM, RECORD = 0, 5
BATTERY = "battery"
REAL = (Annotation.CONFIRMED_FIRE, Annotation.INCIPIENT_FIRE)
NEXT = "next-available"


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
        if not call.triggered and priority == ALARM and self.records:
            self.records.popitem()[1].interrupt()
        return call

    def done(self, name: str) -> None:
        """An operator has nothing in hand any more."""
        if name in self.leaving:
            self.leaving.remove(name)
            self.left(name)
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
        self.on_duty = self.resting = self.on_alarm = False
        self.trip: simpy.Process | None = None
        self.released: simpy.Event | None = None
        self.vehicle = ""
        self.leg: tuple[int, int, float, float] | None = None
        self.until = 0.0


class Todo:
    """A ticket."""

    def __init__(self, device: Device, ticket: Ticket, now: float, ready: float) -> None:
        self.device, self.ticket, self.received, self.ready = device, ticket, now, ready
        self.venue = device.facts.venue
        deadline = ticket_deadline_s(ticket)
        self.due = now + (PLANNED_WITHIN_S if isnan(deadline) else deadline)
        self.open, self.taken, self.waits = True, False, False
        self.visit, self.found = True, False
        self.cause = "back by itself"
        self.part = ""
        self.back = nan
        self.order = 0


class Case:
    """An open alarm."""

    def __init__(self, venue: int, signal: Signal) -> None:
        self.venue, self.alarm, self.cause = venue, signal.number, signal.cause
        self.annotation = annotation_of(signal.cause)
        self.real = self.annotation in REAL
        self.handlers = 0
        self.confirmed = self.called = self.visited = self.going = False
        self.faulty: Device | None = None
        self.helpers_until = 0.0
        self.luck: list[Any] = []


class Center:
    """The center at work."""

    def __init__(self, env: simpy.Environment, log: LogWriter, trace: Trace, world: World) -> None:
        self.env, self.log, self.trace, self.world = env, log, trace, world
        self.settings = settings = trace.settings
        self.times, self.upkeep = settings.response, settings.maintenance
        self.rules = trace.scenario.alarmcore.rules()
        self.states = [
            VenueState(name, responsible)
            for name, responsible in zip(
                trace.venues.ids, trace.venues.responsible.tolist(), strict=True
            )
        ]
        self.answer = trace.venues.answer.tolist()
        self.cases: dict[int, Case] = {}
        self.desk = Desk(env)
        self.desk.left = self.left_desk
        self.desk.idle = self.give_orders
        self.staff = {n: Worker(n, p.role) for n, p in settings.roster.roster().items()}
        self.at_desk = 0
        self.vans, self.bikes = settings.vehicles.vans, settings.vehicles.bikes
        self.orders: list[tuple[int, simpy.Event]] = []
        self.todo: list[Todo] = []
        self.queued = 0
        self.shelf: list[Todo] = []
        self.stock: dict[str, int] = {}
        self.full: dict[str, int] = {}
        self.delivery: set[str] = set()
        self.waiting: dict[str, list[Todo]] = {}
        self.cleaned: dict[int, float] = {}
        self.fill_stock()
        for a in trace.absences:
            text = "covered" if a.covered else "not_covered"
            log.row(a.start, Kind.ABSENT, a.person, value=a.end - a.start, text=text)
        env.process(self.shifts())
        env.process(self.looks())

    def row(self, kind: Kind, subject: str, text: str = "", value: float = nan) -> None:
        """A row, now."""
        self.log.row(self.env.now, kind, subject, text=text, value=value)

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
        if self.env.now < worker.until or worker.on_alarm or worker.trip is not None:
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
        while self.env.now + roster.break_every + roster.break_length < until:
            yield self.env.timeout(roster.break_every)
            if worker.until != until or not self.gets_up(worker, "break"):
                continue
            worker.resting = True
            yield self.env.timeout(roster.break_length)
            if worker.resting and worker.on_duty and not worker.on_alarm:
                worker.resting = False
                self.sits_again(worker)

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
        ways, now = self.trace.ways, self.env.now
        if worker.leg is None:
            return ways.seconds(worker.place, place, now)
        origin, goal, start, length = worker.leg
        done = min(now - start, length)
        return min(
            length - done + ways.seconds(goal, place, now), done + ways.seconds(origin, place, now)
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
        if worker.trip is not None:
            return self.times.turnout + self.from_the_road(worker, place)
        if worker.role is Role.DUTY:
            if not worker.resting and not self.may_leave(worker.name):
                return inf
        elif worker.place:
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
        yield self.env.timeout(self.seconds_by(worker, worker.place, 0))
        self.returns_vehicle(worker)
        worker.on_alarm = False
        if worker.role is Role.DUTY:
            self.sits_again(worker)
            return
        worker.place = 0
        if self.env.now >= worker.until:
            self.off(worker)
        self.give_orders()

    # -- the alarm core ---------------------------------------------------------------------------

    def receive(self, device: Device, signal: Signal) -> None:
        """An alarm message has come."""
        venue = device.facts.venue
        case = self.cases.get(venue)
        if case is None:
            case = self.cases[venue] = Case(venue, signal)
        elif not case.real and annotation_of(signal.cause) in REAL:
            case.real, case.cause = True, signal.cause
            case.annotation = annotation_of(signal.cause)
        if signal.cause == "equipment":
            case.faulty = device
        self.feed(
            venue,
            ev.MessageReceived(
                signal.number,
                device.facts.id,
                Category(self.trace.kinds[device.facts.kind].category),
            ),
        )

    def feed(self, venue: int, event: ev.Event) -> None:
        """The pure lifecycle says what to write and what to do."""
        now = self.env.now
        self.states[venue], decisions = step(self.states[venue], event, now, self.rules)
        for d in decisions:
            if isinstance(d, ev.Record):
                subject = d.subject or self.trace.place.name
                self.log.row(now, d.kind, subject, alarm=d.alarm, message=d.message,
                             value=d.value, text=d.text)  # fmt: skip
            elif isinstance(d, ev.SetDeadline):
                self.at(d.at, venue, ev.DeadlineDue(d.alarm, d.name))
            elif isinstance(d, ev.Attend):
                case = self.cases[venue]
                case.handlers += 1
                case.luck.append(self.trace.luck.next(venue))
                self.env.process(self.attends(case, case.luck[-1]))
            elif isinstance(d, ev.Notify):
                self.notifies(self.cases[venue], d)
            elif isinstance(d, ev.SendConfirmed):
                self.sends_confirmed(self.cases[venue])

    def at(self, time: float, venue: int, event: ev.Event) -> None:
        """Feeds an event at its time."""
        self.env.process(self._at(time, venue, event))

    def _at(self, time: float, venue: int, event: ev.Event) -> Process:
        yield self.env.timeout(max(time - self.env.now, 0.0))
        self.feed(venue, event)

    def notifies(self, case: Case, request: ev.Notify) -> None:
        """Every responsible person's receipt comes, or does not."""
        now = self.env.now
        for number, person in enumerate(request.people):
            _, _, comes, delay, channel = case.luck[0].person(number)
            if comes < self.times.receipt_share:
                word = ("voice", "sms", "app")[int(channel * 3)]
                receipt = ev.NotificationReceipt(case.alarm, person, word)
                self.at(now - self.times.receipt * log1p(-delay), case.venue, receipt)
            else:
                failed = ev.NotificationFailed(case.alarm, person, "no receipt on any channel")
                self.at(now + 45.0, case.venue, failed)

    def sends_confirmed(self, case: Case) -> None:
        """Grid worker and micro fire station get the confirmed alarm, and come."""
        now, luck, helpers = self.env.now, case.luck[-1], self.settings.helpers
        venue = self.trace.venues.ids[case.venue]
        for name, role, share, mean in (
            ("grid", "grid_worker", helpers.grid_share, helpers.grid_arrival),
            ("micro", "micro_fire_station", helpers.micro_share, helpers.micro_arrival),
        ):
            if luck.uniform(name) < share:
                who = f"{role}:{venue}"
                self.at(now, case.venue, ev.ConfirmedSent(case.alarm, who))
                there = now + mean * luck.exponential(name + "_delay")
                self.at(there, case.venue, ev.OnScene(case.alarm, who, role, now))
                case.helpers_until = max(case.helpers_until, there)

    # -- clause 6 ---------------------------------------------------------------------------------

    def attends(self, case: Case, luck: Any) -> Process:
        """Response within 5 s, verification within 1 min, and what follows."""
        env, times, venue, alarm = self.env, self.times, case.venue, case.alarm
        operator = yield self.desk.call(ALARM)
        median = times.reaction * (times.night_factor if env.now % 86400.0 < 21600.0 else 1.0)
        yield env.timeout(median * exp(times.reaction_spread * luck.normal[0]))
        self.feed(venue, ev.Responded(alarm, operator))
        outcome, how, spent = self.verifies(case, luck)
        yield env.timeout(spent)
        self.feed(venue, ev.Verified(alarm, operator, outcome, how))
        if outcome is Verification.CONFIRMED and not case.confirmed:
            case.confirmed = True
            self.feed(venue, ev.PlanStarted(alarm, operator))
            yield env.timeout(times.emergency_call * luck.exponential("emergency_call"))
            if not case.called:
                self.calls_119(case, operator)
        self.desk.done(operator)
        settled = outcome in (Verification.NOT_A_FIRE, Verification.TEST)
        if settled or case.going or (case.visited and not case.real):
            spent = times.record * luck.exponential("record")
            operator = yield from self.desk.write_record(spent)
            yield from self.finishes(case, operator, luck)
        else:
            yield from self.somebody_goes(case, luck)

    def verifies(self, case: Case, luck: Any) -> tuple[Verification, str, float]:
        """Video or telephone: outcome, how, seconds."""
        times, spent = self.times, self.times.check
        if self.trace.venues.video[case.venue] and luck.uniform("video") < times.clear:
            return self.seen(case, luck), "video", spent + times.ring
        odds = self.answer[int(self.trace.venues.kind[case.venue])]
        hour, calling = int(self.env.now % 86400.0 // 3600.0), 0.0
        for number in range(int(self.trace.venues.responsible[case.venue])):
            answers, ring, *_ = luck.person(number)
            ringing = times.ring * (0.5 + ring)
            if calling + ringing > times.calling_limit:
                break
            calling += ringing
            if answers < odds[hour]:
                variance = log1p(times.call_cv**2)
                call = times.call * exp(sqrt(variance) * luck.normal[1] - variance / 2.0)
                spent += calling + times.decision_share * call
                clear = luck.uniform("clear") < times.clear
                return self.seen(case, luck) if clear else Verification.UNCLEAR, "phone", spent
        return Verification.NOBODY_REACHED, "phone", spent + calling

    def seen(self, case: Case, luck: Any) -> Verification:
        """What somebody at the venue says."""
        if case.real and luck.uniform("mistaken") >= self.times.mistaken:
            return Verification.CONFIRMED
        if not case.real and case.annotation is Annotation.TEST:
            return Verification.TEST
        return Verification.NOT_A_FIRE

    def calls_119(self, case: Case, who: str) -> None:
        """The brigade comes."""
        now, case.called = self.env.now, True
        self.feed(case.venue, ev.EmergencyCall(case.alarm, who))
        place = int(self.trace.place.place_of[case.venue])
        there = self.trace.brigade.arrival(place, now)
        if there < inf:
            self.at(there, case.venue, ev.OnScene(case.alarm, "brigade", "brigade", now))
            case.helpers_until = max(case.helpers_until, there)

    def somebody_goes(self, case: Case, luck: Any) -> Process:
        """Dispatch, way, scene, way back."""
        env, times, venue, alarm = self.env, self.times, case.venue, case.alarm
        case.going = True
        place, ordered = int(self.trace.place.place_of[venue]), env.now
        order = self.order(place)
        waits = not order.triggered
        if waits:
            self.feed(venue, ev.Dispatched(alarm, NEXT, ""))
        worker = yield order
        seconds = times.turnout + (
            self.takes_vehicle(worker, place)
            if worker.trip is None
            else self.from_the_road(worker, place)
        )
        self.feed(venue, ev.Dispatched(alarm, worker.name, worker.vehicle or "van"))
        if waits:
            self.feed(venue, ev.StoodDown(alarm, NEXT, "order taken"))
        yield env.timeout(seconds)
        worker.place, worker.leg = place, None
        if luck.uniform("blocked") < times.blocked:
            yield env.timeout(times.blocked_delay)
        self.feed(venue, ev.OnScene(alarm, worker.name, "center", ordered))
        if not case.real:
            yield env.timeout(times.investigation * luck.exponential("work"))
        else:
            if not case.confirmed:
                case.confirmed = True
                self.feed(venue, ev.FireConfirmed(alarm, worker.name, "on_scene"))
                self.feed(venue, ev.PlanStarted(alarm, worker.name))
            self.feed(venue, ev.Evacuation(alarm, worker.name))
            if not case.called:
                yield env.timeout(times.emergency_call * luck.exponential("emergency_call"))
                if not case.called:
                    self.calls_119(case, worker.name)
            yield env.timeout(times.fire_work * luck.exponential("work"))
        case.going, case.visited = False, True
        yield from self.comes_back(worker)
        yield from self.finishes(case, worker.name, luck)

    def finishes(self, case: Case, who: str, luck: Any) -> Process:
        """The last one annotates, reports and closes."""
        if self.env.now < case.helpers_until:
            yield self.env.timeout(case.helpers_until - self.env.now)
        if case.handlers == 1 and case.confirmed:
            spent = self.times.report * luck.exponential("report")
            who = yield from self.desk.write_record(spent)
        case.handlers -= 1
        if case.handlers:
            return
        venue, alarm, annotation = case.venue, case.alarm, case.annotation
        if case.real and not case.confirmed:
            annotation = Annotation.FALSE_NUISANCE
        elif case.real and luck.uniform("contained") < self.times.contained:
            annotation = Annotation.INCIPIENT_FIRE
        self.feed(venue, ev.Annotated(alarm, who, annotation))
        if case.confirmed:
            burnt = case.annotation is Annotation.CONFIRMED_FIRE
            sealed = burnt and luck.uniform("sealed") < self.times.sealed
            self.feed(venue, ev.ReportFiled(alarm, who, "scene_sealed" if sealed else case.cause))
        if case.faulty is not None:
            why = "false alarms by its own fault"
            self.feed(venue, ev.DeviceDisabled(case.faulty.facts.id, why))
            self.open_ticket(case.faulty, Ticket.FAULT)
        del self.cases[venue]
        self.feed(venue, ev.Close(alarm, who))

    # -- tickets ----------------------------------------------------------------------------------

    def concerned(self, todo: Todo) -> list[str]:
        """Planned maintenance serves all points of a venue."""
        if todo.ticket is Ticket.PERIODIC:
            return [self.trace.devices[n].id for n in self.trace.points_of[todo.venue]]
        return [todo.device.facts.id]

    def find(self, device: Device, ticket: Ticket) -> Todo | None:
        """The open ticket of a device, among all."""
        for todo in self.todo:
            if todo.device is device and todo.ticket is ticket:
                return todo
        return None

    def open_ticket(self, device: Device, ticket: Ticket) -> Todo | None:
        """A ticket is opened, unless there is one."""
        if self.find(device, ticket) is not None:
            return None
        now = self.env.now
        patience = self.upkeep.patience if ticket is Ticket.OFFLINE else 0.0
        todo = Todo(device, ticket, now, now + patience)
        self.todo.append(todo)
        self.queue(todo)
        for name in self.concerned(todo):
            self.row(Kind.TICKET_OPENED, name, ticket, ticket_deadline_s(ticket))
        return todo

    def queue(self, todo: Todo) -> None:
        """Lets it be taken on a trip when it is ready."""
        self.queued += 1
        todo.order, todo.taken = self.queued, False

    def close(self, todo: Todo, finding: str = "", at: float | None = None) -> None:
        """Done, or over by itself."""
        time = self.env.now if at is None else at
        todo.open = False
        self.todo.remove(todo)
        if todo in self.shelf:
            self.shelf.remove(todo)
        name = todo.device.facts.id
        if todo.ticket is Ticket.OFFLINE and not todo.found:
            self.log.row(time, Kind.TICKET_FINDING, name, text=finding)
        for name in self.concerned(todo):
            self.log.row(time, Kind.TICKET_CLOSED, name, text=todo.ticket)

    def offline(self, device: Device) -> None:
        """The platform has a device offline: a trip, unless it will come back by itself."""
        todo = self.open_ticket(device, Ticket.OFFLINE)
        if todo is None or device.cuts:
            return
        if device.last_area:
            self.env.process(self.triage(todo, device.last_area))
        elif self.world.comes_back_soon(device):
            self.env.process(self.triage(todo, "heartbeats lost on the radio"))

    def triage(self, todo: Todo, cause: str) -> Process:
        """An operator finds out from the screen why a device is offline: nobody has to go."""
        todo.visit, todo.cause = False, cause
        yield self.env.timeout(self.upkeep.triage)
        if todo.open and not todo.found:
            todo.found = True
            self.row(Kind.TICKET_FINDING, todo.device.facts.id, cause)

    def online(self, device: Device) -> None:
        """The platform has it back."""
        todo = self.find(device, Ticket.OFFLINE)
        if todo is None:
            return
        if todo.taken and not todo.waits:
            todo.back = self.env.now
        else:
            self.close(todo, todo.cause)

    # -- trips ------------------------------------------------------------------------------------

    def looks(self) -> Process:
        """Somebody looks at the list every hour."""
        while True:
            self.send_idle()
            yield self.env.timeout(LOOK_AGAIN_S)

    def send_idle(self) -> None:
        """Sends whoever has nothing to do."""
        staffed = False
        for worker in self.staff.values():
            if worker.role is Role.MAINTENANCE and worker.on_duty:
                staffed = True
                if not worker.on_alarm and worker.trip is None and not self.sends(worker):
                    return
        if self.upkeep.by_duty and not staffed:
            while idle := next((n for n in self.desk.free if self.may_leave(n)), None):
                if self.at_desk < 2 or not self.sends(self.staff[idle]):
                    return

    def sends(self, worker: Worker) -> bool:
        """Starts a trip; False where there is nothing to do."""
        jobs: list[Todo] = []
        left = min(self.upkeep.trip_length, worker.until - self.env.now)
        while left > 0.0 and (found := self.chooses(left, not jobs)):
            found = [todo for todo in found if self.loads(todo)]
            left -= sum(map(self.work, found))
            jobs += found
        if not jobs:
            return False
        if worker.role is Role.DUTY:
            self.gets_up(worker, "maintenance")
        self.takes_vehicle(worker, self.place(jobs[0]))
        worker.trip = self.env.process(self.travels(worker, jobs, worker.until))
        return True

    def place(self, todo: Todo) -> int:
        """Where it is."""
        return int(self.trace.place.place_of[todo.venue])

    def chooses(self, seconds: float, whatever: bool) -> list[Todo]:
        """The most urgent ticket, and others of its square while time is left."""
        now, squares = self.env.now, self.trace.squares
        fresh = [
            t for t in self.todo
            if not t.taken and t.visit and t.ready <= now and t not in self.shelf
        ]  # fmt: skip
        self.shelf += sorted(fresh, key=lambda t: (t.ready, t.order))
        if not self.shelf:
            return []
        first = min(self.shelf, key=lambda t: t.due)
        left = seconds - self.work(first)
        if left < 0.0 and not whatever:
            return []
        near = [t for t in self.shelf if squares[t.venue] == squares[first.venue]]
        taken = [first]
        for venue in dict.fromkeys([first.venue, *(t.venue for t in near)]):
            for todo in near:
                if todo.venue == venue and todo is not first and left >= 0.0:
                    left -= self.work(todo)
                    if left >= 0.0:
                        taken.append(todo)
        for todo in taken:
            self.shelf.remove(todo)
            todo.taken = True
        return taken

    def work(self, todo: Todo) -> float:
        """Seconds on site."""
        upkeep = self.upkeep
        each = {
            Ticket.BATTERY: upkeep.battery_swap,
            Ticket.OFFLINE: upkeep.repair,
            Ticket.FAULT: upkeep.repair,
            Ticket.CLEANING: upkeep.cleaning,
            Ticket.HAZARD: upkeep.cleaning,
            Ticket.PERIODIC: upkeep.inspection,
            Ticket.END_OF_LIFE: upkeep.battery_swap,
        }[todo.ticket]
        periodic = todo.ticket is Ticket.PERIODIC
        return each * (len(self.trace.points_of[todo.venue]) if periodic else 1)

    def travels(self, worker: Worker, jobs: list[Todo], end: float) -> Process:
        """A trip, the nearest place next."""
        there = {self.place(todo): None for todo in jobs}
        while there and self.env.now < end:
            place = self.trace.ways.nearest(worker.place, there)
            del there[place]
            yield from self.drives(worker, place)
            mine = [todo for todo in jobs if self.place(todo) == place]
            yield from self.serves(worker, mine)
        for todo in jobs:
            if todo.part:
                self.stock[todo.part] += 1
                self.came(todo.part, 1)
                todo.part = ""
            if todo.open:
                self.queue(todo)
                if not isnan(todo.back) and not todo.device.believed:
                    self.close(todo, "back by itself", max(todo.back, todo.received))
        yield from self.drives(worker, 0)
        worker.trip, worker.leg, worker.place = None, None, 0
        self.returns_vehicle(worker)
        if worker.role is Role.DUTY:
            self.sits_again(worker)
        elif self.env.now >= worker.until:
            self.off(worker)
        self.give_orders()
        self.send_idle()

    def drives(self, worker: Worker, place: int) -> Process:
        """To a place; after an alarm, from there."""
        while worker.place != place:
            seconds = self.seconds_by(worker, worker.place, place)
            worker.leg = (worker.place, place, self.env.now, seconds)
            if (yield from self.undisturbed(worker, seconds)) == 0.0:
                worker.place, worker.leg = place, None

    def serves(self, worker: Worker, jobs: list[Todo]) -> Process:
        """The work at a place; after an alarm, the rest of it."""
        left, place = sum(self.work(todo) for todo in jobs if todo.open), worker.place
        while left > 0.0:
            left = yield from self.undisturbed(worker, left)
            if left > 0.0:
                yield from self.drives(worker, place)
        for todo in jobs:
            if todo.open:
                self.does(todo)

    def undisturbed(
        self, worker: Worker, seconds: float
    ) -> Generator[simpy.events.Event, Any, float]:
        """Until done, or until free again after an alarm; what remains."""
        began = self.env.now
        try:
            yield self.env.timeout(seconds)
        except simpy.Interrupt:
            left = max(seconds - (self.env.now - began), 1e-3)
        else:
            return 0.0
        while worker.released is not None:
            waits = worker.released
            try:
                yield waits
            except simpy.Interrupt:
                continue
            if worker.released is waits:
                worker.released = None
        return left

    def does(self, todo: Todo) -> None:
        """Work at a device: with it goes whatever else is open there."""
        if todo.ticket is Ticket.PERIODIC:
            self.close(todo)
            self.cleaned[todo.venue] = self.env.now
            return
        device, name = todo.device, todo.device.facts.id
        battery = todo.part == BATTERY
        exchanged = bool(todo.part) and not battery and (
            device.broken or todo.ticket in (Ticket.END_OF_LIFE, Ticket.FAULT)
        )  # fmt: skip
        if battery or exchanged:
            self.row(Kind.SPARE_USED, name, todo.part, float(self.stock[todo.part]))
            todo.part = ""
        if battery:
            self.log.row(self.env.now, Kind.BATTERY_CHANGED, name, view=View.TRUTH)
        for other in [t for t in self.todo if t.device is device]:
            if other.ticket is Ticket.BATTERY and not (battery or exchanged):
                continue
            if other.ticket is Ticket.END_OF_LIFE and not exchanged:
                continue
            if not other.visit:
                continue  # no visit brings a cell back
            if other.ticket is not Ticket.PERIODIC:
                self.close(other, self.finding(device))
        self.world.restore(device, battery, exchanged)
        if name in self.states[todo.venue].disabled:
            self.feed(todo.venue, ev.DeviceEnabled(name))

    def finding(self, device: Device) -> str:
        """Why a device was offline."""
        if device.dead_since < inf:
            return device.dead_cause
        return device.cuts[0][1] if device.cuts else "heartbeats lost on the radio"

    # -- spares -----------------------------------------------------------------------------------

    def fill_stock(self) -> None:
        """A full stock of every kind's devices, and of batteries."""
        spares = self.settings.spares
        number: dict[str, int] = {}
        for d in self.trace.devices:
            number[d.kind] = number.get(d.kind, 0) + 1
            if d.battery < inf:
                number[BATTERY] = number.get(BATTERY, 0) + 1
        for part, n in number.items():
            share = spares.batteries if part == BATTERY else spares.share
            self.full[part] = self.stock[part] = max(LEAST_STOCK, ceil(share * n))

    def loads(self, todo: Todo) -> bool:
        """Takes the spare along; where there is none the ticket waits for the delivery."""
        part = ""
        if todo.ticket is Ticket.BATTERY:
            part = BATTERY
        elif todo.ticket is Ticket.END_OF_LIFE or (
            todo.ticket in (Ticket.FAULT, Ticket.OFFLINE) and todo.device.facts.needs_spare
        ):
            part = todo.device.facts.kind
        if not part:
            return True
        if self.stock[part] == 0:
            self.row(Kind.SPARE_MISSING, todo.device.facts.id, part)
            todo.waits = True
            self.waiting.setdefault(part, []).append(todo)
            return False
        self.stock[part] -= 1
        todo.part = part
        self.orders_spares(part)
        return True

    def came(self, part: str, number: int) -> None:
        """Parts are there for so many of the tickets that wait for one."""
        waiting = self.waiting.get(part, [])
        while waiting and number > 0:
            todo = waiting.pop(0)
            if todo.open:
                todo.waits = False
                self.queue(todo)
                number -= 1

    def orders_spares(self, part: str) -> None:
        """Orders what brings the stock back to full, below the reorder point."""
        if part in self.delivery:
            return
        if self.stock[part] <= self.settings.spares.reorder_share * self.full[part]:
            number = self.full[part] - self.stock[part]
            self.delivery.add(part)
            self.row(Kind.SPARE_ORDERED, part, value=float(number))
            self.env.process(self.delivers(part, number))

    def delivers(self, part: str, number: int) -> Process:
        """A delivery."""
        yield self.env.timeout(self.settings.spares.lead_time)
        self.delivery.remove(part)
        self.stock[part] += number
        self.row(Kind.SPARE_RECEIVED, part, value=float(number))
        self.came(part, number)
        self.orders_spares(part)
