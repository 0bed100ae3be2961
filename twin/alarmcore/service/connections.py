"""Connections of a worker: bounded in number, and in the time that a request takes to come.

Whoever may not come in can open connections all the same. What has been silent for longest makes
room for a new one, so that idle connections keep no vendor out.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_S = 30.0
"""Within this time of a connection, or of its first byte, a request has come whole (assumption)."""

HANDSHAKE_S = 10.0
"""Within this time TLS is agreed on (assumption)."""

MOST_CONNECTIONS = 10_000
"""Of a worker (assumption); a platform has tens, and devices that push directly one each."""

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

    def connection_made(self, transport: Any) -> None:
        """Takes a connection, in the place of another where there are too many."""
        super().connection_made(transport)
        if len(self._by_silence) >= self.most:
            next((one for one in self._by_silence if not one.busy), self).drop()
        self._by_silence[self] = None
        self._limit = self.loop.call_later(self.request_s, self.drop)

    def data_received(self, data: bytes) -> None:
        """Takes a part of a request."""
        self._by_silence.pop(self, None)
        self._by_silence[self] = None
        super().data_received(data)
        if self.cycle is not None and not self.cycle.more_body:
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None
        elif self._limit is None:
            self._limit = self.loop.call_later(self.request_s, self.drop)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._by_silence.pop(self, None)
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    @property
    def busy(self) -> bool:
        """Whether a whole request waits for its answer."""
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def drop(self) -> None:
        """Ends the connection at once."""
        self._by_silence.pop(self, None)
        self.transport.abort()


class Loop(uvloop.Loop):
    """An event loop whose servers wait for a handshake no longer than :data:`HANDSHAKE_S`."""

    async def create_server(  # type: ignore[override]
        self, *arguments: Any, **more: Any
    ) -> asyncio.AbstractServer:
        """As in :class:`asyncio.AbstractEventLoop`."""
        if more.get("ssl"):
            more.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
        return await super().create_server(*arguments, **more)
