"""What travels in the APIs of Annex B: bodies and answers, with the limits of every field.

Names on the wire are camelCase. Fields that are not known here are ignored on reading, so that a
vendor may send more than is asked for; who receives keeps the raw body. Lengths are limits of this
project (assumption: several times what is met in practice).
"""

from __future__ import annotations

import codecs
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from twin.terms import Category

BATCH = 1000
"""The most items in one body or page."""

# No control characters: PostgreSQL takes no NUL, and an id has to be readable in a line.
LINE = r"^[^\x00-\x1f\x7f]+$(?!\n)"
_LINE_OR_NONE = r"^[^\x00-\x1f\x7f]*$(?!\n)"

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=LINE)]
"""A vendor's own id of something; unique within the vendor and its sort."""
Name = Annotated[str, Meta(max_length=200, pattern=_LINE_OR_NONE)]
"""A name, an address, a place: text in a line, or empty."""
Word = Annotated[str, Meta(max_length=64, pattern=_LINE_OR_NONE)]
"""A term from a list that stays open (a kind, a quantity), or empty."""
Text64 = Annotated[str, Meta(min_length=1, max_length=64)]
EventTime = Annotated[str, Meta(max_length=64, extra_json_schema={"format": "date-time"})]
Text200 = Annotated[str, Meta(max_length=200)]
Measured = Annotated[dict[str, float], Meta(max_length=64)]
# Of an event: patterns would cost ten times as much as all the rest of reading it.
Instant = Annotated[
    str,
    Meta(min_length=20, max_length=40, extra_json_schema={"format": "date-time"}),
]
"""A time in ISO 8601 with its offset from UTC: ``2024-03-01T08:30:00+08:00``."""
Day = Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$(?!\n)", max_length=10)]
"""A date (``2024-03-01``), or empty."""
Longitude = Annotated[float, Meta(ge=-180.0, le=180.0, description="degrees, WGS-84")]
Latitude = Annotated[float, Meta(ge=-90.0, le=90.0, description="degrees, WGS-84")]
Parameters = Annotated[dict[Word, float], Meta(max_length=64)]
"""Measured values by quantity; the unit is part of the name (``temperature_c``)."""


class EventType(StrEnum):
    """What is reported by API 22 (B.2.3, table B.3 no. 22)."""

    FIRE = "fire"
    """火警: an alarm message, of any category."""
    EARLY_WARNING = "early_warning"
    """预警."""
    FAULT = "fault"
    """故障."""
    ACTUATION = "actuation"
    """联动: something acted by itself."""
    SUPERVISORY = "supervisory"
    """监管."""
    DISABLEMENT = "disablement"
    """屏蔽."""
    OPERATION = "operation"
    """操作."""
    ONLINE = "online"
    """上线."""
    OFFLINE = "offline"
    """下线."""
    STATE = "state"
    """Extension: a device that pushes directly (9.1) reports its parameters; else API 21."""


