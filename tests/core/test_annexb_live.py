"""Annex B between a real core and real vendor platforms, over HTTPS."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from annexb_support import (
    contacted,
    core_in,
    database,
    event,
    registry,
    until,
    vendor_certificate,
    vendor_of,
)

from twin.alarmcore.annexb.apis import APIS, BY_NAME, EXTENSIONS, Side
from twin.alarmcore.annexb.codes import PREFIX
from twin.alarmcore.annexb.messages import (
    Deletion,
    Device,
    DeviceState,
    EventType,
    Gateway,
    Page,
    Project,
    Venue,
)
from twin.load.siege import TWIN, ServedCore, SiegeError, free_port
from twin.terms import Category
from twin.vendor.service import PushRefused, VendorPlatform


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCore]:
    with core_in(tmp_path_factory.mktemp("core")) as running:
        yield running


async def get(platform: VendorPlatform, api: str, token: str = "", **query: str) -> httpx.Response:
    """A GET of an API that the core serves."""
    async with httpx.AsyncClient(verify=platform.tls or True, trust_env=False) as client:
        return await client.get(
            platform.core + PREFIX + BY_NAME[api].path,
            params=query,
            headers={"API_TOKEN": token or platform.token},
        )


async def facts(db: asyncpg.Connection, vendor: str, kind: str) -> list[tuple[Any, ...]]:
    """Subject, value and text of the log's rows of a kind about a vendor's things."""
    rows = await db.fetch(
        "SELECT subject, value, text FROM event_log WHERE kind = $1 AND subject LIKE $2 "
        "ORDER BY seq",
        kind,
        f"{vendor}/%",
    )
    return [tuple(row) for row in rows]


def test_all_22_are_called_and_what_they_say_is_kept(core: ServedCore) -> None:
    async def scenario() -> None:
        data = registry()
        data.devices.append(Device("U1", "P1", "smoke_alarm", Category.FIRE, False))
        data.states[1] = DeviceState("D00001", online=False)
        data.states[2] = DeviceState("D00002", online=True, low_battery=True, battery=7.0)
        async with vendor_of(core, "all", data) as vendor, database(core) as db:
            await contacted(db, "all")
            pushes = {
                "pushProject": Project("P2", "west village"),
                "pushVenue": [Venue("V2", "P2", "inn", kind="nine_small")],
                "pushGateway": Gateway("G2", "P2", False, venue_id="V2"),
                "pushUnplacedDevices": [Device("U2", "P2", "level", Category.WATER, True)],
                "pushDevice": Device("D2", "P2", "smoke_alarm", Category.FIRE, True, "V2", "G2"),
                "pushDeviceDeletion": Deletion("D00004", "shop closed"),
                "pushEvent": [event(1, "D2", EventType.OFFLINE), event(2, "X1", EventType.FAULT)],
            }  # fmt: skip
            data.projects.append(pushes["pushProject"])  # type: ignore[arg-type]
            data.gateways.append(Gateway("G3", "P1", True, venue_id="V3"))
            data.venues.append(Venue("V3", "P1", "kiln"))
            data.devices.append(Device("X1", "P1", "heat_alarm", Category.FIRE, True, "V3", "G3"))
            answers = {name: await vendor.push(name, items) for name, items in pushes.items()}
            assert answers["pushDevice"] == {"changed": 1, "unchanged": 0}
            assert answers["pushEvent"] == {"accepted": 1, "repeated": 0, "quarantined": 1}
            # What nobody registered is asked for as soon as it tells of itself: 17, 11, 7.
            await until(lambda: db.fetchval("SELECT id FROM device WHERE id = 'all/X1'"))
            page = (await get(vendor, "getUnplacedDevices", projectId="P2")).json()
            assert page["data"]["total"] == 1
            assert page["data"]["items"][0]["deviceId"] == "U2"

            called = {*vendor.calls, *answers, "getUnplacedDevices"}
            assert called >= {api.name for api in (*APIS, *EXTENSIONS)}

            devices = await db.fetch(
                "SELECT id, venue, gateway, conforms, removed IS NULL AS there FROM device "
                "WHERE id LIKE 'all/%' ORDER BY id"
            )
            assert [tuple(row) for row in devices] == [
                ("all/D00000", "all/V1", "all/G1", True, True),
                ("all/D00001", "all/V1", "all/G1", True, True),
                ("all/D00002", "all/V1", None, True, True),
                ("all/D00003", "all/V1", None, True, True),
                ("all/D00004", "all/V1", None, True, False),
                ("all/D2", "all/V2", "all/G2", True, True),
                ("all/G1", "all/V1", None, True, True),
                ("all/G2", "all/V2", None, False, True),
                ("all/G3", "all/V3", None, True, True),
                ("all/U1", None, None, False, True),
                ("all/U2", None, None, True, True),
                ("all/X1", "all/V3", "all/G3", True, True),
            ]
            channels = await db.fetchval("SELECT count(*) FROM channel WHERE device LIKE 'all/%'")
            assert channels == 5
            assert await facts(db, "all", "venue") == [
                ("all/V1", 5.0, "nine_small"),
                ("all/V2", 0.0, "nine_small"),
                ("all/V3", 0.0, ""),
            ]
            rows = {row[0]: row for row in await facts(db, "all", "device")}
            assert rows["all/G1"][1] == 0.0
            assert rows["all/D00000"][1] == 1.0
            assert json.loads(rows["all/U1"][2]) == {
                "kind": "smoke_alarm", "category": "fire", "conforms": False, "venue": "",
                "vendor": "all",
            }  # fmt: skip
            assert [row[0] for row in await facts(db, "all", "device_removed")] == ["all/D00004"]
            assert [row[0] for row in await facts(db, "all", "offline")] == ["all/D00001", "all/D2"]
            assert [row[0] for row in await facts(db, "all", "low_battery")] == ["all/D00002"]
            people = await db.fetchval("SELECT count(*) FROM responsible WHERE venue = 'all/V1'")
            assert people == 5

    asyncio.run(scenario())


def test_repeated_pushes_change_nothing_and_changes_are_kept(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "again", registry()) as vendor, database(core) as db:
            await contacted(db, "again")
            data = vendor.data
            for api, items in (
                ("pushVenue", data.venues),
                ("pushGateway", data.gateways),
                ("pushDevice", data.devices),
            ):
                answer = await vendor.push(api, items)
                assert answer == {"changed": 0, "unchanged": len(items)}
            moved = msgspec.structs.replace(data.devices[0], location="kitchen")
            assert (await vendor.push("pushDevice", [moved, data.devices[1]]))["changed"] == 1
            other = msgspec.structs.replace(data.devices[0], conforms=False)
            assert (await vendor.push("pushDevice", other))["changed"] == 1
            assert (await vendor.push("pushDeviceDeletion", Deletion("D00000")))["changed"] == 1
            assert (await vendor.push("pushDeviceDeletion", Deletion("D00000")))["changed"] == 0
            assert (await vendor.push("pushDevice", other))["changed"] == 1  # it is back
            rows = [row for row in await facts(db, "again", "device") if row[0] == "again/D00000"]
            assert [json.loads(row[2])["conforms"] for row in rows] == [True, False, False]

    asyncio.run(scenario())


def test_pushes_that_refer_to_nothing_are_refused_whole(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "wrong", registry()) as vendor, database(core) as db:
            await contacted(db, "wrong")
            for api, items, told in (
                ("pushVenue", Venue("V9", "P9", "x"), "projectId P9 is not known"),
                ("pushDevice", Device("D9", "P1", "k", Category.FIRE, True, "V9"), "venueId V9"),
                ("pushDevice", Device("G1", "P1", "k", Category.FIRE, True), "id of a gateway"),
                ("pushGateway", Gateway("D00000", "P1", True), "id of a device"),
                ("pushUnplacedDevices", vendor.data.devices, "API 18"),
                ("pushDevice", [], "length"),
                ("pushDevice", {"deviceId": "D9"}, "projectId"),
            ):
                with pytest.raises(PushRefused, match=told) as refusal:
                    await vendor.push(api, items)
                assert (refusal.value.status, refusal.value.code) == (400, "P01000")
            good = Device("D9", "P1", "k", Category.FIRE, True)
            bad = Device("D8", "P9", "k", Category.FIRE, True)
            with pytest.raises(PushRefused, match="nothing was taken"):
                await vendor.push("pushDevice", [good, bad])
            assert not await db.fetchval("SELECT count(*) FROM device WHERE id = 'wrong/D9'")

    asyncio.run(scenario())


def test_a_vendor_reaches_only_its_own(core: ServedCore) -> None:
    async def scenario() -> None:
        async with (
            vendor_of(core, "mine", registry()) as mine,
            vendor_of(core, "yours", registry()) as yours,
            database(core) as db,
        ):
            await contacted(db, "mine")
            await contacted(db, "yours")
            await mine.push("pushDeviceDeletion", Deletion("D00000"))
            await mine.push("pushVenue", Venue("V1", "P1", "renamed"))
            gone = await db.fetch("SELECT id FROM device WHERE removed IS NOT NULL")
            assert {row[0] for row in gone if row[0].startswith(("mine", "yours"))} == {
                "mine/D00000"
            }
            name = await db.fetchval("SELECT name FROM venue WHERE id = 'yours/V1'")
            assert name == yours.data.venues[0].name

    asyncio.run(scenario())


def test_a_new_token_ends_the_old_one_on_both_sides(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "token", registry()) as vendor, database(core) as db:
            await contacted(db, "token")
            old = vendor.token
            await vendor.get_token()
            assert len(vendor.token) <= 100
            assert (await get(vendor, "getUnplacedDevices", old, projectId="P1")).status_code == 401
            assert (await get(vendor, "getUnplacedDevices", projectId="P1")).status_code == 200
            vendor.calls.clear()
            vendor.data.venues.append(Venue("V2", "P1", "new"))
            await vendor.push(
                "pushProject", vendor.data.projects
            )  # the core comes with the new one
            await until(lambda: db.fetchval("SELECT id FROM venue WHERE id = 'token/V2'"))
            vendor.secret += "x"
            with pytest.raises(PushRefused, match="L02201"):
                await vendor.get_token()
            vendor.appkey += "x"
            with pytest.raises(PushRefused, match="L02100"):
                await vendor.get_token()

    asyncio.run(scenario())


def test_a_pushed_project_is_followed_with_its_own_pages_only(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "follow", registry()) as vendor, database(core) as db:
            await contacted(db, "follow")
            vendor.calls.clear()
            vendor.data.projects.append(Project("P2", "two"))
            vendor.data.venues.append(Venue("V2", "P2", "new"))
            vendor.data.devices.append(Device("D2", "P2", "k", Category.GAS, True, "V2"))
            await vendor.push("pushProject", vendor.data.projects[1])
            await until(lambda: db.fetchval("SELECT id FROM device WHERE id = 'follow/D2'"))
            await until(
                lambda: db.fetchval(
                    "SELECT true FROM vendor WHERE name = 'follow' AND NOT pull_cursor ? 'follow'"
                )
            )
            assert vendor.calls == [
                "getProject", "getVenueList", "getVenueCount", "getGatewayList", "getGatewayCount",
                "getStandaloneDeviceList", "getUnplacedDeviceList", "getChannelList",
            ]  # fmt: skip

    asyncio.run(scenario())


def test_lists_of_many_pages_come_whole(core: ServedCore) -> None:
    async def scenario() -> None:
        data = registry(devices=503)
        data.venues += [Venue(f"W{n}", "P1", "shop") for n in range(1202)]
        async with vendor_of(core, "many", data) as vendor, database(core) as db:
            await contacted(db, "many")
            for table, column, count in (
                ("venue", "id", 1203),
                ("device", "id", 504),
                ("channel", "device", 503),
                ("device_state", "device", 504),
            ):
                like = f"SELECT count(*) FROM {table} WHERE {column} LIKE 'many/%'"
                assert await db.fetchval(like) == count
            assert vendor.calls.count("getVenueList") == 3
            assert vendor.calls.count("getStandaloneDeviceList") == 2
            assert vendor.calls.count("getDeviceStateList") == 2

    asyncio.run(scenario())


def test_a_list_that_breaks_off_is_got_again(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "cut", registry(devices=1)) as vendor, database(core) as db:
            await contacted(db, "cut")
            vendor.trouble.cut = 3
            vendor.data.devices += registry(devices=9, prefix="N").devices
            await vendor.push("pushProject", vendor.data.projects)
            await until(
                lambda: db.fetchval(
                    "SELECT pull_error LIKE '%after 3 of%' FROM vendor WHERE name = 'cut'"
                )
            )
            vendor.trouble.cut = None
            await until(
                lambda: db.fetchval("SELECT count(*) = 11 FROM device WHERE id LIKE 'cut/%'")
            )

    asyncio.run(scenario())


def test_an_entry_that_cannot_be_read_spoils_no_other(core: ServedCore) -> None:
    async def scenario() -> None:
        data = registry()
        data.venues.append(Venue("V0", "P1", "line\nbreak"))
        data.devices.append(Device("D9", "P1", "k", Category.FIRE, True, "V0"))
        async with vendor_of(core, "odd", data), database(core) as db:
            await contacted(db, "odd")
            assert await db.fetchval("SELECT count(*) FROM device WHERE id LIKE 'odd/%'") == 6
            reasons = await db.fetch(
                "SELECT reason FROM quarantine q JOIN vendor v ON v.id = q.vendor "
                "WHERE v.name = 'odd' ORDER BY q.id"
            )
            assert "name" in reasons[0][0]
            assert "venueId V0 is not known" in reasons[1][0]

    asyncio.run(scenario())


def test_a_vendor_in_trouble_is_tried_again(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "ill", registry()) as vendor, database(core) as db:
            await contacted(db, "ill")
            vendor.trouble.failures = 2
            vendor.data.venues.append(Venue("V2", "P1", "new"))
            await vendor.push("pushProject", vendor.data.projects)
            await until(lambda: db.fetchval("SELECT id FROM venue WHERE id = 'ill/V2'"))
            vendor.trouble.garbage = True
            await vendor.push("pushProject", vendor.data.projects)
            await until(
                lambda: db.fetchval(
                    "SELECT pull_error LIKE '%none of Annex B%' FROM vendor WHERE name = 'ill'"
                )
            )
            vendor.trouble.garbage = False
            await until(
                lambda: db.fetchval(
                    "SELECT pull_failures = 0 AND pull_error IS NULL FROM vendor WHERE name = 'ill'"
                )
            )

    asyncio.run(scenario())


def test_a_slow_vendor_holds_up_nobody(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "slow", registry()) as slow, database(core) as db:
            slow.trouble.delay_s = 2.5
            await until(lambda: asyncio.sleep(0, bool(slow.calls)))
            calls = len(slow.calls)
            began = time.monotonic()
            async with vendor_of(core, "swift", registry()):
                await contacted(db, "swift")
                took = time.monotonic() - began
            # It answered a few, at most four at a time, while the swift one answered twenty.
            assert len(slow.calls) - calls <= 4 * took / 2.5 + 4
            assert await db.fetchval("SELECT contacted IS NULL FROM vendor WHERE name = 'slow'")

    asyncio.run(scenario())


def test_states_are_pulled_when_they_are_due(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "due", registry()) as vendor, database(core) as db:
            await contacted(db, "due")
            due, now = await db.fetchrow(
                "SELECT pull_due, extract(epoch FROM clock_timestamp()) FROM vendor "
                "WHERE name = 'due'"
            )
            assert due - float(now) == pytest.approx(86400, abs=30)
            vendor.data.states[0] = DeviceState("D00000", online=False, disabled=True)
            vendor.data.states[1] = DeviceState("D00001", online=True, fault="sensor")
            vendor.calls.clear()
            await db.execute(
                "UPDATE vendor SET pull_due = 0, pull_period = 3600, "
                "pull_cursor = jsonb_set(pull_cursor, '{states_at}', to_jsonb($1::float8)) "
                "WHERE name = 'due'",
                float(now) - 3601,
            )
            await until(lambda: facts(db, "due", "fault"))
            assert vendor.calls == ["getDeviceStateList"]
            assert await facts(db, "due", "fault") == [("due/D00001", None, "sensor")]
            assert [row[0] for row in await facts(db, "due", "offline")] == ["due/D00000"]
            assert [row[0] for row in await facts(db, "due", "disabled")] == ["due/D00000"]

    asyncio.run(scenario())


def test_history_is_kept_and_raises_nothing(core: ServedCore) -> None:
    async def scenario() -> None:
        data = registry()
        data.history = [event(n, "D00000", EventType.FIRE) for n in range(600)]
        old = event(600, "D00000", EventType.FIRE)
        data.history.append(msgspec.structs.replace(old, time="2001-01-01T00:00:00+08:00"))
        await asyncio.sleep(1.1)  # history ends before the second of first contact
        async with vendor_of(core, "past", data) as vendor, database(core) as db:
            await contacted(db, "past")
            kept = await db.fetchval(
                "SELECT count(*) FROM history h JOIN vendor v ON v.id = h.vendor "
                "WHERE v.name = 'past'"
            )
            assert kept == 600
            with core.client(core.add_user("reader", "auditor")) as client:
                pages = client.pages("/core/history?vendor=past", "events")
                read = {one["messageId"]: one["event"] for one in pages}
            assert read.keys() == {one.message_id for one in data.history[:600]}
            assert read["message-7"]["time"] == data.history[7].time
            alarms = "SELECT count(*) FROM alarm WHERE venue = 'past/V1'"
            assert await db.fetchval(alarms) == 0
            # The push of an event that history has told of is new all the same: it may be a fire.
            await vendor.push("pushEvent", event(3, "D00000", EventType.FIRE))
            assert await db.fetchval(alarms) == 1

    asyncio.run(scenario())


def test_a_first_contact_that_was_killed_goes_on(tmp_path: Path) -> None:
    async def scenario(core: ServedCore) -> None:
        data = registry(devices=400)
        async with vendor_of(core, "long", data) as vendor, database(core) as db:
            count = "SELECT count(*) FROM channel WHERE device LIKE 'long/%'"
            await until(lambda: db.fetchval(f"SELECT ({count}) >= 50"))
            vendor.trouble.delay_s = 0.05  # so that it is killed in the midst of it
            await asyncio.to_thread(core.kill)
            half = await db.fetchval(count)
            assert half < 400
            before = list(vendor.calls)
            vendor.calls.clear()
            vendor.trouble.delay_s = 0.0
            core.start()
            await asyncio.to_thread(core.ready)
            await contacted(db, "long")
            assert await db.fetchval(count) == 400
            assert await db.fetchval("SELECT count(*) FROM device WHERE id LIKE 'long/%'") == 401
            assert "getProjectList" in before
            assert "getProjectList" not in vendor.calls  # it did not begin anew
            assert vendor.calls.count("getChannelList") == 400 - half  # nor did both workers come

    with core_in(tmp_path, workers=2) as core:
        asyncio.run(scenario(core))


def test_a_vendor_platform_from_the_command_line(core: ServedCore, tmp_path: Path) -> None:
    cert, key = vendor_certificate(core.data.parent)
    port = free_port()
    appkey, secret = core.register_vendor("shell", f"https://127.0.0.1:{port}")
    (tmp_path / "data.json").write_bytes(msgspec.json.encode(registry()))
    login = {"appkey": appkey, "masterSecret": secret}
    (tmp_path / "credentials.json").write_text(json.dumps(login))
    command = [
        *TWIN, "vendor", "serve", "--data", "data.json", "--core", core.url, "--credentials",
        "credentials.json", "--port", str(port), "--certificate", str(cert), "--key", str(key),
        "--trust", str(core.data / "server.crt"),
    ]  # fmt: skip

    async def scenario() -> None:
        async with database(core) as db:
            await contacted(db, "shell")

            def push(number: int, kind: EventType) -> None:
                assert process.stdin is not None
                process.stdin.write(msgspec.json.encode(event(number, "D00000", kind)) + b"\n")
                process.stdin.flush()

            push(1, EventType.OFFLINE)
            await until(lambda: facts(db, "shell", "offline"))
            # Somebody else gets a token with the same credentials, which ends that of the shell.
            async with VendorPlatform(registry(), core.url, appkey, secret, core.trust) as other:
                await other.get_token()
            push(2, EventType.ONLINE)
            await until(lambda: facts(db, "shell", "online"))

    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        try:
            asyncio.run(scenario())
        finally:
            process.terminate()


def test_a_vendor_name_that_is_part_of_anothers_ids_is_refused(core: ServedCore) -> None:
    with pytest.raises(SiegeError, match="cannot be registered"):
        core.register_vendor("all/D", "https://127.0.0.1")


def test_every_api_of_the_vendor_needs_the_token(core: ServedCore) -> None:
    async def scenario() -> None:
        async with vendor_of(core, "closed", registry()) as vendor:
            served = [api for api in (*APIS, *EXTENSIONS) if api.side is Side.VENDOR]
            transport = httpx.ASGITransport(vendor.app)
            async with httpx.AsyncClient(transport=transport, base_url="https://vendor") as client:
                for api in served:
                    for headers in ({}, {"API_TOKEN": "no"}):
                        answer = await client.get(PREFIX + api.path, headers=headers)
                        assert answer.status_code == 401
                    answer = await client.get(
                        PREFIX + api.path, headers={"API-TOKEN": vendor.token}
                    )
                    assert answer.status_code == (400 if api.query else 200)
                unknown = await client.get(f"{PREFIX}/login/auth/getToken")
                assert (unknown.status_code, unknown.json()["code"]) == (404, "L01013")

    asyncio.run(scenario())


def test_pages_of_a_list_hold_everything_once() -> None:
    from twin.vendor.registry import entries, page_of

    data = registry(devices=57)
    found = entries(data, "getStandaloneDeviceList", {"projectId": "P1"})
    got: list[str] = []
    after: str | None = ""
    while after is not None:
        page: Page[Device] = page_of(found, after, 10)
        got += [one.device_id for one in page.items]
        after = page.next
    assert got == [f"D{n:05}" for n in range(2, 57)]
