"""One way to serve a call: who may, what it takes, what it answers; everything but the ingest."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twin.alarmcore.annexb.codes import TOKEN_HEADER, TOKEN_HEADER_ALSO, ReturnCode
from twin.alarmcore.annexb.messages import Answer, Malformed, check_nul, read
from twin.alarmcore.lifecycle import LifecycleError
from twin.alarmcore.service.bodies import BODIES, NoRoom
from twin.alarmcore.service.core import Core
from twin.alarmcore.service.parameters import BIGGEST, PATH, Parameter
from twin.alarmcore.service.tokens import Principal, Role
from twin.alarmcore.store.audit import write_audit
from twin.alarmcore.store.batch import Batch
from twin.alarmcore.store.database import COLLISION, DATABASE_AWAY

log = logging.getLogger("twin.core")

RETRY_AFTER_S = 2
"""What a vendor is told to wait where the service is full or its database away (assumption)."""

Headers = Iterable[tuple[bytes, bytes]]
"""Of a request, their names in lower case."""

_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """A call that is not answered with success.

    Parameters
    ----------
    status : of table B.1 or its extensions.
    code : of table B.2.
    message : what is wrong and what would be right.
    """

    def __init__(self, status: int, code: ReturnCode, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def wrong(message: str) -> Refused:
    """A parameter or the body is wrong."""
    return Refused(400, ReturnCode.WRONG_PARAMETER, message)


def nothing(message: str) -> Refused:
    """There is no such thing."""
    return Refused(404, ReturnCode.NO_RESULT, message)


class _MessageId(Convertor[str]):
    """A vendor's id of a message in a path: it may have a slash, and even line breaks."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("message", _MessageId())

NO_TOKEN = Refused(401, ReturnCode.NO_RIGHT, "no API_TOKEN, or one that has ended")


@dataclass
class Call:
    """A call that was let in.

    Parameters
    ----------
    core : the worker's.
    who : asks; None where anybody may.
    body : decoded, as the endpoint's ``request`` says.
    raw : as it came.
    path, query : parameters.
    address : of the client.
    name : of the endpoint.
    """

    core: Core
    who: Principal | None
    body: Any
    raw: bytes
    path: Mapping[str, Any]
    query: Mapping[str, str]
    address: str
    name: str
    audited: bool = False

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[asyncpg.Connection, Batch]]:
        """A transaction that writes; the audit trail's entry is part of it."""
        async with self.core.transaction() as (db, batch):
            await self._audit(db)
            self.audited = True
            yield db, batch

    async def _audit(self, db: asyncpg.Connection) -> None:
        who = self.who
        detail = None if self.body is None else _encode(self.body).decode()
        await write_audit(
            db,
            self.core.clock.now(),
            self.address if who is None else who.name,
            "" if who is None else who.role,
            self.name,
            "/".join(str(part) for part in self.path.values()),
            detail,
        )

    @property
    def principal(self) -> Principal:
        """Who asks, where only some may."""
        if self.who is None:
            raise NO_TOKEN
        return self.who

    def number(self, name: str, default: int) -> int:
        """A whole number of the query."""
        return int(self.query.get(name, default))

    def numbered(self, name: str, what: str) -> int:
        """The id in the path of something."""
        number = int(self.path[name])
        if number > BIGGEST:
            raise nothing(f"no {what} {number}")
        return number


