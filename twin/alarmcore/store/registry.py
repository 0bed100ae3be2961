"""The registry: projects, venues, responsible people, gateways, devices, channels; by vendor.

Ids are ``<vendor>/<the vendor's id>``, so that no vendor reaches what is another's. Everything here
works inside its caller's transaction, may be repeated, and tells all workers of a change by NOTIFY.
A gateway is a device of category ``gateway``, too: its faults and states are kept like a device's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import asyncpg
import msgspec

from twin.alarmcore.annexb.messages import (
    Channel,
    Deletion,
    Device,
    Event,
    Gateway,
    Page,
    Project,
    Venue,
    instant,
)
from twin.alarmcore.lifecycle import move
from twin.alarmcore.service.registry import CHANGED, venue_of
from twin.alarmcore.store.batch import Batch, read_states, renew_states
from twin.terms import Category, Kind

GATEWAY_KIND = "gateway"
"""Device kind of a gateway in the log."""


class Vendor(NamedTuple):
    """Whose registry it is."""

    id: int
    name: str

    def key(self, own: str) -> str:
        """The core's id of what the vendor calls ``own``."""
        return f"{self.name}/{own}"

    def own(self, key: str) -> str:
        """The vendor's id of what the core calls ``key``."""
        return key[len(self.name) + 1 :]


class Stored(NamedTuple):
    """What became of the entries.

    Parameters
    ----------
    changed : ids (the core's) of those that are new or say something new.
    unchanged : how many say what was known.
    refused : why entries were not taken, by the vendor's id.
    """

    changed: frozenset[str]
    unchanged: int
    refused: Mapping[str, str]


