"""``twin core``: serving, and who may come in."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import os
import shutil
import string
from collections.abc import Sequence
from datetime import UTC, datetime
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

    _add_vendor_parsers(actions.add_parser("vendor", help="vendor platforms"))
    _add_user_parsers(actions.add_parser("user", help="people and platforms that read or work"))


def _add_vendor_parsers(vendor: argparse.ArgumentParser) -> None:
    vendors = vendor.add_subparsers(dest="what", required=True, metavar="WHAT")
    where = "where its APIs are; without it the vendor is not pulled"
    period = "between pulls of device states, 1 to 24 (B.3.2)"
    new = _action(vendors, "add", "register a vendor platform; prints its secret once", _add_vendor)
    new.add_argument("name")
    new.add_argument("--url", help=where)
    new.add_argument("--pull-period", type=float, default=24.0, metavar="HOURS", help=period)
    _action(vendors, "list", "who is registered, how it is pulled, what went wrong", _list_vendors)
    new = _action(
        vendors, "renew", "give a vendor a new secret; the old one and its token end", _renew_vendor
    )
    new.add_argument("name")
    new = _action(vendors, "set", "change where or how often a vendor is pulled", _set_vendor)
    new.add_argument("name")
    place = new.add_mutually_exclusive_group()
    place.add_argument("--url", help=where)
    place.add_argument("--no-url", action="store_true", help="it is not pulled any more")
    new.add_argument("--pull-period", type=float, metavar="HOURS", help=period)


def _add_user_parsers(user: argparse.ArgumentParser) -> None:
    users = user.add_subparsers(dest="what", required=True, metavar="WHAT")
    new = _action(
        users, "add", "give somebody a token, or a new one that ends the old; prints it once",
        _add_user,
    )  # fmt: skip
    new.add_argument("name")
    new.add_argument(
        "--role", required=True, choices=("operator", "manager", "owner", "upstream", "auditor")
    )
    new.add_argument(
        "--venue", action="append", default=[], help="an owner's, as VENDOR/VENUE; repeatable"
    )
    _action(users, "list", "who has a token, and as what", _list_users)
    new = _action(users, "remove", "end somebody's token and forget them", _remove_user)
    new.add_argument("name")


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

    _check_vendor(arguments)
    period_s = arguments.pull_period * 3600

    async def add(db: Any) -> tuple[str, str]:
        async with db.transaction():
            made = await add_vendor(db, arguments.name, arguments.url, period_s)
            await _audit(db, arguments, url=arguments.url)
        return made

    appkey, secret = _in_database(arguments, add)
    print(f"appkey       {appkey}\nmasterSecret {secret}")
    return 0


def _check_vendor(arguments: argparse.Namespace) -> None:
    """Checks what is known of how a vendor is pulled."""
    period = arguments.pull_period
    if period is not None and not 1 <= period <= 24:
        raise CoreError(f"--pull-period is {period} h; B.3.2 allows 1 h to 24 h")
    if arguments.url is not None:
        _check_url(arguments.url)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme == "https" and parts.hostname and parts.port != 0
        right = right and not (parts.query or parts.fragment or set(url) & set(string.whitespace))
    except ValueError:  # of the port, too
        right = False
    if not right:
        raise CoreError(f"--url is {url}; https://host:port is expected (B.2.1)")


def _list_vendors(arguments: argparse.Namespace) -> int:
    _check_kept(arguments)
    rows = _in_database(
        arguments,
        lambda db: db.fetch(
            "SELECT name, appkey, url, pull_period, "
            "greatest(contacted, (pull_cursor->>'states_at')::float8) AS pulled, pull_error "
            "FROM vendor ORDER BY name"
        ),
    )
    _print_table(
        ("name", "appkey", "URL", "pull period", "last contact", "last error"),
        [
            (
                row["name"],
                row["appkey"],
                row["url"],
                None if row["url"] is None else f"{row['pull_period'] / 3600:g} h",
                _time(row["pulled"]),
                row["pull_error"],
            )
            for row in rows
        ],
    )
    return 0


def _renew_vendor(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.tokens import renew_vendor

    _check_kept(arguments)

    async def renew(db: Any) -> tuple[str, str]:
        async with db.transaction():
            made = await renew_vendor(db, arguments.name)
            await _audit(db, arguments)
        return made

    appkey, secret = _in_database(arguments, renew)
    print(f"appkey       {appkey}\nmasterSecret {secret}")
    return 0


def _set_vendor(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.tokens import set_vendor

    if arguments.url is None and not arguments.no_url and arguments.pull_period is None:
        raise CoreError("nothing to change; give --url URL, --no-url or --pull-period HOURS")
    _check_vendor(arguments)
    _check_kept(arguments)
    changes: dict[str, Any] = {}
    if arguments.url is not None or arguments.no_url:
        changes["url"] = arguments.url
    if arguments.pull_period is not None:
        changes["pull_period"] = arguments.pull_period * 3600

    async def change(db: Any) -> None:
        async with db.transaction():
            await set_vendor(db, arguments.name, changes)
            await _audit(db, arguments, **changes)

    _in_database(arguments, change)
    return 0


def _add_user(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.tokens import Role, add_account

    name = arguments.name
    if not (0 < len(name) <= 64 and name.isprintable() and name == name.strip()):
        raise CoreError(
            f"user {name!r} cannot be registered; give a name of 1 to 64 printable characters "
            "without blanks around it"
        )
    role = Role(arguments.role)
    if role is Role.OWNER and not arguments.venue:
        raise CoreError(
            "an owner without a venue can see nothing; give --venue VENDOR/VENUE for each of its"
        )
    if role is not Role.OWNER and arguments.venue:
        raise CoreError(
            f"--venue says what an owner may see, role {role} sees all; leave it out, or give "
            "--role owner"
        )
    for venue in arguments.venue:
        if not all(venue.partition("/")):
            raise CoreError(f"--venue is {venue}; VENDOR/VENUE is expected, as in acme/shop-1")

    async def add(db: Any) -> str:
        async with db.transaction():
            token = await add_account(db, arguments.name, role, tuple(arguments.venue))
            await _audit(db, arguments, role=arguments.role, venues=arguments.venue)
        return token

    print(f"token {_in_database(arguments, add)}")
    return 0


def _list_users(arguments: argparse.Namespace) -> int:
    _check_kept(arguments)
    rows = _in_database(
        arguments, lambda db: db.fetch("SELECT name, role, venues FROM account ORDER BY name")
    )
    _print_table(
        ("name", "role", "venues"),
        [(name, role, " ".join(venues or ())) for name, role, venues in rows],
    )
    return 0


def _remove_user(arguments: argparse.Namespace) -> int:
    from twin.alarmcore.service.tokens import remove_account

    _check_kept(arguments)

    async def remove(db: Any) -> None:
        async with db.transaction():
            await remove_account(db, arguments.name)
            await _audit(db, arguments)

    _in_database(arguments, remove)
    return 0


def _time(at: float | None) -> str:
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds").replace("+00:00", "Z")


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """Prints rows under a head, each in one line; ``-`` where there is nothing."""
    lines = [head, *([" ".join((cell or "-").split()) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


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


def _is_text(given: str) -> bool:
    """Whether an argument was UTF-8; what was not comes as half characters."""
    return not any("\ud800" <= one <= "\udfff" for one in given)


def _in_database(arguments: argparse.Namespace, work: Any) -> Any:
    """Runs something on the database of a data folder, whether its service runs or not."""
    from twin.alarmcore.service.config import load_settings
    from twin.alarmcore.service.serve import database_of
    from twin.alarmcore.store.database import connect, prepare

    for given in vars(arguments).values():
        for one in given if isinstance(given, list) else [given]:
            if isinstance(one, str) and not _is_text(one):
                raise CoreError(f"{one!r} is no text; UTF-8 is expected")
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
