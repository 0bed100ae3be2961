"""The center's people in small situations: who goes, who stays, what an interruption keeps.

Places lie on a line, a kilometre and a minute by van apart; the center is place 0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from math import exp, expm1, inf
from typing import Any

import pytest
import simpy
from conftest import Row, rows_of

from twin.alarmcore.lifecycle import Rules
from twin.center.luck import FIELDS, PEOPLE, Luck
from twin.center.maintenance import BackOnline, Maintenance, NewTicket
from twin.center.people import People
from twin.center.response import EQUIPMENT, Message, Response, Sites
from twin.center.roster import Stint
from twin.center.settings import CenterSettings
from twin.center.spares import Spares
from twin.log import MICROSECONDS, LogWriter
from twin.terms import Annotation, Category, Kind, Role, Ticket

HOUR = 3600.0
MORNING = 10 * HOUR
TURNOUT = 90.0
MINUTE = 60.0


class Line:
    """Places on a line."""

    def seconds(self, origin: int, place: int, now: float) -> float:
        assert now >= 0.0
        return MINUTE * abs(origin - place)

    def metres(self, origin: int, place: int) -> float:
        return 1000.0 * abs(origin - place)

    def nearest(self, origin: int, places: Iterable[int]) -> int:
        return min(places, key=lambda place: self.metres(origin, place))


class Chosen:
    """The luck of each alarm as a test wants it; everything else is middling."""

    def __init__(self, *alarms: dict[str, float]) -> None:
        self.alarms = list(alarms)

    def of(self, message: int) -> Luck:
        assert message > 0
        wish = self.alarms.pop(0) if self.alarms else {}
        row = [wish.get(name, 0.5) for name in FIELDS]
        row += [wish.get("answers", 0.5), 0.5, 0.5, 0.5, 0.5] * PEOPLE
        return Luck(row, [0.0, 0.0])


def spends(mean: float, seconds: float) -> float:
    """The uniform with which an exponential time of this mean takes so many seconds."""
    return -expm1(-seconds / mean)


class Brigade:
    """Ten minutes away, always."""

    def arrival(self, place: int, called: float) -> float:
        assert place > 0
        return called + 10 * MINUTE


def when(news: NewTicket | BackOnline) -> float:
    """The time at which the platform learns of it."""
    return news.received if isinstance(news, NewTicket) else news.at


class Devices:
    """Conditions of devices as a test wants them."""

    def __init__(self) -> None:
        self.known: list[NewTicket | BackOnline] = []
        self.healed: set[int] = set()
        self.restored: dict[int, float] = {}
        self.new_battery: list[int] = []

    def due(self, now: float) -> list[NewTicket | BackOnline]:
        """In the order in which the test has entered them."""
        ready = [news for news in self.known if when(news) <= now]
        self.known = [news for news in self.known if when(news) > now]
        self.healed |= {news.device for news in ready if isinstance(news, BackOnline)}
        return ready

    def broken(self, device: int) -> bool:
        return device not in self.healed

    def needs_battery(self, device: int) -> bool:
        assert device >= 0
        return False

    def restored_at(self, device: int) -> float:
        return self.restored.get(device, -inf)

    def cause(self, device: int, ticket: Ticket) -> str:
        return f"{ticket} of {device}"

    def restore(self, device: int, now: float, *, battery: bool, exchanged: bool) -> None:
        assert not (battery and exchanged)
        self.restored[device] = now
        self.new_battery += [device] * battery


class Center:
    """A center with venues at places 1, 2, 3, ...; device d is in venue d."""

    def __init__(
        self,
        duty: int = 2,
        maintenance: int = 0,
        luck: Chosen | None = None,
        venues: int = 9,
        stints: list[Stint] | None = None,
        needs_spare: bool = False,
        **settings: Any,
    ) -> None:
        self.env = env = simpy.Environment()
        self.log = LogWriter("center", 0)
        tables: dict[str, Any] = {
            "roster": {"break_length": "0 min", "pattern": "24h_on", "teams": 1, "duty": duty,
                       "maintenance": maintenance},
            "response": {"blocked": "0 %"},
        }  # fmt: skip
        for key, value in settings.items():
            table, _, name = key.partition("__")
            tables.setdefault(table, {})[name] = value
        chosen = CenterSettings.model_validate(tables)
        people = chosen.roster.roster()
        if stints is None:
            stints = [Stint(0.0, 1000 * HOUR, name, p.role) for name, p in people.items()]
        self.people = People(env, self.log, chosen, Line(), stints, [])
        ids = [f"V{v}" for v in range(venues)]
        places = list(range(1, venues + 1))
        self.faulty: list[int] = []
        self.response = Response(
            env, self.log, chosen, self.people, "center",
            Sites(
                ids, places, responsible=[3] * venues, video=[False] * venues,
                reachable=[True] * venues, grid=[False] * venues, micro=[False] * venues,
                answer=[[0.75] * 24] * venues,
            ),
            [f"V{v}/smoke" for v in range(venues)], Rules(),
            luck or Chosen(), Brigade(),  # type: ignore[arg-type]
            lambda device, _now: self.faulty.append(device),
        )  # fmt: skip
        self.devices = Devices()
        self.spares = Spares(env, self.log, chosen.spares, {"smoke_alarm": 100, "battery": 100})
        self.maintenance = Maintenance(
            env, self.log, chosen.maintenance, self.people,
            [f"V{v}/smoke" for v in range(venues)], ["smoke_alarm"] * venues, list(range(venues)),
            [[v] for v in range(venues)], places, [0] * venues, self.devices, self.spares,
            [0.0 if needs_spare else 0.999] * venues, lambda _device: None,
        )  # fmt: skip
        self.messages = 0

    def at(self, time: float, do: Callable[[], None]) -> None:
        def process() -> Generator[Any, Any, None]:
            yield self.env.timeout(time - self.env.now)
            do()

        self.env.process(process())

    def alarm(self, time: float, venue: int, cause: str = "cooking", real: bool = False) -> None:
        """A message arrives."""
        self.messages += 1
        annotation = (
            Annotation.CONFIRMED_FIRE if real
            else Annotation.FALSE_FAULT if cause == EQUIPMENT
            else Annotation.FALSE_NUISANCE
        )  # fmt: skip
        message = Message(self.messages, venue, venue, Category.FIRE, cause, real, annotation)
        self.at(time, lambda: self.response.receive(message))

    def run(self, hours: float = 24) -> list[Row]:
        self.env.run(until=hours * HOUR)
        self.response.cases.settle_all(hours * HOUR)
        self.maintenance.settle()
        return rows_of(self.log)


def seconds(row: Row) -> float:
    return row.time / MICROSECONDS


def first(rows: list[Row], kind: Kind, subject: str = "") -> Row:
    return next(r for r in rows if r.kind is kind and subject in ("", r.subject))


def kinds(rows: list[Row]) -> list[Kind]:
    return [r.kind for r in rows]


NOBODY = {"answers": 0.99}
NO_FIRE = {"answers": 0.1, "clear": 0.1}


# -- the procedure --------------------------------------------------------------------------------


def test_a_false_alarm_is_settled_by_telephone() -> None:
    center = Center(luck=Chosen(NO_FIRE | {"record": spends(180, 100)}))
    center.alarm(MORNING, 0)
    rows = center.run()
    assert Kind.DISPATCHED not in kinds(rows)
    responded, verified = first(rows, Kind.RESPONDED), first(rows, Kind.VERIFIED)
    assert seconds(responded) - MORNING == pytest.approx(2.5)
    assert verified.text == "not_a_fire"
    # 6 s of checking, 12 s of ringing, half of a call whose median is 40 s / sqrt(1 + 0.6^2).
    decided = 6 + 12 + 0.5 * 40 * exp(-0.5 * 0.3074846997479607)
    assert seconds(verified) - seconds(responded) == pytest.approx(decided)
    rest_of_call = decided - 6 - 12
    closed = seconds(first(rows, Kind.CLOSED))
    assert closed - seconds(verified) == pytest.approx(rest_of_call + 100)
    assert first(rows, Kind.ANNOTATED).text == Annotation.FALSE_NUISANCE
    assert [r.kind for r in rows if r.kind is Kind.NOTIFIED] == [Kind.NOTIFIED] * 3


def test_reactions_are_slower_at_night() -> None:
    times = []
    for hour in (2, 10):
        center = Center(luck=Chosen(NO_FIRE))
        center.alarm(hour * HOUR, 0)
        times.append(seconds(first(center.run(), Kind.RESPONDED)) - hour * HOUR)
    assert times == pytest.approx([2.5 * 1.33, 2.5])


def test_where_nobody_is_reached_somebody_goes_at_once() -> None:
    center = Center(luck=Chosen(NOBODY))
    center.alarm(MORNING, 2)
    rows = center.run()
    verified, sent = first(rows, Kind.VERIFIED), first(rows, Kind.DISPATCHED)
    assert verified.text == "nobody_reached"
    assert sent.time == verified.time
    there = first(rows, Kind.ON_SCENE)
    assert there.value == pytest.approx(TURNOUT + 3 * MINUTE)
    assert (there.subject, there.text) == (sent.subject, "center")
    back = first(rows, Kind.BACK_AT_DESK)
    assert back.subject == first(rows, Kind.LEFT_DESK).subject == sent.subject
    assert center.people.at_desk == 2
    assert (center.people.vans, center.people.bikes) == (2, 2)
    assert first(rows, Kind.CLOSED).time >= back.time  # the record is written at the desk


def test_a_fire_that_is_found_on_scene_has_its_chain() -> None:
    center = Center(luck=Chosen(NOBODY | {"emergency_call": spends(30, 20)}))
    center.alarm(MORNING, 0, "electrical", real=True)
    rows = center.run()
    there = first(rows, Kind.ON_SCENE)
    assert first(rows, Kind.FIRE_CONFIRMED).time == there.time
    assert first(rows, Kind.EVACUATION).time == there.time
    called = first(rows, Kind.EMERGENCY_CALL)
    assert called.value == pytest.approx(20)
    brigade = first(rows, Kind.ON_SCENE, "brigade")
    assert seconds(brigade) - seconds(called) == pytest.approx(600)
    assert first(rows, Kind.REPORT_FILED).time <= first(rows, Kind.CLOSED).time


def test_119_is_called_once_though_desk_and_scene_confirm_at_the_same_time() -> None:
    # The first message reaches nobody and somebody goes; the second one, while that person is on
    # the road, is confirmed by telephone. Both are about to call 119.
    center = Center(
        duty=3,
        luck=Chosen(
            NOBODY | {"emergency_call": spends(30, 2)},
            NO_FIRE | {"emergency_call": spends(30, 140)},
        ),
    )
    center.alarm(MORNING, 0, "electrical", real=True)
    center.alarm(MORNING + 100, 0, "electrical", real=True)
    rows = center.run()
    assert kinds(rows).count(Kind.EMERGENCY_CALL) == 1
    assert kinds(rows).count(Kind.CLOSED) == 1


def test_a_device_that_alarms_by_its_own_fault_is_reported_once_found() -> None:
    center = Center(luck=Chosen(NO_FIRE))
    center.alarm(MORNING, 4, EQUIPMENT)
    rows = center.run()
    assert center.faulty == [4]
    assert first(rows, Kind.ANNOTATED).text == Annotation.FALSE_FAULT


def test_an_alarm_comes_before_a_record() -> None:
    center = Center(
        duty=1, luck=Chosen(NO_FIRE | {"record": spends(180, 600)}, NO_FIRE | {"record": 0.01})
    )
    center.alarm(MORNING, 0)
    center.alarm(MORNING + 120, 1)
    rows = center.run()
    responses = [seconds(r) - MORNING for r in rows if r.kind is Kind.RESPONDED]
    assert responses == pytest.approx([2.5, 122.5])
    # The second alarm's handling is put in between, nothing of the first record is lost.
    closed = [r.alarm for r in rows if r.kind is Kind.CLOSED]
    assert sorted(closed) == [1, 2]


# -- who goes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duty", "keep", "goes"),
    [(2, 1, True), (1, 1, False), (1, 0, True), (2, 2, False), (3, 2, True)],
)
def test_as_many_stay_at_the_desk_as_the_policy_says(duty: int, keep: int, goes: bool) -> None:
    center = Center(duty=duty, luck=Chosen(NOBODY), response__keep_at_desk=keep)
    center.alarm(MORNING, 0)
    rows = center.run()
    named = [r.subject for r in rows if r.kind is Kind.DISPATCHED]
    if goes:
        assert len(named) == 1
        assert named[0].startswith("duty-")
    else:
        # The order stands and its clock runs, though nobody can take it.
        assert named == ["next-available"]
        assert Kind.ON_SCENE not in kinds(rows)
        assert "handle" in [r.text for r in rows if r.kind is Kind.DEADLINE_MISSED]


def test_an_order_that_waits_is_taken_by_the_first_who_can() -> None:
    roster = [
        Stint(0.0, 24 * HOUR, "duty-1", Role.DUTY),
        Stint(MORNING + HOUR, 24 * HOUR, "duty-2", Role.DUTY),
    ]
    center = Center(duty=2, stints=roster, luck=Chosen(NOBODY))
    center.alarm(MORNING, 0)
    rows = center.run()
    sent = [r for r in rows if r.kind is Kind.DISPATCHED]
    assert [r.subject for r in sent] == ["next-available", sent[-1].subject]
    assert seconds(sent[-1]) == MORNING + HOUR
    assert first(rows, Kind.STOOD_DOWN).subject == "next-available"
    ordered = seconds(sent[0])
    there = first(rows, Kind.ON_SCENE)
    assert seconds(there) - ordered == pytest.approx(MORNING + HOUR - ordered + TURNOUT + MINUTE)


def test_the_nearest_unit_goes_even_if_it_is_on_a_trip() -> None:
    # Somebody works at place 6; the alarm is at place 7, seven minutes from the center.
    center = Center(maintenance=1, luck=Chosen(NOBODY))
    center.devices.known = [NewTicket(MORNING, 5, Ticket.FAULT)]
    center.alarm(MORNING + 20 * MINUTE, 6)
    rows = center.run()
    sent, there = first(rows, Kind.DISPATCHED), first(rows, Kind.ON_SCENE)
    assert sent.subject == "maintenance-1"
    assert there.value == pytest.approx(TURNOUT + MINUTE)
    assert Kind.LEFT_DESK not in kinds(rows)


def test_who_sits_at_the_center_goes_when_the_trip_is_farther() -> None:
    center = Center(maintenance=1, luck=Chosen(NOBODY))
    center.devices.known = [NewTicket(MORNING, 8, Ticket.FAULT)]
    center.alarm(MORNING + 20 * MINUTE, 0)
    assert first(center.run(), Kind.DISPATCHED).subject.startswith("duty-")


def test_vehicles_are_taken_and_brought_back() -> None:
    center = Center(
        duty=4, luck=Chosen(NOBODY, NOBODY, NOBODY), vehicles__vans=1, vehicles__bikes=1
    )
    for venue in range(3):
        center.alarm(MORNING + venue, venue)
    rows = center.run()
    assert sorted(r.text for r in rows if r.kind is Kind.DISPATCHED) == ["bike", "foot", "van"]
    assert (center.people.vans, center.people.bikes) == (1, 1)


def test_somebody_whose_shift_ends_on_scene_goes_home_afterwards() -> None:
    end = MORNING + 5 * MINUTE
    roster = [
        Stint(0.0, end, "duty-1", Role.DUTY),
        Stint(0.0, 24 * HOUR, "duty-2", Role.DUTY),
    ]
    center = Center(duty=2, stints=roster, luck=Chosen(NOBODY), response__investigation="60 min")
    center.alarm(MORNING, 0)
    rows = center.run()
    gone = next(r for r in rows if r.kind is Kind.OFF_DUTY)
    assert gone.subject == first(rows, Kind.DISPATCHED).subject == "duty-1"
    assert seconds(gone) > end
    assert center.people.at_desk == 1


# -- maintenance ----------------------------------------------------------------------------------


def test_a_trip_goes_works_and_comes_back() -> None:
    center = Center(maintenance=1)
    center.devices.known = [NewTicket(MORNING - 1, 2, Ticket.CLEANING)]
    rows = center.run()
    opened, closed = first(rows, Kind.TICKET_OPENED), first(rows, Kind.TICKET_CLOSED)
    assert seconds(opened) == MORNING - 1
    # Somebody looks at the list at least every 15 min; 3 min of driving, 15 of work.
    assert 18 * MINUTE <= seconds(closed) - seconds(opened) <= 33 * MINUTE + 1
    assert center.devices.restored.keys() == {2}
    assert center.people.by_name["maintenance-1"].place == 0


@pytest.mark.parametrize("alarms", [1, 2, 3])
@pytest.mark.parametrize("when", [1 * MINUTE, 10 * MINUTE, 17 * MINUTE])
def test_an_alarm_interrupts_a_trip_and_what_remains_of_it_is_done(
    when: float, alarms: int
) -> None:
    """On the way out (3 min), at work (15 min) and near its end; again and again."""

    def closed(disturbed: bool) -> tuple[float, list[Row]]:
        luck = Chosen(*[NOBODY | {"work": spends(480, 300)}] * alarms)
        # Nobody may leave the desk, so the maintenance person goes.
        center = Center(duty=1, maintenance=1, luck=luck)
        center.devices.known = [NewTicket(MORNING, 2, Ticket.CLEANING)]
        if disturbed:
            for k in range(alarms):
                center.alarm(MORNING + when + k * 25 * MINUTE, 3)
        rows = center.run()
        assert center.people.by_name["maintenance-1"].trip is None
        assert center.people.vans == 2
        return seconds(first(rows, Kind.TICKET_CLOSED)), rows

    plain, _ = closed(False)
    late, rows = closed(True)
    # Only alarms before the work is done matter; each takes at least the turnout and 5 min on
    # scene, and at most the way there and back on top of it.
    sent = [
        r for r in rows
        if r.kind is Kind.DISPATCHED and r.subject == "maintenance-1" and seconds(r) < late
    ]  # fmt: skip
    assert sent
    each = (TURNOUT + 5 * MINUTE, TURNOUT + 5 * MINUTE + 2 * 4 * MINUTE)
    assert len(sent) * each[0] - 1 <= late - plain <= len(sent) * each[1] + 1
    assert kinds(rows).count(Kind.TICKET_CLOSED) == 1


def test_no_job_is_lost_when_the_day_ends() -> None:
    days = [Stint(d * 24 * HOUR + 8 * HOUR, d * 24 * HOUR + 18 * HOUR, "maintenance-1",
                  Role.MAINTENANCE) for d in range(6)]  # fmt: skip
    duty = [Stint(0.0, 1000 * HOUR, "duty-1", Role.DUTY)]
    center = Center(duty=1, maintenance=1, stints=duty + days, venues=60)
    center.devices.known = [NewTicket(0.0, d, Ticket.FAULT) for d in range(60)]
    rows = center.run(6 * 24)
    closed = [r.subject for r in rows if r.kind is Kind.TICKET_CLOSED]
    assert sorted(closed) == sorted(f"V{v}/smoke" for v in range(60))
    for row in rows:
        if row.kind is Kind.OFF_DUTY:
            # Overtime is at most a job and the way back.
            assert (seconds(row) % (24 * HOUR)) / HOUR < 20


def test_a_device_that_came_back_by_itself_gets_no_visit() -> None:
    center = Center(maintenance=1)
    back = MORNING + HOUR  # within the patience
    center.devices.known = [NewTicket(MORNING, 2, Ticket.OFFLINE), BackOnline(back, 2)]
    rows = center.run()
    assert seconds(first(rows, Kind.TICKET_CLOSED)) == back
    assert first(rows, Kind.TICKET_FINDING).text == "back by itself"
    assert seconds(first(rows, Kind.TICKET_FINDING)) == back
    assert kinds(rows).count(Kind.TICKET_CLOSED) == 1
    assert center.devices.restored == {}
    assert center.maintenance.offline_jobs == [(2, MORNING, back)]


def test_a_device_that_is_back_keeps_its_other_tickets_and_may_go_offline_again() -> None:
    center = Center(maintenance=0)
    center.devices.known = [
        NewTicket(MORNING, 2, Ticket.OFFLINE), NewTicket(MORNING + 1, 2, Ticket.BATTERY),
        NewTicket(MORNING + 2, 3, Ticket.OFFLINE), BackOnline(MORNING + HOUR, 2),
        NewTicket(MORNING + 2 * HOUR, 2, Ticket.OFFLINE),
    ]  # fmt: skip
    rows = center.run(15)
    (closed,) = [r for r in rows if r.kind is Kind.TICKET_CLOSED]
    assert (closed.subject, closed.text) == ("V2/smoke", Ticket.OFFLINE)
    assert center.maintenance.backlog.jobs.keys() == {
        (2, Ticket.BATTERY), (3, Ticket.OFFLINE), (2, Ticket.OFFLINE)
    }  # fmt: skip
    assert center.maintenance.offline_jobs == [
        (2, MORNING, MORNING + HOUR), (3, MORNING + 2, inf), (2, MORNING + 2 * HOUR, inf)
    ]  # fmt: skip


def test_an_offline_device_gets_patience_before_a_visit() -> None:
    center = Center(maintenance=1, maintenance__patience="4 h")
    center.devices.known = [NewTicket(MORNING, 2, Ticket.OFFLINE)]
    closed = first(center.run(), Kind.TICKET_CLOSED)
    assert seconds(closed) >= MORNING + 4 * HOUR + 33 * MINUTE
    assert seconds(closed) <= MORNING + 4 * HOUR + 48 * MINUTE + 1


def test_a_ticket_that_opens_while_its_device_is_being_repaired_joins_the_open_one() -> None:
    # The device was back for a while and is flagged again shortly before the repair is done.
    center = Center(maintenance=1, maintenance__patience="4 h")
    center.devices.known = [
        NewTicket(MORNING - 4 * HOUR, 2, Ticket.OFFLINE),
        NewTicket(MORNING + 31 * MINUTE, 2, Ticket.OFFLINE),
    ]
    rows = center.run(11)
    assert seconds(first(rows, Kind.TICKET_CLOSED)) == MORNING + 33 * MINUTE
    about = (Kind.TICKET_OPENED, Kind.TICKET_CLOSED)
    assert [r.kind for r in rows if r.kind in about] == list(about)


def test_one_visit_serves_all_that_is_open_at_a_device() -> None:
    center = Center(maintenance=1)
    center.devices.known = [
        NewTicket(MORNING, 2, Ticket.BATTERY), NewTicket(MORNING, 2, Ticket.CLEANING)
    ]  # fmt: skip
    rows = center.run()
    closed = [r for r in rows if r.kind is Kind.TICKET_CLOSED]
    assert {r.text for r in closed} == {Ticket.BATTERY, Ticket.CLEANING}
    assert center.devices.new_battery == [2]


def test_duty_people_do_maintenance_only_where_the_policy_says_so() -> None:
    for allowed in (True, False):
        center = Center(duty=2, maintenance__by_duty=allowed)
        center.devices.known = [NewTicket(MORNING, 2, Ticket.FAULT)]
        rows = center.run()
        assert (Kind.TICKET_CLOSED in kinds(rows)) is allowed
        assert [r.text for r in rows if r.kind is Kind.LEFT_DESK] == ["maintenance"] * allowed
        assert center.people.at_desk == 2


# -- spares ---------------------------------------------------------------------------------------


def test_spares_are_reordered_at_the_point_and_come_after_the_lead_time() -> None:
    center = Center(
        maintenance=3, needs_spare=True, venues=9, spares__share="4 %", spares__lead_time="2 d"
    )
    center.devices.known = [NewTicket(0.0, d, Ticket.FAULT) for d in range(9)]
    rows = center.run(8 * 24)
    ordered = [r for r in rows if r.kind is Kind.SPARE_ORDERED]
    received = [r for r in rows if r.kind is Kind.SPARE_RECEIVED]
    assert [seconds(b) - seconds(a) for a, b in zip(ordered, received, strict=False)] == (
        [48 * HOUR] * len(received)
    )
    # Full stock of 4, ordered when 2 are left.
    assert ordered[0].value == 2.0
    assert kinds(rows).count(Kind.SPARE_USED) == 9
    assert kinds(rows).count(Kind.TICKET_CLOSED) == 9
    assert Kind.SPARE_MISSING in kinds(rows)
    waits = [r for r in rows if r.kind is Kind.TICKET_CLOSED and seconds(r) > 48 * HOUR]
    assert len(waits) == 5
    assert center.spares.stock["smoke_alarm"] <= 4


def test_a_spare_that_was_not_needed_goes_back() -> None:
    center = Center(maintenance=1, needs_spare=True)
    back = MORNING + 4 * HOUR + 20 * MINUTE  # while somebody is on the way
    center.devices.known = [NewTicket(MORNING, 2, Ticket.OFFLINE), BackOnline(back, 2)]
    rows = center.run()
    assert seconds(first(rows, Kind.TICKET_CLOSED)) == back
    assert kinds(rows).count(Kind.TICKET_CLOSED) == 1
    assert center.devices.restored == {}
    assert Kind.SPARE_USED not in kinds(rows)
    assert center.spares.stock == center.spares.full
