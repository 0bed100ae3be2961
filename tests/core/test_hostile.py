"""Senders, vendor platforms and webhooks that mean harm, or are badly written."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from annexb_support import contacted, core_in, database, registry, until, vendor_of
from connections_support import GET, Few, served_by
from served_support import Served
from test_core_events import event

from twin.alarmcore.annexb.codes import PREFIX
from twin.alarmcore.service.bodies import Bodies, NoRoom
from twin.alarmcore.service.channels import WebhookAdapter
from twin.alarmcore.service.connections import MOST_HEAD_BYTES, Loop
from twin.alarmcore.service.document import document_text
from twin.alarmcore.service.vendor_client import VendorClient, VendorError
from twin.load.siege import TWIN, ServedCore

SOON_S = 20.0
"""On a busy machine."""

MEGABYTE = b" " * 1_000_000
RECEIPT = b'{"receipt":true}'

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


# -- what speaks no HTTP, or does it for ever ----------------------------------------------------


async def said_to(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """All that is answered until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say() -> None:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause_s)

    saying = asyncio.create_task(say())
    heard = b""
    try:
        async with asyncio.timeout(SOON_S):
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(65536):
                    heard += part
    finally:
        saying.cancel()
        writer.close()
    return heard


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ([POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"], "Content-Length"),
        ([POST + b"Content-Length: -1\r\n\r\n"], "Content-Length"),
        ([b"GET /\xff HTTP/1.1\r\n\r\n"], "first line"),
        ([b"\x16\x03\x01\x02\x00\x01"], "not a request"),
        ([POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}"], "Upgrade"),
        ([b"GET / HTTP/1.1\r\nX: ", *[b"a" * 60_000] * 3], f"{MOST_HEAD_BYTES} bytes"),
        ([b"GET /", *[b"a" * 60_000] * 3], f"{MOST_HEAD_BYTES} bytes"),
    ],
)
def test_what_is_no_request_is_answered_as_everything_is(parts: list[bytes], what: str) -> None:
    async def main() -> None:
        async with served_by() as port:
            head, _, body = (await said_to(port, *parts, pause_s=0.05)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"application/json" in head
        told = json.loads(body)
        assert told["code"] == "P01000"
        assert what in told["message"]

    asyncio.run(main())


def test_trailers_without_end_are_not_kept() -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"

    async def main() -> None:
        async with served_by() as port:
            sent = [chunked, *[b"X: " + b"a" * 30_000 + b"\r\n"] * 5]
            assert b"trailers" in await said_to(port, *sent, pause_s=0.05)

    asyncio.run(main())


def test_what_follows_a_request_does_not_spoil_its_answer() -> None:
    async def main() -> None:
        async with served_by(b"here it is") as port:
            heard = await said_to(port, GET + b"NONSENSE\r\n\r\n")
        assert heard.startswith(b"HTTP/1.1 200 ")
        assert b"here it is" in heard
        assert b"400" not in heard

    asyncio.run(main())


def test_a_second_request_comes_whole_as_soon_as_a_first() -> None:
    async def main() -> None:
        async with served_by() as port:
            began = time.monotonic()
            drip = [b"GET / HTTP/1.1\r\nX: ", *[b"a"] * 1000]
            assert (await said_to(port, GET, *drip, pause_s=0.1)).count(b"200 OK") == 1
            assert time.monotonic() - began < SOON_S

    asyncio.run(main())


def test_an_answer_that_nobody_reads_is_let_go() -> None:
    async def main() -> None:
        async with served_by(MEGABYTE * 50) as port:
            with socket.create_connection(("127.0.0.1", port)) as deaf:
                deaf.sendall(GET)
                end = time.monotonic() + SOON_S
                while not Few._by_silence:
                    await asyncio.sleep(0.01)
                while Few._by_silence:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.05)

    asyncio.run(main())


def test_who_leaves_with_requests_under_way_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served_by(MEGABYTE, delay_s=0.5) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET * 5)
            await asyncio.sleep(0.2)
            writer.transport.abort()
            await asyncio.sleep(1.0)

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())
    assert not caplog.records


