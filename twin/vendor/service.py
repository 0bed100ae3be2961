"""A vendor platform that speaks Annex B: serves its APIs, and pushes to an on-site platform.

For tests, and for whoever integrates with an on-site platform or a vendor platform of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twin.alarmcore.annexb.apis import BY_NAME, EVERY, GET_TOKEN, Api, Side
from twin.alarmcore.annexb.codes import (
    PREFIX,
    RETRY,
    TOKEN_HEADER,
    TOKEN_HEADER_ALSO,
    ReturnCode,
)
from twin.alarmcore.annexb.messages import (
    BATCH,
    Answer,
    Count,
    Credentials,
    Malformed,
    Page,
    Token,
    read,
)
from twin.vendor.registry import VendorData, entries, page_of, single

_encode = msgspec.json.Encoder().encode

PUSH_TRIES = 6
"""A push that the on-site platform is too busy for is repeated so often (assumption)."""


class PushRefused(Exception):
    """The on-site platform does not take a push; says what it answered.

    Parameters
    ----------
    status : HTTP status; 0: there was no answer.
    code, message : of the envelope.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code} {message}".strip())
        self.status = status
        self.code = code


@dataclass
class Trouble:
    """What goes wrong at a vendor platform, for tests; nothing by default.

    Parameters
    ----------
    delay_s : how long every answer takes.
    failures : so many calls from now on are answered with 500.
    cut : lists end after so many entries and do not say so.
    garbage : answers are no JSON.
    endless : pages of so many entries, one after the other for ever.
    """

    delay_s: float = 0.0
    failures: int = 0
    cut: int | None = None
    garbage: bool = False
    endless: int | None = None


