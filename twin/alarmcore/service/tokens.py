"""Who somebody is: tokens, secrets and the roles that they stand for (B.2.1, B.4.1).

Tokens are random. The core keeps a hash of what it only checks; a vendor's token, which the core
presents, too, when it pulls, it keeps encrypted as well, under a key in the data folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from twin.alarmcore.errors import CoreError
from twin.alarmcore.store.database import Pool

CHANGED = "tokens"
"""Whoever changes a token NOTIFYs this channel."""

LOOK_UP_S = 5.0
"""Within this time it is known who somebody is, or the database hangs (assumption)."""

_MOST_REFUSED = 10_000


class Role(StrEnum):
    """Roles, and what each may do."""

    VENDOR = "vendor"
    """Pushes into its own projects."""
    OPERATOR = "operator"
    """Works on alarms and tickets at the console."""
    MANAGER = "manager"
    """Sees the center's figures (7.2)."""
    OWNER = "owner"
    """Sees its own venues (7.3)."""
    UPSTREAM = "upstream"
    """A central platform: reads what is forwarded to it (4.3)."""
    AUDITOR = "auditor"
    """Reads every message and the audit trail."""


class Principal(NamedTuple):
    """Who asks.

    Parameters
    ----------
    role : what they may do.
    name : of the vendor or the account.
    id : of the vendor or the account.
    venues : an owner's venues.
    """

    role: Role
    name: str
    id: int
    venues: tuple[str, ...] = ()


def new_token() -> str:
    """A random token of 256 bits; fits the 100 characters of B.4.1."""
    return secrets.token_urlsafe(32)


def token_hash(token: str | bytes) -> bytes:
    """What is kept of a token that is only checked. Its 256 random bits need no salt."""
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).digest()


class Seal:
    """Encrypts tokens that have to be presented, under a key file that is made on first use.

    Parameters
    ----------
    path : the key file; only its owner may read it.

    Raises
    ------
    CoreError
        If the file is no key.
    """

    def __init__(self, path: Path) -> None:
        from cryptography.fernet import Fernet

        self._path = path
        if not path.exists():
            part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            part.touch(0o600)
            part.write_bytes(Fernet.generate_key())
            try:
                path.hardlink_to(part)  # whoever comes first
            except FileExistsError:
                pass
            finally:
                part.unlink()
        try:
            key = path.read_bytes()
            self._fernet = Fernet(key)
        except (OSError, ValueError) as error:
            raise CoreError(f"{path}: cannot be used as a key: {error}") from error
        self._signing = hashlib.sha256(b"sign" + key).digest()

    def sign(self, text: str) -> str:
        """What only this core can say about a text."""
        return hmac.digest(self._signing, text.encode(), "sha256").hex()[:32]

    def signed(self, text: str, signature: str) -> bool:
        """Whether a signature of a text is ours."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())

    def close(self, token: str) -> bytes:
        """Encrypts."""
        return self._fernet.encrypt(token.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypts."""
        return self._fernet.decrypt(sealed).decode()

    async def check(self, db: asyncpg.Connection) -> None:
        """Refuses a database whose tokens were sealed under another key.

        Raises
        ------
        CoreError
        """
        from cryptography.fernet import InvalidToken

        stored = await db.fetchval(
            "UPDATE core SET seal = coalesce(seal, $1) RETURNING seal", self.close("alarm core")
        )
        try:
            self.open(stored)
        except InvalidToken:
            raise CoreError(
                f"{self._path}: not the key under which the database's tokens are sealed; copy "
                "secret.key from the data folder of the service that first ran on this database"
            ) from None


