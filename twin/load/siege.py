"""An alarm core as a process of its own, with a fleet registered, to be loaded, killed and asked.

What is killed is killed by its number, and only what was started here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple

from twin.load.driver import Target

READY_S = 60.0
"""How long a start may take, the recovery of the database included."""

TWIN = (sys.executable, "-m", "twin.cli")
"""The command ``twin``, of the interpreter that runs."""

_LOOK_S = 0.02
_PREFIX = "/thirdPartyApi"
_AT_ONCE = 1000
"""Entries of a push of the registry (the interface's limit)."""


_SETTINGS = """\
[channels]
voice = "file:outbox.jsonl"
sms = "file:outbox.jsonl"
app = "file:outbox.jsonl"
"""


class SiegeError(RuntimeError):
    """The core under siege does not do what the siege needs of it."""


class Answer(NamedTuple):
    """An answer: its status, whether it asks to come again later, and its body."""

    status: int
    retry_after: bool
    body: Any

    @property
    def data(self) -> Any:
        """What was asked for.

        Raises
        ------
        SiegeError
            When the answer is no success.
        """
        if self.status != 200 or self.body.get("code") != "000000":
            raise SiegeError(f"a call was answered with {self.status}: {self.body}")
        return self.body["data"]


class Client:
    """Blocking calls of one role over one kept connection.

    Parameters
    ----------
    target : ``https://host:port`` or ``http://host:port``, with the role's token.
    """

    def __init__(self, target: Target) -> None:
        self.put_off_at = 0.0
        """When a GET was last told to come again later, s since 1970; 0: never."""
        scheme, _, where = target.url.partition("://")
        host, _, port = where.partition("/")[0].partition(":")
        context = target.tls()
        self._connection: HTTPConnection = (
            HTTPSConnection(host, int(port), timeout=READY_S, context=context)
            if scheme == "https"
            else HTTPConnection(host, int(port), timeout=READY_S)
        )
        self._headers = {"API_TOKEN": target.token} if target.token else {}

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """A call and its answer.

        Raises
        ------
        OSError, http.client.HTTPException
            When the connection breaks; the next call opens another.
        """
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self._connection.request(method, path, sent, self._headers)
            answer = self._connection.getresponse()
            raw = answer.read()
        except BaseException:
            self._connection.close()
            raise
        try:
            told = json.loads(raw)
        except ValueError:
            told = {"message": raw.decode(errors="replace")}
        return Answer(answer.status, answer.getheader("Retry-After") is not None, told)

    def get(self, path: str) -> Any:
        """The ``data`` of a GET, which comes again for as long as it is told to."""
        until = time.monotonic() + READY_S
        while True:
            answer = self.call("GET", path)
            if not answer.retry_after or time.monotonic() > until:
                return answer.data
            self.put_off_at = time.time()
            time.sleep(_LOOK_S)

    def post(self, path: str, body: Any) -> Any:
        """The ``data`` of a POST."""
        return self.call("POST", path, body).data

    def pages(self, path: str, key: str, after: str = "0") -> Iterator[Any]:
        """All entries of a paged list, from after an entry on."""
        sign = "&" if "?" in path else "?"
        cursor: str | None = after
        while cursor is not None:
            page = self.get(f"{path}{sign}after={cursor}&limit=1000")
            yield from page[key]
            cursor = page["next"]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class ServedCore:
    """The project's alarm core, served from a data folder by ``twin core serve``.

    Parameters
    ----------
    data : the data folder; made on first start.
    tls : HTTPS.
    workers : processes that serve.
    speed : of its clock.
    database : URL of a PostgreSQL of its own; "": the embedded one.
    """

    def __init__(
        self,
        data: Path,
        *,
        tls: bool = False,
        workers: int = 1,
        speed: float = 1.0,
        database: str = "",
    ) -> None:
        self.data, self.tls, self.workers, self.speed = data, tls, workers, speed
        self._database = ["--database", database] if database else []
        self.port = free_port()
        self.log = data.parent / f"{data.name}.log"
        """All that its processes say."""
        self._process: subprocess.Popen[bytes] | None = None

    # -- its processes --------------------------------------------------------------------------

    def start(self) -> None:
        """Start it; see :meth:`ready`. Without a ``core.toml`` a file gets what it sends."""
        settings = self.data / "core.toml"
        if not settings.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            settings.write_text(_SETTINGS)
        command = [
            *TWIN, "core", "serve", "--data", str(self.data),
            "--port", str(self.port), "--workers", str(self.workers), "--speed", repr(self.speed),
            *self._database,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command if self.tls else [*command, "--http"], stdout=log, stderr=log
            )

    def ready(self) -> None:
        """Wait until it says that it is healthy.

        Raises
        ------
        SiegeError
            When it ends or is not healthy in time.
        """
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            code = None if self._process is None else self._process.poll()
            if code is not None:
                raise SiegeError(f"the core ended with {code}; {self.last_words()}")
            with contextlib.suppress(OSError, HTTPException), self.client() as client:
                if client.call("GET", "/healthz").status == 200:
                    return
            time.sleep(_LOOK_S)
        raise SiegeError(f"the core was not healthy within {READY_S:g} s; {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"its log ends: {text[-2000:]}"

    @property
    def pid(self) -> int:
        """The process that was started; it keeps the workers running."""
        if self._process is None:
            raise SiegeError("the core is not running")
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process that was started lives."""
        return self._process is not None and self._process.poll() is None

    def worker_pids(self) -> list[int]:
        """The processes that serve."""
        # PostgreSQL's first process may be a child of the same process.
        return [pid for pid in children(self.pid) if "alarmcore.service.worker" in command_of(pid)]

    def kill(self) -> None:
        """SIGKILL to the service, all its processes at once; PostgreSQL goes on alone."""
        kill([self.pid, *self.worker_pids()])
        assert self._process is not None
        self._process.wait()
        self._process = None

    def kill_supervisor(self) -> None:
        """SIGKILL to the process that was started alone; its workers must end by themselves."""
        kill([self.pid])
        assert self._process is not None
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it as an administrator does, and PostgreSQL with it."""
        if self._process is None:
            self.start()  # finds the PostgreSQL that was left alone, and ends it with itself
            self.ready()
        assert self._process is not None
        self._process.terminate()
        self._process.wait(READY_S)
        self._process = None

    def postmaster(self) -> int:
        """The first process of its PostgreSQL.

        Raises
        ------
        SiegeError
            When there is none.
        """
        try:
            return int((self.data / "postgres" / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError, ValueError) as error:
            raise SiegeError(f"PostgreSQL is not running: {error}") from error

    def backends(self) -> list[int]:
        """The processes of its PostgreSQL that serve a connection."""
        return [pid for pid in children(self.postmaster()) if "[local]" in command_of(pid)]

    # -- its interface --------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def target(self, token: str, path: str = f"{_PREFIX}/event") -> Target:
        """A POST route, for the driver."""
        return Target(self.url + path, token, self.data / "server.crt" if self.tls else None)

    @property
    def trust(self) -> ssl.SSLContext:
        """Trusts its certificate, which it has once it serves."""
        context = self.target("").tls()
        if context is None:
            raise SiegeError(f"{self.url} is not https")
        return context

    @contextlib.contextmanager
    def client(self, token: str = "") -> Iterator[Client]:
        """Calls with a token, over a connection that is closed afterwards."""
        client = Client(self.target(token, ""))
        try:
            yield client
        finally:
            client.close()

    def add_vendor(self, name: str) -> str:
        """Register a vendor platform that is not pulled; returns its token."""
        appkey, secret = self.register_vendor(name)
        with self.client() as client:
            credentials = {"appkey": appkey, "masterSecret": secret}
            token: str = client.post(f"{_PREFIX}/auth/getToken", credentials)["token"]
        return token

    def register_vendor(self, name: str, url: str = "", *more: str) -> tuple[str, str]:
        """Register a vendor platform, pulled at a URL if one is given; its appkey and secret."""
        pulled = ["--url", url] if url else []
        told = dict(line.split() for line in self._command("vendor", "add", name, *pulled, *more))
        return told["appkey"], told["masterSecret"]

    def add_user(self, name: str, role: str, *venues: str) -> str:
        """Register somebody, an owner with venues; returns the token."""
        owned = [word for venue in venues for word in ("--venue", venue)]
        told = self._command("user", "add", name, "--role", role, *owned)
        return dict(line.split() for line in told)["token"]

    def _command(self, *words: str) -> list[str]:
        command = [*TWIN, "core", *words, "--data", str(self.data)]
        command += self._database
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode:
            raise SiegeError(f"twin core {' '.join(words)}: {told.stderr.strip()}")
        return told.stdout.splitlines()


class Fleet(NamedTuple):
    """What was registered with a core, by the vendor's own ids."""

    venues: tuple[str, ...]
    devices: tuple[str, ...]
    people: int
    """Responsible people of every venue."""
    channels: tuple[str, ...]
    """Of every one of them."""


def register(
    client: Client,
    venues: int,
    devices_each: int,
    people: int = 5,
    channels: Sequence[str] = ("voice", "sms", "app"),
) -> Fleet:
    """Push a project with venues, their responsible people and devices (APIs 4, 8 and 18).

    Parameters
    ----------
    client : with the vendor's token.
    venues, devices_each : how many.
    people : responsible people of a venue; 9.3 asks for at least five.
    channels : over which each is reached.
    """
    client.post(f"{_PREFIX}/project", {"projectId": "p", "name": "siege"})
    contacts = [
        {"name": f"person {n}", "phone": f"1390000{n:04d}", "channels": list(channels)}
        for n in range(people)
    ]
    places = [f"v{number:05d}" for number in range(venues)]
    devices = [f"smoke-{number:06d}" for number in range(venues * devices_each)]
    _push(client, "venue", [
        {"venueId": place, "projectId": "p", "name": f"shop {place}", "responsible": contacts}
        for place in places
    ])  # fmt: skip
    _push(client, "device", [
        {
            "deviceId": device, "projectId": "p", "kind": "smoke_alarm", "category": "fire",
            "conforms": True, "venueId": places[number // devices_each],
            "location": f"room {number % devices_each}",
        }
        for number, device in enumerate(devices)
    ])  # fmt: skip
    return Fleet(tuple(places), tuple(devices), people, tuple(channels))


def _push(client: Client, what: str, entries: Sequence[Mapping[str, Any]]) -> None:
    for first in range(0, len(entries), _AT_ONCE):
        client.post(f"{_PREFIX}/{what}", list(entries[first : first + _AT_ONCE]))


# -- processes ----------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """The living children of a process (Linux)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def command_of(pid: int) -> str:
    """A process's command line; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def kill(pids: Sequence[int], number: signal.Signals = signal.SIGKILL) -> None:
    """A signal to all of them, as nearly at once as can be; those that are gone are no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def free_port() -> int:
    """A port of this machine on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
