"""The procedure of clause 6, as the center's people live it.

    message ─► response (5 s) ─► check of receipts ─► telephone or video ─► decision (1 min)
                  │ no fire, test: record                 │ nobody reached, unclear: somebody goes
                  │                                       │ confirmed: plan, 119, somebody goes
                  ▼                                       ▼
              annotated, closed ◄── report (Annex C) ◄── on scene: evacuation, 119, cause, advice

Every alarm that needs attention is one SimPy process (:meth:`Response.attend`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from math import exp, inf, log1p, sqrt
from typing import Any, Protocol

import simpy
from simpy.events import Event

from twin.alarmcore.events import (
    Annotated,
    Attend,
    Close,
    ConfirmedSent,
    DeviceDisabled,
    DeviceEnabled,
    Dispatched,
    EmergencyCall,
    Evacuation,
    FireConfirmed,
    MessageReceived,
    NotificationFailed,
    NotificationReceipt,
    Notify,
    OnScene,
    PlanStarted,
    ReportFiled,
    Responded,
    SendConfirmed,
    StoodDown,
    Verified,
)
from twin.alarmcore.lifecycle import Rules
from twin.center.cases import Cases
from twin.center.luck import Luck, LuckOfSignals
from twin.center.people import ALARM, RECORD, People, Person
from twin.center.settings import CenterSettings
from twin.log import LogWriter
from twin.terms import Annotation, Category, Verification

CHANNELS = ("voice", "sms", "app")

GRAVITY = (
    Annotation.CONFIRMED_FIRE,
    Annotation.INCIPIENT_FIRE,
    Annotation.FALSE_FAULT,
    Annotation.FALSE_NUISANCE,
    Annotation.TEST,
)
"""Of several messages of a case the gravest says what it is about."""

EQUIPMENT = "equipment"
"""Cause of a false alarm by the device's own fault (6.4, class 4b)."""

NO_RECEIPT_AFTER_S = 45.0
"""A person from whom no receipt has come by then counts as not notified (assumption, 20-60 s)."""

NEXT_AVAILABLE = "next-available"
"""Who is ordered to go while nobody can: the order's clock runs all the same."""


@dataclass(frozen=True)
class Message:
    """An alarm message that reached the platform.

    Attributes
    ----------
    id : its id; device, venue : their numbers; category : of the alarm core.
    cause : what really happened; fire : whether it burns.
    annotation : the class that a careful look would give it.
    """

    id: int
    device: int
    venue: int
    category: Category
    cause: str
    fire: bool
    annotation: Annotation


@dataclass(frozen=True)
class Sites:
    """What the center knows of its venues; every list has one entry per venue.

    ``place`` numbers its place for travel; ``reachable`` says whether the registered numbers are
    right, ``grid`` and ``micro`` whether a grid worker and a micro fire station are near;
    ``answer`` has the odds that a responsible person answers the telephone, by hour of the day.
    """

    ids: list[str]
    place: list[int]
    responsible: list[int]
    video: list[bool]
    reachable: list[bool]
    grid: list[bool]
    micro: list[bool]
    answer: list[list[float]]


class Brigade(Protocol):
    """The fire brigade, as seen by those who call 119."""

    def arrival(self, place: int, called: float) -> float:
        """When the nearest free engine is on scene; ``inf`` where none can come."""
        ...


@dataclass
class Case:
    """An open alarm as the center works on it; ``message`` is the one that came last."""

    venue: int
    alarm: int
    message: int
    annotation: Annotation
    cause: str
    fire: bool
    handlers: int = 0
    confirmed: bool = False
    called: bool = False
    visited: bool = False
    going: bool = False
    faulty: int | None = None
    helpers_until: float = 0.0
    luck: list[Luck] = field(default_factory=list)


