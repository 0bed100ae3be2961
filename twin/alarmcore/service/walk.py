"""Getting what a vendor platform has, page by page: base data, states, history.

A walk goes through lists, and through the projects of the vendor with lists of each::

    contact   projects ─► of each project: IN_PROJECT ─► history
    follow               of each pushed project: IN_PROJECT      (B.2.4)
    states               of each project: states                 (B.3.2)

What a page says and where the walk goes on are written in one transaction, so that a walk which
breaks off anywhere goes on from there, in whichever worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeVar

import asyncpg
import msgspec

from twin.alarmcore.annexb.codes import ReturnCode
from twin.alarmcore.annexb.messages import (
    Channel,
    Count,
    Device,
    DeviceState,
    Event,
    Gateway,
    Malformed,
    Page,
    Project,
    Venue,
    check_nul,
    instant,
)
from twin.alarmcore.lifecycle import DeviceDisabled, DeviceEnabled, VenueState
from twin.alarmcore.lifecycle import Event as LifecycleEvent
from twin.alarmcore.service.core import Core
from twin.alarmcore.service.engine import advance, apply_states
from twin.alarmcore.service.vendor_client import PAGE, VendorClient, VendorError
from twin.alarmcore.store.batch import Batch
from twin.alarmcore.store.registry import (
    Stored,
    Vendor,
    put_channels,
    put_devices,
    put_gateways,
    put_history,
    put_projects,
    put_venues,
)

T = TypeVar("T")

Job = Literal["contact", "follow", "states"]

IN_PROJECT = (
    "project",
    "venues",
    "gateways",
    "gateway_devices",
    "standalone",
    "unplaced",
    "channels",
)
"""What is got of a project, in the order in which one thing refers to another."""

TRIES = 3
"""A list that does not end where it says that it ends is got so often, then taken as it came."""

MOST_TOO_MANY = 5_000
"""Entries by which a list may outgrow its length while it is got (assumption); one that goes on
beyond it goes in circles."""

_DEVICES_AT_ONCE = 50
_CALLS_AT_ONCE = 4
_MOST_REMARKS = 5


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a walk goes on.

    Parameters
    ----------
    step : what is got.
    project : the core's id of the project that it is about.
    of : the core's id of the gateway, for its devices; from and to, for history.
    after : the next page of the list; for channels, the core's id of the device before.
    seen : entries of the list that have come.
    tries : times the list was got and broke off.
    """

    step: str
    project: str = ""
    of: str = ""
    after: str = ""
    seen: int = 0
    tries: int = 0


class Progress(msgspec.Struct, omit_defaults=True):
    """What is remembered of a vendor's pulls: walks under way, and when states were last got."""

    contact: Position | None = None
    follow: Position | None = None
    states: Position | None = None
    states_at: float = 0.0


class _List(NamedTuple):
    """A list that is got: its API, that of its length, its query, what is in it."""

    api: str
    length: str | None
    query: str
    kind: Any
    optional: bool = False


_LISTS = {
    "projects": _List("getProjectList", "getProjectCount", "", Project),
    "venues": _List("getVenueList", "getVenueCount", "projectId", Venue),
    "gateways": _List("getGatewayList", "getGatewayCount", "projectId", Gateway),
    "gateway_devices": _List("getGatewayDeviceList", "getGatewayDeviceCount", "gatewayId", Device),
    "standalone": _List("getStandaloneDeviceList", None, "projectId", Device),
    "unplaced": _List("getUnplacedDeviceList", None, "projectId", Device, optional=True),
    "states": _List("getDeviceStateList", None, "projectId", DeviceState),
    "history": _List("getEventHistory", None, "", Event, optional=True),
}


