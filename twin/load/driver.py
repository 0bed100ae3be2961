"""Sends prebuilt HTTP requests over many connections and times every answer.

Two kinds of load:

- *closed loop*: every connection sends its next request when the last one is answered. It finds
  the greatest throughput; its latencies say little, because a slow answer delays the next request.
- *open loop*: requests are due at given times, whatever the answers do. Latency runs from the time
  when a request was *due*, so that a stalled server is charged for every request that it held up
  (no coordinated omission).

A request that costs the driver 10 us leaves a core of a small machine to the server: requests are
bytes before the start, connections are asyncio protocols without streams or tasks, and an answer's
head is parsed once for all answers that have the same.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from math import nan
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

NO_ANSWER = 0
"""Status of a request whose connection broke before its answer, or that was never sent."""

T = TypeVar("T")

RECONNECT_S = 0.02
"""Between two attempts to connect."""


class Target(NamedTuple):
    """Where requests go.

    Parameters
    ----------
    url : of a POST route, ``http`` or ``https``.
    token : for the header ``API_TOKEN``; "": none.
    cafile : certificate to trust for ``https``; None: any (the load never leaves the machine).
    """

    url: str
    token: str = ""
    cafile: Path | None = None

    def request(self, body: bytes) -> bytes:
        """The whole request for a body, ready to be written to a connection."""
        parts = urlsplit(self.url)
        token = f"API_TOKEN: {self.token}\r\n" if self.token else ""
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{token}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    def tls(self) -> ssl.SSLContext | None:
        """What a connection needs for ``https``; None for ``http``."""
        if urlsplit(self.url).scheme != "https":
            return None
        context = ssl.create_default_context(cafile=self.cafile)
        if self.cafile is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Latency(NamedTuple):
    """Percentiles in seconds."""

    p50: float
    p90: float
    p99: float
    p999: float
    most: float


class Load:
    """What a load run did: an entry per request, in their order.

    Attributes
    ----------
    due, sent, answered : seconds on the monotonic clock from the start of the run; NaN: not
        (closed loop: ``due`` is ``sent``).
    status : HTTP status; :data:`NO_ANSWER` without an answer.
    body : of the answers; equal ones are one object.
    retry_after : whether the answer had the header Retry-After.
    """

    def __init__(self, count: int) -> None:
        self.due = np.full(count, nan)
        self.sent = np.full(count, nan)
        self.answered = np.full(count, nan)
        self.status = np.zeros(count, np.int16)
        self.body: list[bytes] = [b""] * count
        self.retry_after = np.zeros(count, np.bool_)

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        done = self.answered[self.status != NO_ANSWER]
        return float(done.max() - np.nanmin(self.sent)) if done.size else 0.0

    def answers(self, status: int) -> npt.NDArray[np.intp]:
        """Numbers of the requests with this status."""
        return np.flatnonzero(self.status == status)

    @property
    def was_sent(self) -> npt.NDArray[np.intp]:
        """Numbers of the requests that were sent, answered or not."""
        return np.flatnonzero(~np.isnan(self.sent))

    def latency(self, status: int = 200) -> Latency:
        """Of the answers with this status, from when they were due, by HdrHistogram.

        Raises
        ------
        ValueError
            When no answer has the status.
        """
        from hdrh.histogram import HdrHistogram  # only who reads latencies needs it

        chosen = self.answers(status)
        if not chosen.size:
            raise ValueError(f"no answer had status {status}, so there is no latency to tell")
        histogram = HdrHistogram(1, 600_000_000, 3)
        for micros in np.maximum((self.answered - self.due)[chosen] * 1e6, 1).astype(int).tolist():
            histogram.record_value(micros)
        at = [histogram.get_value_at_percentile(p) / 1e6 for p in (50, 90, 99, 99.9, 100)]
        return Latency(*at)


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    __slots__ = ("buffer", "need", "number", "run", "transport")

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.transport: asyncio.Transport
        self.number = -1
        self.buffer = b""
        self.need = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.run.free(self)

    def send(self, number: int) -> None:
        self.number = number
        self.run.load.sent[number] = self.run.now()
        self.transport.write(self.run.requests[number])

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
            if len(data) < self.need:
                self.buffer = data
                return
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            self.buffer, self.need = data, 0
            return
        status, length, retry, close = self.run.head(data[:end])
        if len(data) < end + length:
            self.buffer, self.need = data, end + length
            return
        if len(data) > end + length or self.number < 0:
            raise RuntimeError(f"more than one answer to one request: {data!r}")
        self.buffer, self.need = b"", 0
        number, self.number = self.number, -1
        self.run.answer(number, status, data[end:], retry)
        if close:
            self.transport.close()
        else:
            self.run.free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self.run.lost(self)


class _Run:
    """A load run: hands requests to free connections and keeps what came of them."""

    def __init__(
        self, target: Target, requests: Sequence[bytes], due: npt.NDArray[np.float64] | None
    ) -> None:
        self.target, self.requests = target, requests
        self.load = Load(len(requests))
        self.due: list[float] | None = None
        if due is not None:
            if len(due) != len(requests):
                raise ValueError(f"{len(requests)} requests, but {len(due)} times when due")
            self.load.due[:] = due
            self.due = due.tolist()
        self.next = 0
        self.open = len(requests)
        self.idle: deque[_Connection] = deque()
        self.connections: set[_Connection] = set()
        self.started = False
        self.stopping = False
        self.finished = asyncio.Event()
        self.began = time.perf_counter()
        self.heads: dict[bytes, tuple[int, int, bool, bool]] = {}
        self.seen: dict[bytes, bytes] = {}
        self.loop = asyncio.get_running_loop()
        self.timer: asyncio.TimerHandle | None = None
        self.reconnecting: set[asyncio.Task[None]] = set()
        self.tls = target.tls()

    def now(self) -> float:
        return time.perf_counter() - self.began

    def head(self, raw: bytes) -> tuple[int, int, bool, bool]:
        found = self.heads.get(raw)
        if found is None:
            fields = raw.lower().split(b"\r\n")
            length = 0
            for field in fields:
                if field.startswith(b"content-length:"):
                    length = int(field[15:])
                elif field.startswith(b"transfer-encoding:"):
                    raise RuntimeError("the driver does not read chunked answers")
            retry = any(field.startswith(b"retry-after:") for field in fields)
            found = int(raw[9:12]), length, retry, b"connection: close" in fields
            self.heads[raw] = found
        return found

    def answer(self, number: int, status: int, body: bytes, retry: bool) -> None:
        load = self.load
        load.answered[number] = self.now()
        load.status[number] = status
        load.body[number] = self.seen.setdefault(body, body)
        load.retry_after[number] = retry
        self.settled()

    def settled(self) -> None:
        self.open -= 1
        if not self.open:
            self.finished.set()

    def start(self) -> None:
        """Every connection is there: the clock runs from now."""
        self.began = time.perf_counter()
        self.started = True
        if self.due is not None:
            self.tick()
            return
        waiting, self.idle = self.idle, deque()
        for connection in waiting:
            self.free(connection)

    def free(self, connection: _Connection) -> None:
        """A connection may send: the next request, if one is due."""
        if not self.started or self.stopping or self.next == len(self.requests):
            self.idle.append(connection)
        elif self.due is None:
            self.load.due[self.next] = self.now()
            self.next += 1
            connection.send(self.next - 1)
        else:
            self.idle.append(connection)
            self.dispatch()

    def dispatch(self) -> None:
        """Send all that is due while connections are idle (open loop)."""
        assert self.due is not None
        now, count = self.now(), len(self.requests)
        while self.idle and self.next < count and self.due[self.next] <= now:
            self.next += 1
            self.idle.popleft().send(self.next - 1)

    def tick(self) -> None:
        assert self.due is not None
        if self.stopping or self.next == len(self.requests):
            return
        self.dispatch()
        # The event loop's timers have millisecond steps.
        wait = self.due[self.next] - self.now() if self.next < len(self.requests) else 0.0
        self.timer = self.loop.call_later(max(wait, 0.001), self.tick)

    def lost(self, connection: _Connection) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        if connection.number >= 0:
            self.settled()  # its status stays NO_ANSWER
        if not self.stopping:
            task = self.loop.create_task(self.again())
            self.reconnecting.add(task)
            task.add_done_callback(self.reconnecting.discard)

    async def again(self) -> None:
        await asyncio.sleep(RECONNECT_S)
        await self.connect()

    async def connect(self) -> None:
        """Connect, and try again until the run ends."""
        parts = urlsplit(self.target.url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"{self.target.url}: a host and a port are needed")
        while not self.stopping:
            try:
                _, connection = await self.loop.create_connection(
                    lambda: _Connection(self), parts.hostname, parts.port, ssl=self.tls
                )
            except ssl.SSLCertVerificationError:
                raise
            except (ConnectionError, ssl.SSLError):
                await asyncio.sleep(RECONNECT_S)
            else:
                self.connections.add(connection)
                return

    def stop(self) -> None:
        """No further request; those under way are given up when the connections close."""
        self.stopping = True
        self.finished.set()


class Drive:
    """A load run under way, which can be stopped. Use :func:`drive` where that is not needed."""

    def __init__(
        self,
        target: Target,
        requests: Sequence[bytes],
        connections: int,
        due: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._run = _Run(target, requests, due)
        self._connections = connections

    @property
    def answered(self) -> int:
        """How many requests are answered by now."""
        return len(self._run.requests) - self._run.open

    def stop(self) -> None:
        """Send nothing further and give up what is under way: as if the vendor lost its power."""
        self._run.stop()

    async def __call__(self) -> Load:
        """Run until every request is settled or the run is stopped."""
        run = self._run
        collecting = gc.isenabled()
        # A collection would stop the driver for milliseconds and be charged to the server.
        gc.disable()
        try:
            await asyncio.gather(*(run.connect() for _ in range(self._connections)))
            if run.requests:
                run.start()
                await run.finished.wait()
            run.stopping = True
            if run.timer is not None:
                run.timer.cancel()
            for task in run.reconnecting:
                task.cancel()
            for connection in run.connections:
                connection.transport.abort()
            while run.connections:
                await asyncio.sleep(0)
        finally:
            if collecting:
                gc.enable()
        return run.load


def drive(
    target: Target,
    bodies: Sequence[bytes],
    connections: int = 64,
    due: npt.NDArray[np.float64] | None = None,
) -> Load:
    """Send every body once over so many connections, and wait for all answers.

    Parameters
    ----------
    target : where to.
    bodies : a request each.
    connections : kept alive; one that breaks is opened again, and its request has no answer.
    due : when each request is due, seconds from the start, sorted (open loop); None: each as soon
        as a connection is free (closed loop).

    Returns
    -------
    What was sent when, and what came back.
    """
    requests = [target.request(body) for body in bodies]
    return run(lambda: Drive(target, requests, connections, due)())


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on uvloop, which costs about half of asyncio's own loop."""
    import uvloop  # only where load is driven

    async def started() -> T:
        return await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(started())