def test_bodies_are_bounded_for_each_sender_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.alarmcore.service.bodies.MOST_BYTES", 25)
    monkeypatch.setattr("twin.alarmcore.service.bodies.MOST_OF_ONE", 10)
    bodies = Bodies()
    bodies.take("a", 10)
    with pytest.raises(NoRoom):
        bodies.take("a", 1)
    bodies.take("b", 10)
    with pytest.raises(NoRoom):
        bodies.take("c", 6)
    bodies.take("c", 5)
    bodies.give_back("a", 10)
    bodies.take("c", 5)


def test_the_document_is_made_once() -> None:
    assert document_text() is document_text()


def test_a_path_is_not_led_elsewhere(served: Served) -> None:
    answer = served.client.get("/healthz/", headers={"Host": "elsewhere"})
    assert (answer.status_code, answer.json()["code"]) == (404, "L01013")


def test_one_senders_bodies_that_do_not_come_keep_nobody_out(served: Served) -> None:
    """Each has a megabyte on its way; the room of one vendor is 64."""
    head = (
        f"POST {PREFIX}/event HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        f"API_TOKEN: {served.tokens['vendor']}\r\n\r\n"
    ).encode()

    async def main() -> None:
        where = ("127.0.0.1", served.core.port)
        opened = []
        for _ in range(75):
            reader, writer = await asyncio.open_connection(*where, ssl=served.core.trust)
            writer.write(head + MEGABYTE[:-10])
            opened.append((reader, writer))
        first = [asyncio.create_task(reader.readline()) for reader, _ in opened]
        done, _ = await asyncio.wait(first, timeout=SOON_S, return_when=asyncio.FIRST_COMPLETED)
        assert b" 502 " in done.pop().result()
        assert (await asyncio.to_thread(served.push, event("d1", "online"), "other")).is_success
        for task in first:
            task.cancel()
        for _, writer in opened:
            writer.transport.abort()

    asyncio.run(main())


def test_a_message_of_any_id_is_found_again(served: Served) -> None:
    for own in ("a\nb", "a/b\n", "..", "%2f", "?", "#"):
        sent = event("d1", "online", messageId=f"{own} of any id")
        assert served.push(sent).json()["data"]["accepted"] == 1
        found = served.data(f"/core/event/acme/{quote(sent['messageId'], safe='')}")
        assert found["messageId"] == sent["messageId"]


def test_what_is_put_aside_is_told(served: Served) -> None:
    answer = served.push(event("not registered", "online")).json()
    assert answer["data"]["quarantined"] == 1
    assert "not registered" in answer["message"]


PLAIN = '{"deviceId": "小吃店", "venueId": "小吃店", "type": "fire"}'
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("body", "headers", "what"),
    [
        (PLAIN.encode("utf-8-sig"), {}, "byte order mark"),
        (PLAIN.encode("utf-16"), {}, "UTF-16"),
        (PLAIN.encode("utf-16-le"), {}, "UTF-16"),
        (PLAIN.encode("utf-16-be"), {}, "UTF-16"),
        (gzip.compress(PLAIN.encode()), {}, "packed with gzip"),
        (gzip.compress(PLAIN.encode()), GZIP, "Content-Encoding 'gzip' is not taken"),
        (zlib.compress(PLAIN.encode()), {"Content-Encoding": "deflate"}, "'deflate' is not taken"),
        (PLAIN.encode("gbk"), {}, "not UTF-8: "),
        (b"fire!", {}, "not JSON: "),
    ],
    ids=lambda part: part.replace(" ", "-") if isinstance(part, str) else "",
)
def test_what_a_body_is_that_is_no_json_is_said(
    served: Served, body: bytes, headers: dict[str, str], what: str
) -> None:
    headers = {**headers, "API_TOKEN": served.tokens["vendor"]}
    for api, keeps in (("event", True), ("venue", False)):
        answer = served.client.post(f"{PREFIX}/{api}", content=body, headers=headers)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (400, "P01000")
        assert what in told["message"]
        assert ("kept for an operator" in told["message"]) == keeps
    kept = served.data("/core/quarantine?limit=1000")["kept"]
    assert body.decode("utf-8", "backslashreplace") in {
        one["body"] for one in kept if what in one["reason"]
    }


