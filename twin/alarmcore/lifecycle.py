"""The life of an alarm, from its first message to its closed record (clauses 6.1 to 6.4, 8.3).

Pure logic: no I/O, no clock, no threads. A venue's state and an event give the next state and the
decisions that follow::

    state, decisions = step(state, event, now)

``now`` is in seconds of any one epoch. Whoever calls writes every :class:`Record` to the event log
with the time ``now`` and view ``platform``, sends what :class:`Notify` and :class:`SendConfirmed`
say, calls somebody to the desk on :class:`Attend`, and reports a passed deadline as
:class:`DeadlineDue`. States are plain tuples: they can be stored, and :func:`open_deadlines` says
which timers to set again after a restart.

::

    MessageReceived ─► raised ─Responded─► responded ─Verified─► verified ─Annotated, Close─► closed
                         ▲                                          │
                         └──────────── a later message reopens ─────┘

- One alarm per venue is open at a time; its id is the id of its first message. Repeats of a device
  and further detectors of the venue join it, and every message keeps its FIRE_ALARM row (6.1:
  *each* fire alarm message).
- The responsible people are notified on the first message, before anybody verifies (9.3).
- A message is verified by the verification that ends after it came. One that joins after the
  response and before the verification counts as responded to at once: the alarm is on the screen,
  so it gets no row of its own. One that comes after the verification reopens the alarm, unless its
  device is disabled. The alarm then needs a new response, verification and annotation; the last
  ANNOTATED row of an alarm is the one that counts.
  A message of a disabled device that comes then is recorded and joins, and stays unverified.
- A disabled device's message with no alarm open raises one like any other (6.1 has no exception).
- People are sent, the fire is confirmed, 119 is called and so on in any round, also while a
  reopened alarm waits.
- The notification is in time when the first receipt of a responsible person came in time; the
  15 min run from the first order until anybody arrives or every order is withdrawn. What comes
  after its deadline finds it missed, also where nobody reported :class:`DeadlineDue`.
- An alarm whose place nobody knew goes on at its venue once that is known (:func:`place`).
- An alarm closes only with a complete record (:func:`missing`). Receipts of notifications that are
  still under way then are recorded after it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan
from typing import Any

from twin.alarmcore.events import (
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
    MessageReceived,
    NotificationFailed,
    NotificationReceipt,
    Notify,
    OnScene,
    PlanStarted,
    Record,
    ReportFiled,
    Responded,
    SendConfirmed,
    SetDeadline,
    StoodDown,
    Verified,
)
from twin.alarmcore.state import (
    DEFAULT_RULES,
    NOTIFY,
    ON_SCENE,
    RESPOND,
    VERIFY,
    Alarm,
    Rules,
    VenueState,
    missing,
    open_deadlines,
)
from twin.standard import NOTIFY_S, RESPONSE_S, TRAVEL_S, VERIFICATION_S
from twin.terms import Annotation, Category, Kind, Verification

__all__ = [
    "BRIGADE_ROLE", "CENTER", "CENTER_ROLE", "DEFAULT_RULES", "HANDLE", "NOTIFY", "ON_SCENE",
    "RESPOND", "VERIFY",
    "Alarm", "Annotated", "Attend", "CancelDeadline", "Close", "ConfirmedSent", "DeadlineDue",
    "Decision", "DeviceDisabled", "DeviceEnabled", "Dispatched", "EmergencyCall", "Evacuation",
    "Event", "FireConfirmed", "LifecycleError", "MessageReceived", "NotificationFailed",
    "NotificationReceipt", "Notify", "OnScene", "PlanStarted", "Record", "ReportFiled",
    "Responded", "Rules", "SendConfirmed", "SetDeadline", "Step", "StoodDown", "VenueState",
    "Verified", "missing", "move", "open_deadlines", "place", "step",
]  # fmt: skip

CENTER = ""
"""Subject of a record that is about the center itself: whoever writes the log puts its name."""

HANDLE = "handle"
"""The log's one name for the two deadlines of handling, :data:`NOTIFY` and :data:`ON_SCENE`."""

BRIGADE_ROLE = "brigade"
"""Role of the fire brigade in :class:`OnScene`."""

