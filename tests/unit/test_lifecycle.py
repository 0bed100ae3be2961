"""The alarm lifecycle by example: clauses 6.1 to 6.4, 8.3 and 9.3."""

from __future__ import annotations

import math

import pytest

from twin.alarmcore.lifecycle import (
    Alarm,
    Annotated,
    Attend,
    CancelDeadline,
    Close,
    ConfirmedSent,
    DeadlineDue,
    Decision,
    DeviceDisabled,
    DeviceEnabled,
    Dispatched,
    EmergencyCall,
    Evacuation,
    Event,
    FireConfirmed,
    LifecycleError,
    MessageReceived,
    NotificationFailed,
    NotificationReceipt,
    Notify,
    OnScene,
    PlanStarted,
    Record,
    ReportFiled,
    Responded,
    Rules,
    SendConfirmed,
    SetDeadline,
    StoodDown,
    VenueState,
    Verified,
    missing,
    open_deadlines,
    place,
    step,
)
from twin.terms import Annotation, Category, Kind, Verification

FIRE = Category.FIRE


class Venue:
    """Drives one venue and keeps everything that was decided."""

    def __init__(self, responsible: int = 5, rules: Rules | None = None) -> None:
        self.state = VenueState("shop", responsible)
        self.rules = rules or Rules()
        self.decided: list[tuple[float, Decision]] = []

    def at(self, now: float, *events: Event) -> list[Decision]:
        """What the events decide, one after the other, all at the same time."""
        new: list[Decision] = []
        for event in events:
            self.state, decisions = step(self.state, event, now, self.rules)
            new += decisions
        self.decided += [(now, decision) for decision in new]
        return new

    @property
    def alarm(self) -> Alarm:
        assert self.state.alarm is not None
        return self.state.alarm

    def rows(self, *kinds: Kind) -> list[tuple[float, Record]]:
        """Records of these kinds, or all, with their times."""
        return [
            (now, d)
            for now, d in self.decided
            if isinstance(d, Record) and (not kinds or d.kind in kinds)
        ]


def kinds(decisions: list[Decision]) -> list[Kind]:
    return [d.kind for d in decisions if isinstance(d, Record)]


def test_the_first_message_notifies_all_responsible_people_before_anybody_verifies() -> None:
    """9.3 and 6.1: notification goes out on the signal."""
    decisions = Venue(responsible=5).at(100.0, MessageReceived(7, "smoke-1", FIRE))
    assert decisions == [
        Record(Kind.FIRE_ALARM, "smoke-1", 7, 7, 1, "fire"),
        Attend(7, 1),
        SetDeadline(7, "respond", 105.0),
        SetDeadline(7, "verify", 160.0),
        Notify(7, ("shop#1", "shop#2", "shop#3", "shop#4", "shop#5")),
        SetDeadline(7, "notify", 160.0),
    ]


def test_response_within_5_s_and_verification_within_1_min() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE))
    assert CancelDeadline(1, "respond") in venue.at(4.9, Responded(1, "Li"))
    decisions = venue.at(59.0, Verified(1, "Li", Verification.NOT_A_FIRE))
    assert CancelDeadline(1, "verify") in decisions
    assert not venue.rows(Kind.DEADLINE_MISSED)
    [(now, row)] = venue.rows(Kind.VERIFIED)
    assert (now, row.subject, row.text, row.alarm) == (59.0, "Li", "not_a_fire", 1)


def test_a_missed_deadline_is_recorded_once() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE))
    [missed] = venue.at(5.0, DeadlineDue(1, "respond"))
    assert missed == Record(Kind.DEADLINE_MISSED, "", 1, 0, 5.0, "respond")
    assert venue.at(5.0, DeadlineDue(1, "respond")) == []
    assert kinds(venue.at(9.0, Responded(1, "Li"))) == [Kind.RESPONDED]
    # Nobody set a timer for the verification: its end finds that it is late.
    late = venue.at(61.0, Verified(1, "Li", Verification.TEST))
    assert kinds(late) == [Kind.DEADLINE_MISSED, Kind.VERIFIED]
    assert venue.at(61.0, DeadlineDue(1, "verify")) == []


def test_a_timer_may_fire_a_rounding_error_early() -> None:
    venue = Venue()
    now = 0.1 + 0.2 + 31_536_000.0
    venue.at(now, MessageReceived(1, "smoke-1", FIRE))
    assert len(venue.at(math.nextafter(now + 5.0, 0.0), DeadlineDue(1, "respond"))) == 1


