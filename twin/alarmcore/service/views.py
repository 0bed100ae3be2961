"""Figures (7.1), the manager's view (7.2), the owner's (7.3), and what document 002 counts.

Figures are computed by the code that judges simulations, from the same log.
"""

from __future__ import annotations

import os
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from twin.alarmcore.annexb.messages import Malformed, instant
from twin.alarmcore.service.endpoint import Call, Endpoint, wrong
from twin.alarmcore.service.figures import Figures, NoFigures, Period
from twin.alarmcore.service.parameters import time
from twin.alarmcore.service.tokens import Role
from twin.log import MICROSECONDS

FIGURES = frozenset({Role.OPERATOR, Role.MANAGER, Role.AUDITOR, Role.UPSTREAM})


async def figures(call: Call) -> Figures:
    """The figures of a period: by default, of this year until now."""
    core = call.core
    now = core.clock.now()
    zone = ZoneInfo(core.settings.time_zone)
    new_year = datetime.fromtimestamp(now, zone).replace(
        month=1, day=1, hour=0, minute=0, second=0, microsecond=0
    )
    start = _time(call, "from", new_year.timestamp())
    end = _time(call, "to", now)

    def period() -> Period:
        return Period(
            core.url,
            core.settings.time_zone,
            round(start * MICROSECONDS),
            round(min(end, now) * MICROSECONDS),
            os.getpid(),
            round(now * MICROSECONDS),
        )

    try:
        return await core.figures.figures((call.query.get("from"), call.query.get("to")), period)
    except NoFigures as error:
        raise wrong(str(error)) from error


def _time(call: Call, name: str, default: float) -> float:
    text = call.query.get(name)
    if text is None:
        return default
    try:
        return instant(text.replace(" ", "+")).timestamp()  # a plus sign in a URL is a space
    except Malformed as error:
        raise wrong(f"{name}: {error}") from error


# -- the manager's view --------------------------------------------------------------------------


class Overview(msgspec.Struct, rename="camel"):
    """What a manager sees at a glance (7.1, 7.2), and document 002's counts."""

    open_alarms: int
    devices: int
    offline: int
    faulty: int
    low_battery: int
    open_tickets: int
    late_tickets: int
    completion_rate: float | None
    """Tickets closed / opened (7.2)."""
    alarms: int
    alarms_not_handled: int
    """Open ones to which nobody responded, or which nobody verified, before the deadline (6.1)."""
    calls: int
    """Voice calls that were answered: one for each alarm and person (document 002)."""
    service_visits: int
    """Maintenance tickets worked off; not those that ended with their device."""
    hazards_found: int
    hazards_cleared: int
    hazards_open: int
    quarantined: int
    complaints_open: int
    notifications_waiting: int


_OVERVIEW = """
    SELECT
        (SELECT count(*) FROM alarm WHERE closed IS NULL),
        (SELECT count(*) FROM device WHERE removed IS NULL),
        (SELECT count(*) FROM device_state WHERE offline),
        (SELECT count(*) FROM device_state WHERE fault),
        (SELECT count(*) FROM device_state WHERE low_battery),
        (SELECT count(*) FROM ticket WHERE closed IS NULL),
        (SELECT count(*) FROM ticket WHERE missed),
        (SELECT avg((closed IS NOT NULL)::int)::float8 FROM ticket),
        (SELECT count(*) FROM alarm),
        (SELECT count(*) FROM alarm a WHERE closed IS NULL AND (
            stage = 'raised' AND NOT EXISTS (
                SELECT FROM deadline WHERE alarm = a.id AND name = 'respond')
            OR stage IN ('raised', 'responded') AND NOT EXISTS (
                SELECT FROM deadline WHERE alarm = a.id AND name = 'verify'))),
        (SELECT count(*) FROM outbox
         WHERE kind = 'notify' AND channel = 'voice' AND state = 'received'),
        (SELECT count(*) FROM ticket t WHERE closed IS NOT NULL AND NOT EXISTS (
            SELECT FROM device WHERE id = t.device AND removed = t.closed)),
        (SELECT count(*) FROM ticket WHERE kind = 'hazard'),
        (SELECT count(*) FROM ticket WHERE kind = 'hazard' AND closed IS NOT NULL),
        (SELECT count(*) FROM ticket WHERE kind = 'hazard' AND closed IS NULL),
        (SELECT count(*) FROM quarantine WHERE seen_by IS NULL),
        (SELECT count(*) FROM complaint WHERE upheld IS NULL),
        (SELECT count(*) FROM outbox WHERE state = 'waiting')
    """


async def overview(call: Call) -> Overview:
    """The center at a glance, now."""
    core = call.core
    return Overview(*await core.figures.counts(core.url, _OVERVIEW))


# -- the owner's view ----------------------------------------------------------------------------


class OwnedDevice(msgspec.Struct, rename="camel"):
    """A device as its owner sees it (7.3)."""

    id: str
    kind: str
    venue: str
    location: str | None
    online: bool
    fault: bool
    low_battery: bool
    battery_percent: float | None
    alarm: str | None
    """The open alarm of its venue."""


class Owned(msgspec.Struct):
    """An owner's devices."""

    devices: list[OwnedDevice]


async def owned(call: Call) -> Owned:
    """Online, battery and alarm of the caller's venues, and of no others."""
    async with call.core.pool.acquire() as db:
        rows = await db.fetch(
            """
            SELECT d.id, d.kind, d.venue, d.body->>'location', NOT coalesce(s.offline, false),
                coalesce(s.fault, false), coalesce(s.low_battery, false),
                (s.parameters->>'battery_percent')::float8,
                (SELECT a.id::text FROM alarm a WHERE a.venue = d.venue AND a.closed IS NULL
                 ORDER BY a.id LIMIT 1)
            FROM device d LEFT JOIN device_state s ON s.device = d.id
            WHERE d.venue = ANY($1::text[]) AND d.removed IS NULL ORDER BY d.id
            """,
            list(call.principal.venues),
        )
    return Owned([OwnedDevice(*row) for row in rows])


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET", "/core/figures", "getFigures", "The rates of clauses 3, 4 and 7.1 of a period",
        FIGURES, figures, answer=Figures,
        query={"from": time("default: 1 January"), "to": time("default: now")},
    ),
    Endpoint(
        "GET", "/core/overview", "getOverview", "The manager's view (7.2), now",
        FIGURES, overview, answer=Overview,
    ),
    Endpoint(
        "GET", "/core/owned", "getOwned", "The owner's view (7.3): online, battery, alarm",
        frozenset({Role.OWNER}), owned, answer=Owned,
    ),
)  # fmt: skip