CENTER_ROLE = "center"
"""Role of the center's own people in :class:`OnScene`: they are there only if they were sent."""

# A timer that was set for a time may fire a rounding error early: times are floats.
_TOLERANCE_S = 1e-3


class LifecycleError(ValueError):
    """An event that the alarm's state does not allow; says what would be right."""


Step = tuple[VenueState, tuple[Decision, ...]]
"""A venue's next state and the decisions, in the order in which they are to be carried out."""


# -- the step ---------------------------------------------------------------------------------


def step(state: VenueState, event: Event, now: float, rules: Rules = DEFAULT_RULES) -> Step:
    """The next state of a venue, and what is to be done.

    Parameters
    ----------
    state : the venue's state; never changed.
    event : what happened.
    now : when, in seconds of any one epoch; never decreasing for a venue.
    rules : the center's rules.

    Returns
    -------
    tuple
        The new state, and the decisions in the order in which they are to be carried out.

    Raises
    ------
    LifecycleError
        For an event that the state does not allow.
    """
    return _HANDLERS[type(event)](state, event, now, rules)


def place(
    unplaced: VenueState, venue: VenueState
) -> tuple[VenueState, VenueState, tuple[Decision, ...]]:
    """The alarm of a device whose place nobody knew goes on at the venue, now that it is known.

    It keeps its id, messages, record and deadlines. The venue's responsible people are notified;
    their minute runs from the receipt of the first message, as everybody's, and may be over. Who
    helps with a confirmed fire is told again, with the place. A venue has one open alarm at a time:
    where it has one, nothing changes, and the other waits for its end.

    Parameters
    ----------
    unplaced : under which the alarm was raised.
    venue : the device's.

    Returns
    -------
    tuple
        Both states and the decisions, which are the venue's.
    """
    alarm = unplaced.alarm
    if alarm is None or venue.alarm is not None:
        return unplaced, venue, ()
    people = _people(venue)
    notify_by = alarm.raised_at + NOTIFY_S if people else None
    moved = alarm._replace(waiting=people, notify_by=notify_by)
    decisions: tuple[Decision, ...] = (Record(Kind.PLACED, venue.venue, alarm.id),)
    if notify_by is not None:
        decisions += (Notify(alarm.id, people), SetDeadline(alarm.id, NOTIFY, notify_by))
    if alarm.confirmed_at is not None:
        decisions += (SendConfirmed(alarm.id),)
    left = unplaced._replace(alarm=None, disabled=frozenset())
    disabled = venue.disabled | unplaced.disabled
    return left, venue._replace(alarm=moved, disabled=disabled), decisions


def move(device: str, left: VenueState, venue: VenueState) -> tuple[VenueState, VenueState]:
    """A device is at another venue from now on; a disablement in force goes with it.

    Returns
    -------
    tuple
        Both states; the same ones where the device is not disabled.
    """
    if device not in left.disabled:
        return left, venue
    return (
        left._replace(disabled=left.disabled - {device}),
        venue._replace(disabled=venue.disabled | {device}),
    )


def _people(state: VenueState) -> tuple[str, ...]:
    """The venue's responsible people."""
    return tuple([f"{state.venue}#{k}" for k in range(1, state.responsible + 1)])


def _opened(state: VenueState, event: Any) -> Alarm:
    """The open alarm that the event is about."""
    alarm = state.alarm
    if alarm is None or alarm.id != event.alarm:
        what = f"alarm {alarm.id} is open" if alarm else "no alarm is: MessageReceived raises one"
        raise LifecycleError(
            f"venue {state.venue}: {type(event).__name__} for alarm {event.alarm}, but {what}"
        )
    return alarm


def _refusal(state: VenueState, event: Any, why: str) -> LifecycleError:
    name = type(event).__name__
    return LifecycleError(f"venue {state.venue}, alarm {event.alarm}: {name} refused: {why}")


def _attended(state: VenueState, event: Any) -> Alarm:
    """The open alarm, if anybody has responded to it."""
    alarm = _opened(state, event)
    if not alarm.attended:
        raise _refusal(state, event, "nobody has responded yet; Responded comes first (6.1)")
    return alarm