class Gate:
    """Checks tokens, and knows recent ones by heart.

    Parameters
    ----------
    pool : connections to the database.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[bytes, Principal] = {}
        self._refused: set[bytes] = set()
        self._looking = asyncio.Lock()
        self._forgotten = 0

    def forget(self) -> None:
        """Asks the database anew for every token."""
        self._forgotten += 1
        self._known.clear()
        self._refused.clear()

    def known(self, token: bytes) -> Principal | None:
        """The principal of a token that was checked before, without asking anybody."""
        return self._known.get(token_hash(token))

    async def principal(self, token: bytes) -> Principal | None:
        """The principal of a token, None if it is nobody's.

        Tokens that are not known by heart are looked up one at a time: whoever guesses (in vain:
        a token is 256 random bits) keeps no more than one connection busy, and locks nobody out.
        """
        digest = token_hash(token)
        if digest in self._refused:
            return None
        found = self._known.get(digest)
        if found is None:
            forgotten = self._forgotten
            async with self._looking, self._pool.acquire(LOOK_UP_S) as db:
                row = await db.fetchrow(
                    "SELECT 'vendor' AS role, name, id, NULL::text[] AS venues FROM vendor "
                    "WHERE token_hash = $1 UNION ALL "
                    "SELECT role, name, id, venues FROM account WHERE token_hash = $1",
                    digest,
                )
            if row is None:
                if forgotten == self._forgotten and len(self._refused) < _MOST_REFUSED:
                    self._refused.add(digest)
                return None
            found = Principal(Role(row["role"]), row["name"], row["id"], tuple(row["venues"] or ()))
            if forgotten == self._forgotten:  # else it may have been ended meanwhile
                self._known[digest] = found
        return found


async def issue_vendor_token(
    db: asyncpg.Connection, seal: Seal, appkey: str, secret: str
) -> tuple[int, str] | str:
    """A vendor's new token, which ends the old one (B.4.1).

    Returns
    -------
    The vendor's id and its token, or ``"appkey"`` or ``"secret"``: what is wrong.
    """
    row = await db.fetchrow("SELECT id, secret_hash FROM vendor WHERE appkey = $1", appkey)
    if row is None:
        return "appkey"
    if not hmac.compare_digest(row["secret_hash"], token_hash(secret)):
        return "secret"
    token = new_token()
    await db.execute(
        "UPDATE vendor SET token_hash = $2, token_sealed = $3 WHERE id = $1",
        row["id"],
        token_hash(token),
        seal.close(token),
    )
    await db.execute("SELECT pg_notify($1, '')", CHANGED)
    return row["id"], token


async def add_vendor(
    db: asyncpg.Connection, name: str, url: str | None, pull_period_s: float
) -> tuple[str, str]:
    """Registers a vendor platform; returns its appkey and masterSecret, shown only now.

    Raises
    ------
    CoreError
        If the name is taken, or cannot be part of an id.
    """
    appkey, secret = secrets.token_hex(14), new_token()
    try:
        await db.execute(
            "INSERT INTO vendor (name, appkey, secret_hash, url, pull_period) "
            "VALUES ($1, $2, $3, $4, $5)",
            name,
            appkey,
            token_hash(secret),
            url,
            pull_period_s,
        )
    except asyncpg.UniqueViolationError:
        raise CoreError(f"vendor {name!r} is registered already; give another name") from None
    except asyncpg.CheckViolationError:
        # A slash would let one vendor's ids be read as another's: "a/b" + "c" is "a" + "b/c".
        raise CoreError(
            f"vendor {name!r} cannot be registered; give a name of 1 to 32 characters without "
            "blanks, '/', '?' and '#', and a pull period of 1 h to 24 h"
        ) from None
    return appkey, secret


async def renew_vendor(db: asyncpg.Connection, name: str) -> tuple[str, str]:
    """A vendor's appkey and its new masterSecret, shown only now; its old one and its token end.

    Raises
    ------
    CoreError
        If there is no such vendor.
    """
    secret = new_token()
    appkey = await db.fetchval(
        "UPDATE vendor SET secret_hash = $2, token_hash = NULL, token_sealed = NULL "
        "WHERE name = $1 RETURNING appkey",
        name,
        token_hash(secret),
    )
    if appkey is None:
        raise _no_vendor(name)
    await db.execute("SELECT pg_notify($1, '')", CHANGED)
    return appkey, secret


async def set_vendor(db: asyncpg.Connection, name: str, changes: Mapping[str, Any]) -> None:
    """Changes how a vendor is pulled; who pulls looks at once what is due now.

    Parameters
    ----------
    changes : new values of ``url`` (None: it is not pulled) and ``pull_period`` (s).

    Raises
    ------
    CoreError
        If there is no such vendor.
    """
    # What went wrong at the old URL says nothing of the new one.
    anew = ", pull_failures = 0, pull_error = NULL" if "url" in changes else ""
    columns = "".join(f", {column} = ${n}" for n, column in enumerate(changes, 2))
    done = await db.fetchval(
        f"UPDATE vendor SET pull_due = 0{columns}{anew} WHERE name = $1 RETURNING id",
        name,
        *changes.values(),
    )
    if done is None:
        raise _no_vendor(name)


def _no_vendor(name: str) -> CoreError:
    return CoreError(f"no vendor {name!r}; `twin core vendor list` names those there are")


async def add_account(
    db: asyncpg.Connection, name: str, role: Role, venues: tuple[str, ...] = ()
) -> str:
    """Gives a person or a platform a token; a new one ends the old one.

    Raises
    ------
    CoreError
        If the name has another role.
    """
    token = new_token()
    row = await db.fetchrow(
        "INSERT INTO account (name, role, venues, token_hash) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash, "
        "venues = excluded.venues WHERE account.role = excluded.role RETURNING id",
        name,
        role,
        list(venues) or None,
        token_hash(token),
    )
    if row is None:
        raise CoreError(f"account {name!r} has another role; give another name")
    await db.execute("SELECT pg_notify($1, '')", CHANGED)
    return token


async def remove_account(db: asyncpg.Connection, name: str) -> None:
    """Ends an account and its token; what the person did stays on record.

    Raises
    ------
    CoreError
        If there is no such account.
    """
    if await db.fetchval("DELETE FROM account WHERE name = $1 RETURNING id", name) is None:
        raise CoreError(f"no user {name!r}; `twin core user list` names those there are")
    await db.execute("SELECT pg_notify($1, '')", CHANGED)
