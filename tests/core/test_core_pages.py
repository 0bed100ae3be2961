"""What may be long is read page by page, and whole: an alarm's record, its messages, history."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
from served_support import Served
from test_core_events import close, event, eventually, open_alarm

from twin.alarmcore.annexb.messages import Event, EventType
from twin.alarmcore.service.serve import database_of
from twin.alarmcore.store.registry import Vendor, put_history

MOST = 1000
"""Entries of a page at most."""


def paged(served: Served, path: str, key: str, limit: int, after: str = "0") -> list[Any]:
    """All entries of a list, which the reader gets in pages of that many."""
    sign = "&" if "?" in path else "?"
    found: list[Any] = []
    cursor: str | None = after
    while cursor is not None:
        page = served.data(f"{path}{sign}after={cursor}&limit={limit}", "auditor")
        assert len(page[key]) <= limit
        found += page[key]
        cursor = page["next"]
    return found


def test_a_flood_of_one_device_is_read_in_pages(served: Served) -> None:
    sent = [event("d3", "fire") for _ in range(2 * MOST + 300)]
    for begin in range(0, len(sent), MOST):
        assert served.push(sent[begin : begin + MOST]).status_code == 200
    alarm = open_alarm(served, "acme/v2")["id"]
    path = f"/core/alarm/{alarm}"
    to_people = f"/core/outbox?alarm={alarm}"
    eventually(lambda: len(paged(served, to_people, "messages", 2)) == 5)
    eventually(lambda: all(m["state"] != "waiting" for m in served.data(to_people)["messages"]))
    close(served, "acme/v2")
    told = served.data(path)
    assert len(told["record"]) == MOST
    assert [device["id"] for device in told["devices"]] == ["acme/d3"]
    whole = told["record"] + paged(served, f"{path}/record", "record", 700, told["next"])
    kinds = [row["kind"] for row in whole]
    assert kinds.count("fire_alarm") == len(sent)
    assert kinds[0] == "fire_alarm"
    assert kinds.count("closed") == 1
    assert len({row["id"] for row in whole}) == len(whole)
    times = [row["time"] for row in whole]
    assert times == sorted(times)
    assert paged(served, f"{path}/record", "record", 333) == whole
    assert served.data(f"{path}/record?after={whole[-1]['id']}") == {"record": [], "next": None}
    assert served.data("/core/alarm/1/record") == {"record": [], "next": None}
    assert served.call("GET", f"{path}/record?limit=1001", "operator").status_code == 400
    assert served.call("GET", f"{path}/record", "vendor").status_code == 401


def test_an_alarm_of_a_few_messages_is_whole_at_once(served: Served) -> None:
    served.push(event("d3", "fire"))
    alarm = open_alarm(served, "acme/v2")["id"]
    sent = f"/core/outbox?alarm={alarm}"
    eventually(lambda: len(served.data(sent)["messages"]) == 5)
    eventually(lambda: all(one["state"] != "waiting" for one in served.data(sent)["messages"]))
    close(served, "acme/v2")
    told = served.data(f"/core/alarm/{alarm}")
    assert told["next"] is None
    assert told["record"] == served.data(f"/core/alarm/{alarm}/record")["record"]
    of_alarm = served.data(f"/core/outbox?alarm={alarm}")["messages"]
    assert of_alarm == served.data(f"/core/alarm/{alarm}")["notifications"]
    assert {line["alarm"] for line in of_alarm} == {alarm}
    assert served.data(f"/core/outbox?alarm={alarm}&state=failed")["messages"] == []


def test_history_is_found_again(served: Served) -> None:
    begin = int(time.time()) - 3600
    told = {
        name: [
            Event(
                f"h{number:03}", "d1", EventType.FIRE,
                time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin + number)),
            )
            for number in range(count)
        ]
        for name, count in (("acme", 25), ("other", 7))
    }  # fmt: skip

    async def keep() -> None:
        with database_of(served.core.data) as url:
            db = await asyncpg.connect(url)
            for name, events in told.items():
                vendor = Vendor(
                    await db.fetchval("SELECT id FROM vendor WHERE name = $1", name), name
                )
                assert await put_history(db, vendor, events) == len(events)
                assert await put_history(db, vendor, events) == 0  # told again
            await db.close()

    asyncio.run(keep())
    for limit in (3, 1000):
        found = paged(served, "/core/history", "events", limit)
        assert {(one["vendor"], one["messageId"]) for one in found} == {
            (name, one.message_id) for name, events in told.items() for one in events
        }
        assert len(found) == 32
        acme = paged(served, "/core/history?vendor=acme", "events", limit)
        assert acme == [one for one in found if one["vendor"] == "acme"]
    for entry, one in zip(acme, told["acme"], strict=True):
        assert (entry["event"]["messageId"], entry["event"]["time"]) == (one.message_id, one.time)
        assert entry["event"]["deviceId"] == "d1"
        assert entry["time"] == begin + int(one.message_id[1:])
    assert not paged(served, "/core/history?vendor=nobody", "events", 10)
    assert served.call("GET", "/core/history", "manager").status_code == 200
    for role in ("vendor", "owner", "upstream", ""):
        assert served.call("GET", "/core/history", role).status_code == 401