class Walk:
    """A vendor's walks.

    Parameters
    ----------
    core : the worker's.
    turn : a worker's walks write one after the other, so that they leave connections to others.
    vendor : whose platform it is.
    client : calls it.
    progress : where earlier walks broke off; kept up to date.
    """

    def __init__(
        self,
        core: Core,
        turn: asyncio.Semaphore,
        vendor: Vendor,
        client: VendorClient,
        progress: Progress,
    ) -> None:
        self.core = core
        self.vendor = vendor
        self.client = client
        self.progress = progress
        self.remarks: list[str] = []
        """What was wrong with what came, and yet was no reason to stop."""
        self.unknown: set[str] = set()
        """Devices, by the vendor's ids, whose states came and that are not registered."""
        self._turn = turn
        self._began = core.clock.now()
        self._store: dict[str, Callable[[Any, Batch, Sequence[Any]], Awaitable[Stored]]] = {
            "projects": self._put_projects,
            "venues": lambda db, batch, some: put_venues(db, batch, vendor, some),
            "gateways": lambda db, batch, some: put_gateways(db, batch, vendor, some),
            "gateway_devices": lambda db, batch, some: put_devices(db, batch, vendor, some),
            "standalone": lambda db, batch, some: put_devices(db, batch, vendor, some),
            "unplaced": lambda db, batch, some: put_devices(db, batch, vendor, some, unplaced=True),
            "states": self._put_states,
            "history": self._put_history,
        }

    async def run(self, job: Job) -> None:
        """Walks to the end of a job, from where it broke off.

        Raises
        ------
        VendorError
            If the vendor does not answer as it should; what came before is kept.
        """
        self._began = self.core.clock.now()
        at: Position | None = getattr(self.progress, job)
        if at is None:
            async with self._turn, self.core.transaction() as (db, _):
                at = Position("projects") if job == "contact" else await self._project(db, job, "")
                await self._save(db, job, at)
        while at is not None:
            if at.step == "project":
                at = await self._get_project(job, at)
            elif at.step == "channels":
                at = await self._get_channels(job, at)
            else:
                at = await self._get_page(job, at)

    async def look_up(self, device: str) -> None:
        """Registers a device that told of itself before its vendor did: APIs 17, 7, 11 and 3.

        A gateway is looked for, too. What the vendor does not know either stays unknown.

        Raises
        ------
        VendorError
        """
        got: Device | None = await self._single("getDevice", deviceId=device)
        gateway = device if got is None else got.gateway_id
        gateways: list[Gateway] = []
        if gateway is not None and not await self._is_known("gateway", gateway):
            gateways = _some(await self._single("getGateway", gatewayId=gateway))
        placed: list[Device | Gateway] = [*_some(got), *gateways]
        venues: list[Venue] = []
        for venue in {one.venue_id for one in placed if one.venue_id is not None}:
            if not await self._is_known("venue", venue):
                venues += _some(await self._single("getVenue", venueId=venue))
        projects: list[Project] = []
        for project in {one.project_id for one in placed} | {one.project_id for one in venues}:
            if not await self._is_known("project", project):
                projects += _some(await self._single("getProject", projectId=project))
        async with self._turn, self.core.transaction() as (db, batch):
            await put_projects(db, self.vendor, projects, follow=True)
            await put_venues(db, batch, self.vendor, venues)
            await put_gateways(db, batch, self.vendor, gateways)
            stored = await put_devices(db, batch, self.vendor, _some(got))
        for own, why in stored.refused.items():
            self._remark(f"getDevice: {own}: {why}")

    async def _single(self, api: str, **query: str) -> Any:
        """What one of the APIs 3, 7, 11 and 17 answers; None: there is no such thing."""
        try:
            return await self.client.get(api, **query)
        except VendorError as error:
            if not error.absent:
                raise
            return None

    async def _is_known(self, table: str, own: str) -> bool:
        async with self._turn, self.core.pool.acquire() as db:
            found = await db.fetchval(
                f"SELECT EXISTS (SELECT FROM {table} WHERE id = $1)", self.vendor.key(own)
            )
        return bool(found)

    # -- one step of a walk ----------------------------------------------------------------------

    async def _get_page(self, job: Job, at: Position) -> Position | None:
        a_list = _LISTS[at.step]
        query = self._query(a_list, at)
        try:
            page = await self.client.page(a_list.api, at.after, **query)
        except VendorError as error:
            if not (error.code == ReturnCode.NO_RESULT or (a_list.optional and error.absent)):
                raise
            page = Page([], 0)
        seen = at.seen + len(page.items)
        if page.next is None:
            broken = await self._broken(a_list, query, seen, page.total)
        elif not page.items:
            broken = f"an empty page after {seen} entries is not the last"
        elif seen > page.total + MOST_TOO_MANY:
            broken = f"the list goes on after {seen} of {page.total} entries"
        else:
            broken = ""
        good, bad = _read(page.items, a_list.kind)
        following: Position | None
        async with self._turn, self.core.transaction() as (db, batch):
            stored = await self._store[at.step](db, batch, good)
            bad += [(why, own.encode()) for own, why in stored.refused.items()]
            await self._put_aside(db, batch.now, a_list.api, bad)
            if page.next is not None and not broken:
                following = msgspec.structs.replace(at, after=page.next, seen=seen)
            elif broken and at.tries + 1 < TRIES:
                following = Position(at.step, at.project, at.of, tries=at.tries + 1)
            else:
                following = await self._following(db, job, at)
            await self._save(db, job, following)
        if broken and at.tries + 1 < TRIES:
            raise VendorError(f"{a_list.api}: {broken}")
        if broken:
            self._remark(f"{a_list.api}: {broken}")
        return following

    def _query(self, a_list: _List, at: Position) -> dict[str, str]:
        if at.step == "history":
            begin, end = at.of.split()
            return {"from": begin, "to": end}
        about = at.of if at.step == "gateway_devices" else at.project
        return {a_list.query: self.vendor.own(about)} if a_list.query else {}

    async def _broken(self, a_list: _List, query: dict[str, str], seen: int, total: int) -> str:
        """Whether a list that has ended is shorter than the vendor says it is."""
        if a_list.length is not None:
            count: Count = await self.client.get(a_list.length, **query)
            total = max(total, count.total)
        return f"the list ended after {seen} of {total} entries" if seen < total else ""

    async def _get_project(self, job: Job, at: Position) -> Position | None:
        """API 3; a project that is no more has nothing to get."""
        own = self.vendor.own(at.project)
        project: Project | None = await self._single("getProject", projectId=own)
        if project is None:
            self._remark(f"getProject: there is no project {own}")
        if project is not None and project.project_id != own:
            raise VendorError(f"getProject: {project.project_id} came for {own}")
        async with self._turn, self.core.transaction() as (db, _):
            if project is not None:
                await put_projects(db, self.vendor, [project], follow=False)
                following = await self._following(db, job, at)
            else:
                following = await self._project(db, job, at.project)
            await self._save(db, job, following)
        return following

    async def _get_channels(self, job: Job, at: Position) -> Position | None:
        """API 20 of some devices."""
        async with self._turn, self.core.pool.acquire() as db:
            rows = await db.fetch(
                "SELECT id FROM device d WHERE project = $1 AND id > $2 AND removed IS NULL "
                "AND NOT EXISTS (SELECT FROM gateway g WHERE g.id = d.id) ORDER BY id LIMIT $3",
                at.project,
                at.after,
                _DEVICES_AT_ONCE,
            )
        devices = [self.vendor.own(row[0]) for row in rows]
        calls = asyncio.Semaphore(_CALLS_AT_ONCE)

        async def get(device: str) -> tuple[list[Channel], list[tuple[str, bytes]]]:
            async with calls:
                return await self._channels_of(device)

        tasks = [asyncio.create_task(get(device)) for device in devices]
        try:
            got = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        following: Position | None
        async with self._turn, self.core.transaction() as (db, batch):
            if devices:
                await put_channels(
                    db, self.vendor, dict(zip(devices, (good for good, _ in got), strict=True))
                )
                bad = [entry for _, some in got for entry in some]
                await self._put_aside(db, batch.now, "getChannelList", bad)
            if len(rows) == _DEVICES_AT_ONCE:
                following = msgspec.structs.replace(at, after=rows[-1][0])
            else:
                following = await self._following(db, job, at)
            await self._save(db, job, following)
        return following

    async def _channels_of(self, device: str) -> tuple[list[Channel], list[tuple[str, bytes]]]:
        channels: list[Channel] = []
        bad: list[tuple[str, bytes]] = []
        after: str | None = ""
        while after is not None:
            try:
                page = await self.client.page("getChannelList", after, deviceId=device)
            except VendorError as error:
                if not error.absent:
                    raise
                break
            some, wrong = _read(page.items, Channel)
            channels += some
            bad += wrong
            after = page.next
            if len(channels) > PAGE:
                raise VendorError(f"getChannelList: more than {PAGE} channels of {device}")
        return channels, bad

    # -- where a walk goes on --------------------------------------------------------------------

    async def _following(self, db: asyncpg.Connection, job: Job, at: Position) -> Position | None:
        """The position after a list that has ended."""
        if at.step == "history":
            return None
        if at.step == "gateway_devices":
            gateway = await self._gateway(db, at)
            if gateway is not None:
                return gateway
        if at.step in IN_PROJECT:
            for step in IN_PROJECT[IN_PROJECT.index(at.step) + 1 :]:
                if step != "gateway_devices":
                    return Position(step, at.project)
                gateway = await self._gateway(db, Position(step, at.project))
                if gateway is not None:
                    return gateway
        return await self._project(db, job, at.project)

    async def _gateway(self, db: asyncpg.Connection, at: Position) -> Position | None:
        """The devices of the project's next gateway."""
        gateway = await db.fetchval(
            "SELECT id FROM gateway WHERE project = $1 AND id > $2 ORDER BY id LIMIT 1",
            at.project,
            at.of,
        )
        return None if gateway is None else Position("gateway_devices", at.project, gateway)

    async def _project(self, db: asyncpg.Connection, job: Job, after: str) -> Position | None:
        """The first step of the next project, or what comes after the last."""
        if job == "follow":
            project = await db.fetchval(
                "UPDATE project SET follow = false WHERE id = (SELECT id FROM project "
                "WHERE vendor = $1 AND follow ORDER BY id LIMIT 1) RETURNING id",
                self.vendor.id,
            )
        else:
            project = await db.fetchval(
                "SELECT id FROM project WHERE vendor = $1 AND id > $2 ORDER BY id LIMIT 1",
                self.vendor.id,
                after,
            )
        if project is not None:
            return Position("states" if job == "states" else IN_PROJECT[0], project)
        history_s = self.core.settings.pull.history
        if job == "contact" and history_s:
            now = self.core.clock.now()
            return Position("history", of=f"{_told(now - history_s)} {_told(now)}")
        return None

    async def _save(self, db: asyncpg.Connection, job: Job, at: Position | None) -> None:
        setattr(self.progress, job, at)
        if job == "states" and at is None:
            self.progress.states_at = self._began
        await db.execute(
            "UPDATE vendor SET pull_cursor = $2::jsonb, "
            "contacted = CASE WHEN $3 THEN $4 ELSE contacted END WHERE id = $1",
            self.vendor.id,
            msgspec.json.encode(self.progress).decode(),
            job == "contact" and at is None,
            self.core.clock.now(),
        )

    # -- what is kept ------------------------------------------------------------------------------

    async def _put_projects(
        self, db: asyncpg.Connection, _: Batch, projects: Sequence[Project]
    ) -> Stored:
        return await put_projects(db, self.vendor, projects, follow=False)

    async def _put_history(
        self, db: asyncpg.Connection, _: Batch, events: Sequence[Event]
    ) -> Stored:
        refused = {}
        for event in events:
            try:
                instant(event.time)
            except Malformed as error:
                refused[event.message_id] = str(error)
        good = [event for event in events if event.message_id not in refused]
        fresh = await put_history(db, self.vendor, good)
        return Stored(frozenset(), len(good) - fresh, refused)

    async def _put_states(
        self, db: asyncpg.Connection, batch: Batch, states: Sequence[DeviceState]
    ) -> Stored:
        """What the core believes of registered devices; the others are looked up next."""
        given = {self.vendor.key(state.device_id): state for state in states}
        rows = await db.fetch(
            "SELECT d.id, d.venue, s.state FROM device d LEFT JOIN venue_state s USING (venue) "
            "WHERE d.id = ANY($1::text[]) AND d.removed IS NULL",
            list(given),
        )
        steps: list[tuple[str, LifecycleEvent]] = []
        for device, venue, state in rows:
            told = given[device].disabled
            if told is None or venue is None:
                continue
            disabled = state is not None and device in _venue_state(state).disabled
            if told != disabled:
                steps.append((venue, DeviceDisabled(device) if told else DeviceEnabled(device)))
        if steps:
            await advance(db, batch, steps, self.core.rules)
        known = {row[0] for row in rows}
        apply_states(batch, [(key, one) for key, one in given.items() if key in known], self._began)
        self.unknown |= {self.vendor.own(key) for key in given if key not in known}
        return Stored(frozenset(known), 0, {})

    async def _put_aside(
        self, db: asyncpg.Connection, now: float, api: str, bad: Sequence[tuple[str, bytes]]
    ) -> None:
        """Keeps once what cannot be taken, for an operator."""
        if not bad:
            return
        await db.execute(
            "INSERT INTO quarantine (vendor, received, reason, body) "
            "SELECT $1, $2, reason, body FROM unnest($3::text[], $4::bytea[]) AS u (reason, body) "
            "WHERE NOT EXISTS (SELECT FROM quarantine q WHERE q.vendor = $1 "
            "AND q.reason = u.reason AND q.body = u.body)",
            self.vendor.id,
            now,
            [f"{api}: {why}" for why, _ in bad],
            [body for _, body in bad],
        )
        self._remark(f"{api}: {len(bad)} entries were put aside, for example: {bad[0][0]}")

    def _remark(self, text: str) -> None:
        if len(self.remarks) < _MOST_REMARKS:
            self.remarks.append(text)


def _read(items: Sequence[msgspec.Raw], kind: Any) -> tuple[list[Any], list[tuple[str, bytes]]]:
    """The entries of a page that can be read, and why others cannot."""
    decoder = msgspec.json.Decoder(kind)
    good, bad = [], []
    for item in items:
        try:
            check_nul(bytes(item))
            good.append(decoder.decode(item))
        except (msgspec.ValidationError, Malformed) as error:
            bad.append((str(error), bytes(item)))
    return good, bad


def _some(one: T | None) -> list[T]:
    return [] if one is None else [one]


def _venue_state(packed: bytes) -> VenueState:
    return msgspec.msgpack.decode(packed, type=VenueState)


def _told(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