def test_a_body_that_is_json_is_taken_whatever_its_head_says(served: Served) -> None:
    headers = {**GZIP, "API_TOKEN": served.tokens["vendor"]}
    sent = event("d1", "online")
    answer = served.client.post(f"{PREFIX}/event", json=sent, headers=headers)
    assert answer.json()["data"]["accepted"] == 1


# -- a database that hangs -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCore]:
    with core_in(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.mark.parametrize("known", [True, False])
def test_a_push_is_answered_though_the_database_hangs(core: ServedCore, known: bool) -> None:
    """Whether its token is known by heart or has to be looked up."""
    token = core.add_vendor(f"known: {known}".replace(" ", ""))
    headers = {"API_TOKEN": token}
    url = f"{core.url}{PREFIX}/event"
    with httpx.Client(verify=core.trust, headers=headers, trust_env=False, timeout=40) as client:
        assert client.post(url, json=event("d", "fire")).is_success
        if not known:
            core.add_user("new", "operator")  # tokens are looked up anew
        time.sleep(0.5)
        if known:
            assert client.post(url, json=event("d", "fire")).is_success
        stopped = core.backends()
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            answer = client.post(url, json=event("d", "fire"))
            assert answer.status_code == 502, answer.text
            assert answer.headers["Retry-After"]
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        end = time.monotonic() + SOON_S
        while not client.post(url, json=event("d", "fire")).is_success:
            assert time.monotonic() < end


# -- vendor platforms ----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def answering(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers as it likes; yields its URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"


def test_an_answer_that_comes_in_drops_is_not_waited_for(core: ServedCore) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(core.data / "server.crt", core.data / "server.key")

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _k in range(200):
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    async def main() -> None:
        async with answering(drip, tls) as url, VendorClient(url, "t", core.trust, 0.5) as client:
            with pytest.raises(VendorError, match="no answer in time"):
                async with asyncio.timeout(10):
                    await client.get("getProjectCount")

    asyncio.run(main())


def test_what_a_vendor_says_can_be_kept(core: ServedCore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\0" not in str(VendorError("500 a\0b"))

    async def main() -> None:
        client = VendorClient("https://127.0.0.1", "t", core.trust, 1.0)

        async def fetched(*_: Any) -> tuple[int, bytes]:
            return 200, rb'{"code": "000000", "data": {"items": [], "total": 1, "next": "\u0000"}}'

        monkeypatch.setattr(client, "_fetch", fetched)
        with pytest.raises(VendorError, match="NUL"):
            await client.page("getProjectList", "")

    asyncio.run(main())


@pytest.mark.parametrize(("page", "what"), [(0, "an empty page"), (500, "the list goes on")])
def test_a_list_without_end_is_left(core: ServedCore, page: int, what: str) -> None:
    name = f"endless{page}"

    async def main() -> None:
        async with vendor_of(core, name, registry()) as vendor, database(core) as db:
            await contacted(db, name)
            vendor.trouble.endless = page
            await vendor.push("pushProject", vendor.data.projects)
            told = "SELECT pull_error FROM vendor WHERE name = $1 AND pull_error LIKE $2"
            await until(lambda: db.fetchval(told, name, f"%{what}%"))
            vendor.trouble.endless = None
            done = "SELECT pull_failures = 0 AND pull_error IS NULL FROM vendor WHERE name = $1"
            await until(lambda: db.fetchval(done, name))

    asyncio.run(main())


# -- receivers of notifications ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "body", "times", "what"),
    [
        (b"200 OK", MEGABYTE, 1000, "more than 65536 bytes"),
        (b"200 OK\r\nContent-Encoding: gzip", gzip.compress(MEGABYTE * 10, 1) * 50, 1, "more than"),
        (b"302 Found\r\nLocation: http://127.0.0.1:1/", b"", 0, "answered 302$"),
        (b"500 Oops", b"secret", 1, "answered 500$"),
    ],
)
def test_what_a_receiver_answers_is_bounded(
    head: bytes, body: bytes, times: int, what: str
) -> None:
    sent = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 " + head + b"\r\nConnection: close\r\n\r\n")
        for _k in range(times):
            writer.write(body)
            await writer.drain()
            sent += len(body)

    async def main() -> None:
        async with answering(answer) as url:
            adapter = WebhookAdapter(f"{url}/voice?key=hidden")
            with pytest.raises(RuntimeError, match=what) as error:
                await adapter.deliver({"key": "east-1"})
            assert "hidden" not in str(error.value)
        assert sent < 50_000_000

    asyncio.run(main())


@pytest.mark.parametrize("kept", [0, 1])
def test_a_connection_that_breaks_is_tried_once_more_at_once(kept: int) -> None:
    """A receiver answers so many messages of a connection, and ends it at the next one."""
    keys: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for left in range(kept, -1, -1):
            if left != kept:
                await reader.readuntil(b"\r\n\r\n")
            keys.append(json.loads(await reader.readuntil(b"}"))["key"])
            if left:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + RECEIPT)

    async def main() -> None:
        async with answering(answer) as url:
            adapter = WebhookAdapter(url)
            for number in range(3 * kept):
                assert await adapter.deliver({"key": f"east-{number}"})
            if not kept:
                with pytest.raises(httpx.RemoteProtocolError):
                    await adapter.deliver({"key": "east-0"})

    asyncio.run(main())
    # Each but the first one found the connection of the one before.
    assert keys == (["east-0", "east-1", "east-1", "east-2", "east-2"] if kept else ["east-0"] * 2)


