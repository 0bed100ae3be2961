"""Rows of the event log that only people can tell: the roster, the site, the stock, renewals.

The log cannot be mended afterwards, so that a row is taken only if whoever judges the log can read
it: as :class:`twin.terms.Kind` has it. A later row of the same subject replaces one that describes
(a person, an item of the checklist, a point of the edge).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import isnan, nan
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from twin.alarmcore.annexb.messages import LINE
from twin.alarmcore.service.console import OPERATORS
from twin.alarmcore.service.endpoint import Call, Endpoint, wrong
from twin.alarmcore.service.tokens import Role
from twin.terms import Kind
from twin.terms import Role as Post


class Entry(msgspec.Struct, frozen=True):
    """A row; its columns as the log's. The text of a person is a JSON object in a string."""

    kind: Literal[
        "person", "checklist", "edge_point", "edge_time", "edge_distance", "venue_time",
        "hazard_distance", "hazard_bearing", "wind", "on_duty", "off_duty", "left_desk",
        "back_at_desk", "absent", "trained", "spare_used", "spare_missing", "spare_ordered",
        "spare_received", "renewal",
    ]  # fmt: skip
    subject: Annotated[str, Meta(min_length=1, max_length=200, pattern=LINE)]
    value: float | None = None
    text: Annotated[str, Meta(max_length=1000)] = ""


class Recorded(msgspec.Struct):
    """How many rows were written."""

    rows: int


Entries = Annotated[list[Entry], Meta(min_length=1, max_length=1000)]

Check = Callable[[Entry], bool]


def _value(least: float, most: float = 1e12, *, needed: bool = True) -> Check:
    def check(entry: Entry) -> bool:
        return not needed if entry.value is None else least <= entry.value <= most

    return check


def _text(*words: str) -> Check:
    return lambda entry: entry.text in words


def _hour_or_free(entry: Entry) -> bool:
    """As EDGE_TIME names it: ``free_flow`` or the worst hour of the week."""
    hour = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01]\d|2[0-3]):00"
    return entry.text == "free_flow" or re.fullmatch(hour, entry.text) is not None


def _object(**wanted: type | tuple[type, ...]) -> Check:
    def check(entry: Entry) -> bool:
        try:
            facts = json.loads(entry.text)
        except (ValueError, RecursionError):
            return False
        return isinstance(facts, dict) and all(
            isinstance(facts.get(key), kind) for key, kind in wanted.items()
        )

    return check


def _post(entry: Entry) -> bool:
    return json.loads(entry.text)["role"] in list(Post)


def _sector(entry: Entry) -> bool:
    return re.fullmatch(r"\d{1,3}(\.\d+)?", entry.subject, re.ASCII) is not None and (
        float(entry.subject) < 360
    )


_HAZARD = _text("dangerous_chemicals", "filling_station")
_POST = _text(*Post)
_NUMBER = (int, float)

_RULES: dict[str, tuple[str, tuple[Check, ...]]] = {
    "person": (
        "value: training hours a year or null; text: a JSON object with role (duty or "
        "maintenance), trained (true or false) and team",
        (_value(0, 8784, needed=False), _object(role=str, trained=bool, team=str), _post),
    ),
    "checklist": (
        "subject: the item's key; value: a number, 1 for yes and 0 for no", (_value(0),),
    ),
    "edge_point": (
        "text: a JSON object with lon and lat in degrees, WGS-84", (_object(lon=_NUMBER,
        lat=_NUMBER),),
    ),
    "edge_time": (
        "value: seconds, null where no road leads; text: free_flow or the worst hour as Fri 17:00",
        (_value(0, needed=False), _hour_or_free),
    ),
    "edge_distance": (
        "value: metres; text: straight or road", (_value(0), _text("straight", "road")),
    ),
    "venue_time": (
        "value: seconds, null where no road leads; text: free_flow or the worst hour as Fri 17:00",
        (_value(0, needed=False), _hour_or_free),
    ),
    "hazard_distance": (
        "value: metres; text: dangerous_chemicals or filling_station", (_value(0), _HAZARD),
    ),
    "hazard_bearing": (
        "value: compass degrees; text: dangerous_chemicals or filling_station",
        (_value(0, 360), _HAZARD),
    ),
    "wind": (
        "subject: degrees from 0 to below 360; value: a share from 0 to 1",
        (_value(0, 1), _sector),
    ),
    "on_duty": ("text: duty or maintenance", (_POST,)),
    "off_duty": ("text: duty or maintenance", (_POST,)),
    "left_desk": (
        "text: dispatch, maintenance or break", (_text("dispatch", "maintenance", "break"),),
    ),
    "absent": (
        "value: length of the shift in s; text: covered or not_covered",
        (_value(0), _text("covered", "not_covered")),
    ),
    "trained": ("value: hours", (_value(0, 8784),)),
    "spare_used": ("value: the stock that is left", (_value(0),)),
    "spare_ordered": ("value: how many", (_value(0),)),
    "spare_received": ("value: how many", (_value(0),)),
    "renewal": ("value: 1 renewed, 0 not", (lambda entry: entry.value in (0, 1),)),
}  # fmt: skip


async def record(call: Call) -> Recorded:
    """Writes rows: who is on duty, what the site has, what the stock gave."""
    for number, entry in enumerate(call.body):
        expected, checks = _RULES.get(entry.kind, ("", ()))
        if not all(check(entry) for check in checks):
            raise wrong(f"row {number}, {entry.kind}: {expected}; nothing was written")
    async with call.transaction() as (_, batch):
        for entry in call.body:
            value = nan if entry.value is None else entry.value
            if isnan(value) and entry.kind in ("edge_time", "venue_time"):
                value = float("inf")
            batch.row(Kind(entry.kind), entry.subject, value=value, text=entry.text)
    return Recorded(len(call.body))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST", "/core/record", "record", "The roster, the site and the stock, as rows of the log",
        OPERATORS | {Role.MANAGER}, record, request=Entries, answer=Recorded, writes=True,
    ),
)  # fmt: skip
"""For :mod:`twin.alarmcore.service.routes`."""
