"""The audit trail: who did what to what."""

from __future__ import annotations

import asyncpg


async def write_audit(
    db: asyncpg.Connection,
    now: float,
    who: str,
    role: str,
    action: str,
    target: str = "",
    detail: str | None = None,
) -> None:
    """Writes an entry; it belongs to the transaction of what it tells of.

    Parameters
    ----------
    now : the service's clock, s.
    who, role : who acts.
    action : what they do.
    target : to what.
    detail : JSON; never a secret.
    """
    await db.execute(
        "INSERT INTO audit (time, who, role, action, target, detail) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        now,
        who,
        role,
        action,
        target,
        detail,
    )