def test_an_answer_nested_without_end_is_no_receipt() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"[" * 60_000)

    async def main() -> None:
        async with answering(answer) as url:
            assert await WebhookAdapter(url).deliver({"key": "east-1"}) is False

    asyncio.run(main())


# -- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("core export --data {core} --out {core}/none/x.parquet", "folder does not exist"),
        ("core export --data {core} --out {new}/x.parquet --from 2026", "--from"),
        ("core export --data {new}/misspelt --out {new}/x.parquet", "no data folder"),
        ("core backup --data {new}/misspelt --out {new}/x.backup", "no data folder"),
        ("core backup --data {core} --out {new}/none/x.backup", "folder does not exist"),
        ("core vendor add http --data {core} --url http://127.0.0.1", "https://host:port"),
        ("core vendor add none --data {core} --url https://[::1", "https://host:port"),
        ("vendor serve {serve} --port 99999", "--port is 99999"),
        ("vendor serve {serve} --port {used}", "another --host or --port"),
        ("vendor serve {serve} --certificate {new}/none", "not a certificate and its key"),
    ],
)
def test_what_a_user_got_wrong_is_said(
    core: ServedCore, tmp_path: Path, words: str, what: str
) -> None:
    (tmp_path / "fleet.json").write_text("{}")
    (tmp_path / "credentials.json").write_text('{"appkey": "a", "masterSecret": "b"}')
    own = f"--certificate {core.data}/server.crt --key {core.data}/server.key"
    serve = (
        f"--data {tmp_path}/fleet.json --credentials {tmp_path}/credentials.json "
        f"--core {core.url} {own}"
    )
    command = words.format(core=core.data, new=tmp_path, serve=serve, used=core.port).split()
    told = subprocess.run([*TWIN, *command], capture_output=True, text=True, check=False)
    assert told.returncode == 2, told.stderr
    assert what in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "misspelt").exists()