def test_repeats_and_further_detectors_join_the_open_alarm_and_stay_messages() -> None:
    venue = Venue()
    for message, device in [(1, "smoke-1"), (2, "smoke-1"), (3, "smoke-2"), (4, "call-point")]:
        venue.at(float(message), MessageReceived(message, device, FIRE))
    rows = [row for _, row in venue.rows(Kind.FIRE_ALARM)]
    assert [(r.message, r.alarm, r.value) for r in rows] == [
        (1, 1, 1),
        (2, 1, 1),
        (3, 1, 2),
        (4, 1, 3),
    ]
    assert venue.alarm.grade == 3
    assert venue.alarm.unverified == 4
    assert sum(isinstance(d, Notify) for _, d in venue.decided) == 1


def test_a_fire_message_makes_a_joined_alarm_a_fire_alarm() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "arc-1", Category.ELECTRICAL))
    venue.at(1.0, MessageReceived(2, "smoke-1", FIRE))
    venue.at(2.0, MessageReceived(3, "gas-1", Category.GAS))
    assert venue.alarm.category is FIRE
    assert [r.text for _, r in venue.rows(Kind.FIRE_ALARM)] == ["electrical", "fire", "gas"]


def test_a_message_between_response_and_verification_is_covered_by_that_verification() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    assert kinds(venue.at(20.0, MessageReceived(2, "smoke-2", FIRE))) == [Kind.FIRE_ALARM]
    venue.at(40.0, Verified(1, "Li", Verification.NOT_A_FIRE))
    assert venue.alarm.unverified == 0


def test_a_message_after_the_verification_reopens_the_alarm() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(40.0, Verified(1, "Li", Verification.NOT_A_FIRE))
    venue.at(41.0, Annotated(1, "Li", Annotation.FALSE_NUISANCE))
    decisions = venue.at(50.0, MessageReceived(2, "smoke-1", FIRE))
    assert kinds(decisions) == [Kind.FIRE_ALARM, Kind.REOPENED]
    assert Attend(1, 1) in decisions
    assert SetDeadline(1, "respond", 55.0) in decisions
    assert SetDeadline(1, "verify", 110.0) in decisions
    assert not any(isinstance(d, Notify) for d in decisions)
    with pytest.raises(LifecycleError, match=r"lacks a response; .* 1 message.*; an annotation"):
        venue.at(51.0, Close(1, "Li"))
    # The first round's timer fires: its deadline was met, the new one is not due yet.
    assert venue.at(54.0, DeadlineDue(1, "respond")) == []
    venue.at(54.0, Responded(1, "Wang"))
    venue.at(70.0, Verified(1, "Wang", Verification.NOT_A_FIRE))
    venue.at(71.0, Annotated(1, "Wang", Annotation.FALSE_FAULT), Close(1, "Wang"))
    assert venue.state.alarm is None


def test_a_disabled_device_s_message_is_recorded_but_does_not_reopen() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(40.0, Verified(1, "Li", Verification.NOT_A_FIRE))
    [row] = venue.at(41.0, DeviceDisabled("smoke-1", "repeats"))
    assert isinstance(row, Record)
    assert (row.kind, row.subject, row.text) == (Kind.DISABLED, "smoke-1", "repeats")
    assert kinds(venue.at(42.0, MessageReceived(2, "smoke-1", FIRE))) == [Kind.FIRE_ALARM]
    assert venue.alarm.messages == 2
    assert kinds(venue.at(43.0, DeviceEnabled("smoke-1"))) == [Kind.ENABLED]
    assert Kind.REOPENED in kinds(venue.at(44.0, MessageReceived(3, "smoke-1", FIRE)))


def test_a_disabled_device_still_raises_an_alarm_of_its_own() -> None:
    venue = Venue()
    venue.at(0.0, DeviceDisabled("smoke-1"))
    assert Attend(1, 1) in venue.at(1.0, MessageReceived(1, "smoke-1", FIRE))


def test_a_device_that_reopens_too_often_is_disabled_where_the_center_says_so() -> None:
    venue = Venue(rules=Rules(disable_after=2))
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE))
    for message in (2, 3):
        venue.at(message * 100.0, Responded(1, "Li"))
        venue.at(message * 100.0, Verified(1, "Li", Verification.NOT_A_FIRE))
        decisions = venue.at(message * 100.0 + 1, MessageReceived(message, "smoke-1", FIRE))
        assert Kind.REOPENED in kinds(decisions)
    venue.at(400.0, Responded(1, "Li"), Verified(1, "Li", Verification.NOT_A_FIRE))
    decisions = venue.at(401.0, MessageReceived(4, "smoke-1", FIRE))
    assert kinds(decisions) == [Kind.FIRE_ALARM, Kind.DISABLED]
    assert venue.state.disabled == {"smoke-1"}
    # Another device still reopens.
    assert Kind.REOPENED in kinds(venue.at(402.0, MessageReceived(5, "smoke-2", FIRE)))


