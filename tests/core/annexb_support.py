"""A real alarm core and real vendor platforms, over HTTPS, for the tests of Annex B."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx

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


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class CoreProcess:
    """An alarm core in processes of its own.

    Parameters
    ----------
    data : its data folder.
    trust : certificate of the vendor platforms.
    workers : processes that serve.
    """

    def __init__(self, data: Path, trust: Path, workers: int = 1) -> None:
        self.data = data
        self.workers = workers
        data.mkdir()
        (data / "core.toml").write_text(SETTINGS.format(trust=trust))
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it serves."""
        self._process = subprocess.Popen(
            [
                *TWIN,
                "core",
                "serve",
                "--data",
                str(self.data),
                "--port",
                str(self.port),
                "--workers",
                str(self.workers),
            ],
            start_new_session=True,
            stdout=(self.data / "core.out").open("ab"),
            stderr=(self.data / "core.log").open("ab"),
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError, OSError):
                if httpx.get(f"{self.url}/healthz", verify=self.tls, trust_env=False).is_success:
                    return
            time.sleep(0.05)
        raise AssertionError((self.data / "core.log").read_text())

    def kill(self) -> None:
        """Kills all of it but PostgreSQL, without a warning."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Stops it and its PostgreSQL."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts its certificate."""
        context = ssl.create_default_context()
        with contextlib.suppress(FileNotFoundError):
            context.load_verify_locations(self.data / "server.crt")
        return context

    def add_vendor(self, name: str, url: str, *more: str) -> tuple[str, str]:
        """Registers a vendor platform, which is pulled at a URL; its appkey and masterSecret."""
        pulled = ["--url", url] if url else []
        printed = subprocess.run(
            [*TWIN, "core", "vendor", "add", name, "--data", str(self.data), *pulled, *more],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found = re.fullmatch(r"appkey +(\S+)\nmasterSecret +(\S+)\n", printed)
        assert found is not None
        return found[1], found[2]

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection to its database."""
        with database_of(self.data) as url:
            connection = await asyncpg.connect(url)
            try:
                yield connection
            finally:
                await connection.close()


TWIN = [sys.executable, "-c", "import sys; from twin.cli import main; sys.exit(main())"]
"""The command, of the interpreter that runs the tests."""


@contextlib.contextmanager
def core_in(folder: Path, workers: int = 1) -> Iterator[CoreProcess]:
    """A core that serves, stopped at the end."""
    trust, _ = vendor_certificate(folder)
    core = CoreProcess(folder / "core", trust, workers)
    try:
        core.start()
        yield core
    finally:
        core.stop()


def vendor_certificate(folder: Path) -> tuple[Path, Path]:
    """Certificate and key that all vendor platforms of a test serve with."""
    return certificate(folder, "127.0.0.1")


@contextlib.asynccontextmanager
async def vendor_of(
    core: CoreProcess, name: str, data: VendorData, *more: str
) -> AsyncIterator[VendorPlatform]:
    """A vendor platform that is registered at the core, serves, and holds its token."""
    platform = VendorPlatform(data, core.url, "", "", core.tls)
    async with platform, serving(platform, *vendor_certificate(core.data.parent)) as url:
        add = asyncio.to_thread(core.add_vendor, name, url, *more)
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


def add_user(core: CoreProcess, name: str, role: str, *venues: str) -> str:
    """Gives somebody a token."""
    owned = [word for venue in venues for word in ("--venue", venue)]
    printed = subprocess.run(
        [*TWIN, "core", "user", "add", name, "--role", role, "--data", str(core.data), *owned],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return printed.split()[1]