@dataclass(frozen=True)
class Endpoint:
    """A call of the service's own API, as data: routes, rights and the document are made of it.

    Parameters
    ----------
    method, path : how it is called.
    name : operation id in the document.
    summary : what it is for.
    roles : who may; empty: anybody.
    handler : answers ``data``, or raises :class:`Refused`.
    request : type of the body; None: it has none.
    answer : type of ``data``.
    query : query parameters.
    bare : media type of an answer that is no JSON in the envelope; empty: it is.
    writes : it changes something, so its handler works in :meth:`Call.transaction`.
    """

    method: str
    path: str
    name: str
    summary: str
    roles: frozenset[Role]
    handler: Callable[[Call], Awaitable[Any]]
    request: Any = None
    answer: Any = None
    query: Mapping[str, Parameter] | None = None
    bare: str = ""
    writes: bool = False

    def route(self, core: Core) -> Route:
        """The endpoint as the framework takes it."""
        decoder = None if self.request is None else msgspec.json.Decoder(self.request)

        async def serve(request: Request) -> Response:
            try:
                return await self._serve(core, request, decoder)
            except Refused as refusal:
                return refused(core, refusal)
            except LifecycleError as error:
                return refused(core, wrong(str(error)))
            except asyncpg.DataError as error:
                return refused(core, wrong(str(error)))
            except (*DATABASE_AWAY, *COLLISION) as error:
                core.lost_database(error)
                return refused(core, AWAY)
            except Exception:
                log.exception("%s failed", self.name)
                return refused(core, FAILED)

        path = self.path.replace("{messageId}", "{messageId:message}")
        return Route(path, serve, methods=[self.method], name=self.name)

    async def _serve(
        self, core: Core, request: Request, decoder: msgspec.json.Decoder[Any] | None
    ) -> Response:
        address = request.client.host if request.client else "?"
        who = None
        if self.roles:
            who = await admitted(core, request.headers)
            if who.role not in self.roles:
                raise Refused(401, ReturnCode.NO_RIGHT, f"role {who.role} has no right to this")
        taken = Taken(core, None if who is None else (who.role, who.id))
        try:
            raw = await taken.read(request.receive) if decoder else b""
            return await self._answer(core, request, who, address, raw, decoder)
        finally:
            taken.answered()

    async def _answer(
        self,
        core: Core,
        request: Request,
        who: Principal | None,
        address: str,
        raw: bytes,
        decoder: msgspec.json.Decoder[Any] | None,
    ) -> Response:
        body = None
        if decoder:
            try:
                body = read(raw, decoder)
                check_nul(raw)
            except Malformed as error:
                raise wrong(str(error) + packed(request.scope["headers"])) from None
        for name, value in request.path_params.items():
            if not PATH[name].takes(value):
                raise nothing(f"{name} is {value[:40]!r}; expected is {PATH[name].what}")
        for name, parameter in (self.query or {}).items():
            value = request.query_params.get(name)
            if value is not None and not parameter.takes(value):
                raise wrong(f"{name} is {value[:40]!r}; expected is {parameter.what}")
        call = Call(
            core, who, body, raw, request.path_params, request.query_params, address, self.name
        )
        data = await self.handler(call)
        if isinstance(data, Response):
            return data
        if self.writes and not call.audited:
            raise RuntimeError(f"{self.name} writes without the audit trail")
        core.metrics.answered(200)
        return json_response(200, Answer(ReturnCode.OK, "", data))


def packed(headers: Headers) -> str:
    """What is added to why a body cannot be read: that it was said to be packed."""
    for name, value in headers:
        if name == b"content-encoding" and value.lower() != b"identity":
            said = value.decode("latin-1")[:40]
            return f"; Content-Encoding {said!r} is not taken, send it unpacked"
    return ""


async def admitted(core: Core, headers: Mapping[str, str]) -> Principal:
    """Who asks.

    Raises
    ------
    Refused
        If the token is missing or nobody's.
    """
    token = headers.get(TOKEN_HEADER) or headers.get(TOKEN_HEADER_ALSO) or ""
    if not token:
        raise NO_TOKEN
    who = await core.gate.principal(token.encode())
    if who is None:
        raise NO_TOKEN
    return who


class Taken:
    """A body, counted among those under way from its first byte until :meth:`answered`.

    Parameters
    ----------
    core : the worker's.
    sender : who has to answer for its size; None: whoever may not come in yet.
    """

    def __init__(self, core: Core, sender: Hashable) -> None:
        self._most = core.settings.most_body_bytes
        self._sender = sender
        self._size = 0

    async def read(self, receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> bytes:
        """The body, as ASGI gives it.

        Raises
        ------
        Refused
            If it is larger than the limit, breaks off, or there is no room for it just now.
        """
        parts = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise wrong("the body broke off")
            part = message.get("body", b"")
            more = message.get("more_body", False)
            self.add(part)
            parts.append(part)
        return b"".join(parts) if len(parts) > 1 else parts[0]

    def add(self, part: bytes) -> None:
        """Counts a part.

        Raises
        ------
        Refused
            If it is larger than the limit, or there is no room for it just now.
        """
        if self._size + len(part) > self._most:
            what = f"the body is larger than {self._most} bytes; push fewer items at once"
            raise Refused(413, ReturnCode.WRONG_PARAMETER, what)
        try:
            BODIES.take(self._sender, len(part))
        except NoRoom:
            raise FULL from None
        self._size += len(part)

    def answered(self) -> None:
        """It takes no more room."""
        BODIES.give_back(self._sender, self._size)


AWAY = Refused(502, ReturnCode.SERVER_ERROR, "the database is away; nothing was taken, try again")
FULL = Refused(502, ReturnCode.SERVER_ERROR, "too much waits; nothing was taken, try again later")
TOO_FAST = Refused(
    429, ReturnCode.WRONG_PARAMETER, "more events in a second than a vendor may push; come again"
)
FAILED = Refused(500, ReturnCode.SERVER_ERROR, "an error inside the server; it has been logged")


def refused(core: Core, refusal: Refused) -> Response:
    """The answer to a call that is refused."""
    core.metrics.answered(refusal.status)
    response = json_response(refusal.status, Answer(refusal.code, refusal.message))
    if refusal.status in (429, 502, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def json_response(status: int, answer: Answer[Any]) -> Response:
    """An envelope."""
    return Response(_encode(answer), status, media_type="application/json")