def _confirmed(state: VenueState, event: Any) -> Alarm:
    """The open alarm, if it is confirmed."""
    alarm = _opened(state, event)
    if alarm.confirmed_at is None:
        why = "the fire is not confirmed; Verified (confirmed) or FireConfirmed comes first (6.2)"
        raise _refusal(state, event, why)
    return alarm


def _with(state: VenueState, alarm: Alarm | None) -> VenueState:
    return VenueState(state.venue, state.responsible, alarm, state.disabled, state.settling)


def _ended(alarm: int, name: str, by: float | None, now: float, seconds: float) -> Decision | None:
    """What becomes of a deadline whose matter is done now."""
    if by is None:
        return None
    if now > by + _TOLERANCE_S:
        return _missed(alarm, name, seconds)
    return CancelDeadline(alarm, name)


def _missed(alarm: int, name: str, seconds: float) -> Record:
    text = name if name in (RESPOND, VERIFY) else HANDLE
    return Record(Kind.DEADLINE_MISSED, CENTER, alarm, 0, seconds, text)


def _message(state: VenueState, event: MessageReceived, now: float, rules: Rules) -> Step:
    alarm = state.alarm
    if alarm is None:
        return _raise(state, event, now, rules)
    message, device, category = event
    devices = alarm.devices if device in alarm.devices else (*alarm.devices, device)
    received = Record(Kind.FIRE_ALARM, device, alarm.id, message, len(devices), category)
    verified = alarm.verified_at is not None
    joined = alarm._replace(
        category=category if category is Category.FIRE else alarm.category,
        devices=devices,
        messages=alarm.messages + 1,
        unverified=0 if verified else alarm.unverified + 1,
    )
    if not verified or device in state.disabled:
        return _with(state, joined), (received,)
    if (
        0 < rules.disable_after <= alarm.reopened_by.count(device)
        and alarm.outcome in (Verification.NOT_A_FIRE, Verification.TEST)
        and alarm.confirmed_at is None
    ):
        disabled = Record(Kind.DISABLED, device, alarm.id, 0, nan, "repeated false alarms")
        return (
            state._replace(alarm=joined, disabled=state.disabled | {device}),
            (received, disabled),
        )
    reopened = joined._replace(
        unverified=1,
        respond_by=now + RESPONSE_S,
        verify_by=now + VERIFICATION_S,
        responded_at=None,
        verified_at=None,
        annotation=None,
        reopened_by=(*alarm.reopened_by, device),
    )
    return _with(state, reopened), (
        received,
        Record(Kind.REOPENED, state.venue, alarm.id),
        Attend(alarm.id, reopened.grade),
        SetDeadline(alarm.id, RESPOND, now + RESPONSE_S),
        SetDeadline(alarm.id, VERIFY, now + VERIFICATION_S),
    )


def _raise(state: VenueState, event: MessageReceived, now: float, _rules: Rules) -> Step:
    """A new alarm: notify at once, call the desk, run the clocks."""
    message, device, category = event
    people = _people(state)
    respond_by, verify_by = now + RESPONSE_S, now + VERIFICATION_S
    notify_by = now + NOTIFY_S if people else None
    alarm = Alarm(
        message,
        category,
        now,
        (device,),
        1,
        1,
        respond_by,
        verify_by,
        notify_by,
        people,
    )
    decisions: tuple[Decision, ...] = (
        Record(Kind.FIRE_ALARM, device, message, message, 1, category),
        Attend(message, 1),
        SetDeadline(message, RESPOND, respond_by),
        SetDeadline(message, VERIFY, verify_by),
    )
    if notify_by is not None:
        decisions += (Notify(message, people), SetDeadline(message, NOTIFY, notify_by))
    return _with(state, alarm), decisions


# -- notification: it goes on beside the procedure and may outlast it ----------------------------


def _notifying(state: VenueState, event: Any) -> Alarm | None:
    """The alarm, open or closed, whose notification is under way; None: it has long been done."""
    for alarm in (state.alarm, *state.settling):
        if alarm is not None and alarm.id == event.alarm:
            if event.person in alarm.waiting + alarm.failed + alarm.notified:
                return alarm
            raise _refusal(state, event, f"{event.person} is not one of the responsible people")
    return None


