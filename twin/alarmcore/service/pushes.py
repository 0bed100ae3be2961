"""What vendor platforms push about the registry: APIs 4, 8, 12, 16 (both ways), 18 and 19."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import asyncpg
from msgspec import Meta

from twin.alarmcore.annexb.apis import BY_NAME
from twin.alarmcore.annexb.codes import PREFIX
from twin.alarmcore.annexb.messages import BATCH, Device, Page, Registered
from twin.alarmcore.service.endpoint import Call, Endpoint, wrong
from twin.alarmcore.service.parameters import text, whole
from twin.alarmcore.service.tokens import Role
from twin.alarmcore.store.batch import Batch
from twin.alarmcore.store.registry import (
    Stored,
    Vendor,
    delete_devices,
    put_devices,
    put_gateways,
    put_projects,
    put_venues,
    unplaced,
)

PROJECTS_PUSHED = "pull"
"""Channel of NOTIFY: there is something to get from a vendor (B.2.4); its payload is the id."""

_SHOWN = 3
"""How many of what is wrong with a list are named in the answer."""

Put = Callable[[asyncpg.Connection, Batch, Vendor, Sequence[Any]], Awaitable[Stored]]


async def _projects(
    db: asyncpg.Connection, _: Batch, vendor: Vendor, projects: Sequence[Any]
) -> Stored:
    stored = await put_projects(db, vendor, projects, follow=True)
    await db.execute("SELECT pg_notify($1, $2)", PROJECTS_PUSHED, str(vendor.id))
    return stored


async def _unplaced(
    db: asyncpg.Connection, batch: Batch, vendor: Vendor, devices: Sequence[Any]
) -> Stored:
    return await put_devices(db, batch, vendor, devices, unplaced=True)


def _taking(put: Put) -> Callable[[Call], Awaitable[Registered]]:
    """Handler that stores a body whole, or refuses it whole."""

    async def handle(call: Call) -> Registered:
        items = call.body if isinstance(call.body, list) else [call.body]
        who = call.principal
        async with call.transaction() as (db, batch):
            stored = await put(db, batch, Vendor(who.id, who.name), items)
            if stored.refused:
                reasons = [f"{own}: {why}" for own, why in stored.refused.items()]
                more = len(reasons) - _SHOWN
                raise wrong(
                    "; ".join(reasons[:_SHOWN])
                    + (f"; and {more} more" if more > 0 else "")
                    + "; nothing was taken"
                )
        return Registered(len(stored.changed), stored.unchanged)

    return handle


async def _get_unplaced(call: Call) -> Page[Device]:
    """API 16 by its name: the vendor's devices without a venue, as the core has them."""
    project = call.query.get("projectId", "")
    if not project:
        raise wrong("projectId is missing; an id of 1 to 64 characters is expected")
    limit = call.number("limit", BATCH)
    who = call.principal
    async with call.core.pool.acquire() as db:
        return await unplaced(
            db, Vendor(who.id, who.name), project, call.query.get("after", ""), limit
        )


def _endpoint(name: str, put: Put) -> Endpoint:
    api = BY_NAME[name]
    many = Annotated[list[api.request], Meta(min_length=1, max_length=BATCH)]  # type: ignore[name-defined]
    return Endpoint(
        api.method,
        PREFIX + api.path,
        api.name,
        api.name_zh,
        frozenset({Role.VENDOR}),
        _taking(put),
        request=api.request | many,
        answer=api.answer,
        writes=True,
    )


_GET = BY_NAME["getUnplacedDevices"]

ENDPOINTS = (
    _endpoint("pushProject", _projects),
    _endpoint("pushVenue", put_venues),
    _endpoint("pushGateway", put_gateways),
    _endpoint("pushUnplacedDevices", _unplaced),
    Endpoint(
        _GET.method,
        PREFIX + _GET.path,
        _GET.name,
        _GET.name_zh,
        frozenset({Role.VENDOR}),
        _get_unplaced,
        answer=_GET.answer,
        query={
            "projectId": text("the vendor's id of the project", 64),
            "after": text("next of the page before", 256),
            "limit": whole("the most items of a page", 1, BATCH),
        },
    ),
    _endpoint("pushDevice", put_devices),
    _endpoint("pushDeviceDeletion", delete_devices),
)
"""For :mod:`twin.alarmcore.service.routes`."""
