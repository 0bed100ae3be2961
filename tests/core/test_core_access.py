"""Who may come in, from the command line, beside a service of two workers that runs on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from annexb_support import contacted, core_in, database, registry, until, vendor_certificate
from test_core_events import event

from twin.alarmcore.annexb.codes import PREFIX
from twin.load.siege import TWIN, ServedCore, free_port
from twin.vendor.service import VendorPlatform, serving

SOON_S = 20.0
"""On a busy machine."""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCore]:
    with core_in(tmp_path_factory.mktemp("access"), workers=2) as running:
        yield running


def told(core: ServedCore, *words: str, code: int = 0) -> str:
    """What ``twin core`` says."""
    command = [*TWIN, "core", *words, "--data", str(core.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def credentials(said: str) -> dict[str, str]:
    return dict(line.split() for line in said.splitlines())


def call(core: ServedCore, method: str, path: str, token: str = "", body: Any = None) -> Any:
    """A call over a connection of its own, so that any of the workers answers."""
    with httpx.Client(verify=core.trust, trust_env=False) as client:
        headers = {"API_TOKEN": token} if token else {}
        return client.request(method, core.url + path, json=body, headers=headers)


def ended(core: ServedCore, method: str, path: str, token: str, body: Any = None) -> None:
    """Waits until no worker takes a token any more."""
    end = time.monotonic() + 2.0
    while any(call(core, method, path, token, body).status_code != 401 for _ in range(8)):
        assert time.monotonic() < end, "a worker takes it still"


def row(core: ServedCore, what: str, name: str) -> list[str]:
    """Cells of a line of a list."""
    head, *lines = told(core, what, "list").splitlines()
    (line,) = [line for line in lines if line.split()[0] == name]
    starts = [k for k in range(len(head)) if head[k] != " " and (not k or head[k - 2 : k] == "  ")]
    return [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]


def test_vendors_are_listed_without_secrets(core: ServedCore) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    made = credentials(told(core, "vendor", "add", "dead", "--url", url, "--pull-period", "2"))
    token = core.add_vendor("silent")
    name, appkey, where, period, contact, _ = row(core, "vendor", "dead")
    assert (name, appkey, where, period, contact) == ("dead", made["appkey"], url, "2 h", "-")
    assert row(core, "vendor", "silent")[2:] == ["-", "-", "-", "-"]
    said = told(core, "vendor", "list")
    assert made["masterSecret"] not in said
    assert token not in said


def test_a_renewed_secret_ends_the_old_one_and_its_token(core: ServedCore) -> None:
    appkey, old = core.register_vendor("renewed")
    path = f"{PREFIX}/auth/getToken"
    body = {"appkey": appkey, "masterSecret": old}
    token = call(core, "POST", path, body=body).json()["data"]["token"]
    pushed = event("d", "fire")
    for _ in range(8):  # both workers know the token by heart
        assert call(core, "POST", f"{PREFIX}/event", token, pushed).status_code == 200
    made = credentials(told(core, "vendor", "renew", "renewed"))
    ended(core, "POST", f"{PREFIX}/event", token, pushed)
    answer = call(core, "POST", path, body=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "L02201")
    assert made["appkey"] == appkey
    answer = call(core, "POST", path, body={**body, "masterSecret": made["masterSecret"]})
    token = answer.json()["data"]["token"]
    assert call(core, "POST", f"{PREFIX}/event", token, pushed).status_code == 200


def test_a_running_service_follows_where_a_vendor_is_pulled(core: ServedCore) -> None:
    async def main() -> None:
        platform = VendorPlatform(registry(), core.url, "", "", core.trust)
        files = vendor_certificate(core.data.parent)
        async with platform, database(core) as db, serving(platform, *files) as url:
            dead = f"https://127.0.0.1:{free_port()}"
            pair = await asyncio.to_thread(core.register_vendor, "moved", dead)
            platform.appkey, platform.secret = pair
            await platform.get_token()
            failed = "SELECT pull_error FROM vendor WHERE name = 'moved'"
            await until(lambda: db.fetchval(failed))
            assert not platform.calls
            await asyncio.to_thread(told, core, "vendor", "set", "moved", "--url", url)
            await contacted(db, "moved")
            listed = await asyncio.to_thread(row, core, "vendor", "moved")
            assert listed[2] == url
            assert listed[3] == "24 h"
            assert listed[4].startswith(time.strftime("%Y-%m-%d", time.gmtime()))
            assert listed[5] == "-"
            due = (
                "SELECT pull_due - (pull_cursor->>'states_at')::float8 FROM vendor "
                "WHERE name = 'moved'"
            )
            assert await db.fetchval(due) == 86400
            await asyncio.to_thread(told, core, "vendor", "set", "moved", "--pull-period", "1")

            async def follows() -> bool:
                return bool(await db.fetchval(due) == 3600)

            await until(follows, SOON_S)
            await asyncio.to_thread(told, core, "vendor", "set", "moved", "--no-url")
            platform.calls.clear()
            await platform.push("pushProject", platform.data.projects)  # B.2.4: it would be got
            await asyncio.sleep(2.5)
            assert not platform.calls

    asyncio.run(main())


def test_a_pull_that_is_under_way_does_not_put_off_a_change(core: ServedCore) -> None:
    """It was begun with the old period, and would say when the next is due by it."""

    async def main() -> None:
        platform = VendorPlatform(registry(), core.url, "", "", core.trust)
        files = vendor_certificate(core.data.parent)
        async with platform, database(core) as db, serving(platform, *files) as url:
            pair = await asyncio.to_thread(core.register_vendor, "slow", url)
            platform.appkey, platform.secret = pair
            platform.trouble.delay_s = 1.0
            await platform.get_token()
            async with asyncio.timeout(SOON_S):
                while not platform.calls:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(told, core, "vendor", "set", "slow", "--pull-period", "3")
            assert await db.fetchval("SELECT contacted IS NULL FROM vendor WHERE name = 'slow'")
            platform.trouble.delay_s = 0.0
            due = (
                "SELECT contacted IS NOT NULL AND "
                "pull_due - (pull_cursor->>'states_at')::float8 = 10800 FROM vendor "
                "WHERE name = 'slow'"
            )
            await until(lambda: db.fetchval(due), SOON_S)

    asyncio.run(main())


def test_a_removed_user_is_let_in_no_more(core: ServedCore) -> None:
    token = core.add_user("leaving", "operator")
    core.add_user("shopkeeper", "owner", "acme/shop-1", "acme/shop-2")
    assert row(core, "user", "leaving") == ["leaving", "operator", "-"]
    assert row(core, "user", "shopkeeper") == ["shopkeeper", "owner", "acme/shop-1 acme/shop-2"]
    assert token not in told(core, "user", "list")
    for _ in range(8):
        assert call(core, "GET", "/core/alarm", token).status_code == 200
    told(core, "user", "remove", "leaving")
    ended(core, "GET", "/core/alarm", token)
    assert "leaving" not in told(core, "user", "list")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("vendor renew nobody", "no vendor 'nobody'"),
        ("vendor set nobody --no-url", "no vendor 'nobody'"),
        ("vendor set nobody", "nothing to change"),
        ("vendor set nobody --pull-period 25", "1 h to 24 h"),
        ("vendor set nobody --url http://127.0.0.1", "https://host:port"),
        ("user remove nobody", "no user 'nobody'"),
        ("user add li --role owner", "--venue VENDOR/VENUE"),
        ("user add li --role owner --venue shop-1", "VENDOR/VENUE is expected"),
        ("user add li --role manager --venue acme/shop-1", "--role owner"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(core: ServedCore, words: str, what: str) -> None:
    said = told(core, *words.split(), code=2)
    assert what in said
    assert len(said.splitlines()) == 1
    assert "li " not in told(core, "user", "list")


def test_no_database_is_made_for_a_folder_that_is_misspelt(core: ServedCore) -> None:
    for words in ("vendor list", "vendor renew x", "vendor set x --no-url", "user list",
                  "user remove x"):  # fmt: skip
        other = core.data.parent / "misspelt"
        command = [*TWIN, "core", *words.split(), "--data", str(other)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "no data folder" in done.stderr
        assert not other.exists()


def test_what_is_changed_is_in_the_audit_trail(core: ServedCore) -> None:
    appkey, secret = core.register_vendor("audited")
    made = credentials(told(core, "vendor", "renew", "audited"))
    told(core, "vendor", "set", "audited", "--url", "https://127.0.0.1:1", "--pull-period", "2")
    core.add_user("hired", "operator")
    told(core, "user", "remove", "hired")
    token = core.add_user("reader", "auditor")
    answer = call(core, "GET", "/core/audit?limit=1000", token)
    entries = {(one["action"], one["target"]): one for one in answer.json()["data"]["entries"]}
    for action, target in (
        ("vendor renew", "audited"), ("vendor set", "audited"), ("user remove", "hired")
    ):  # fmt: skip
        assert entries[action, target]["role"] == "command line"
    detail = entries["vendor set", "audited"]["detail"]
    if isinstance(detail, str):
        detail = json.loads(detail)
    assert detail == {"url": "https://127.0.0.1:1", "pull_period": 7200}
    assert made["appkey"] == appkey
    assert secret not in answer.text
    assert made["masterSecret"] not in answer.text