def _with_notification(state: VenueState, alarm: Alarm) -> VenueState:
    """The state with a changed alarm, open or closed; a closed one that is settled goes."""
    if state.alarm is not None and state.alarm.id == alarm.id:
        return _with(state, alarm)
    settled = not alarm.waiting and alarm.notify_by is None
    others = tuple(
        alarm if a.id == alarm.id else a for a in state.settling if a.id != alarm.id or not settled
    )
    return state._replace(settling=others)


def _receipt(state: VenueState, event: NotificationReceipt, now: float, _rules: Rules) -> Step:
    alarm = _notifying(state, event)
    person = event.person
    if alarm is None or person in alarm.notified:
        return state, ()
    waiting = tuple([p for p in alarm.waiting if p != person])
    failed = tuple([p for p in alarm.failed if p != person]) if alarm.failed else ()
    record = Record(Kind.NOTIFIED, person, alarm.id, 0, now - alarm.raised_at, event.channel)
    # The first receipt meets the deadline: somebody responsible knows.
    ended = _ended(alarm.id, NOTIFY, alarm.notify_by, now, NOTIFY_S)
    notified = (*alarm.notified, person)
    alarm = alarm._replace(waiting=waiting, failed=failed, notified=notified, notify_by=None)
    return _with_notification(state, alarm), (record,) if ended is None else (ended, record)


def _unreached(state: VenueState, event: NotificationFailed, _now: float, _rules: Rules) -> Step:
    alarm = _notifying(state, event)
    if alarm is None or event.person in alarm.failed:
        return state, ()
    if event.person in alarm.notified:
        raise _refusal(state, event, f"the receipt of {event.person} has come already")
    waiting = tuple([p for p in alarm.waiting if p != event.person])
    # The deadline stays open: a later receipt may still meet it.
    alarm = alarm._replace(waiting=waiting, failed=(*alarm.failed, event.person))
    record = Record(Kind.NOT_NOTIFIED, event.person, alarm.id, 0, nan, event.why)
    return _with_notification(state, alarm), (record,)


# -- response, verification, confirmation --------------------------------------------------------


def _responded(state: VenueState, event: Responded, now: float, _rules: Rules) -> Step:
    alarm = _opened(state, event)
    if alarm.responded_at is not None:
        raise _refusal(state, event, "somebody has responded already; Verified comes next (6.1)")
    record = Record(Kind.RESPONDED, event.by, alarm.id)
    ended = _ended(alarm.id, RESPOND, alarm.respond_by, now, RESPONSE_S)
    alarm = alarm._replace(responded_at=now, respond_by=None)
    return _with(state, alarm), (record,) if ended is None else (ended, record)


def _verified(state: VenueState, event: Verified, now: float, _rules: Rules) -> Step:
    alarm = _opened(state, event)
    if alarm.responded_at is None:
        raise _refusal(state, event, "nobody has responded yet; Responded comes first (6.1)")
    if alarm.verified_at is not None:
        why = "every message is verified; a new message, FireConfirmed, Annotated or Close may come"
        raise _refusal(state, event, why)
    record = Record(Kind.VERIFIED, event.by, alarm.id, 0, nan, event.outcome)
    ended = _ended(alarm.id, VERIFY, alarm.verify_by, now, VERIFICATION_S)
    alarm = alarm._replace(verified_at=now, verify_by=None, outcome=event.outcome, unverified=0)
    decisions: tuple[Decision, ...] = (record,) if ended is None else (ended, record)
    if event.outcome is Verification.CONFIRMED:
        alarm, confirmation = _confirm(alarm, event.by, event.how, now)
        decisions += confirmation
    return _with(state, alarm), decisions


def _confirm(alarm: Alarm, by: str, how: str, now: float) -> tuple[Alarm, tuple[Decision, ...]]:
    """The confirmation; the first one makes the alarm known to those who help (4.9)."""
    record = Record(Kind.FIRE_CONFIRMED, by, alarm.id, 0, nan, how)
    if alarm.confirmed_at is not None:
        return alarm, (record,)
    return alarm._replace(confirmed_at=now), (record, SendConfirmed(alarm.id))


def _fire_confirmed(state: VenueState, event: FireConfirmed, now: float, _rules: Rules) -> Step:
    alarm, decisions = _confirm(_attended(state, event), event.by, event.how, now)
    return _with(state, alarm), decisions


