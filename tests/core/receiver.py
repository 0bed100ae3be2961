"""A real HTTP receiver of the channels' messages, which does as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

Message = dict[str, Any]
Behaviour = Callable[[Message], Any]
"""What a channel does with a message: the answer's content; an int: a status without content."""


def receipt(_: Message) -> Any:
    """It has it, and says so at once."""
    return {"receipt": True}


def taken(_: Message) -> Any:
    """It has it; whether it reached anybody is told later."""
    return {}


def broken(_: Message) -> Any:
    """It is out of order."""
    return 503


class Got(NamedTuple):
    """A message that came: over which channel, when, and what it says."""

    channel: str
    at: float
    message: Message


class Receiver:
    """Gateways of all channels in one: ``url("voice")`` is that of voice.

    Attributes
    ----------
    does : what a channel does; :func:`receipt` where nothing is said.
    got : every message that came, also those that were answered with an error.
    """

    def __init__(self) -> None:
        self.does: dict[str, Behaviour] = {}
        self.got: list[Got] = []
        self.freed = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                channel, message = self.path.strip("/"), json.loads(body)
                assert self.headers["Idempotency-Key"] == message["key"]
                receiver.got.append(Got(channel, time.monotonic(), message))
                said = receiver.does.get(channel, receipt)(message)
                status, content = (said, b"") if isinstance(said, int) else (200, b"")
                if status == 200:
                    content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # all lanes of an outbox connect at once

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.freed.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, channel: str) -> str:
        """Where a channel's messages go."""
        return f"http://127.0.0.1:{self._server.server_port}/{channel}"

    def hang(self, _: Message) -> Any:
        """It takes the message and does not answer, until the receiver ends."""
        self.freed.wait(60)
        return 503

    def of(self, alarm: str, channel: str = "") -> list[Got]:
        """What came about an alarm, over one channel or all."""
        return [
            one for one in list(self.got)
            if one.message["alarm"] == alarm and channel in ("", one.channel)
        ]  # fmt: skip

    def keys(self) -> Counter[str]:
        """How often each message came."""
        return Counter(one.message["key"] for one in list(self.got))
