"""The ASGI application: the ingest route by hand, everything else through the framework."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from twin.alarmcore.annexb.codes import PREFIX, ReturnCode
from twin.alarmcore.annexb.messages import Answer, Received
from twin.alarmcore.service.core import Core
from twin.alarmcore.service.endpoint import (
    AWAY,
    FAILED,
    FULL,
    NO_TOKEN,
    RETRY_AFTER_S,
    TOO_FAST,
    Endpoint,
    Headers,
    Refused,
    Taken,
    packed,
    refused,
)
from twin.alarmcore.service.ingest import DatabaseAway, Full, Ingest, Item, Push, TooFast, parse
from twin.alarmcore.service.tokens import Principal, Role
from twin.alarmcore.store.database import DATABASE_AWAY

log = logging.getLogger("twin.core")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Answered = tuple[int, bytes]
"""Status and body."""

EVENT_PATH = f"{PREFIX}/event"

_ASIDE = (
    "kept for an operator: of a device that is not registered, with a messageId that was used for "
    "something else, or not to be read"
)

_encode = msgspec.json.Encoder().encode
JSON = (b"content-type", b"application/json")
RETRY = (b"retry-after", str(RETRY_AFTER_S).encode())


class App:
    """The service as an ASGI application.

    Parameters
    ----------
    core : the worker's.
    ingest : its queues.
    endpoints : everything but the ingest.
    """

    def __init__(self, core: Core, ingest: Ingest, endpoints: Sequence[Endpoint]) -> None:
        self.core = core
        self.ingest = ingest

        async def no_path(_: Request, __: Exception) -> Response:
            return refused(
                core, Refused(404, ReturnCode.WRONG_PATH, "there is nothing at this path")
            )

        async def no_method(request: Request, _: Exception) -> Response:
            return self._no_method(request.scope)

        self._routes = [endpoint.route(core) for endpoint in endpoints]
        self._rest = Starlette(
            routes=self._routes, exception_handlers={404: no_path, 405: no_method}
        )
        # A redirect would be an answer that no document names, to a host that the caller names.
        self._rest.router.redirect_slashes = False

    def _no_method(self, scope: Scope) -> Response:
        """405, with the methods that the path takes."""
        taken = {"POST"} if scope["path"] == EVENT_PATH else set()
        for route in self._routes:
            if route.matches(scope)[0] is not Match.NONE:
                taken |= route.methods or set()
        what = f"the path takes {' and '.join(sorted(taken))} only"
        answer = refused(self.core, Refused(405, ReturnCode.WRONG_PATH, what))
        answer.headers["Allow"] = ", ".join(sorted(taken))
        return answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] == "http" and scope["path"] == EVENT_PATH and scope["method"] == "POST":
            status, answer = await self._event(scope, receive)
            headers = [JSON, (b"content-length", str(len(answer)).encode())]
            if status in (429, 502):
                headers.append(RETRY)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
        elif scope["type"] == "http" and scope["path"] == EVENT_PATH:
            await self._no_method(scope)(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def vendor(self, headers: Headers) -> Principal | None:
        """The vendor whose request this is; None: it has to be looked up, or is none."""
        who = self.core.gate.known(_token(headers))
        return who if who is not None and who.role is Role.VENDOR else None

    def push(
        self, who: Principal, headers: Headers, body: bytes, answer: Callable[[int, bytes], None]
    ) -> None:
        """API 22, of a request that has come whole.

        Parameters
        ----------
        who : the vendor.
        headers : of the request.
        body : as it came.
        answer : is called with status and body, before this returns or when it is on disk.
        """
        taken = Taken(self.core, (who.role, who.id))

        def settle(result: Answered) -> None:
            taken.answered()
            answer(*result)

        try:
            taken.add(body)
            self._submit(who, headers, body, settle)
        except Exception as error:
            settle(self._refused(error))

    async def _event(self, scope: Scope, receive: Receive) -> Answered:
        """API 22, of a request that may come in pieces, of whoever it is."""
        token = _token(scope["headers"])
        answered: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        taken = None

        def settle(result: Answered) -> None:
            if not answered.done():  # else the service is stopping
                answered.set_result(result)

        try:
            who = await self.core.gate.principal(token) if token else None
            if who is None:
                raise NO_TOKEN
            if who.role is not Role.VENDOR:
                raise Refused(401, ReturnCode.NO_RIGHT, f"role {who.role} has no right to this")
            taken = Taken(self.core, (who.role, who.id))
            self._submit(who, scope["headers"], await taken.read(receive), settle)
            return await answered
        except Exception as error:
            return self._refused(error)
        finally:
            if taken is not None:
                taken.answered()

    def _submit(
        self, who: Principal, headers: Headers, body: bytes, settle: Callable[[Answered], None]
    ) -> None:
        items = parse(body, self.core.clock.calendar())
        if len(items) == 1 and items[0].event is None:
            items = [items[0]._replace(problem=items[0].problem + packed(headers))]

        def told(result: Received | Exception) -> None:
            if isinstance(result, Exception):
                settle(self._refused(result))
            else:
                settle(self._told(items, result))

        self.ingest.submit(Push(who.id, who.name, items, told))

    def _told(self, items: Sequence[Item], received: Received) -> Answered:
        """The answer to what is on disk."""
        problems = [f"event {k}: {item.problem}" for k, item in enumerate(items) if item.problem]
        if problems and len(problems) == len(items):
            what = items[0].problem if len(items) == 1 else "; ".join(problems[:3])
            return self._refused(
                Refused(400, ReturnCode.WRONG_PARAMETER, f"{what} (kept for an operator)")
            )
        told = problems[:3]
        if received.quarantined > len(problems):
            told.append(f"{received.quarantined} {_ASIDE}")
        self.core.metrics.answered(200)
        return 200, _encode(Answer(ReturnCode.OK, "; ".join(told), received))

    def _refused(self, error: Exception) -> Answered:
        """The answer where nothing, or nothing useful, was taken."""
        if isinstance(error, Refused):
            refusal = error
        elif isinstance(error, Full):
            refusal = FULL
        elif isinstance(error, TooFast):
            refusal = TOO_FAST
        elif isinstance(error, DatabaseAway):
            refusal = AWAY
        elif isinstance(error, DATABASE_AWAY):  # who pushes could not be looked up
            self.core.lost_database(error)
            refusal = AWAY
        else:
            log.error("a push failed", exc_info=error)
            refusal = FAILED
        self.core.metrics.answered(refusal.status)
        return refusal.status, _encode(Answer(refusal.code, refusal.message))


def _token(headers: Headers) -> bytes:
    token = b""
    for name, value in headers:
        if name in (b"api_token", b"api-token"):
            token = value
    return token