def test_confirmed_by_telephone_starts_the_plan_and_calls_119() -> None:
    """6.2 and 4.9."""
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    decisions = venue.at(30.0, Verified(1, "Li", Verification.CONFIRMED, "video"))
    assert kinds(decisions) == [Kind.VERIFIED, Kind.FIRE_CONFIRMED]
    assert SendConfirmed(1) in decisions
    venue.at(32.0, PlanStarted(1, "Li"), ConfirmedSent(1, "grid-3"))
    venue.at(45.0, EmergencyCall(1, "Li"))
    [(_, call)] = venue.rows(Kind.EMERGENCY_CALL)
    assert call.value == 15.0
    # A second confirmation, from the scene, is a fact but is not sent out again.
    again = venue.at(400.0, FireConfirmed(1, "Zhao", "on_scene"))
    assert kinds(again) == [Kind.FIRE_CONFIRMED]
    assert not any(isinstance(d, SendConfirmed) for d in again)


def test_nobody_reached_somebody_goes_confirms_and_calls_119() -> None:
    """6.2, second sentence, then 6.3 and 6.4 to the closed record of 8.3."""
    venue = Venue(responsible=1)
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(30.0, NotificationFailed(1, "shop#1", "no answer"))
    venue.at(55.0, Verified(1, "Li", Verification.NOBODY_REACHED))
    assert SetDeadline(1, "on_scene", 957.0) in venue.at(57.0, Dispatched(1, "Zhao", "van-1"))
    [missed] = venue.at(60.0, DeadlineDue(1, "notify"))
    assert missed == Record(Kind.DEADLINE_MISSED, "", 1, 0, 60.0, "handle")
    decisions = venue.at(457.0, OnScene(1, "Zhao", "center", 57.0))
    assert CancelDeadline(1, "on_scene") in decisions
    [(_, arrival)] = venue.rows(Kind.ON_SCENE)
    assert (arrival.value, arrival.text) == (400.0, "center")
    venue.at(470.0, FireConfirmed(1, "Zhao", "on_scene"), PlanStarted(1, "Li"))
    venue.at(472.0, Evacuation(1, "Zhao"), EmergencyCall(1, "Zhao"))
    venue.at(3000.0, Annotated(1, "Li", Annotation.CONFIRMED_FIRE))
    assert missing(venue.alarm) == ("the report",)
    venue.at(4000.0, ReportFiled(1, "Zhao", "scene_sealed"))
    assert kinds(venue.at(4001.0, Close(1, "Li"))) == [Kind.CLOSED]
    assert venue.state == VenueState("shop", 1)


def test_close_is_refused_while_people_are_under_way() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(30.0, Verified(1, "Li", Verification.UNCLEAR), Dispatched(1, "Zhao", "van-1"))
    venue.at(40.0, Annotated(1, "Li", Annotation.FALSE_NUISANCE))
    with pytest.raises(LifecycleError, match="arrival or standing down of Zhao"):
        venue.at(50.0, Close(1, "Li"))
    decisions = venue.at(60.0, StoodDown(1, "Zhao", "owner says cooking"))
    assert CancelDeadline(1, "on_scene") in decisions
    venue.at(61.0, Close(1, "Li"))


def test_the_15_min_run_from_the_first_order_and_anybody_s_arrival_meets_them() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(30.0, Dispatched(1, "Zhao", "van-1"))
    assert kinds(venue.at(90.0, Dispatched(1, "Qian", "bike"))) == [Kind.DISPATCHED]
    venue.at(100.0, StoodDown(1, "Zhao", "flat tyre"))
    assert SetDeadline(1, "on_scene", 930.0) in open_deadlines(venue.state)
    decisions = venue.at(200.0, OnScene(1, "owner-1", "owner", math.nan))
    assert CancelDeadline(1, "on_scene") in decisions
    [(_, arrival)] = venue.rows(Kind.ON_SCENE)
    assert math.isnan(arrival.value)
    assert venue.alarm.under_way == ("Qian",)


