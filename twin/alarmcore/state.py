"""What the lifecycle keeps of an alarm and of a venue, and questions that the state answers."""

from __future__ import annotations

from typing import NamedTuple

from twin.alarmcore.events import SetDeadline
from twin.terms import Annotation, Category, Verification

RESPOND, VERIFY, NOTIFY, ON_SCENE = "respond", "verify", "notify", "on_scene"
"""Names of the deadlines."""


class Rules(NamedTuple):
    """What a center may set; the deadlines are the standard's."""

    disable_after: int = 0
    """A device that reopened an alarm so often without a fire is disabled; 0: never."""


DEFAULT_RULES = Rules()


class Alarm(NamedTuple):
    """An open alarm. Times are those of the ``now`` of the step; None: not (yet)."""

    id: int
    """The id of the first message."""
    category: Category
    """Of the first message; fire as soon as one of the messages is fire."""
    raised_at: float
    devices: tuple[str, ...]
    """Distinct devices, in the order of their first message."""
    messages: int
    """How many there were."""
    unverified: int
    """Messages that no verification covers yet."""
    respond_by: float | None
    """Open deadline; None when met, missed or withdrawn (as the other three)."""
    verify_by: float | None
    notify_by: float | None
    waiting: tuple[str, ...]
    """Responsible people from whom no answer has come yet."""
    on_scene_by: float | None = None
    failed: tuple[str, ...] = ()
    """Responsible people whom no channel reached."""
    notified: tuple[str, ...] = ()
    """Responsible people whose receipt came."""
    responded_at: float | None = None
    """In this round: None again when the alarm is reopened (as ``verified_at``)."""
    verified_at: float | None = None
    outcome: Verification | None = None
    """Of the last verification."""
    annotation: Annotation | None = None
    """None again when the alarm is reopened."""
    confirmed_at: float | None = None
    plan_started: bool = False
    emergency_called: bool = False
    reported: bool = False
    under_way: tuple[str, ...] = ()
    """People who were sent and are neither on scene nor stood down."""
    on_scene: tuple[str, ...] = ()
    """Whoever reached the scene, in order."""
    reopened_by: tuple[str, ...] = ()
    """Devices whose messages reopened the alarm, in order."""

    @property
    def grade(self) -> int:
        """Graded early warning: 1 is a single detector, 2 and more are several."""
        return len(self.devices)

    @property
    def attended(self) -> bool:
        """Somebody responded to the alarm, in this round or an earlier one."""
        return self.responded_at is not None or self.outcome is not None


class VenueState(NamedTuple):
    """What the alarm core knows of a venue.

    Parameters
    ----------
    venue : its id.
    responsible : number of responsible people to notify; their ids are ``venue#1`` and so on.
    alarm : the open alarm.
    disabled : disabled devices.
    settling : closed alarms with a notification still under way.
    """

    venue: str
    responsible: int
    alarm: Alarm | None = None
    disabled: frozenset[str] = frozenset()
    settling: tuple[Alarm, ...] = ()


def open_deadlines(state: VenueState) -> tuple[SetDeadline, ...]:
    """Deadlines that are neither met, missed nor withdrawn: a restart sets them again."""
    alarms = state.settling if state.alarm is None else (*state.settling, state.alarm)
    return tuple(
        SetDeadline(alarm.id, name, at)
        for alarm in alarms
        for name, at in (
            (RESPOND, alarm.respond_by),
            (VERIFY, alarm.verify_by),
            (NOTIFY, alarm.notify_by),
            (ON_SCENE, alarm.on_scene_by),
        )
        if at is not None
    )


def missing(alarm: Alarm) -> tuple[str, ...]:
    """What the alarm's record still lacks to be closed (8.3); empty: it is complete."""
    lacks = []
    if alarm.responded_at is None:
        lacks.append("a response")
    if alarm.verified_at is None:
        lacks.append(f"a verification of {alarm.unverified} message(s)")
    if alarm.annotation is None:
        lacks.append("an annotation")
    if alarm.under_way:
        lacks.append(f"arrival or standing down of {', '.join(alarm.under_way)}")
    if alarm.confirmed_at is not None:
        if not alarm.emergency_called:
            lacks.append("the call to 119")
        if not alarm.reported:
            lacks.append("the report")
    return tuple(lacks)
