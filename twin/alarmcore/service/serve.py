"""Starting the service: a data folder, PostgreSQL, a certificate, workers.

The process that is started keeps PostgreSQL and the workers running; each worker is a process of
its own that shares the port, so that one process or ten make no difference to what is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import fcntl
import gc
import ipaddress
import logging
import os
import pickle
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.alarmcore.errors import CoreError, DatabaseUnreachable
from twin.alarmcore.service.config import CoreSettings, load_settings, unreachable
from twin.alarmcore.store.database import Cluster, connect

log = logging.getLogger("twin.core")

RESTART_S = 0.5
"""How soon what died is started again."""

REFUSED_S = 5.0
"""How soon where it ended by itself, because something is wrong that a user has to mend."""

_BESIDE_POOL = 5
"""Connections of a worker beside its pool's: it listens, pulls, starts, computes, counts."""

_SPARE_CONNECTIONS = 13
"""For ``twin core`` commands, and the three that PostgreSQL keeps for its administrator."""

_CERTIFICATE_DAYS = 3650
_BACKLOG = 2048


@dataclass(frozen=True)
class Serving:
    """How the service is started.

    Parameters
    ----------
    data : folder of everything that the service keeps.
    host, port : where it listens.
    database : URL of a given database; empty: the embedded one in the data folder.
    tls : HTTPS; else HTTP.
    workers : processes that serve.
    speed : of its clock; 1 is real time.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8443
    database: str = ""
    tls: bool = True
    workers: int = 1
    speed: float = 1.0

    @property
    def url(self) -> str:
        """Where it is reached."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


@dataclass(frozen=True)
class Work:
    """What a worker is told by the process that starts it.

    Parameters
    ----------
    serving : how the service is started.
    settings : as they were at its start: an edit of ``core.toml`` waits for the next one.
    database : URL.
    parent : process id of who starts it.
    ready : descriptor of a pipe, to say that it serves.
    """

    serving: Serving
    settings: CoreSettings
    database: str
    parent: int
    ready: int


def serve(serving: Serving) -> int:
    """Runs the service until it is told to stop (SIGINT, SIGTERM).

    Raises
    ------
    CoreError
        What the user can mend.
    """
    settings = load_settings(serving.data / "core.toml")
    for sentence in unreachable(settings):
        log.warning(sentence)
    _prctl(_SUBREAPER, 1)
    with _owned(serving.data), _database(serving) as (url, cluster), _Ready() as ready:
        where = f"{serving.url} serves"
        if serving.tls:
            where += f"; its certificate is {certificate(serving.data, serving.host)[0]}"
        _check_port(serving)
        asyncio.run(_check_connections(serving, url))
        work = pickle.dumps(Work(serving, settings, url, os.getpid(), ready.sender))
        children: list[subprocess.Popen[bytes]] = []
        not_before = 0.0
        stop = _Stop()
        try:
            while not stop.asked:
                if cluster is not None and cluster.ensure():
                    log.warning("PostgreSQL had died and was started again")
                if ready.news():
                    print(where, flush=True)
                living = [child for child in children if child.poll() is None]
                if any(_refuses(child, ready.said) for child in children if child not in living):
                    not_before = time.monotonic() + REFUSED_S
                children = living
                while len(children) < serving.workers and time.monotonic() >= not_before:
                    children.append(_start_worker(work, ready.sender))
                stop.wait(RESTART_S)
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait()
    return 0


class _Stop:
    """Whether a signal has asked the process to stop."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: Any) -> None:
        self.asked = True

    def wait(self, seconds: float) -> None:
        """Waits, not beyond the signal."""
        until = time.monotonic() + seconds
        while not self.asked and time.monotonic() < until:
            time.sleep(0.05)


class _Ready:
    """A pipe over which the first worker that serves says so."""

    def __enter__(self) -> _Ready:
        self._receiver, self.sender = os.pipe()
        os.set_blocking(self._receiver, False)
        self.said = False
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._receiver)
        os.close(self.sender)

    def news(self) -> bool:
        """Whether a worker serves, the first time that it is known."""
        before = self.said
        with contextlib.suppress(BlockingIOError):
            self.said |= bool(os.read(self._receiver, 1000))
        return self.said and not before


def _refuses(child: subprocess.Popen[bytes], served: bool) -> bool:
    """Whether a worker that has ended had something to complain of.

    Raises
    ------
    CoreError
        If none has served yet: it is for the user to mend.
    """
    if child.returncode == 2 and not served:
        raise CoreError("a worker could not start; its message is above")
    log.error("a worker ended with %s; another is started", child.returncode)
    return child.returncode == 2


def _start_worker(work: bytes, ready: int) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-m", "twin.alarmcore.service.worker"],
        stdin=subprocess.PIPE,
        pass_fds=(ready,),
    )
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin:  # it died: it is started again
        child.stdin.write(work)
    return child


def needed_connections(workers: int) -> int:
    """What so many workers need of a database's ``max_connections``."""
    from twin.alarmcore.service.core import POOL

    return workers * (POOL + _BESIDE_POOL) + _SPARE_CONNECTIONS


