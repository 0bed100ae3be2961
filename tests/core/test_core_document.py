"""Every call of the published document, tried with what it allows and with what it does not.

No answer may be a 5xx, of a status or a form that the document does not know, and what the
document forbids is refused. Cases are called in every role in turn that may; the other roles and
nobody are turned away, once for each call here and for good in ``test_core_rights.py``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import schemathesis
from schemathesis import Case
from schemathesis.config import SchemathesisConfig

from twin.alarmcore.service.document import document
from twin.load.siege import ServedCore, register
from twin.load.traffic import events

EXAMPLES = 10
"""Of a call in a phase; the edges of what is documented are tried on top, all of them."""

CONFIG = {
    "generation": {"max-examples": EXAMPLES, "mode": "all", "deterministic": True,
                   "with-security-parameters": False},
    "checks": {
        # A core may refuse what is well formed: nobody's venue, an alarm that is closed.
        "positive_data_acceptance": {"enabled": False},
        "ignored_auth": {"enabled": False},
    },
}  # fmt: skip
ACCOUNTS = ("operator", "manager", "owner", "upstream", "auditor")

schema = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig.from_dict(CONFIG))


class Tried(NamedTuple):
    """A core with something of everything, and a token of every role."""

    core: ServedCore
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    data: Path = tmp_path_factory.mktemp("document") / "core"
    data.mkdir()
    (data / "core.toml").write_text("most_events_per_s = 1000000\n")
    core = ServedCore(data)
    core.start()
    try:
        core.ready()
        tokens = {"vendor": core.add_vendor("acme")}
        tokens |= {
            role: core.add_user(role, role, *(["acme/v"] if role == "owner" else []))
            for role in ACCOUNTS
        }
        with core.client(tokens["vendor"]) as client:
            fleet = register(client, venues=3, devices_each=3)
            some = events(60, fleet.devices, 1)
            client.post("/thirdPartyApi/event", some)
            client.call("POST", "/thirdPartyApi/event", b'{"type": "fire"')
        yield Tried(core, tokens)
    finally:
        core.stop()


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@schema.parametrize()
def test_every_call_answers_as_documented(
    case: Case[Any], tried: Tried, session: requests.Session
) -> None:
    role = next(_turns(case.operation.label, tuple(case.operation.definition.raw["x-roles"])))
    headers = {"API_TOKEN": tried.tokens[role]} if role else None
    answer = case.call(base_url=tried.core.url, session=session, headers=headers)
    case.validate_response(answer, headers=headers)


@cache
def _turns(_: str, allowed: tuple[str, ...]) -> Iterator[str]:
    """Whose turn it is at a call; an empty role has no token."""
    if not allowed:
        return itertools.repeat("")
    others = [role for role in ("", "vendor", *ACCOUNTS) if role not in allowed]
    return itertools.chain(allowed, others, itertools.cycle(allowed))
