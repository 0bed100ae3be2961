"""The ASGI application: the ingest route by hand, everything else through the framework."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from twin.alarmcore.annexb.codes import PREFIX, ReturnCode
from twin.alarmcore.annexb.messages import Answer
from twin.alarmcore.service.core import Core
from twin.alarmcore.service.endpoint import (
    AWAY,
    FAILED,
    FULL,
    NO_TOKEN,
    RETRY_AFTER_S,
    TOO_FAST,
    Endpoint,
    Refused,
    Taken,
    refused,
)
from twin.alarmcore.service.ingest import DatabaseAway, Full, Ingest, Push, TooFast, parse
from twin.alarmcore.service.tokens import Role
from twin.alarmcore.store.database import DATABASE_AWAY

log = logging.getLogger("twin.core")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EVENT_PATH = f"{PREFIX}/event"

_ASIDE = (
    "kept for an operator: of a device that is not registered, with a messageId that was used for "
    "something else, or not to be read"
)

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")
_RETRY = (b"retry-after", str(RETRY_AFTER_S).encode())


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
            self.core.metrics.answered(status)
            headers = [_JSON, (b"content-length", str(len(answer)).encode())]
            if status in (429, 502):
                headers.append(_RETRY)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
        elif scope["type"] == "http" and scope["path"] == EVENT_PATH:
            await self._no_method(scope)(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    async def _event(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """API 22: status and body of the answer."""
        try:
            return 200, await self._take(scope, receive)
        except Refused as refusal:
            return refusal.status, _encode(Answer(refusal.code, refusal.message))
        except Full:
            return FULL.status, _encode(Answer(FULL.code, FULL.message))
        except TooFast:
            return TOO_FAST.status, _encode(Answer(TOO_FAST.code, TOO_FAST.message))
        except DatabaseAway:
            return AWAY.status, _encode(Answer(AWAY.code, AWAY.message))
        except DATABASE_AWAY as error:  # who pushes could not be looked up
            self.core.lost_database(error)
            return AWAY.status, _encode(Answer(AWAY.code, AWAY.message))
        except Exception:
            log.exception("a push failed")
            return FAILED.status, _encode(Answer(FAILED.code, FAILED.message))

    async def _take(self, scope: Scope, receive: Receive) -> bytes:
        token = b""
        for name, value in scope["headers"]:
            if name in (b"api_token", b"api-token"):
                token = value
        gate = self.core.gate
        who = gate.known(token)
        if who is None:
            if not token:
                raise NO_TOKEN
            who = await gate.principal(token)
            if who is None:
                raise NO_TOKEN
        if who.role is not Role.VENDOR:
            raise Refused(401, ReturnCode.NO_RIGHT, f"role {who.role} has no right to this")
        taken = Taken(self.core, (who.role, who.id))
        try:
            body = await taken.read(receive)
            items = parse(body, self.core.clock.calendar())
            received = await self.ingest.submit(Push(who.id, who.name, items))
        finally:
            taken.answered()
        problems = [f"event {k}: {item.problem}" for k, item in enumerate(items) if item.problem]
        if problems and len(problems) == len(items):
            what = items[0].problem if len(items) == 1 else "; ".join(problems[:3])
            raise Refused(400, ReturnCode.WRONG_PARAMETER, f"{what} (kept for an operator)")
        told = problems[:3]
        if received.quarantined > len(problems):
            told.append(f"{received.quarantined} {_ASIDE}")
        return _encode(Answer(ReturnCode.OK, "; ".join(told), received))