class Response:
    """The response of one center.

    Parameters
    ----------
    env, log, settings, people : the center's.
    center : its name.
    sites, device_ids : the venues and devices.
    rules : of the alarm core.
    luck : the draws.
    brigade : who comes on 119.
    on_equipment_fault : called with (device, now) when a look found the device itself at fault.
    """

    def __init__(
        self,
        env: simpy.Environment,
        log: LogWriter,
        settings: CenterSettings,
        people: People,
        center: str,
        sites: Sites,
        device_ids: Sequence[str],
        rules: Rules,
        luck: LuckOfSignals,
        brigade: Brigade,
        on_equipment_fault: Callable[[int, float], None],
    ) -> None:
        self.env = env
        self.times = settings.response
        self.helpers = settings.helpers
        self.people = people
        self.desk = people.desk
        self.sites = sites
        self.device_ids = device_ids
        self.luck = luck
        self.brigade = brigade
        self.on_equipment_fault = on_equipment_fault
        self.cases = Cases(center, sites.ids, sites.responsible, rules, log, self._request)
        self.open: dict[int, Case] = {}
        variance = log1p(self.times.call_cv**2)
        self._call_sigma, self._call_shift = sqrt(variance), -variance / 2.0

    # -- what the alarm core asks for

    def receive(self, message: Message) -> None:
        """A message has come: the alarm core opens or joins an alarm."""
        case = self.open.get(message.venue)
        if case is None:
            case = Case(message.venue, message.id, message.id, message.annotation, message.cause,
                        message.fire)  # fmt: skip
            self.open[message.venue] = case
        elif GRAVITY.index(message.annotation) < GRAVITY.index(case.annotation):
            case.fire, case.cause = message.fire, message.cause
            case.annotation = message.annotation
        case.message = message.id
        if message.cause == EQUIPMENT:
            case.faulty = message.device
        device = self.device_ids[message.device]
        self.cases.feed(
            message.venue, MessageReceived(message.id, device, message.category), self.env.now
        )

    def disable(self, venue: int, device: int, reason: str) -> None:
        """A device that gives false alarms by its own fault is disabled until it is repaired."""
        self.cases.feed(venue, DeviceDisabled(self.device_ids[device], reason), self.env.now)

    def enable(self, venue: int, device: int) -> None:
        """A device has been put in order."""
        if self.device_ids[device] in self.cases.states[venue].disabled:
            self.cases.feed(venue, DeviceEnabled(self.device_ids[device]), self.env.now)

    def _request(self, venue: int, request: Attend | Notify | SendConfirmed, now: float) -> None:
        case = self.open[venue]
        if isinstance(request, Attend):
            case.handlers += 1
            case.luck.append(self.luck.of(case.message))
            self.env.process(self.attend(case, case.luck[-1]))
        elif isinstance(request, Notify):
            self._notify(case, request, now)
        else:
            self._send_confirmed(case, now)

    def _notify(self, case: Case, request: Notify, now: float) -> None:
        """Voice, SMS and app go out on the signal; receipts come, or do not (9.3)."""
        luck = case.luck[0]
        for number, person in enumerate(request.people):
            _, _, comes, delay, channel = luck.person(number)
            if comes < self.times.receipt_share and self.sites.reachable[case.venue]:
                at = now - self.times.receipt * log1p(-delay)
                word = CHANNELS[int(channel * len(CHANNELS))]
                self.cases.later(case.venue, at, NotificationReceipt(case.alarm, person, word))
            else:
                failed = NotificationFailed(case.alarm, person, "no receipt on any channel")
                self.cases.later(case.venue, now + NO_RECEIPT_AFTER_S, failed)

    def _send_confirmed(self, case: Case, now: float) -> None:
        """Confirmed alarms go to the grid worker and the micro fire station (4.9)."""
        luck, helpers, venue = case.luck[-1], self.helpers, self.sites.ids[case.venue]
        grid, micro = self.sites.grid[case.venue], self.sites.micro[case.venue]
        for name, role, there, mean in (
            ("grid", "grid_worker", grid, helpers.grid_arrival),
            ("micro", "micro_fire_station", micro, helpers.micro_arrival),
        ):
            if there:
                who = f"{role}:{venue}"
                self.cases.later(case.venue, now, ConfirmedSent(case.alarm, who))
                arrival = now + mean * luck.exponential(name + "_delay")
                self.cases.later(case.venue, arrival, OnScene(case.alarm, who, role, now))
                case.helpers_until = max(case.helpers_until, arrival)

    # -- the procedure

    def attend(self, case: Case, luck: Luck) -> Generator[Event, Any, None]:
        """One round of attention: response, verification, and what follows from it."""
        env, cases, venue, alarm = self.env, self.cases, case.venue, case.alarm
        operator: str = yield self.desk.request(ALARM)
        yield env.timeout(self._reaction(luck))
        cases.feed(venue, Responded(alarm, operator), env.now)
        outcome, how, seconds, rest = self._verify(case, luck)
        yield env.timeout(seconds)
        cases.feed(venue, Verified(alarm, operator, outcome, how), env.now)
        if outcome is Verification.CONFIRMED and not case.confirmed:
            case.confirmed = True
            cases.feed(venue, PlanStarted(alarm, operator), env.now)
            yield env.timeout(self.times.emergency_call * luck.exponential("emergency_call"))
            if not case.called:
                self._call_119(case, operator)
        elif rest > 0.0:
            yield env.timeout(rest)
        self.desk.release(operator)
        goes = outcome not in (Verification.NOT_A_FIRE, Verification.TEST)
        if goes and not case.going and not (case.visited and not case.fire):
            yield from self._send_somebody(case, luck)
        yield from self._finish(case, luck)

    def _reaction(self, luck: Luck) -> float:
        """Seconds until the operator has read place, room and contacts; slower at night."""
        night = self.env.now % 86400.0 < 6 * 3600.0
        median = self.times.reaction * (self.times.night_factor if night else 1.0)
        return median * exp(self.times.reaction_spread * luck.normal[0])

    def _verify(self, case: Case, luck: Luck) -> tuple[Verification, str, float, float]:
        """Receipts, then video, then telephone: how it ends.

        Returns
        -------
        outcome, how : of the verification.
        seconds : until the operator can decide.
        rest : seconds of the call after that.
        """
        times, venue = self.times, case.venue
        spent = times.check
        if self.sites.video[venue]:
            spent += times.ring
            if luck.uniform("video") < times.clear:
                return self._seen(case, luck), "video", spent, 0.0
        hour = int(self.env.now % 86400.0 // 3600.0)
        odds, calling = self.sites.answer[venue][hour], 0.0
        for number in range(self.sites.responsible[venue]):
            answers, ring, *_ = luck.person(number)
            ringing = times.ring * (0.5 + ring)
            if calling + ringing > times.calling_limit:
                break
            calling += ringing
            if answers < odds and self.sites.reachable[venue]:
                length = times.call * exp(self._call_sigma * luck.normal[1] + self._call_shift)
                spent += calling + times.decision_share * length
                rest = (1.0 - times.decision_share) * length
                if luck.uniform("clear") < times.clear:
                    return self._seen(case, luck), "phone", spent, rest
                return Verification.UNCLEAR, "phone", spent, rest
        return Verification.NOBODY_REACHED, "phone", spent + calling, 0.0

    def _seen(self, case: Case, luck: Luck) -> Verification:
        """What somebody who can see the place says; a hazard without fire calls for a look."""
        if case.fire:
            mistaken = luck.uniform("mistaken") < self.times.mistaken
            return Verification.NOT_A_FIRE if mistaken else Verification.CONFIRMED
        if case.annotation is Annotation.INCIPIENT_FIRE:
            return Verification.UNCLEAR
        if case.annotation is Annotation.TEST:
            return Verification.TEST
        return Verification.NOT_A_FIRE

    def _call_119(self, case: Case, who: str) -> None:
        """119 has the report; the brigade comes from its own station."""
        now = self.env.now
        case.called = True
        self.cases.feed(case.venue, EmergencyCall(case.alarm, who), now)
        at = self.brigade.arrival(self.sites.place[case.venue], now)
        if at < inf:
            self.cases.later(case.venue, at, OnScene(case.alarm, "brigade", "brigade", now))
            case.helpers_until = max(case.helpers_until, at)

    # -- on scene

    def _send_somebody(self, case: Case, luck: Luck) -> Generator[Event, Any, None]:
        """The nearest of the center's people goes, looks, acts, and comes back (6.2, 6.3)."""
        env, cases, people, venue = self.env, self.cases, self.people, case.venue
        case.going = True
        place, ordered = self.sites.place[venue], env.now
        order = people.order(place)
        waits = not order.triggered
        if waits:
            cases.feed(venue, Dispatched(case.alarm, NEXT_AVAILABLE, ""), env.now)
        person: Person = yield order
        seconds = people.set_out(person, place)
        vehicle = person.vehicle or "van"
        cases.feed(venue, Dispatched(case.alarm, person.name, vehicle), env.now)
        if waits:
            cases.feed(venue, StoodDown(case.alarm, NEXT_AVAILABLE, "order taken"), env.now)
        yield env.timeout(seconds)
        people.arrive(person, place)
        if luck.uniform("blocked") < self.times.blocked:
            yield env.timeout(self.times.blocked_delay)
        cases.feed(venue, OnScene(case.alarm, person.name, "center", ordered), env.now)
        yield from self._work_on_scene(case, person, luck)
        case.going, case.visited = False, True
        yield from people.come_back(person)

    def _work_on_scene(self, case: Case, person: Person, luck: Luck) -> Generator[Event, Any, None]:
        env, cases, venue = self.env, self.cases, case.venue
        if not case.fire:
            yield env.timeout(self.times.investigation * luck.exponential("work"))
            return
        if not case.confirmed:
            case.confirmed = True
            cases.feed(venue, FireConfirmed(case.alarm, person.name, "on_scene"), env.now)
            cases.feed(venue, PlanStarted(case.alarm, person.name), env.now)
        cases.feed(venue, Evacuation(case.alarm, person.name), env.now)
        if not case.called:
            yield env.timeout(self.times.emergency_call * luck.exponential("emergency_call"))
            if not case.called:
                self._call_119(case, person.name)
        yield env.timeout(self.times.fire_work * luck.exponential("work"))

    # -- the record

    def _finish(self, case: Case, luck: Luck) -> Generator[Event, Any, None]:
        """Record or report, annotation and closing, at the desk; the last round closes."""
        if self.env.now < case.helpers_until:
            yield self.env.timeout(case.helpers_until - self.env.now)
        spent = self.times.record * luck.exponential("record")
        if case.handlers == 1 and case.confirmed:
            spent = self.times.report * luck.exponential("report")
        person = yield from self.desk.work(spent, RECORD, preemptible=True)
        case.handlers -= 1
        if case.handlers:
            return
        cases, venue, alarm, now = self.cases, case.venue, case.alarm, self.env.now
        cases.feed(venue, Annotated(alarm, person, self._annotation(case, luck)), now)
        if case.confirmed:
            sealed = luck.uniform("sealed") < self.times.sealed
            fire = case.annotation is Annotation.CONFIRMED_FIRE
            cause = "scene_sealed" if sealed and fire else case.cause
            cases.feed(venue, ReportFiled(alarm, person, cause), now)
        if case.faulty is not None:
            self.on_equipment_fault(case.faulty, now)
        del self.open[venue]
        cases.feed(venue, Close(alarm, person), now)

    def _annotation(self, case: Case, luck: Luck) -> Annotation:
        """One of the four classes of 6.4."""
        if not case.fire:
            return case.annotation
        if not case.confirmed:
            return Annotation.FALSE_NUISANCE
        if luck.uniform("contained") < self.times.contained:
            return Annotation.INCIPIENT_FIRE
        return case.annotation
