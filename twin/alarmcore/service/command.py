"""``twin core``: serving, and who may come in."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twin.alarmcore.errors import CoreError


def add_parser(commands: Any) -> None:
    """Adds ``core`` to the commands of ``twin``; imports nothing heavy."""
    core = commands.add_parser("core", help="the alarm core as a service")
    actions = core.add_subparsers(dest="action", required=True, metavar="ACTION")

    serving = _action(actions, "serve", "start the service", _serve)
    serving.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serving.add_argument("--port", type=int, default=8443, help="port to listen on")
    serving.add_argument("--http", action="store_true", help="HTTP instead of HTTPS")
    serving.add_argument("--workers", type=int, default=1, help="processes that serve")
    serving.add_argument(
        "--speed", type=float, default=1.0, help="seconds that its clock tells in a second"
    )

    new = _action(actions, "export", "write the event log of a period, for twin evaluate", _export)
    new.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    new.add_argument("--from", dest="begin", help="ISO 8601 with offset; default: the first start")
    new.add_argument("--to", dest="end", help="ISO 8601 with offset; default: now")
    new = _action(actions, "backup", "write all that is kept to a file", _backup)
    new.add_argument("--out", type=Path, required=True, help="file to write")
    new = _action(actions, "restore", "make a data folder from a backup", _restore)
    new.add_argument("backup", type=Path, help="file that backup wrote")

    vendor = actions.add_parser("vendor", help="vendor platforms")
    vendors = vendor.add_subparsers(dest="what", required=True, metavar="WHAT")
    new = _action(vendors, "add", "register a vendor platform; prints its secret once", _add_vendor)
    new.add_argument("name")
    new.add_argument("--url", help="where its APIs are; without it the vendor is not pulled")
    new.add_argument(
        "--pull-period", type=float, default=24.0, metavar="HOURS",
        help="between pulls of device states, 1 to 24 (B.3.2)",
    )  # fmt: skip

    user = actions.add_parser("user", help="people and platforms that read or work")
    users = user.add_subparsers(dest="what", required=True, metavar="WHAT")
    new = _action(users, "add", "give somebody a token; prints it once", _add_user)
    new.add_argument("name")
    new.add_argument(
        "--role", required=True, choices=("operator", "manager", "owner", "upstream", "auditor")
    )
    new.add_argument(
        "--venue", action="append", default=[], help="an owner's, as VENDOR/VENUE; repeatable"
    )


def _action(actions: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=what)
    parser.add_argument("--data", type=Path, required=True, help="folder of all that is kept")
    parser.add_argument("--database", default="", help="URL of a PostgreSQL of your own")
    parser.set_defaults(command=run)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.operation import log_to_stderr
    from twin.alarmcore.service.serve import Serving, serve

    if not 1 <= arguments.workers <= 64:
        raise CoreError(f"--workers is {arguments.workers}; 1 to 64 are possible")
    if not 0 < arguments.speed <= 1e6:
        raise CoreError(f"--speed is {arguments.speed}; at most 1000000 is possible")
    if not 0 < arguments.port < 65536:
        raise CoreError(f"--port is {arguments.port}; 1 to 65535 are possible")
    log_to_stderr()
    return serve(
        Serving(
            arguments.data.resolve(),
            arguments.host,
            arguments.port,
            arguments.database,
            not arguments.http,
            arguments.workers,
            arguments.speed,
        )
    )


def _add_vendor(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.tokens import add_vendor

    if not 1 <= arguments.pull_period <= 24:
        raise CoreError(f"--pull-period is {arguments.pull_period} h; B.3.2 allows 1 h to 24 h")
    if arguments.url is not None:
        _check_url(arguments.url)
    period_s = arguments.pull_period * 3600

    async def add(db: Any) -> tuple[str, str]:
        async with db.transaction():
            made = await add_vendor(db, arguments.name, arguments.url, period_s)
            await _audit(db, arguments, url=arguments.url)
        return made

    appkey, secret = _in_database(arguments, add)
    print(f"appkey       {appkey}\nmasterSecret {secret}")
    return 0


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme == "https" and parts.hostname and not parts.query
    except ValueError:
        right = False
    if not right:
        raise CoreError(f"--url is {url}; https://host:port is expected (B.2.1)")


def _add_user(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.tokens import Role, add_account

    async def add(db: Any) -> str:
        role = Role(arguments.role)
        async with db.transaction():
            token = await add_account(db, arguments.name, role, tuple(arguments.venue))
            await _audit(db, arguments, role=arguments.role, venues=arguments.venue)
        return token

    print(f"token {_in_database(arguments, add)}")
    return 0


async def _audit(db: Any, arguments: argparse.Namespace, **detail: Any) -> None:
    """Who let somebody in from here."""
    from twin.alarmcore.store.audit import write_audit

    # The service's clock may be ahead of the database's.
    now = await db.fetchval(
        "SELECT greatest(clock, extract(epoch FROM clock_timestamp())::float8) FROM core"
    )
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        who = str(os.getuid())
    action = f"{arguments.action} {arguments.what}"
    await write_audit(db, now, who, "command line", action, arguments.name, json.dumps(detail))


def _export(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.annexb.messages import instant
    from twin.alarmcore.service.config import load_settings
    from twin.alarmcore.service.export import read_period
    from twin.alarmcore.service.pages import settled_us
    from twin.log import MICROSECONDS, write_log

    zone = load_settings(arguments.data.resolve() / "core.toml").time_zone

    def time_us(option: str, text: str | None) -> int | None:
        try:
            return None if text is None else round(instant(text).timestamp() * MICROSECONDS)
        except ValueError as error:
            raise CoreError(f"{option}: {error}") from error

    begin, until = time_us("--from", arguments.begin), time_us("--to", arguments.end)
    _check_kept(arguments)
    _check_folder(arguments.out)

    async def read(db: Any) -> Any:
        # The clock's mark is up to a second old; a row may be newer.
        now = await db.fetchval(
            "SELECT greatest(round(clock * 1e6)::bigint, (SELECT max(time) + 1 FROM event_log "
            "WHERE time >= floor(clock * 1e6)::bigint)) FROM core"
        )
        end = now if until is None else min(until, now)
        # Else a row might come after this export that belongs to it, and be in no other.
        if await settled_us(lambda: contextlib.nullcontext(db), now) < now:
            raise CoreError("a transaction of the service takes long; export when it is over")
        async with db.transaction(isolation="repeatable_read", readonly=True):
            return await read_period(db, zone, begin or 0, end, now)

    try:
        log = _in_database(arguments, read)
        write_log(log, arguments.out)
    except ValueError as error:
        raise CoreError(str(error)) from error
    print(f"{len(log)} rows in {arguments.out}")
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.serve import database_of
    from twin.alarmcore.store.archive import backup

    _check_kept(arguments)
    _check_folder(arguments.out)
    with database_of(arguments.data.resolve(), arguments.database) as url:
        backup(url, arguments.out)
    print(f"{arguments.out}: keep secret.key of the data folder with it; tokens are sealed with it")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.serve import database_of
    from twin.alarmcore.store.archive import restore

    data: Path = arguments.data.resolve()
    if not arguments.database and (data / "postgres").exists():
        raise CoreError(f"{data}: has a database already; restore into a new folder")
    if not arguments.backup.is_file():
        raise CoreError(f"{arguments.backup}: no such file; give one that `twin core backup` wrote")
    try:
        with database_of(data, arguments.database) as url:
            restore(url, arguments.backup)
    except CoreError:
        if not arguments.database:  # made here a moment ago, and empty
            shutil.rmtree(data / "postgres", ignore_errors=True)
        raise
    missing = [name for name in ("secret.key", "core.toml") if not (data / name).exists()]
    copy = f"; copy {' and '.join(missing)} of the old data folder there first" if missing else ""
    print(f"{data}: ready for twin core serve{copy}")
    return 0


def _check_kept(arguments: argparse.Namespace) -> None:
    """Reads no new, empty database because a folder's name is misspelt."""
    if not arguments.database and not (arguments.data / "postgres").is_dir():
        raise CoreError(
            f"{arguments.data}: no data folder of a core; give the one that it serves, or its "
            "--database"
        )


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise CoreError(f"{out}: its folder does not exist; make it, or write elsewhere")


def _in_database(arguments: argparse.Namespace, work: Any) -> Any:
    """Runs something on the database of a data folder, whether its service runs or not."""
    from twin.alarmcore.service.config import load_settings
    from twin.alarmcore.service.serve import database_of
    from twin.alarmcore.store.database import connect, prepare

    data: Path = arguments.data.resolve()
    settings = load_settings(data / "core.toml")

    async def run(url: str) -> Any:
        db = await connect(url)
        try:
            await prepare(db, settings.center)
            return await work(db)
        finally:
            await db.close()

    with database_of(data, arguments.database) as url:
        return asyncio.run(run(url))