def _plan_started(state: VenueState, event: PlanStarted, _now: float, _rules: Rules) -> Step:
    alarm = _confirmed(state, event)
    if alarm.plan_started:
        raise _refusal(state, event, "the plan runs already")
    record = Record(Kind.PLAN_STARTED, event.by, alarm.id)
    return _with(state, alarm._replace(plan_started=True)), (record,)


def _emergency_call(state: VenueState, event: EmergencyCall, now: float, _rules: Rules) -> Step:
    alarm = _confirmed(state, event)
    if alarm.emergency_called or alarm.confirmed_at is None:
        raise _refusal(state, event, "119 has been called already")
    record = Record(Kind.EMERGENCY_CALL, event.by, alarm.id, 0, now - alarm.confirmed_at)
    return _with(state, alarm._replace(emergency_called=True)), (record,)


def _evacuation(state: VenueState, event: Evacuation, _now: float, _rules: Rules) -> Step:
    return state, (Record(Kind.EVACUATION, event.by, _confirmed(state, event).id),)


def _confirmed_sent(state: VenueState, event: ConfirmedSent, _now: float, _rules: Rules) -> Step:
    return state, (Record(Kind.CONFIRMED_SENT, event.to, _confirmed(state, event).id),)


# -- people on the way ---------------------------------------------------------------------------


def _dispatched(state: VenueState, event: Dispatched, now: float, _rules: Rules) -> Step:
    """The deadline runs from the first order, and stands until anybody arrives or all are back."""
    alarm = _attended(state, event)
    if event.person in alarm.under_way:
        raise _refusal(state, event, f"{event.person} is under way already")
    record = Record(Kind.DISPATCHED, event.person, alarm.id, 0, nan, event.vehicle)
    under_way = (*alarm.under_way, event.person)
    if alarm.under_way:
        return _with(state, alarm._replace(under_way=under_way)), (record,)
    at = now + TRAVEL_S
    return (
        _with(state, alarm._replace(under_way=under_way, on_scene_by=at)),
        (record, SetDeadline(alarm.id, ON_SCENE, at)),
    )


def _stood_down(state: VenueState, event: StoodDown, now: float, _rules: Rules) -> Step:
    alarm = _opened(state, event)
    if event.person not in alarm.under_way:
        raise _refusal(state, event, f"{event.person} is not under way; Dispatched comes first")
    record = Record(Kind.STOOD_DOWN, event.person, alarm.id, 0, nan, event.why)
    under_way = tuple([p for p in alarm.under_way if p != event.person])
    if under_way:
        return _with(state, alarm._replace(under_way=under_way)), (record,)
    ended = _ended(alarm.id, ON_SCENE, alarm.on_scene_by, now, TRAVEL_S)
    alarm = alarm._replace(under_way=(), on_scene_by=None)
    return _with(state, alarm), (record,) if ended is None else (ended, record)


def _on_scene(state: VenueState, event: OnScene, now: float, _rules: Rules) -> Step:
    alarm = _opened(state, event)
    who = event.who
    if event.role == CENTER_ROLE and who not in alarm.under_way:
        raise _refusal(state, event, f"{who} is not under way; Dispatched comes first")
    value = now - event.ordered_at if isfinite(event.ordered_at) else nan
    record = Record(Kind.ON_SCENE, who, alarm.id, 0, value, event.role)
    alarm = alarm._replace(
        under_way=tuple([p for p in alarm.under_way if p != who]),
        on_scene=(*alarm.on_scene, who),
    )
    if event.role == BRIGADE_ROLE:  # comes on 119, not on the center's order
        return _with(state, alarm), (record,)
    ended = _ended(alarm.id, ON_SCENE, alarm.on_scene_by, now, TRAVEL_S)
    alarm = alarm._replace(on_scene_by=None)
    return _with(state, alarm), (record,) if ended is None else (ended, record)


# -- the record ----------------------------------------------------------------------------------


