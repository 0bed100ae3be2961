"""Figures of small logs that were worked out by hand, and interval rates against a plain loop."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.kpi import Kpis, compute, tables
from twin.kpi.rates import handling_rate, maintenance_timeliness, online_rate
from twin.log import LogError, LogWriter
from twin.terms import Annotation, Kind, Ticket, Verification, View

START_US = 1_704_038_400_000_000  # 2024-01-01 00:00 in Shanghai, a Monday
DAY = 86400.0
HOUR = 3600.0


class Story(LogWriter):
    """A log of some days, told row by row."""

    def __init__(self, days: float = 40.0, center: str = "c", zone: str = "Asia/Shanghai") -> None:
        super().__init__(center, START_US)
        self.end = days * DAY
        self.row(0.0, Kind.PERIOD_START, center, value=self.end, text=zone)

    def device(self, name: str, at: float = 0.0, *, kind: str = "smoke_alarm", **more: Any) -> None:
        facts = {"kind": kind, "category": "fire", "venue": "v", "vendor": "a", "conforms": True}
        self.row(at, Kind.DEVICE, name, value=1, text=json.dumps(facts | more))

    def alarm(
        self,
        at: float,
        name: int,
        *,
        device: str = "d1",
        respond: float | None = 2.0,
        verify: float | None = 30.0,
        notify: float | None = 3.0,
        outcome: str = Verification.NOT_A_FIRE,
        annotation: str | None = Annotation.FALSE_NUISANCE,
        close: float | None = 120.0,
    ) -> None:
        """A fire alarm of one message; each step so many seconds after it."""
        self.row(at, Kind.FIRE_ALARM, device, message=name, alarm=name, value=1, text="fire")
        if notify is not None:
            self.row(at + notify, Kind.NOTIFIED, "v#1", alarm=name, value=notify, text="sms")
        if respond is not None:
            self.row(at + respond, Kind.RESPONDED, "p1", alarm=name)
        if verify is not None:
            self.row(at + verify, Kind.VERIFIED, "p1", alarm=name, text=outcome)
        if annotation is not None:
            self.row(at + 100.0, Kind.ANNOTATED, "p1", alarm=name, text=annotation)
        if close is not None:
            self.row(at + close, Kind.CLOSED, "p1", alarm=name)

    def kpis(self) -> Kpis:
        self.row(self.end, Kind.PERIOD_END, "c")
        return compute(self.finish())


def test_rates_take_counts_and_arrays() -> None:
    assert online_rate(1, 100) == pytest.approx(0.99)
    assert online_rate(np.array([0, 5]), np.array([10, 10])).tolist() == [1.0, 0.5]
    assert handling_rate(97, 100) == 0.97
    assert np.isnan(maintenance_timeliness(0, 0))


def test_online_rate_in_three_views_and_by_month() -> None:
    """Two devices, 40 days from 1 January: d1 is flagged for 4 days over the end of January."""
    story = Story()
    story.device("d1")
    story.device("d2")
    story.row(29 * DAY, Kind.OFFLINE, "d1")
    story.row(33 * DAY, Kind.ONLINE, "d1")
    story.row(28 * DAY, Kind.OFFLINE, "d1", view=View.TRUTH, text="battery")
    story.row(33 * DAY, Kind.ONLINE, "d1", view=View.TRUTH)
    rate = story.kpis().devices.online
    platform = rate[View.PLATFORM]
    assert platform.mean == pytest.approx(1 - 4 / 80)
    assert platform.months == pytest.approx((1 - 2 / 62, 1 - 2 / 18))  # 31 and 9 days of 2 devices
    assert platform.worst_month == pytest.approx(1 - 2 / 18)
    assert platform.minimum == 0.5
    assert platform.time_at_least == pytest.approx(36 / 40)
    assert rate[View.TRUTH].mean == pytest.approx(1 - 5 / 80)
    assert rate[View.VENDOR].mean == 1.0


def test_a_month_begins_at_local_midnight() -> None:
    story = Story()
    story.device("d1")
    story.row(31 * DAY - 1.0, Kind.OFFLINE, "d1")  # one second before February in Shanghai
    story.row(31 * DAY, Kind.ONLINE, "d1")
    months = story.kpis().devices.online[View.PLATFORM].months
    assert months[0] == pytest.approx(1 - 1 / (31 * DAY))
    assert months[1] == 1.0


def test_devices_count_from_when_they_come_to_when_they_go() -> None:
    """d2 is there for the second half: offline 10 of its 20 days, and its flag outlasts it."""
    story = Story()
    story.device("d1")
    story.device("d2", 10 * DAY)
    story.row(20 * DAY, Kind.OFFLINE, "d2")
    story.row(30 * DAY, Kind.DEVICE_REMOVED, "d2")
    kpis = story.kpis()
    # an instant's rate, over time: 1 for 30 days, 1/2 for 10
    assert kpis.devices.online[View.PLATFORM].mean == pytest.approx((30 + 10 * 0.5) / 40)
    assert kpis.devices.components == 1
    assert kpis.devices.points == 2


def test_availability_is_a_union() -> None:
    """Offline on days 1-3, faulty 2-5, disabled 10-11: 5 of 40 days down, not 6."""
    story = Story()
    story.device("d1")
    for begin, kind, end, over in (
        (1, Kind.OFFLINE, 3, Kind.ONLINE),
        (2, Kind.FAULT, 5, Kind.FAULT_CLEARED),
        (10, Kind.DISABLED, 11, Kind.ENABLED),
    ):
        story.row(begin * DAY, kind, "d1")
        story.row(end * DAY, over, "d1")
    kpis = story.kpis()
    assert kpis.devices.availability[View.PLATFORM].mean == pytest.approx(35 / 40)
    assert kpis.devices.online[View.PLATFORM].mean == pytest.approx(38 / 40)


def test_exactly_99_percent_is_99_percent() -> None:
    story = Story(days=1)
    for number in range(100):
        story.device(f"d{number}")
    story.row(0.0, Kind.OFFLINE, "d0")
    rate = story.kpis().devices.online[View.PLATFORM]
    assert rate.time_at_least == 1.0
    assert rate.mean == pytest.approx(0.99)


def test_yearly_rates_by_kind() -> None:
    """36.525 days are a tenth of a year: two smoke alarms give 0.2 device-years."""
    story = Story(days=36.525)
    story.device("d1")
    story.device("d2")
    story.device("g1", kind="gas_detector", category="gas")
    story.alarm(100.0, 1)
    story.alarm(9000.0, 2, annotation=Annotation.FALSE_FAULT)
    story.alarm(18000.0, 3, annotation=Annotation.TEST)
    story.row(5.0, Kind.FAULT, "g1")
    kpis = story.kpis()
    (smoke,) = kpis.alarms.false_alarms  # gas detectors trigger no fire alarm
    assert (smoke.kind, smoke.count) == ("smoke_alarm", 2)
    assert smoke.rate == pytest.approx(10.0)  # 1000 %
    assert {kind.kind: kind.rate for kind in kpis.devices.faults} == pytest.approx(
        {"gas_detector": 10.0, "smoke_alarm": 0.0}
    )


def test_a_repeat_is_a_message_that_the_next_verification_verifies() -> None:
    story = Story()
    story.device("d1")
    story.alarm(1000.0, 1, close=300.0)
    story.row(1010.0, Kind.FIRE_ALARM, "d1", message=2, alarm=1, value=1, text="fire")
    story.row(1040.0, Kind.FIRE_ALARM, "d1", message=3, alarm=1, value=1, text="fire")
    story.row(1047.0, Kind.RESPONDED, "p1", alarm=1)
    story.row(1105.0, Kind.VERIFIED, "p1", alarm=1, text="not_a_fire")
    story.row(1200.0, Kind.FIRE_ALARM, "d1", message=4, alarm=1, value=1, text="fire")
    alarms = story.kpis().alarms
    assert (alarms.messages, alarms.verified) == (4, 3)
    assert alarms.verification_rate == 0.75
    # waits: 30, 20 (joined while somebody was at it), 65, never
    assert alarms.verification.most == 65.0
    assert alarms.verified_late == 2
    # responses: 2, 0, 7, never
    assert alarms.response.most == 7.0
    assert alarms.responded_late == 2
    assert alarms.alarms_all == 1


def test_a_message_of_a_disabled_device_is_apart() -> None:
    story = Story()
    story.device("d1")
    story.alarm(1000.0, 1, close=900.0)
    story.row(1200.0, Kind.DISABLED, "d1")
    story.row(1300.0, Kind.FIRE_ALARM, "d1", message=2, alarm=1, value=1, text="fire")
    # a new alarm of a disabled device is an alarm like any other
    story.alarm(9000.0, 3, verify=None)
    alarms = story.kpis().alarms
    assert alarms.messages_disabled == 1
    assert (alarms.messages, alarms.verified) == (2, 1)
    assert alarms.strict_verification_rate == pytest.approx(1 / 3)


def test_a_message_after_the_device_is_enabled_again_counts() -> None:
    story = Story()
    story.device("d1")
    story.alarm(1000.0, 1, close=900.0)
    story.row(1200.0, Kind.DISABLED, "d1")
    story.row(1250.0, Kind.ENABLED, "d1")
    story.row(1300.0, Kind.FIRE_ALARM, "d1", message=2, alarm=1, value=1, text="fire")
    alarms = story.kpis().alarms
    assert (alarms.messages_disabled, alarms.messages, alarms.verified) == (0, 2, 1)


def test_flags_of_a_device_that_is_gone_do_not_count() -> None:
    story = Story()
    story.device("d1")
    story.device("d2")
    story.row(10 * DAY, Kind.DEVICE_REMOVED, "d2")
    story.row(20 * DAY, Kind.OFFLINE, "d2")
    story.row(30 * DAY, Kind.ONLINE, "d2")
    assert story.kpis().devices.online[View.PLATFORM].mean == 1.0


def sent(story: Story, name: int, at: float, arrives: float | None, role: str = "center") -> None:
    story.alarm(at, name, outcome=Verification.NOBODY_REACHED, close=2000.0)
    story.row(at + 40.0, Kind.DISPATCHED, "p2", alarm=name, text="van")
    if arrives is not None:
        story.row(at + 40.0 + arrives, Kind.ON_SCENE, "x", alarm=name, value=arrives, text=role)


@pytest.mark.parametrize(
    ("arrives", "role", "good"),
    [
        (900.0, "center", True),
        (900.1, "center", False),
        (None, "center", False),
        (600.0, "grid_worker", True),
        (-20.0, "owner", True),
        (600.0, "brigade", False),
    ],
)
def test_on_scene_within_15_min_of_the_order(arrives: float | None, role: str, good: bool) -> None:
    story = Story()
    story.device("d1")
    sent(story, 1, 1000.0, arrives, role)
    alarms = story.kpis().alarms
    assert (alarms.alarms, alarms.handled) == (1, int(good))


def test_an_order_that_was_withdrawn_needs_nobody_on_scene() -> None:
    for withdrawn, good in ((899.0, 1), (901.0, 0)):
        story = Story()
        sent(story, 1, 1000.0, None)
        story.row(1040.0 + withdrawn, Kind.STOOD_DOWN, "p2", alarm=1, text="owner answered")
        assert story.kpis().alarms.handled == good


def test_nobody_reached_and_nobody_sent_is_not_handled() -> None:
    story = Story()
    story.alarm(1000.0, 1, outcome=Verification.NOBODY_REACHED)
    alarms = story.kpis().alarms
    assert (alarms.alarms, alarms.handled, alarms.unattended) == (1, 0, 1)
    assert (alarms.sent.asked, alarms.sent.met) == (1, 0)


@pytest.mark.parametrize(
    ("steps", "handled", "strict"),
    [
        ({}, 1, 1),
        ({"notify": 60.0}, 1, 1),
        ({"notify": 60.001}, 0, 0),
        ({"notify": None}, 0, 0),
        ({"respond": 5.0}, 1, 1),
        ({"respond": 5.001}, 1, 0),
        ({"verify": 60.0}, 1, 1),
        ({"verify": 60.001}, 1, 0),
        ({"close": None}, 0, 0),
    ],
)
def test_handled_and_strictly_handled(steps: dict[str, Any], handled: int, strict: int) -> None:
    story = Story()
    story.alarm(1000.0, 1, **steps)
    alarms = story.kpis().alarms
    assert (alarms.alarms, alarms.handled, alarms.strictly_handled) == (1, handled, strict)


def test_tests_and_open_alarms_stay_out_of_the_handling_rate() -> None:
    story = Story()
    story.alarm(1000.0, 1)
    story.alarm(20000.0, 2, annotation=Annotation.TEST, notify=None)
    story.alarm(story.end - 50.0, 3, verify=None, annotation=None, close=None)
    alarms = story.kpis().alarms
    assert (alarms.alarms_all, alarms.alarms, alarms.handled) == (3, 1, 1)
    assert (alarms.tests, alarms.alarms_pending, alarms.messages_pending) == (1, 1, 1)
    assert alarms.verification_rate == 1.0


def test_a_message_past_its_minute_at_the_end_is_not_pending() -> None:
    story = Story()
    story.alarm(story.end - 61.0, 3, verify=None, annotation=None, close=None)
    alarms = story.kpis().alarms
    assert (alarms.messages, alarms.verified, alarms.messages_pending) == (1, 0, 0)


def test_delay_from_confirmed_to_119() -> None:
    story = Story()
    for name, delay in ((1, 10.0), (2, 90.0)):
        at = name * 10000.0
        story.alarm(at, name, annotation=Annotation.CONFIRMED_FIRE, outcome="confirmed")
        story.row(at + 30.0, Kind.FIRE_CONFIRMED, "p1", alarm=name, text="phone")
        story.row(at + 30.0 + delay, Kind.EMERGENCY_CALL, "p1", alarm=name, value=delay)
    alarms = story.kpis().alarms
    assert alarms.confirmed == 2
    assert (alarms.emergency_call.median, alarms.emergency_call.most) == (50.0, 90.0)
    assert (alarms.called_119.asked, alarms.called_119.met) == (2, 1)
    assert (alarms.report.asked, alarms.report.met) == (2, 0)
    assert (alarms.plan.asked, alarms.plan.met) == (2, 0)


def test_timeliness_counts_devices_and_not_tickets() -> None:
    """d1: one ticket late, nine in time; d2: one in time. By devices 1/2, by tickets 10/11."""
    story = Story()
    for number in range(10):
        at = number * 2 * DAY
        took = 25 * HOUR if number == 0 else HOUR
        story.row(at, Kind.TICKET_OPENED, "d1", value=24 * HOUR, text=Ticket.BATTERY)
        story.row(at + took, Kind.TICKET_CLOSED, "d1", text=Ticket.BATTERY)
    story.row(5.0, Kind.TICKET_OPENED, "d2", value=24 * HOUR, text=Ticket.BATTERY)
    story.row(6.0, Kind.TICKET_CLOSED, "d2", text=Ticket.BATTERY)
    story.row(story.end - HOUR, Kind.TICKET_OPENED, "d3", value=24 * HOUR, text=Ticket.BATTERY)
    care = story.kpis().maintenance
    assert (care.devices_concerned, care.devices_in_time) == (2, 1)
    assert care.timeliness == 0.5
    battery = care.tickets[Ticket.BATTERY]
    assert (battery.opened, battery.closed, battery.late, battery.pending) == (12, 11, 1, 1)
    assert care.completion == 1.0
    assert care.by_month["maintenance_timeliness"][0] == 0.5


@pytest.mark.parametrize(
    ("finding", "took", "unmet", "unseen"),
    [
        (HOUR, 48 * HOUR, 0, 0),
        (HOUR, 48 * HOUR + 1, 1, 0),
        (None, HOUR, 1, 1),
        (50 * HOUR, 47 * HOUR, 1, 1),
        (48 * HOUR, HOUR, 0, 1),  # back by itself before anybody looked, and recorded just in time
        (48 * HOUR + 1, HOUR, 1, 1),
        (HOUR, HOUR, 0, 0),  # recorded as it was repaired
    ],
)
def test_offline_needs_its_finding_and_48_hours(
    finding: float | None, took: float, unmet: int, unseen: int
) -> None:
    story = Story()
    story.row(10.0, Kind.TICKET_OPENED, "d1", value=48 * HOUR, text=Ticket.OFFLINE)
    if finding is not None:
        story.row(10.0 + finding, Kind.TICKET_FINDING, "d1", text="no signal")
    story.row(10.0 + took, Kind.TICKET_CLOSED, "d1", text=Ticket.OFFLINE)
    found = story.kpis().maintenance.tickets[Ticket.OFFLINE]
    assert (found.unmet, found.closed_unseen) == (unmet, unseen)


@pytest.mark.parametrize(("opened", "pending"), [(49 * HOUR, 0), (47 * HOUR, 1)])
def test_a_finding_may_be_pending_at_the_end(opened: float, pending: int) -> None:
    """Of another device it is no finding, before the ticket neither."""
    story = Story()
    at = story.end - opened
    story.row(at - HOUR, Kind.TICKET_FINDING, "d1", text="an older one")
    story.row(at, Kind.TICKET_OPENED, "d1", value=48 * HOUR, text=Ticket.OFFLINE)
    story.row(at + 1, Kind.TICKET_FINDING, "d2", text="another device")
    story.row(at + HOUR, Kind.TICKET_CLOSED, "d1", text=Ticket.OFFLINE)
    found = story.kpis().maintenance.tickets[Ticket.OFFLINE]
    assert (found.pending, found.unmet) == (pending, 1 - pending)


def test_what_got_no_ticket_is_neglected() -> None:
    story = Story()
    for name in ("d1", "d2"):
        story.row(DAY, Kind.OFFLINE, name)
        story.row(DAY, Kind.LOW_BATTERY, name)
    story.row(2 * DAY, Kind.TICKET_OPENED, "d1", text=Ticket.OFFLINE)
    story.row(2 * DAY, Kind.TICKET_OPENED, "d1", text=Ticket.BATTERY)
    care = story.kpis().maintenance
    assert (care.offline_neglected, care.battery_neglected) == (1, 1)
    assert care.tickets[Ticket.OFFLINE].late == 1


def test_staffing_minute_by_minute() -> None:
    """Two people for ten hours; p2 comes five minutes late, and is out for 20 minutes."""
    story = Story(days=10 / 24)
    story.row(0.0, Kind.ON_DUTY, "p1", text="duty")
    story.row(300.0, Kind.ON_DUTY, "p2", text="duty")
    story.row(0.0, Kind.ON_DUTY, "m1", text="maintenance")  # not of the shift
    story.row(3600.0, Kind.LEFT_DESK, "p2", text="dispatch")
    story.row(4200.0, Kind.LEFT_DESK, "p1", text="break")
    story.row(4260.0, Kind.BACK_AT_DESK, "p1")
    story.row(4800.0, Kind.BACK_AT_DESK, "p2")
    story.row(7200.0, Kind.LEFT_DESK, "p1", text="break")
    story.row(7500.0, Kind.BACK_AT_DESK, "p1")
    staff = story.kpis().staffing
    assert staff.minutes_below == pytest.approx(5.0)
    assert staff.minutes_desk_below == pytest.approx(
        {"dispatch": 20.0, "maintenance": 0.0, "break": 5.0}
    )
    assert staff.minutes_desk_empty == pytest.approx(1.0)
    assert staff.least_on_duty == 1
    assert staff.minutes_with_fewer_than(3) == pytest.approx(600.0)


def test_a_handover_at_the_same_instant_leaves_no_gap() -> None:
    story = Story(days=14)
    for day in range(14):
        for person in (f"a{day % 2}", f"b{day % 2}"):
            story.row(day * DAY, Kind.ON_DUTY, person, text="duty")
            story.row((day + 1) * DAY, Kind.OFF_DUTY, person, text="duty")
    staff = story.kpis().staffing
    assert staff.minutes_below == 0.0
    assert staff.weekly_hours["a0"] == pytest.approx(84.0)  # 24 h every second day


def test_missed_fires_and_alarms_by_hour() -> None:
    story = Story(days=2)
    story.row(5.0, Kind.FIRE, "v", view=View.TRUTH, value=1)
    story.row(5.0, Kind.FIRE_MISSED, "v", view=View.TRUTH, value=1, text="dead")
    story.alarm(25 * HOUR, 1)
    kpis = story.kpis()
    assert kpis.fires.missed == {"dead": 1}
    assert kpis.alarms.by_hour[1] == 1  # 01:00 in Shanghai, whatever UTC says
    assert kpis.alarms.per_day == 0.5


def test_order_of_the_rows_does_not_matter() -> None:
    story = Story()
    story.device("d1")
    story.alarm(1000.0, 1)
    story.row(DAY, Kind.OFFLINE, "d1")
    story.row(story.end, Kind.PERIOD_END, "c")
    log = story.finish()
    shuffled = log[np.random.default_rng(1).permutation(len(log))]
    assert repr(tables(compute(shuffled))) == repr(tables(compute(log)))  # NaN equals itself


def test_a_log_without_anything_gives_no_figures_and_no_crash() -> None:
    writer = LogWriter("c", START_US)
    writer.row(0.0, Kind.OPERATION, "d1", text="self_test")
    writer.row(10.0, Kind.OPERATION, "d1", text="self_test")
    kpis = compute(writer.finish())
    assert np.isnan(kpis.devices.online[View.PLATFORM].mean)
    assert np.isnan(kpis.alarms.handling_rate)
    assert kpis.alarms.messages == 0
    assert tables(kpis)["kinds"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("smoke", "JSON object with kind"), ("[1]", "JSON object with kind"), ("1,2", "JSON object")],
)
def test_a_device_row_without_its_facts_is_named(text: str, message: str) -> None:
    story = Story()
    story.row(0.0, Kind.DEVICE, "d1", value=1, text=text)
    with pytest.raises(LogError, match=message):
        story.kpis()


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(LogError, match='time zone "Mars/Olympus"'):
        Story(zone="Mars/Olympus").kpis()


# -- the vectorised rates against a plain loop over seconds ---------------------------------------

STATES = (
    (Kind.OFFLINE, Kind.ONLINE),
    (Kind.FAULT, Kind.FAULT_CLEARED),
    (Kind.DISABLED, Kind.ENABLED),
)
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 60),  # when, in whole seconds
        st.sampled_from(["d1", "d2", "d3", "stranger"]),
        st.sampled_from([kind for pair in STATES for kind in pair]),
    ),
    max_size=40,
)


def by_second(changes: list[tuple[int, str, Kind]], length: int) -> tuple[float, float]:
    """Mean online rate and availability of three devices, second by second."""
    online = available = 0.0
    for second in range(length):
        states: dict[tuple[str, Kind], bool] = {}
        for when, device, kind in changes:
            if when > second:
                break
            for begin, end in STATES:
                if kind in (begin, end):
                    states[device, begin] = kind is begin
        devices = ("d1", "d2", "d3")
        online += sum(not states.get((d, Kind.OFFLINE), False) for d in devices) / 3
        available += (
            sum(not any(states.get((d, begin), False) for begin, _ in STATES) for d in devices) / 3
        )
    return online / length, available / length


@settings(max_examples=150, deadline=None)
@given(CHANGES)
def test_interval_rates_agree_with_a_plain_loop(changes: list[tuple[int, str, Kind]]) -> None:
    changes = sorted(changes, key=lambda change: change[0])
    story = Story(days=60 / DAY)
    for name in ("d1", "d2", "d3"):
        story.device(name)
    for when, device, kind in changes:
        story.row(float(when), kind, device)
    story.row(story.end, Kind.PERIOD_END, "c")
    devices = compute(story.finish()).devices
    online, available = by_second(changes, 60)
    assert devices.online[View.PLATFORM].mean == pytest.approx(online)
    assert devices.availability[View.PLATFORM].mean == pytest.approx(available)
    assert devices.unregistered == int(
        any(
            device == "stranger" and kind in (Kind.OFFLINE, Kind.FAULT, Kind.DISABLED)
            for _, device, kind in changes
        )
    )


# -- the edges of a period ------------------------------------------------------------------------


def test_an_alarm_of_before_counts_there_and_its_messages_here() -> None:
    story = Story()
    story.device("d1")
    story.row(0.0, Kind.ALARM_OPEN, "v", alarm=1, value=20.0, text="responded")
    story.row(10.0, Kind.FIRE_ALARM, "d1", message=2, alarm=1, value=1, text="fire")
    story.row(15.0, Kind.VERIFIED, "p1", alarm=1, text=Verification.NOT_A_FIRE)
    story.row(40.0, Kind.ANNOTATED, "p1", alarm=1, text=Annotation.FALSE_NUISANCE)
    story.row(50.0, Kind.CLOSED, "p1", alarm=1)
    story.alarm(DAY, 3)
    alarms = story.kpis().alarms
    assert (alarms.messages, alarms.verified, alarms.responded_late) == (2, 2, 0)
    assert (alarms.alarms, alarms.handled, alarms.false_alarms[0].count) == (1, 1, 1)


@pytest.mark.parametrize("followed", [False, True])
def test_an_alarm_of_the_last_minute_is_judged_where_it_is_followed(followed: bool) -> None:
    story = Story()
    story.device("d1")
    for name, after in ((1, 120.0), (2, None)):
        story.alarm(story.end - 20.0 + name, name, verify=30.0 if after else None, close=after)
    value = 25 * HOUR if followed else math.nan
    story.row(story.end, Kind.PERIOD_END, "c", value=value)
    log = story.finish()
    if not followed:
        log = log[log.time <= START_US + round(story.end * 1e6)]
    alarms = compute(log).alarms
    assert alarms.alarms_all == 2
    assert (alarms.alarms, alarms.handled, alarms.unattended) == (
        (2, 1, 1) if followed else (0, 0, 0)
    )
    assert alarms.alarms_pending == (0 if followed else 2)
    assert (alarms.messages, alarms.verified) == ((2, 1) if followed else (0, 0))


@pytest.mark.parametrize(("alarm", "beyond"), [(1, 50.0), (0, 200.0)])
def test_only_what_came_of_alarms_may_follow_the_end(alarm: int, beyond: float) -> None:
    story = Story()
    story.device("d1")
    story.alarm(story.end - 20.0, 1, close=None, annotation=None)
    story.row(story.end, Kind.PERIOD_END, "c", value=beyond)
    story.row(story.end + 100.0, Kind.RESPONDED if alarm else Kind.ONLINE, "d1", alarm=alarm)
    with pytest.raises(LogError, match="lies outside its period"):
        compute(story.finish())