class Event(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """API 22: something happened at a device.

    Parameters
    ----------
    message_id : unique per vendor for ever; a repeat is acknowledged and dropped.
    device_id : the vendor's own id; the core's name of the device is ``<vendor>/<deviceId>``.
    type : what happened.
    time : when the device signalled. The deadlines run from receipt.
    phase : ``end`` where a state ends: a fault cleared, a disablement ended.
    category : for type ``fire``; the device's own if it is left out.
    what : fault: its name (``low_battery`` opens a battery ticket); actuation: what acted
        (``gas_valve_closed``); operation: what was done (``self_test``).
    value : the measured value that led to it.
    parameters : further measured values.
    """

    message_id: Text64
    device_id: Text64
    type: EventType
    time: EventTime
    phase: Literal["begin", "end"] = "begin"
    category: Category | None = None
    what: Text200 = ""
    value: float | None = None
    parameters: Measured | None = None


class Project(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """APIs 2 to 4: a project, for example the small shops of one village."""

    project_id: Id
    name: Name
    address: Name = ""
    longitude: Longitude | None = None
    latitude: Latitude | None = None


class Responsible(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A responsible person of a venue, notified of its fire alarms (9.3).

    Parameters
    ----------
    name : of the person.
    phone : with country code or as dialled locally; the app and WeChat know the person by it.
    channels : how the person is reached.
    """

    name: Name
    phone: Annotated[str, Meta(max_length=32, pattern=r"^[0-9+*#() -]*$(?!\n)")]
    channels: Annotated[
        tuple[Literal["voice", "sms", "app", "wechat", "announcement"], ...],
        Meta(min_length=1, max_length=5),
    ] = ("voice", "sms")


class Venue(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """APIs 6 to 8: premises of a project. 9.3 asks for at least 5 responsible people."""

    venue_id: Id
    project_id: Id
    name: Name
    kind: Word = ""
    address: Name = ""
    longitude: Longitude | None = None
    latitude: Latitude | None = None
    responsible: Annotated[tuple[Responsible, ...], Meta(max_length=100)] = ()


class Gateway(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """APIs 10 to 12: a gateway, or a user information transmission device."""

    gateway_id: Id
    project_id: Id
    conforms: bool
    venue_id: Id | None = None
    name: Name = ""
    model: Name = ""
    location: Name = ""
    installed: Day = ""
    longitude: Longitude | None = None
    latitude: Latitude | None = None


class Device(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """APIs 14 to 18: a device.

    Parameters
    ----------
    project_id, venue_id, gateway_id : where it belongs; no venue: API 16; no gateway:
        a stand-alone device (API 15).
    kind : what it is (``smoke_alarm``).
    category : what its alarms are about.
    conforms : whether its model conforms to its product standard (4.10).
    location : room or spot, as an operator reads it out (6.1).
    """

    device_id: Id
    project_id: Id
    kind: Word
    category: Category
    conforms: bool
    venue_id: Id | None = None
    gateway_id: Id | None = None
    name: Name = ""
    model: Name = ""
    location: Name = ""
    installed: Day = ""
    longitude: Longitude | None = None
    latitude: Latitude | None = None


class Deletion(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """API 19: a device was taken out of service."""

    device_id: Id
    reason: Name = ""


class Channel(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """API 20: a measuring channel of a device, with the limits at which it warns and alarms."""

    channel_id: Id
    device_id: Id
    name: Name = ""
    quantity: Word = ""
    unit: Word = ""
    warning: float | None = None
    alarm: float | None = None


class DeviceState(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """API 21: what the vendor platform believes of a device now. What is left out is not told.

    Parameters
    ----------
    device_id : the device.
    online : whether the vendor's offline rule holds it to be online.
    time : when the vendor last heard from it.
    since : when ``online`` last changed.
    fault : name of its present fault; empty: it has none.
    disabled : it is disabled (屏蔽).
    low_battery : its battery has to be changed.
    battery : charge in percent.
    parameters : measured values.
    """

    device_id: Id
    online: bool
    time: Instant | None = None
    since: Instant | None = None
    fault: Name | None = None
    disabled: bool | None = None
    low_battery: bool | None = None
    battery: Annotated[float, Meta(ge=0.0, le=100.0, description="percent")] | None = None
    parameters: Parameters | None = None


class Count(msgspec.Struct, frozen=True):
    """APIs 1, 5, 9 and 13."""

    total: Annotated[int, Meta(ge=0, le=100_000_000)]


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list, in the order of ids.

    Parameters
    ----------
    items : at most as many as were asked for.
    total : of the whole list.
    next : to be given as ``after`` for the next page; None: this was the last.
    """

    items: Annotated[list[T], Meta(max_length=BATCH)]
    total: Annotated[int, Meta(ge=0, le=100_000_000)]
    next: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """The envelope of every answer; success is status 200 *and* ``000000`` (table B.2)."""

    code: Annotated[str, Meta(max_length=16)]
    message: str = ""
    data: T | None = None


class Credentials(msgspec.Struct, frozen=True, rename="camel"):
    """``getToken``: what the platform's operator gave the vendor."""

    appkey: Annotated[str, Meta(min_length=1, max_length=128)]
    master_secret: Annotated[str, Meta(min_length=1, max_length=128)]


class Token(msgspec.Struct, frozen=True):
    """``getToken``: valid until the next one is issued; keep room for 100 characters (B.4.1)."""

    token: Annotated[str, Meta(min_length=1, max_length=100)]


class Received(msgspec.Struct, frozen=True):
    """API 22: what became of the events; every one of them is on disk."""

    accepted: int
    repeated: int
    quarantined: int


class Registered(msgspec.Struct, frozen=True):
    """APIs 4, 8, 12, 16, 18 and 19: how many entries are new or changed, and how many were so."""

    changed: int
    unchanged: int


class Malformed(ValueError):
    """A body that is no JSON, or not what the API takes. The message says what is wrong."""


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Decoder of a body that is one item of a kind, or a list of 1 to :data:`BATCH` of them."""
    many = Annotated[list[kind], Meta(min_length=1, max_length=BATCH)]
    return msgspec.json.Decoder(kind | many)


EVENTS = decoder(Event)
"""Body of API 22."""


def read(body: bytes, by: msgspec.json.Decoder[Any]) -> Any:
    """The content of a body.

    Raises
    ------
    Malformed
        saying what is wrong and where.
    """
    try:
        return by.decode(body)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from None
    except msgspec.DecodeError as error:
        raise Malformed(_not_json(body) or f"not JSON: {error}") from None
    except UnicodeDecodeError as error:
        wrong = f"not UTF-8: {error.reason} at byte {error.start}"
        raise Malformed(_not_json(body) or wrong) from None
    except RecursionError:
        raise Malformed("nested too deeply") from None


def _not_json(body: bytes) -> str:
    """What a body is that is no JSON, where its first bytes tell."""
    if body.startswith(codecs.BOM_UTF8):
        return "not JSON: it begins with a byte order mark; send it without"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or body[:2].count(0) == 1:
        return "not UTF-8 but UTF-16; send it in UTF-8"
    if body.startswith(b"\x1f\x8b"):
        return "not JSON: it is packed with gzip, which is not taken; send it unpacked"
    return ""


def check_nul(body: bytes) -> None:
    """Refuses an event with a NUL character, which no database text can hold.

    Raises
    ------
    Malformed
    """
    if b"\\u0000" in body:
        raise Malformed("a NUL character (\\u0000) in a text")


def instant(text: str) -> datetime:
    """The time that an :data:`Instant` names.

    Raises
    ------
    Malformed
        if it is no time, or has no offset from UTC.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise Malformed(
            f"{text!r} is not a time in ISO 8601 with its offset from UTC, "
            f"for example 2024-03-01T08:30:00+08:00"
        )
    return time
