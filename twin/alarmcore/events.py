"""What goes into the alarm core's lifecycle and what comes out: events and decisions.

:mod:`twin.alarmcore.lifecycle` says which event is allowed when, and what follows from it.
``alarm`` is always the id of an alarm, ``by``, ``person`` and ``who`` ids of people.
"""

from __future__ import annotations

from math import nan
from typing import NamedTuple

from twin.terms import Annotation, Category, Kind, Verification

# NamedTuples, not frozen dataclasses: creating one costs a third, and a year of a full center
# takes some 100,000 steps.

# -- events -----------------------------------------------------------------------------------


class MessageReceived(NamedTuple):
    """An alarm message arrived. Ids are unique: whoever receives drops repeats of an id."""

    message: int
    device: str
    category: Category


class NotificationReceipt(NamedTuple):
    """A channel (``voice``, ``sms``, ``app``) reached a responsible person; the first counts."""

    alarm: int
    person: str
    channel: str


class NotificationFailed(NamedTuple):
    """No channel reached the person."""

    alarm: int
    person: str
    why: str


class Responded(NamedTuple):
    """An operator has place, room and contacts on the screen (6.1)."""

    alarm: int
    by: str


class Verified(NamedTuple):
    """The verification ended. ``confirmed`` confirms the fire, too, by ``phone`` or ``video``."""

    alarm: int
    by: str
    outcome: Verification
    how: str = "phone"


class FireConfirmed(NamedTuple):
    """The fire was confirmed outside a verification, mostly ``on_scene`` (6.2)."""

    alarm: int
    by: str
    how: str


class PlanStarted(NamedTuple):
    """The emergency plan of a confirmed fire was started (6.2)."""

    alarm: int
    by: str


class Dispatched(NamedTuple):
    """A person was ordered to the scene; its clock runs (5.1.1)."""

    alarm: int
    person: str
    vehicle: str


class StoodDown(NamedTuple):
    """The order to a person under way was withdrawn."""

    alarm: int
    person: str
    why: str


class OnScene(NamedTuple):
    """Somebody arrived. ``ordered_at``: when that person was ordered or asked to go, else NaN."""

    alarm: int
    who: str
    role: str
    ordered_at: float


class Evacuation(NamedTuple):
    """People are led out (6.2)."""

    alarm: int
    by: str


class EmergencyCall(NamedTuple):
    """119 was called (6.2)."""

    alarm: int
    by: str


class ConfirmedSent(NamedTuple):
    """A grid worker or micro fire station got the confirmed alarm (4.9)."""

    alarm: int
    to: str


class ReportFiled(NamedTuple):
    """The report of Annex C was filed, with the cause found or ``scene_sealed`` (6.3)."""

    alarm: int
    by: str
    cause: str


class Annotated(NamedTuple):
    """The alarm was annotated (6.4); a correction may follow until it is closed."""

    alarm: int
    by: str
    annotation: Annotation


class Close(NamedTuple):
    """The record is declared complete (8.3)."""

    alarm: int
    by: str


class DeadlineDue(NamedTuple):
    """A deadline's time has come. One that is met or withdrawn gives no decision."""

    alarm: int
    name: str


class DeviceDisabled(NamedTuple):
    """A device was disabled (屏蔽)."""

    device: str
    reason: str = ""


class DeviceEnabled(NamedTuple):
    """A device's disablement ended."""

    device: str


Event = (
    MessageReceived
    | NotificationReceipt
    | NotificationFailed
    | Responded
    | Verified
    | FireConfirmed
    | PlanStarted
    | Dispatched
    | StoodDown
    | OnScene
    | Evacuation
    | EmergencyCall
    | ConfirmedSent
    | ReportFiled
    | Annotated
    | Close
    | DeadlineDue
    | DeviceDisabled
    | DeviceEnabled
)


# -- decisions --------------------------------------------------------------------------------


class Record(NamedTuple):
    """Exactly one row of the event log, view platform; columns as in :class:`twin.terms.Kind`."""

    kind: Kind
    subject: str
    alarm: int
    message: int = 0
    value: float = nan
    text: str = ""


class Notify(NamedTuple):
    """Notify these responsible people over every channel, now (9.3)."""

    alarm: int
    people: tuple[str, ...]


class Attend(NamedTuple):
    """Somebody at the desk must respond: a new alarm, or a reopened one."""

    alarm: int
    grade: int


class SendConfirmed(NamedTuple):
    """Send the confirmed alarm to grid workers, micro fire stations and the brigade (4.9)."""

    alarm: int


class SetDeadline(NamedTuple):
    """Report :class:`DeadlineDue` at this time. A name that is set again has a new time."""

    alarm: int
    name: str
    at: float


class CancelDeadline(NamedTuple):
    """The deadline is met or withdrawn."""

    alarm: int
    name: str


Decision = Record | Notify | Attend | SendConfirmed | SetDeadline | CancelDeadline
