"""A database of an older version of the schema, of a newer one, and of one that is none of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import asyncpg
import pytest

from twin.alarmcore.errors import CoreError
from twin.alarmcore.service.config import CoreSettings
from twin.alarmcore.store.database import (
    FIRST_VERSION,
    SCHEMA_VERSION,
    Cluster,
    prepare,
    take_worker_number,
)

ALARM = 1_700_000_000_000_000 * 1024
TABLES = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = 'public' ORDER BY 1, 2",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL of its own."""
    made = Cluster(tmp_path_factory.mktemp("schema") / "postgres")
    yield made.start()
    made.stop()


@asynccontextmanager
async def database(cluster: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to an empty database of that name."""
    db = await asyncpg.connect(cluster)
    await db.execute(f"CREATE DATABASE {name}")
    await db.close()
    db = await asyncpg.connect(cluster, database=name)
    try:
        yield db
    finally:
        await db.close()


async def first_version(db: asyncpg.Connection) -> None:
    """The schema as it was first, with rows."""
    path = Path(str(resources.files("twin.alarmcore.store"))) / "schema.sql"
    await db.execute(path.read_text("utf-8"))
    await db.execute(
        "INSERT INTO core (schema_version, center, started, clock) VALUES ($1, 'center', 1, 2)",
        FIRST_VERSION,
    )
    await db.execute(
        "INSERT INTO alarm (id, venue, category, raised, grade, stage) "
        "VALUES ($1, '?acme/d', 'fire', 1.7e9, 1, 'raised')",
        ALARM,
    )
    await db.execute(
        "INSERT INTO event_log (time, center, subject, kind, message, alarm) "
        "VALUES (1700000000000000, 'center', 'acme/d', 'fire_alarm', $1, $1)",
        ALARM,
    )


def test_an_older_database_is_brought_up_to_date_with_all_its_rows(cluster: str) -> None:
    async def scenario() -> None:
        async with database(cluster, "older") as db, database(cluster, "fresh") as fresh:
            await first_version(db)
            assert FIRST_VERSION < SCHEMA_VERSION
            await prepare(db, "center")
            await prepare(db, "center")  # again changes nothing
            assert tuple(await db.fetchrow("SELECT schema_version, started FROM core")) == (
                SCHEMA_VERSION, 1.0,
            )  # fmt: skip
            assert await db.fetchval("SELECT venue FROM alarm WHERE id = $1", ALARM) == "?acme/d"
            assert await db.fetchval("SELECT count(*) FROM event_log") == 1
            await prepare(fresh, "center")
            for query in TABLES:
                assert await db.fetch(query) == await fresh.fetch(query)

    asyncio.run(scenario())


def test_what_was_sent_has_its_time_for_a_receipt_also_after_the_schema_was_changed(
    cluster: str,
) -> None:
    """And of what is no notification no receipt is expected."""

    async def scenario() -> None:
        async with database(cluster, "sent") as db:
            await first_version(db)
            await db.execute(
                "INSERT INTO outbox (kind, channel, person, body, created, due, state, sent) "
                "SELECT kind, 'app', 'li', '{}', 100, 100, state, sent FROM unnest($1::text[], "
                "$2::text[], $3::float8[]) AS u (kind, state, sent)",
                ["notify", "notify", "notify", "confirmed", "command"],
                ["waiting", "sent", "received", "sent", "sent"],
                [None, 101.0, 101.0, 101.0, 101.0],
            )
            await prepare(db, "center")
            dues = [row[0] for row in await db.fetch("SELECT due FROM outbox ORDER BY id")]
            assert dues == [100.0, 101.0 + CoreSettings().receipt_wait, None, None, None]

    asyncio.run(scenario())


def test_it_is_not_changed_under_a_service_that_runs(cluster: str) -> None:
    async def scenario() -> None:
        async with database(cluster, "busy") as db:
            await first_version(db)
            worker = await asyncpg.connect(cluster, database="busy")
            await take_worker_number(worker)
            with pytest.raises(CoreError, match="a service of another version of twin runs on it"):
                await prepare(db, "center")
            assert await db.fetchval("SELECT schema_version FROM core") == FIRST_VERSION
            await worker.close()
            await prepare(db, "center")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("version", "right"),
    [(FIRST_VERSION - 1, "use an empty database"), (SCHEMA_VERSION + 1, "or a later one")],
)
def test_a_version_that_cannot_be_taken_over_is_refused(
    cluster: str, version: int, right: str
) -> None:
    async def scenario() -> None:
        async with database(cluster, f"version_{version}") as db:
            await first_version(db)
            await db.execute("UPDATE core SET schema_version = $1", version)
            with pytest.raises(CoreError, match=f"has schema version {version}.*{right}"):
                await prepare(db, "center")
            assert await db.fetchval("SELECT to_regproc('write_log')") is None  # all or nothing

    asyncio.run(scenario())