def _report_filed(state: VenueState, event: ReportFiled, _now: float, _rules: Rules) -> Step:
    alarm = _attended(state, event)
    if alarm.reported:
        raise _refusal(state, event, "the report has been filed already")
    record = Record(Kind.REPORT_FILED, event.by, alarm.id, 0, nan, event.cause)
    return _with(state, alarm._replace(reported=True)), (record,)


def _annotated(state: VenueState, event: Annotated, _now: float, _rules: Rules) -> Step:
    alarm = _opened(state, event)
    if alarm.verified_at is None:
        raise _refusal(state, event, "messages are not verified yet; Verified comes first (6.1)")
    if event.annotation is Annotation.CONFIRMED_FIRE and alarm.confirmed_at is None:
        raise _refusal(state, event, "the fire is not confirmed; FireConfirmed comes first (6.2)")
    record = Record(Kind.ANNOTATED, event.by, alarm.id, 0, nan, event.annotation)
    return _with(state, alarm._replace(annotation=event.annotation)), (record,)


def _close(state: VenueState, event: Close, _now: float, _rules: Rules) -> Step:
    alarm = _opened(state, event)
    lacks = missing(alarm)
    if lacks:
        raise _refusal(state, event, f"the record lacks {'; '.join(lacks)} (8.3)")
    record = Record(Kind.CLOSED, event.by, alarm.id)
    if alarm.waiting or alarm.notify_by is not None:
        return state._replace(alarm=None, settling=(*state.settling, alarm)), (record,)
    return _with(state, None), (record,)


# -- deadlines and devices -----------------------------------------------------------------------


def _deadline_due(state: VenueState, event: DeadlineDue, now: float, _rules: Rules) -> Step:
    for alarm in (state.alarm, *state.settling):
        if alarm is not None and alarm.id == event.alarm:
            break
    else:
        return state, ()
    if event.name == RESPOND:
        by, seconds = alarm.respond_by, RESPONSE_S
    elif event.name == VERIFY:
        by, seconds = alarm.verify_by, VERIFICATION_S
    elif event.name == NOTIFY:
        by, seconds = alarm.notify_by, NOTIFY_S
    elif event.name == ON_SCENE:
        by, seconds = alarm.on_scene_by, TRAVEL_S
    else:
        names = ", ".join((RESPOND, VERIFY, NOTIFY, ON_SCENE))
        raise _refusal(state, event, f"{event.name!r} is none of the deadlines {names}")
    # A time before the deadline's is an older timer of a name that was set again.
    if by is None or now < by - _TOLERANCE_S:
        return state, ()
    if event.name == RESPOND:
        alarm = alarm._replace(respond_by=None)
    elif event.name == VERIFY:
        alarm = alarm._replace(verify_by=None)
    elif event.name == NOTIFY:
        alarm = alarm._replace(notify_by=None)
    else:
        alarm = alarm._replace(on_scene_by=None)
    return _with_notification(state, alarm), (_missed(alarm.id, event.name, seconds),)


def _disabled(state: VenueState, event: DeviceDisabled, _now: float, _rules: Rules) -> Step:
    if event.device in state.disabled:
        return state, ()
    record = Record(Kind.DISABLED, event.device, 0, 0, nan, event.reason)
    return state._replace(disabled=state.disabled | {event.device}), (record,)


def _enabled(state: VenueState, event: DeviceEnabled, _now: float, _rules: Rules) -> Step:
    if event.device not in state.disabled:
        return state, ()
    record = Record(Kind.ENABLED, event.device, 0)
    return state._replace(disabled=state.disabled - {event.device}), (record,)


_HANDLERS: dict[type[Any], Callable[[VenueState, Any, float, Rules], Step]] = {
    MessageReceived: _message,
    NotificationReceipt: _receipt,
    NotificationFailed: _unreached,
    Responded: _responded,
    Verified: _verified,
    FireConfirmed: _fire_confirmed,
    PlanStarted: _plan_started,
    Dispatched: _dispatched,
    StoodDown: _stood_down,
    OnScene: _on_scene,
    Evacuation: _evacuation,
    EmergencyCall: _emergency_call,
    ConfirmedSent: _confirmed_sent,
    ReportFiled: _report_filed,
    Annotated: _annotated,
    Close: _close,
    DeadlineDue: _deadline_due,
    DeviceDisabled: _disabled,
    DeviceEnabled: _enabled,
}
