"""A server with the service's connections and an application that has one answer for all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import uvicorn

from twin.alarmcore.service.connections import Connection
from twin.load.siege import free_port

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Few(Connection):
    """As a worker's, with room for three, and soon out of patience."""

    most: ClassVar[int] = 3
    request_s: ClassVar[float] = 0.5
    _by_silence: ClassVar[dict[Connection, None]] = {}


@contextlib.asynccontextmanager
async def served_by(answer: bytes = b"", delay_s: float = 0.0) -> AsyncIterator[int]:
    """A server of :class:`Few` connections; yields its port."""

    async def app(_: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(delay_s)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    port = free_port()
    config = uvicorn.Config(
        app, port=port, http=Few, lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await task