T = TypeVar("T")
E = TypeVar("E", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode


async def put_projects(
    db: asyncpg.Connection, vendor: Vendor, projects: Iterable[Project], *, follow: bool
) -> Stored:
    """Stores projects.

    Parameters
    ----------
    follow : they were pushed, and what is in them is to be got next (B.2.4).
    """
    rows = {vendor.key(project.project_id): _text(project) for project in projects}
    changed = await _changed(db, "project", rows)
    await db.execute(
        """
        INSERT INTO project (id, vendor, body, follow)
        SELECT id, $3, body::jsonb, $4 FROM unnest($1::text[], $2::text[]) AS u (id, body)
        ORDER BY id
        ON CONFLICT (id) DO UPDATE
        SET body = excluded.body, follow = project.follow OR excluded.follow
        """,
        list(rows),
        list(rows.values()),
        vendor.id,
        follow,
    )
    return Stored(changed, len(rows) - len(changed), {})


async def put_venues(
    db: asyncpg.Connection, batch: Batch, vendor: Vendor, venues: Iterable[Venue]
) -> Stored:
    """Stores venues with their responsible people, whose list replaces the one before.

    A new venue, or another kind or number of responsible people, is a VENUE row of the log.
    """
    given = {vendor.key(venue.venue_id): venue for venue in venues}
    known = await _known(db, "project", (vendor.key(v.project_id) for v in given.values()))

    def lacks(venue: Venue) -> str:
        return _unknown(vendor, "project", venue.project_id, known)

    taken, refused = _part(vendor, given, lacks)
    changed = await _changed(db, "venue", {key: _text(venue) for key, venue in taken.items()})
    news = {key: taken[key] for key in sorted(changed)}
    if news:
        facts = {
            row[0]: (row[1], row[2])
            for row in await db.fetch(
                "SELECT id, responsible, kind FROM venue WHERE id = ANY($1::text[])", list(news)
            )
        }
        await db.execute(
            """
            INSERT INTO venue (id, vendor, project, name, kind, responsible, body)
            SELECT id, $7, project, name, kind, responsible, body::jsonb
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[])
                AS u (id, project, name, kind, responsible, body)
            ON CONFLICT (id) DO UPDATE SET project = excluded.project, name = excluded.name,
                kind = excluded.kind, responsible = excluded.responsible, body = excluded.body
            """,
            list(news),
            [vendor.key(venue.project_id) for venue in news.values()],
            [venue.name for venue in news.values()],
            [venue.kind for venue in news.values()],
            [len(venue.responsible) for venue in news.values()],
            [_text(venue) for venue in news.values()],
            vendor.id,
        )
        await _put_responsible(db, news)
        await renew_states(db, news)
        for key, venue in news.items():
            if facts.get(key) != (len(venue.responsible), venue.kind):
                batch.row(Kind.VENUE, key, value=float(len(venue.responsible)), text=venue.kind)
        await _tell(db, vendor)
    return Stored(changed, len(taken) - len(changed), refused)


async def _put_responsible(db: asyncpg.Connection, venues: Mapping[str, Venue]) -> None:
    await db.execute("DELETE FROM responsible WHERE venue = ANY($1::text[])", list(venues))
    people = [
        (key, n, person.name, person.phone, list(dict.fromkeys(person.channels)))
        for key, venue in venues.items()
        for n, person in enumerate(venue.responsible, start=1)
    ]
    await db.executemany(
        "INSERT INTO responsible (venue, n, name, phone, channels) VALUES ($1, $2, $3, $4, $5)",
        people,
    )


async def put_gateways(
    db: asyncpg.Connection, batch: Batch, vendor: Vendor, gateways: Iterable[Gateway]
) -> Stored:
    """Stores gateways; each is a device of category ``gateway``, too."""
    given = {vendor.key(gateway.gateway_id): gateway for gateway in gateways}
    projects = await _known(db, "project", (vendor.key(g.project_id) for g in given.values()))
    venues = await _known(db, "venue", _keys(vendor, (g.venue_id for g in given.values())))
    devices = {
        row[0]
        for row in await db.fetch(
            "SELECT id FROM device d WHERE id = ANY($1::text[]) "
            "AND NOT EXISTS (SELECT FROM gateway g WHERE g.id = d.id)",
            list(given),
        )
    }

    def lacks(gateway: Gateway) -> str:
        return (
            _unknown(vendor, "project", gateway.project_id, projects)
            or _unknown(vendor, "venue", gateway.venue_id, venues)
            or (
                f"{gateway.gateway_id} is the id of a device; a gateway needs one of its own"
                if vendor.key(gateway.gateway_id) in devices
                else ""
            )
        )

    taken, refused = _part(vendor, given, lacks)
    news = await _news(db, "gateway", taken)
    if news:
        rows = [
            _Row(
                key,
                vendor.key(gateway.project_id),
                _key(vendor, gateway.venue_id),
                None,
                GATEWAY_KIND,
                Category.GATEWAY,
                gateway.conforms,
                _text(gateway),
            )
            for key, gateway in news.items()
        ]
        await db.execute(
            """
            INSERT INTO gateway (id, vendor, project, venue, body)
            SELECT id, $5, project, venue, body::jsonb
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                AS u (id, project, venue, body)
            ON CONFLICT (id) DO UPDATE SET project = excluded.project, venue = excluded.venue,
                body = excluded.body
            """,
            [row.id for row in rows],
            [row.project for row in rows],
            [row.venue for row in rows],
            [row.body for row in rows],
            vendor.id,
        )
        await _put_device_rows(db, batch, vendor, rows)
    return Stored(frozenset(news), len(taken) - len(news), refused)


async def put_devices(
    db: asyncpg.Connection,
    batch: Batch,
    vendor: Vendor,
    devices: Iterable[Device],
    *,
    unplaced: bool = False,
) -> Stored:
    """Stores devices; one that had been taken out of service is back.

    A new device, or one with other facts, is a DEVICE row of the log.

    Parameters
    ----------
    unplaced : they come by API 16 and must have no venue.
    """
    given = {vendor.key(device.device_id): device for device in devices}
    projects = await _known(db, "project", (vendor.key(d.project_id) for d in given.values()))
    venues = await _known(db, "venue", _keys(vendor, (d.venue_id for d in given.values())))
    gateways = await _known(
        db, "gateway", [*given, *_keys(vendor, (d.gateway_id for d in given.values()))]
    )

    def lacks(device: Device) -> str:
        if unplaced and device.venue_id is not None:
            return "it has a venueId; devices with a venue are pushed by API 18"
        if vendor.key(device.device_id) in gateways:
            return f"{device.device_id} is the id of a gateway; a device needs one of its own"
        return (
            _unknown(vendor, "project", device.project_id, projects)
            or _unknown(vendor, "venue", device.venue_id, venues)
            or _unknown(vendor, "gateway", device.gateway_id, gateways)
        )

    taken, refused = _part(vendor, given, lacks)
    news = await _news(db, "device", taken)
    if news:
        rows = [
            _Row(
                key,
                vendor.key(device.project_id),
                _key(vendor, device.venue_id),
                _key(vendor, device.gateway_id),
                device.kind,
                device.category,
                device.conforms,
                _text(device),
            )
            for key, device in news.items()
        ]
        await _put_device_rows(db, batch, vendor, rows)
    return Stored(frozenset(news), len(taken) - len(news), refused)


class _Row(NamedTuple):
    """A row of table ``device``."""

    id: str
    project: str
    venue: str | None
    gateway: str | None
    kind: str
    category: Category
    conforms: bool
    body: str

    @property
    def facts(self) -> tuple[str | None, str, str, bool]:
        """What the log says of a device."""
        return (self.venue, self.kind, self.category, self.conforms)


async def _put_device_rows(
    db: asyncpg.Connection, batch: Batch, vendor: Vendor, rows: Sequence[_Row]
) -> None:
    known = await db.fetch(
        "SELECT id, venue, kind, category, conforms, removed FROM device "
        "WHERE id = ANY($1::text[])",
        [row.id for row in rows],
    )
    facts = {row[0]: tuple(row)[1:5] for row in known if row["removed"] is None}
    were_at = {row["id"]: row["venue"] for row in known}
    await db.execute(
        """
        INSERT INTO device (id, vendor, project, venue, gateway, kind, category, conforms, body)
        SELECT id, $9, project, venue, gateway, kind, category, conforms, body::jsonb
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                    $7::bool[], $8::text[])
            AS u (id, project, venue, gateway, kind, category, conforms, body)
        ON CONFLICT (id) DO UPDATE SET project = excluded.project, venue = excluded.venue,
            gateway = excluded.gateway, kind = excluded.kind, category = excluded.category,
            conforms = excluded.conforms, body = excluded.body, removed = NULL
        """,
        *([row[column] for row in rows] for column in range(len(_Row._fields))),
        vendor.id,
    )
    for row in rows:
        if facts.get(row.id) != row.facts:
            text = {
                "kind": row.kind,
                "category": row.category,
                "conforms": row.conforms,
                "venue": row.venue or "",
                "vendor": vendor.name,
            }
            point = float(row.category is not Category.GATEWAY)
            batch.row(Kind.DEVICE, row.id, value=point, text=json.dumps(text, ensure_ascii=False))
    moved = {
        row.id: (venue_of(row.id, were_at.get(row.id)), venue_of(row.id, row.venue))
        for row in rows
        if were_at.get(row.id) != row.venue
    }
    if moved:
        await _move_states(db, batch, moved)
    await _tell(db, vendor)


async def _move_states(
    db: asyncpg.Connection, batch: Batch, moved: Mapping[str, tuple[str, str]]
) -> None:
    """What the states of venues have of devices that are elsewhere from now on.

    Disablements in force go with their devices. An alarm at a place unknown goes on where its
    device is as soon as no other is open there (:func:`twin.alarmcore.lifecycle.place`); who helps
    with it is told the place at once.

    Parameters
    ----------
    moved : by device, where it was and where it is, as states of the lifecycle are named.
    """
    left = await db.fetch(
        "SELECT venue FROM venue_state WHERE venue = ANY($1::text[])",
        [was for was, _ in moved.values()],
    )
    known = {row[0] for row in left}
    moved = {device: pair for device, pair in moved.items() if pair[0] in known}
    states = {venue for pair in moved.values() for venue in pair}
    batch.held |= await read_states(db, states - batch.held.keys())
    for device, (was, now) in moved.items():
        before, there = batch.held[was], batch.held[now]
        if device in before.state.disabled:
            at = max(batch.now, before.at, there.at)
            without, with_it = move(device, before.state, there.state)
            batch.step(before.state, without, (), at)
            batch.step(there.state, with_it, (), at)
        alarm, waits = before.state.alarm, there.state.alarm is not None
        if was == venue_of(device, None) and waits and alarm and alarm.confirmed_at is not None:
            batch.confirmed.append((alarm.id, was))


async def delete_devices(
    db: asyncpg.Connection, batch: Batch, vendor: Vendor, deletions: Iterable[Deletion]
) -> Stored:
    """Takes devices (or gateways) out of service; their open tickets end with them.

    What is not known, or is out of service, is unchanged.
    """
    keys = sorted({vendor.key(deletion.device_id) for deletion in deletions})
    rows = await db.fetch(
        "UPDATE device SET removed = $2 WHERE id = ANY($1::text[]) AND removed IS NULL "
        "RETURNING id",
        keys,
        batch.now,
    )
    gone = sorted(row[0] for row in rows)
    if gone:
        tickets = await db.fetch(
            "UPDATE ticket SET closed = $2 WHERE device = ANY($1::text[]) AND closed IS NULL "
            "RETURNING device, kind",
            gone,
            batch.now,
        )
        for device, kind in sorted(map(tuple, tickets)):
            batch.row(Kind.TICKET_CLOSED, device, text=kind)
        await db.execute("DELETE FROM device_state WHERE device = ANY($1::text[])", gone)
        for device in gone:
            batch.row(Kind.DEVICE_REMOVED, device)
        await _tell(db, vendor)
    return Stored(frozenset(gone), len(keys) - len(gone), {})


async def put_channels(
    db: asyncpg.Connection, vendor: Vendor, channels: Mapping[str, Sequence[Channel]]
) -> None:
    """Stores the channels of devices, whole: what a device's list lacks is no more.

    Parameters
    ----------
    channels : lists of channels by the vendor's id of the device, which must be registered.
    """
    devices = sorted(vendor.key(device) for device in channels)
    rows = sorted(
        (vendor.key(device), one.channel_id, _text(one))
        for device, several in channels.items()
        for one in {one.channel_id: one for one in several}.values()
    )
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    await db.execute(
        "DELETE FROM channel c WHERE device = ANY($1::text[]) AND NOT EXISTS ("
        "SELECT FROM unnest($2::text[], $3::text[]) AS u (device, id) "
        "WHERE u.device = c.device AND u.id = c.id)",
        devices,
        *columns[:2],
    )
    await db.execute(
        "INSERT INTO channel (device, id, body) SELECT device, id, body::jsonb "
        "FROM unnest($1::text[], $2::text[], $3::text[]) AS u (device, id, body) "
        "ON CONFLICT (device, id) DO UPDATE SET body = excluded.body "
        "WHERE channel.body IS DISTINCT FROM excluded.body",
        *columns,
    )


async def put_history(db: asyncpg.Connection, vendor: Vendor, events: Iterable[Event]) -> int:
    """Keeps events that a vendor tells of afterwards; returns how many were not kept yet.

    They are kept apart from messages: the push of one of them that comes yet is still new.
    """
    rows = [(one.message_id, instant(one.time).timestamp(), _encode(one)) for one in events]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    fresh = await db.fetch(
        "INSERT INTO history (vendor, message_id, time, body) SELECT $4, message_id, time, body "
        "FROM unnest($1::text[], $2::float8[], $3::bytea[]) AS u (message_id, time, body) "
        "ORDER BY message_id ON CONFLICT DO NOTHING RETURNING message_id",
        *columns,
        vendor.id,
    )
    return len(fresh)


async def unplaced(
    db: asyncpg.Connection, vendor: Vendor, project: str, after: str, limit: int
) -> Page[Device]:
    """A vendor's devices without a venue, of a project (API 16 taken by its name)."""
    where = (
        "FROM device d WHERE project = $1 AND venue IS NULL AND removed IS NULL "
        "AND NOT EXISTS (SELECT FROM gateway g WHERE g.id = d.id)"
    )
    key = vendor.key(project)
    total = await db.fetchval(f"SELECT count(*) {where}", key)
    rows = await db.fetch(
        f"SELECT id, body {where} AND id > $2 ORDER BY id LIMIT $3",
        key,
        vendor.key(after),
        limit + 1,
    )
    items = [msgspec.json.decode(row[1], type=Device) for row in rows[:limit]]
    return Page(items, total, items[-1].device_id if len(rows) > limit else None)


# -- helpers -------------------------------------------------------------------------------------


def _text(one: msgspec.Struct) -> str:
    return _encode(one).decode()


def _key(vendor: Vendor, own: str | None) -> str | None:
    return None if own is None else vendor.key(own)


def _keys(vendor: Vendor, own: Iterable[str | None]) -> list[str]:
    return [vendor.key(one) for one in own if one is not None]


def _unknown(vendor: Vendor, table: str, own: str | None, known: frozenset[str]) -> str:
    if own is None or vendor.key(own) in known:
        return ""
    return f"{table}Id {own} is not known; push the {table} first"


def _part(
    vendor: Vendor, given: Mapping[str, T], lacks: Callable[[T], str]
) -> tuple[dict[str, T], dict[str, str]]:
    """Entries that can be taken, by the core's id, and why others cannot, by the vendor's."""
    refused = {key: lack for key, one in given.items() if (lack := lacks(one))}
    taken = {key: one for key, one in given.items() if key not in refused}
    return taken, {vendor.own(key): lack for key, lack in refused.items()}


async def _known(db: asyncpg.Connection, table: str, keys: Iterable[str]) -> frozenset[str]:
    rows = await db.fetch(f"SELECT id FROM {table} WHERE id = ANY($1::text[])", list({*keys}))
    return frozenset(row[0] for row in rows)


async def _changed(db: asyncpg.Connection, table: str, bodies: Mapping[str, str]) -> frozenset[str]:
    """Which entries are new or say something new."""
    rows = await db.fetch(
        f"SELECT u.id FROM unnest($1::text[], $2::text[]) AS u (id, body) "
        f"LEFT JOIN {table} t USING (id) WHERE t.body IS DISTINCT FROM u.body::jsonb",
        list(bodies),
        list(bodies.values()),
    )
    return frozenset(row[0] for row in rows)


async def _news(db: asyncpg.Connection, table: str, taken: Mapping[str, E]) -> dict[str, E]:
    """Gateways or devices that are new, say something new, or are back in service; in order."""
    changed = await _changed(db, table, {key: _text(one) for key, one in taken.items()})
    return {key: taken[key] for key in sorted(changed | await _removed(db, taken))}


async def _removed(db: asyncpg.Connection, keys: Iterable[str]) -> frozenset[str]:
    """Which devices are out of service."""
    rows: list[Any] = await db.fetch(
        "SELECT id FROM device WHERE id = ANY($1::text[]) AND removed IS NOT NULL", list(keys)
    )
    return frozenset(row[0] for row in rows)


async def _tell(db: asyncpg.Connection, vendor: Vendor) -> None:
    await db.execute("SELECT pg_notify($1, $2)", CHANGED, vendor.name)