def test_the_brigade_comes_on_119_and_does_not_meet_the_center_s_15_min() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(30.0, Dispatched(1, "Zhao", "van-1"))
    venue.at(400.0, OnScene(1, "brigade", "brigade", 60.0))
    assert SetDeadline(1, "on_scene", 930.0) in open_deadlines(venue.state)


def test_nobody_on_scene_in_15_min_is_a_missed_handling_deadline() -> None:
    venue = Venue()
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(30.0, Dispatched(1, "Zhao", "van-1"))
    [missed] = venue.at(930.0, DeadlineDue(1, "on_scene"))
    assert missed == Record(Kind.DEADLINE_MISSED, "", 1, 0, 900.0, "handle")
    assert kinds(venue.at(1000.0, OnScene(1, "Zhao", "center", 30.0))) == [Kind.ON_SCENE]


def test_the_first_receipt_meets_the_notification_and_every_receipt_is_recorded() -> None:
    venue = Venue(responsible=3)
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE))
    decisions = venue.at(8.0, NotificationReceipt(1, "shop#1", "sms"))
    assert decisions[0] == CancelDeadline(1, "notify")
    assert venue.at(12.0, NotificationReceipt(1, "shop#1", "voice")) == []
    venue.at(20.0, NotificationFailed(1, "shop#2", "phone off"))
    venue.at(25.0, NotificationReceipt(1, "shop#3", "app"))
    # The phone is on again.
    venue.at(50.0, NotificationReceipt(1, "shop#2", "sms"))
    rows = venue.rows(Kind.NOTIFIED, Kind.NOT_NOTIFIED)
    assert [(r.subject, r.text) for _, r in rows] == [
        ("shop#1", "sms"),
        ("shop#2", "phone off"),
        ("shop#3", "app"),
        ("shop#2", "sms"),
    ]
    assert [r.value for _, r in rows if r.kind is Kind.NOTIFIED] == [8.0, 25.0, 50.0]