@dataclass
class VendorPlatform:
    """A vendor platform.

    Parameters
    ----------
    data : what it has.
    core : URL of the on-site platform.
    appkey, secret : what the on-site platform's operator gave.
    tls : what the on-site platform's certificate is checked against; None: the system's.
    token : the token it holds; :meth:`get_token` gets one.
    trouble : what goes wrong.
    calls : names of the APIs that were called, in order.
    """

    data: VendorData
    core: str
    appkey: str
    secret: str
    tls: ssl.SSLContext | None = None
    token: str = ""
    trouble: Trouble = field(default_factory=Trouble)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._renewing = asyncio.Lock()
        self._client = httpx.AsyncClient(
            verify=self.tls or ssl.create_default_context(), timeout=30.0, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    # -- pushing -----------------------------------------------------------------------------------

    async def get_token(self) -> str:
        """Gets a token, which ends the one before (B.4.1)."""
        answer = await self._post(GET_TOKEN, Credentials(self.appkey, self.secret))
        self.token = msgspec.convert(answer, Token).token
        return self.token

    async def push(self, api: str, items: Any) -> Any:
        """Pushes one item or a list of up to 1000 by an API's English name; ``data`` of the answer.

        A platform that is full, away or upgrading is asked again, later each time. Where the token
        has ended, because somebody else got a new one (B.4.1), this gets another, once.

        Raises
        ------
        PushRefused
            If it does not take it.
        """
        used = self.token
        try:
            return await self._post(BY_NAME[api], items)
        except PushRefused as refused:
            if (refused.status, refused.code) != (401, ReturnCode.NO_RIGHT):
                raise
        async with self._renewing:
            if self.token == used:  # else another push has got one meanwhile
                await self.get_token()
        return await self._post(BY_NAME[api], items)

    async def _post(self, api: Api, body: Any) -> Any:
        refused = PushRefused(0, "", "")
        for attempt in range(PUSH_TRIES):
            if attempt:
                await asyncio.sleep(0.1 * 2**attempt)
            try:
                answer = await self._client.post(
                    self.core.rstrip("/") + PREFIX + api.path,
                    content=_encode(body),
                    headers={TOKEN_HEADER: self.token, "Content-Type": "application/json"},
                )
            except httpx.HTTPError as error:
                refused = PushRefused(0, "", str(error) or type(error).__name__)
                continue
            told = _told(answer.content)
            if answer.status_code == 200 and told.code == ReturnCode.OK:
                return told.data
            refused = PushRefused(answer.status_code, told.code, told.message)
            if answer.status_code not in RETRY:
                break
        raise refused

    # -- serving -----------------------------------------------------------------------------------

    @property
    def app(self) -> Starlette:
        """The ASGI application: every API that a vendor platform serves."""
        served = [api for api in EVERY if api.side is Side.VENDOR]
        return Starlette(
            routes=[
                Route(PREFIX + api.path, self._serving(api), methods=["GET"]) for api in served
            ],
            exception_handlers={404: _no_path, 405: _no_path},
        )

    def _serving(self, api: Api) -> Any:
        async def serve(request: Request) -> Response:
            self.calls.append(api.name)
            trouble = self.trouble
            if trouble.delay_s:
                await asyncio.sleep(trouble.delay_s)
            if trouble.failures > 0:
                trouble.failures -= 1
                return _answer(500, ReturnCode.SERVER_ERROR, "in trouble")
            if trouble.garbage:
                return Response(b'{"code": "000000", "data": {', media_type="application/json")
            headers = request.headers
            given = headers.get(TOKEN_HEADER) or headers.get(TOKEN_HEADER_ALSO)
            if not self.token or given != self.token:
                return _answer(401, ReturnCode.NO_RIGHT, "no API_TOKEN, or one that has ended")
            try:
                data = self._data(api, request)
            except Malformed as error:
                return _answer(400, ReturnCode.WRONG_PARAMETER, str(error))
            if data is None:
                return _answer(200, ReturnCode.NO_RESULT, "there is no such thing")
            return _answer(200, ReturnCode.OK, "", data)

        return serve

    def _data(self, api: Api, request: Request) -> Any:
        query = {name: request.query_params.get(name, "") for name in api.query}
        for name, value in query.items():
            if not value:
                raise Malformed(f"{name} is missing")
        if not api.paged and api.answer is not Count:
            return single(self.data, api.name, query)
        found = entries(self.data, api.name, query)
        if api.answer is Count:
            return Count(len(found))
        limit = request.query_params.get("limit", str(BATCH))
        if not limit.isdecimal() or not 1 <= int(limit) <= BATCH:
            raise Malformed(f"limit is {limit!r}; a whole number from 1 to {BATCH} is expected")
        after = request.query_params.get("after", "")
        page: Page[Any] = page_of(found, after, int(limit))
        if self.trouble.endless is not None:
            again = [one for _, one in found] * self.trouble.endless
            return Page(again[: self.trouble.endless], page.total, f"{after}x")
        cut = self.trouble.cut
        if cut is not None and len(found) > cut:
            return Page(page.items[:cut], page.total, None)
        return page


async def _no_path(_: Request, __: Exception) -> Response:
    return _answer(404, ReturnCode.WRONG_PATH, "there is nothing at this path")


def _answer(status: int, code: ReturnCode, message: str, data: Any = None) -> Response:
    return Response(_encode(Answer(code, message, data)), status, media_type="application/json")


def _told(body: bytes) -> Answer[Any]:
    try:
        told: Answer[Any] = read(body, msgspec.json.Decoder(Answer[Any]))
    except Malformed:
        return Answer("")
    return told


@contextlib.asynccontextmanager
async def serving(
    platform: VendorPlatform, certificate: Path, key: Path, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serves a platform over HTTPS while the context lasts; yields its URL.

    Parameters
    ----------
    certificate, key : PEM files.
    host, port : where it listens; 0: any free port.

    Raises
    ------
    OSError
        If it cannot listen there, or not with these files.
    """
    import uvicorn

    # Named as TCP, or asyncio leaves Nagle's algorithm on: every answer would take 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen()
    server = uvicorn.Server(
        uvicorn.Config(
            platform.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise OSError("the server does not start")
            await asyncio.sleep(0.01)
        yield f"https://{host}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listening.close()
