"""What holds for the alarm lifecycle whatever happens, in whatever order.

Random events, many of them wrong, are fed to a venue. A book that knows nothing of the lifecycle's
state follows what was decided: it is kept from the records and deadlines alone.
"""

from __future__ import annotations

import copy
import pickle
from math import nan

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from twin.alarmcore.lifecycle import (
    Annotated,
    CancelDeadline,
    Close,
    DeadlineDue,
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
    SetDeadline,
    StoodDown,
    VenueState,
    Verified,
    missing,
    open_deadlines,
    step,
)
from twin.terms import Annotation, Category, Kind, Verification

EPSILON_S = 1e-3
DEADLINE_OF = {  # by the text and the seconds of a DEADLINE_MISSED row
    ("respond", 5.0): "respond",
    ("verify", 60.0): "verify",
    ("handle", 60.0): "notify",
    ("handle", 900.0): "on_scene",
}
MOVES = {Kind.DISPATCHED, Kind.STOOD_DOWN, Kind.ON_SCENE}
AFTER_CLOSING = {Kind.NOTIFIED, Kind.NOT_NOTIFIED, Kind.DEADLINE_MISSED}

devices = st.sampled_from(["smoke-1", "smoke-2", "gas-1"])
people = st.sampled_from(["Li", "Wang"])