async def _check_connections(serving: Serving, url: str) -> None:
    """Refuses a database that has not enough connections for the workers."""
    try:
        db = await connect(url)
    except DatabaseUnreachable as error:
        log.warning("the service waits: %s", error)
        return
    try:
        most = int(await db.fetchval("SHOW max_connections"))
    finally:
        await db.close()
    need = needed_connections(serving.workers)
    if most < need:
        raise CoreError(
            f"the database has max_connections = {most}, and {serving.workers} workers need "
            f"{need}; raise it, or give fewer --workers"
        )


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """The data folder, made if it is new; nobody else may run on it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)  # PostgreSQL's own user has to pass through
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise CoreError(f"{folder}: cannot be used as a data folder: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CoreError(f"{folder}: a service runs on this data folder already") from None
    try:
        yield
    finally:
        handle.close()


@contextlib.contextmanager
def _database(serving: Serving) -> Iterator[tuple[str, Cluster | None]]:
    if serving.database:
        yield serving.database, None
        return
    cluster = Cluster(serving.data / "postgres")
    url = cluster.start(needed_connections(serving.workers))
    try:
        yield url, cluster
    finally:
        cluster.stop()


@contextlib.contextmanager
def database_of(data: Path, database: str = "") -> Iterator[str]:
    """The URL of a data folder's database, which is started for the time if it is not running."""
    if database:
        yield database
        return
    cluster = Cluster(data / "postgres")
    if not (data / "postgres").is_dir():
        data.mkdir(parents=True, exist_ok=True)
    running = cluster.running()
    url = cluster.start()
    try:
        yield url
    finally:
        if not running:
            cluster.stop()


def bound(serving: Serving) -> socket.socket:
    """A socket on the service's port, shared with the other workers."""
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((serving.host, serving.port))
    listening.listen(_BACKLOG)
    return listening


def _check_port(serving: Serving) -> None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in serving.host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((serving.host, serving.port))
    except OSError as error:
        raise CoreError(
            f"{serving.host}:{serving.port} cannot be listened on: {error.strerror}; give another "
            "--host or --port"
        ) from error


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """The certificate and key of the data folder; a self-signed one is made on first start."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    cert, key = folder / "server.crt", folder / "server.key"
    if cert.exists() and key.exists():
        return cert, key
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alarm core")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    for address in {host, "127.0.0.1", "::1"}:
        with contextlib.suppress(ValueError):
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    _write_private(
        key,
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return cert, key


def _write_private(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    part.touch(0o600)
    part.write_bytes(content)
    part.replace(path)


@contextlib.asynccontextmanager
async def working(work: Work) -> AsyncIterator[Any]:
    """A worker's tasks on a database; yields its ASGI application."""
    from twin.alarmcore.service import outbox, timers
    from twin.alarmcore.service.app import App
    from twin.alarmcore.service.core import open_core
    from twin.alarmcore.service.ingest import Ingest
    from twin.alarmcore.service.puller import Puller
    from twin.alarmcore.service.routes import ENDPOINTS
    from twin.alarmcore.service.tokens import Seal

    url, data = work.database, work.serving.data
    seal = Seal(data / "secret.key")
    async with open_core(url, work.settings, seal, work.serving.speed) as core:
        core.outbox = outbox.Outbox(core, data)
        ingest = Ingest(core)
        puller = Puller(core, url, data)
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("ingest", ingest.run()),
                ("listen", core.listen(url)),
                ("deadlines", timers.run(core)),
                ("partitions", core.keep_partitions()),
                ("registry", core.learn_registry()),
                ("outbox", core.outbox.run()),
                ("puller", puller.run()),
            )
        ]
        for task in tasks:
            task.add_done_callback(_end_unless_cancelled)
        try:
            yield App(core, ingest, ENDPOINTS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _end_unless_cancelled(task: asyncio.Task[None]) -> None:
    """A worker without one of its tasks keeps no promise: it ends, and another is started."""
    if not task.cancelled():
        log.critical("%s ended", task.get_name(), exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


async def run_worker(work: Work) -> None:
    """Serves until the process is told to stop; answers what it has taken."""
    import uvicorn

    from twin.alarmcore.service.connections import Connection, most_connections
    from twin.alarmcore.service.express import ExpressConnection

    serving = work.serving
    cert, key = certificate(serving.data, serving.host) if serving.tls else (None, None)
    Connection.most = most_connections()
    async with working(work) as app:
        config = uvicorn.Config(
            app,
            http=ExpressConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            date_header=False,
            ssl_certfile=cert,
            ssl_keyfile=key,
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
        server = uvicorn.Server(config)
        told = asyncio.create_task(_say_ready(server, work.ready))
        try:
            await server.serve(sockets=[bound(serving)])
        finally:
            told.cancel()


async def _say_ready(server: Any, ready: int) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    os.write(ready, b"1")
    os.close(ready)


def worker_main() -> int:
    """A worker's process, as :func:`serve` starts it; what it is to do comes on standard input."""
    import uvloop

    from twin.alarmcore.service.connections import Loop
    from twin.alarmcore.service.operation import log_to_stderr

    log_to_stderr()
    # What is imported stays; what a push makes is gone with its answer, without circles: looking
    # for those after every 700 objects would cost a tenth of the time, and stall it now and then.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    work: Work = pickle.loads(sys.stdin.buffer.read())
    end_with_parent(work.parent)
    try:
        uvloop.run(run_worker(work), loop_factory=Loop)
    except DatabaseUnreachable as error:
        log.warning("a worker waits: %s", error)
        return 3  # the process that keeps the workers tries again
    except ValueError as error:
        print(f"twin core: {error}", file=sys.stderr)
        return 2
    return 0


def end_with_parent(parent: int) -> None:
    """The kernel ends this process when the one that keeps it dies."""
    _prctl(_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)


# Of Linux' prctl(2). An orphan of ours, PostgreSQL's first process, comes to us and not to a
# process 1 that may be slow to take it away when it has died.
_DEATH_SIGNAL = 1
_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(option, value)