def test_receipts_after_the_alarm_is_closed_are_still_recorded() -> None:
    venue = Venue(responsible=2)
    venue.at(0.0, MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
    venue.at(30.0, Verified(1, "Li", Verification.TEST), Annotated(1, "Li", Annotation.TEST))
    venue.at(31.0, Close(1, "Li"))
    assert open_deadlines(venue.state) == (SetDeadline(1, "notify", 60.0),)
    venue.at(40.0, MessageReceived(2, "smoke-1", FIRE))
    decisions = venue.at(45.0, NotificationReceipt(1, "shop#2", "voice"))
    assert decisions[0] == CancelDeadline(1, "notify")
    venue.at(46.0, NotificationReceipt(1, "shop#1", "sms"))
    assert venue.rows(Kind.NOTIFIED)[-1][1].alarm == 1
    assert venue.state.settling == ()
    assert venue.alarm.id == 2
    assert venue.at(50.0, NotificationReceipt(1, "shop#2", "app")) == []


def test_a_venue_without_responsible_people_notifies_nobody() -> None:
    decisions = Venue(responsible=0).at(0.0, MessageReceived(1, "smoke-1", FIRE))
    assert not any(isinstance(d, Notify) for d in decisions)
    assert SetDeadline(1, "notify", 60.0) not in decisions


RESPONDED = (MessageReceived(1, "smoke-1", FIRE), Responded(1, "Li"))
VERIFIED = (*RESPONDED, Verified(1, "Li", Verification.NOT_A_FIRE))
CONFIRMED = (*RESPONDED, Verified(1, "Li", Verification.CONFIRMED))

WRONG: list[tuple[tuple[Event, ...], Event, str]] = [
    ((), Responded(1, "Li"), "MessageReceived raises one"),
    (RESPONDED[:1], Responded(2, "Li"), "alarm 1 is open"),
    (RESPONDED[:1], Verified(1, "Li", Verification.TEST), "Responded comes first"),
    (RESPONDED[:1], Dispatched(1, "Zhao", "van"), "Responded comes first"),
    (RESPONDED[:1], FireConfirmed(1, "Zhao", "video"), "Responded comes first"),
    (RESPONDED, Responded(1, "Wang"), "Verified comes next"),
    (RESPONDED, Annotated(1, "Li", Annotation.TEST), "Verified comes first"),
    (RESPONDED, EmergencyCall(1, "Li"), "not confirmed"),
    (RESPONDED, PlanStarted(1, "Li"), "not confirmed"),
    (RESPONDED, Evacuation(1, "Li"), "not confirmed"),
    (RESPONDED, ConfirmedSent(1, "grid-1"), "not confirmed"),
    (RESPONDED, OnScene(1, "Zhao", "center", 0.0), "Dispatched comes first"),
    (RESPONDED, StoodDown(1, "Zhao", "-"), "Dispatched comes first"),
    (RESPONDED, NotificationReceipt(1, "pub#1", "sms"), "not one of the responsible"),
    (RESPONDED, DeadlineDue(1, "repair"), "none of the deadlines"),
    (VERIFIED, Verified(1, "Li", Verification.TEST), "every message is verified"),
    (VERIFIED, Annotated(1, "Li", Annotation.CONFIRMED_FIRE), "not confirmed"),
    (VERIFIED, Close(1, "Li"), "lacks an annotation"),
    ((*VERIFIED, Dispatched(1, "Z", "van")), Dispatched(1, "Z", "van"), "under way already"),
    ((*CONFIRMED, EmergencyCall(1, "Li")), EmergencyCall(1, "Li"), "called already"),
    ((*CONFIRMED, PlanStarted(1, "Li")), PlanStarted(1, "Li"), "runs already"),
    ((*CONFIRMED, ReportFiled(1, "Li", "stove")), ReportFiled(1, "Li", "stove"), "filed already"),
    (
        (*CONFIRMED, Annotated(1, "Li", Annotation.INCIPIENT_FIRE)),
        Close(1, "Li"),
        "lacks the call to 119; the report",
    ),
]


@pytest.mark.parametrize(("before", "event", "message"), WRONG)
def test_a_wrong_order_is_refused_with_what_would_be_right(
    before: tuple[Event, ...], event: Event, message: str
) -> None:
    venue = Venue()
    venue.at(0.0, *before)
    state = venue.state
    with pytest.raises(LifecycleError, match=message):
        venue.at(1.0, event)
    assert venue.state == state


# -- a place that becomes known -----------------------------------------------------------------


def unplaced(*events: Event) -> VenueState:
    """The state of a place that nobody knows, after events at time 100."""
    state = VenueState("?d9", 0)
    for event in (MessageReceived(7, "d9", FIRE), *events):
        state, _ = step(state, event, 100.0)
    return state


def test_an_alarm_goes_on_at_its_venue_once_that_is_known() -> None:
    left, shop, decided = place(unplaced(Responded(7, "Li")), VenueState("shop", 5))
    assert left.alarm is None
    assert shop.alarm is not None
    assert (shop.alarm.id, shop.alarm.raised_at, shop.alarm.responded_at) == (7, 100.0, 100.0)
    people = tuple(f"shop#{k}" for k in range(1, 6))
    # Their minute runs from the receipt, and the other deadlines stay as they were.
    assert set(open_deadlines(shop)) == {
        SetDeadline(7, "verify", 160.0), SetDeadline(7, "notify", 160.0),
    }  # fmt: skip
    assert [type(one) for one in decided] == [Record, Notify, SetDeadline]
    assert decided[:2] == (Record(Kind.PLACED, "shop", 7), Notify(7, people))
    shop, late = step(shop, DeadlineDue(7, "notify"), 170.0)
    assert [one.kind for one in late if isinstance(one, Record)] == [Kind.DEADLINE_MISSED]
    shop, told = step(shop, NotificationReceipt(7, "shop#2", "sms"), 175.0)
    assert [(one.kind, one.value) for one in told if isinstance(one, Record)] == [
        (Kind.NOTIFIED, 75.0)
    ]
    shop, joined = step(shop, MessageReceived(8, "d9", FIRE), 180.0)
    assert [one.alarm for one in joined if isinstance(one, Record)] == [7]


def test_helpers_learn_the_place_of_a_fire_that_is_confirmed() -> None:
    fire = unplaced(Responded(7, "Li"), Verified(7, "Li", Verification.CONFIRMED))
    _, _, decided = place(fire, VenueState("shop", 0))
    assert decided == (Record(Kind.PLACED, "shop", 7), SendConfirmed(7))


def test_a_venue_with_an_open_alarm_keeps_it() -> None:
    shop, _ = step(VenueState("shop", 5), MessageReceived(6, "d1", FIRE), 90.0)
    state = unplaced()
    assert place(state, shop) == (state, shop, ())
    assert place(VenueState("?d9", 0), VenueState("shop", 5))[2] == ()


def test_a_disabled_device_stays_disabled_at_its_venue() -> None:
    state, _ = step(unplaced(), DeviceDisabled("d9", "painting"), 100.0)
    left, shop, _ = place(state, VenueState("shop", 5))
    assert (left.disabled, shop.disabled) == (frozenset(), frozenset({"d9"}))
