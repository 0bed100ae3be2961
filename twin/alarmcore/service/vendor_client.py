"""Calling a vendor platform's APIs: one GET at a time, with limits on time and size."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from twin.alarmcore.annexb.apis import BY_NAME
from twin.alarmcore.annexb.codes import PREFIX, TOKEN_HEADER, ReturnCode
from twin.alarmcore.annexb.messages import Answer, Malformed, Page, read

PAGE = 500
"""Items asked for at once: some 200 kB, stored in some 50 ms (assumption)."""

MOST_BYTES = 16_000_000
"""The largest answer that is read: 1000 items of every field at its limit."""


class VendorError(Exception):
    """A vendor platform that does not answer as Annex B has it.

    Parameters
    ----------
    message : what it did.
    status : of its answer; 0: it gave none, or one that cannot be read.
    code : the envelope's.
    """

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message.replace("\0", "?"))  # what a vendor says is kept as text
        self.status = status
        self.code = code

    @property
    def absent(self) -> bool:
        """It says that there is no such thing, or that it does not serve such a call."""
        return self.status in (404, 405) or self.code in (
            ReturnCode.NO_RESULT,
            ReturnCode.WRONG_PATH,
        )


class VendorClient:
    """A vendor platform, as the on-site platform calls it.

    Parameters
    ----------
    url : of the platform, with or without the prefix of Annex B; https.
    token : presented with every call.
    tls : what its certificate is checked against.
    timeout_s : how long one answer may take.
    """

    def __init__(self, url: str, token: str, tls: ssl.SSLContext, timeout_s: float) -> None:
        base = url.rstrip("/").removesuffix(PREFIX)
        if not base.startswith("https://"):
            raise VendorError(f"its URL is {url}; https is expected (B.2.1)")
        self._base = base + PREFIX
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            verify=tls,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            headers={TOKEN_HEADER: token, "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=8),
            trust_env=False,  # a token goes to the vendor and to nobody in between
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

    def present(self, token: str) -> None:
        """Presents another token from now on."""
        self._client.headers[TOKEN_HEADER] = token

    async def get(self, api: str, **query: str) -> Any:
        """``data`` of an API's answer, by the API's English name.

        Raises
        ------
        VendorError
        """
        return await self._get(api, BY_NAME[api].answer, query)

    async def page(self, api: str, after: str, **query: str) -> Page[msgspec.Raw]:
        """A page of a list whose items are not read yet, so that a bad one spoils no other.

        Raises
        ------
        VendorError
        """
        given = {**query, "limit": str(PAGE), **({"after": after} if after else {})}
        page: Page[msgspec.Raw] = await self._get(api, Page[msgspec.Raw], given)
        if page.next is not None and page.next == after:
            raise VendorError(f"{api}: the page after {after!r} points to itself")
        if page.next is not None and "\0" in page.next:
            raise VendorError(f"{api}: the next page's name has a NUL character")
        return page

    async def _get(self, api: str, kind: Any, query: dict[str, str]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                status, body = await self._fetch(BY_NAME[api].path, query)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise VendorError(f"{api}: no answer in time") from error
        except httpx.HTTPError as error:
            raise VendorError(f"{api}: {error or type(error).__name__}") from error
        if status != 200:
            told = _told(body)
            raise VendorError(
                f"{api}: {status} {told.code} {told.message[:200]}".rstrip(), status, told.code
            )
        try:
            answer = read(body, _answer(kind))
        except Malformed as error:
            raise VendorError(f"{api}: an answer that is none of Annex B: {error}") from error
        if answer.code != ReturnCode.OK:
            raise VendorError(
                f"{api}: {answer.code} {answer.message[:200]}".rstrip(), status, answer.code
            )
        if answer.data is None:
            raise VendorError(f"{api}: an answer without data")
        return answer.data

    async def _fetch(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        parts, size = [], 0
        async with self._client.stream("GET", self._base + path, params=query) as answer:
            async for part in answer.aiter_raw():
                size += len(part)
                if size > MOST_BYTES:
                    raise VendorError(f"{path}: an answer of more than {MOST_BYTES} bytes")
                parts.append(part)
        return answer.status_code, b"".join(parts)


@cache
def _answer(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Answer[kind])


def _told(body: bytes) -> Answer[Any]:
    try:
        told: Answer[Any] = read(body, _answer(Any))
    except Malformed:
        return Answer("")
    return told
