"""Pushes of events without a task and a framework for each: they are what a busy core does most.

A push that came whole, with its head and in its turn, is given to the application at once, and its
answer is one write. What comes in pieces, before the answer to the request before it, or from
somebody whose token has to be looked up, goes the way of all other requests.

A platform's pushes have heads that differ in nothing but the length of what follows, so that soon
each has been seen before. A head is read by the parser once; what it said is then known.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from twin.alarmcore.service.app import EVENT_PATH, JSON, RETRY, App
from twin.alarmcore.service.connections import Connection
from twin.alarmcore.service.endpoint import Headers
from twin.alarmcore.service.tokens import Principal

_PATH = EVENT_PATH.encode()
_END = b"\r\n\r\n"

LONGEST_HEAD = 1024
"""Bytes of a head that is remembered (assumption): a platform's has some 200."""

MOST_HEADS = 4096
"""Heads that are remembered (assumption); then all are forgotten."""


class Head(NamedTuple):
    """What the parser has found in the head of a push that came whole.

    Parameters
    ----------
    length : of the body, bytes.
    headers : as in ASGI.
    """

    length: int
    headers: Headers


class Express:
    """A push under way, where the framework has its cycle of request and answer.

    Parameters
    ----------
    who : the vendor.
    headers : of the request, as in ASGI.
    scope : the same, None where its head was known.
    keep_alive : the connection stays for further requests.
    """

    __slots__ = (
        "body",
        "disconnected",
        "headers",
        "keep_alive",
        "more_body",
        "response_complete",
        "scope",
        "who",
    )

    message_event: ClassVar[asyncio.Event] = asyncio.Event()
    """The framework tells it of every part of a body; nobody waits for that here."""

    def __init__(self, who: Principal, headers: Headers, scope: Any, keep_alive: bool) -> None:
        self.who = who
        self.headers = headers
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = True
        self.response_complete = False
        self.disconnected = False


class ExpressConnection(Connection):
    """A connection of vendors and of everybody else."""

    app: App
    _heads: ClassVar[dict[bytes, Head]] = {}

    def on_headers_complete(self) -> None:
        """Begins to serve a request."""
        who = self.app.vendor(self.headers) if self._is_push() else None
        if who is None:
            super().on_headers_complete()
        else:
            self.cycle = Express(  # type: ignore[assignment]
                who, self.headers, self.scope, self.parser.should_keep_alive()
            )

    def _is_push(self) -> bool:
        parser, cycle = self.parser, self.cycle
        return bool(
            self.url == _PATH
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and (cycle is None or cycle.response_complete)
        )

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        cycle: Any = self.cycle
        if type(cycle) is Express:
            self._push(cycle)

    def _push(self, cycle: Express) -> None:
        self.app.push(
            cycle.who, cycle.headers, cycle.body, lambda *answer: self._answer(cycle, *answer)
        )

    def data_received(self, data: bytes) -> None:
        """Takes a part of a request."""
        end = data.find(_END) + len(_END)
        head = data[:end] if len(_END) <= end <= LONGEST_HEAD and self.at_rest else b""
        known = self._heads.get(head)
        before = self.cycle
        if known is not None and len(data) == end + known.length:
            who = self.app.vendor(known.headers)
            if who is not None:
                self.heard()
                cycle: Any = Express(who, known.headers, None, True)
                cycle.body, cycle.more_body = data[end:], False
                self.cycle = cycle
                self._push(cycle)
                return
        super().data_received(data)
        cycle = self.cycle
        if type(cycle) is Express and cycle is not before and head:
            self._remember(head, data[end:], cycle)
        if type(cycle) is Express and cycle.more_body and not self.transport.is_closing():
            self.cycle = None  # type: ignore[assignment]
            super().on_headers_complete()
            self.cycle.body += cycle.body

    def _remember(self, head: bytes, rest: bytes, cycle: Express) -> None:
        """Remembers the head of a push if all that came with it was its body."""
        if cycle.keep_alive and not cycle.more_body and cycle.body == rest:
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            self._heads[head] = Head(len(rest), cycle.headers)

    def _answer(self, cycle: Express, status: int, body: bytes) -> None:
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        head = STATUS_LINE[status] + b"%b: %b\r\ncontent-length: %d\r\n" % (*JSON, len(body))
        if status in (429, 502):
            head += b"%b: %b\r\n" % RETRY
        if not cycle.keep_alive:
            head += b"connection: close\r\n"
        self.transport.write(b"%b\r\n%b" % (head, body))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
