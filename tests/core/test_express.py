"""Pushes that come whole take another way than those that come in pieces; nobody can tell which."""

from __future__ import annotations

import json
import socket
import time
from http.client import parse_headers
from typing import Any

import pytest
from served_support import Served
from test_core_events import event

from twin.alarmcore.annexb.codes import PREFIX


class Line:
    """A connection on which requests are written as bytes."""

    def __init__(self, served: Served) -> None:
        plain = socket.create_connection(("127.0.0.1", served.core.port), timeout=20)
        self._socket = served.core.trust.wrap_socket(plain, server_hostname="127.0.0.1")
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *parts: bytes) -> None:
        """Each part by itself."""
        for part in parts:
            self._socket.sendall(part)
            time.sleep(0.05)

    def answer(self) -> tuple[int, dict[str, Any], bool]:
        """Status, body, and whether the connection stays."""
        status = int(self._answers.readline().split()[1])
        headers = parse_headers(self._answers)
        assert headers["content-type"] == "application/json"
        body = json.loads(self._answers.read(int(headers["content-length"])))
        return status, body, headers["connection"] != "close"

    def ended(self) -> bool:
        """Whether the other side has closed."""
        return self._answers.read(1) == b""


def request(served: Served, body: bytes, token: str = "vendor", *more: str) -> tuple[bytes, bytes]:
    """Head and body of a push."""
    lines = [f"POST {PREFIX}/event HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"API_TOKEN: {served.tokens.get(token, token)}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(), body


def state() -> bytes:
    return json.dumps(event("d1", "state")).encode()


@pytest.mark.parametrize(
    ("body", "token", "status", "code"),
    [
        (None, "vendor", 200, "000000"),
        (b"{", "vendor", 400, "P01000"),
        (b"", "vendor", 400, "P01000"),
        (None, "operator", 401, "P02001"),
        (None, "nobody's", 401, "P02001"),
    ],
)
def test_whole_or_in_pieces_the_answer_is_the_same(
    served: Served, body: bytes | None, token: str, status: int, code: str
) -> None:
    told = []
    for cut in (0, 5, -1, -1, 5, 0):  # the head is known from the first whole one on
        head, sent = request(served, state() if body is None else body, token)
        with Line(served) as line:
            if cut < 0 or not sent:
                line.send(head + sent)
            elif cut:
                line.send(head + sent[:cut], sent[cut:])
            else:
                line.send(head[:30], head[30:], sent)
            told.append(line.answer())
            head, sent = request(served, state())
            line.send(head + sent)  # the connection is as good as before
            assert line.answer()[0] == 200
    assert told == [told[0]] * 6
    assert told[0][0] == status
    assert told[0][1]["code"] == code


def test_requests_in_one_piece_are_answered_in_their_order(served: Served) -> None:
    first, second, third, fourth = (b"".join(request(served, state())) for _ in range(4))
    with Line(served) as line:
        line.send(first)
        line.send(second + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + third + fourth)
        answers = [line.answer()[:2] for _ in range(5)]
    assert [status for status, _ in answers] == [200] * 5
    assert ["accepted" in body["data"] for _, body in answers] == [True, True, False, True, True]


def test_a_known_head_with_a_token_that_has_ended_lets_nobody_in(served: Served) -> None:
    appkey, secret = served.core.register_vendor("brief")

    def token() -> str:
        keys = {"appkey": appkey, "masterSecret": secret}
        told = served.client.post(f"{PREFIX}/auth/getToken", json=keys).json()
        return str(told["data"]["token"])

    push = b"".join(request(served, state(), token()))
    with Line(served) as line:
        for _ in range(3):
            line.send(push)
            assert line.answer()[0] == 200
        token()
        line.send(push)
        status, body, _ = line.answer()
    assert (status, body["code"]) == (401, "P02001")


def test_every_body_of_a_known_head_is_its_own(served: Served) -> None:
    with Line(served) as line:
        for number in range(20):
            made = json.dumps(event("d1", "state", messageId=f"own-{number:03d}")).encode()
            line.send(b"".join(request(served, made)))
            assert line.answer()[1]["data"] == {"accepted": 1, "repeated": 0, "quarantined": 0}
    for number in range(20):
        stored = served.data(f"/core/event/acme/own-{number:03d}")
        assert stored["event"]["messageId"] == f"own-{number:03d}"


def test_a_connection_that_is_to_close_does(served: Served) -> None:
    head, body = request(served, state(), "vendor", "Connection: close")
    with Line(served) as line:
        line.send(head + body)
        status, _, stays = line.answer()
        assert (status, stays) == (200, False)
        assert line.ended()


def test_a_body_in_chunks_is_one(served: Served) -> None:
    body = state()
    head = request(served, body)[0].replace(
        f"Content-Length: {len(body)}".encode(), b"Transfer-Encoding: chunked"
    )
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    with Line(served) as line:
        line.send(head + chunks + b"0\r\n\r\n")
        status, told, _ = line.answer()
    assert (status, told["data"]["accepted"]) == (200, 1)