class Lifecycle(RuleBasedStateMachine):
    """One venue, its clock, and the book of everything decided."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.alarm = 0  # id of the latest alarm, open or not
        self.received: list[int] = []
        self.rows: list[tuple[float, Record]] = []
        self.deadlines: dict[tuple[int, str], float] = {}
        self.asked: dict[tuple[int, str], int] = {}

    @initialize(responsible=st.integers(0, 3), disable_after=st.integers(0, 2))
    def begin(self, responsible: int, disable_after: int) -> None:
        self.state = VenueState("shop", responsible)
        self.chosen = Rules(disable_after=disable_after)

    def happen(self, event: Event) -> bool:
        """Feed an event; False where it was refused."""
        before, image = self.state, copy.deepcopy(self.state)
        try:
            after, decisions = step(before, event, self.now, self.chosen)
        except LifecycleError:
            assert self.state == image
            return False
        assert before == image, "the state was mutated"
        assert after == before or any(isinstance(d, Record) for d in decisions), event
        assert (after, decisions) == step(before, event, self.now, self.chosen)
        for decision in decisions:
            if isinstance(decision, Record):
                self.write(decision)
            elif isinstance(decision, SetDeadline):
                key = (decision.alarm, decision.name)
                assert key not in self.deadlines, "an open deadline was set again"
                assert decision.at > self.now
                self.deadlines[key] = decision.at
            elif isinstance(decision, CancelDeadline):
                at = self.deadlines.pop((decision.alarm, decision.name))
                assert self.now <= at + EPSILON_S, "a late deadline counts as met"
            elif isinstance(decision, Notify):
                for person in decision.people:
                    key = (decision.alarm, person)
                    self.asked[key] = self.asked.get(key, 0) + 1
        self.state = after
        return True

    def write(self, row: Record) -> None:
        closed = {r.alarm for _, r in self.rows if r.kind is Kind.CLOSED}
        if row.alarm in closed:
            assert row.kind in AFTER_CLOSING, f"{row.kind} after the alarm was closed"
        if row.kind is Kind.DEADLINE_MISSED:
            key = (row.alarm, DEADLINE_OF[row.text, row.value])
            at = self.deadlines.pop(key)
            assert self.now >= at - EPSILON_S, "a deadline was missed before its time"
        if row.kind is Kind.CLOSED:
            self.check_record(row.alarm)
        self.rows.append((self.now, row))

    def check_record(self, alarm: int) -> None:
        """At closing, the rows alone show a complete record (8.3)."""
        rows = [r for _, r in self.rows if r.alarm == alarm]
        kinds = [r.kind for r in rows]
        last = {kind: i for i, kind in enumerate(kinds)}
        assert last[Kind.RESPONDED] < last[Kind.VERIFIED] < last[Kind.ANNOTATED]
        # Between two rounds nobody answers for what came before: each message is followed by a
        # verification, unless its device was disabled.
        for i, row in enumerate(rows):
            if row.kind is Kind.FIRE_ALARM and i > last[Kind.VERIFIED]:
                assert row.message in self.from_disabled, f"message {row.message} is unverified"
        on_the_way: set[str] = set()
        for row in rows:
            if row.kind is Kind.DISPATCHED:
                on_the_way.add(row.subject)
            elif row.kind in (Kind.ON_SCENE, Kind.STOOD_DOWN):
                on_the_way.discard(row.subject)
        assert not on_the_way
        if Kind.FIRE_CONFIRMED in kinds:
            assert kinds.count(Kind.EMERGENCY_CALL) == kinds.count(Kind.REPORT_FILED) == 1
        else:
            assert Kind.EMERGENCY_CALL not in kinds

    @property
    def from_disabled(self) -> set[int]:
        """Messages of devices that were disabled at the time, or by the message itself."""
        disabled: set[str] = set()
        found = set()
        for i, (_, row) in enumerate(self.rows):
            if row.kind is Kind.DISABLED:
                disabled.add(row.subject)
            elif row.kind is Kind.ENABLED:
                disabled.discard(row.subject)
            elif row.kind is Kind.FIRE_ALARM:
                following = self.rows[i + 1][1] if i + 1 < len(self.rows) else None
                if row.subject in disabled or (following and following.kind is Kind.DISABLED):
                    found.add(row.message)
        return found

    # -- what happens -----------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 3.0, 30.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(device=devices, category=st.sampled_from([Category.FIRE, Category.GAS]))
    def message(self, device: str, category: Category) -> None:
        if self.state.alarm is None:
            self.alarm = len(self.received) + 1
        self.received.append(len(self.received) + 1)
        quiet = self.state.alarm is not None and device in self.state.disabled
        assert self.happen(MessageReceived(self.received[-1], device, category))
        assert not (quiet and self.rows[-1][1].kind is Kind.REOPENED)

    @precondition(lambda self: self.state.alarm)
    @rule(by=people, outcome=st.sampled_from(Verification))
    def attend(self, by: str, outcome: Verification) -> None:
        """The operator's next duty."""
        alarm = self.state.alarm
        assert alarm is not None
        if alarm.responded_at is None:
            assert self.happen(Responded(alarm.id, by))
        elif alarm.verified_at is None:
            assert self.happen(Verified(alarm.id, by, outcome))

    @precondition(lambda self: self.state.alarm and self.state.alarm.attended)
    @rule(person=people)
    def dispatch(self, person: str) -> None:
        under_way = self.state.alarm is not None and person in self.state.alarm.under_way
        assert self.happen(Dispatched(self.alarm, person, "van-1")) != under_way

    @precondition(lambda self: self.state.alarm and self.state.alarm.under_way)
    @rule(who=people, role=st.sampled_from(["center", "owner"]))
    def arrive(self, who: str, role: str) -> None:
        self.happen(OnScene(self.alarm, who, role, nan))

    @precondition(lambda self: self.state.alarm and self.state.alarm.under_way)
    @rule(person=people)
    def stand_down(self, person: str) -> None:
        self.happen(StoodDown(self.alarm, person, "false alarm"))

    @precondition(lambda self: self.state.alarm and self.state.alarm.confirmed_at is not None)
    @rule(by=people, what=st.sampled_from([PlanStarted, EmergencyCall, Evacuation]))
    def emergency(
        self, by: str, what: type[PlanStarted] | type[EmergencyCall] | type[Evacuation]
    ) -> None:
        self.happen(what(self.alarm, by))

    @precondition(lambda self: self.state.alarm and self.state.alarm.verified_at is not None)
    @rule(by=people, annotation=st.sampled_from(Annotation))
    def annotate(self, by: str, annotation: Annotation) -> None:
        self.happen(Annotated(self.alarm, by, annotation))

    @precondition(lambda self: self.state.alarm and self.state.alarm.attended)
    @rule(by=people)
    def report(self, by: str) -> None:
        self.happen(ReportFiled(self.alarm, by, "stove"))

    @rule(by=people)
    def close(self, by: str) -> None:
        alarm = self.state.alarm
        complete = alarm is not None and not missing(alarm)
        assert self.happen(Close(self.alarm, by)) == complete

    @rule(data=st.data(), other=st.sampled_from([0, 0, 0, 1, 99]))
    def anything(self, data: st.DataObject, other: int) -> None:
        """Any event in any order, now and then about another alarm."""
        alarm = self.alarm + other
        events: list[Event] = [
            Responded(alarm, "Li"),
            Verified(alarm, "Li", Verification.CONFIRMED),
            FireConfirmed(alarm, "Li", "on_scene"),
            PlanStarted(alarm, "Li"),
            EmergencyCall(alarm, "Li"),
            Dispatched(alarm, "Li", "van-1"),
            StoodDown(alarm, "Li", "-"),
            OnScene(alarm, "grid-1", "grid_worker", nan),
            Annotated(alarm, "Li", Annotation.CONFIRMED_FIRE),
            ReportFiled(alarm, "Li", "stove"),
        ]
        allowed = self.happen(data.draw(st.sampled_from(events)))
        assert not (allowed and other), "an event about an alarm that is not open was accepted"

    @rule(person=st.integers(1, 4), back=st.integers(0, 1), reached=st.booleans())
    def answer(self, person: int, back: int, reached: bool) -> None:
        name, alarm = f"shop#{person}", self.alarm - back
        if reached:
            self.happen(NotificationReceipt(alarm, name, "sms"))
        else:
            self.happen(NotificationFailed(alarm, name, "no answer"))

    @rule(device=devices, on=st.booleans())
    def disable(self, device: str, on: bool) -> None:
        self.happen(DeviceDisabled(device) if on else DeviceEnabled(device))

    @precondition(lambda self: self.deadlines)
    @rule(data=st.data(), early=st.booleans())
    def timer(self, data: st.DataObject, early: bool) -> None:
        """A timer of an open deadline fires: at its time, or, an older one, too early."""
        key = data.draw(st.sampled_from(sorted(self.deadlines)))
        at = self.deadlines[key]
        self.now = max(self.now, at - 1.0 if early else at)
        due = self.now >= at
        assert self.happen(DeadlineDue(*key))
        assert (key not in self.deadlines) == due, "a due deadline is missed, exactly then"

    @rule(name=st.sampled_from(["respond", "verify", "notify", "on_scene"]))
    def stale_timer(self, name: str) -> None:
        if (self.alarm, name) not in self.deadlines:
            rows = len(self.rows)
            self.happen(DeadlineDue(self.alarm, name))
            assert len(self.rows) == rows

    # -- what always holds --------------------------------------------------------------------

    @invariant()
    def no_message_disappears(self) -> None:
        messages = [row for _, row in self.rows if row.kind is Kind.FIRE_ALARM]
        assert [row.message for row in messages] == self.received
        # An alarm is named by its first message, and every message names one.
        seen: set[int] = set()
        for row in messages:
            assert row.alarm in seen or row.alarm == row.message
            seen.add(row.alarm)

    @invariant()
    def one_alarm_is_open_and_none_closes_twice(self) -> None:
        opened = list(dict.fromkeys(r.alarm for _, r in self.rows if r.kind is Kind.FIRE_ALARM))
        closed = [r.alarm for _, r in self.rows if r.kind is Kind.CLOSED]
        assert len(set(closed)) == len(closed)
        alarm = self.state.alarm
        assert [a for a in opened if a not in closed] == ([alarm.id] if alarm else [])
        if alarm:
            rows = [r for _, r in self.rows if r.alarm == alarm.id and r.kind is Kind.FIRE_ALARM]
            assert alarm.messages == len({r.message for r in rows}) == len(rows)
            assert alarm.devices == tuple(dict.fromkeys(r.subject for r in rows))
            assert alarm.grade == rows[-1].value
            assert (alarm.unverified > 0) == (alarm.verified_at is None)
            moves = [r for _, r in self.rows if r.alarm == alarm.id and r.subject in ("Li", "Wang")]
            last = {r.subject: r.kind for r in moves if r.kind in MOVES}
            sent = {person for person, kind in last.items() if kind is Kind.DISPATCHED}
            assert set(alarm.under_way) == sent

    @invariant()
    def no_deadline_is_lost(self) -> None:
        kept = {(d.alarm, d.name): d.at for d in open_deadlines(self.state)}
        assert kept == self.deadlines

    @invariant()
    def everybody_responsible_is_asked_once_and_answered_at_most_once(self) -> None:
        alarms = {r.alarm for _, r in self.rows if r.kind is Kind.FIRE_ALARM}
        everybody = {(a, f"shop#{k + 1}") for a in alarms for k in range(self.state.responsible)}
        assert self.asked == dict.fromkeys(everybody, 1)
        for kind in (Kind.NOTIFIED, Kind.NOT_NOTIFIED):
            answered = [(r.alarm, r.subject) for _, r in self.rows if r.kind is kind]
            assert len(set(answered)) == len(answered)
            assert set(answered) <= everybody

    @invariant()
    def a_state_can_be_stored(self) -> None:
        assert pickle.loads(pickle.dumps(self.state)) == self.state

    def teardown(self) -> None:
        """From wherever it is, an alarm can be brought to its closed record."""
        if hasattr(self, "state"):
            self.finish()

    def finish(self) -> None:
        alarm = self.state.alarm
        if alarm is not None:
            for person in alarm.under_way:
                assert self.happen(StoodDown(alarm.id, person, "end"))
            if alarm.responded_at is None:
                assert self.happen(Responded(alarm.id, "Li"))
            if alarm.verified_at is None:
                assert self.happen(Verified(alarm.id, "Li", Verification.UNCLEAR))
            assert self.happen(Annotated(alarm.id, "Li", Annotation.INCIPIENT_FIRE))
            if alarm.confirmed_at is not None and not alarm.emergency_called:
                assert self.happen(EmergencyCall(alarm.id, "Li"))
            if not alarm.reported:
                assert self.happen(ReportFiled(alarm.id, "Li", "unknown"))
            assert self.happen(Close(alarm.id, "Li"))
        for closed in self.state.settling:
            for person in closed.waiting + closed.failed:
                assert self.happen(NotificationReceipt(closed.id, person, "voice"))
        assert self.deadlines == {}
        assert self.state == VenueState(
            "shop", self.state.responsible, disabled=self.state.disabled
        )


Lifecycle.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestLifecycle = Lifecycle.TestCase
