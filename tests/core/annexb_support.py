"""A real alarm core and real vendor platforms, over HTTPS, for the tests of Annex B."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from twin.alarmcore.annexb.messages import (
    Channel,
    Device,
    DeviceState,
    Event,
    EventType,
    Gateway,
    Project,
    Responsible,
    Venue,
)
from twin.alarmcore.service.serve import certificate, database_of
from twin.load.siege import ServedCore
from twin.terms import Category
from twin.vendor.registry import VendorData
from twin.vendor.service import VendorPlatform, serving

SETTINGS = """
[channels]
voice = "file:outbox.jsonl"
sms = "file:outbox.jsonl"
command = "file:outbox.jsonl"
[pull]
trust = "{trust}"
timeout = "3 s"
first_retry = "0.2 s"
longest_retry = "1 s"
"""


def core_of(folder: Path, workers: int = 1) -> ServedCore:
    """A core that trusts the test's vendor platforms; it does not serve yet."""
    data = folder / "core"
    data.mkdir()
    (data / "core.toml").write_text(SETTINGS.format(trust=vendor_certificate(folder)[0]))
    return ServedCore(data, tls=True, workers=workers)


@contextlib.contextmanager
def core_in(folder: Path, workers: int = 1) -> Iterator[ServedCore]:
    """The same, that serves until the end."""
    core = core_of(folder, workers)
    core.start()
    try:
        core.ready()
        yield core
    finally:
        core.stop()


@contextlib.asynccontextmanager
async def database(core: ServedCore) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a core's database."""
    with database_of(core.data) as url:
        connection = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()


def vendor_certificate(folder: Path) -> tuple[Path, Path]:
    """Certificate and key that all vendor platforms of a test serve with."""
    return certificate(folder, "127.0.0.1")


@contextlib.asynccontextmanager
async def vendor_of(
    core: ServedCore, name: str, data: VendorData, *more: str
) -> AsyncIterator[VendorPlatform]:
    """A vendor platform that is registered at the core, serves, and holds its token."""
    platform = VendorPlatform(data, core.url, "", "", core.trust)
    async with platform, serving(platform, *vendor_certificate(core.data.parent)) as url:
        add = asyncio.to_thread(core.register_vendor, name, url, *more)
        platform.appkey, platform.secret = await add
        await platform.get_token()
        yield platform


async def until(what: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
    """Waits until something is true, and returns it."""
    end = time.monotonic() + seconds
    while not (found := await what()):
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)
    return found


async def contacted(db: asyncpg.Connection, vendor: str) -> None:
    """Waits until a vendor's base data have been got whole."""

    async def done() -> Any:
        return await db.fetchval(
            "SELECT contacted IS NOT NULL AND pull_due > 0 FROM vendor WHERE name = $1", vendor
        )

    await until(done)


def registry(devices: int = 5, prefix: str = "") -> VendorData:
    """A vendor's registry: one project, one venue, one gateway with two devices, others alone."""
    people = tuple(Responsible(f"person {n}", f"+86 138 0000 000{n}") for n in range(5))
    names = [f"{prefix}D{n:05}" for n in range(devices)]
    some = [
        Device(
            name,
            "P1",
            "smoke_alarm",
            Category.FIRE,
            True,
            venue_id="V1",
            gateway_id="G1" if n < 2 else None,
        )
        for n, name in enumerate(names)
    ]
    states = [DeviceState(name, online=True, fault="") for name in (*names, "G1")]
    return VendorData(
        [Project("P1", "east village")],
        [Venue("V1", "P1", "小吃店", kind="nine_small", responsible=people)],
        [Gateway("G1", "P1", True, venue_id="V1")],
        some,
        [Channel("1", name, quantity="smoke", unit="dB/m") for name in names],
        states,
    )


def event(number: int, device: str, kind: EventType, **more: Any) -> Event:
    """An event that happens now."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Event(f"message-{number}", device, kind, now, **more)
