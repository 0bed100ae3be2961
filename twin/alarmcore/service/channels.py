"""Adapters: how a message is handed to a channel, a file or a receiver over HTTP."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from twin.alarmcore.annexb.codes import PREFIX, TOKEN_HEADER, ReturnCode
from twin.alarmcore.service.config import CoreSettings, Upstream
from twin.alarmcore.service.puller import trust

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
"""How long a delivery waits for its receiver, from the first byte to the last (assumption)."""

MOST_ANSWER_BYTES = 65_536
"""Of what a receiver answers (assumption); a receipt has twenty."""

FORWARD = "forward"
"""Kind and channel of what goes to the central platform (4.3)."""

UNSENT = "unsent.jsonl"
"""Where messages of a channel go that core.toml does not name; nobody has them then."""


class Adapter(Protocol):
    """Hands a message to a channel."""

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Delivers; True: the receiver has it and a receipt came with the answer.

        Raises
        ------
        Exception
            Whatever kept it from being delivered; it is tried again.
        """
        ...


class FileAdapter:
    """Appends messages to a file, one JSON object a line: for development.

    Parameters
    ----------
    path : the file.
    receipts : whether what is in the file has reached somebody.
    """

    def __init__(self, path: Path, *, receipts: bool = True) -> None:
        self._path = path
        self._receipts = receipts

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Appends a line."""
        return self.append([message])

    def append(self, messages: Iterable[Mapping[str, Any]]) -> bool:
        """Appends a line for each, all at once."""
        lines = b"".join(msgspec.json.encode(message) + b"\n" for message in messages)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(handle, lines) < len(lines):
                raise OSError(f"{self._path} takes no more")
        finally:
            os.close(handle)
        return self._receipts


async def _posted(
    client: httpx.AsyncClient,
    url: str,
    message: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """What a receiver answers to a message.

    It is tried twice where the connection breaks: a receiver may end a kept one in the moment in
    which it is used again, and the message's key is the same.

    Raises
    ------
    RuntimeError
        If it does not take it (any status but 2xx; its URL, which may hold a secret, is not told),
        or answers without end.
    """
    import httpx

    # A packed answer of a few bytes may be of any size.
    given = {"Accept-Encoding": "identity", **(headers or {})}
    try:
        return await _posted_once(client, url, message, given)
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        return await _posted_once(client, url, message, given)


async def _posted_once(
    client: httpx.AsyncClient, url: str, message: Mapping[str, Any], headers: Mapping[str, str]
) -> bytes:
    async with client.stream("POST", url, json=message, headers=headers) as answer:
        if not answer.is_success:
            raise RuntimeError(f"the receiver answered {answer.status_code}")
        body = b""
        async for part in answer.aiter_raw():
            body += part
            if len(body) > MOST_ANSWER_BYTES:
                raise RuntimeError(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
    return body


class WebhookAdapter:
    """POSTs messages to a URL. An answer ``{"receipt": true}`` is the receipt; else it comes later.

    Parameters
    ----------
    url : of the gateway of the channel.
    """

    def __init__(self, url: str) -> None:
        import httpx

        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """POSTs; any status but 2xx is a failure."""
        body = await _posted(self._client, self._url, message, {"Idempotency-Key": message["key"]})
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return False
        return isinstance(told, dict) and told.get("receipt") is True


class UpstreamAdapter:
    """Tells a central platform of alarms as a vendor platform would: API 22 (4.3).

    Parameters
    ----------
    upstream : where it is.
    folder : in which a relative ``trust`` is looked for.

    Raises
    ------
    CoreError
        If the file ``trust`` cannot be used.
    """

    def __init__(self, upstream: Upstream, folder: Path) -> None:
        import httpx

        self._url = f"{upstream.url.rstrip('/').removesuffix(PREFIX)}{PREFIX}/event"
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            headers={TOKEN_HEADER: upstream.token},
            verify=trust(upstream.trust, folder),
            trust_env=False,  # a token goes to the platform and to nobody in between
        )

    async def deliver(self, message: Mapping[str, Any]) -> bool:
        """Pushes an event; success is status 200 and ``000000``."""
        at = datetime.fromtimestamp(message["time"], UTC).isoformat()
        body = await _posted(
            self._client,
            self._url,
            {
                "messageId": message["key"][-64:],
                "deviceId": _short(message["venue"] or "?"),
                # A confirmation is no further alarm.
                "type": "operation" if message["stage"] == "confirmed" else "fire",
                "time": at,
                "phase": "end" if message["stage"] == "closed" else "begin",
                "category": message["category"],
                "what": f"{message['stage']}: {message['place'] or ''}"[:200],
                "value": message["grade"],
            },
        )
        told = json.loads(body)
        if told.get("code") != ReturnCode.OK:
            raise RuntimeError(f"{told.get('code')}: {told.get('message')}")
        return True


def _short(name: str) -> str:
    """A name that fits an id of Annex B, and is no other's."""
    if len(name) <= 64:
        return name
    return f"{name[:47]}#{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"


def adapter_of(channel: str, settings: CoreSettings, folder: Path) -> Adapter:
    """The adapter of a channel.

    Parameters
    ----------
    channel : its name.
    settings : of the service.
    folder : where file adapters write.

    Raises
    ------
    CoreError
        If the settings of the central platform cannot be used.
    """
    if channel == FORWARD and settings.upstream is not None:
        return UpstreamAdapter(settings.upstream, folder)
    where = settings.channels.get(channel)
    if where is None:
        return FileAdapter(folder / UNSENT, receipts=False)
    if where.startswith("file:"):
        return FileAdapter(folder / where.removeprefix("file:"))
    return WebhookAdapter(where)
