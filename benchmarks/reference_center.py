"""The reference's alarms, by clause 6, every receipt, deadline and arrival a process of its own.

Shared with the fast model are the alarm core's pure lifecycle, the ways, the brigade and, in a
trace, the luck and the roster's plan. Desk, dispatch, procedure, tickets and trips are written
here once more: read :mod:`benchmarks.reference_people` and :mod:`benchmarks.reference_upkeep`.
"""

from __future__ import annotations

from math import exp, inf, log1p, sqrt
from typing import TYPE_CHECKING, Any

import simpy

import twin.alarmcore.events as ev
from benchmarks.reference_people import ALARM, Process
from benchmarks.reference_upkeep import Upkeep
from benchmarks.trace import Signal, Trace
from twin.alarmcore.lifecycle import VenueState, step
from twin.log import LogWriter
from twin.terms import Annotation, Category, Ticket, Verification
from twin.world.happenings import annotation_of

if TYPE_CHECKING:
    from benchmarks.reference import World
    from benchmarks.reference_vendor import Device

GRAVEST = [
    Annotation.CONFIRMED_FIRE,
    Annotation.INCIPIENT_FIRE,
    Annotation.FALSE_FAULT,
    Annotation.FALSE_NUISANCE,
    Annotation.TEST,
]
NEXT = "next-available"


class Case:
    """An open alarm."""

    def __init__(self, venue: int, signal: Signal) -> None:
        self.venue, self.alarm, self.cause = venue, signal.number, signal.cause
        self.annotation = annotation_of(signal.cause)
        self.fire = self.annotation is Annotation.CONFIRMED_FIRE
        self.handlers, self.message = 0, signal.number
        self.confirmed = self.called = self.visited = self.going = False
        self.faulty: Device | None = None
        self.helpers_until = 0.0
        self.luck: list[Any] = []


class Center(Upkeep):
    """The center at work."""

    def __init__(self, env: simpy.Environment, log: LogWriter, trace: Trace, world: World) -> None:
        self.rules = trace.scenario.alarmcore.rules()
        self.states = [
            VenueState(name, responsible)
            for name, responsible in zip(
                trace.venues.ids, trace.venues.responsible.tolist(), strict=True
            )
        ]
        self.answer = trace.venues.answer.tolist()
        self.cases: dict[int, Case] = {}
        super().__init__(env, log, trace, world)

    def enabled(self, device: Device) -> None:
        """A device has been put in order."""
        venue, name = device.facts.venue, device.facts.id
        if name in self.states[venue].disabled:
            self.feed(venue, ev.DeviceEnabled(name))

    # -- the alarm core ---------------------------------------------------------------------------

    def receive(self, device: Device, signal: Signal) -> None:
        """An alarm message has come."""
        venue = device.facts.venue
        case = self.cases.get(venue)
        if case is None:
            case = self.cases[venue] = Case(venue, signal)
        elif GRAVEST.index(annotation_of(signal.cause)) < GRAVEST.index(case.annotation):
            case.cause, case.annotation = signal.cause, annotation_of(signal.cause)
            case.fire = case.annotation is Annotation.CONFIRMED_FIRE
        case.message = signal.number
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
                case.luck.append(self.trace.luck.of(case.message))
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
            if comes < self.times.receipt_share and self.trace.reachable[case.venue]:
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
        for name, role, near, mean in (
            ("grid", "grid_worker", self.trace.grid, helpers.grid_arrival),
            ("micro", "micro_fire_station", self.trace.micro, helpers.micro_arrival),
        ):
            if near[case.venue]:
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
        outcome, how, spent, rest = self.verifies(case, luck)
        yield env.timeout(spent)
        self.feed(venue, ev.Verified(alarm, operator, outcome, how))
        if outcome is Verification.CONFIRMED and not case.confirmed:
            case.confirmed = True
            self.feed(venue, ev.PlanStarted(alarm, operator))
            yield env.timeout(times.emergency_call * luck.exponential("emergency_call"))
            if not case.called:
                self.calls_119(case, operator)
        elif rest > 0.0:
            yield env.timeout(rest)
        self.desk.done(operator)
        settled = outcome in (Verification.NOT_A_FIRE, Verification.TEST)
        if not (settled or case.going or (case.visited and not case.fire)):
            yield from self.somebody_goes(case, luck)
        yield from self.finishes(case, luck)

    def verifies(self, case: Case, luck: Any) -> tuple[Verification, str, float, float]:
        """Video or telephone: outcome, how, seconds until then, and of the call after it."""
        times, spent = self.times, self.times.check
        if self.trace.venues.video[case.venue]:
            spent += times.ring
            if luck.uniform("video") < times.clear:
                return self.seen(case, luck), "video", spent, 0.0
        odds = self.answer[int(self.trace.venues.kind[case.venue])]
        hour, calling = int(self.env.now % 86400.0 // 3600.0), 0.0
        for number in range(int(self.trace.venues.responsible[case.venue])):
            answers, ring, *_ = luck.person(number)
            ringing = times.ring * (0.5 + ring)
            if calling + ringing > times.calling_limit:
                break
            calling += ringing
            if answers < odds[hour] and self.trace.reachable[case.venue]:
                variance = log1p(times.call_cv**2)
                call = times.call * exp(sqrt(variance) * luck.normal[1] - variance / 2.0)
                spent += calling + times.decision_share * call
                clear = luck.uniform("clear") < times.clear
                outcome = self.seen(case, luck) if clear else Verification.UNCLEAR
                return outcome, "phone", spent, (1.0 - times.decision_share) * call
        return Verification.NOBODY_REACHED, "phone", spent + calling, 0.0

    def seen(self, case: Case, luck: Any) -> Verification:
        """What somebody at the venue says."""
        if case.fire:
            mistaken = luck.uniform("mistaken") < self.times.mistaken
            return Verification.NOT_A_FIRE if mistaken else Verification.CONFIRMED
        if case.annotation is Annotation.INCIPIENT_FIRE:
            return Verification.UNCLEAR  # a hazard without fire: somebody has to look
        if case.annotation is Annotation.TEST:
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
            self.from_the_road(worker, place)
            if worker.place or worker.leg is not None
            else self.takes_vehicle(worker, place)
            if worker.trip is None
            else self.seconds_by(worker, 0, place)
        )
        self.feed(venue, ev.Dispatched(alarm, worker.name, worker.vehicle or "van"))
        if waits:
            self.feed(venue, ev.StoodDown(alarm, NEXT, "order taken"))
        yield env.timeout(seconds)
        worker.place, worker.leg = place, None
        if luck.uniform("blocked") < times.blocked:
            yield env.timeout(times.blocked_delay)
        self.feed(venue, ev.OnScene(alarm, worker.name, "center", ordered))
        if not case.fire:
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

    def finishes(self, case: Case, luck: Any) -> Process:
        """Record or report at the desk; the last one annotates and closes."""
        if self.env.now < case.helpers_until:
            yield self.env.timeout(case.helpers_until - self.env.now)
        spent = self.times.record * luck.exponential("record")
        if case.handlers == 1 and case.confirmed:
            spent = self.times.report * luck.exponential("report")
        who = yield from self.desk.write_record(spent)
        case.handlers -= 1
        if case.handlers:
            return
        venue, alarm, annotation = case.venue, case.alarm, case.annotation
        if case.fire and not case.confirmed:
            annotation = Annotation.FALSE_NUISANCE
        elif case.fire and luck.uniform("contained") < self.times.contained:
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
