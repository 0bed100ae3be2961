"""Connections of a worker: bounded in number, and in the time that a request takes to come.

Whoever may not come in can open connections all the same. What has been silent for longest makes
room for a new one, so that idle connections keep no vendor out.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

import msgspec
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from twin.alarmcore.annexb.codes import ReturnCode
from twin.alarmcore.annexb.messages import Answer

REQUEST_S = 30.0
"""Within this time of a connection, or of its first byte, a request has come whole (assumption)."""

HANDSHAKE_S = 10.0
"""Within this time TLS is agreed on (assumption)."""

MOST_CONNECTIONS = 10_000
"""Of a worker (assumption); a platform has tens, and devices that push directly one each."""

MOST_HEAD_BYTES = 65_536
"""Of a request's first line and headers, or of its trailers (assumption); the parser itself takes
all that comes."""

NO_REQUEST = (
    "not a request of HTTP/1.1: its first line, a header, Content-Length or Transfer-Encoding is "
    "wrong"
)
"""What is said where the parser does not say what is wrong."""

_FILES = 256
"""Descriptors for all else: database, log, deliveries."""


def most_connections() -> int:
    """How many connections this process can have, with as many again in their handshake.

    The limit of open files is raised as far as the system lets us.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, (hard - _FILES) // 2))


class Connection(HttpToolsProtocol):
    """A connection; the ones of a process stand in the order in which they last said something."""

    most: ClassVar[int] = MOST_CONNECTIONS
    request_s: ClassVar[float] = REQUEST_S
    _by_silence: ClassVar[dict[Connection, None]] = {}

    _limit: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _head = 0
    """Bytes that have come since the last of a body, of a request that is not whole."""
    _body_came = False
    _answering: Any = None
    _wrong = ""
    """What is wrong with a request, where the parser does not see it."""
    _answered = 0.0
    """When the last answer was whole, by the loop's time."""
    _idle = False
    """Nothing has come since then."""

    def connection_made(self, transport: Any) -> None:
        """Takes a connection, in the place of another where there are too many."""
        super().connection_made(transport)
        if len(self._by_silence) >= self.most:
            next((one for one in self._by_silence if not one.busy), self).drop()
        self._by_silence[self] = None
        self._limit = self.loop.call_later(self.request_s, self.drop)

    def data_received(self, data: bytes) -> None:
        """Takes a part of a request."""
        self.heard()
        before = self.scope
        super().data_received(data)
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and cycle.scope is self.scope:
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None
            return
        if self._limit is None:
            self._limit = self.loop.call_later(self.request_s, self.drop)
        if self._body_came or self.scope is not before:
            self._head = 0
        else:
            self._head += len(data)
        self._body_came = False
        if self._head > MOST_HEAD_BYTES:
            self.send_400_response(f"a head or trailers of more than {MOST_HEAD_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """Begins to serve a request."""
        # The parser takes the body of such a request for something of another protocol.
        if self.parser.should_upgrade() and any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        ):
            self._wrong = "the header Upgrade with a body; HTTP/1.1 is served, leave it out"
            raise ValueError(self._wrong)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        self._body_came = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole, also where it has been answered already."""
        super().on_message_complete()
        self.cycle.more_body = False

    def send_400_response(self, msg: str) -> None:
        """Answers what is no request as everything is answered (tables B.1, B.2), and ends."""
        if self.busy:  # it would be taken for the answer to the request before, which comes
            self.cycle.keep_alive = False
            return
        if self.pipeline:
            self.drop()
            return
        if msg.startswith("Invalid"):
            msg = self._wrong or NO_REQUEST
        body = msgspec.json.encode(Answer(ReturnCode.WRONG_PARAMETER, msg))
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    def pause_writing(self) -> None:
        """An answer is not read: it does not stay in memory for ever."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.request_s, self.drop)

    def resume_writing(self) -> None:
        """It has been read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._by_silence.pop(self, None)
        for timer in (self._limit, self._unread, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        self._nobody_listens()
        super().connection_lost(exc)

    def heard(self) -> None:
        """Something has come."""
        self._by_silence.pop(self, None)
        self._by_silence[self] = None
        self._idle = False

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing of a request here: what comes is a new one."""
        cycle = self.cycle
        return (
            self._limit is None
            and (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    @property
    def busy(self) -> bool:
        """Whether a whole request waits for its answer."""
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def drop(self) -> None:
        """Ends the connection at once."""
        self._by_silence.pop(self, None)
        self._nobody_listens()
        self.transport.abort()

    def _nobody_listens(self) -> None:
        """What is under way writes nothing any more: it would fill the log with failures."""
        for cycle in (self._answering, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def on_response_complete(self) -> None:
        """An answer is whole: the next request has its turn, or may come for a while.

        The framework sets a timer at every answer; one that looks again is enough.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._answered, self._idle = self.loop.time(), True
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_handler()

    def timeout_keep_alive_handler(self) -> None:
        """Ends a connection on which nothing has come for too long."""
        self.timeout_keep_alive_task = None
        if not self._idle or self.transport.is_closing():
            return
        until = self._answered + self.timeout_keep_alive
        if self.loop.time() >= until:
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_at(until, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        pass

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle  # where requests follow each other unasked, not the last one
        super()._start_asgi_task(cycle, app)


class Loop(uvloop.Loop):
    """An event loop whose servers wait for a handshake no longer than :data:`HANDSHAKE_S`."""

    async def create_server(  # type: ignore[override]
        self, *arguments: Any, **more: Any
    ) -> asyncio.AbstractServer:
        """As in :class:`asyncio.AbstractEventLoop`."""
        if more.get("ssl"):
            more.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
        return await super().create_server(*arguments, **more)
