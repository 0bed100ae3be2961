"""Nobody gets in who should not: every route of the published document, with every wrong role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from served_support import ROLES, Served

from twin.alarmcore.service import document

DOCUMENT = Path(__file__).parents[2] / "docs/core.openapi.json"
OPERATIONS = [
    (method.upper(), path, operation["x-roles"])
    for path, item in document.document()["paths"].items()
    for method, operation in item.items()
]


def test_published_document_is_up_to_date() -> None:
    assert json.loads(DOCUMENT.read_text("utf-8")) == document.document(), "run: make openapi"


def test_document_names_what_is_open_to_anybody() -> None:
    free = {path for _, path, roles in OPERATIONS if not roles}
    assert free == {
        "/thirdPartyApi/auth/getToken", "/healthz", "/metrics", "/openapi.json", "/core/receipt",
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path", "roles"), OPERATIONS, ids=lambda x: str(x))
def test_wrong_roles_are_refused(served: Served, method: str, path: str, roles: list[str]) -> None:
    if not roles:
        pytest.skip("open to anybody, see test_document_names_what_is_open_to_anybody")
    path = path.replace("{", "").replace("}", "")
    assert served.call(method, path).status_code == 401
    for role in ("vendor", *ROLES):
        answer = served.call(method, path, role, content=b"[")
        if role in roles:
            assert answer.status_code != 401, role
        else:
            assert answer.status_code == 401, role
            assert answer.json()["code"] == "P02001"


def test_a_new_token_ends_the_old_one(served: Served) -> None:
    appkey, secret = served.core.register_vendor("renewed")
    body = {"appkey": appkey, "masterSecret": secret}
    path = "/thirdPartyApi/auth/getToken"
    first = served.call("POST", path, json=body).json()["data"]["token"]
    event = [{"messageId": "1", "deviceId": "d", "type": "state", "time": "2020-01-01T00:00:00Z"}]
    served.tokens["renewed"] = first
    assert served.push(event, "renewed").status_code == 400
    second = served.call("POST", path, json=body).json()["data"]["token"]
    assert first != second
    assert served.push(event, "renewed").status_code == 401
    served.tokens["renewed"] = second
    assert served.push(event, "renewed").status_code == 400


def test_wrong_credentials_have_their_codes(served: Served) -> None:
    appkey, _ = served.core.register_vendor("guessed")
    path = "/thirdPartyApi/auth/getToken"
    for body, code in (
        ({"appkey": "none", "masterSecret": "x"}, "L02100"),
        ({"appkey": appkey, "masterSecret": "x"}, "L02201"),
    ):
        answer = served.call("POST", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_a_vendor_writes_only_its_own(served: Served) -> None:
    """Another vendor's device of the same id is another device: its fault is not ours."""
    event = {"messageId": "x1", "deviceId": "d1", "type": "fault", "time": _now(served)}
    assert served.push(event, "other").json()["data"]["quarantined"] == 1
    venue = {"venueId": "v1", "projectId": "p", "name": "Taken"}
    assert served.call("POST", "/thirdPartyApi/venue", "other", json=venue).status_code == 400
    places = {d["venue"] for d in served.data("/core/owned", "owner")["devices"]}
    assert places == {"acme/v1"}


def test_no_secret_is_in_the_log_or_the_database_dump(served: Served) -> None:
    log = served.core.log.read_text()
    for token in served.tokens.values():
        assert token not in log


def _now(served: Served) -> str:
    from datetime import UTC, datetime

    clock = served.client.get("/healthz").json()["data"]["clock"]
    return datetime.fromtimestamp(clock, UTC).isoformat()
