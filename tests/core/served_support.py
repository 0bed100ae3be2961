"""A running core with somebody of every role, as the fixture ``served`` gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from annexb_support import core_of

from twin.alarmcore.annexb.codes import PREFIX
from twin.load.siege import ServedCore

ROLES = ("operator", "manager", "owner", "upstream", "auditor")


@dataclass
class Served:
    """A running core and everybody's tokens: ``tokens["vendor"]`` pushes as ``acme``."""

    core: ServedCore
    client: httpx.Client
    tokens: dict[str, str]

    def call(self, method: str, path: str, role: str = "", **more: Any) -> httpx.Response:
        """A call in a role; an empty one has no token."""
        headers = {"API_TOKEN": self.tokens[role]} if role else {}
        return self.client.request(method, path, headers=headers, **more)

    def push(self, events: Any, role: str = "vendor") -> httpx.Response:
        """API 22; bytes are sent as they are."""
        if isinstance(events, bytes):
            return self.call("POST", f"{PREFIX}/event", role, content=events)
        return self.call("POST", f"{PREFIX}/event", role, json=events)

    def data(self, path: str, role: str = "operator") -> Any:
        """The ``data`` of a GET that succeeds."""
        answer = self.call("GET", path, role)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A core with two vendors, one project, two venues and three devices of ``acme``'s."""
    core = core_of(folder)
    keys = {name: core.register_vendor(name) for name in ("acme", "other")}
    tokens = {
        role: core.add_user(role, role, *(["acme/v1"] if role == "owner" else [])) for role in ROLES
    }
    core.start()
    try:
        core.ready()
        with httpx.Client(base_url=core.url, verify=core.trust, trust_env=False) as client:
            yield _furnished(core, client, keys, tokens)
    finally:
        core.stop()


def _furnished(
    core: ServedCore,
    client: httpx.Client,
    keys: Mapping[str, tuple[str, str]],
    tokens: dict[str, str],
) -> Served:
    for name, (appkey, secret) in keys.items():
        answer = client.post(
            f"{PREFIX}/auth/getToken", json={"appkey": appkey, "masterSecret": secret}
        )
        tokens["vendor" if name == "acme" else name] = answer.json()["data"]["token"]
    made = Served(core, client, tokens)
    people = [{"name": f"n{k}", "phone": f"10{k}", "channels": ["voice"]} for k in range(5)]
    for path, body in (
        ("project", {"projectId": "p", "name": "Project"}),
        ("venue", {"venueId": "v1", "projectId": "p", "name": "Shop", "responsible": people}),
        ("venue", {"venueId": "v2", "projectId": "p", "name": "Home", "responsible": people}),
        ("device", [_device("d1", "v1"), _device("d2", "v1"), _device("d3", "v2")]),
    ):
        answer = made.call("POST", f"{PREFIX}/{path}", "vendor", json=body)
        assert answer.status_code == 200, answer.text
    return made


def _device(own: str, venue: str) -> dict[str, Any]:
    return {
        "deviceId": own,
        "projectId": "p",
        "venueId": venue,
        "kind": "smoke_alarm",
        "category": "fire",
        "conforms": True,
    }
