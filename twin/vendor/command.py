"""``twin vendor``: a vendor platform to integrate with."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

from twin.alarmcore.errors import CoreError


def add_parser(commands: Any) -> None:
    """Adds ``vendor`` to the commands of ``twin``; imports nothing heavy."""
    vendor = commands.add_parser("vendor", help="a vendor platform that speaks Annex B")
    actions = vendor.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = actions.add_parser(
        "serve",
        help="serve a registry to an on-site platform; every line of the input is pushed to it "
        "as an event (API 22)",
    )
    serve.add_argument("--data", type=Path, required=True, help="JSON file of what it has")
    serve.add_argument("--core", required=True, help="URL of the on-site platform")
    serve.add_argument(
        "--credentials",
        type=Path,
        required=True,
        help='JSON file: {"appkey": ..., "masterSecret": ...}, as "twin core vendor add" printed',
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=8444, help="port to listen on")
    serve.add_argument("--certificate", type=Path, required=True, help="PEM file to serve with")
    serve.add_argument("--key", type=Path, required=True, help="PEM file of its key")
    serve.add_argument(
        "--trust",
        type=Path,
        help="PEM file of the on-site platform's own certificate",
    )
    serve.set_defaults(command=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    """Serves until it is stopped.

    Raises
    ------
    CoreError
        What the user can mend.
    """
    from twin.alarmcore.annexb.messages import Credentials, Malformed, decoder, read
    from twin.vendor.registry import load

    if not 0 <= arguments.port < 65536:
        raise CoreError(f"--port is {arguments.port}; 1 to 65535 are possible, 0 is any free one")
    tls = ssl.create_default_context()
    try:
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(arguments.certificate, arguments.key)
    except OSError as error:  # SSLError is one
        raise CoreError(
            f"{arguments.certificate}, {arguments.key}: not a certificate and its key in PEM: "
            f"{error.strerror or error}"
        ) from error
    try:
        if arguments.trust:
            tls.load_verify_locations(arguments.trust)
        data = load(arguments.data)
        credentials = read(arguments.credentials.read_bytes(), decoder(Credentials))
    except Malformed as error:
        raise CoreError(f"{arguments.credentials}: {error}") from error
    except ssl.SSLError as error:
        raise CoreError(f"{arguments.trust}: not a certificate in PEM") from error
    except ValueError as error:
        raise CoreError(str(error)) from error
    try:
        asyncio.run(_run(arguments, data, credentials, tls))
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        raise CoreError(
            f"{where} cannot be listened on: {error.strerror}; give another --host or --port"
        ) from error
    return 0


async def _run(arguments: argparse.Namespace, data: Any, credentials: Any, tls: Any) -> None:
    from twin.vendor.service import PushRefused, VendorPlatform, serving

    platform = VendorPlatform(
        data, arguments.core, credentials.appkey, credentials.master_secret, tls
    )
    place = (arguments.certificate, arguments.key, arguments.host, arguments.port)
    async with platform, serving(platform, *place) as url:
        try:
            await platform.get_token()
            if data.projects:
                await platform.push("pushProject", data.projects)
        except PushRefused as error:
            raise CoreError(f"{arguments.core} does not let us in: {error}") from error
        print(f"serving {url}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            if line.strip():
                await _push(platform, line)
        await asyncio.Event().wait()


async def _push(platform: Any, line: bytes) -> None:
    """Pushes an event of the input; the input goes on after one that is refused."""
    import msgspec

    from twin.vendor.service import PushRefused

    try:
        print(await platform.push("pushEvent", msgspec.json.decode(line)), flush=True)
    except (PushRefused, msgspec.DecodeError) as error:
        print(f"twin vendor: {error}", file=sys.stderr)
