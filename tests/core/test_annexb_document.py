"""The APIs as data and the published document, against table B.3 of the standard itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from twin.alarmcore.annexb import openapi
from twin.alarmcore.annexb.apis import APIS, EVERY, EXTENSIONS, Side
from twin.alarmcore.annexb.codes import MEANINGS, STATUSES
from twin.alarmcore.annexb.messages import EVENTS, Deletion, Malformed, decoder, instant, read

ROOT = Path(__file__).parents[2]
STANDARD = ROOT / "../shared/seeds/001_f8ef91644a426880.txt"


@pytest.fixture(scope="module")
def standard() -> str:
    if not STANDARD.exists():
        pytest.skip(f"the standard's text is not at {STANDARD}; put it there to compare with it")
    return STANDARD.read_text("utf-8")


def test_apis_are_those_of_table_b3(standard: str) -> None:
    rows = re.findall(
        r"^(\d+)\t(.+?)\t(现场端平台|企业平台)发起(?:请求|推送) (GET|POST)$", standard, re.M
    )
    caller = {Side.VENDOR: "现场端平台", Side.CORE: "企业平台"}
    ours = [(str(api.number), api.name_zh, caller[api.side], api.method) for api in APIS]
    assert len(ours) == 22
    assert ours == rows


def test_codes_are_those_of_table_b2(standard: str) -> None:
    table = standard[standard.index("表 B.2 返回码") :]
    rows = re.findall(r"^([0-9LP]\d{5})\t(.+)$", table, re.M)
    assert [(code.value, zh) for code, (zh, _) in MEANINGS.items()] == rows


def test_statuses_are_those_of_table_b1(standard: str) -> None:
    rows = re.findall(r"^(\d{3})\t(\S+)\t", standard, re.M)
    assert list(STATUSES) == [int(status) for status, _ in rows]
    for status, text in rows[1:]:
        assert STATUSES[int(status)].startswith(text)


@pytest.mark.parametrize("side", [None, *Side])
def test_document_is_valid(side: Side | None) -> None:
    validate(openapi.document(side))


def test_document_has_every_api_once() -> None:
    paths = openapi.document()["paths"]
    found = {
        (path, method.upper()): operation["operationId"]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert found == {(api.path, api.method): api.name for api in EVERY}
    marked = {
        operation["operationId"]
        for operations in paths.values()
        for operation in operations.values()
        if operation.get("x-extension")
    }
    assert marked == {api.name for api in EXTENSIONS}


def test_published_document_is_up_to_date() -> None:
    path = ROOT / "docs/annex-b.openapi.json"
    assert json.loads(path.read_text("utf-8")) == openapi.document(), "run: make openapi"


EVENT = (
    b'{"messageId": "m", "deviceId": "d", "type": "fire", "time": "2024-03-01T08:30:00+08:00"%s}'
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 200_000, "Expected"),
        (b"[]", "length >= 1"),
        (b"[" + b",".join([EVENT % b""] * 1001) + b"]", "length <= 1000"),
        (EVENT.replace(b'"m"', b'""') % b"", "messageId"),
        (EVENT.replace(b'"m"', b'"' + b"x" * 65 + b'"') % b"", "messageId"),
        (EVENT.replace(b"fire", b"smoke") % b"", "type"),
        (EVENT % b', "value": 1e400', "value"),
        (EVENT % b', "value": "1"', "value"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: bytes, told: str) -> None:
    with pytest.raises(Malformed, match=re.escape(told)):
        read(body, EVENTS)


@pytest.mark.parametrize("own", ["", "d\\u0000", "d\\n", "\\u007f", "x" * 65])
def test_an_id_is_one_readable_line(own: str) -> None:
    body = b'{"deviceId": "%s"}' % own.encode()
    with pytest.raises(Malformed, match="deviceId"):
        read(body, decoder(Deletion))


def test_unknown_fields_are_ignored() -> None:
    assert read(EVENT % b', "colour": "red"', EVENTS).message_id == "m"


@pytest.mark.parametrize("text", ["2024-03-01T08:30:00", "2024-03-01", "yesterday, at 8:30 pm"])
def test_a_time_needs_its_offset(text: str) -> None:
    with pytest.raises(Malformed, match="offset"):
        instant(text)


def test_times_of_all_offsets_are_the_same_instant() -> None:
    at = {instant(f"2024-03-01T{rest}").timestamp() for rest in ("08:30:00+08:00", "00:30:00Z")}
    assert at == {1709253000.0}
