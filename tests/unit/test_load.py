"""The driver against a server whose behaviour is known, the account against read-backs made up."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("uvloop", reason="the driver needs the extra core: pip install -e '.[core]'")

from twin.load.account import Account
from twin.load.driver import NO_ANSWER, Target, drive
from twin.load.procedure import _fault, _rounds
from twin.load.traffic import Event, Mix, encode, events, pushes, trace

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n' + (
    b'{"code":"000000","data":{"accepted":1,"repeated":0,"quarantined":0}}   '
)  # fmt: skip
FULL = b"HTTP/1.1 502 Bad Gateway\r\nretry-after: 2\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def server(answer: Callable[[int], bytes | None]) -> Iterator[Target]:
    """Answers the n-th request; None: it hangs up."""
    numbers = iter(range(1_000_000))
    lock = threading.Lock()

    def serve(connection: socket.socket) -> None:
        with closing(connection):
            raw = b""
            while True:
                try:
                    part = connection.recv(65536)
                except OSError:
                    return
                if not part:
                    return
                raw += part
                if raw.endswith(b"END"):
                    raw = b""
                    with lock:
                        told = answer(next(numbers))
                    if told is None:
                        return
                    # In two pieces: an answer may come in any.
                    connection.sendall(told[:20])
                    connection.sendall(told[20:])

    def listen() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=listen, daemon=True).start()
        yield Target(f"http://127.0.0.1:{listening.getsockname()[1]}/event", "token")
        listening.shutdown(socket.SHUT_RDWR)


def test_every_request_is_answered_once() -> None:
    with server(lambda n: FULL if n % 3 == 0 else OK) as target:
        load = drive(target, [b"END"] * 300, connections=7)
    assert np.bincount(load.status, minlength=503)[[200, 502]].tolist() == [200, 100]
    assert load.retry_after.sum() == 100
    assert set(load.body) == {OK[-71:], b"{}"}


def test_a_broken_connection_is_no_answer_and_is_opened_again() -> None:
    with server(lambda n: None if n % 10 == 0 else OK) as target:
        load = drive(target, [b"END"] * 50, connections=3)
    assert (load.status == NO_ANSWER).sum() == 5
    assert (load.status == 200).sum() == 45
    assert len(load.was_sent) == 50


def test_a_stall_is_charged_to_all_that_were_due_in_it() -> None:
    # 1,000 a second for a second over 4 connections; the server stands still for half of it.
    def answer(number: int) -> bytes:
        if number == 100:
            time.sleep(0.5)
        return OK

    due = np.arange(1000) / 1000.0
    with server(answer) as target:
        load = drive(target, [b"END"] * 1000, connections=4, due=due)
    # Half of the requests fall due while it stands; their waits run evenly from 0.5 s to 0, so a
    # quarter of all waits for more than 0.25 s. A closed loop would show 4 slow answers.
    slow = (load.answered - load.due > 0.25).mean()
    assert 0.2 < slow < 0.5
    assert load.latency().p99 > 0.4


def test_token_and_length_are_sent() -> None:
    request = Target("http://127.0.0.1:1/a/b", "secret").request("火".encode())
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a/b HTTP/1.1\r\n")
    assert b"API_TOKEN: secret" in head
    assert b"Content-Length: 3" in head
    assert body == "火".encode()


# -- the account ----------------------------------------------------------------------------------


def entry(event: Event) -> dict[str, object]:
    return {"messageId": event["messageId"], "event": dict(event)}


def settled() -> tuple[Account, list[Event]]:
    """Ten messages sent one by one: the last is refused, the one before has no answer."""
    made = events(10, ["d"], 1)
    with server(lambda n: OK if n < 8 else None if n == 8 else FULL) as target:
        load = drive(target, [b"END"] * 10, connections=1)
    account = Account()
    account.settle([[event] for event in made], load)
    return account, made


def test_account_is_even_whether_the_unanswered_is_there_or_not() -> None:
    account, made = settled()
    assert (len(account.acknowledged), account.unanswered) == (8, 1)
    account.read_back(entry(event) for event in made[:8])
    assert account.findings().ok
    account.read_back([entry(made[8])])
    findings = account.findings()
    assert findings.ok
    assert findings.unanswered_present == 1
    assert account.unacknowledged == made[8:]


def test_account_finds_lost_duplicated_changed_and_strange() -> None:
    account, made = settled()
    changed = entry(made[1])
    changed["event"] = {**made[1], "deviceId": "another"}
    stranger = entry({**made[0], "messageId": "stranger"})
    account.read_back([changed, entry(made[2]), entry(made[2]), stranger])
    account.read_back(entry(event) for event in made[3:8])
    findings = account.findings()
    assert not findings.ok
    assert findings.lost == (made[0]["messageId"],)
    assert findings.changed == (made[1]["messageId"],)
    assert findings.duplicated == (made[2]["messageId"],)
    assert findings.strange == ("stranger",)


# -- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "misses", "is_open", "now", "fault"),
    [
        (4.0, [], False, 100.0, ""),
        (None, [5.1], False, 100.0, ""),
        (7.0, [5.1], False, 100.0, ""),
        (None, [], True, 4.0, ""),
        (None, [5.1, 9.0], False, 100.0, "missed 2 times"),
        (None, [3.0], False, 100.0, "before its time"),
        (None, [], False, 100.0, "forgotten"),
        (None, [], True, 100.0, "still open"),
        (4.0, [5.1], False, 100.0, "although the answer came in time"),
        (7.0, [], False, 100.0, "not recorded as missed"),
        (None, [5.1], True, 100.0, "missed and still open"),
    ],
)
def test_faults_of_a_deadline_of_five_seconds(
    answered: float | None, misses: list[float], is_open: bool, now: float, fault: str
) -> None:
    told = _fault(5.0, answered, misses, is_open, now, up=0.0, grace_s=2.0)
    assert fault in told
    assert bool(told) == bool(fault)


def test_a_reopened_alarm_has_two_rounds() -> None:
    rows = [
        {"kind": "fire_alarm", "time": 0.0, "text": "fire"},
        {"kind": "responded", "time": 2.0, "text": ""},
        {"kind": "reopened", "time": 50.0, "text": ""},
        {"kind": "deadline_missed", "time": 55.0, "text": "respond"},
    ]
    assert _rounds(rows, "respond", "responded") == [
        (0.0, 2.0, [], False),
        (50.0, None, [55.0], True),
    ]


# -- traffic --------------------------------------------------------------------------------------


def test_events_have_the_mix_and_length_that_is_asked_for() -> None:
    made = events(20_000, [f"smoke-{n:06d}" for n in range(100)], 7, Mix(fire=0.05, fault=0.15))
    kinds = [event["type"] for event in made]
    # Within four standard deviations of the binomial.
    assert kinds.count("fire") == pytest.approx(1000, abs=4 * (20_000 * 0.05 * 0.95) ** 0.5)
    assert kinds.count("fault") == pytest.approx(3000, abs=4 * (20_000 * 0.15 * 0.85) ** 0.5)
    assert len({event["messageId"] for event in made}) == 20_000
    assert 300 <= sum(len(encode(event)) for event in made) / 20_000 <= 450
    assert [len(part) for part in pushes(made[:250], 100)] == [100, 100, 50]


def test_a_trace_without_its_columns_says_so(tmp_path: Path) -> None:
    path = tmp_path / "day.csv.gz"
    path.write_bytes(gzip.compress(b"time,count\n2020-12-28 00:00:00,8\n"))
    with pytest.raises(ValueError, match=r"messages_without_alarms are needed, found time, count"):
        trace(path, 0.0, 10.0, 1.0, 1)
